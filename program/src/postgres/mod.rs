// SPDX-License-Identifier: Apache-2.0
//! The store's tables in a PostgreSQL database, for more than one service.
//!
//! Every write locks the one row that holds the revision, so revisions commit
//! in order. Reads see one snapshot each. Nothing waits without a bound: not
//! for a connection, a lock, a statement, nor an answer that does not come.
//! What could not be done is busy or unavailable, never "not found".

mod link;
mod listen;
mod place;
mod tables;
mod values;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use standin::access_control::{Database, Pool, Room, Work};
use standin::fault::{Fault, Kind, Status};
use tokio::runtime::Runtime;

use link::{Link, Trouble};
use listen::Listener;
pub use place::Place;

/// How long a statement waits for a lock of another, unless told otherwise.
const PATIENCE: Duration = Duration::from_millis(900);
/// How long a statement may work, beside waiting.
const WORK: Duration = Duration::from_secs(5);
/// For how long a failure to connect is taken for the answer of the next who
/// asks, so that many do not wait for what one has waited for.
const DOWN: Duration = Duration::from_millis(100);
/// Most runs of one transaction.
const RUNS: u32 = 4;
/// Most connections that write. Writes queue for one row, so more would only
/// wait inside the server.
const WRITERS: usize = 2;

const READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
const WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/// A PostgreSQL database that holds a store. Other services may have it open
/// too. Must not be used on a thread that drives asynchronous tasks.
pub struct Postgres {
    place: Place,
    readers: Pool<Link>,
    writers: Pool<Link>,
    patience: AtomicU64,
    down: Mutex<Option<(Instant, Fault)>>,
    listener: Listener,
    /// Given up in `drop` only.
    runtime: Option<Runtime>,
}

impl Postgres {
    /// Opens the database of a URL, and brings its tables up to date.
    ///
    /// # Errors
    /// With what to do: a database that does not answer, that holds no store,
    /// or one of a newer format.
    pub fn open(url: &str) -> Result<Self, Fault> {
        let database = Self::connect(url)?;
        database.with_link(tables::update)?;
        Ok(database)
    }

    /// Opens the database of a URL, and makes its tables when it has none.
    ///
    /// # Errors
    /// As [`Postgres::open`].
    pub fn make(url: &str) -> Result<Self, Fault> {
        let database = Self::connect(url)?;
        database.with_link(tables::make)?;
        Ok(database)
    }

    fn connect(url: &str) -> Result<Self, Fault> {
        let place = Place::read(url)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("standin-postgres")
            .enable_io()
            .enable_time()
            .build()
            .map_err(|e| Fault::internal(format!("threads could not be started: {e}")))?;
        Ok(Self {
            readers: Pool::new(place.connections),
            writers: Pool::new(WRITERS),
            patience: AtomicU64::new(millis(PATIENCE)),
            down: Mutex::new(None),
            listener: Listener::new(place.clone(), runtime.handle().clone()),
            runtime: Some(runtime),
            place,
        })
    }

    fn with_link(&self, work: impl FnOnce(&Link) -> Result<(), Fault>) -> Result<(), Fault> {
        let (link, _room) = self.lease(&self.writers, self.deadline())?;
        work(&link)
    }

    fn patience(&self) -> Duration {
        Duration::from_millis(self.patience.load(Ordering::Relaxed))
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.patience() + WORK
    }

    /// A connection that is ready, until `by`.
    fn lease<'p>(&self, pool: &'p Pool<Link>, by: Instant) -> Result<(Link, Room<'p, Link>), Fault> {
        let patience = self.patience();
        let (idle, room) = pool.take(by.min(Instant::now() + patience))?;
        let ready = idle.filter(|link| !link.is_closed());
        let link = ready.map_or_else(|| self.new_link(patience, by), Ok)?;
        link.set_until(by);
        Ok((link, room))
    }

    fn new_link(&self, patience: Duration, by: Instant) -> Result<Link, Fault> {
        let broken = |_| Fault::unavailable("the store failed earlier");
        if let Some((at, fault)) = &*self.down.lock().map_err(broken)?
            && at.elapsed() < DOWN
        {
            return Err(fault.clone());
        }
        let runtime = self.runtime.as_ref().ok_or_else(|| Fault::internal("the store is closed"))?;
        let made = Link::connect(&self.place, runtime.handle().clone(), patience, WORK, by);
        *self.down.lock().map_err(broken)? = made.as_ref().err().map(|fault| (Instant::now(), fault.clone()));
        made
    }

    /// Runs a transaction, and again when the database asks for it or was lost
    /// before the end.
    fn run(&self, pool: &Pool<Link>, begin: &'static str, work: Work<'_>) -> Result<(), Fault> {
        let by = self.deadline();
        let mut runs = 0;
        loop {
            runs += 1;
            let (link, room) = self.lease(pool, by).map_err(undecided)?;
            let outcome = attempt(&link, begin, &mut *work);
            let trouble = link.trouble();
            if trouble == Trouble::Lost || link.is_closed() {
                drop((link, room));
            } else {
                room.give_back(link);
            }
            let Err((fault, stage)) = outcome else { return Ok(()) };
            if trouble == Trouble::Lost {
                // The others were opened to the same server.
                pool.forget();
                if stage == Stage::Committing {
                    // The answer was lost, not the work: it may be there.
                    return Err(Fault::new(
                        fault.status,
                        format!("{}; whether the change was made is not known, look before trying again", fault.text),
                    ));
                }
            }
            if trouble == Trouble::None || runs == RUNS || Instant::now() >= by {
                return Err(fault);
            }
            pause(runs);
        }
    }
}

/// How far a transaction had come.
#[derive(PartialEq, Eq)]
enum Stage {
    Working,
    Committing,
}

/// One run of a transaction.
fn attempt(link: &Link, begin: &'static str, work: Work<'_>) -> Result<(), (Fault, Stage)> {
    link.begin(begin);
    if let Err(fault) = work(link) {
        link.roll_back();
        return Err((fault, Stage::Working));
    }
    if begin == READ {
        link.end_read();
        return Ok(());
    }
    link.commit().map_err(|fault| (fault, Stage::Committing))
}

impl Database for Postgres {
    fn read(&self, work: Work<'_>) -> Result<(), Fault> {
        self.run(&self.readers, READ, work)
    }

    fn write(&self, work: Work<'_>) -> Result<(), Fault> {
        self.run(&self.writers, WRITE, work)
    }

    fn heard(&self) -> u64 {
        self.listener.heard()
    }

    fn listen(&self, heard: u64, up_to: Duration) {
        self.listener.wait(heard, up_to);
    }

    fn set_patience(&self, patience: Duration) -> Result<(), Fault> {
        self.patience.store(millis(patience), Ordering::Relaxed);
        self.readers.forget();
        self.writers.forget();
        Ok(())
    }

    fn shown(&self) -> String {
        self.place.to_string()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Also where waiting is not allowed.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A password that was changed under an open store is no answer to who asks:
/// what cannot be asked is undecided, whatever the reason.
fn undecided(fault: Fault) -> Fault {
    match fault.kind() {
        Kind::Undecided => fault,
        _ => Fault { status: Status::Unavailable, ..fault },
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A short wait before another run, different for those who collided.
fn pause(runs: u32) {
    use std::hash::{BuildHasher, Hasher};
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    std::thread::sleep(Duration::from_millis(random % (10 * u64::from(runs)) + 1));
}

/// The fault of a wait that reached its bound.
fn too_long(what: &str) -> Fault {
    Fault::new(Status::Unavailable, format!("the store's database did not answer in time ({what})"))
}
