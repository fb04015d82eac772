// SPDX-License-Identifier: Apache-2.0
//! Who is at the other end: the user of the peer's process as the kernel knows
//! it, and whether anybody else could have put the socket there.

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::fault::{Fault, Status};

fn refused(text: String) -> Fault {
    Fault::new(Status::InvalidSetting, text)
}

/// The user of the process that connected, or listened when it was connected
/// to.
///
/// # Errors
/// When the kernel does not say.
pub(super) fn user(stream: &UnixStream) -> Result<u32, Fault> {
    rustix::net::sockopt::socket_peercred(stream)
        .map(|peer| peer.uid.as_raw())
        .map_err(|e| Fault::unavailable(format!("the user of the other process is not known: {e}")))
}

/// Checks the directory of the socket: only `user` or root may put anything
/// into it, and nobody outside its group may look into it.
///
/// # Errors
/// [`Status::InvalidSetting`] with what was found and the remedy.
pub fn check_directory(socket: &Path, user: u32) -> Result<(), Fault> {
    let dir = socket.parent().unwrap_or(Path::new("/"));
    let shown = dir.display();
    let meta = std::fs::metadata(dir).map_err(|e| refused(format!("directory of the agent's socket: {shown}: {e}")))?;
    let mode = meta.mode() & 0o777;
    if mode & 0o027 != 0 {
        return Err(refused(format!(
            "{shown} has mode {mode:04o}: others could reach or replace the agent's socket; run `chmod 750 {shown}`"
        )));
    }
    if meta.uid() != user && meta.uid() != 0 {
        return Err(refused(format!(
            "{shown} belongs to user {}, who could replace the agent's socket; it has to belong to the agent's user {user}",
            meta.uid()
        )));
    }
    Ok(())
}

/// Checks the socket and its directory before they are believed.
///
/// # Errors
/// [`Status::InvalidSetting`] with what was found and the remedy; undecided
/// when there is no socket, since no agent listens then.
pub fn check_socket(socket: &Path, user: u32) -> Result<(), Fault> {
    check_directory(socket, user)?;
    let shown = socket.display();
    let meta = std::fs::symlink_metadata(socket)
        .map_err(|e| Fault::unavailable(format!("the agent's process is not there: {shown}: {e}")))?;
    let mode = meta.mode() & 0o777;
    if !meta.file_type().is_socket() {
        return Err(refused(format!("{shown} is not a socket")));
    }
    if mode & 0o007 != 0 {
        return Err(refused(format!("{shown} has mode {mode:04o}: others may connect to it")));
    }
    if meta.uid() != user && meta.uid() != 0 {
        return Err(refused(format!("{shown} belongs to user {}, not to the agent's user {user}", meta.uid())));
    }
    Ok(())
}
