// SPDX-License-Identifier: Apache-2.0
//! A host's engine at a service on another machine: logins, operations,
//! changes, outages.

use std::time::Duration;

use standin::access_control::Owner;
use standin::channel::Channel;
use standin::credential::Secret;
use standin::decision::Outcome;
use standin::fault::{Kind, Status};
use standin::mechanism::{self, Batch, Enforced, METRICS};
use standin::session::{Ask, SessionId};

use crate::host::Host;
use crate::place::{Place, Serving, policy, until};

fn again(place: &Place, port: u16) -> Serving {
    Serving::start(place, port)
}

/// P1-03, P1-05, P1-06, P1-09: one question for many connections, decisions
/// without any, changes at once.
#[test]
fn p1_05_one_question_per_credential_and_none_per_operation() {
    let place = Place::new();
    let serving = place.serve();
    let host = Host::open(&place, serving.port, &place.enroll(&serving, "demo/1"), &[]);
    let alice = place.user("alice", &policy("Allow", &["kafka-cluster:WriteData"], "a*"));
    let sessions: Vec<SessionId> = (0..200).map(|_| host.enter(&alice)).collect();
    assert_eq!(host.count(|c| &c.service_logins), 1);
    assert_eq!(host.count(|c| &c.local_logins), 199);
    // What has a verification key is verified with it, not believed.
    let forged = (alice.0.clone(), Secret::new(b"wrong".to_vec()));
    assert_eq!(host.try_login(&forged).unwrap_err().status, Status::SignatureMismatch);
    drop(serving);
    for (n, id) in sessions.iter().enumerate() {
        assert_eq!(host.decide(*id, &format!("a{n}")), Outcome::Allow);
        assert_eq!(host.decide(*id, &format!("b{n}")), Outcome::Deny);
    }
    assert_eq!(host.count(|c| &c.service_logins), 1);
}

/// a change reaches an open connection, in both directions; a disabled
/// key ends it.
#[test]
fn x_09_changes_reach_open_connections() {
    let place = Place::new();
    let serving = place.serve();
    let host = Host::open(&place, serving.port, &place.enroll(&serving, "demo/1"), &[]);
    let alice = place.user("alice", &policy("Allow", &["kafka-cluster:WriteData"], "a"));
    let id = host.enter(&alice);
    assert_eq!((host.decide(id, "a"), host.decide(id, "b")), (Outcome::Allow, Outcome::Deny));
    let allow = |topic| policy("Allow", &["kafka-cluster:WriteData"], topic);
    for _ in 0..5 {
        place.store.put_inline("test", Owner::User("alice"), "own", &allow("b")).unwrap();
        host.becomes(id, "b", Outcome::Allow);
        assert_eq!(host.decide(id, "a"), Outcome::Deny);
        place.store.put_inline("test", Owner::User("alice"), "own", &allow("a")).unwrap();
        host.becomes(id, "a", Outcome::Allow);
    }
    until("the report", || place.store.sessions().unwrap().len() == 1);
    let shown = place.store.sessions().unwrap().remove(0);
    assert_eq!((shown.host.as_str(), shown.listener.as_str()), ("host/demo/1", "CLIENT"));
    let second = host.enter(&alice);
    until("both", || place.store.sessions().unwrap().len() == 2);
    place.store.end_session("test", &shown.id, false).unwrap();
    until("its end", || host.decide(id, "a") == Outcome::Deny);
    assert_eq!(host.decide(second, "a"), Outcome::Allow);
    place.store.set_key_active("test", &alice.0, false).unwrap();
    host.becomes(second, "a", Outcome::Deny);
    assert_eq!(host.try_login(&alice).unwrap_err().kind(), Kind::Refused);
}

