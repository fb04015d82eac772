// SPDX-License-Identifier: Apache-2.0
//! What becomes of the connection of a session that is only denied: shut down
//! when an administrator wanted that, late while its client loops, and neither
//! ever for anybody else.

#![allow(unsafe_code, reason = "descriptors are lent by their numbers, as the doors do")]

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{BorrowedFd, RawFd};

use rustix::net::sockopt;
use standin::connection::Ends;
use standin::decision::Outcome;
use standin::mechanism::Batch;
use standin::revision::Revision;
use standin::service::wire::{self, ChangesForm};
use standin::service::{Change, Happening};
use standin::session::{After, Ask, SessionId};

use crate::house::{House, house, policy, still_house};
use crate::limits::metric;

fn lend(number: RawFd, to: &mut dyn FnMut(BorrowedFd<'_>)) {
    // SAFETY: not -1; it is only asked for its addresses and duplicated.
    to(unsafe { BorrowedFd::borrow_raw(number) });
}

/// The host's end of a connection, and the client's.
fn connect() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener.accept().unwrap().0, client)
}

fn ends(own: &TcpStream) -> Ends {
    Ends::new(own.local_addr().unwrap(), own.peer_addr().unwrap())
}

/// Asks for topics at once; what is to be done with the connection.
fn ask(house: &House, id: SessionId, topics: &[&str], log_deny: bool) -> After {
    let asks =
        topics.iter().map(|topic| Ask { action: house.write, resource: topic, count: 1, log_allow: true, log_deny });
    let mut outcomes = vec![Outcome::Allow; topics.len()];
    house.engine.authorize(id, Batch::default(), asks, &mut outcomes).unwrap()
}

fn public(house: &House, id: SessionId) -> String {
    let ending = format!("/{}", id.number());
    house.until("it is listed", || house.store.sessions().unwrap().iter().any(|s| s.id.ends_with(&ending)));
    house.store.sessions().unwrap().into_iter().find(|s| s.id.ends_with(&ending)).unwrap().id
}

