// SPDX-License-Identifier: Apache-2.0
//! Ends: of credentials, identities and sessions, of freshness, and of time
//! conditions; all on a clock that moves when told.

use std::sync::atomic::Ordering;

use standin::access_control::{AssumeRole, Owner};
use standin::decision::Outcome;
use standin::fault::Status;
use standin::session::SessionId;
use standin::time::Clock;

use crate::house::{House, policy, still_house};
use crate::service::Stub;

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"sts:AssumeRole"}]}"#;

/// A role's session of so many seconds.
fn role_session(house: &House, name: &str, seconds: i64) -> (SessionId, i64) {
    if house.store.principal_of_user("caller").is_err() {
        house.user("caller", &policy("Allow", &["sts:AssumeRole"], "*"));
        let allow =
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}}"#;
        house.store.put_inline("test", Owner::User("caller"), "assume", allow).unwrap();
    }
    house.store.create_role("test", "/", name, TRUST, 3600, &[]).unwrap();
    house.store.put_inline("test", Owner::Role(name), "own", &policy("Allow", &["kafka-cluster:*"], "*")).unwrap();
    let caller = house.store.principal_of_user("caller").unwrap();
    let ask =
        AssumeRole { role: name.into(), session_name: "s-1".into(), duration: Some(seconds), ..AssumeRole::default() };
    let issued = house.store.assume_role(&caller, &ask).unwrap();
    let done =
        house.log_in(&issued.access_key_id, &issued.secret, Some(&issued.session_token)).map_err(|r| r.fault).unwrap();
    (done.id, done.session.begin.deadline_wall.0 - house.clock.wall().0)
}

/// P1-14, P1-19: the deadline is the earliest of credential, identity and
/// configured maximum, and operations end there.
#[test]
fn p1_14_the_earliest_end_is_the_deadline() {
    // (impersonation credential, identity, maximum) -> deadline, seconds.
    for (credential, identity, most, expected) in
        [(30, 15, 60, 15), (20, 60, 60, 20), (20, 20, 60, 20), (60, 60, 10, 10), (15, 60, 43_200, 15)]
    {
        let house = still_house(&[
            ("standin.credential.lifetime.ms", &(credential * 1000).to_string()),
            ("standin.session.max.ms", &(most * 1000).to_string()),
        ]);
        let (id, left) = role_session(&house, "app", identity);
        assert_eq!(left, expected * 1000, "credential {credential}, identity {identity}, maximum {most}");
        assert_eq!(house.decide(id, house.write, "t"), Outcome::Allow);
        house.clock.pass(expected * 1000 - 1);
        assert_eq!(house.decide(id, house.write, "t"), Outcome::Allow);
        house.clock.pass(1);
        assert_eq!(house.decide(id, house.write, "t"), Outcome::Deny, "P1-21: a warm cache does not outlive it");
        assert_eq!(house.engine.info(id).unwrap().state, "expired");
    }
    // A user's key has no end of its own.
    let house = still_house(&[("standin.credential.lifetime.ms", "7000")]);
    let user = house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*"));
    let done = house.log_in(&user.0, &user.1, None).map_err(|r| r.fault).unwrap();
    assert_eq!(done.session.begin.deadline_wall.0 - house.clock.wall().0, 7000);
}

/// P1-13: each credential has its own expiration; what is over is evicted.
#[test]
fn p1_13_credentials_expire_each_at_its_own_time_and_are_evicted() {
    let house = still_house(&[]);
    let (short, _) = role_session(&house, "short", 20);
    let (long, _) = role_session(&house, "long", 100);
    assert_eq!(house.engine.agent().held(), 2);
    house.clock.pass(30_000);
    assert_eq!(house.decide(short, house.write, "t"), Outcome::Deny);
    assert_eq!(house.decide(long, house.write, "t"), Outcome::Allow);
    // Dropped one minute after its deadline, with the credential some time
    // after its last use.
    house.clock.pass(60_000);
    house.until("eviction", || house.engine.info(short).is_err());
    assert!(house.engine.info(long).is_ok());
}

/// X-12: setting the wall clock neither shortens nor stretches a session.
#[test]
fn x_12_a_jump_of_the_wall_clock_moves_no_deadline() {
    let house = still_house(&[("standin.session.max.ms", "60000")]);
    let user = house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*"));
    let id = house.enter(&user);
    house.clock.jump_wall(3_600_000);
    assert_eq!(house.decide(id, house.write, "t"), Outcome::Allow);
    house.clock.jump_wall(-7_200_000);
    house.clock.pass(59_999);
    house.until("the feed", || house.decide(id, house.write, "t") == Outcome::Allow);
    house.clock.pass(1);
    assert_eq!(house.decide(id, house.write, "t"), Outcome::Deny);
}

