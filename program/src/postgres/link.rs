// SPDX-License-Identifier: Apache-2.0
//! One connection to PostgreSQL, and one transaction at a time on it.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use standin::access_control::{Connection, Each, Value, forbidden};
use standin::fault::{Fault, Status};
use tokio::runtime::Handle;
use tokio::time::timeout_at;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, Statement};

use super::place::{Place, chain};
use super::values::{Given, Line};
use super::{millis, too_long};

/// Longest attempt to connect.
const CONNECT: Duration = Duration::from_secs(2);
/// Most statements kept prepared.
const PREPARED: usize = 128;

/// What became of the transaction and its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Nothing that another run would change.
    None,
    /// The server asks to run it again.
    Again,
    /// The connection is gone.
    Lost,
}

/// See the module's page.
pub(super) struct Link {
    client: Client,
    runtime: Handle,
    prepared: RefCell<HashMap<String, Statement>>,
    /// How the transaction begins, until its first statement.
    beginning: Cell<Option<&'static str>>,
    until: Cell<Instant>,
    trouble: Cell<Trouble>,
}

impl Link {
    /// Connects, and tells the server how long it may take.
    pub(super) fn connect(
        place: &Place,
        runtime: Handle,
        patience: Duration,
        work: Duration,
        by: Instant,
    ) -> Result<Self, Fault> {
        let connecting = async {
            let (client, connection) = place.config.connect(place.tls.clone()).await?;
            // Ends with the client, or with the connection.
            tokio::spawn(connection);
            Ok::<_, Error>(client)
        };
        let bound = by.min(Instant::now() + CONNECT);
        let client = match runtime.block_on(async { timeout_at(bound.into(), connecting).await }) {
            Ok(Ok(client)) => client,
            Ok(Err(e)) => return Err(refused(place, &e)),
            Err(_) => return Err(too_long("connecting")),
        };
        let link = Self {
            client,
            runtime,
            prepared: RefCell::default(),
            beginning: Cell::new(None),
            until: Cell::new(by),
            trouble: Cell::new(Trouble::None),
        };
        let (lock, statement) = (millis(patience), millis(patience + work));
        link.batch(&format!(
            "SET lock_timeout = {lock}; SET statement_timeout = {statement};
             SET idle_in_transaction_session_timeout = {statement}; SET client_min_messages = error;
             SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
        ))?;
        Ok(link)
    }

    /// From now on nothing on this connection takes longer.
    pub(super) fn set_until(&self, by: Instant) {
        self.until.set(by);
    }