#[test]
fn a_session_is_ended_with_its_connection_or_without() {
    let house = house(&[]);
    let user = house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*"));
    let [one, denied, stays] = [(); 3].map(|()| house.enter(&user));
    let [(own, mut client), (denied_own, denied_client), (_stays_own, stays_client)] = [(); 3].map(|()| connect());
    let agent = house.engine.agent();
    let session = |id| agent.sessions().get(id).unwrap();
    let shut = |id, own: &TcpStream| agent.shut(&session(id), ends(own), lend).unwrap();
    // Not before it was ended.
    shut(one, &own);
    house.store.end_session("test", &public(&house, one), true).unwrap();
    house.store.end_session("test", &public(&house, denied), false).unwrap();
    house.becomes(one, house.write, "t", Outcome::Deny);
    house.becomes(denied, house.write, "t", Outcome::Deny);
    assert_eq!(ask(&house, one, &["t", "u"], false), After::Shut, "also by denials nobody wants logged");
    assert_eq!(ask(&house, denied, &["t"], true), After::Nothing);
    assert_eq!(ask(&house, stays, &["t"], true), After::Nothing);
    shut(denied, &denied_own);
    shut(one, &own);
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    house.until("it is counted", || metric(&house, "sessions-disconnected-total") == 1);
    assert_eq!(ask(&house, one, &["t"], true), After::Nothing, "once");
    for other in [denied_client, stays_client] {
        other.set_nonblocking(true).unwrap();
        assert_eq!((&other).read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    }
    let line = house.engine.journal().take(1000).into_iter().find(|l| l.contains("was shut down")).unwrap();
    assert!(line.contains("user/writer"), "{line}");
}

#[test]
fn a_client_that_loops_is_answered_late_as_long_as_it_is_denied() {
    let house = still_house(&[("standin.audit.window.ms", "1000"), ("standin.audit.flush.ms", "100")]);
    let id = house.enter(&house.user("loops", &policy("Allow", &["kafka-cluster:WriteData"], "t*")));
    let (own, _client) = connect();
    let agent = house.engine.agent();
    let session = agent.sessions().get(id).unwrap();
    let slow = || agent.slow(&session, ends(&own), lend).unwrap();
    let late = || sockopt::tcp_cork(&own).unwrap();
    let denied = |times: usize| (0..times).for_each(|_| assert_ne!(ask(&house, id, &["no"], true), After::Shut));
    denied(50);
    slow();
    assert!(!late() && ask(&house, id, &["no"], true) == After::Nothing, "not known as looping yet");
    house.clock.pass(1000);
    house.until("it loops", || metric(&house, "sessions-looping") == 1);
    // What is partly allowed is not slowed, nor what nobody wants logged.
    assert_eq!(ask(&house, id, &["no", "t"], true), After::Nothing);
    assert_eq!(ask(&house, id, &["no"], false), After::Nothing);
    assert_eq!(ask(&house, id, &["no", "never"], true), After::Slow);
    // Denials are not repeated elsewhere: each would be a late answer not counted.
    let wanted = standin::session::Wanted::RecordedDeny;
    assert!(house.engine.hand_out(id, house.write, Some("no"), wanted, false).is_none());
    slow();
    house.until("it is late", late);
    assert_eq!(metric(&house, "sessions-slowed"), 1);
    slow();
    slow();
    assert_eq!(metric(&house, "answers-slowed-total"), 2);
    agent.quicken(&session);
    assert!(!late() && metric(&house, "sessions-slowed") == 0, "something was allowed");
    slow();
    assert!(late(), "at once, now that its descriptor is known");
    // Slowed, it is denied less often and is looping all the same.
    denied(2);
    house.clock.pass(1000);
    let mut lines = Vec::new();
    house.until("a further look", || {
        lines.extend(house.engine.journal().take(1000));
        lines.iter().filter(|l| l.contains("sessions that go on asking")).count() == 2
    });
    assert_eq!(metric(&house, "sessions-looping"), 1);
    house.clock.pass(1000);
    house.until("the end of the loop", || metric(&house, "sessions-looping") == 0);
    house.until("answers at once", || !late());
    assert_eq!(ask(&house, id, &["no"], true), After::Nothing);
    assert_eq!(lines.iter().filter(|l| l.contains("get denials late")).count(), 2, "{lines:?}");
}

#[test]
fn nothing_stays_late_behind_a_login_anew_or_the_end() {
    for how in ["retired", "removed", "ended"] {
        let house = still_house(&[("standin.audit.window.ms", "1000"), ("standin.audit.flush.ms", "100")]);
        let id = house.enter(&house.user("loops", &policy("Allow", &["kafka-cluster:WriteData"], "t*")));
        let (own, _client) = connect();
        let agent = house.engine.agent();
        let session = agent.sessions().get(id).unwrap();
        (0..50).for_each(|_| assert_eq!(ask(&house, id, &["no"], true), After::Nothing));
        house.clock.pass(1000);
        house.until("it loops", || ask(&house, id, &["no"], true) == After::Slow);
        agent.slow(&session, ends(&own), lend).unwrap();
        house.until("it is late", || sockopt::tcp_cork(&own).unwrap());
        match how {
            "retired" => assert!(agent.retire(id, 60_000)),
            "removed" => assert!(agent.release(id)),
            _ => agent.end(id, "for the test"),
        }
        assert!(!sockopt::tcp_cork(&own).unwrap(), "{how}");
        assert_eq!(metric(&house, "sessions-slowed"), 0, "{how}");
    }
}

#[test]
fn a_connection_that_was_closed_meanwhile_slows_nobody() {
    let house = still_house(&[("standin.audit.window.ms", "1000"), ("standin.audit.flush.ms", "100")]);
    let id = house.enter(&house.user("loops", &policy("Allow", &["kafka-cluster:WriteData"], "t*")));
    let (own, client) = connect();
    let gone = ends(&own);
    drop((own, client));
    let agent = house.engine.agent();
    let session = agent.sessions().get(id).unwrap();
    (0..50).for_each(|_| assert_eq!(ask(&house, id, &["no"], true), After::Nothing));
    house.clock.pass(1000);
    house.until("it loops", || ask(&house, id, &["no"], true) == After::Slow);
    (0..1000).for_each(|_| agent.slow(&session, gone, lend).unwrap());
    assert_eq!(metric(&house, "sessions-slowed"), 0);
    assert_eq!(metric(&house, "answers-slowed-total"), 0);
}

/// N and N-1: whoever does not know the choice denies, as before, and what comes
/// from such a one is no choice to disconnect.
#[test]
fn the_choice_is_a_field_that_may_be_missing() {
    let told = |disconnect| {
        let what = Happening::SessionEnded { id: "b/1".into(), disconnect };
        Change { revision: Revision(7), what }
    };
    for disconnect in [true, false] {
        let body = wire::write(&ChangesForm::of(Revision(7), 0, &[told(disconnect)])).unwrap();
        let text = std::str::from_utf8(&body).unwrap();
        assert_eq!(text.contains("disconnect"), disconnect, "{text}");
        assert!(text.contains("session-ended"), "a kind that older versions know");
        let read: ChangesForm = wire::read(&body).unwrap();
        assert_eq!(read.changes().unwrap(), [told(disconnect)]);
    }
}
