// SPDX-License-Identifier: Apache-2.0
//! Services over HTTPS on one database.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use standin::access_control::StoreFiles;
use standin::revision::Revision;
use standin::service::{Remote, SecurityService};
use standin::time::SystemRandom;
use standin_program::store::make_store;

use crate::place::{Place, Serving, until};
use crate::support::{raw, server};

/// A database of its own, whose transactions can be counted.
struct Own {
    place: Place,
    name: String,
}

impl Own {
    fn new() -> Self {
        let mut name = [0; 8];
        standin::time::Random::fill(&SystemRandom, &mut name).unwrap();
        let name = format!("d{:016x}", u64::from_le_bytes(name));
        raw(&server(), &format!("CREATE DATABASE {name}")).unwrap();
        let url = server().replace("/postgres?", &format!("/{name}?"));
        let dir = tempfile::tempdir().unwrap();
        let files = StoreFiles { store: dir.path().join("none"), key_file: dir.path().join("store.key") };
        let store = make_store(&url, Some(&files.key_file), "123456789012").unwrap();
        Self { place: Place::on(dir, files, store, url), name }
    }

    /// Transactions of this database so far.
    fn transactions(&self) -> i64 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&server(), tokio_postgres::NoTls).await.unwrap();
            tokio::spawn(connection);
            let sql = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = $1";
            client.query_one(sql, &[&self.name]).await.unwrap().get(0)
        })
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        drop(raw(&server(), &format!("DROP DATABASE {} WITH (FORCE)", self.name)));
    }
}

fn remote(own: &Own, serving: &Serving, credential: &Path) -> Arc<Remote> {
    Arc::new(own.place.remote(serving.port, credential))
}

/// replicas do not ask the database again and again whether something
/// changed, and are told at once when it did.
#[test]
fn x_09_replicas_are_woken_and_do_not_poll() {
    let own = Own::new();
    let (one, other) = (own.place.serve(), own.place.serve());
    let hosts = [
        remote(&own, &one, &own.place.enroll(&one, "demo/1")),
        remote(&own, &other, &own.place.enroll(&one, "demo/2")),
    ];
    own.place.store.create_user("test", "/", "ann", &[]).unwrap();
    let at = own.place.store.revision().unwrap();
    let seen = [AtomicU64::new(at.0), AtomicU64::new(at.0)];
    std::thread::scope(|scope| {
        let follow = |host: &Arc<Remote>, seen: &AtomicU64| {
            while seen.load(Ordering::SeqCst) < at.0 + 10 {
                let after = Revision(seen.load(Ordering::SeqCst));
                seen.store(host.follow(Some(after), 100, 20_000).unwrap().newest.0, Ordering::SeqCst);
            }
        };
        for (host, seen) in hosts.iter().zip(&seen) {
            scope.spawn(move || follow(host, seen));
        }
        // Until what came before is counted.
        std::thread::sleep(Duration::from_millis(1500));
        let before = own.transactions();
        std::thread::sleep(Duration::from_secs(2));
        let spent = own.transactions() - before;
        // Two services that look once a second, and as much again.
        assert!(spent <= 24, "{spent} transactions in two seconds in which nothing happened");
        let begun = Instant::now();
        for n in 1..=10 {
            own.place.store.tag_user("test", "ann", &[("n".into(), n.to_string())]).unwrap();
            until("the change at both", || seen.iter().all(|seen| seen.load(Ordering::SeqCst) == at.0 + n));
        }
        // By looking alone ten changes take ten looks.
        assert!(begun.elapsed() < Duration::from_secs(5), "ten changes took {:?}", begun.elapsed());
    });
}
