// SPDX-License-Identifier: Apache-2.0
//! The store's tables in one SQLite file.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{ErrorCode, OpenFlags, ToSql, TransactionBehavior};

use super::database::{Connection, Database, Each, Row, Value, Work, forbidden};
use super::pool::Pool;
use super::{files, schema};
use crate::fault::{Fault, Status};
use crate::files::Kept;

/// How long a statement waits for another process's lock.
const BUSY: Duration = Duration::from_millis(900);

/// The open file: one connection writes, others read, as many as are let read
/// at once. Who reads waits for nobody who writes. Other processes may have the
/// file open too.
pub(super) struct Sqlite {
    writer: Mutex<Kept<rusqlite::Connection>>,
    readers: Pool<Kept<rusqlite::Connection>>,
    /// Where files may be opened: all connections are of one table of files.
    home: Kept<()>,
    path: PathBuf,
    /// Device and number of the file that is open.
    file: (u64, u64),
    /// How long is waited for a connection and for locks, milliseconds.
    patience: AtomicU64,
}

/// Turns a database error into its kind: what cannot be read now is not
/// missing and not denied.
pub(super) fn failed(e: rusqlite::Error) -> Fault {
    match e.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => forbidden(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Fault::new(Status::Busy, "the store is locked by another process")
        }
        _ => Fault::unavailable(format!("the store failed: {e}")),
    }
}

fn connect(path: &Path, patience: Duration) -> Result<rusqlite::Connection, Fault> {
    let connection = rusqlite::Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(failed)?;
    connection.busy_timeout(patience).map_err(failed)?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).map_err(failed)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
    connection.pragma_update(None, "foreign_keys", true).map_err(failed)?;
    connection.pragma_update(None, "trusted_schema", false).map_err(failed)?;
    // Else a statement is planned anew for each value it is given, as if
    // statistics had been made, which nobody does.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Where a store's file may be: on a disk of this machine.
pub(super) fn check_place(path: &Path) -> Result<(), Fault> {
    files::check_local(path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")))
}

impl Sqlite {
    /// Opens a file and brings its tables up to date.
    pub(super) fn open(path: &Path) -> Result<Self, Fault> {
        files::prepare(path, false)?;
        check_place(path)?;
        let mut writer = connect(path, BUSY)?;
        schema::migrate(&mut writer)?;
        Ok(Self {
            writer: Mutex::new(Kept::new(writer)),
            readers: Pool::new(1),
            home: Kept::new(()),
            path: path.to_owned(),
            file: files::identity(path)?,
            patience: AtomicU64::new(millis(BUSY)),
        })
    }

    fn patience(&self) -> Duration {
        Duration::from_millis(self.patience.load(Ordering::Relaxed))
    }

    /// One more connection that reads.
    fn new_reader(&self) -> Result<Kept<rusqlite::Connection>, Fault> {
        self.home.get()?;
        // The name may be another file's by now, also since it was looked at.
        self.check()?;
        let reader = connect(&self.path, self.patience())?;
        self.check()?;
        reader.pragma_update(None, "query_only", true).map_err(failed)?;
        Ok(Kept::new(reader))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Runs a statement without values, which is prepared once.
fn run(connection: &rusqlite::Connection, sql: &str) -> Result<(), Fault> {
    connection.prepare_cached(sql).and_then(|mut statement| statement.execute([])).map(drop).map_err(failed)
}

/// Reads every page of a file.
pub(super) fn check_whole(path: &Path) -> Result<(), Fault> {
    let connection = connect(path, BUSY)?;
    let found: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(failed)?;
    if found == "ok" {
        return Ok(());
    }
    Err(Fault::new(Status::InvalidDocument, format!("{} is damaged: {found}", path.display())))
}

impl Database for Sqlite {
    fn read(&self, work: Work<'_>) -> Result<(), Fault> {
        let (idle, room) = self.readers.take(Instant::now() + self.patience())?;
        let reader = idle.map_or_else(|| self.new_reader(), Ok)?;
        let connection = reader.get()?;
        // A view begins with its first statement, so it is of after this call.
        run(connection, "BEGIN")?;
        let outcome = work(connection).and_then(|()| run(connection, "COMMIT"));
        // Else what was begun would go on for who reads next.
        if outcome.is_ok() || connection.is_autocommit() || run(connection, "ROLLBACK").is_ok() {
            room.give_back(reader);
        }
        outcome
    }

    fn write(&self, work: Work<'_>) -> Result<(), Fault> {
        let mut writer = self.writer.lock().map_err(|_| Fault::unavailable("the store failed earlier"))?;
        let transaction =
            writer.get_mut()?.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        work(&*transaction)?;
        transaction.commit().map_err(failed)
    }

    /// Another file may have taken the place of the one that is open, which
    /// then has a history of its own.
    fn check(&self) -> Result<(), Fault> {
        if files::identity(&self.path).ok() == Some(self.file) {
            return Ok(());
        }
        Err(Fault::unavailable(format!(
            "the store {} was moved, replaced or deleted; put it back, or restart what has it open",
            self.path.display()
        )))
    }

    fn set_patience(&self, patience: Duration) -> Result<(), Fault> {
        self.patience.store(millis(patience), Ordering::Relaxed);
        self.readers.forget();
        let writer = self.writer.lock().map_err(|_| Fault::unavailable("the store failed earlier"))?;
        writer.get()?.busy_timeout(patience).map_err(failed)
    }

    fn set_readers(&self, most: usize) {
        self.readers.set_most(most.max(1));
    }

    fn copy_to(&self, file: &Path) -> Result<(), Fault> {
        let path = file.to_str().ok_or_else(|| Fault::new(Status::InvalidArgument, "a path is not UTF-8"))?;
        files::prepare(file, true)?;
        let copied = connect(&self.path, BUSY).and_then(|c| {
            // One view of the database; who writes meanwhile is not kept from it.
            c.execute("VACUUM INTO ?1", [path]).map_err(failed)?;
            files::sync(file)
        });
        // Half a copy is none.
        copied.inspect_err(|_| drop(std::fs::remove_file(file)))
    }

    fn shown(&self) -> String {
        self.path.display().to_string()
    }
}

/// A value as SQLite takes it, without a copy.
struct Given<'a>(Value<'a>);

impl ToSql for Given<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Integer(number) => ValueRef::Integer(number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn given<'a>(values: &'a [Value<'a>]) -> impl rusqlite::Params {
    rusqlite::params_from_iter(values.iter().map(|v| Given(*v)))
}

impl Connection for rusqlite::Connection {
    fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<usize, Fault> {
        self.prepare_cached(sql).and_then(|mut statement| statement.execute(given(values))).map_err(failed)
    }

    fn query(&self, sql: &str, values: &[Value<'_>], each: Each<'_>) -> Result<(), Fault> {
        let mut statement = self.prepare_cached(sql).map_err(failed)?;
        let mut rows = statement.query(given(values)).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            each(row)?;
        }
        Ok(())
    }
}

impl Row for rusqlite::Row<'_> {
    fn value(&self, column: usize) -> Result<Value<'_>, Fault> {
        match self.get_ref(column).map_err(failed)? {
            ValueRef::Null => Ok(Value::Null),
            ValueRef::Integer(number) => Ok(Value::Integer(number)),
            ValueRef::Text(text) => std::str::from_utf8(text)
                .map(Value::Text)
                .map_err(|_| Fault::unavailable("the store failed: a text is not UTF-8")),
            ValueRef::Blob(bytes) => Ok(Value::Blob(bytes)),
            ValueRef::Real(_) => Err(Fault::unavailable("the store failed: a fraction where none belongs")),
        }
    }
}
