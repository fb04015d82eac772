// SPDX-License-Identifier: Apache-2.0
//! Only an explicit allow allows: every fault that can be brought about, and
//! what comes out instead.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use standin::access_control::Owner;
use standin::decision::Outcome;
use standin::fault::{Kind, Status};
use standin::mechanism::{self, Batch};
use standin::policy::ActionId;
use standin::session::{Ask, SessionId};

use crate::house::{channel, given, house, policy, still_house};
use crate::service::Stub;

/// numbers of engines are used again, and hosts keep ids a while; the id
/// of a session of a closed engine must not name one of the next.
#[test]
fn x_05_a_session_of_a_closed_engine_names_none_of_the_next() {
    let allow = policy("Allow", &["kafka-cluster:*"], "*");
    let first = house(&[]);
    let old: Vec<_> = {
        let user = first.user("first", &allow);
        (0..5).map(|_| first.enter(&user)).collect()
    };
    drop(first);
    for _ in 0..3 {
        let next = house(&[]);
        let user = next.user("second", &allow);
        for _ in 0..5 {
            let new = next.enter(&user);
            assert!(!old.contains(&new), "the id {new:?} was given out twice");
            // Slots are used again as well.
            next.engine.agent().release(old[0]);
            assert_eq!(next.decide(new, next.write, "t"), Outcome::Allow);
        }
    }
}

