// SPDX-License-Identifier: Apache-2.0
//! The open store: connections, transactions, revisions, and the record of
//! administration.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::changes::Kind;
use super::database::{Connection, Database, Value, Work, params, revision_of};
use super::files;
use super::quotas::{Quota, Quotas};
use super::sqlite::{self, Sqlite};
use crate::credential::envelope::KeyRing;
use crate::fault::{Fault, Status};
use crate::identity::check_account;
use crate::revision::{At, Revision};
use crate::time::{Clock, Random};

/// What shows that a key file belongs to a store is sealed for this place.
pub(super) const MARK: &[u8] = b"store-mark";
/// How many revisions' changes are kept at least.
const KEEP: i64 = 100_000;
/// Longest wait for a wake-up: one may be lost, the table of changes is not.
const NAP: Duration = Duration::from_secs(1);

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

/// The open store. Shared by threads; other processes may have the same one
/// open.
pub type Store = StoreIn<Box<dyn Database>>;

/// The store in a database, or in one transaction of it; see
/// [`Store::together`].
pub struct StoreIn<D> {
    pub(super) ring: Arc<KeyRing>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
    pub(super) database: D,
    account: String,
    pub(super) quotas: Quotas,
    /// The highest revision that was answered. Nothing older is ever answered
    /// again, also when the database was replaced by one that is behind.
    highest: AtomicU64,
}

