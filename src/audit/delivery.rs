// SPDX-License-Identifier: Apache-2.0
//! What of the audit files was delivered to the service. The files themselves
//! are what waits: nothing is held in memory, and an outage of any length
//! costs nothing but time.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::fault::Fault;

/// Most bytes of one delivery. A longer line cannot be delivered.
const BATCH: usize = 256 * 1024;
/// Most records of one delivery.
pub(crate) const RECORDS: usize = 1000;

/// Lines to deliver, and how far they reach.
pub(crate) struct Batch {
    /// Records of this host, as they stand in the file; may be empty when
    /// others write there too.
    pub(crate) lines: Vec<String>,
    file: String,
    until: u64,
}

/// What was delivered of each file, by name: bytes. Files that are shipped
/// away are forgotten.
pub(crate) struct Delivery {
    dir: PathBuf,
    /// Name of the host whose records are delivered.
    host: String,
    delivered: BTreeMap<String, u64>,
    /// Files with something that is not delivered, oldest first, and how many
    /// bytes that is, as of the last look.
    pending: Vec<(String, u64)>,
}

/// Whose record a line is.
#[derive(Deserialize)]
struct Line {
    unmapped: Unmapped,
}

#[derive(Deserialize)]
struct Unmapped {
    via: String,
}

impl Delivery {
    /// The audit files in `dir`, of which what was noted there is delivered
    /// already.
    pub(crate) fn open(dir: &Path, host: &str) -> Self {
        let (delivered, pending) = (BTreeMap::new(), Vec::new());
        let mut delivery = Self { dir: dir.to_owned(), host: host.to_owned(), delivered, pending };
        // Without the note all is delivered again: that is recognized.
        if let Ok(text) = std::fs::read(delivery.note("")) {
            delivery.delivered = serde_json::from_slice(&text).unwrap_or_default();
        }
        delivery
    }

    /// Several hosts may write to one directory.
    fn note(&self, end: &str) -> PathBuf {
        self.dir.join(format!("delivered-{}{end}", self.host.replace('/', "-")))
    }

    fn failed(path: &Path, e: &std::io::Error) -> Fault {
        Fault::unavailable(format!("audit file {}: {e}", path.display()))
    }

    /// Looks which files have something to deliver.
    ///
    /// # Errors
    /// When the directory cannot be read; what was seen before stays.
    pub(crate) fn look(&mut self) -> Result<(), Fault> {
        let listed = std::fs::read_dir(&self.dir).map_err(|e| Self::failed(&self.dir, &e))?;
        let mut found = Vec::new();
        for entry in listed {
            let entry = entry.map_err(|e| Self::failed(&self.dir, &e))?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            // Moved away meanwhile, if it has no length.
            let Ok(length) = entry.metadata().map(|m| m.len()) else { continue };
            let left = length.saturating_sub(self.delivered.get(&name).copied().unwrap_or(0));
            if name.ends_with(".jsonl") && left > 0 {
                found.push((name, left));
            }
        }
        found.sort();
        self.pending = found;
        Ok(())
    }