/// Rule 4 of the design: what is known may be this old and no older. Running
/// clients ride out a short silence, administration does not, and after the
/// grace nothing is decided: undecided, not denied.
#[test]
fn a5_freshness_is_bounded() {
    let house = still_house(&[("standin.stale.after.ms", "30000"), ("standin.stale.grace.ms", "300000")]);
    let user = house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*"));
    let create = house.engine.agent().intern("kafka-cluster:CreateTopic", "topic").unwrap();
    let id = house.enter(&user);
    house.service.down.store(true, Ordering::SeqCst);
    house.until("the silence", || house.engine.agent().counters().feed_failures.load(Ordering::SeqCst) > 0);
    house.clock.pass(30_000);
    assert_eq!(house.decide(id, create, "t"), Outcome::Allow);
    house.clock.pass(1);
    assert_eq!(house.decide(id, create, "t"), Outcome::Undecided);
    assert_eq!(house.decide(id, house.write, "t"), Outcome::Allow);
    let fault = house.log_in(&user.0, &user.1, None).err().unwrap().fault;
    assert_eq!(fault.status, Status::Unavailable, "no login from a local key: the service is asked");
    house.clock.pass(270_000);
    assert_eq!(house.decide(id, house.write, "t"), Outcome::Undecided);
    assert_eq!(house.engine.metrics()[9], 2, "operations-undecided-total");
    house.service.down.store(false, Ordering::SeqCst);
    house.clock.pass(40_000);
    house.becomes(id, create, "t", Outcome::Allow);
}

/// P1-16, X-06: a credential in use is renewed before it expires; one that
/// nobody uses is not.
#[test]
fn p1_16_credentials_in_use_are_renewed_before_they_expire() {
    let house = still_house(&[("standin.credential.lifetime.ms", "60000"), ("standin.retire.grace.ms", "0")]);
    let user = house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*"));
    let idle = house.user("idle", &policy("Allow", &["kafka-cluster:*"], "*"));
    let session = house.enter(&idle);
    house.engine.agent().release(session);
    house.enter(&user);
    for round in 1..=3 {
        house.clock.pass(49_000);
        let mut looks = 0;
        house.until("renewal", || {
            // One that was too slow on a busy machine is tried again after a
            // pause, which only this clock ends.
            looks += 1;
            if looks % 500 == 0 {
                house.clock.pass(500);
            }
            house.engine.agent().counters().renewals.load(Ordering::SeqCst) == round
        });
        // Re-authentication on the same connection binds a new session.
        let id = house.enter(&user);
        assert_eq!(house.decide(id, house.write, "t"), Outcome::Allow);
    }
    assert_eq!(Stub::count(&house.service.renewals), 3);
    let issued = house.service.issued.lock().unwrap();
    // A login that came when the credential was no longer young asked, too.
    let logins = Stub::count(&house.service.logins);
    assert!(logins >= 2);
    assert_eq!(u64::try_from(issued.len()).unwrap(), logins + 3);
    assert!(issued.iter().all(|id| issued.iter().filter(|other| *other == id).count() == 1), "each is new");
}

/// A login late in a credential's life gets a new one, so that its session is
/// not a short one; without the service the old one has to do.
#[test]
fn p1_16_a_late_login_gets_a_new_credential() {
    let house = still_house(&[
        ("standin.credential.lifetime.ms", "60000"),
        ("standin.stale.after.ms", "600000"),
        ("standin.stale.grace.ms", "600000"),
    ]);
    let user = house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*"));
    let left = || {
        let done = house.log_in(&user.0, &user.1, None).map_err(|r| r.fault)?;
        Ok::<_, standin::fault::Fault>(done.session.begin.deadline_wall.0 - house.clock.wall().0)
    };
    assert_eq!(left().unwrap(), 60_000);
    house.clock.pass(29_999);
    assert_eq!(left().unwrap(), 30_001);
    assert_eq!(Stub::count(&house.service.logins), 1);
    house.clock.pass(1);
    assert_eq!(left().unwrap(), 60_000);
    assert_eq!(Stub::count(&house.service.logins), 2);
    house.service.down.store(true, Ordering::SeqCst);
    house.clock.pass(57_000);
    assert_eq!(left().unwrap(), 3000);
    house.clock.pass(1001);
    let fault = left().unwrap_err();
    assert_eq!(fault.status, Status::Busy, "too short to begin: {fault}");
}

