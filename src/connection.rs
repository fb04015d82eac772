// SPDX-License-Identifier: Apache-2.0
//! The host's own TCP connections: one is found among the descriptors of this
//! process by its two addresses, shut down, or made to answer late.
//!
//! A descriptor's number may be used again for something else at any moment. So
//! whatever is done is done to a duplicate, which holds the open file, after its
//! addresses were compared: the connection that was looked at is the one that is
//! acted on. And only what has the addresses is duplicated at all: closing the
//! duplicate of a file would give up the process's locks on it.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};

use rustix::fs::{FileType, fstat};
use rustix::io::fcntl_dupfd_cloexec;
use rustix::net::{Shutdown, getpeername, getsockname, shutdown, sockopt};

/// Lends the descriptor of a number for one call; whether there is one, and
/// what it is by then, only the call finds out.
pub type Lend = fn(RawFd, &mut dyn FnMut(BorrowedFd<'_>));

/// Where the kernel lists this process's descriptors.
const LIST: &str = "/proc/self/fd";

/// The two addresses of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    local: SocketAddr,
    remote: SocketAddr,
}

/// Without what belongs to the way there and not to the address: the scope of
/// IPv6, and the form in which IPv6 has addresses of IPv4.
fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

impl Ends {
    /// A connection between these addresses.
    #[must_use]
    pub fn new(local: SocketAddr, remote: SocketAddr) -> Self {
        Self { local: plain(local), remote: plain(remote) }
    }

    /// The addresses in the id that a Kafka broker gives a connection:
    /// `HOST:PORT-HOST:PORT-…`, its own end first. Hosts are numbers, of IPv6
    /// without brackets and with a scope where they have one.
    #[must_use]
    pub fn of_kafka(id: &str) -> Option<Self> {
        let (local, rest) = end(id)?;
        let (remote, _) = end(rest)?;
        Some(Self::new(local, remote))
    }

    fn are_of(&self, descriptor: BorrowedFd<'_>) -> bool {
        // The other end tells most connections apart, and files at once.
        let peer = getpeername(descriptor).ok().flatten().and_then(|a| SocketAddr::try_from(a).ok());
        if peer.map(plain) != Some(self.remote) {
            return false;
        }
        let own = getsockname(descriptor).ok().and_then(|a| SocketAddr::try_from(a).ok());
        own.map(plain) == Some(self.local)
    }
}

/// The first address of a text, and what follows it behind a hyphen. The scope
/// of an address is the name of an interface and may hold hyphens too.
fn end(text: &str) -> Option<(SocketAddr, &str)> {
    let hyphen = text.find('-').unwrap_or(text.len());
    let (host, port) = match text.find('%').filter(|scope| *scope < hyphen) {
        Some(scope) => (text.get(..scope)?, text.get(scope..)?.split_once(':')?.1),
        None => {
            let colon = text.get(..hyphen)?.rfind(':')?;
            (text.get(..colon)?, text.get(colon + 1..)?)
        }
    };
    let (port, rest) = port.split_once('-').unwrap_or((port, ""));
    Some((SocketAddr::new(host.parse().ok()?, port.parse().ok()?), rest))
}

/// The connection, when it is the descriptor of this number.
#[must_use]
pub fn at(ends: &Ends, number: RawFd, lend: Lend) -> Option<OwnedFd> {
    let mut twin = None;
    lend(number, &mut |descriptor| {
        if ends.are_of(descriptor) {
            twin = fcntl_dupfd_cloexec(descriptor, 0).ok();
        }
    });
    let twin = twin?;
    let borrowed = std::os::fd::AsFd::as_fd(&twin);
    if ends.are_of(borrowed) {
        return Some(twin);
    }
    if fstat(borrowed).map_or(true, |s| FileType::from_raw_mode(s.st_mode) != FileType::Socket) {
        // The number became a file's in between. Rather one descriptor less than
        // the locks on that file.
        std::mem::forget(twin);
    }
    None
}

/// Looks through all descriptors of this process; takes long where there are
/// many.
///
/// # Errors
/// When the kernel does not list them.
pub fn find(ends: &Ends, lend: Lend) -> io::Result<Option<(RawFd, OwnedFd)>> {
    for entry in std::fs::read_dir(LIST)? {
        // One that is gone by now is not it.
        let Ok(entry) = entry else { continue };
        let Some(number) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if let Some(twin) = at(ends, number, lend) {
            return Ok(Some((number, twin)));
        }
    }
    Ok(None)
}

/// Ends a connection for all who have it open; closing it is theirs.
///
/// # Errors
/// When it is not connected any more.
pub fn shut(connection: &OwnedFd) -> io::Result<()> {
    Ok(shutdown(connection, Shutdown::Both)?)
}

/// With `late`, the kernel keeps what is written last for a fifth of a second,
/// or until more fills a packet; without, what it keeps leaves at once.
///
/// # Errors
/// When the kernel does not do that.
pub fn answer_late(connection: &OwnedFd, late: bool) -> io::Result<()> {
    Ok(sockopt::set_tcp_cork(connection, late)?)
}
