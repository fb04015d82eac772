// SPDX-License-Identifier: Apache-2.0
//! What a login costs: its pieces, the whole with a leased verification key,
//! and the whole when the service is asked.

#![allow(clippy::unwrap_used, reason = "a measurement that fails stops")]

mod common;

use std::hint::black_box;

use common::house::{AccessKey, House, documents, topic};
use common::{Contestant, Run, Table, Time, grouped};
use standin::access_control::{AssumeRole, Owner};
use standin::credential::sigv4::{SigningKey, read_msk_iam};

const PIECES: Table = Table { name: "pieces of a login, processor time", unit: "ns", base: "user's key" };
const LOGIN: Table = Table { name: "one login, processor time", unit: "ns", base: "nobody else" };
const SERVICE: Table =
    Table { name: "one login the service is asked about, processor time of all threads", unit: "ns", base: "" };

/// Messages are signed again before they are too old.
const KEEP: std::time::Duration = std::time::Duration::from_secs(30);

fn few() -> Vec<String> {
    documents((0..5).map(|i| topic(&format!("bench-{i}-*"))))
}

/// Temporary credentials of a role, as `standin role assume` gives them.
fn temporary(house: &House) -> AccessKey {
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}"#;
    house.store.create_role("bench", "/", "service", trust, 43_200, &[]).unwrap();
    for (n, document) in few().iter().enumerate() {
        house.store.put_inline("bench", Owner::Role("service"), &format!("p{n}"), document).unwrap();
    }
    house.user("caller", &[]);
    let caller = house.store.principal_of_user("caller").unwrap();
    let made = house
        .store
        .assume_role(
            &caller,
            &AssumeRole { role: "service".into(), session_name: "bench".into(), ..AssumeRole::default() },
        )
        .unwrap();
    AccessKey { id: made.access_key_id, secret: made.secret, token: Some(made.session_token) }
}

/// A contestant for each key.
fn each<F: FnMut(u64) + 'static>(
    keys: &[(&str, &AccessKey)],
    make: impl Fn(&AccessKey) -> F,
) -> Vec<Contestant<'static>> {
    keys.iter().map(|(who, key)| ((*who).to_owned(), Box::new(make(key)) as Box<dyn FnMut(u64)>)).collect()
}

fn pieces(run: &Run, keys: &[(&str, &AccessKey)]) {
    let reading = each(keys, |key| {
        let message = key.message();
        move |calls| {
            for _ in 0..calls {
                read_msk_iam(black_box(&message)).unwrap();
            }
        }
    });
    run.measure(&PIECES, "reading the message", Time::Thread, reading);
    let deriving = each(keys, |key| {
        let claim = read_msk_iam(&key.message()).unwrap();
        let secret = key.secret.clone();
        move |calls| {
            for _ in 0..calls {
                black_box(SigningKey::derive(&secret, claim.scope_date(), claim.region(), claim.service()));
            }
        }
    });
    run.measure(&PIECES, "deriving the key", Time::Thread, deriving);
    let verifying = each(keys, |key| {
        let claim = read_msk_iam(&key.message()).unwrap();
        let derived = SigningKey::derive(&key.secret, claim.scope_date(), claim.region(), claim.service());
        move |calls| {
            for _ in 0..calls {
                claim.verify(black_box(&derived)).unwrap();
            }
        }
    });
    run.measure(&PIECES, "verifying with the derived key", Time::Thread, verifying);
}

/// Logs in and lets go at once.
fn whole<'a>(house: &'a House, key: &'a AccessKey, known: bool) -> impl FnMut(u64) + 'a {
    let mut message = (std::time::Instant::now(), key.message());
    move |calls| {
        for _ in 0..calls {
            if message.0.elapsed() > KEEP {
                message = (std::time::Instant::now(), key.message());
            }
            let done = house.log_in(&message.1, known);
            house.engine.agent().release(done.id);
        }
    }
}

/// Identities that were never here before; afterwards their credentials are
/// held.
fn strangers(run: &Run, house: &House, count: usize) {
    let keys: Vec<AccessKey> = (0..count).map(|i| house.user(&format!("stranger-{i}"), &few())).collect();
    let messages: Vec<Vec<u8>> = keys.iter().map(AccessKey::message).collect();
    let samples: Vec<f64> = messages
        .chunks((count / 10).max(1))
        .map(|some| {
            let before = Time::Process.now();
            for message in some {
                house.log_in(message, true);
            }
            (Time::Process.now() - before).as_nanos() as f64 / some.len() as f64
        })
        .collect();
    run.add(&SERVICE, "a key never seen before", "Standin", &samples);
}

fn main() {
    let run = Run::from_arguments();
    let alone = House::new("alone");
    let alone_user = alone.user("user", &few());
    let alone_role = temporary(&alone);
    pieces(&run, &[("user's key", &alone_user), ("temporary", &alone_role)]);

    let crowd = run.pick(200, 1000, 10_000);
    let crowded = House::new("crowded");
    let crowded_user = crowded.user("user", &few());
    strangers(&run, &crowded, crowd);

    let connections = run.pick(1000, 10_000, 10_000);
    let busy = House::new("busy");
    let busy_user = busy.user("user", &few());
    let message = busy_user.message();
    for _ in 0..connections {
        busy.log_in(&message, true);
    }

    for (row, known) in [("leased key, channel known", true), ("leased key, channel told later, as Kafka does", false)]
    {
        let contestants: Vec<Contestant<'_>> = vec![
            ("nobody else".into(), Box::new(whole(&alone, &alone_user, known))),
            ("temporary".into(), Box::new(whole(&alone, &alone_role, known))),
            (format!("{} sessions", grouped(connections)), Box::new(whole(&busy, &busy_user, known))),
            (format!("{} identities", grouped(crowd)), Box::new(whole(&crowded, &crowded_user, known))),
        ];
        run.measure(&LOGIN, row, Time::Thread, contestants);
    }
}
