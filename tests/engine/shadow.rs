// SPDX-License-Identifier: Apache-2.0
//! Shadow mode: what is compared, how it is told, and that it costs nobody
//! anything.

use std::sync::atomic::Ordering;

use standin::access_control::Owner;
use standin::mechanism::{Batch, Enforced, METRICS};
use standin::policy::ActionId;
use standin::session::{Ask, SessionId};

use crate::house::{CLUSTER, House, channel, house, policy, still_house};
use crate::service::Stub;

const SHADOW: (&str, &str) = ("standin.mode", "shadow");

fn metric(house: &House, name: &str) -> i64 {
    let place = METRICS.iter().position(|m| *m == name).unwrap();
    house.engine.metrics()[place]
}

fn enforced(action: ActionId, resource: &str, allowed: bool) -> Enforced<'_> {
    let ask = Ask { action, resource, count: 1, log_allow: false, log_deny: false };
    Enforced { ask, any: false, allowed }
}

fn compare(house: &House, id: SessionId, action: ActionId, topic: &str, allowed: bool) -> bool {
    let one = std::iter::once(enforced(action, topic, allowed));
    house.engine.compare(id, "User:writer", Batch::default(), one).unwrap()
}

fn compare_as(house: &House, principal: &str, topic: &str, allowed: bool) -> bool {
    let one = std::iter::once(enforced(house.write, topic, allowed));
    house.engine.compare_as(principal, &channel("192.0.2.9"), Batch::default(), one).unwrap()
}

/// Records of differences: outcome, subject, action, resource, count.
fn told(house: &House) -> Vec<(String, String, String, String, u64)> {
    let text = |v: &serde_json::Value| v.as_str().unwrap_or_default().to_owned();
    house
        .records()
        .iter()
        .filter(|r| text(&r["unmapped"]["outcome"]).starts_with("shadow-"))
        .map(|r| {
            let what = (text(&r["api"]["operation"]), text(&r["resources"][0]["name"]));
            let subject = text(&r["actor"]["user"]["uid"]);
            (text(&r["unmapped"]["outcome"]), subject, what.0, what.1, r["count"].as_u64().unwrap())
        })
        .collect()
}

/// A difference is told once, with who, what and why, and counted from then
/// on; what is equal is only counted.
#[test]
fn a_difference_is_told_once_and_counted_from_then_on() {
    let house = still_house(&[SHADOW, ("standin.audit.flush.ms", "100")]);
    let id = house.enter(&house.user("writer", &policy("Allow", &["kafka-cluster:WriteData"], "t*")));
    for _ in 0..5 {
        assert!(compare(&house, id, house.write, "t1", true), "equal");
        assert!(compare(&house, id, house.write, "other", true), "the lists allow more");
        assert!(compare(&house, id, house.write, "t2", false), "the policies allow more");
        assert!(compare(&house, id, house.read, "t1", false), "equal");
    }
    let arn = "arn:aws:iam::123456789012:user/writer".to_owned();
    let write = "kafka-cluster:WriteData".to_owned();
    let first = vec![
        ("shadow-denied".to_owned(), arn.clone(), write.clone(), "other".to_owned(), 1),
        ("shadow-allowed".to_owned(), arn.clone(), write.clone(), "t2".to_owned(), 1),
    ];
    assert_eq!(told(&house), first);
    let record = house.records().into_iter().find(|r| r["unmapped"]["outcome"] == "shadow-allowed").unwrap();
    assert_eq!(
        record["actor"]["authorizations"][0]["policy"]["name"],
        "inline/arn:aws:iam::123456789012:user/writer/own#Data"
    );
    assert_eq!(record["unmapped"]["acl_principal"], "User:writer");
    assert_eq!(record["src_endpoint"]["ip"], "192.0.2.7");
    let lines = house.engine.journal().take(1000);
    let lines: Vec<&String> = lines.iter().filter(|l| l.starts_with("warn shadow:")).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("ACLs allow and policies deny kafka-cluster:WriteData on topic \"other\""), "{lines:?}");
    house.clock.pass(60_000);
    house.until("the counts", || {
        let sum = |outcome: &str| -> u64 { told(&house).iter().filter(|t| t.0 == outcome).map(|t| t.4).sum() };
        (sum("shadow-denied"), sum("shadow-allowed")) == (5, 5)
    });
    assert_eq!(told(&house).len(), 4, "one count for each");
    assert_eq!(metric(&house, "shadow-compared-total") - 1, 20, "and one Connect");
    assert_eq!(metric(&house, "shadow-denied-total"), 5);
    assert_eq!(metric(&house, "shadow-allowed-total"), 5);
    assert_eq!(metric(&house, "shadow-differences"), 2);
    // Neither counts as decided: the lists did that.
    assert_eq!((metric(&house, "operations-allowed-total"), metric(&house, "operations-denied-total")), (0, 0));
}

