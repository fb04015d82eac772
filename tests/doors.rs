// SPDX-License-Identifier: Apache-2.0
//! one library, several doors, the same answers. Here the table is asked
//! in Rust; `tests/c/doors.c` and `DoorsTest` ask the same one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use standin::access_control::{Owner, Store, StoreFiles};
use standin::channel::Channel;
use standin::credential::Secret;
use standin::credential::sigv4::{Signing, sign_msk_iam};
use standin::decision::Outcome;
use standin::mechanism::{self, Batch, Login};
use standin::session::Ask;
use standin::settings::{EvidenceKind, Given};
use standin::time::{Clock, SystemClock, SystemRandom};

const CLUSTER: &str = "arn:aws:kafka:us-east-1:000000000000:cluster/c/u-1";

#[test]
fn x_01_rust_gets_the_answers_that_all_doors_give() {
    let dir = tempfile::tempdir().unwrap();
    let files = StoreFiles { store: dir.path().join("store.db"), key_file: dir.path().join("store.db.key") };
    let clock = SystemClock::new();
    let store = Store::create(&files, "000000000000", Arc::new(SystemClock::new()), Arc::new(SystemRandom)).unwrap();
    let given = [
        ("standin.store", files.store.to_str().unwrap()),
        ("standin.engine", "doors"),
        ("standin.cluster.arn", CLUSTER),
        ("standin.hosts", "localhost"),
        ("standin.allow.plaintext", "true"),
    ];
    let given = Given::read(given, None).unwrap();
    let number = mechanism::open(&given).unwrap();
    let engine = mechanism::engine(number).unwrap();
    let profile = engine.profile(&given).unwrap();
    let connect = engine.agent().intern("kafka-cluster:Connect", "cluster").unwrap();

    let (mut keys, mut sessions) = (HashMap::<String, (String, Secret)>::new(), HashMap::new());
    let (mut asked, mut wrong) = (0, Vec::new());
    for line in include_str!("data/doors/cases.txt").lines().filter(|l| !l.starts_with('#')) {
        if let Some(user) = line.strip_prefix("user ") {
            let (name, policy) = user.split_once(": ").unwrap();
            store.create_user("test", "/", name, &[]).unwrap();
            store.put_inline("test", Owner::User(name), "own", policy).unwrap();
            let (row, secret) = store.create_key("test", name).unwrap();
            keys.insert(name.to_owned(), (row.id, secret));
            continue;
        }
        let (question, expected) = line.rsplit_once(" => ").unwrap();
        let [user, address, listener, tls, own, client_id, action, resource_type, resource] =
            question.split(" | ").collect::<Vec<_>>().try_into().unwrap();
        let id = *sessions.entry((user, address, listener, tls)).or_insert_with(|| {
            let (id, secret) = &keys[user];
            let message = sign_msk_iam(&Signing {
                access_key_id: id,
                secret,
                session_token: None,
                host: "localhost",
                region: "us-east-1",
                date: clock.wall(),
                expires: 900,
            });
            let login = Login {
                profile,
                kind: EvidenceKind::MskIam,
                payload: &mut message.unwrap().into_bytes(),
                channel: Channel {
                    address: Some(address.parse().unwrap()),
                    secure: tls == "1",
                    listener: listener.into(),
                    ..Channel::default()
                },
                channel_known: true,
                connect: Some((connect, String::new())),
                wait: Duration::from_secs(5),
            };
            engine.log_in(login).map_err(|refusal| refusal.fault).unwrap().id
        });
        let action = engine.agent().intern(action, resource_type).unwrap();
        let ask = Ask { action, resource, count: 1, log_allow: false, log_deny: false };
        let batch = Batch { address: own.parse().ok(), client_id, wait: Duration::ZERO };
        let mut outcome = [Outcome::Undecided];
        engine.authorize(id, batch, std::iter::once(ask), &mut outcome).unwrap();
        asked += 1;
        let came = if outcome == [Outcome::Allow] { "allow" } else { "deny" };
        if came != expected || outcome == [Outcome::Undecided] {
            wrong.push(format!("{line}: {outcome:?}"));
        }
    }
    mechanism::close(number, Duration::from_secs(5)).unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(asked, 200);
}
