// SPDX-License-Identifier: Apache-2.0
//! Audit files: JSON lines, one file per boot and rotation, readable by the
//! owner only.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;

use crate::fault::Fault;
use crate::files::Kept;

/// The files of one boot.
#[derive(Debug)]
pub struct Files {
    dir: PathBuf,
    stem: String,
    most: u64,
    part: u32,
    open: Option<(Kept<File>, u64)>,
}

impl Files {
    /// Files in `dir` (made when missing, mode 0700) whose names begin with
    /// `stem`; a new one is begun when one has reached `most` bytes.
    ///
    /// # Errors
    /// When the directory cannot be made or written.
    pub fn new(dir: PathBuf, stem: String, most: u64) -> Result<Self, Fault> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir)
            .map_err(|e| Fault::unavailable(format!("audit directory {}: {e}", dir.display())))?;
        let mut files = Self { dir, stem, most, part: 0, open: None };
        // Opened now, so that a directory that cannot be written stops the start.
        files.current()?;
        Ok(files)
    }

    fn current(&mut self) -> Result<&mut (Kept<File>, u64), Fault> {
        if self.open.as_ref().is_some_and(|(_, size)| *size >= self.most) {
            self.open = None;
            self.part += 1;
        }
        if self.open.is_none() {
            let path = self.dir.join(format!("{}-{:04}.jsonl", self.stem, self.part));
            let failed = |e: std::io::Error| Fault::unavailable(format!("audit file {}: {e}", path.display()));
            let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path).map_err(failed)?;
            let size = file.metadata().map_err(failed)?.len();
            self.open = Some((Kept::new(file), size));
        }
        self.open.as_mut().ok_or_else(|| Fault::internal("no audit file is open"))
    }

    /// Appends whole lines and syncs them.
    ///
    /// # Errors
    /// When writing or syncing fails; the file is opened anew next time.
    pub fn append(&mut self, lines: &str) -> Result<(), Fault> {
        let (file, size) = self.current()?;
        let file = file.get_mut()?;
        let done = file.write_all(lines.as_bytes()).and_then(|()| file.sync_data());
        match done {
            Ok(()) => {
                *size = size.saturating_add(lines.len() as u64);
                Ok(())
            }
            Err(e) => {
                // Half a line would swallow the next one. Where it cannot be
                // taken back, nothing more is written behind it.
                if file.set_len(*size).is_err() {
                    self.part += 1;
                }
                self.open = None;
                Err(Fault::unavailable(format!("audit file in {}: {e}", self.dir.display())))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Event, Record, Recorder};
    use crate::time::UnixMillis;

    fn record(n: i64) -> Record {
        Record {
            time: UnixMillis(n),
            who: std::sync::Arc::default(),
            channel: None,
            request_id: "".into(),
            event: Event::SessionEnded { reason: "x".into() },
        }
    }

    /// a full queue loses records by a stated rule and says so.
    #[test]
    fn x_10_full_queue_is_reported_in_the_file_with_a_visible_gap() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::new(dir.path().join("audit"), "a".into(), 1 << 20).unwrap();
        let recorder = Recorder::new("boot".into(), "host/c/1".into(), files);
        for n in 0..20_000 {
            recorder.record(record(n));
        }
        recorder.flush(UnixMillis(1)).unwrap();
        recorder.flush(UnixMillis(2)).unwrap();
        let mut seen = 0u64;
        let mut lost = 0u64;
        let mut next = 0u64;
        for entry in std::fs::read_dir(dir.path().join("audit")).unwrap() {
            for line in std::fs::read_to_string(entry.unwrap().path()).unwrap().lines() {
                let value: serde_json::Value = serde_json::from_str(line).unwrap();
                next = next.max(value["unmapped"]["sequence"].as_u64().unwrap() + 1);
                match value["count"].as_u64() {
                    Some(count) => lost += count,
                    None => seen += 1,
                }
            }
        }
        assert_eq!((seen + lost, next), (20_000, 20_001));
        assert!(lost > 0);
    }

    #[test]
    fn files_are_rotated_by_size_and_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let mut files = Files::new(dir.path().join("audit"), "a".into(), 10).unwrap();
        for _ in 0..3 {
            files.append("0123456789\n").unwrap();
        }
        let all: Vec<_> = std::fs::read_dir(dir.path().join("audit")).unwrap().map(|e| e.unwrap()).collect();
        assert_eq!(all.len(), 3);
        for entry in all {
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
