// SPDX-License-Identifier: Apache-2.0
//! Leaving the host's table of open files.

use std::io::{Error, Result};
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd, RawFd};

use rustix::fs::{Mode, OFlags, open};

/// The library's own files have numbers from here on, or from closely below the
/// number of files a process may have open: a number of one table that is used
/// with the other is then of no file at all there, as long as the host has fewer
/// open.
const FIRST: RawFd = 16_384;
/// How many the library may have open where the limit is lower.
const ROOM: RawFd = 64;
/// Where the library says that it panics, if the host has it open.
const STDERR: RawFd = 2;

fn done(result: libc::c_int) -> Result<RawFd> {
    if result < 0 { Err(Error::last_os_error()) } else { Ok(result) }
}

/// The first number of the library's own files.
fn first() -> RawFd {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let limit = limit.and_then(|most| RawFd::try_from(most).ok()).unwrap_or(RawFd::MAX);
    FIRST.min(limit.saturating_sub(ROOM)).max(STDERR + 1)
}

/// Closes the files of these numbers; with `CLOSE_RANGE_UNSHARE` in a copy of
/// the table that this thread then has for itself. Since Linux 5.9. Containers
/// that allow programs no `unshare` allow this.
///
/// # Safety
/// Nobody uses these files.
unsafe fn close_range(from: u32, to: u32, flags: libc::c_uint) -> Result<()> {
    if from > to {
        return Ok(());
    }
    // SAFETY: no pointers; the files are nobody's, as the caller promises.
    let result = unsafe { libc::syscall(libc::SYS_close_range, from, to, flags) };
    if result == 0 { Ok(()) } else { Err(Error::last_os_error()) }
}

/// Leaves the host's table with nothing but the file of this number; that
/// file. What follows is done to the copy, which only this thread knows.
pub(super) fn leave(number: RawFd) -> Result<OwnedFd> {
    const CLOSE_RANGE_UNSHARE: libc::c_uint = 2;
    // Nothing but the copy is made. SAFETY: no file has this number.
    unsafe { close_range(u32::MAX, u32::MAX, CLOSE_RANGE_UNSHARE)? };
    let first = first();
    // SAFETY: the copy is this function's; the file is open in it.
    let kept = done(unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, first) })?;
    // Nothing of the host's stays open by us: who waits for a connection's end
    // would wait for good. What takes its place can be neither read nor written,
    // so that no later file gets its number.
    let nothing = open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let nothing = nothing.into_raw_fd();
    // SAFETY: no pointers, and nothing is changed.
    let said = done(unsafe { libc::fcntl(STDERR, libc::F_GETFD) }).is_ok();
    for number in (0..first).filter(|n| *n != nothing && !(*n == STDERR && said)) {
        // SAFETY: as above; nobody on this thread uses what is replaced.
        done(unsafe { libc::dup3(nothing, number, libc::O_CLOEXEC) })?;
    }
    let (below, above) = (first.unsigned_abs(), kept.unsigned_abs());
    // SAFETY: as above.
    unsafe {
        close_range(below, above.saturating_sub(1), 0)?;
        close_range(above + 1, u32::MAX, 0)?;
    }
    // SAFETY: made above, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(kept) })
}
