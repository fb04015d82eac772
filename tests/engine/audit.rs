// SPDX-License-Identifier: Apache-2.0
//! What is written down.

use standin::decision::Outcome;
use standin::fault::Status;
use standin::time::Clock;

use crate::house::{house, policy, still_house};

/// allowed operations are counted, none is lost though the cache is
/// full; a flagged denial is an event at once, its repeats are counted.
#[test]
fn x_10_operations_are_counted_and_denials_are_events() {
    let house = still_house(&[("standin.cache.entries", "64"), ("standin.audit.flush.ms", "100")]);
    let id = house.enter(&house.user("writer", &policy("Allow", &["kafka-cluster:WriteData"], "t*")));
    for n in 0..500 {
        for _ in 0..3 {
            assert_eq!(house.decide(id, house.write, &format!("t{n}")), Outcome::Allow);
        }
    }
    for _ in 0..10 {
        assert_eq!(house.decide(id, house.write, "other"), Outcome::Deny);
    }
    let denied = |records: &[serde_json::Value]| -> Vec<u64> {
        let of = |r: &&serde_json::Value| r["unmapped"]["outcome"] == "denied";
        records.iter().filter(of).map(|r| r["count"].as_u64().unwrap()).collect()
    };
    assert_eq!(denied(&house.records()), [1], "the first is recorded at once");
    house.clock.pass(60_000);
    house.until("the window", || house.engine.agent().tally().window() > 1);
    house.until("the counts", || {
        let records = house.records();
        let allowed: u64 = records
            .iter()
            .filter(|r| r["unmapped"]["outcome"] == "allowed" && r["api"]["operation"] == "kafka-cluster:WriteData")
            .map(|r| r["count"].as_u64().unwrap())
            .sum();
        allowed == 1500 && denied(&records).iter().sum::<u64>() == 10
    });
    assert_eq!(house.decide(id, house.write, "other"), Outcome::Deny);
    assert_eq!(denied(&house.records()).iter().filter(|n| **n == 1).count(), 2, "again in the next window");
    let metrics = house.engine.metrics();
    assert_eq!((metrics[7] - 1, metrics[8]), (1500, 11), "allowed (with one Connect), denied");
}

/// issuing is on the disk before the login is answered; numbers run
/// without gaps; every record names account, host and boot.
#[test]
fn x_10_issuing_is_durable_and_numbers_have_no_gaps() {
    let house = house(&[("standin.audit.flush.ms", "60000"), ("standin.host", "host/demo/1")]);
    let user = house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*"));
    let files = || {
        std::fs::read_dir(house.dir.path().join("audit"))
            .unwrap()
            .map(|f| std::fs::read_to_string(f.unwrap().path()).unwrap())
            .collect::<String>()
    };
    assert_eq!(files(), "");
    house.enter(&user);
    assert!(files().contains("impersonation credential"), "before anything was flushed");
    let records = house.records();
    let mut numbers: Vec<u64> = records.iter().map(|r| r["unmapped"]["sequence"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..records.len() as u64).collect::<Vec<_>>());
    for record in &records {
        assert_eq!(record["unmapped"]["via"], "host/demo/1");
        assert_eq!(record["actor"]["user"]["account"]["uid"], "123456789012");
        assert!(record["time"].as_i64().unwrap() <= standin::time::SystemClock::new().wall().0);
    }
}

/// a refused login is found by the identity whose credential was shown,
/// however it was refused; one that names nobody names nobody.
#[test]
fn x_10_refused_logins_name_whose_credential_was_shown() {
    let house = house(&[("standin.audit.flush.ms", "100")]);
    let document = policy("Allow", &["kafka-cluster:*"], "*");
    let [key, user, wrong, known] = ["by-key", "by-user", "wrong", "known"].map(|name| house.user(name, &document));
    house.store.set_key_active("test", &key.0, false).unwrap();
    house.store.set_user_disabled("test", "by-user", true).unwrap();
    house.enter(&known);
    let mut refused = vec![
        (house.log_in(&key.0, &key.1, None), Status::KeyDisabled, "by-key"),
        (house.log_in(&user.0, &user.1, None), Status::IdentityDisabled, "by-user"),
        (house.log_in(&wrong.0, &key.1, None), Status::SignatureMismatch, "wrong"),
        // Verified with the leased key.
        (house.log_in(&known.0, &key.1, None), Status::SignatureMismatch, "known"),
        (house.log_in("AKIAUNKNOWNUNKNOWN77", &key.1, None), Status::UnknownKey, ""),
    ];
    house
        .until("every record", || house.records().iter().filter(|r| r["status"] == "Failure").count() == refused.len());
    let records = house.records();
    for (result, status, name) in refused.drain(..) {
        let refusal = result.err().unwrap();
        assert_eq!(refusal.fault.status, status);
        let record = records.iter().find(|r| r["metadata"]["correlation_uid"] == *refusal.request_id).unwrap();
        let (uid, account) = (&record["actor"]["user"]["uid"], &record["actor"]["user"]["account"]["uid"]);
        if name.is_empty() {
            assert!(uid.as_str().is_none_or(str::is_empty), "{record}");
        } else {
            assert_eq!(*uid, format!("arn:aws:iam::123456789012:user/{name}"));
            assert_eq!(account, "123456789012");
        }
    }
}
