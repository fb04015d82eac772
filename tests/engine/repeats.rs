// SPDX-License-Identifier: Apache-2.0
//! Decisions that threads repeat without asking the engine: they end exactly
//! when the engine's own do, and every one is counted.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use standin::access_control::Owner;
use standin::decision::Outcome;
use standin::fault::Status;
use standin::mechanism::{self, Batch};
use standin::policy::ActionId;
use standin::session::{Ask, Kept, SessionId, Wanted};
use standin::time::{Clock, SystemClock};

use crate::house::{CLUSTER, House, house, policy};

const THREADS: usize = 4;

/// Asks as the doors do: what was decided before may be repeated.
fn ask(id: SessionId, action: ActionId, topic: &str) -> Result<Outcome, Status> {
    let ask = Ask { action, resource: topic, count: 1, log_allow: true, log_deny: false };
    let batch = Batch { client_id: "app", ..Batch::default() };
    mechanism::authorize_one(id, batch, ask).map(|(outcome, _)| outcome).map_err(|fault| fault.status)
}

/// A decision that has to be handed out. At any one moment it may not be, when
/// what is handed out of any engine is being counted.
fn handed_out(house: &House, id: SessionId, action: ActionId, topic: Option<&str>, wanted: Wanted) -> Kept {
    let mut kept = None;
    house.until("handing out", || {
        kept = house.engine.hand_out(id, action, topic, wanted, false);
        kept.is_some()
    });
    kept.unwrap()
}

/// The decision that the topic, or (with none) some topic, is allowed.
fn hand_out(house: &House, id: SessionId, action: ActionId, topic: Option<&str>) -> Option<Kept> {
    house.engine.hand_out(id, action, topic, Wanted::Allow, false)
}

/// Asks often enough that the answer is repeated, if it may be.
fn warm(house: &House, id: SessionId, action: ActionId, topic: &str) {
    for _ in 0..10 {
        assert_eq!(ask(id, action, topic), Ok(Outcome::Allow));
    }
    assert!(handed_out(house, id, action, Some(topic), Wanted::Allow).stands(), "the answer may be repeated");
}

