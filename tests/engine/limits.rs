// SPDX-License-Identifier: Apache-2.0
//! Too many sessions or logins, and clients that loop: busy is not denied, and
//! everything is counted.

use standin::decision::Outcome;
use standin::fault::Status;
use standin::mechanism::METRICS;

use crate::house::{House, house, policy, still_house};

pub(crate) fn metric(house: &House, name: &str) -> i64 {
    let place = METRICS.iter().position(|m| *m == name).unwrap();
    house.engine.metrics()[place]
}

/// One session too many is told to come again, and has its turn when another
/// connection is closed.
#[test]
fn one_session_too_many_is_busy_and_not_denied() {
    let house = house(&[("standin.session.limit.identity", "2"), ("standin.session.limit", "3")]);
    let allow = policy("Allow", &["kafka-cluster:*"], "*");
    let (a, b) = (house.user("a", &allow), house.user("b", &allow));
    let first = house.enter(&a);
    let _second = house.enter(&a);
    let refusal = house.log_in(&a.0, &a.1, None).err().unwrap();
    assert_eq!(refusal.fault.status, Status::Busy);
    assert!(refusal.fault.text.contains("standin.session.limit.identity"), "{}", refusal.fault);
    let third = house.enter(&b);
    let refusal = house.log_in(&b.0, &b.1, None).err().unwrap();
    assert!(refusal.fault.text.contains("(standin.session.limit)"), "{}", refusal.fault);
    // A connection that closes gives its seat back at once, and so does one that ended.
    house.engine.agent().retire(first, 60_000);
    house.enter(&a);
    house.engine.agent().end(third, "for the test");
    house.enter(&b);
    assert_eq!(metric(&house, "logins-limited-total"), 2);
    assert_eq!(metric(&house, "logins-undecided-busy-total"), 2);
    assert_eq!(metric(&house, "logins-refused-total"), 0);
    assert_eq!(metric(&house, "sessions-ended-total"), 1);
}

/// Logins of one identity are so many a second; others are not concerned.
#[test]
fn logins_of_one_identity_are_so_many_a_second() {
    let house = still_house(&[("standin.login.limit.identity", "2")]);
    let allow = policy("Allow", &["kafka-cluster:*"], "*");
    let (a, b) = (house.user("a", &allow), house.user("b", &allow));
    house.enter(&a);
    house.enter(&a);
    assert_eq!(house.log_in(&a.0, &a.1, None).err().unwrap().fault.status, Status::Busy);
    house.enter(&b);
    house.clock.pass(1000);
    house.enter(&a);
}

/// Every login is in the histogram of its outcome.
#[test]
fn how_long_logins_take_is_counted_by_outcome() {
    let house = house(&[]);
    let user = house.user("a", &policy("Allow", &["kafka-cluster:*"], "*"));
    house.enter(&user);
    let wrong = standin::credential::Secret::new(b"wrong".to_vec());
    for _ in 0..3 {
        assert!(house.log_in(&user.0, &wrong, None).is_err());
    }
    for (outcome, count) in [("success", 1), ("refused", 3), ("undecided", 0)] {
        assert!(metric(&house, &format!("login-{outcome}-within-1000-ms-total")) <= count);
        assert_eq!(metric(&house, &format!("logins-{outcome}-total")), count);
        assert_eq!(metric(&house, &format!("login-{outcome}-us-total")) > 0, count > 0);
    }
}

/// A client that goes on asking for what it is denied is counted and named.
#[test]
fn a_client_that_loops_is_counted_and_named() {
    let house = still_house(&[("standin.audit.window.ms", "1000"), ("standin.audit.flush.ms", "100")]);
    let id = house.enter(&house.user("loops", &policy("Allow", &["kafka-cluster:WriteData"], "t*")));
    let other = house.enter(&house.user("quiet", &policy("Allow", &["kafka-cluster:WriteData"], "t*")));
    for _ in 0..50 {
        assert_eq!(house.decide(id, house.write, "other"), Outcome::Deny);
        assert_eq!(house.decide(other, house.write, "t"), Outcome::Allow);
    }
    assert_eq!(house.decide(other, house.write, "other"), Outcome::Deny);
    house.clock.pass(1000);
    house.until("one that loops", || metric(&house, "sessions-looping") == 1);
    let lines = house.engine.journal().take(1000);
    let line = lines.iter().find(|l| l.contains("go on asking")).unwrap();
    assert!(line.contains("user/loops (50 times)") && !line.contains("quiet"), "{line}");
    house.clock.pass(1000);
    house.until("the end of it", || metric(&house, "sessions-looping") == 0);
}

/// How late a change was put in force, at most, and that nothing waits to be
/// written for long.
#[test]
fn lag_and_queue_are_shown() {
    let house = house(&[]);
    let id = house.enter(&house.user("a", &policy("Allow", &["kafka-cluster:WriteData"], "t*")));
    house.settled();
    assert_eq!(house.decide(id, house.write, "t"), Outcome::Allow);
    assert!((0..30_000).contains(&metric(&house, "feed-lag-ms")));
    house.engine.recorder().flush(standin::time::UnixMillis(1)).unwrap();
    house.until("an empty queue", || metric(&house, "audit-records-waiting") == 0);
    assert_eq!(metric(&house, "audit-records-dropped-total"), 0);
}