/// To lists everybody may connect who has logged in; in shadow mode it stays
/// so, and what policies say is told.
#[test]
fn connecting_is_compared_and_not_refused() {
    let none =
        format!(r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Deny","Action":"*","Resource":"{CLUSTER}"}}]}}"#);
    let shadow = house(&[SHADOW]);
    let id = shadow.enter(&shadow.user("writer", &none));
    assert!(compare(&shadow, id, shadow.write, "t", false));
    assert_eq!(told(&shadow)[0].2, "kafka-cluster:Connect");
    let enforcing = house(&[]);
    let (key, secret) = enforcing.user("writer", &none);
    assert!(enforcing.log_in(&key, &secret, None).is_err());
}

/// Logging in is never in shadow: a session that was ended is over.
#[test]
fn an_ended_session_is_over_in_shadow_mode_too() {
    let house = house(&[SHADOW]);
    let user = house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*"));
    let id = house.enter(&user);
    assert!(compare(&house, id, house.write, "t", true));
    house.store.set_key_active("test", &user.0, false).unwrap();
    house.until("the end", || !compare(&house, id, house.write, "t", true));
}

/// Clients of other listeners are compared by the identity they would be.
/// Nobody waits for it, and nothing that was asked before is missed.
#[test]
fn a_client_of_another_listener_is_compared_as_the_identity_it_stands_for() {
    let house = house(&[SHADOW, ("standin.shadow.principals", "User:CN=*,OU=apps -> user/*; User:broker -> -")]);
    house.user("writer", &policy("Allow", &["kafka-cluster:WriteData"], "t*"));
    house.settled();
    assert!(!compare_as(&house, "User:someone", "t", true), "no rule");
    assert!(!compare_as(&house, "User:broker", "t", true), "stands for nobody");
    assert!(compare_as(&house, "User:CN=writer,OU=apps", "other", true));
    assert!(compare_as(&house, "User:CN=writer,OU=apps", "t1", true));
    assert!(compare_as(&house, "User:CN=nobody,OU=apps", "t1", true));
    house.until("both to be compared", || metric(&house, "shadow-compared-total") == 3);
    let mut found = told(&house);
    found.sort();
    let arn = "arn:aws:iam::123456789012:user/writer".to_owned();
    let expected = [
        ("shadow-denied".to_owned(), arn, "kafka-cluster:WriteData".to_owned(), "other".to_owned(), 1),
        ("shadow-unknown".to_owned(), "user/nobody".to_owned(), "(any)".to_owned(), "(any)".to_owned(), 1),
    ];
    assert_eq!(found, expected);
    // The next operations see every change that was followed before them.
    house.store.create_user("test", "/", "nobody", &[]).unwrap();
    house.store.put_inline("test", Owner::User("nobody"), "own", &policy("Allow", &["kafka-cluster:*"], "*")).unwrap();
    house.settled();
    compare_as(&house, "User:CN=nobody,OU=apps", "t1", true);
    house.until("the new identity", || metric(&house, "shadow-compared-total") == 4);
    assert_eq!(metric(&house, "shadow-unknown-total"), 1);
    house.store.put_inline("test", Owner::User("writer"), "own", &policy("Allow", &["kafka-cluster:*"], "*")).unwrap();
    house.settled();
    compare_as(&house, "User:CN=writer,OU=apps", "other", true);
    house.until("the new policy", || metric(&house, "shadow-compared-total") == 5);
    assert_eq!(metric(&house, "shadow-denied-total"), 1);
}

/// A service that does not tell whose policies a name has is not asked for
/// each operation; what was asked meanwhile is compared once it tells.
#[test]
fn a_service_that_cannot_say_is_not_asked_for_each_operation() {
    let house = still_house(&[SHADOW]);
    house.user("writer", &policy("Allow", &["kafka-cluster:WriteData"], "t*"));
    house.service.down.store(true, Ordering::SeqCst);
    for n in 0..50 {
        let asked = Stub::count(&house.service.names);
        assert!(compare_as(&house, "User:writer", "other", true));
        if n == 0 {
            house.until("the first question", || Stub::count(&house.service.names) > asked);
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
        house.clock.pass(100);
    }
    let asked = Stub::count(&house.service.names);
    assert!((2..25).contains(&asked), "{asked} questions");
    house.service.down.store(false, Ordering::SeqCst);
    house.clock.pass(31_000);
    house.until("what was asked", || {
        compare_as(&house, "User:writer", "other", true);
        metric(&house, "shadow-denied-total") >= 50
    });
}

/// Could-not-decide is told as its own kind.
#[test]
fn what_cannot_be_decided_is_a_kind_of_its_own() {
    let house = still_house(&[SHADOW]);
    let id = house.enter(&house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*")));
    let create = house.engine.agent().intern("kafka-cluster:CreateTopic", "topic").unwrap();
    house.service.deaf.store(true, Ordering::SeqCst);
    house.clock.pass(31_000);
    assert!(compare(&house, id, house.write, "t", true), "writing rides out the silence");
    assert!(compare(&house, id, create, "t", true));
    house.clock.pass(300_000);
    assert!(compare(&house, id, house.write, "t", true));
    assert_eq!(metric(&house, "shadow-undecided-total"), 2);
    assert_eq!(metric(&house, "shadow-denied-total"), 0);
    assert!(told(&house).iter().all(|t| t.0 == "shadow-undecided"));
}

/// Clients choose names; memory stays bounded, and what is beyond is counted
/// together.
#[test]
fn names_that_clients_choose_take_bounded_memory() {
    let house = house(&[SHADOW]);
    let id = house.enter(&house.user("writer", &policy("Allow", &["kafka-cluster:WriteData"], "t*")));
    for n in 0..5000 {
        compare(&house, id, house.read, &format!("name-{n}"), true);
    }
    assert_eq!(metric(&house, "shadow-differences"), 129);
    assert_eq!(metric(&house, "shadow-denied-total"), 5000);
    assert_eq!(told(&house).iter().filter(|t| t.3 == "(others)").count(), 1);
}

/// The mode changes in a running engine, and what was told is told again.
#[test]
fn the_mode_changes_while_the_engine_runs() {
    let house = house(&[]);
    let id = house.enter(&house.user("writer", &policy("Allow", &["kafka-cluster:WriteData"], "t*")));
    assert!(!house.engine.is_shadow());
    let mut pairs: Vec<(&str, &str)> = house.given.iter().map(|(name, value, _)| (name, value)).collect();
    pairs.push(SHADOW);
    house.engine.reload(pairs.clone()).unwrap();
    assert!(house.engine.is_shadow());
    compare(&house, id, house.read, "t", true);
    assert_eq!(metric(&house, "shadow-differences"), 1);
    pairs.push(("standin.shadow.principals", "User:a -> user/a"));
    house.engine.reload(pairs.clone()).unwrap();
    assert_eq!(metric(&house, "shadow-differences"), 0);
    let fault = house.engine.reload([("standin.shadow.principals", "nonsense")]).unwrap_err();
    assert!(fault.text.contains("User:* -> user/*"), "{fault}");
    assert!(house.engine.is_shadow());
}
