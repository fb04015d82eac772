// SPDX-License-Identifier: Apache-2.0
//! Leaving the host's table of open files.

use std::io::{Error, Result};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use rustix::fs::{Mode, OFlags, open};

/// The library's own files have numbers from here on, or from closely below the
/// number of files a process may have open: a number of one table that is used
/// with the other is then of no file at all there, as long as the host has fewer
/// open.
const FIRST: RawFd = 16_384;
/// How many the library may have open where the limit is lower.
const ROOM: RawFd = 64;
/// Where the library says that it panics.
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

/// Gives this thread a copy of the table.
fn copy() -> Result<()> {
    const CLOSE_RANGE_UNSHARE: libc::c_long = 2;
    // A range without files: nothing but the copy is made. Containers that
    // allow programs no `unshare` allow this. SAFETY: no pointers, and nothing
    // that the process has is changed.
    let copied = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            libc::c_long::from(u32::MAX),
            libc::c_long::from(u32::MAX),
            CLOSE_RANGE_UNSHARE,
        )
    };
    if copied == 0 {
        return Ok(());
    }
    // Of kernels before 5.9. SAFETY: as above.
    done(unsafe { libc::unshare(libc::CLONE_FILES) }).map(drop)
}

/// Leaves the host's table with nothing but the file of this number; that
/// file. What follows is done to the copy, which only this thread knows.
pub(super) fn leave(number: RawFd) -> Result<OwnedFd> {
    copy()?;
    let first = first();
    // SAFETY: the copy is this function's; the file is open in it.
    let kept = done(unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, first) })?;
    // Nothing of the host's stays open by us: who waits for a connection's end
    // would wait for good. What takes its place can be neither read nor written,
    // so that no later file gets its number.
    let nothing = open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let nothing = std::os::fd::IntoRawFd::into_raw_fd(nothing);
    for number in (0..first).filter(|n| ![STDERR, nothing].contains(n)) {
        // SAFETY: as above; nobody on this thread uses what is replaced.
        done(unsafe { libc::dup3(nothing, number, libc::O_CLOEXEC) })?;
    }
    if nothing >= first {
        // SAFETY: as above.
        done(unsafe { libc::close(nothing) })?;
    }
    let listed = std::fs::read_dir("/proc/thread-self/fd")?;
    let numbers: Vec<RawFd> =
        listed.filter_map(|file| file.ok()?.file_name().to_str()?.parse::<RawFd>().ok()).collect();
    for number in numbers.into_iter().filter(|n| *n >= first && *n != kept) {
        // The one by which the list was read is closed already: an error says
        // nothing. SAFETY: as above.
        let _closed = unsafe { libc::close(number) };
    }
    // SAFETY: made above, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(kept) })
}