/// Telling of sessions, of which there may be many, pauses while nobody hears.
#[test]
fn reports_pause_while_nobody_hears_them() {
    let house = still_house(&[]);
    let id = house.enter(&house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*")));
    house.until("a report", || {
        house.clock.pass(600);
        house.store.sessions().unwrap().len() == 1
    });
    house.service.deaf.store(true, Ordering::SeqCst);
    let before = Stub::count(&house.service.reports);
    house.engine.agent().release(id);
    for _ in 0..50 {
        house.clock.pass(600);
        std::thread::sleep(Duration::from_millis(10));
    }
    let tried = Stub::count(&house.service.reports) - before;
    assert!((1..35).contains(&tried), "{tried} reports");
    house.service.deaf.store(false, Ordering::SeqCst);
    house.until("word of its end", || {
        house.clock.pass(600);
        house.store.sessions().unwrap().is_empty()
    });
}

/// P1-43: twenty ways in which something is missing or broken; nothing is
/// allowed, and *denied* is told from *could not decide*.
#[test]
fn p1_43_no_fault_allows() {
    let allow = policy("Allow", &["kafka-cluster:*"], "*");
    let house = still_house(&[("standin.session.max.ms", "900000")]);
    let user = house.user("writer", &allow);
    let one = |id: SessionId, action: ActionId, resource: &str| {
        let ask = Ask { action, resource, count: 1, log_allow: false, log_deny: true };
        let mut outcome = [Outcome::Allow];
        match house.engine.authorize(id, Batch::default(), std::iter::once(ask), &mut outcome) {
            Ok(_) => format!("{:?}", outcome[0]),
            Err(fault) => {
                assert_eq!(outcome, [Outcome::Deny], "outcomes are denials before anything is decided");
                format!("{:?}", fault.status)
            }
        }
    };
    let id = house.enter(&user);
    assert_eq!(one(id, house.write, "t"), "Allow");
    // Ids and actions that were never given out.
    assert_eq!(one(SessionId::from_number(id.number() + (1 << 32)).unwrap(), house.write, "t"), "UnknownId");
    assert_eq!(one(SessionId::from_number(i64::MAX).unwrap(), house.write, "t"), "UnknownId");
    assert_eq!(one(SessionId::from_number(1).unwrap(), house.write, "t"), "UnknownId");
    for action in [0, 999, u32::MAX] {
        assert_eq!(one(id, ActionId(action), "t"), "Deny", "action {action}");
        assert_eq!(house.engine.authorize_any(id, Batch::default(), ActionId(action)).unwrap(), Outcome::Deny);
    }
    // A session whose channel was never told.
    let unbound = house.present(&house.message(&user.0, &user.1, None), channel("192.0.2.7"), false);
    assert_eq!(one(unbound.map_err(|r| r.fault).unwrap().id, house.write, "t"), "Deny");
    // Released, retired and over, ended, expired.
    let released = house.enter(&user);
    house.engine.agent().release(released);
    assert_eq!(one(released, house.write, "t"), "UnknownId");
    let retired = house.enter(&user);
    house.engine.agent().retire(retired, 0);
    house.clock.pass(600);
    house.until("the sweep", || one(retired, house.write, "t") == "UnknownId");
    let ended = house.enter(&user);
    house.engine.agent().end(ended, "test");
    assert_eq!(one(ended, house.write, "t"), "Deny");
    // The feed is silent for longer than the grace.
    house.service.down.store(true, Ordering::SeqCst);
    house.until("the silence", || house.engine.agent().counters().feed_failures.load(Ordering::SeqCst) > 0);
    house.clock.pass(301_000);
    assert_eq!(one(id, house.write, "t"), "Undecided");
    assert_eq!(house.engine.authorize_any(id, Batch::default(), house.write).unwrap(), Outcome::Undecided);
    house.service.down.store(false, Ordering::SeqCst);
    house.clock.pass(31_000);
    house.until("the feed", || one(id, house.write, "t") == "Allow");
    // No policy, a boundary that allows nothing, a deny beside the allow.
    house.store.put_policy("test", "/", "nothing", &policy("Allow", &["s3:GetObject"], "x")).unwrap();
    house.store.set_boundary("test", Owner::User("writer"), Some("nothing")).unwrap();
    house.until("the boundary", || one(id, house.write, "t") == "Deny");
    house.store.set_boundary("test", Owner::User("writer"), None).unwrap();
    house.until("no boundary", || one(id, house.write, "t") == "Allow");
    house.store.put_inline("test", Owner::User("writer"), "no", &policy("Deny", &["kafka-cluster:*"], "*")).unwrap();
    house.until("the deny", || one(id, house.write, "t") == "Deny");
    house.store.delete_inline("test", Owner::User("writer"), "no").unwrap();
    house.until("no deny", || one(id, house.write, "t") == "Allow");
    house.store.delete_inline("test", Owner::User("writer"), "own").unwrap();
    house.until("no policy", || one(id, house.write, "t") == "Deny");
    // Past the deadline; then the identity is gone.
    house.clock.pass(900_000);
    assert_eq!(one(id, house.write, "t"), "Deny");
    house.store.delete_user("test", "writer", true).unwrap();
    let fault = house.log_in(&user.0, &user.1, None).err().unwrap().fault;
    assert_eq!(fault.kind(), Kind::Refused, "{fault}");
    // A closed engine.
    mechanism::close(house.number, Duration::from_secs(5)).unwrap();
    let gone = mechanism::engine_of(id, |_| ());
    assert_eq!(gone.unwrap_err().status, Status::UnknownId);
    std::mem::forget(house);
}

/// Another file in the store's place, and an older state of the same, are
/// noticed: what is known is kept for its time, nothing new is taken from them.
#[test]
fn a_store_that_was_replaced_or_went_back_is_not_followed() {
    let house = house(&[]);
    let user = house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*"));
    let id = house.enter(&user);
    house.settled();
    let failures = || house.engine.agent().counters().feed_failures.load(Ordering::SeqCst);
    let (path, aside) = (house.dir.path().join("store.db"), house.dir.path().join("aside.db"));
    std::fs::rename(&path, &aside).unwrap();
    std::fs::copy(&aside, &path).unwrap();
    house.until("the notice", || failures() > 0);
    assert_eq!(house.decide(id, house.write, "t"), Outcome::Allow);
    let other = house.log_in("AKIAUNKNOWNUNKNOWN77", &user.1, None).err().unwrap().fault;
    assert_eq!(other.kind(), Kind::Undecided, "{other}");
    let lines = house.engine.journal().take(1000).join("\n");
    assert!(lines.contains("was moved, replaced or deleted"), "{lines}");
    std::fs::rename(&aside, &path).unwrap();
    house.until("the return", || house.engine.journal().take(1000).join("\n").contains("heard again"));
    house.enter(&user);

    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.execute("UPDATE revision SET number = 1", []).unwrap();
    house.until("its line", || house.engine.journal().take(1000).join("\n").contains("went back"));
}

/// the worker stops within its limit though the service hangs, and
/// no thread of the engine is left when it does not.
#[test]
fn x_06_an_engine_stops_within_its_limit() {
    let name = |line: &str| line.starts_with("standin-");
    let threads = || {
        std::fs::read_dir("/proc/self/task")
            .unwrap()
            .filter_map(|t| std::fs::read_to_string(t.ok()?.path().join("comm")).ok())
            .filter(|comm| name(comm))
            .count()
    };
    let dir = crate::house::place();
    let at = crate::house::files(dir.path());
    let clock = std::sync::Arc::new(standin::time::SystemClock::new());
    let random = std::sync::Arc::new(standin::time::SystemRandom);
    standin::access_control::Store::create(&at, "123456789012", clock, random).unwrap();
    let number = mechanism::open(&given(dir.path(), &[])).unwrap();
    // A thread takes its name when it first runs.
    let by = Instant::now() + Duration::from_secs(20);
    while threads() < 6 {
        assert!(Instant::now() < by, "{} threads", threads());
        std::thread::yield_now();
    }
    let begun = Instant::now();
    assert!(mechanism::close(number, Duration::from_secs(5)).unwrap());
    assert!(begun.elapsed() < Duration::from_secs(5));

    let house = house(&[]);
    let (id, secret) = house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*"));
    house.service.slow.store(3000, Ordering::SeqCst);
    std::thread::scope(|scope| {
        scope.spawn(|| house.log_in(&id, &secret, None).err().map(|r| r.fault.kind()));
        std::thread::sleep(Duration::from_millis(50));
        let begun = Instant::now();
        mechanism::close(house.number, Duration::from_millis(500)).unwrap();
        assert!(begun.elapsed() < Duration::from_millis(2500), "the hanging call is left behind");
    });
    std::mem::forget(house);
}
