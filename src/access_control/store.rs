// SPDX-License-Identifier: Apache-2.0
//! The open store: connections, transactions, revisions, and the record of
//! administration.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params};

use super::changes::Kind;
use super::{files, schema};
use crate::credential::envelope::KeyRing;
use crate::fault::{Fault, Status};
use crate::identity::check_account;
use crate::revision::Revision;
use crate::time::{Clock, Random};

/// How long a statement waits for another process's lock.
const BUSY: Duration = Duration::from_millis(900);
/// What shows that a key file belongs to a store is sealed for this place.
const MARK: &[u8] = b"store-mark";
/// How many revisions' changes are kept at least.
const KEEP: i64 = 100_000;

/// Where a store lives.
#[derive(Clone, Debug)]
pub struct StoreFiles {
    /// The SQLite file.
    pub store: PathBuf,
    /// The key file under which its secrets are sealed.
    pub key_file: PathBuf,
}

/// One act of administration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminRow {
    /// Its revision.
    pub revision: Revision,
    /// Account it concerned.
    pub account: String,
    /// When, milliseconds since the epoch.
    pub time: i64,
    /// Who.
    pub actor: String,
    /// What, in IAM's words, such as `CreateUser`.
    pub action: String,
    /// On what.
    pub target: String,
    /// More, for people.
    pub detail: String,
}

/// The open store. Shared by threads; other processes may have the same file
/// open.
pub struct Store {
    pub(super) ring: KeyRing,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
    writer: Mutex<Connection>,
    reader: Mutex<Connection>,
    account: String,
    path: PathBuf,
    /// Device and number of the file that is open.
    file: (u64, u64),
}

/// Turns a database error into its kind: what cannot be read now is not
/// missing and not denied.
pub(super) fn failed(e: rusqlite::Error) -> Fault {
    let busy = matches!(e.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked));
    if busy {
        Fault::new(Status::Busy, "the store is locked by another process")
    } else {
        Fault::unavailable(format!("the store failed: {e}"))
    }
}

fn connect(path: &Path) -> Result<Connection, Fault> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).map_err(failed)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
    connection.pragma_update(None, "foreign_keys", true).map_err(failed)?;
    connection.pragma_update(None, "trusted_schema", false).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

