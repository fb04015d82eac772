// SPDX-License-Identifier: Apache-2.0
//! What it costs to have the agent behind a socket: a login of a client that is
//! known, one of a client that is not, and a decision.

#![allow(clippy::unwrap_used, reason = "a measurement that fails stops")]

mod common;

use std::time::Instant;

use common::house::{AccessKey, House, documents, topic};
use common::{Contestant, Run, Table, Time};
use standin::decision::Outcome;
use standin::mechanism::Batch;
use standin::session::Ask;

const LOGIN: Table =
    Table { name: "one login by where the agent is, processor time of all threads", unit: "ns", base: "thread" };
const CLOCK: Table = Table { name: "one login by where the agent is, by the clock", unit: "ns", base: "thread" };
const DECIDE: Table = Table { name: "one known decision by where the agent is", unit: "ns", base: "thread" };

/// Messages are signed again before they are too old.
const KEEP: std::time::Duration = std::time::Duration::from_secs(30);

fn few() -> Vec<String> {
    documents((0..5).map(|i| topic(&format!("bench-{i}-*"))))
}

fn logins<'a>(house: &'a House, key: &'a AccessKey) -> impl FnMut(u64) + 'a {
    let mut message = (Instant::now(), key.message());
    move |calls| {
        for _ in 0..calls {
            if message.0.elapsed() > KEEP {
                message = (Instant::now(), key.message());
            }
            let done = house.log_in(&message.1, true);
            house.engine.agent().release(done.id);
        }
    }
}

fn decisions<'a>(house: &'a House, key: &'a AccessKey) -> impl FnMut(u64) + 'a {
    let id = house.log_in(&key.message(), true).id;
    move |calls| {
        for _ in 0..calls {
            let ask =
                Ask { action: house.write, resource: "bench-1-orders", count: 1, log_allow: false, log_deny: true };
            let mut outcome = [Outcome::Deny];
            house.engine.authorize(id, Batch::default(), std::iter::once(ask), &mut outcome).unwrap();
            assert_eq!(outcome, [Outcome::Allow]);
        }
    }
}

/// Clients that were never here before, and known ones, by the clock.
fn by_the_clock(run: &Run, who: &str, house: &House, count: usize) {
    let keys: Vec<AccessKey> = (0..count).map(|i| house.user(&format!("stranger-{i}"), &few())).collect();
    let messages: Vec<Vec<u8>> = keys.iter().map(AccessKey::message).collect();
    for row in ["a key never seen before", "known"] {
        let samples: Vec<f64> = messages
            .chunks((count / 10).max(1))
            .map(|some| {
                let before = Instant::now();
                for message in some {
                    house.log_in(message, true);
                }
                before.elapsed().as_nanos() as f64 / some.len() as f64
            })
            .collect();
        run.add(&CLOCK, row, who, &samples);
    }
}

fn main() {
    let run = Run::from_arguments();
    let (near, far) = (House::new("near"), House::apart("far"));
    let (near_key, far_key) = (near.user("user", &few()), far.user("user", &few()));
    let contestants: Vec<Contestant<'_>> = vec![
        ("thread".into(), Box::new(logins(&near, &near_key))),
        ("process".into(), Box::new(logins(&far, &far_key))),
    ];
    run.measure(&LOGIN, "known", Time::Process, contestants);
    let contestants: Vec<Contestant<'_>> = vec![
        ("thread".into(), Box::new(decisions(&near, &near_key))),
        ("process".into(), Box::new(decisions(&far, &far_key))),
    ];
    run.measure(&DECIDE, "allowed", Time::Thread, contestants);
    let count = run.pick(100, 500, 2000);
    by_the_clock(&run, "thread", &near, count);
    by_the_clock(&run, "process", &far, count);
}
