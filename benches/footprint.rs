// SPDX-License-Identifier: Apache-2.0
//! What sessions and contexts occupy, how long many of them take to come in,
//! and how fast one of many is found.

#![allow(clippy::unwrap_used, reason = "a measurement that fails stops")]

mod common;

use std::hint::black_box;
use std::time::Instant;

use common::house::{AccessKey, House, documents, topic};
use common::{Contestant, Run, Table, Time, grouped, resident};
use standin::session::SessionId;

const MEMORY: Table = Table { name: "memory, by difference of what the process occupies", unit: "B", base: "" };
const LOOKUP: Table = Table { name: "finding one of many sessions", unit: "ns", base: "1 session" };
const ENTRY: Table = Table { name: "identities coming in, each with its own policies", unit: "ms", base: "" };

/// Sessions of one identity, and finding one of them.
fn sessions(run: &Run, count: usize) {
    let house = House::new("sessions");
    let user = house.user("user", &documents(std::iter::once(topic("bench-*"))));
    let few = house.log_in(&user.message(), true).id;
    let mut message = (Instant::now(), user.message());
    let mut ids = Vec::with_capacity(count);
    let before = resident();
    for _ in 0..count {
        if message.0.elapsed().as_secs() > 30 {
            message = (Instant::now(), user.message());
        }
        ids.push(house.log_in(&message.1, true).id);
    }
    let each = (resident() - before) / count as f64;
    run.add(&MEMORY, &format!("a session, of {} of one identity", grouped(count)), "Standin", &[each]);
    let table = house.engine.agent().sessions();
    let find = |ids: Vec<SessionId>| {
        let mut ids = ids.into_iter().cycle();
        move |calls: u64| {
            for _ in 0..calls {
                let id = ids.next().unwrap();
                assert!(table.with(black_box(id), |session| session.begin.deadline).is_some());
            }
        }
    };
    // In an order that is not the one they were made in.
    let shuffled: Vec<SessionId> = (0..count).map(|i| ids[i * 7919 % count]).collect();
    let contestants: Vec<Contestant<'_>> = vec![
        ("1 session".into(), Box::new(find(vec![few]))),
        (format!("{} sessions", grouped(count)), Box::new(find(shuffled))),
    ];
    run.measure(&LOOKUP, "by its id", Time::Thread, contestants);
}

/// Identities with policies of their own.
fn identities(run: &Run, count: usize) {
    let house = House::new("identities");
    let keys: Vec<AccessKey> = (0..count)
        .map(|i| {
            let own = documents((0..5).map(|n| topic(&format!("team-{i}-{n}-*"))));
            house.user(&format!("user-{i}"), &own)
        })
        .collect();
    let messages: Vec<Vec<u8>> = keys.iter().map(AccessKey::message).collect();
    let (before, began) = (resident(), Instant::now());
    for message in &messages {
        house.log_in(message, true);
    }
    let took = began.elapsed().as_secs_f64() * 1000.0;
    let each = (resident() - before) / count as f64;
    run.add(
        &MEMORY,
        &format!("an identity of {} with five rules of its own and a session", grouped(count)),
        "Standin",
        &[each],
    );
    run.add(&ENTRY, &format!("{} identities, one after the other", grouped(count)), "Standin", &[took]);
}

fn main() {
    let run = Run::from_arguments();
    sessions(&run, run.pick(10_000, 100_000, 100_000));
    identities(&run, run.pick(200, 1000, 10_000));
}
