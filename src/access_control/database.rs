// SPDX-License-Identifier: Apache-2.0
//! The seam to the database: everything the store asks of one. Each operation
//! of the store exists once, in SQL that every database here reads; what
//! differs between databases is behind [`Database`].
//!
//! The SQL is common to SQLite and PostgreSQL: places are `?1`, `?2`; what is
//! true or false is a number; `ON CONFLICT` instead of `INSERT OR …`; a place
//! that may be NULL is compared before it is asked for NULL.

use std::path::Path;
use std::time::Duration;

use crate::fault::{Fault, Status};
use crate::revision::Revision;

/// How often a database that tells nobody of writes is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// A value that goes to a database or comes from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// NULL.
    Null,
    /// A number; what is true or false is 1 or 0.
    Integer(i64),
    /// Text.
    Text(&'a str),
    /// Bytes.
    Blob(&'a [u8]),
}

/// What can stand at a place of a statement.
pub trait AsValue {
    /// The value.
    fn value(&self) -> Value<'_>;
}

impl AsValue for str {
    fn value(&self) -> Value<'_> {
        Value::Text(self)
    }
}

impl AsValue for String {
    fn value(&self) -> Value<'_> {
        Value::Text(self)
    }
}

impl AsValue for i64 {
    fn value(&self) -> Value<'_> {
        Value::Integer(*self)
    }
}

impl AsValue for bool {
    fn value(&self) -> Value<'_> {
        Value::Integer(i64::from(*self))
    }
}

impl AsValue for Vec<u8> {
    fn value(&self) -> Value<'_> {
        Value::Blob(self)
    }
}

impl<const N: usize> AsValue for [u8; N] {
    fn value(&self) -> Value<'_> {
        Value::Blob(self)
    }
}

impl<T: AsValue> AsValue for Option<T> {
    fn value(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Null, AsValue::value)
    }
}

impl<T: AsValue + ?Sized> AsValue for &T {
    fn value(&self) -> Value<'_> {
        (**self).value()
    }
}

/// The values of a statement's places, in order.
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        [$($crate::access_control::database::AsValue::value(&$value)),*].as_slice()
    };
}
pub(super) use params;

/// What a column can be read as.
pub trait FromValue: Sized {
    /// The value as this type; none when it is of another.
    fn from_value(value: Value<'_>) -> Option<Self>;
}

impl FromValue for String {
    fn from_value(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text.to_owned()),
            _ => None,
        }
    }
}

impl FromValue for i64 {
    fn from_value(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Integer(number) => Some(number),
            _ => None,
        }
    }
}

impl FromValue for bool {
    fn from_value(value: Value<'_>) -> Option<Self> {
        i64::from_value(value).map(|n| n != 0)
    }
}

impl FromValue for Vec<u8> {
    fn from_value(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Blob(bytes) => Some(bytes.to_vec()),
            // Databases differ in what they call text in a column of bytes.
            Value::Text(text) => Some(text.as_bytes().to_vec()),
            _ => None,
        }
    }
}

impl<const N: usize> FromValue for [u8; N] {
    fn from_value(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Blob(bytes) => bytes.try_into().ok(),
            _ => None,
        }
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            other => T::from_value(other).map(Some),
        }
    }
}

/// One row of an answer.
pub trait Row {
    /// The value of a column, counted from 0.
    ///
    /// # Errors
    /// When there is no such column.
    fn value(&self, column: usize) -> Result<Value<'_>, Fault>;
}

impl dyn Row + '_ {
    /// The value of a column, counted from 0.
    ///
    /// # Errors
    /// When there is no such column or it holds something else: not "missing",
    /// but could not be read.
    pub fn get<T: FromValue>(&self, column: usize) -> Result<T, Fault> {
        T::from_value(self.value(column)?)
            .ok_or_else(|| Fault::unavailable(format!("the store failed: column {column} holds another kind of value")))
    }
}

/// What a statement's rows are given to.
pub type Each<'e> = &'e mut dyn FnMut(&dyn Row) -> Result<(), Fault>;

/// One transaction of a database. After an error only its end is left.
pub trait Connection {
    /// Runs a statement; how many rows it touched.
    ///
    /// # Errors
    /// [`Status::Conflict`] when a rule of the schema forbids it;
    /// [`Status::Busy`] and [`Status::Unavailable`] when it could not run.
    fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<usize, Fault>;

