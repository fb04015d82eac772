// SPDX-License-Identifier: Apache-2.0
//! What is checked of files before they are trusted with the store.

use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::fault::{Fault, Status};

/// File systems on which locks between machines cannot be relied on, by the
/// number `statfs` gives (linux/magic.h).
const NETWORK: [(i64, &str); 9] = [
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB2"),
    (0x5346_414f, "AFS"),
    (0x0102_1997, "9P"),
    (0x00c3_6400, "Ceph"),
    (0x0bd0_0bd0, "Lustre"),
    (0x7461_636f, "OCFS2"),
];

/// Refuses a directory on a network file system.
pub(super) fn check_local(dir: &Path) -> Result<(), Fault> {
    let shown = dir.display();
    let stat = rustix::fs::statfs(dir).map_err(|e| Fault::new(Status::InvalidSetting, format!("{shown}: {e}")))?;
    let kind = stat.f_type & 0xffff_ffff;
    match NETWORK.iter().find(|(magic, _)| *magic == kind) {
        Some((_, name)) => Err(Fault::new(
            Status::InvalidSetting,
            format!(
                "{shown} is on a network file system ({name}), where SQLite corrupts; put the store on a local disk, and use the security service for more than one machine"
            ),
        )),
        None => Ok(()),
    }
}

/// Device and number of a file.
pub(super) fn identity(path: &Path) -> Result<(u64, u64), Fault> {
    let meta = std::fs::metadata(path).map_err(|e| Fault::unavailable(format!("store {}: {e}", path.display())))?;
    Ok((meta.dev(), meta.ino()))
}

/// Makes the file when missing, mode 0600, and refuses one that others may
/// read.
pub(super) fn prepare(path: &Path, create: bool) -> Result<(), Fault> {
    let shown = path.display();
    if create {
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|e| {
            match e.kind() {
                std::io::ErrorKind::AlreadyExists => {
                    Fault::new(Status::Conflict, format!("the store {shown} exists already"))
                }
                _ => Fault::new(Status::InvalidSetting, format!("store {shown}: {e}")),
            }
        })?;
    }
    let meta = std::fs::metadata(path)
        .map_err(|e| Fault::new(Status::InvalidSetting, format!("store {shown}: {e}; `standin init` makes one")))?;
    let mode = meta.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Fault::new(
            Status::InvalidSetting,
            format!("store {shown} has mode {mode:04o}: others may read it; run `chmod 600 {shown}`"),
        ));
    }
    Ok(())
}

/// Brings a file, and its name in its directory, to the disk.
pub(super) fn sync(path: &Path) -> Result<(), Fault> {
    let failed = |e: std::io::Error| Fault::unavailable(format!("{}: {e}", path.display()));
    std::fs::File::open(path).and_then(|file| file.sync_all()).map_err(failed)?;
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}
