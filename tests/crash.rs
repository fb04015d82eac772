// SPDX-License-Identifier: Apache-2.0
//! The store is killed at random moments: what was answered is there, what was
//! not is whole or absent, and the file opens at once.
//!
//! Runs itself as the process that is killed; hence no test harness.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use standin::access_control::{Owner, Store, StoreFiles};
use standin::revision::Revision;
use standin::time::{Random, SystemClock, SystemRandom};

const ALLOW: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kafka-cluster:*","Resource":"*"}}"#;
/// At least so many kills, and at least so many answered writes in all; a slow
/// disk needs more kills for them.
const KILLS: usize = 20;
const WRITES: usize = 100;
const MOST_KILLS: usize = 500;

fn open(dir: &Path) -> Store {
    let at = StoreFiles { store: dir.join("store.db"), key_file: dir.join("store.db.key") };
    Store::open(&at, Arc::new(SystemClock::new()), Arc::new(SystemRandom)).unwrap()
}

/// Makes users with a key and a policy until killed; names each on its output
/// once it is answered.
fn write_until_killed(dir: &Path, round: &str) {
    let store = open(dir);
    for n in 0.. {
        let name = format!("u{round}-{n}");
        store.create_user("test", "/", &name, &[]).unwrap();
        println!("user {name}");
        store.put_inline("test", Owner::User(&name), "own", ALLOW).unwrap();
        println!("policy {name}");
        let (key, _) = store.create_key("test", &name).unwrap();
        println!("key {}", key.id);
        std::io::stdout().flush().unwrap();
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, role, dir, round] = arguments.as_slice()
        && role == "write"
    {
        write_until_killed(Path::new(dir), round);
        return;
    }
    println!("\nrunning 1 test");
    let dir = tempfile::tempdir().unwrap();
    let at = StoreFiles { store: dir.path().join("store.db"), key_file: dir.path().join("store.db.key") };
    Store::create(&at, "123456789012", Arc::new(SystemClock::new()), Arc::new(SystemRandom)).unwrap();
    let mut answered: BTreeSet<String> = BTreeSet::new();
    let mut kills = 0;
    // Grows until there is time for a write: a busy machine starts slowly.
    let mut at_least = 30;
    while kills < KILLS || answered.len() < WRITES {
        assert!(kills < MOST_KILLS, "only {} writes were made", answered.len());
        kills += 1;
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["write", dir.path().to_str().unwrap(), &kills.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut wait = [0; 1];
        SystemRandom.fill(&mut wait).unwrap();
        std::thread::sleep(Duration::from_millis(at_least + u64::from(wait[0]) / 2));
        child.kill().unwrap();
        let lines: Vec<String> = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok).collect();
        child.wait().unwrap();
        if lines.is_empty() {
            at_least += 5;
        }
        answered.extend(lines);
        check(&open(dir.path()), &answered);
    }
    let writes = answered.len();
    println!("test killed_at_any_moment_a_store_keeps_what_it_answered ... ok ({kills} kills, {writes} writes)");
    println!("\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
}

fn check(store: &Store, answered: &BTreeSet<String>) {
    let users: BTreeSet<String> = store.users().unwrap().iter().map(|u| u.identity.name().to_owned()).collect();
    let keys: BTreeSet<String> = store.keys(None).unwrap().into_iter().map(|k| k.id).collect();
    for line in answered {
        let (what, name) = line.split_once(' ').unwrap();
        match what {
            "user" => assert!(users.contains(name), "{name} was answered and is gone"),
            "policy" => {
                let identity = store.user(name).unwrap().identity;
                let effective = store.entitlements(&identity).unwrap().value.unwrap();
                assert_eq!(effective.policies.len(), 1, "the policy of {name}");
            }
            _ => {
                assert!(keys.contains(name), "key {name} was answered and is gone");
                assert!(store.login_key(name).unwrap().value.is_some(), "the secret of {name} opens");
            }
        }
    }
    // Each revision has its record, none is missing or doubled.
    let newest = store.revision().unwrap();
    let mut seen = 0;
    let mut after = Revision(0);
    loop {
        let rows = store.administration(after, 1000).unwrap();
        let Some(last) = rows.last() else { break };
        after = last.revision;
        seen += rows.len() as u64;
    }
    assert_eq!((after, seen), (newest, newest.0));
}
