// SPDX-License-Identifier: Apache-2.0
//! What is written down.

use standin::decision::Outcome;
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
