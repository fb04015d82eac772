// SPDX-License-Identifier: Apache-2.0
//! Logins: who is asked, what comes out, what it costs to be wrong.

use std::sync::atomic::Ordering;
use std::time::Duration;

use standin::access_control::{AssumeRole, Owner};
use standin::credential::Secret;
use standin::decision::Outcome;
use standin::fault::{Kind, Status};
use standin::mechanism::Login;
use standin::settings::EvidenceKind;
use standin::time::Clock;

use crate::house::{apart, channel, house, policy, still_house};
use crate::service::Stub;

/// P1-02, P1-03: a well-formed payload reaches the service once; damaged ones
/// never do.
#[test]
fn p1_02_only_a_well_formed_payload_reaches_the_service() {
    let house = house(&[]);
    let (id, secret) = house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*"));
    let good = house.message(&id, &secret, None);
    let long = good.replacen('{', &format!("{{\"x\":\"{}\",", "y".repeat(40_000)), 1);
    for bad in [&good[..good.len() / 2], "", "[]", &good.replace("2020_10_22", "2099_01_01"), &long] {
        let refusal = house.present(bad, channel("192.0.2.7"), true).err().unwrap();
        assert_eq!(refusal.fault.status, Status::Malformed);
        assert_eq!(refusal.client_text, format!("[{}]: Access denied", refusal.request_id));
    }
    assert_eq!(Stub::count(&house.service.logins), 0);
    house.present(&good, channel("192.0.2.7"), true).map_err(|r| r.fault).unwrap();
    assert_eq!(Stub::count(&house.service.logins), 1);
}

/// P1-04, P1-34: denied, malformed and unavailable are three things, and none
/// of them leaves anything in the table.
#[test]
fn p1_04_denied_malformed_and_unavailable_are_told_apart_and_store_nothing() {
    let house = house(&[]);
    let (id, secret) = house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*"));
    let wrong = house.log_in(&id, &Secret::new(b"wrong".to_vec()), None).err().unwrap().fault;
    let malformed = house.present("{}", channel("192.0.2.7"), true).err().unwrap().fault;
    house.service.down.store(true, Ordering::SeqCst);
    let down = house.log_in(&id, &secret, None).err().unwrap();
    let statuses = [wrong.status, malformed.status, down.fault.status];
    assert_eq!(statuses, [Status::SignatureMismatch, Status::Malformed, Status::Unavailable]);
    assert_eq!(down.fault.kind(), Kind::Undecided);
    assert!(down.client_text.ends_with("Try again later"), "{}", down.client_text);
    assert_eq!(house.engine.agent().held(), 0);
    house.service.down.store(false, Ordering::SeqCst);
    house.enter(&(id, secret));
    assert_eq!(house.engine.agent().held(), 1);
}

/// P1-07: no impersonation credential without a proven identity.
#[test]
fn p1_07_nothing_is_issued_to_what_is_not_proven() {
    let house = house(&[]);
    let (id, secret) = house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*"));
    let good = house.message(&id, &secret, None);
    let at = good.find("x-amz-signature\":\"").unwrap() + 18;
    let flipped = if &good[at..=at] == "0" { "1" } else { "0" };
    let damaged = format!("{}{flipped}{}", &good[..at], &good[at + 1..]);
    let refused = |message: &str| house.present(message, channel("192.0.2.7"), true).err().unwrap().fault.status;
    assert_eq!(refused(&damaged), Status::SignatureMismatch);
    assert_eq!(refused(&house.message("AKIAUNKNOWNUNKNOWN77", &secret, None)), Status::UnknownKey);
    house.store.set_user_disabled("test", "writer", true).unwrap();
    assert_eq!(refused(&good), Status::IdentityDisabled);
    assert!(house.service.issued.lock().unwrap().is_empty());
    let refusals = house.records().iter().filter(|r| r["unmapped"]["outcome"] == "refused").count();
    assert_eq!(refusals, 3);
}

