// SPDX-License-Identifier: Apache-2.0
//! The hosts' audit files: which there are, and what was added to them.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use standin::fault::{Fault, Status};

use super::Entry;
use crate::output;

/// How far one file was read.
#[derive(Default)]
struct Place {
    bytes: u64,
    lines: usize,
}

/// Reads the files of a directory, again and again: each line is handed over
/// once, also of files that are begun meanwhile.
pub(crate) struct Files {
    dir: PathBuf,
    /// Only files whose names hold this.
    pub(crate) boot: Option<String>,
    /// Only files that were written to after this.
    pub(crate) since: Option<SystemTime>,
    read: HashMap<PathBuf, Place>,
}

impl Files {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir, boot: None, since: None, read: HashMap::new() }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The files in the order of their names: by time of the boot, then by
    /// part.
    pub(crate) fn list(&self) -> Result<Vec<PathBuf>, Fault> {
        let listed = match std::fs::read_dir(&self.dir) {
            Ok(listed) => listed,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(failed(&self.dir, &e)),
        };
        let mut paths = Vec::new();
        for file in listed {
            let path = file.map_err(|e| failed(&self.dir, &e))?.path();
            let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            if name.ends_with(".jsonl") && self.boot.as_ref().is_none_or(|boot| name.contains(boot.as_str())) {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    }

    /// Hands over every whole line that was added since the last call. A line
    /// that has no end yet waits for the next call, or is complained about if
    /// there is none.
    pub(crate) fn read(&mut self, last: bool, hand: &mut dyn FnMut(Entry)) -> Result<(), Fault> {
        for path in self.list()? {
            let metadata = match std::fs::metadata(&path) {
                Ok(metadata) => metadata,
                // Moved away between the listing and now.
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
                Err(e) => return Err(failed(&path, &e)),
            };
            let place = self.read.entry(path.clone()).or_default();
            let old = self.since.is_some_and(|since| metadata.modified().is_ok_and(|m| m < since));
            if old || metadata.len() <= place.bytes {
                continue;
            }
            let mut file = File::open(&path).map_err(|e| failed(&path, &e))?;
            file.seek(SeekFrom::Start(place.bytes)).map_err(|e| failed(&path, &e))?;
            let mut reader = BufReader::with_capacity(1 << 16, file);
            let mut line = Vec::new();
            loop {
                line.clear();
                let n = reader.read_until(b'\n', &mut line).map_err(|e| failed(&path, &e))?;
                let whole = line.last() == Some(&b'\n');
                if n == 0 || !whole && !last {
                    break;
                }
                place.bytes += n as u64;
                place.lines += 1;
                match serde_json::from_slice(&line) {
                    Ok(record) => hand(Entry::of_record(record)),
                    // The last line of a killed process may be cut off.
                    Err(_) => {
                        output::complain(&format!("{}, line {}: not a whole record", path.display(), place.lines));
                    }
                }
            }
        }
        Ok(())
    }
}

fn failed(path: &Path, e: &std::io::Error) -> Fault {
    Fault::new(Status::InvalidArgument, format!("{}: {e}", path.display()))
}