impl Store {
    /// Makes a new store in one SQLite file, with a new key file, for one
    /// account.
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
        sqlite::check_place(&at.store)?;
        if at.store.exists() {
            return Err(Fault::new(Status::Conflict, format!("the store {} exists already", at.store.display())));
        }
        let ring = KeyRing::generate(&*random)?;
        ring.create(&at.key_file)?;
        files::prepare(&at.store, true)?;
        begin(&Sqlite::open(&at.store)?, &ring, &*random, account)?;
        Self::open(at, clock, random)
    }

    /// Opens a store in one SQLite file.
    ///
    /// # Errors
    /// With what to do: missing or readable files, a network file system, a
    /// newer format, a key file of another store.
    pub fn open(at: &StoreFiles, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Result<Self, Fault> {
        Self::open_in(Box::new(Sqlite::open(&at.store)?), &at.key_file, clock, random)
    }

    /// Makes a new store in a database without one, with a new key file, for
    /// one account.
    ///
    /// # Errors
    /// [`Status::Conflict`] when the key file or a store exists; nothing is
    /// changed then.
    pub fn create_in(
        database: Box<dyn Database>,
        key_file: &Path,
        account: &str,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, Fault> {
        check_account(account)?;
        if meta(&*database, "account")?.is_some() {
            return Err(Fault::new(Status::Conflict, format!("{} holds a store already", database.shown())));
        }
        let ring = KeyRing::generate(&*random)?;
        ring.create(key_file)?;
        begin(&*database, &ring, &*random, account)?;
        Self::open_in(database, key_file, clock, random)
    }

    /// Opens the store a database holds.
    ///
    /// # Errors
    /// With what to do, as [`Store::open`].
    pub fn open_in(
        database: Box<dyn Database>,
        key_file: &Path,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, Fault> {
        let ring = KeyRing::read(key_file)?;
        let (account, mark) = (meta(&*database, "account")?, meta(&*database, "mark")?);
        let (Some(Ok(account)), Some(mark)) = (account.map(String::from_utf8), mark) else {
            return Err(Fault::new(Status::InvalidSetting, format!("{} is not a store of Standin", database.shown())));
        };
        ring.open(MARK, &mark).map_err(|f| {
            let (key_file, store) = (key_file.display(), database.shown());
            Fault::new(Status::InvalidSetting, format!("key file {key_file} does not belong to the store {store}: {f}"))
        })?;
        Ok(Self {
            ring: Arc::new(ring),
            clock,
            random,
            database,
            account,
            quotas: Quotas::local(),
            highest: AtomicU64::new(0),
        })
    }

    /// This store, with quotas for what is written through it from now on.
    #[must_use]
    pub fn with_quotas(self, quotas: Quotas) -> Self {
        Self { quotas, ..self }
    }

    /// This store, waiting up to `patience` for another process's lock: for
    /// people, who rather wait than try again. Without it, less than a second.
    ///
    /// # Errors
    /// When the store failed.
    pub fn patient(self, patience: Duration) -> Result<Self, Fault> {
        self.database.set_patience(patience)?;
        Ok(self)
    }

    /// This store, in which so many may read at once. Without it, in a file,
    /// one after the other: a connection takes memory, and hosts read little.
    #[must_use]
    pub fn with_readers(self, most: usize) -> Self {
        self.database.set_readers(most);
        self
    }

    /// Runs several operations that read on one view: what they find belongs
    /// together, and is of the revision that is returned. It may be run again
    /// from the start, so it must have no effect of its own.
    ///
    /// # Errors
    /// What `work` returned; as [`Store::revision`].
    pub fn view<T>(&self, mut work: impl FnMut(&View<'_>) -> Result<T, Fault>) -> Result<At<T>, Fault> {
        self.database.check()?;
        self.read(|c, revision| {
            let value = work(&self.joined(Joined { connection: c, seen: Some(revision) }))?;
            Ok(At { revision, value })
        })
    }

    fn joined<'t>(&self, database: Joined<'t>) -> StoreIn<Joined<'t>> {
        StoreIn {
            ring: Arc::clone(&self.ring),
            clock: Arc::clone(&self.clock),
            random: Arc::clone(&self.random),
            database,
            account: self.account.clone(),
            quotas: self.quotas.clone(),
            highest: AtomicU64::new(self.highest.load(Ordering::Acquire)),
        }
    }

    /// Runs several operations in one transaction: all of them or none. It may
    /// be run again from the start, so it must have no effect of its own.
    ///
    /// # Errors
    /// What `work` returned; then nothing has changed.
    pub fn together<T>(&self, mut work: impl FnMut(&StoreIn<Joined<'_>>) -> Result<T, Fault>) -> Result<T, Fault> {
        let (value, highest) = self.note(|c| {
            let joined = self.joined(Joined { connection: c, seen: None });
            Ok((work(&joined)?, joined.highest.into_inner()))
        })?;
        self.highest.fetch_max(highest, Ordering::AcqRel);
        Ok(value)
    }

    /// The newest revision. Also notices when another file has taken the place
    /// of the one that is open, which then has a history of its own.
    ///
    /// # Errors
    /// When the store cannot be read or its file was moved, replaced or
    /// deleted.
    pub fn revision(&self) -> Result<Revision, Fault> {
        self.database.check()?;
        self.read(|_, revision| Ok(revision))
    }

    /// Waits until the newest revision is after `after`, and `up_to` at most;
    /// the newest revision.
    ///
    /// # Errors
    /// As [`Store::revision`].
    pub fn wait(&self, after: Revision, up_to: Duration) -> Result<Revision, Fault> {
        let begun = Instant::now();
        loop {
            let heard = self.database.heard();
            let newest = self.revision()?;
            let left = up_to.saturating_sub(begun.elapsed());
            if newest > after || left.is_zero() {
                return Ok(newest);
            }
            self.database.listen(heard, left.min(NAP));
        }
    }
}

/// What operations need of a database: transactions.
pub trait Transactions {
    /// As [`Database::read`].
    ///
    /// # Errors
    /// As [`Database::read`].
    fn read(&self, work: Work<'_>) -> Result<(), Fault>;

    /// As [`Database::write`].
    ///
    /// # Errors
    /// As [`Database::write`].
    fn write(&self, work: Work<'_>) -> Result<(), Fault>;

    /// The revision of what is read, where it is known already.
    fn seen(&self) -> Option<Revision> {
        None
    }
}

impl Transactions for Box<dyn Database> {
    fn read(&self, work: Work<'_>) -> Result<(), Fault> {
        (**self).read(work)
    }

    fn write(&self, work: Work<'_>) -> Result<(), Fault> {
        (**self).write(work)
    }
}

/// A transaction that is under way: what is read and written in it is part of
/// it.
pub struct Joined<'t> {
    connection: &'t dyn Connection,
    /// Of a view, which nobody writes to.
    seen: Option<Revision>,
}

/// A store at one moment; see [`Store::view`].
pub type View<'t> = StoreIn<Joined<'t>>;

impl Transactions for Joined<'_> {
    fn read(&self, work: Work<'_>) -> Result<(), Fault> {
        work(self.connection)
    }

    fn write(&self, work: Work<'_>) -> Result<(), Fault> {
        match self.seen {
            Some(_) => Err(Fault::internal("a view of the store is only read")),
            None => work(self.connection),
        }
    }

    fn seen(&self) -> Option<Revision> {
        self.seen
    }
}

impl<D: Transactions> StoreIn<D> {
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
    pub(super) fn read<T>(
        &self,
        mut read: impl FnMut(&dyn Connection, Revision) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        // Known before the view is taken: a later answer may be newer than it.
        let known = self.highest.load(Ordering::Acquire);
        let mut value = None;
        self.database.read(&mut |c| {
            let revision = match self.database.seen() {
                Some(seen) => seen,
                None => revision_of(c).and_then(|found| not_behind(found, known).map(|()| found))?,
            };
            value = Some((revision, read(c, revision)?));
            Ok(())
        })?;
        let (revision, value) = value.ok_or_else(|| Fault::internal("a read was not run"))?;
        self.highest.fetch_max(revision.0, Ordering::AcqRel);
        Ok(value)
    }

    /// Runs `write` in one transaction under the next revision, together with
    /// the record of who did what. Nothing stays when it fails.
    pub(super) fn write<T>(
        &self,
        actor: &str,
        action: &str,
        target: &str,
        mut write: impl FnMut(&mut Write<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let known = self.highest.load(Ordering::Acquire);
        let (revision, value) = self.note(|c| {
            // The row is locked by the transaction, so revisions commit in order.
            let number: i64 = c.one("UPDATE revision SET number = number + 1 RETURNING number", params![])?;
            not_behind(Revision(number.unsigned_abs()), known.saturating_add(1))?;
            let now = self.clock.wall().0;
            let mut scope = Write {
                connection: c,
                revision: number,
                position: 0,
                account: &self.account,
                quotas: &self.quotas,
                now,
                target: target.to_owned(),
                detail: String::new(),
            };
            let value = write(&mut scope)?;
            let (target, detail) = (scope.target, scope.detail);
            c.execute(
                "INSERT INTO administration (revision, account, time, actor, action, target, detail)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![number, self.account, now, actor, action, target, detail],
            )?;
            if number % 1000 == 0 && number > KEEP {
                // Who has not followed up to here is told that something is missing.
                let from = number - KEEP;
                c.execute("DELETE FROM change WHERE revision < ?1", params![from])?;
                c.execute("UPDATE revision SET changes_from = ?1", params![from])?;
            }
            Ok((number.unsigned_abs(), value))
        })?;
        self.highest.fetch_max(revision, Ordering::AcqRel);
        Ok(value)
    }

    /// Runs `write` in one transaction without a revision: for what nobody
    /// follows, such as live sessions.
    pub(super) fn note<T>(&self, mut write: impl FnMut(&dyn Connection) -> Result<T, Fault>) -> Result<T, Fault> {
        let mut value = None;
        self.database.write(&mut |c| {
            value = Some(write(c)?);
            Ok(())
        })?;
        value.ok_or_else(|| Fault::internal("a write was not run"))
    }

    /// Administration after a revision, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn administration(&self, after: Revision, limit: usize) -> Result<Vec<AdminRow>, Fault> {
        self.read(|c, _| {
            c.all(
                "SELECT revision, account, time, actor, action, target, detail FROM administration
                 WHERE revision > ?1 ORDER BY revision LIMIT ?2",
                params![signed(after.0), signed(limit as u64)],
                |row| {
                    Ok(AdminRow {
                        revision: Revision(row.get::<i64>(0)?.unsigned_abs()),
                        account: row.get(1)?,
                        time: row.get(2)?,
                        actor: row.get(3)?,
                        action: row.get(4)?,
                        target: row.get(5)?,
                        detail: row.get(6)?,
                    })
                },
            )
        })
    }
}

/// A database may be replaced by one that missed the last writes. What was
/// answered from the old one must not be unsaid.
fn not_behind(revision: Revision, known: u64) -> Result<(), Fault> {
    if revision.0 >= known {
        return Ok(());
    }
    Err(Fault::unavailable(format!(
        "the store is at revision {} and was at {known} before: it lost writes that were answered; see \"a store that went back\" in docs/operations.md",
        revision.0
    )))
}

/// Makes a database the store of one account and one key file.
fn begin(database: &dyn Database, ring: &KeyRing, random: &dyn Random, account: &str) -> Result<(), Fault> {
    let mark = ring.seal(random, MARK, account.as_bytes())?;
    database.write(&mut |c| {
        c.execute(
            "INSERT INTO meta (name, value) VALUES ('account', ?1), ('mark', ?2)",
            params![account.as_bytes().to_vec(), mark],
        )
        .map(drop)
    })
}

fn meta(database: &dyn Database, name: &str) -> Result<Option<Vec<u8>>, Fault> {
    let mut found = None;
    database.read(&mut |c| {
        found = c.first("SELECT value FROM meta WHERE name = ?1", params![name], |row| row.get(0))?;
        Ok(())
    })?;
    Ok(found)
}

pub(super) fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// One write under way.
pub(super) struct Write<'t> {
    connection: &'t dyn Connection,
    revision: i64,
    position: i64,
    pub(super) account: &'t str,
    quotas: &'t Quotas,
    pub(super) now: i64,
    /// What is acted on, for the record: its ARN where it has one.
    pub(super) target: String,
    /// More, for the record.
    pub(super) detail: String,
}

impl<'t> Write<'t> {
    /// Runs one statement; how many rows it touched.
    pub(super) fn run(&mut self, sql: &str, values: &[Value<'_>]) -> Result<usize, Fault> {
        self.connection.execute(sql, values)
    }

    /// The connection, for reads of this transaction.
    pub(super) fn view(&self) -> &'t dyn Connection {
        self.connection
    }

    /// Fails when there are more than there may be, now that one was added.
    /// Writes come one after the other, so of several at once one is the last.
    pub(super) fn within(&self, quota: Quota, counted: &str, values: &[Value<'_>]) -> Result<(), Fault> {
        let Some(most) = self.quotas.most(quota) else { return Ok(()) };
        let count: i64 = self.connection.one(counted, values)?;
        if count > most { Err(quota.reached(most)) } else { Ok(()) }
    }

    /// How many there may be; none when any number.
    pub(super) fn most(&self, quota: Quota) -> Option<i64> {
        self.quotas.most(quota)
    }

    /// Announces a change to those who follow.
    pub(super) fn announce(&mut self, kind: Kind, subject: &str) -> Result<(), Fault> {
        self.announce_with(kind, subject, false)
    }

    /// Adds the end of a session, with or without its connection.
    pub(super) fn announce_end(&mut self, session: &str, disconnect: bool) -> Result<(), Fault> {
        self.announce_with(Kind::SessionEnded, session, disconnect)
    }

    fn announce_with(&mut self, kind: Kind, subject: &str, disconnect: bool) -> Result<(), Fault> {
        self.position += 1;
        let (revision, position, account) = (self.revision, self.position, self.account);
        self.run(
            "INSERT INTO change (revision, position, account, kind, subject, disconnect) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![revision, position, account, kind.word(), subject, i64::from(disconnect)],
        )
        .map(drop)
    }
}