    /// What is to be delivered next of what was seen; none when everything is.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub(crate) fn next(&self) -> Result<Option<Batch>, Fault> {
        for (name, _) in &self.pending {
            let path = self.dir.join(name);
            let from = self.delivered.get(name).copied().unwrap_or(0);
            let mut file = match File::open(&path) {
                Ok(file) => file,
                // Moved away meanwhile.
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
                Err(e) => return Err(Self::failed(&path, &e)),
            };
            let mut text = Vec::new();
            let read = file.seek(SeekFrom::Start(from)).and_then(|_| file.take(BATCH as u64).read_to_end(&mut text));
            read.map_err(|e| Self::failed(&path, &e))?;
            let (mut lines, mut used, mut whole) = (Vec::new(), 0, 0);
            for line in text.split_inclusive(|b| *b == b'\n') {
                if line.last() != Some(&b'\n') || whole == RECORDS {
                    break;
                }
                used += line.len();
                whole += 1;
                // What is no record, such as the rest of a line that was cut
                // off, is nothing to deliver; its number is missing then.
                let own = serde_json::from_slice::<Line>(line).is_ok_and(|l| l.unmapped.via == self.host);
                if let (true, Ok(text)) = (own, std::str::from_utf8(line)) {
                    lines.push(text.trim_end().to_owned());
                }
            }
            if used == 0 && text.len() == BATCH {
                // No line ends here: it is passed over piece by piece.
                used = BATCH;
            }
            if used > 0 {
                return Ok(Some(Batch { lines, file: name.clone(), until: from + used as u64 }));
            }
        }
        Ok(None)
    }

    /// Notes that a batch was delivered.
    ///
    /// # Errors
    /// When it cannot be written; it is delivered again after a restart.
    pub(crate) fn done(&mut self, batch: Batch) -> Result<(), Fault> {
        let before = self.delivered.insert(batch.file.clone(), batch.until).unwrap_or(0);
        if let Some((_, left)) = self.pending.iter_mut().find(|(name, _)| *name == batch.file) {
            // It may have grown since it was seen.
            *left = left.saturating_sub(batch.until.saturating_sub(before));
        }
        self.pending.retain(|(_, left)| *left > 0);
        let dir = &self.dir;
        self.delivered.retain(|name, _| dir.join(name).exists());
        let (note, beside) = (self.note(""), self.note(".new"));
        let text =
            serde_json::to_vec(&self.delivered).map_err(|e| Fault::internal(format!("a note of the audit: {e}")))?;
        let written = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside);
        let written = written.and_then(|mut file| file.write_all(&text)).and_then(|()| std::fs::rename(&beside, &note));
        written.map_err(|e| Self::failed(&note, &e))
    }

    /// Bytes that are not delivered, as of the last look.
    pub(crate) fn left(&self) -> u64 {
        self.pending.iter().map(|(_, left)| left).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(via: &str, n: u64) -> String {
        format!("{{\"unmapped\":{{\"via\":\"{via}\",\"sequence\":{n}}}}}")
    }

    fn write(dir: &Path, name: &str, text: &str) {
        let mut file = OpenOptions::new().append(true).create(true).open(dir.join(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn take(delivery: &mut Delivery) -> Vec<String> {
        let mut all = Vec::new();
        delivery.look().unwrap();
        while let Some(mut batch) = delivery.next().unwrap() {
            all.append(&mut batch.lines);
            delivery.done(batch).unwrap();
        }
        all
    }

    /// Each whole line once, in order, also of earlier boots and after a
    /// restart; half a line when it is whole; nothing of others.
    #[test]
    fn lines_are_delivered_once_and_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let (own, other) = ("host/c/1", "host/c/2");
        write(dir, "1-b-0000.jsonl", &format!("{}\n{}\n{{\"cut", line(own, 0), line(other, 0)));
        write(dir, "2-c-0000.jsonl", &format!("{}\n", line(own, 7)));
        write(dir, "notes.txt", "not a record\n");
        let mut delivery = Delivery::open(dir, own);
        delivery.look().unwrap();
        let batch = delivery.next().unwrap().unwrap();
        assert_eq!(batch.lines, [line(own, 0)]);
        // Without an answer it comes again.
        assert_eq!(delivery.next().unwrap().unwrap().lines, batch.lines);
        assert_eq!(take(&mut delivery), [line(own, 0), line(own, 7)]);
        let half = line(own, 8);
        let (first, second) = half.split_at(9);
        write(dir, "2-c-0000.jsonl", first);
        assert_eq!(take(&mut delivery), [""; 0]);
        assert_eq!(delivery.left(), 5 + first.len() as u64);
        write(dir, "2-c-0000.jsonl", &format!("{second}\n"));
        let mut delivery = Delivery::open(dir, own);
        assert_eq!(take(&mut delivery), [half]);
        // Shipped away, it is forgotten.
        std::fs::remove_file(dir.join("1-b-0000.jsonl")).unwrap();
        write(dir, "2-c-0001.jsonl", &format!("{}\n", line(own, 9)));
        assert_eq!(take(&mut delivery), [line(own, 9)]);
        assert!(!delivery.delivered.contains_key("1-b-0000.jsonl"));
        assert_eq!(take(&mut Delivery::open(dir, other)), [""; 0], "of a file that is gone");
    }

    #[test]
    fn batches_are_bounded_and_a_line_without_end_does_not_stop_them() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let many: String = (0..2500).map(|n| format!("{}\n", line("h", n))).collect();
        write(dir, "1-a-0000.jsonl", &many);
        write(dir, "1-a-0001.jsonl", &format!("{}\n{}\n", "x".repeat(BATCH + 10), line("h", 3000)));
        let mut delivery = Delivery::open(dir, "h");
        delivery.look().unwrap();
        assert_eq!(delivery.next().unwrap().unwrap().lines.len(), RECORDS);
        let all = take(&mut delivery);
        assert_eq!((all.len(), all.last()), (2501, Some(&line("h", 3000))));
        assert_eq!(delivery.left(), 0);
    }
}
