// SPDX-License-Identifier: Apache-2.0
//! What is shared: engines by name, credentials and contexts by identity.

use std::sync::Arc;
use std::time::Duration;

use standin::access_control::{AssumeRole, Owner, Store};
use standin::decision::Outcome;
use standin::fault::Status;
use standin::mechanism;
use standin::settings::Given;
use standin::time::{SystemClock, SystemRandom};

use crate::house::{channel, files, house, policy};

/// A14 of the design review: one engine per name; other settings are an error
/// that names them; the last close stops it.
#[test]
fn a14_engines_are_shared_by_name_and_differing_settings_are_named() {
    let dir = crate::house::place();
    let at = files(dir.path());
    Store::create(&at, "123456789012", Arc::new(SystemClock::new()), Arc::new(SystemRandom)).unwrap();
    let path = at.store.to_str().unwrap();
    let pairs = [("standin.store", path), ("standin.engine", "shared")];
    let first = mechanism::open(&Given::read(pairs, None).unwrap()).unwrap();
    let second = mechanism::open(&Given::read(pairs, None).unwrap()).unwrap();
    assert_eq!(first, second);
    let log = mechanism::engine(first).unwrap().journal().take(100).join("\n");
    assert!(log.contains("standin.engine=shared (the host's configuration)"), "{log}");
    assert!(log.contains("engine \"shared\" of Standin"), "{log}");
    let other = [pairs[0], pairs[1], ("standin.audit.window.ms", "5000")];
    let fault = mechanism::open(&Given::read(other, None).unwrap()).unwrap_err();
    assert_eq!(fault.status, Status::SettingsDiffer);
    assert!(fault.text.contains("standin.audit.window.ms"), "{fault}");
    assert!(!mechanism::close(first, Duration::from_secs(5)).unwrap());
    assert!(mechanism::engine(first).is_ok());
    assert!(mechanism::close(first, Duration::from_secs(5)).unwrap());
    assert!(mechanism::engine(first).is_err());
    assert_eq!(mechanism::close(first, Duration::from_secs(5)).unwrap_err().status, Status::UnknownId);
}

/// P1-44: one credential serves every connection of an identity; closing one
/// leaves the others. A6: contexts are shared too, by all that policies see.
#[test]
fn p1_44_connections_of_one_identity_share_credential_and_context() {
    let house = house(&[]);
    let plain = house.user("plain", &policy("Allow", &["kafka-cluster:*"], "*"));
    let message = house.message(&plain.0, &plain.1, None);
    let enter =
        |message: &str, address: &str| house.present(message, channel(address), true).map_err(|r| r.fault).unwrap().id;
    let sessions: Vec<_> = (0..50).map(|n| enter(&message, &format!("192.0.2.{n}"))).collect();
    assert_eq!((house.engine.agent().held(), house.engine.agent().contexts()), (1, 1));
    house.engine.agent().release(sessions[0]);
    assert_eq!(house.decide(sessions[1], house.write, "t"), Outcome::Allow);

    // Policies that look at the address make a context for each address.
    let document = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":"kafka-cluster:*","Resource":"*"},
        {"Effect":"Deny","Action":"kafka-cluster:WriteData","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.3/32"}}}]}"#;
    let near = house.user("near", document);
    let message = house.message(&near.0, &near.1, None);
    let sessions: Vec<_> = (0..5).map(|n| enter(&message, &format!("192.0.2.{n}"))).collect();
    assert_eq!(house.engine.agent().contexts(), 1 + 5);
    let outcomes: Vec<_> = sessions.iter().map(|id| house.decide(*id, house.write, "t")).collect();
    use Outcome::{Allow, Deny};
    assert_eq!(outcomes, [Allow, Allow, Allow, Deny, Allow]);
}

/// X-09: what was decided for a client that is gone does not outlive its
/// policies: it comes back under those of now.
#[test]
fn x_09_who_comes_back_is_met_by_the_policies_of_now() {
    let house = house(&[]);
    let user = house.user("user", &policy("Allow", &["kafka-cluster:*"], "*"));
    let visit = || {
        let id = house.enter(&user);
        let outcome = house.decide(id, house.write, "t");
        assert!(house.engine.agent().release(id));
        outcome
    };
    assert_eq!([visit(), visit()], [Outcome::Allow; 2]);
    house.store.put_inline("test", Owner::User("user"), "own", &policy("Deny", &["kafka-cluster:*"], "*")).unwrap();
    house.until("the change", || visit() == Outcome::Deny);
    assert_eq!([visit(), visit()], [Outcome::Deny; 2]);
}

