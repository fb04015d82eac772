// SPDX-License-Identifier: Apache-2.0
//! Copies of a store, and a store made from one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::database::params;
use super::store::{Store, StoreFiles};
use super::{files, sqlite};
use crate::fault::{Fault, Status};
use crate::revision::Revision;
use crate::time::{Clock, Random};

/// How far a restored store's revision goes on beyond what the copy had: more
/// than was written since, so that nothing that was answered looks newer.
const JUMP: i64 = 1_000_000;

impl Store {
    /// Writes a copy of the store to a new file, readable by its owner only,
    /// while others read and write. The sealing keys are not in it.
    ///
    /// # Errors
    /// [`Status::Conflict`] when the file exists; [`Status::InvalidArgument`]
    /// when the store is in a database with tools of its own for that.
    pub fn back_up(&self, file: &Path) -> Result<(), Fault> {
        if file.exists() {
            return Err(Fault::new(Status::Conflict, format!("{} exists already", file.display())));
        }
        self.database.copy_to(file)
    }

    /// Makes a store of a copy, with the key file the copied store had. The
    /// copy is checked first and stays as it is.
    ///
    /// # Errors
    /// [`Status::Conflict`] when there is a store already;
    /// [`Status::InvalidDocument`] when the copy is damaged; as [`Store::open`].
    pub fn restore(
        at: &StoreFiles,
        copy: &Path,
        actor: &str,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, Fault> {
        sqlite::check_place(&at.store)?;
        let beside = |ending: &str| {
            let mut name = at.store.clone().into_os_string();
            name.push(ending);
            PathBuf::from(name)
        };
        // The log of another store would be taken for this one's.
        for path in [at.store.clone(), beside("-wal"), beside("-shm")] {
            if path.exists() {
                return Err(Fault::new(
                    Status::Conflict,
                    format!("{} exists; stop what has the store open and move the store away first", path.display()),
                ));
            }
        }
        let new = beside(".restoring");
        let remove = || {
            for ending in [".restoring", ".restoring-wal", ".restoring-shm"] {
                drop(std::fs::remove_file(beside(ending)));
            }
        };
        remove();
        let make = || {
            files::prepare(&new, true)?;
            let failed = |e: std::io::Error| Fault::new(Status::InvalidArgument, format!("{}: {e}", copy.display()));
            std::fs::copy(copy, &new).map_err(failed)?;
            std::fs::set_permissions(&new, std::os::unix::fs::PermissionsExt::from_mode(0o600)).map_err(failed)?;
            let whole = sqlite::check_whole(&new);
            whole.map_err(|f| Fault { text: f.text.replace(".restoring", ""), ..f })?;
            let files = StoreFiles { store: new.clone(), key_file: at.key_file.clone() };
            Self::open(&files, Arc::clone(&clock), Arc::clone(&random))?.begin_anew(actor)?;
            // Closed, so that all is in the one file.
            files::sync(&new)?;
            std::fs::hard_link(&new, &at.store).map_err(|e| match e.kind() {
                std::io::ErrorKind::AlreadyExists => {
                    Fault::new(Status::Conflict, format!("{} exists already", at.store.display()))
                }
                _ => Fault::unavailable(format!("{}: {e}", at.store.display())),
            })?;
            files::sync(&at.store)
        };
        let made = make();
        remove();
        made?;
        Self::open(at, clock, random)
    }

    /// Goes on after the store's database was put back to an earlier moment:
    /// the revision goes beyond all that were answered, and who follows is told
    /// that everything may have changed.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn begin_anew(&self, actor: &str) -> Result<Revision, Fault> {
        self.write(actor, "RestoreStore", "store", |w| {
            w.detail = format!("the revision goes on {JUMP} later");
            w.run("UPDATE revision SET number = number + ?1, changes_from = number + ?1", params![JUMP])?;
            // Of hosts that reported to what was there before.
            w.run("DELETE FROM live_session", params![])?;
            w.run("DELETE FROM boot", params![]).map(drop)
        })?;
        self.revision()
    }
}
