// SPDX-License-Identifier: Apache-2.0
//! What the store costs on SQLite and, where `STANDIN_TEST_POSTGRES` names a
//! server, on PostgreSQL: lookups for logins by one and by four threads, on one
//! connection to the file and on eight, entitlements, and writes. Prints operations a second, and each as a ratio to
//! SQLite's.

#![allow(clippy::unwrap_used, reason = "a measurement that fails stops")]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use standin::access_control::{Owner, Store};
use standin_program::store::make_store;

const ALLOW: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kafka-cluster:*","Resource":"*"}}"#;
const FOR: Duration = Duration::from_secs(2);

/// Operations a second by so many threads.
fn rate(threads: u64, work: impl Fn(u64) + Sync) -> f64 {
    let (stop, count) = (AtomicBool::new(false), AtomicU64::new(0));
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    work(count.fetch_add(1, Ordering::Relaxed));
                }
            });
        }
        std::thread::sleep(FOR);
        stop.store(true, Ordering::Relaxed);
    });
    #[allow(clippy::cast_precision_loss, reason = "a count of two seconds")]
    let count = count.load(Ordering::Relaxed) as f64;
    count / begun.elapsed().as_secs_f64()
}

fn measure(store: Store) -> [(&'static str, f64); 6] {
    for n in 0..100 {
        let name = format!("u{n}");
        store.create_user("bench", "/", &name, &[]).unwrap();
        store.put_inline("bench", Owner::User(&name), "own", ALLOW).unwrap();
    }
    let keys: Vec<String> = (0..100).map(|n| store.create_key("bench", &format!("u{n}")).unwrap().0.id).collect();
    let users = store.users().unwrap();
    let at = |n: u64| usize::try_from(n % 100).unwrap_or(0);
    let log_in = |store: &Store, n: u64| drop(store.login_key(&keys[at(n)]).unwrap());
    let alone = rate(1, |n| log_in(&store, n));
    let queued = rate(4, |n| log_in(&store, n));
    let store = store.with_readers(8);
    [
        ("key for a login, 1 thread", alone),
        ("key, 4 threads, 1 reader", queued),
        ("key, 4 threads, 8 readers", rate(4, |n| log_in(&store, n))),
        ("entitlements, 1 thread", rate(1, |n| drop(store.entitlements(&users[at(n)].identity).unwrap()))),
        ("changes, 1 thread", rate(1, |_| drop(store.changes(store.revision().unwrap(), 100).unwrap()))),
        ("writes, 1 thread", rate(1, |n| store.tag_user("bench", &format!("u{}", at(n)), &[]).unwrap())),
    ]
}

fn main() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("store.db").display().to_string();
    let base = measure(make_store(&file, None, "123456789012").unwrap());
    println!("{:<28} {:>12}", "operations a second", "SQLite");
    let Ok(server) = std::env::var("STANDIN_TEST_POSTGRES") else {
        base.iter().for_each(|(name, rate)| println!("{name:<28} {rate:>12.0}"));
        println!("PostgreSQL is not measured: STANDIN_TEST_POSTGRES names no server");
        return;
    };
    let key = dir.path().join("key");
    let other = measure(make_store(&server, Some(&key), "123456789012").unwrap());
    for ((name, one), (_, other)) in base.iter().zip(&other) {
        println!("{name:<28} {one:>12.0}   PostgreSQL {other:>10.0}   ratio {:.2}", other / one);
    }
}