/// P1-05: the entry is there before the login is answered: ten thousand
/// operations that race the answer never meet an unknown client.
#[test]
fn p1_05_a_first_operation_never_meets_an_unknown_client() {
    let house = house(&[]);
    let user = house.user("writer", &policy("Allow", &["kafka-cluster:WriteData"], "*"));
    let first = house.enter(&user);
    assert_eq!(house.engine.agent().held(), 1);
    let info = house.engine.info(first).unwrap();
    assert_eq!(info.principal, "arn:aws:iam::123456789012:user/writer");
    for _ in 0..10_000 {
        let id = house.enter(&user);
        assert_eq!(house.decide(id, house.write, "t"), Outcome::Allow);
        house.engine.agent().release(id);
    }
    assert_eq!(Stub::count(&house.service.logins), 1, "verified locally after the first");
}

/// People see when a key was last used; no login waits for that.
#[test]
fn the_last_use_of_a_key_is_noted() {
    let house = house(&[]);
    let user = house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*"));
    assert_eq!(house.store.keys(None).unwrap()[0].last_used, None);
    house.enter(&user);
    house.until("the note", || house.store.keys(None).unwrap()[0].last_used.is_some());
}

/// X-06: those who log in with one credential at once ask the service once.
#[test]
fn x_06_simultaneous_logins_share_one_question() {
    let house = house(&[("standin.login.waiting", "64")]);
    let (id, secret) = house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*"));
    house.service.slow.store(100, Ordering::SeqCst);
    std::thread::scope(|scope| {
        let logins: Vec<_> = (0..32).map(|_| scope.spawn(|| house.log_in(&id, &secret, None).is_ok())).collect();
        assert!(logins.into_iter().all(|l| l.join().unwrap()));
    });
    assert_eq!(Stub::count(&house.service.logins), 1);
    assert_eq!(house.engine.agent().sessions().len(), 32);
}

/// A wrong signature waits for nobody and spoils nobody's login.
#[test]
fn a_wrong_signature_does_not_fail_those_who_wait_beside_it() {
    let house = house(&[("standin.login.waiting", "64")]);
    let (id, secret) = house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*"));
    house.service.slow.store(50, Ordering::SeqCst);
    let wrong = Secret::new(b"wrong".to_vec());
    std::thread::scope(|scope| {
        let bad: Vec<_> = (0..8).map(|_| scope.spawn(|| house.log_in(&id, &wrong, None))).collect();
        let good: Vec<_> = (0..8).map(|_| scope.spawn(|| house.log_in(&id, &secret, None))).collect();
        assert!(good.into_iter().all(|l| l.join().unwrap().is_ok()));
        for refused in bad {
            let fault = refused.join().unwrap().err().unwrap().fault;
            assert_eq!(fault.status, Status::SignatureMismatch, "{fault}");
        }
    });
}

/// The bulkhead of the design review's A3: more callers than may wait are told
/// to retry at once, and only for that.
#[test]
fn a3_more_logins_than_may_wait_are_busy_not_refused() {
    let house = house(&[("standin.login.waiting", "2")]);
    let users: Vec<_> =
        (0..6).map(|n| house.user(&format!("u{n}"), &policy("Allow", &["kafka-cluster:*"], "*"))).collect();
    house.service.slow.store(300, Ordering::SeqCst);
    let faults: Vec<_> = std::thread::scope(|scope| {
        let logins: Vec<_> = users.iter().map(|(id, secret)| scope.spawn(|| house.log_in(id, secret, None))).collect();
        logins.into_iter().filter_map(|l| l.join().unwrap().err()).map(|r| r.fault.status).collect()
    });
    assert_eq!(faults, [Status::Busy; 4]);
}

/// A service that is slow costs a caller what it said and not more, undecided.
#[test]
fn a3_a_slow_service_is_undecided_after_the_wait() {
    let house = house(&[("standin.login.wait.ms", "50")]);
    let (id, secret) = house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*"));
    house.service.slow.store(500, Ordering::SeqCst);
    let fault = house.log_in(&id, &secret, None).err().unwrap().fault;
    assert_eq!((fault.status, fault.kind()), (Status::TimedOut, Kind::Undecided));
    // The answer that came late serves the next attempt.
    house.until("the late answer", || house.engine.agent().held() == 1);
    house.service.down.store(true, Ordering::SeqCst);
    house.enter(&(id, secret));
}

