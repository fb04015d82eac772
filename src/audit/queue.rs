// SPDX-License-Identifier: Apache-2.0
//! The bounded queue between threads that decide and the thread that writes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock};

use super::{Event, Files, Record};
use crate::fault::Fault;
use crate::time::UnixMillis;

/// How many records may wait to be written.
const WAITING: usize = 16_384;

/// Takes records from any thread without waiting, numbers them, and lets one
/// thread write them. A full queue drops the record; the number it had stays
/// unused and the count of lost records is written as soon as there is room.
pub struct Recorder {
    boot: String,
    via: String,
    sequence: AtomicU64,
    lost: AtomicU64,
    written: AtomicU64,
    dropped: AtomicU64,
    waiting: AtomicUsize,
    sender: SyncSender<(u64, Box<Record>)>,
    writer: Mutex<Writer>,
    /// Records for the host as well, once it has asked.
    copy: OnceLock<Lines>,
}

struct Writer {
    receiver: Receiver<(u64, Box<Record>)>,
    files: Files,
}

impl Recorder {
    /// A recorder of one boot of this host. `boot` is unique to it; `via` is
    /// the host's name.
    #[must_use]
    pub fn new(boot: String, via: String, files: Files) -> Self {
        let (sender, receiver) = sync_channel(WAITING);
        Self {
            boot,
            via,
            sequence: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            written: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            sender,
            writer: Mutex::new(Writer { receiver, files }),
            copy: OnceLock::new(),
        }
    }

    /// Hands a record over. Never waits.
    pub fn record(&self, record: Record) {
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed);
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) =
            self.sender.try_send((sequence, Box::new(record)))
        {
            self.lost.fetch_add(1, Ordering::Relaxed);
            self.dropped.fetch_add(1, Ordering::Relaxed);
        } else {
            self.waiting.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Writes and syncs what is waiting. Called by one worker.
    ///
    /// # Errors
    /// When a file cannot be written; what was taken from the queue but not
    /// written counts as lost.
    pub fn flush(&self, now: UnixMillis) -> Result<(), Fault> {
        let Ok(mut writer) = self.writer.lock() else {
            return Err(Fault::internal("the audit writer failed earlier"));
        };
        let mut lines = String::new();
        let mut taken = 0;
        while taken < WAITING {
            match writer.receiver.try_recv() {
                Ok((sequence, record)) => {
                    lines.push_str(&record.json(&self.boot, sequence, &self.via));
                    lines.push('\n');
                    taken += 1;
                }
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
        }
        // The writer may be ahead of who handed a record over and counts it next.
        let less = |n: usize| Some(n.saturating_sub(taken));
        let _before = self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let sequence = self.sequence.fetch_add(1, Ordering::Relaxed);
            let record = Record {
                time: now,
                who: Arc::default(),
                channel: None,
                request_id: Arc::default(),
                event: Event::Lost { count: lost },
            };
            lines.push_str(&record.json(&self.boot, sequence, &self.via));
            lines.push('\n');
        }
        if lines.is_empty() {
            return Ok(());
        }
        if let Err(fault) = writer.files.append(&lines) {
            self.lost.fetch_add(lost + taken as u64, Ordering::Relaxed);
            self.dropped.fetch_add(taken as u64, Ordering::Relaxed);
            return Err(fault);
        }
        self.written.fetch_add(taken as u64, Ordering::Relaxed);
        if let Some(copy) = self.copy.get() {
            lines.lines().for_each(|line| copy.add(line.to_owned()));
        }
        Ok(())
    }

    /// Takes records as they were written, whole lines of `room` bytes at most.
    /// They are kept for this from the first call on.
    ///
    /// # Errors
    /// The bytes that the next line needs, when it alone has no room.
    pub fn take_text(&self, room: usize) -> Result<String, usize> {
        self.copy.get_or_init(|| Lines::new(WAITING)).take_text(room)
    }

    /// Records written since the boot.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Records that wait to be written, about.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Records lost since the boot.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Records lost and not yet reported in the file.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// Lines for the host to fetch; bounded, oldest dropped first.
struct Lines {
    kept: usize,
    lines: Mutex<VecDeque<String>>,
}

impl Lines {
    fn new(kept: usize) -> Self {
        Self { kept, lines: Mutex::default() }
    }

    fn add(&self, line: String) {
        if let Ok(mut lines) = self.lines.lock() {
            if lines.len() >= self.kept {
                lines.pop_front();
            }
            lines.push_back(line);
        }
    }

    fn take_text(&self, room: usize) -> Result<String, usize> {
        let Ok(mut lines) = self.lines.lock() else { return Ok(String::new()) };
        let mut text = String::new();
        while let Some(line) = lines.front() {
            let needed = line.len() + 1;
            if text.len() + needed > room {
                return if text.is_empty() { Err(needed) } else { Ok(text) };
            }
            text.push_str(line);
            text.push('\n');
            lines.pop_front();
        }
        Ok(text)
    }
}

/// Log lines for the host to fetch; bounded, oldest dropped first.
pub struct Journal(Lines);

impl Default for Journal {
    fn default() -> Self {
        Self(Lines::new(Self::KEPT))
    }
}

impl Journal {
    /// Most lines kept.
    const KEPT: usize = 1024;

    /// Adds one line: a level (`error`, `warn`, `info`) and a text.
    pub fn line(&self, level: &str, text: &str) {
        // One line, whatever a text holds.
        let mut line = format!("{level} {text}");
        if line.contains('\n') {
            line = line.replace('\n', " ");
        }
        self.0.add(line);
    }

    /// Takes up to `most` lines, oldest first.
    #[must_use]
    pub fn take(&self, most: usize) -> Vec<String> {
        self.0
            .lines
            .lock()
            .map(|mut lines| {
                let n = most.min(lines.len());
                lines.drain(..n).collect()
            })
            .unwrap_or_default()
    }

    /// Takes whole lines of `room` bytes at most, each ended by a newline.
    ///
    /// # Errors
    /// The bytes that the next line needs, when it alone has no room.
    pub fn take_text(&self, room: usize) -> Result<String, usize> {
        self.0.take_text(room)
    }
}