    pub(super) fn trouble(&self) -> Trouble {
        self.trouble.get()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    fn wait<T>(&self, answer: impl Future<Output = Result<T, Error>>) -> Result<T, Fault> {
        let until = self.until.get().into();
        match self.runtime.block_on(async { timeout_at(until, answer).await }) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(e)) => Err(self.failed(&e)),
            Err(_) => {
                // Its answer may still come; nobody must take it for another's.
                self.trouble.set(Trouble::Lost);
                Err(too_long("a statement"))
            }
        }
    }

    /// Runs statements without values.
    pub(super) fn batch(&self, sql: &str) -> Result<(), Fault> {
        self.wait(self.client.batch_execute(sql))
    }

    /// Begins a transaction with its first statement: one answer less to wait
    /// for.
    pub(super) fn begin(&self, how: &'static str) {
        self.trouble.set(Trouble::None);
        self.beginning.set(Some(how));
    }

    /// Ends a transaction that only read. What the server says to that changes
    /// nothing, so it is not waited for; the next statement comes after it.
    pub(super) fn end_read(&self) {
        if self.beginning.take().is_none() {
            let mut end = std::pin::pin!(self.client.batch_execute("COMMIT"));
            let _ = end.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }
    }

    pub(super) fn commit(&self) -> Result<(), Fault> {
        if self.beginning.take().is_some() { Ok(()) } else { self.batch("COMMIT") }
    }

    /// Ends a transaction without its effects. A connection on which that fails
    /// is lost; the server then does it.
    pub(super) fn roll_back(&self) {
        if self.beginning.take().is_none() && self.trouble.get() != Trouble::Lost {
            let before = self.trouble.get();
            if self.batch("ROLLBACK").is_ok() {
                self.trouble.set(before);
            } else {
                self.trouble.set(Trouble::Lost);
            }
        }
    }

    fn prepare(&self, sql: &str) -> Result<Statement, Fault> {
        if let Some(statement) = self.prepared.borrow().get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.wait(self.client.prepare(&sql.replace('?', "$")))?;
        let mut prepared = self.prepared.borrow_mut();
        if prepared.len() >= PREPARED {
            prepared.clear();
        }
        prepared.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    /// Runs a statement, and the beginning of its transaction before it.
    fn send<T, F>(&self, send: F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Error>>,
    {
        match self.beginning.take() {
            None => self.wait(send),
            Some(how) => self.wait(async {
                let (begun, answer) = tokio::join!(biased; self.client.batch_execute(how), send);
                begun.and(answer)
            }),
        }
    }

    /// Turns a failure into its kind, and notes what it means for the
    /// transaction.
    fn failed(&self, e: &Error) -> Fault {
        let Some(db) = e.as_db_error() else {
            self.trouble.set(Trouble::Lost);
            return Fault::unavailable(format!("the connection to the store's database was lost: {}", chain(e)));
        };
        let code = db.code();
        let text = format!("the store's database: {} ({})", db.message(), code.code());
        if code.code().starts_with("23") {
            return forbidden();
        }
        if [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED].contains(code) {
            self.trouble.set(Trouble::Again);
            return Fault::new(Status::Busy, text);
        }
        if [SqlState::LOCK_NOT_AVAILABLE, SqlState::TOO_MANY_CONNECTIONS].contains(code) {
            return Fault::new(Status::Busy, text);
        }
        // Shutting down, starting, no longer the server that may be written, or
        // with other tables than the statements were prepared for.
        let stale = [
            SqlState::READ_ONLY_SQL_TRANSACTION,
            SqlState::FEATURE_NOT_SUPPORTED,
            SqlState::INVALID_SQL_STATEMENT_NAME,
        ];
        if code.code().starts_with("57P") || stale.contains(code) {
            self.trouble.set(Trouble::Lost);
        }
        Fault::unavailable(text)
    }
}

/// Why there is no connection.
fn refused(place: &Place, e: &Error) -> Fault {
    let Some(db) = e.as_db_error() else {
        return Fault::unavailable(format!("the database {place} does not answer: {}", chain(e)));
    };
    let text = format!("the database {place}: {} ({})", db.message(), db.code().code());
    // A password, a user, a database that do not exist: waiting does not help.
    let status = match db.code().code() {
        code if code.starts_with("28") || code.starts_with("3D") => Status::InvalidSetting,
        "53300" => Status::Busy,
        _ => Status::Unavailable,
    };
    Fault::new(status, text)
}

fn check(values: &[Value<'_>]) -> Result<(), Fault> {
    let holds_nul = |v: &Value<'_>| matches!(v, Value::Text(text) if text.contains('\0'));
    if values.iter().any(holds_nul) {
        return Err(Fault::new(
            Status::InvalidArgument,
            "a text holds the character NUL, which the store does not take",
        ));
    }
    Ok(())
}

impl Connection for Link {
    fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<usize, Fault> {
        check(values)?;
        let statement = self.prepare(sql)?;
        let given: Vec<Given<'_>> = values.iter().map(|v| Given(*v)).collect();
        let given: Vec<&(dyn ToSql + Sync)> = given.iter().map(|g| g as _).collect();
        let rows = self.send(self.client.execute(&statement, &given))?;
        Ok(usize::try_from(rows).unwrap_or(usize::MAX))
    }

    fn query(&self, sql: &str, values: &[Value<'_>], each: Each<'_>) -> Result<(), Fault> {
        check(values)?;
        let statement = self.prepare(sql)?;
        let given: Vec<Given<'_>> = values.iter().map(|v| Given(*v)).collect();
        let given: Vec<&(dyn ToSql + Sync)> = given.iter().map(|g| g as _).collect();
        let rows: Vec<Row> = self.send(self.client.query(&statement, &given))?;
        rows.iter().try_for_each(|row| each(&Line(row)))
    }
}