impl Store {
    /// Makes a new store with a new key file, for one account.
    ///
    /// # Errors
    /// [`Status::Conflict`] when one of the files exists; nothing is changed
    /// then.
    pub fn create(
        at: &StoreFiles,
        account: &str,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, Fault> {
        check_account(account)?;
        files::check_local(at.store.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
        if at.store.exists() {
            return Err(Fault::new(Status::Conflict, format!("the store {} exists already", at.store.display())));
        }
        let ring = KeyRing::generate(&*random)?;
        ring.create(&at.key_file)?;
        files::prepare(&at.store, true)?;
        let mut connection = connect(&at.store)?;
        schema::migrate(&mut connection)?;
        let mark = ring.seal(&*random, MARK, account.as_bytes())?;
        connection
            .execute("INSERT INTO meta VALUES ('account', ?1), ('mark', ?2)", params![account, mark])
            .map_err(failed)?;
        drop(connection);
        Self::open(at, clock, random)
    }

    /// Opens a store.
    ///
    /// # Errors
    /// With what to do: missing or readable files, a network file system, a
    /// newer format, a key file of another store.
    pub fn open(at: &StoreFiles, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Result<Self, Fault> {
        files::prepare(&at.store, false)?;
        files::check_local(at.store.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
        let ring = KeyRing::read(&at.key_file)?;
        let mut writer = connect(&at.store)?;
        schema::migrate(&mut writer)?;
        let reader = connect(&at.store)?;
        let account: Option<String> = meta(&reader, "account")?;
        let mark: Option<Vec<u8>> = meta(&reader, "mark")?;
        let (Some(account), Some(mark)) = (account, mark) else {
            return Err(Fault::new(
                Status::InvalidSetting,
                format!("{} is not a store of Standin", at.store.display()),
            ));
        };
        ring.open(MARK, &mark).map_err(|f| {
            let (key_file, store) = (at.key_file.display(), at.store.display());
            Fault::new(Status::InvalidSetting, format!("key file {key_file} does not belong to the store {store}: {f}"))
        })?;
        let (path, file) = (at.store.clone(), files::identity(&at.store)?);
        Ok(Self { ring, clock, random, writer: Mutex::new(writer), reader: Mutex::new(reader), account, path, file })
    }

    /// This store, waiting up to `patience` for another process's lock: for
    /// people, who rather wait than try again. Without it, less than a second.
    ///
    /// # Errors
    /// When the store failed.
    pub fn patient(self, patience: Duration) -> Result<Self, Fault> {
        for connection in [&self.writer, &self.reader] {
            lock(connection)?.busy_timeout(patience).map_err(failed)?;
        }
        Ok(self)
    }

    /// The account of this store.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The key ring of this store.
    #[must_use]
    pub fn ring(&self) -> &KeyRing {
        &self.ring
    }

    /// Runs `read` on a consistent view, with the revision it shows.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Connection, Revision) -> Result<T, Fault>) -> Result<T, Fault> {
        let mut reader = lock(&self.reader)?;
        let transaction = reader.transaction().map_err(failed)?;
        let revision = revision_of(&transaction)?;
        let value = read(&transaction, revision)?;
        transaction.finish().map_err(failed)?;
        Ok(value)
    }

    /// Runs `write` in one transaction under the next revision, together with
    /// the record of who did what. Nothing stays when it fails.
    pub(super) fn write<T>(
        &self,
        actor: &str,
        action: &str,
        target: &str,
        write: impl FnOnce(&mut Write<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut writer = lock(&self.writer)?;
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        // The row is locked by the transaction, so revisions commit in order.
        let number: i64 = transaction
            .prepare_cached("UPDATE revision SET number = number + 1 RETURNING number")
            .and_then(|mut s| s.query_row([], |row| row.get(0)))
            .map_err(failed)?;
        let now = self.clock.wall().0;
        let mut scope = Write {
            transaction: &transaction,
            revision: number,
            position: 0,
            account: &self.account,
            now,
            target: target.to_owned(),
            detail: String::new(),
        };
        let value = write(&mut scope)?;
        let (target, detail) = (scope.target, scope.detail);
        transaction
            .prepare_cached("INSERT INTO administration VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")
            .and_then(|mut s| s.execute(params![number, self.account, now, actor, action, target, detail]))
            .map_err(failed)?;
        if number % 1000 == 0 && number > KEEP {
            // Who has not followed up to here is told that something is missing.
            let from = number - KEEP;
            transaction.execute("DELETE FROM change WHERE revision < ?1", params![from]).map_err(failed)?;
            transaction.execute("UPDATE revision SET changes_from = ?1", params![from]).map_err(failed)?;
        }
        transaction.commit().map_err(failed)?;
        Ok(value)
    }

    /// Runs `write` in one transaction without a revision: for what nobody
    /// follows, such as live sessions.
    pub(super) fn note<T>(&self, write: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        let mut writer = lock(&self.writer)?;
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let value = write(&transaction)?;
        transaction.commit().map_err(failed)?;
        Ok(value)
    }

    /// The newest revision. Also notices when another file has taken the place
    /// of the one that is open, which then has a history of its own.
    ///
    /// # Errors
    /// When the store cannot be read or its file was moved, replaced or
    /// deleted.
    pub fn revision(&self) -> Result<Revision, Fault> {
        if files::identity(&self.path).ok() != Some(self.file) {
            return Err(Fault::unavailable(format!(
                "the store {} was moved, replaced or deleted; put it back, or restart what has it open",
                self.path.display()
            )));
        }
        revision_of(&*lock(&self.reader)?)
    }

    /// Administration after a revision, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn administration(&self, after: Revision, limit: usize) -> Result<Vec<AdminRow>, Fault> {
        self.read(|c, _| {
            let mut statement = c.prepare_cached("SELECT revision, account, time, actor, action, target, detail FROM administration WHERE revision > ?1 ORDER BY revision LIMIT ?2").map_err(failed)?;
            let rows = statement
                .query_map(params![signed(after.0), signed(limit as u64)], |row| {
                    Ok(AdminRow {
                        revision: Revision(row.get::<_, i64>(0)?.unsigned_abs()),
                        account: row.get(1)?,
                        time: row.get(2)?,
                        actor: row.get(3)?,
                        action: row.get(4)?,
                        target: row.get(5)?,
                        detail: row.get(6)?,
                    })
                })
                .map_err(failed)?;
            rows.collect::<Result<_, _>>().map_err(failed)
        })
    }
}

fn meta<T: rusqlite::types::FromSql>(connection: &Connection, name: &str) -> Result<Option<T>, Fault> {
    connection
        .query_row("SELECT value FROM meta WHERE name = ?1", params![name], |row| row.get(0))
        .optional()
        .map_err(failed)
}

pub(super) fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn lock(connection: &Mutex<Connection>) -> Result<MutexGuard<'_, Connection>, Fault> {
    connection.lock().map_err(|_| Fault::unavailable("the store failed earlier"))
}

fn revision_of(connection: &Connection) -> Result<Revision, Fault> {
    let number: i64 = connection
        .prepare_cached("SELECT number FROM revision")
        .and_then(|mut s| s.query_row([], |row| row.get(0)))
        .map_err(failed)?;
    Ok(Revision(number.unsigned_abs()))
}

/// One write under way.
pub(super) struct Write<'t> {
    transaction: &'t Transaction<'t>,
    revision: i64,
    position: i64,
    pub(super) account: &'t str,
    pub(super) now: i64,
    /// What is acted on, for the record: its ARN where it has one.
    pub(super) target: String,
    /// More, for the record.
    pub(super) detail: String,
}

impl Write<'_> {
    /// Runs one statement; how many rows it touched.
    pub(super) fn run(&mut self, sql: &str, params: impl rusqlite::Params) -> Result<usize, Fault> {
        self.transaction.prepare_cached(sql).and_then(|mut s| s.execute(params)).map_err(|e| {
            match e.sqlite_error_code() {
                Some(ErrorCode::ConstraintViolation) => Fault::new(Status::Conflict, "it exists already"),
                _ => failed(e),
            }
        })
    }

    /// The connection, for reads of this transaction.
    pub(super) fn view(&self) -> &Connection {
        self.transaction
    }

    /// Announces a change to those who follow.
    pub(super) fn announce(&mut self, kind: Kind, subject: &str) -> Result<(), Fault> {
        self.position += 1;
        let (revision, position, account) = (self.revision, self.position, self.account);
        self.run(
            "INSERT INTO change VALUES (?1, ?2, ?3, ?4, ?5)",
            params![revision, position, account, kind.word(), subject],
        )
        .map(drop)
    }
}
