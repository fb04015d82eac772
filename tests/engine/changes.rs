// SPDX-License-Identifier: Apache-2.0
//! Changes reach open sessions, and nothing older than what is known is put in
//! force.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use standin::access_control::Owner;
use standin::agent::Waiting;
use standin::credential::Evidence;
use standin::credential::sigv4::{Signing, read_msk_iam, sign_msk_iam};
use standin::decision::Outcome;
use standin::fault::{Kind, Status};
use standin::mechanism::{Batch, Login};
use standin::session::Ask;
use standin::settings::EvidenceKind;
use standin::time::Clock;

use crate::house::{channel, house, policy, still_house};
use crate::service::Stub;

/// P1-01: one login, then every operation is decided.
#[test]
fn p1_01_operations_of_a_session_are_decided_by_policies() {
    let house = house(&[]);
    let user = house.user("writer", &policy("Allow", &["kafka-cluster:WriteData"], "orders-*"));
    let id = house.enter(&user);
    for _ in 0..3 {
        assert_eq!(house.decide(id, house.write, "orders-1"), Outcome::Allow);
        assert_eq!(house.decide(id, house.write, "payments"), Outcome::Deny);
        assert_eq!(house.decide(id, house.read, "orders-1"), Outcome::Deny);
    }
    assert_eq!(Stub::count(&house.service.logins), 1);
}

/// P1-08: two connections of different identities, interleaved; an operation
/// without a session is not decided at all.
#[test]
fn p1_08_sessions_are_never_mixed_up() {
    let house = house(&[]);
    let ann = house.user("ann", &policy("Allow", &["kafka-cluster:WriteData"], "a-*"));
    let bob = house.user("bob", &policy("Allow", &["kafka-cluster:WriteData"], "b-*"));
    let (ann, bob) = (house.enter(&ann), house.enter(&bob));
    for n in 0..100 {
        assert_eq!(house.decide(ann, house.write, &format!("a-{n}")), Outcome::Allow);
        assert_eq!(house.decide(bob, house.write, &format!("a-{n}")), Outcome::Deny);
        assert_eq!(house.decide(bob, house.write, &format!("b-{n}")), Outcome::Allow);
    }
    house.engine.agent().release(ann);
    let ask = Ask { action: house.write, resource: "a-1", count: 1, log_allow: false, log_deny: false };
    let mut outcome = [Outcome::Allow];
    let fault = house.engine.authorize(ann, Batch::default(), std::iter::once(ask), &mut outcome).unwrap_err();
    assert_eq!((fault.status, outcome), (Status::UnknownId, [Outcome::Deny]));
    assert_eq!(house.decide(bob, house.write, "b-1"), Outcome::Allow);
}

/// X-09, P1-20: a change of policy reaches an open session with a warm cache,
/// both ways, attached to the user or to a group.
#[test]
fn x_09_policy_changes_reach_open_sessions() {
    let house = house(&[]);
    let session = house.enter(&house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*")));
    assert_eq!(house.decide(session, house.write, "t"), Outcome::Allow);
    house.store.put_policy("test", "/", "stop", &policy("Deny", &["kafka-cluster:WriteData"], "*")).unwrap();
    house.store.attach("test", Owner::User("writer"), "stop").unwrap();
    house.becomes(session, house.write, "t", Outcome::Deny);
    assert_eq!(house.decide(session, house.read, "t"), Outcome::Allow);
    house.store.detach("test", Owner::User("writer"), "stop").unwrap();
    house.becomes(session, house.write, "t", Outcome::Allow);
    house.store.create_group("test", "/", "all").unwrap();
    house.store.attach("test", Owner::Group("all"), "stop").unwrap();
    house.store.add_to_group("test", "all", "writer").unwrap();
    house.becomes(session, house.write, "t", Outcome::Deny);
    house.store.put_policy("test", "/", "stop", &policy("Deny", &["kafka-cluster:ReadData"], "*")).unwrap();
    house.becomes(session, house.write, "t", Outcome::Allow);
}

/// Tags of an identity are facts of the present, not of the login.
#[test]
fn tags_that_change_reach_open_sessions() {
    let house = house(&[]);
    let document = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":"kafka-cluster:Connect","Resource":"*"},
        {"Effect":"Allow","Action":"kafka-cluster:WriteData","Resource":"arn:aws:kafka:us-east-1:123456789012:topic/demo/u-1/${aws:PrincipalTag/team}-*"}]}"#;
    let session = house.enter(&house.user("writer", document));
    assert_eq!(house.decide(session, house.write, "red-1"), Outcome::Deny);
    house.store.tag_user("test", "writer", &[("team".into(), "red".into())]).unwrap();
    house.becomes(session, house.write, "red-1", Outcome::Allow);
    house.store.tag_user("test", "writer", &[("team".into(), "blue".into())]).unwrap();
    house.becomes(session, house.write, "red-1", Outcome::Deny);
    assert_eq!(house.decide(session, house.write, "blue-1"), Outcome::Allow);
}