/// X-05: a panic in the service's thread is one failed login.
#[test]
fn x_05_a_panic_behind_a_login_is_contained() {
    let house = house(&[]);
    let user = house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*"));
    house.service.panic_once.store(true, Ordering::SeqCst);
    let fault = house.log_in(&user.0, &user.1, None).err().unwrap().fault;
    assert_eq!(fault.kind(), Kind::Internal);
    house.enter(&user);
    // Apart, it was in the agent's process.
    house.until("the count", || apart() || house.engine.agent().panics() == 1);
}

/// Unknown keys cost the service one question in ten seconds, and an address
/// that keeps failing is put off.
#[test]
fn unknown_keys_are_remembered_and_a_failing_address_is_put_off() {
    let house = still_house(&[("standin.login.budget", "5")]);
    let secret = Secret::new(b"any".to_vec());
    let statuses: Vec<Status> =
        (0..8).map(|_| house.log_in("AKIAUNKNOWNUNKNOWN77", &secret, None).err().unwrap().fault.status).collect();
    assert_eq!(statuses[..5], [Status::UnknownKey; 5]);
    assert_eq!(statuses[5..], [Status::Busy; 3]);
    assert_eq!(Stub::count(&house.service.logins), 1);
    // Another address is not put off; a key that appears is found after the
    // time it is remembered for.
    let message = house.message("AKIAUNKNOWNUNKNOWN77", &secret, None);
    let elsewhere = house.present(&message, channel("192.0.2.8"), true).err().unwrap().fault.status;
    assert_eq!(elsewhere, Status::UnknownKey);
    house.clock.pass(10_000);
    let message = house.message("AKIAUNKNOWNUNKNOWN77", &secret, None);
    house.present(&message, channel("192.0.2.8"), true).err().unwrap();
    assert_eq!(Stub::count(&house.service.logins), 2);
}

/// P1-24 as corrected by the design review's A2: repeats are counted per
/// signature and source and recorded, and refused only by setting.
#[test]
fn p1_24_repeated_signatures_are_recorded_and_refused_by_setting() {
    let house = still_house(&[]);
    let (id, secret) = house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*"));
    let message = house.message(&id, &secret, None);
    for address in ["192.0.2.7", "192.0.2.7", "192.0.2.9"] {
        house.present(&message, channel(address), true).map_err(|r| r.fault).unwrap();
    }
    let seen: Vec<_> = house
        .records()
        .iter()
        .filter(|r| r["activity_name"] == "Logon")
        .map(|r| (r["unmapped"]["signature_seen"].clone(), r["unmapped"]["signature_sources"].clone()))
        .collect();
    assert_eq!(seen, [(().into(), ().into()), (2.into(), 1.into()), (3.into(), 2.into())]);

    let strict = still_house(&[("standin.replay", "refuse")]);
    let (id, secret) = strict.user("writer", &policy("Allow", &["kafka-cluster:*"], "*"));
    let message = strict.message(&id, &secret, None);
    strict.present(&message, channel("192.0.2.7"), true).map_err(|r| r.fault).unwrap();
    let again = strict.present(&message, channel("192.0.2.7"), true).err().unwrap().fault;
    assert_eq!(again.status, Status::Replayed);
    strict.clock.pass(1000);
    strict.log_in(&id, &secret, None).map_err(|r| r.fault).unwrap();
}

/// P1-24: what was captured is of no use at another name, in another region,
/// or later.
#[test]
fn p1_24_a_captured_login_is_bound_to_host_region_and_time() {
    let house = still_house(&[]);
    let (id, secret) = house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*"));
    let message = house.message(&id, &secret, None);
    let other = still_house(&[("standin.hosts", "broker-2"), ("standin.regions", "us-east-1")]);
    let status = |r: Result<_, standin::mechanism::Refusal>| r.map(|_| ()).err().map(|r| r.fault.status);
    assert_eq!(status(other.present(&message, channel("192.0.2.7"), true)), Some(Status::WrongHost));
    let far = still_house(&[("standin.regions", "eu-west-1")]);
    assert_eq!(status(far.present(&message, channel("192.0.2.7"), true)), Some(Status::WrongRegion));
    house.clock.pass(361_000);
    assert_eq!(status(house.present(&message, channel("192.0.2.7"), true)), Some(Status::Expired));
}

