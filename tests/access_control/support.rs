// SPDX-License-Identifier: Apache-2.0
//! A store in a directory of its own.

use std::path::Path;
use std::sync::Arc;

use standin::access_control::{Store, StoreFiles};
use standin::fault::Fault;
use standin::time::{ManualClock, SystemRandom, UnixMillis};

pub(crate) const ALLOW: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kafka-cluster:*","Resource":"*"}}"#;
pub(crate) const DENY: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"kafka-cluster:*","Resource":"*"}}"#;

pub(crate) struct Home {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) store: Store,
    pub(crate) clock: Arc<ManualClock>,
}

pub(crate) fn files(dir: &Path) -> StoreFiles {
    StoreFiles { store: dir.join("store.db"), key_file: dir.join("store.db.key") }
}

/// A directory in memory where there is one: only `tests/crash.rs` is about
/// disks.
fn place() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(UnixMillis(1_767_323_045_000)))
}

pub(crate) fn home() -> Home {
    let (dir, clock) = (place(), clock());
    let store =
        Store::create(&files(dir.path()), "123456789012", Arc::clone(&clock) as _, Arc::new(SystemRandom)).unwrap();
    Home { dir, store, clock }
}

impl Home {
    /// The same store, as another process opens it.
    pub(crate) fn again(&self) -> Result<Store, Fault> {
        open(self.dir.path())
    }

    /// Its key file.
    pub(crate) fn key_file(&self) -> std::path::PathBuf {
        files(self.dir.path()).key_file
    }

    /// Statements that go past the store.
    pub(crate) fn raw(&self, sql: &str) {
        rusqlite::Connection::open(self.dir.path().join("store.db")).unwrap().execute_batch(sql).unwrap();
    }
}

pub(crate) fn open(dir: &Path) -> Result<Store, Fault> {
    Store::open(&files(dir), clock(), Arc::new(SystemRandom))
}