/// P1-21, X-06: an outage refuses nobody and allows nothing new; a revocation
/// during it takes effect when the service is back, or when the silence is too
/// long.
#[test]
fn x_06_an_outage_refuses_nobody_and_allows_nothing_new() {
    let place = Place::new();
    let serving = place.serve();
    let port = serving.port;
    let bounds = [("standin.stale.after.ms", "1500"), ("standin.stale.grace.ms", "600000")];
    let host = Host::open(&place, port, &place.enroll(&serving, "demo/1"), &bounds);
    let alice = place.user("alice", &policy("Allow", &["kafka-cluster:WriteData"], "a"));
    let bob = place.user("bob", &policy("Allow", &["kafka-cluster:WriteData"], "b"));
    let id = host.enter(&alice);
    assert!(serving.terminate().success());
    // Never seen: not known, not refused.
    assert_eq!(host.try_login(&bob).unwrap_err().kind(), Kind::Undecided);
    assert_eq!(host.decide(id, "a"), Outcome::Allow);
    until("the end of local logins", || {
        assert_eq!(host.decide(id, "a"), Outcome::Allow);
        match host.try_login(&alice) {
            Ok(_) => false,
            Err(fault) => {
                assert_eq!(fault.kind(), Kind::Undecided, "{}", fault.text);
                true
            }
        }
    });
    place.store.set_key_active("test", &alice.0, false).unwrap();
    assert_eq!(host.decide(id, "a"), Outcome::Allow, "nobody has told it");
    let _serving = again(&place, port);
    host.becomes(id, "a", Outcome::Deny);
    host.enter(&bob);
    let fault = host.try_login(&alice).unwrap_err();
    assert_eq!(fault.kind(), Kind::Refused, "{}", fault.text);
    let mut log = String::new();
    until("word of it in the log", || {
        log.push_str(&host.log());
        log.contains("the change feed cannot be read") && log.contains("the change feed is heard again")
    });
}

