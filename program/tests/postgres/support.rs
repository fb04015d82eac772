// SPDX-License-Identifier: Apache-2.0
//! A store in a schema of its own.

use std::path::Path;
use std::sync::Arc;

use standin::access_control::Store;
use standin::fault::Fault;
use standin::time::{Clock, ManualClock, Random, SystemClock, SystemRandom, UnixMillis};
use standin_program::postgres::Postgres;

pub(crate) const ALLOW: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kafka-cluster:*","Resource":"*"}}"#;
pub(crate) const DENY: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"kafka-cluster:*","Resource":"*"}}"#;

pub(crate) struct Home {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) store: Store,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) url: String,
}

/// The server of these tests.
pub(crate) fn server() -> String {
    std::env::var("STANDIN_TEST_POSTGRES").expect(
        "STANDIN_TEST_POSTGRES holds the URL of a server: export it from `scripts/postgres start build/postgres`",
    )
}

/// Runs statements that go past the store.
pub(crate) fn raw(url: &str, sql: &str) -> Result<(), tokio_postgres::Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
        let driving = tokio::spawn(connection);
        let done = client.batch_execute(sql).await;
        drop(client);
        driving.await.unwrap()?;
        done
    })
}

/// The URL of an empty schema of its own, on this server.
pub(crate) fn place(server: &str) -> String {
    let mut name = [0; 8];
    SystemRandom.fill(&mut name).unwrap();
    let name = format!("t{:016x}", u64::from_le_bytes(name));
    raw(server, &format!("CREATE SCHEMA {name}")).unwrap();
    format!("{server}&application_name={name}&options=-c%20search_path%3D{name}")
}

pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(UnixMillis(1_767_323_045_000)))
}

pub(crate) fn home() -> Home {
    home_at(&server())
}

pub(crate) fn home_at(server: &str) -> Home {
    let (dir, clock, url) = (tempfile::tempdir().unwrap(), clock(), place(server));
    let database = Box::new(Postgres::make(&url).unwrap());
    let key_file = dir.path().join("store.key");
    let random = Arc::new(SystemRandom);
    let store = Store::create_in(database, &key_file, "123456789012", Arc::clone(&clock) as _, random).unwrap();
    Home { dir, store, clock, url }
}

/// The store of a URL, as a service opens it.
pub(crate) fn open(url: &str, dir: &Path, clock: Arc<dyn Clock>) -> Result<Store, Fault> {
    Store::open_in(Box::new(Postgres::open(url)?), &dir.join("store.key"), clock, Arc::new(SystemRandom))
}

impl Home {
    /// The same store, as another service opens it.
    pub(crate) fn again(&self) -> Result<Store, Fault> {
        open(&self.url, self.dir.path(), Arc::new(SystemClock::new()))
    }

    /// Its key file.
    pub(crate) fn key_file(&self) -> std::path::PathBuf {
        self.dir.path().join("store.key")
    }

    /// Statements that go past the store.
    pub(crate) fn raw(&self, sql: &str) {
        raw(&self.url, sql).unwrap();
    }
}
