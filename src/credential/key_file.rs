// SPDX-License-Identifier: Apache-2.0
//! The file of sealing keys: read, written whole or not at all, and noticed
//! when another process replaced it.

use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::{Zeroize, Zeroizing};

use super::Secret;
use crate::fault::{Fault, Status};

/// First line of a key file.
const HEADER: &str = "standin-keys 1";
/// Longest key file, bytes.
const LONGEST: u64 = 64 * 1024;

/// What tells one state of a file from another: device, number, length, and
/// when it was changed.
pub(super) type Seen = (u64, u64, u64, i64, i64);

fn bad(text: String) -> Fault {
    Fault::new(Status::InvalidSetting, text)
}

fn seen_of(meta: &std::fs::Metadata) -> Seen {
    (meta.dev(), meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec())
}

/// The present state of a file; none when there is no file.
pub(super) fn seen(path: &Path) -> Option<Seen> {
    std::fs::metadata(path).ok().map(|meta| seen_of(&meta))
}

/// Ids and keys of a file, and the state they were read in.
///
/// # Errors
/// When it is missing, readable by others, or malformed: with what to do.
pub(super) fn read(path: &Path) -> Result<(Vec<(String, Secret)>, Seen), Fault> {
    let shown = path.display();
    let mut file =
        std::fs::File::open(path).map_err(|e| bad(format!("key file {shown}: {e}; `standin init` makes one")))?;
    let meta = file.metadata().map_err(|e| bad(format!("key file {shown}: {e}")))?;
    let mode = meta.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(bad(format!("key file {shown} has mode {mode:04o}: others may read it; run `chmod 600 {shown}`")));
    }
    if meta.len() > LONGEST {
        return Err(bad(format!("key file {shown} has {} bytes; it is not a key file", meta.len())));
    }
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text).map_err(|e| bad(format!("key file {shown}: {e}")))?;
    let mut lines = text.lines();
    match lines.next() {
        Some(HEADER) => {}
        Some(other) if other.starts_with("standin-keys ") => {
            return Err(Fault::new(
                Status::NewerFormat,
                format!("key file {shown} begins with {other:?}; this version reads {HEADER:?}"),
            ));
        }
        _ => return Err(bad(format!("key file {shown} does not begin with {HEADER:?}"))),
    }
    let mut keys = Vec::new();
    for (n, line) in lines.enumerate().filter(|(_, l)| !l.is_empty()) {
        let wrong = || bad(format!("key file {shown}, line {}: `ID BASE64` with a key of 32 bytes is accepted", n + 2));
        let (id, encoded) = line.split_once(' ').ok_or_else(wrong)?;
        let bytes = Secret::new(STANDARD.decode(encoded).map_err(|_| wrong())?);
        if id.is_empty() || id.len() > 64 || bytes.expose().len() != 32 {
            return Err(wrong());
        }
        keys.push((id.to_owned(), bytes));
    }
    if keys.is_empty() {
        return Err(bad(format!("key file {shown} holds no key")));
    }
    Ok((keys, seen_of(&meta)))
}

/// What a file with these keys holds.
fn text<'k>(keys: impl Iterator<Item = (&'k str, &'k Secret)>) -> Zeroizing<String> {
    let mut text = Zeroizing::new(format!("{HEADER}\n"));
    for (id, bytes) in keys {
        let mut encoded = STANDARD.encode(bytes.expose());
        text.push_str(&format!("{id} {encoded}\n"));
        encoded.zeroize();
    }
    text
}

/// Writes a new file, readable by its owner only.
///
/// # Errors
/// [`Status::Conflict`] when the file exists; otherwise what failed.
pub(super) fn create<'k>(path: &Path, keys: impl Iterator<Item = (&'k str, &'k Secret)>) -> Result<(), Fault> {
    let shown = path.display();
    let failed = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Fault::new(Status::Conflict, format!("the key file {shown} exists already"))
        }
        _ => bad(format!("key file {shown}: {e}")),
    };
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    file.write_all(text(keys).as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
}

/// Replaces a file by one with these keys: whole and on the disk, or as it was.
///
/// # Errors
/// What failed; the old file is then still there.
pub(super) fn replace<'k>(path: &Path, keys: impl Iterator<Item = (&'k str, &'k Secret)>) -> Result<(), Fault> {
    let mut beside = path.to_owned().into_os_string();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    // One that a killed process left behind was never the key file.
    drop(std::fs::remove_file(&beside));
    create(&beside, keys)?;
    let failed = |e: std::io::Error| bad(format!("key file {}: {e}", path.display()));
    // It may be read by the group of a service that runs as another user.
    let owner = std::fs::metadata(path).map_err(failed)?;
    let _ = std::os::unix::fs::chown(&beside, Some(owner.uid()), Some(owner.gid()));
    std::fs::rename(&beside, path).map_err(failed)?;
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}