    /// Runs a statement and hands each of its rows out, until the first error.
    ///
    /// # Errors
    /// As [`Connection::execute`], or what `each` returned.
    fn query(&self, sql: &str, values: &[Value<'_>], each: Each<'_>) -> Result<(), Fault>;
}

impl dyn Connection + '_ {
    /// Every row of an answer.
    ///
    /// # Errors
    /// As [`Connection::query`].
    pub fn all<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        mut read: impl FnMut(&dyn Row) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let mut rows = Vec::new();
        self.query(sql, values, &mut |row| {
            rows.push(read(row)?);
            Ok(())
        })?;
        Ok(rows)
    }

    /// The first row of an answer, if there is one.
    ///
    /// # Errors
    /// As [`Connection::query`].
    pub fn first<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        mut read: impl FnMut(&dyn Row) -> Result<T, Fault>,
    ) -> Result<Option<T>, Fault> {
        let mut first = None;
        self.query(sql, values, &mut |row| {
            if first.is_none() {
                first = Some(read(row)?);
            }
            Ok(())
        })?;
        Ok(first)
    }

    /// The one value of an answer of one row and column.
    ///
    /// # Errors
    /// As [`Connection::query`], and when there is no row.
    pub fn one<T: FromValue>(&self, sql: &str, values: &[Value<'_>]) -> Result<T, Fault> {
        self.first(sql, values, |row| row.get(0))?
            .ok_or_else(|| Fault::unavailable("the store failed: a row that is always there is missing"))
    }
}

/// What is done in one transaction. It may be run again from the start when
/// the database asks for that or was lost before the end, so it must not have
/// an effect of its own.
pub type Work<'w> = &'w mut dyn FnMut(&dyn Connection) -> Result<(), Fault>;

/// A database that holds one store, open and with the tables of this version.
pub trait Database: Send + Sync {
    /// Runs `work` on one consistent view that nobody writes to.
    ///
    /// # Errors
    /// What `work` returned, or could not decide.
    fn read(&self, work: Work<'_>) -> Result<(), Fault>;

    /// Runs `work` in one transaction, which is on the disk when this returns
    /// and leaves nothing when it fails.
    ///
    /// # Errors
    /// What `work` returned, or could not decide. Then it may have happened,
    /// whole, when the answer to the last step was lost.
    fn write(&self, work: Work<'_>) -> Result<(), Fault>;

    /// Fails when this is no longer the database that was opened.
    ///
    /// # Errors
    /// With what to do.
    fn check(&self) -> Result<(), Fault> {
        Ok(())
    }

    /// A number that changes when somebody may have written, as far as this
    /// database has been told.
    fn heard(&self) -> u64 {
        0
    }

    /// Waits until [`Database::heard`] is another than `heard`, and `up_to` at
    /// most. It is a wake-up only: it may come for nothing, and it may not
    /// come.
    fn listen(&self, heard: u64, up_to: Duration) {
        let _ = heard;
        std::thread::sleep(up_to.min(LOOK));
    }

    /// Waits up to `patience` for the locks of others from now on.
    ///
    /// # Errors
    /// When that could not be set.
    fn set_patience(&self, patience: Duration) -> Result<(), Fault>;

    /// Lets so many read at once from now on, where that is not told to the
    /// database in another way.
    fn set_readers(&self, most: usize) {
        let _ = most;
    }

    /// Writes a copy of everything at one moment to a new file, while others
    /// read and write.
    ///
    /// # Errors
    /// [`Status::InvalidArgument`] for a database with tools of its own.
    fn copy_to(&self, file: &Path) -> Result<(), Fault> {
        let _ = file;
        Err(Fault::new(
            Status::InvalidArgument,
            "the database of this store has tools of its own for that; see docs/operations.md, \"backup and restore\"",
        ))
    }

    /// Its place as people write it, without secrets.
    fn shown(&self) -> String;
}

/// The newest revision a transaction sees.
pub(super) fn revision_of(c: &dyn Connection) -> Result<Revision, Fault> {
    c.one("SELECT number FROM revision", params![]).map(|n: i64| Revision(n.unsigned_abs()))
}

/// The fault of a statement that a rule of the schema forbids.
#[must_use]
pub fn forbidden() -> Fault {
    Fault::new(Status::Conflict, "it exists already")
}