/// P1-17, P1-07: a disabled key ends its sessions and refuses the next login
/// with a reason for the operator; what was ended stays ended.
#[test]
fn p1_17_a_disabled_key_ends_its_sessions() {
    let house = house(&[]);
    let (id, secret) = house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*"));
    let session = house.log_in(&id, &secret, None).map_err(|r| r.fault).unwrap().id;
    assert_eq!(house.decide(session, house.write, "t"), Outcome::Allow);
    house.store.set_key_active("test", &id, false).unwrap();
    house.becomes(session, house.write, "t", Outcome::Deny);
    assert_eq!(house.engine.agent().held(), 0, "the credential is gone");
    let refusal = house.log_in(&id, &secret, None).err().unwrap();
    assert_eq!(refusal.fault.status, Status::KeyDisabled);
    assert!(refusal.client_text.contains("Access denied") && !refusal.client_text.contains("disabled"));
    house.store.set_key_active("test", &id, true).unwrap();
    let again = house.log_in(&id, &secret, None).map_err(|r| r.fault).unwrap().id;
    assert_eq!(house.decide(again, house.write, "t"), Outcome::Allow);
    assert_eq!(house.decide(session, house.write, "t"), Outcome::Deny, "what was ended stays ended");
}

/// An administrator ends one session; its neighbour of the same identity lives.
#[test]
fn a_session_is_ended_by_its_public_id() {
    let house = house(&[]);
    let user = house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*"));
    let (one, other) = (house.enter(&user), house.enter(&user));
    house.until("both listed", || house.store.sessions().unwrap().len() == 2);
    let listed = house.store.sessions().unwrap();
    let row = listed.iter().find(|s| s.id.ends_with(&format!("/{}", one.number()))).unwrap();
    assert_eq!((row.address.as_str(), row.listener.as_str()), ("192.0.2.7", "CLIENT"));
    house.store.end_session("test", &row.id, false).unwrap();
    house.becomes(one, house.write, "t", Outcome::Deny);
    assert_eq!(house.decide(other, house.write, "t"), Outcome::Allow);
}

