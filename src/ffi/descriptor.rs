// SPDX-License-Identifier: Apache-2.0
//! The host's descriptors by their numbers.

use std::os::fd::{BorrowedFd, RawFd};

/// Lends a descriptor of this process for one call, by its number.
pub(super) fn lend(number: RawFd, to: &mut dyn FnMut(BorrowedFd<'_>)) {
    if number < 0 {
        return;
    }
    // SAFETY: -1 is excluded. The descriptor is the host's, which may close it
    // meanwhile; it is only handed to system calls that name no memory by it
    // (getpeername, getsockname, fcntl), and they answer for whatever has the
    // number at that moment, or that there is none.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    to(borrowed);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::io::{Read, Write};
    use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
    use std::os::fd::AsRawFd;

    use rustix::net::sockopt;

    use super::lend;
    use crate::connection::{self, Ends};

    /// A connection's two ends, the server's first.
    fn pair(listener: &TcpListener, to: SocketAddr) -> (TcpStream, TcpStream) {
        let client = TcpStream::connect(to).unwrap();
        (listener.accept().unwrap().0, client)
    }

    fn here() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        (listener, at)
    }

    fn ends(server: &TcpStream) -> Ends {
        Ends::new(server.local_addr().unwrap(), server.peer_addr().unwrap())
    }

    #[test]
    fn a_connection_is_found_among_others_and_shut_down_alone() {
        let (listener, at) = here();
        let pairs: Vec<_> = (0..3).map(|_| pair(&listener, at)).collect();
        let (server, mut client) = (&pairs[1].0, &pairs[1].1);
        let (number, found) = connection::find(&ends(server), lend).unwrap().unwrap();
        assert_eq!(number, server.as_raw_fd());
        connection::shut(&found).unwrap();
        drop(found);
        assert_eq!(client.read(&mut [0]).unwrap(), 0, "it is closed");
        for (mut server, mut client) in [(&pairs[0].0, &pairs[0].1), (&pairs[2].0, &pairs[2].1)] {
            server.write_all(b"x").unwrap();
            assert_eq!(client.read(&mut [0]).unwrap(), 1, "the others are not");
        }
        // Closing its descriptor is still the host's.
        assert!(server.local_addr().is_ok());
    }

    /// The client's end is no less a descriptor of this process.
    #[test]
    fn the_other_end_is_another_connection() {
        let (listener, at) = here();
        let (server, client) = pair(&listener, at);
        assert!(connection::at(&ends(&server), client.as_raw_fd(), lend).is_none());
        let (number, _) = connection::find(&ends(&client), lend).unwrap().unwrap();
        assert_eq!(number, client.as_raw_fd());
    }

    #[test]
    fn a_number_that_was_used_again_is_not_the_connection() {
        let (listener, at) = here();
        let (server, client) = pair(&listener, at);
        let (ends, number) = (ends(&server), server.as_raw_fd());
        assert!(connection::at(&ends, number, lend).is_some());
        drop((server, client));
        // Tests beside this one open descriptors too: some get that number.
        let mut others = Vec::new();
        while !others.iter().any(|(s, c): &(TcpStream, TcpStream)| s.as_raw_fd() == number || c.as_raw_fd() == number) {
            others.push(pair(&listener, at));
            if others.len() > 64 {
                break;
            }
        }
        assert!(connection::at(&ends, number, lend).is_none());
        let file = std::fs::File::open("/proc/self/status").unwrap();
        assert!(connection::at(&ends, file.as_raw_fd(), lend).is_none());
        for none in [-1, i32::MIN, i32::MAX] {
            assert!(connection::at(&ends, none, lend).is_none());
        }
        assert!(connection::find(&ends, lend).unwrap().is_none());
    }

    #[test]
    fn an_ipv4_client_of_an_ipv6_listener_is_found_by_either_form() {
        let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (server, client) = pair(&listener, SocketAddr::from(([127, 0, 0, 1], port)));
        assert!(server.local_addr().unwrap().is_ipv6(), "the kernel has it as IPv6");
        let from = client.local_addr().unwrap().port();
        for id in [
            format!("127.0.0.1:{port}-127.0.0.1:{from}-0-7"),
            format!("0:0:0:0:0:ffff:7f00:1:{port}-127.0.0.1:{from}-0-7"),
        ] {
            let (number, _) = connection::find(&Ends::of_kafka(&id).unwrap(), lend).unwrap().unwrap();
            assert_eq!(number, server.as_raw_fd(), "{id}");
        }
    }

    #[test]
    fn an_ipv6_connection_is_found() {
        let Ok(listener) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) else { return };
        let at = listener.local_addr().unwrap();
        let (server, client) = pair(&listener, at);
        let id = format!("0:0:0:0:0:0:0:1:{}-0:0:0:0:0:0:0:1:{}-0-1", at.port(), client.local_addr().unwrap().port());
        let (number, _) = connection::find(&Ends::of_kafka(&id).unwrap(), lend).unwrap().unwrap();
        assert_eq!(number, server.as_raw_fd());
    }

    #[test]
    fn a_connection_answers_late_and_at_once_again() {
        let (listener, at) = here();
        let (server, mut client) = pair(&listener, at);
        let own = ends(&server);
        for late in [true, false] {
            let found = connection::at(&own, server.as_raw_fd(), lend).unwrap();
            connection::answer_late(&found, late).unwrap();
            drop(found);
            // On the connection and not on a duplicate of it.
            assert_eq!(sockopt::tcp_cork(&server).unwrap(), late);
            (&server).write_all(b"x").unwrap();
            assert_eq!(client.read(&mut [0]).unwrap(), 1, "late or not, it comes");
        }
    }

    #[test]
    fn the_two_addresses_of_a_connections_id_are_read() {
        let ends = |own: &str, other: &str| Some(Ends::new(own.parse().unwrap(), other.parse().unwrap()));
        for (id, read) in [
            ("127.0.0.1:9092-127.0.0.1:54321-0", ends("127.0.0.1:9092", "127.0.0.1:54321")),
            ("10.0.0.1:9092-10.0.0.2:1-7-12345", ends("10.0.0.1:9092", "10.0.0.2:1")),
            ("0:0:0:0:0:0:0:1:9092-fe80:0:0:0:0:0:0:2:99-0-1", ends("[::1]:9092", "[fe80::2]:99")),
            ("fe80:0:0:0:0:0:0:1%br-a-1:9092-fe80:0:0:0:0:0:0:2%br-a-1:99-0-1", ends("[fe80::1]:9092", "[fe80::2]:99")),
            ("10.0.0.1:9092-fe80:0:0:0:0:0:0:2%eth-0:99-0", ends("10.0.0.1:9092", "[fe80::2]:99")),
            ("0:0:0:0:0:ffff:a00:1:9092-10.0.0.2:1-0", ends("10.0.0.1:9092", "10.0.0.2:1")),
            ("", None),
            ("-", None),
            ("10.0.0.1:9092", None),
            ("10.0.0.1-10.0.0.2-0", None),
            ("10.0.0.1:9092-10.0.0.2:99999-0", None),
            ("localhost:9092-10.0.0.2:1-0", None),
            ("a%b%c-:-:", None),
            ("é:1-é:2-0", None),
        ] {
            assert_eq!(Ends::of_kafka(id), read, "{id}");
        }
    }
}