/// Threads ask as fast as they can while `change` runs, which returns once the
/// engine itself does not allow any more. How often it was allowed; fails when
/// any was allowed that was asked after `change` had returned.
fn race(id: SessionId, action: ActionId, change: impl FnOnce()) -> u64 {
    let (changed, over, allowed) = (AtomicBool::new(false), AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for n in 0..THREADS {
            let (changed, over, allowed) = (&changed, &over, &allowed);
            scope.spawn(move || {
                let topics = [format!("t-{n}"), "t-of-all".to_owned()];
                while !over.load(Ordering::Acquire) {
                    for topic in &topics {
                        let late = changed.load(Ordering::Acquire);
                        if ask(id, action, topic) == Ok(Outcome::Allow) {
                            assert!(!late, "allowed after the change");
                            allowed.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
        while allowed.load(Ordering::Relaxed) < 1000 {
            std::thread::yield_now();
        }
        change();
        changed.store(true, Ordering::Release);
        let before = allowed.load(Ordering::Relaxed);
        // Long enough for each to ask again.
        for _ in 0..100 {
            assert_ne!(ask(id, action, "t-of-all"), Ok(Outcome::Allow));
            std::thread::yield_now();
        }
        over.store(true, Ordering::Release);
        before
    });
    allowed.into_inner()
}

fn counted(house: &House) -> u64 {
    // One of them is the Connect of each login.
    house.engine.metrics()[7].unsigned_abs()
}

/// P1-20, P1-21, and what the thread sanitizer found (nothing is repeated once the
/// engine itself was seen not to allow): policies, sessions, keys, identities and connections end what
/// threads repeat, with the change itself; and every allow was counted.
#[test]
fn p1_21_nothing_is_repeated_after_a_change_and_everything_is_counted() {
    let house = house(&[]);
    let mut allowed = 0;
    let mut enter = |name: &str| {
        allowed += 1; // its Connect
        let user = house.user(name, &policy("Allow", &["kafka-cluster:WriteData"], "t*"));
        (house.enter(&user), user.0)
    };
    let [policies, key, session, connection] = ["policy", "key", "session", "connection"].map(&mut enter);
    for (id, _) in [&policies, &key, &session, &connection] {
        warm(&house, *id, house.write, "t-of-all");
        allowed += 10;
    }

    allowed += race(policies.0, house.write, || {
        let stop = policy("Deny", &["kafka-cluster:WriteData"], "*");
        house.store.put_inline("test", Owner::User("policy"), "own", &stop).unwrap();
        house.until("the change", || {
            let still = house.decide(policies.0, house.write, "t-of-all") == Outcome::Allow;
            allowed += u64::from(still);
            !still
        });
    });
    allowed += race(key.0, house.write, || {
        house.store.set_key_active("test", &key.1, false).unwrap();
        house.until("the end", || house.engine.info(key.0).unwrap().state == "ended");
    });
    allowed += race(session.0, house.write, || house.engine.agent().end(session.0, "a test"));
    allowed += race(connection.0, house.write, || assert!(house.engine.agent().release(connection.0)));
    assert_eq!(ask(connection.0, house.write, "t-of-all"), Err(Status::UnknownId));
    assert_eq!(counted(&house), allowed, "each allow is counted once");
}

/// P1-14, P1-21: nothing is allowed that was asked at the deadline or later.
#[test]
fn p1_21_nothing_is_repeated_past_the_deadline() {
    let house = house(&[("standin.session.max.ms", "2000")]);
    let user = house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*"));
    let done = house.log_in(&user.0, &user.1, None).map_err(|r| r.fault).unwrap();
    let clock = SystemClock::new();
    let mut allowed = 0_u64;
    loop {
        let asked = clock.steady();
        if ask(done.id, house.write, "t") == Ok(Outcome::Allow) {
            assert!(asked < done.session.begin.deadline, "allowed at {asked:?}");
            allowed += 1;
        } else {
            assert!(clock.steady() >= done.session.begin.deadline);
            break;
        }
    }
    assert_eq!(counted(&house), allowed + 1);
}

/// P1-21, X-02: when nothing is heard of the service for long, what has no
/// leave to ride that out is undecided, and not repeated.
#[test]
fn p1_21_nothing_is_repeated_when_what_is_known_is_stale() {
    let house = house(&[("standin.stale.after.ms", "3000"), ("standin.stale.grace.ms", "600000")]);
    let create = house.engine.agent().intern("kafka-cluster:CreateTopic", "topic").unwrap();
    let id = house.enter(&house.user("admin", &policy("Allow", &["kafka-cluster:*"], "*")));
    warm(&house, id, create, "t");
    house.service.down.store(true, Ordering::SeqCst);
    let clock = SystemClock::new();
    let silence = || house.engine.agent().fresh().silence(clock.steady());
    loop {
        let before = silence();
        match ask(id, create, "t") {
            // Less silence afterwards: something was heard between the two.
            Ok(Outcome::Allow) => assert!(before <= 3000 || silence() < before, "allowed after {before} ms of silence"),
            other => break assert_eq!(other, Ok(Outcome::Undecided)),
        }
    }
    assert!(hand_out(&house, id, create, Some("t")).is_none());
}

/// P1-21: what looks at the request or at the time of day is never repeated,
/// nor is a denial, nor what is allowed on some resource by a setting that was
/// taken back.
#[test]
fn p1_21_what_may_change_by_itself_is_not_handed_out() {
    let house = house(&[]);
    for (name, condition) in [
        ("address", r#"{"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}"#),
        ("client", r#"{"StringLike": {"standin:ClientId": "*"}}"#),
        ("time", r#"{"DateLessThan": {"aws:CurrentTime": "2999-01-01"}}"#),
    ] {
        let document = policy("Allow", &["kafka-cluster:WriteData"], "*")
            .replace(r#""Sid":"Data""#, &format!(r#""Sid":"Data","Condition":{condition}"#));
        assert!(document.contains("Condition"));
        let id = house.enter(&house.user(name, &document));
        for _ in 0..4 {
            assert_eq!(ask(id, house.write, "t"), Ok(Outcome::Allow), "{name}");
        }
        assert!(hand_out(&house, id, house.write, Some("t")).is_none(), "{name}");
        assert!(hand_out(&house, id, house.write, None).is_none(), "{name}");
        if name != "address" {
            assert!(house.engine.hand_out(id, house.write, Some("t"), Wanted::Allow, true).is_none(), "{name}");
        }
    }
    let id = house.enter(&house.user("writer", &policy("Allow", &["kafka-cluster:WriteData"], "t*")));
    assert!(hand_out(&house, id, house.write, Some("t")).is_none(), "not decided yet");
    warm(&house, id, house.write, "t");
    assert_eq!(ask(id, house.read, "t"), Ok(Outcome::Deny));
    assert!(hand_out(&house, id, house.read, Some("t")).is_none(), "denied");
    assert!(hand_out(&house, id, house.write, None).is_none(), "not decided yet");
    assert_eq!(house.engine.authorize_any(id, Batch::default(), house.write).unwrap(), Outcome::Allow);
    let any = handed_out(&house, id, house.write, None, Wanted::Allow);
    assert!(any.stands() && any.repeat(0));
    let settings = house.engine.settings();
    let same = [
        ("standin.store", settings.store.to_str().unwrap()),
        ("standin.engine", &settings.name),
        ("standin.cluster.arn", CLUSTER),
        ("standin.hosts", "localhost"),
        ("standin.feed.interval.ms", "10"),
    ];
    house.engine.reload(same.into_iter().chain([("standin.idempotent", "strict")])).unwrap();
    assert!(!any.stands() && !any.repeat(0), "settings are what decisions rest on");
    assert!(hand_out(&house, id, house.write, None).is_none());
}

/// P1-21: a decision that looks at the address is repeated for requests from the
/// session's own one, and for no other: neither a repeated allow nor a repeated
/// denial gets to a request that has an address of its own.
#[test]
fn p1_21_what_looks_at_the_address_is_repeated_for_the_sessions_own_only() {
    let house = house(&[]);
    let condition = r#""Sid":"Data","Condition":{"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}"#;
    let document = policy("Allow", &["kafka-cluster:WriteData"], "*").replace(r#""Sid":"Data""#, condition);
    assert!(document.contains("Condition"));
    let id = house.enter(&house.user("here", &document));
    let own = |topic, wanted| house.engine.hand_out(id, house.write, topic, wanted, true);
    let from = |address: Option<&str>| {
        let ask = Ask { action: house.write, resource: "t", count: 1, log_allow: true, log_deny: false };
        let address = address.map(|a| a.parse().unwrap());
        mechanism::authorize_one(id, Batch { address, client_id: "app", ..Batch::default() }, ask).unwrap().0
    };
    assert!(own(Some("t"), Wanted::Allow).is_none(), "not decided yet");
    for _ in 0..20 {
        assert_eq!(from(None), Outcome::Allow);
        assert_eq!(from(Some("192.0.2.200")), Outcome::Allow, "another one, in the network");
        assert_eq!(from(Some("198.51.100.1")), Outcome::Deny);
    }
    let mut kept = None;
    house.until("handing out", || {
        kept = own(Some("t"), Wanted::Allow);
        kept.is_some()
    });
    assert!(own(Some("t"), Wanted::Deny).is_none());
    assert_eq!(house.engine.authorize_any(id, Batch::default(), house.write).unwrap(), Outcome::Allow);
    house.until("handing out", || own(None, Wanted::Allow).is_some());
    let kept = kept.unwrap();
    assert!(kept.repeat(1));
    house.store.put_inline("test", Owner::User("here"), "own", &policy("Deny", &["kafka-cluster:*"], "*")).unwrap();
    house.until("the change", || from(None) == Outcome::Deny);
    assert!(!kept.repeat(1), "taken back");
}

/// X-10: what was repeated is counted in the audit, by action and resource, in
/// the window's record.
#[test]
fn x_10_repeated_decisions_are_in_the_audit() {
    let house = house(&[("standin.audit.flush.ms", "100"), ("standin.audit.window.ms", "1000")]);
    let id = house.enter(&house.user("writer", &policy("Allow", &["kafka-cluster:WriteData"], "t*")));
    let mut given = [0_u64; 3];
    for round in 0..5000 {
        let n = round % 7 % 3;
        assert_eq!(ask(id, house.write, &format!("t-{n}")), Ok(Outcome::Allow));
        given[n] += 1;
    }
    house.until("the counts", || {
        let records = house.records();
        let sum = |n: usize| -> u64 {
            let of = |r: &&serde_json::Value| {
                r["resources"][0]["name"].as_str().is_some_and(|t| t.ends_with(&format!("t-{n}")))
            };
            records.iter().filter(of).map(|r| r["count"].as_u64().unwrap()).sum()
        };
        (0..3).all(|n| sum(n) == given[n])
    });
}

/// X-10, P1-20: a denial is repeated, too. One that is recorded only as long as
/// the record of its window stands for it, and none any more when it is allowed.
#[test]
fn x_10_recorded_denials_are_repeated_until_the_window_ends() {
    let house = house(&[]);
    let id = house.enter(&house.user("writer", &policy("Allow", &["kafka-cluster:WriteData"], "t*")));
    let kept = |wanted| house.engine.hand_out(id, house.write, Some("other"), wanted, true);
    assert!(kept(Wanted::Deny).is_none(), "not decided yet");
    assert_eq!(ask(id, house.write, "other"), Ok(Outcome::Deny));
    assert!(kept(Wanted::Allow).is_none());
    let other = Some("other");
    let counted = handed_out(&house, id, house.write, other, Wanted::Deny);
    assert!(kept(Wanted::RecordedDeny).is_none(), "no record of it yet");
    assert_eq!(house.decide(id, house.write, "other"), Outcome::Deny);
    let recorded = handed_out(&house, id, house.write, other, Wanted::RecordedDeny);
    assert!(recorded.repeat(5) && counted.repeat(2));
    assert_eq!(house.engine.metrics()[8], 9, "denied");
    house.engine.agent().tally().next_window(SystemClock::new().wall());
    standin::session::kept::end_window();
    assert!(!recorded.repeat(1) && counted.repeat(1));
    assert!(kept(Wanted::RecordedDeny).is_none(), "no record in this window");
    house.store.put_inline("test", Owner::User("writer"), "own", &policy("Allow", &["kafka-cluster:*"], "*")).unwrap();
    house.becomes(id, house.write, "other", Outcome::Allow);
    assert!(!counted.repeat(1), "allowed now");
}