/// Rule 5 of the design: an answer read before a revocation that was already
/// followed is asked for again, and never put in force.
#[test]
fn a5_an_answer_from_before_a_known_change_is_never_installed() {
    let house = house(&[]);
    let (id, secret) = house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*"));
    let database = house.dir.path().join("store.db");
    // Between the service's reading and the agent's installing, the key is
    // disabled and the change followed.
    let (key, agent) = (id.clone(), std::sync::Arc::clone(house.engine.agent()));
    *house.service.before_answer.lock().unwrap() = Some(Box::new(move || {
        let at = standin::access_control::StoreFiles { key_file: database.with_extension("db.key"), store: database };
        let clock = std::sync::Arc::new(standin::time::SystemClock::new());
        let store =
            standin::access_control::Store::open(&at, clock, std::sync::Arc::new(standin::time::SystemRandom)).unwrap();
        store.set_key_active("test", &key, false).unwrap();
        let newest = store.revision().unwrap();
        while agent.applied() < newest {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }));
    let fault = house.log_in(&id, &secret, None).err().unwrap().fault;
    assert_eq!(fault.status, Status::KeyDisabled, "{fault}");
    assert_eq!(Stub::count(&house.service.logins), 2, "asked again");
    assert_eq!(house.engine.agent().held(), 0);
}

/// A service that keeps answering from the past is no basis for a login.
#[test]
fn a5_answers_that_stay_behind_are_undecided() {
    let house = house(&[]);
    let user = house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*"));
    house.settled();
    house.service.behind.store(1, Ordering::SeqCst);
    let fault = house.log_in(&user.0, &user.1, None).err().unwrap().fault;
    assert_eq!(fault.status, Status::Stale);
    house.service.behind.store(0, Ordering::SeqCst);
    house.enter(&user);
}

/// Bug: what was held for a client without sessions could be dropped between a
/// login's look at it and its session, which then followed no change: a key that
/// was disabled went on.
#[test]
fn no_session_is_bound_to_what_was_dropped_meanwhile() {
    const IDLE: i64 = 16 * 60 * 1000;
    let house = still_house(&[]);
    let (id, secret) = house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*"));
    house.engine.agent().release(house.enter(&(id.clone(), secret.clone())));
    let shown = read_msk_iam(house.message(&id, &secret, None).as_bytes()).unwrap();
    let held = house.engine.agent().log_in(
        &Arc::new(Evidence::Signature(shown.into())),
        &Waiting::new(1),
        Duration::from_secs(5),
    );
    let held = held.unwrap();
    house.clock.pass(IDLE);
    house.until("the sweep", || house.engine.agent().held() == 0);
    let bound = house.engine.agent().bind(&held, &channel("192.0.2.7"), |_| panic!("nobody follows its changes"));
    assert_eq!(bound.err().unwrap().kind(), Kind::Undecided);

    // The client comes again, and what it gets then is followed. At first nothing
    // was heard of the service for as long.
    house.until("the feed", || house.engine.agent().fresh().silence(house.clock.steady()) < 1000);
    let session = house.enter(&(id.clone(), secret));
    assert_eq!(house.decide(session, house.write, "t"), Outcome::Allow);
    house.store.set_key_active("test", &id, false).unwrap();
    house.becomes(session, house.write, "t", Outcome::Deny);
}

/// Bug: of two first logins with one key at once, signed for two regions (or on
/// two days, at midnight), the slower one ended the session of the faster.
#[test]
fn two_first_logins_of_one_key_do_not_end_each_other() {
    let house = house(&[("standin.regions", "us-east-1,eu-west-1"), ("standin.login.wait.ms", "30000")]);
    // Policies that take a moment to be compiled: that is where they met.
    let allow = |n: usize| {
        let resource = format!("arn:aws:kafka:us-east-1:123456789012:topic/demo/u-1/*{n}-${{aws:username}}");
        serde_json::json!({"Effect": "Allow", "Action": "kafka-cluster:*", "Resource": resource})
    };
    let mut statements: Vec<_> = (0..200).map(allow).collect();
    statements.push(serde_json::json!({"Effect": "Allow", "Action": "kafka-cluster:*", "Resource": "*"}));
    for n in 0..10 {
        let document = serde_json::json!({"Version": "2012-10-17", "Statement": statements});
        let (id, secret) = house.user(&format!("writer-{n}"), &document.to_string());
        let log_in = |region: &str| {
            let signed = sign_msk_iam(&Signing {
                access_key_id: &id,
                secret: &secret,
                session_token: None,
                host: "localhost",
                region,
                date: house.time().wall(),
                expires: 900,
            });
            let login = Login {
                profile: house.profile,
                kind: EvidenceKind::MskIam,
                payload: &mut signed.unwrap().into_bytes(),
                channel: channel("192.0.2.8"),
                channel_known: true,
                connect: Some((house.engine.kafka_connect(), String::new())),
                wait: Duration::from_secs(30),
            };
            house.engine.log_in(login).map(|done| done.id).map_err(|r| r.fault)
        };
        // The service's answers to both come at the same time.
        let (asked, both) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
        let (first, second) = ((Arc::clone(&asked), Arc::clone(&both)), Arc::clone(&both));
        *house.service.before_answer.lock().unwrap() = Some(Box::new(move || {
            first.0.wait();
            first.1.wait();
        }));
        let sessions = std::thread::scope(|scope| {
            let one = scope.spawn(|| log_in("us-east-1"));
            asked.wait();
            *house.service.before_answer.lock().unwrap() = Some(Box::new(move || {
                second.wait();
            }));
            let other = scope.spawn(|| log_in("eu-west-1"));
            [one, other].map(|login| login.join().unwrap().unwrap())
        });
        for session in sessions {
            assert_eq!(house.decide(session, house.write, "t"), Outcome::Allow, "{n}");
        }
        assert_eq!(house.engine.agent().held(), n + 1);
    }
}