/// silence beyond the last bound is *undecided*, not a denial, and ends
/// by itself.
#[test]
fn x_09_silence_beyond_the_bound_is_undecided() {
    let place = Place::new();
    let serving = place.serve();
    let port = serving.port;
    let bounds = [("standin.stale.after.ms", "1000"), ("standin.stale.grace.ms", "1500")];
    let host = Host::open(&place, port, &place.enroll(&serving, "demo/1"), &bounds);
    let alice = place.user("alice", &policy("Allow", &["kafka-cluster:WriteData"], "a"));
    let id = host.enter(&alice);
    assert_eq!(host.decide(id, "a"), Outcome::Allow);
    // Heartbeats keep it fresh though nothing changes.
    let begun = std::time::Instant::now();
    while begun.elapsed() < Duration::from_millis(2500) {
        assert_eq!(host.decide(id, "a"), Outcome::Allow);
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(serving);
    until("silence", || {
        let outcome = host.decide(id, "a");
        assert_ne!(outcome, Outcome::Deny);
        outcome == Outcome::Undecided
    });
    let _serving = again(&place, port);
    host.becomes(id, "a", Outcome::Allow);
}

/// The service is down when the host starts: the host starts, puts logins off,
/// and recovers by itself.
#[test]
fn a_host_starts_without_the_service_and_recovers() {
    let place = Place::new();
    let serving = place.serve();
    let port = serving.port;
    let file = place.enroll(&serving, "demo/1");
    drop(serving);
    let host = Host::open(&place, port, &file, &[]);
    let alice = place.user("alice", &policy("Allow", &["kafka-cluster:WriteData"], "a"));
    assert_eq!(host.try_login(&alice).unwrap_err().kind(), Kind::Undecided);
    assert!(host.log().contains("nothing can be decided yet"));
    let _serving = again(&place, port);
    until("a login", || match host.try_login(&alice) {
        Ok(_) => true,
        Err(fault) => {
            assert_eq!(fault.kind(), Kind::Undecided, "{}", fault.text);
            false
        }
    });
    let id = host.enter(&alice);
    host.becomes(id, "a", Outcome::Allow);
    place
        .store
        .put_inline("test", Owner::User("alice"), "no", &policy("Deny", &["kafka-cluster:WriteData"], "a"))
        .unwrap();
    host.becomes(id, "a", Outcome::Deny);
}

/// A host that is revoked while it is connected goes on no longer than one that
/// hears nothing, and refuses nobody.
#[test]
fn a_host_revoked_while_connected_goes_silent() {
    let place = Place::new();
    let serving = place.serve();
    let bounds = [("standin.stale.after.ms", "1000"), ("standin.stale.grace.ms", "1500")];
    let host = Host::open(&place, serving.port, &place.enroll(&serving, "demo/1"), &bounds);
    let alice = place.user("alice", &policy("Allow", &["kafka-cluster:WriteData"], "a"));
    let id = host.enter(&alice);
    place.store.revoke_host("test", "demo/1").unwrap();
    until("silence", || host.decide(id, "a") == Outcome::Undecided);
    assert_eq!(host.try_login(&alice).unwrap_err().status, Status::HostNotBelieved);
    assert_eq!(host.metric("feed-fault"), i64::from(-Status::HostNotBelieved.number()));
    let mut log = String::new();
    until("word of it in the log", || {
        log.push_str(&host.log());
        log.contains("was revoked")
    });
}

/// P1-10, P1-23: operations decided by the service, each proven by the
/// client's own credential.
#[test]
fn p1_10_operations_decided_by_the_service() {
    let place = Place::new();
    let serving = place.serve();
    let more = [("standin.decide", "remote"), ("standin.decide.ttl.ms", "0")];
    let host = Host::open(&place, serving.port, &place.enroll(&serving, "demo/1"), &more);
    let alice = place.user("alice", &policy("Allow", &["kafka-cluster:WriteData"], "a"));
    let bob = place.user("bob", &policy("Allow", &["kafka-cluster:WriteData"], "b"));
    let (alice, bob) = (host.enter(&alice), host.enter(&bob));
    for _ in 0..20 {
        assert_eq!((host.decide(alice, "a"), host.decide(alice, "b")), (Outcome::Allow, Outcome::Deny));
        assert_eq!((host.decide(bob, "a"), host.decide(bob, "b")), (Outcome::Deny, Outcome::Allow));
    }
    drop(serving);
    assert_eq!(host.decide(alice, "a"), Outcome::Undecided);
}

/// Forwarded sessions are sealed and read by the service, for hosts of it.
#[test]
fn a_forwarded_session_is_taken_in_by_another_host() {
    let place = Place::new();
    let serving = place.serve();
    let broker = Host::open(&place, serving.port, &place.enroll(&serving, "demo/1"), &[]);
    let controller = Host::open(&place, serving.port, &place.enroll(&serving, "demo/2"), &[]);
    let alice = place.user("alice", &policy("Allow", &["kafka-cluster:WriteData"], "a"));
    let sealed = broker.engine.export(broker.enter(&alice)).unwrap();
    let id = controller.engine.import(&sealed, Duration::from_secs(20)).unwrap();
    assert_eq!((controller.decide(id, "a"), controller.decide(id, "b")), (Outcome::Allow, Outcome::Deny));
    place.store.set_key_active("test", &alice.0, false).unwrap();
    controller.becomes(id, "a", Outcome::Deny);
    let mut altered = sealed;
    *altered.last_mut().unwrap() ^= 1;
    assert_eq!(controller.engine.import(&altered, Duration::from_secs(20)).unwrap_err().kind(), Kind::Refused);
}

/// Impersonation credentials are renewed over the wire before they end.
#[test]
fn p1_08_credentials_are_renewed_before_they_end() {
    let place = Place::new();
    let serving = place.serve();
    let more = [("standin.credential.lifetime.ms", "4000")];
    let host = Host::open(&place, serving.port, &place.enroll(&serving, "demo/1"), &more);
    let alice = place.user("alice", &policy("Allow", &["kafka-cluster:WriteData"], "a"));
    host.enter(&alice);
    until("a renewal", || host.count(|c| &c.renewals) > 0);
}

/// In shadow mode clients of other listeners are compared by what the service
/// says of their name, also after a change and an outage.
#[test]
fn who_does_not_log_in_is_compared_by_what_the_service_says() {
    let place = Place::new();
    let serving = place.serve();
    let port = serving.port;
    let host = Host::open(&place, port, &place.enroll(&serving, "demo/1"), &[("standin.mode", "shadow")]);
    place.user("alice", &policy("Allow", &["kafka-cluster:WriteData"], "a"));
    let compare = |principal: &str, topic: &str, allowed: bool| {
        let ask = Ask { action: host.write, resource: topic, count: 1, log_allow: false, log_deny: false };
        let one = std::iter::once(Enforced { ask, any: false, allowed });
        assert!(host.engine.compare_as(principal, &Channel::default(), Batch::default(), one).unwrap());
    };
    let metric = |name: &str| {
        let place = METRICS.iter().position(|m| *m == name).unwrap();
        host.engine.metrics()[place]
    };
    compare("User:alice", "a", true);
    until("an equal outcome", || metric("shadow-compared-total") == 1);
    compare("User:alice", "b", true);
    compare("User:alice", "c", false);
    compare("User:nobody", "a", true);
    until("what differs", || metric("shadow-denied-total") == 1 && metric("shadow-unknown-total") == 1);
    assert_eq!(metric("shadow-allowed-total"), 0);
    place
        .store
        .put_inline("test", Owner::User("alice"), "own", &policy("Allow", &["kafka-cluster:WriteData"], "d"))
        .unwrap();
    until("the change", || {
        compare("User:alice", "d", false);
        metric("shadow-allowed-total") > 0
    });
    // Without the service nothing is compared, and it is not asked for each operation.
    assert!(serving.terminate().success());
    let mut log = String::new();
    until("word of it", || {
        compare("User:bob", "a", true);
        log.push_str(&host.log());
        log.contains("shadow: policies of who does not log in cannot be read")
    });
    let _serving = again(&place, port);
    let unknown = metric("shadow-unknown-total");
    until("bob's comparison", || {
        compare("User:bob", "a", true);
        metric("shadow-unknown-total") > unknown
    });
}

/// What cannot be right is said at the start.
#[test]
fn settings_that_do_not_fit_stop_the_start() {
    let place = Place::new();
    let serving = place.serve();
    let file = place.enroll(&serving, "demo/1");
    let refused = |more: &[(&str, &str)], why: &str| {
        let fault = mechanism::open(&place.given(serving.port, &file, more)).unwrap_err();
        assert_eq!(fault.status, Status::InvalidSetting, "{}", fault.text);
        assert!(fault.text.contains(why), "{}", fault.text);
    };
    refused(&[("standin.store", "x.db")], "standin.service.url and standin.store are both set");
    refused(&[("standin.service.url", "")], "standin.store is missing");
    refused(&[("standin.service.url", "http://localhost:1")], "https://HOST:PORT");
    refused(&[("standin.service.url", "https://localhost:1/path")], "https://HOST:PORT");
    refused(&[("standin.service.ca", "")], "standin.service.ca is missing");
    refused(&[("standin.service.ca", "/no/such/file")], "standin.service.ca=/no/such/file");
    refused(&[("standin.service.ca", file.to_str().unwrap())], "no certificate");
    refused(&[("standin.host.credential", "")], "standin.host.credential is missing");
    refused(&[("standin.host.credential", "/no/such/file")], "standin host enroll");
    refused(&[("standin.host", "host/other/1")], "leave standin.host out");
    let alone = standin::settings::Given::read(
        [("standin.store", "x.db"), ("standin.service.ca", "x"), ("standin.engine", "alone")],
        None,
    );
    let fault = standin::settings::EngineSettings::of(&alone.unwrap()).unwrap_err();
    assert!(fault.text.contains("standin.service.ca is set"), "{}", fault.text);
}