/// Connect is decided per connection, also where the signature is verified
/// locally, and the payload is wiped.
#[test]
fn connect_is_decided_for_each_connection() {
    let house = house(&[]);
    let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kafka-cluster:Connect","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/28"}}}]}"#;
    let (id, secret) = house.user("writer", document);
    let message = house.message(&id, &secret, None);
    house.present(&message, channel("192.0.2.7"), true).map_err(|r| r.fault).unwrap();
    let refused = house.present(&message, channel("192.0.2.77"), true).err().unwrap().fault;
    assert_eq!(refused.status, Status::ConnectNotAllowed);
    assert_eq!(Stub::count(&house.service.logins), 1);
    let mut payload = message.into_bytes();
    let wait = Duration::from_secs(1);
    let login = Login {
        profile: house.profile,
        kind: EvidenceKind::MskIam,
        payload: &mut payload,
        channel: channel("192.0.2.7"),
        channel_known: true,
        connect: Some((house.engine.kafka_connect(), String::new())),
        wait,
    };
    house.engine.log_in(login).map_err(|r| r.fault).unwrap();
    assert!(payload.iter().all(|b| *b == 0));
}

/// P1-35: an assumed role works, is limited by its session policy, and names
/// the role as its principal whatever the session is called.
#[test]
fn p1_35_temporary_credentials_of_a_role_work_within_their_limits() {
    let house = house(&[]);
    house.user("ann", &policy("Allow", &["sts:AssumeRole"], "*"));
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/ann"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"e-1"}}}]}"#;
    house.store.create_role("test", "/", "app", trust, 3600, &[]).unwrap();
    house.store.put_inline("test", Owner::Role("app"), "own", &policy("Allow", &["kafka-cluster:*"], "*")).unwrap();
    let ann = house.store.principal_of_user("ann").unwrap();
    let mut ask =
        AssumeRole { role: "app".into(), session_name: "pod-1".into(), duration: Some(900), ..AssumeRole::default() };
    assert_eq!(house.store.assume_role(&ann, &ask).err().unwrap().status, Status::NotAllowed);
    ask.external_id = Some("e-1".into());
    ask.policies = vec![policy("Allow", &["kafka-cluster:WriteData"], "*")];
    let issued = house.store.assume_role(&ann, &ask).unwrap();
    let done =
        house.log_in(&issued.access_key_id, &issued.secret, Some(&issued.session_token)).map_err(|r| r.fault).unwrap();
    let principal = &done.session.begin.principal;
    assert_eq!(principal.subject.arn(), "arn:aws:iam::123456789012:role/app");
    assert_eq!(principal.attributes.session_name.as_deref(), Some("pod-1"));
    assert_eq!(house.decide(done.id, house.write, "t"), Outcome::Allow);
    assert_eq!(house.decide(done.id, house.read, "t"), Outcome::Deny, "the session policy narrows");
    let refused = house.log_in(&issued.access_key_id, &issued.secret, None).err().unwrap();
    assert_eq!(refused.fault.status, Status::UnknownKey, "the key does not work without its token");
}

/// The lease of a verification key ends, and the service is asked again.
#[test]
fn a1_a_verification_key_is_leased_for_fifteen_minutes() {
    let house = still_house(&[]);
    let user = house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*"));
    house.enter(&user);
    house.clock.pass(14 * 60_000);
    house.until("the feed", || house.engine.agent().fresh().silence(house.clock.steady()) < 1000);
    house.enter(&user);
    assert_eq!(Stub::count(&house.service.logins), 1);
    house.clock.pass(61_000);
    house.until("the feed", || house.engine.agent().fresh().silence(house.clock.steady()) < 1000);
    house.enter(&user);
    assert_eq!(Stub::count(&house.service.logins), 2);
}