/// A6 of the design review: what the policies look at is never shared, here the
/// source identity behind one role; what they do not look at is.
#[test]
fn a6_sessions_of_one_role_are_told_apart_by_source_identity() {
    let house = house(&[]);
    house.user("ann", &policy("Allow", &["kafka-cluster:*"], "*"));
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/ann"},"Action":["sts:AssumeRole","sts:SetSourceIdentity"]}]}"#;
    house.store.create_role("test", "/", "app", trust, 3600, &[]).unwrap();
    let document = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":"kafka-cluster:*","Resource":"*"},
        {"Effect":"Deny","Action":"kafka-cluster:WriteData","Resource":"*","Condition":{"StringEquals":{"aws:SourceIdentity":"mallory"}}}]}"#;
    house.store.put_inline("test", Owner::Role("app"), "own", document).unwrap();
    let ann = house.store.principal_of_user("ann").unwrap();
    let enter = |session: &str, source: Option<&str>| {
        let ask = AssumeRole {
            role: "app".into(),
            session_name: session.into(),
            source_identity: source.map(str::to_owned),
            ..AssumeRole::default()
        };
        let issued = house.store.assume_role(&ann, &ask).unwrap();
        house
            .log_in(&issued.access_key_id, &issued.secret, Some(&issued.session_token))
            .map_err(|r| r.fault)
            .unwrap()
            .id
    };
    let sessions = [("s-1", Some("alice")), ("s-2", Some("mallory")), ("s-3", None), ("s-4", Some("alice"))]
        .map(|(s, i)| enter(s, i));
    let outcomes = sessions.map(|id| house.decide(id, house.write, "t"));
    use Outcome::{Allow, Deny};
    assert_eq!(outcomes, [Allow, Deny, Allow, Allow]);
    assert_eq!(house.engine.agent().contexts(), 3, "two sessions of one source identity share theirs");
}

/// X-09: a request that carries an address of its own is decided for that
/// address, warm cache or not.
#[test]
fn x_09_a_request_from_another_address_is_not_answered_from_the_cache() {
    use standin::mechanism::Batch;
    use standin::session::Ask;
    let house = house(&[]);
    let document = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":"kafka-cluster:*","Resource":"*"},
        {"Effect":"Deny","Action":"kafka-cluster:WriteData","Resource":"*","Condition":{"NotIpAddress":{"aws:SourceIp":"192.0.2.0/24"}}}]}"#;
    let id = house.enter(&house.user("writer", document));
    let from = |address: &str| {
        let ask = Ask { action: house.write, resource: "t", count: 1, log_allow: false, log_deny: false };
        let batch = Batch { address: Some(address.parse().unwrap()), ..Batch::default() };
        let mut outcome = [Outcome::Deny];
        house.engine.authorize(id, batch, std::iter::once(ask), &mut outcome).unwrap();
        outcome[0]
    };
    for _ in 0..2 {
        assert_eq!(from("192.0.2.7"), Outcome::Allow);
        assert_eq!(from("198.51.100.1"), Outcome::Deny);
    }
}

/// P1-12: many threads, many clients, no outcome mixed up; under changes of
/// policy nothing is allowed that no policy ever allowed.
#[test]
fn p1_12_many_clients_at_once_are_not_mixed_up() {
    let house = house(&[]);
    let sessions: Vec<_> = (0..50)
        .map(|n| {
            let user =
                house.user(&format!("u{n}"), &policy("Allow", &["kafka-cluster:WriteData"], &format!("own-{n}-*")));
            house.enter(&user)
        })
        .collect();
    std::thread::scope(|scope| {
        let changing = scope.spawn(|| {
            for n in 0..30 {
                let document = policy("Allow", &["kafka-cluster:ReadData"], "shared");
                house.store.put_inline("test", Owner::User("u0"), &format!("more-{n}"), &document).unwrap();
            }
        });
        for thread in 0..4 {
            let (house, sessions) = (&house, &sessions);
            scope.spawn(move || {
                for round in 0..100 {
                    for (n, id) in sessions.iter().enumerate().skip(thread).step_by(4) {
                        let own = format!("own-{n}-{}", round % 7);
                        assert_eq!(house.decide(*id, house.write, &own), Outcome::Allow);
                        let others = format!("own-{}-1", (n + 1) % 50);
                        assert_eq!(house.decide(*id, house.write, &others), Outcome::Deny);
                    }
                }
            });
        }
        changing.join().unwrap();
    });
    house.becomes(sessions[0], house.read, "shared", Outcome::Allow);
}