/// P1-17: a renewal that fails is tried again; one that is refused ends the
/// sessions, though the feed brought nothing.
#[test]
fn p1_17_a_failed_renewal_is_tried_again_and_a_refused_one_ends_the_sessions() {
    let house = still_house(&[
        ("standin.credential.lifetime.ms", "60000"),
        ("standin.stale.after.ms", "600000"),
        ("standin.stale.grace.ms", "600000"),
    ]);
    let user = house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*"));
    let id = house.enter(&user);
    house.settled();
    house.service.down.store(true, Ordering::SeqCst);
    house.clock.pass(49_000);
    house.until("a renewal", || Stub::count(&house.service.renewals) == 1);
    house.until("its failure", || house.engine.agent().counters().renewal_failures.load(Ordering::SeqCst) == 1);
    house.until("another", || {
        house.clock.pass(100);
        house.engine.agent().counters().renewal_failures.load(Ordering::SeqCst) >= 2
    });
    assert_eq!(house.decide(id, house.write, "t"), Outcome::Allow);
    house.service.deaf.store(true, Ordering::SeqCst);
    house.service.down.store(false, Ordering::SeqCst);
    house.store.set_user_disabled("test", "writer", true).unwrap();
    house.until("the end", || {
        house.clock.pass(100);
        house.decide(id, house.write, "t") == Outcome::Deny
    });
    assert!(house.engine.info(id).unwrap().state == "ended", "by the renewal, not by its deadline");
}

/// X-06: a thousand credentials that are due together are renewed over a
/// stretch of time, by few threads, each once.
#[test]
fn x_06_a_thousand_credentials_due_together_are_renewed_once_each() {
    let house = still_house(&[("standin.credential.lifetime.ms", "600000")]);
    let document = policy("Allow", &["kafka-cluster:*"], "*");
    for n in 0..1000 {
        let user = house.user(&format!("u{n}"), &document);
        house.enter(&user);
    }
    assert_eq!(house.engine.agent().contexts(), 1000, "inline policies have names of their own");
    // 60 to 80 percent of ten minutes: none before, all after.
    house.clock.pass(359_000);
    house.until("a turn", || house.engine.agent().fresh().silence(house.clock.steady()) == 0);
    assert_eq!(Stub::count(&house.service.renewals), 0);
    house.clock.pass(60_000);
    house.until("some renewals", || Stub::count(&house.service.renewals) > 100);
    assert!(Stub::count(&house.service.renewals) < 950, "spread by jitter");
    house.clock.pass(61_000);
    for _ in 0..8 {
        house.clock.pass(600);
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    house.until("all renewals", || {
        house.clock.pass(50);
        Stub::count(&house.service.renewals) >= 1000
    });
    assert_eq!(Stub::count(&house.service.renewals), 1000);
}

/// A decision under a condition on time ends when the condition does.
#[test]
fn x_09_time_conditions_end_when_they_say() {
    let house = still_house(&[]);
    let document = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":"kafka-cluster:Connect","Resource":"*"},
        {"Effect":"Allow","Action":"kafka-cluster:WriteData","Resource":"*","Condition":{"DateLessThan":{"aws:CurrentTime":"2026-01-02T03:04:15Z"}}}]}"#;
    let id = house.enter(&house.user("writer", document));
    for _ in 0..3 {
        assert_eq!(house.decide(id, house.write, "t"), Outcome::Allow);
    }
    house.clock.pass(9_999);
    assert_eq!(house.decide(id, house.write, "t"), Outcome::Allow);
    house.clock.pass(1);
    assert_eq!(house.decide(id, house.write, "t"), Outcome::Deny);
}

/// Bug: what was decided while the clock was ahead went on after it was set
/// right, since by that clock it had no end any more.
#[test]
fn after_the_clock_was_set_back_the_time_is_looked_at_again() {
    const DAY: i64 = 86_400_000;
    let house = still_house(&[]);
    let timed = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":"kafka-cluster:Connect","Resource":"*"},
        {"Effect":"Allow","Action":"kafka-cluster:WriteData","Resource":"*",
         "Condition":{"DateGreaterThan":{"aws:CurrentTime":"2026-01-03T00:00:00Z"}}}]}"#;
    let user = house.user("writer", timed);
    house.clock.jump_wall(DAY);
    let (one, other) = (house.enter(&user), house.enter(&user));
    assert_eq!(house.decide(one, house.write, "t"), Outcome::Allow);
    // The house is kept since then: a session that is over was dropped.
    let over = house.enter(&user);
    house.engine.agent().retire(over, 0);
    house.clock.pass(1000);
    house.until("the sweep", || house.engine.info(over).is_err());
    house.clock.jump_wall(-DAY);
    house.becomes(one, house.write, "t", Outcome::Deny);
    assert_eq!(house.decide(other, house.write, "t"), Outcome::Deny);
    house.clock.jump_wall(DAY);
    assert_eq!(house.decide(one, house.write, "t"), Outcome::Allow);
}
