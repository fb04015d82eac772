// SPDX-License-Identifier: Apache-2.0
//! The agent: holds what stands in for the clients, and is the only part that
//! talks to the security service.
//!
//! A login is verified locally where a verification key for exactly this
//! credential is leased, else by the service, once for all who wait for the
//! same. Behind that, a worker follows changes, renews, expires and flushes.

mod binding;
mod connections;
mod counters;
mod decisions;
mod deliver;
mod differences;
mod events;
mod feed;
mod forwarded;
mod held;
mod interning;
mod logins;
mod looping;
mod pool;
mod records;
mod report;
mod schedule;
mod watched;
mod worker;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

pub use counters::{Counters, Latency};
pub use differences::{Difference, Differences, Differs};
pub use events::{Event, Events, Happened};
pub use held::Held;
pub use logins::Waiting;
pub use records::Attempt;
pub use watched::{Batch as WatchedBatch, Compared, Waiting as WatchedOperation};

use crate::audit::{Journal, Recorder};
use crate::credential::CredentialKey;
use crate::fault::{Fault, Kind, Status};
use crate::files;
use crate::policy::{ActionId, ActionTable};
use crate::revision::Revision;
use crate::service::{DecisionPoint, SecurityService, SessionReport, Shelf};
use crate::session::{Common, Fresh, Table, Tally};
use crate::settings::{Decide, EngineSettings, Tuning};
use crate::time::{Clock, Random, Steady, UnixMillis};
use interning::Interning;
use pool::Pool;

/// Most different actions of a host.
const ACTIONS: usize = 4096;
/// Threads in which logins of hosts that must not wait are decided.
const ASIDE_THREADS: usize = 2;
/// Threads that may wait for the service.
const SERVICE_THREADS: usize = 4;
/// The same for a service on another machine, where the wait is not work.
const REMOTE_THREADS: usize = 8;
/// Least time for telling a service on another machine that there are no
/// sessions any more.
const FAREWELL: Duration = Duration::from_millis(200);

/// Everything the agent is made with.
pub struct Parts {
    /// The engine's settings, as they were at the start.
    pub settings: Arc<EngineSettings>,
    /// Those that may have changed since.
    pub tuning: Arc<Tuning>,
    /// The security service.
    pub service: Arc<dyn SecurityService>,
    /// Who decides with `standin.decide=remote`.
    pub decisions: Arc<dyn DecisionPoint>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// The audit.
    pub recorder: Arc<Recorder>,
    /// Log lines for the host.
    pub journal: Arc<Journal>,
    /// Unique id of this boot.
    pub boot: String,
    /// The engine's number, part of session ids.
    pub engine: u8,
}

struct CredentialTable {
    /// The newest revision whose changes are applied; answers read before it
    /// are not installed.
    applied: Revision,
    held: HashMap<Arc<CredentialKey>, Arc<Held>, foldhash::fast::RandomState>,
}

/// See the module's page.
pub struct Agent {
    parts: Parts,
    table: Mutex<CredentialTable>,
    flights: Mutex<logins::Flights>,
    shelf: Shelf,
    interning: Interning,
    watching: watched::Watching,
    differences: Differences,
    pool: Pool,
    /// Started when a host first logs clients in without waiting.
    aside: pool::Late,
    aside_waiting: Waiting,
    /// Started when a connection is first looked for.
    seeking: pool::Late,
    /// Set once it was said that connections cannot be slowed here.
    slowing_failed: AtomicBool,
    loops: looping::Loops,
    fresh: Arc<Fresh>,
    tally: Arc<Tally>,
    actions: ArcSwap<ActionTable>,
    interned: Mutex<()>,
    sessions: Arc<Table>,
    events: Events,
    counters: Counters,
    /// True once the feed has answered: changes are followed from there.
    following: AtomicBool,
    /// Set when policies are to be compiled for more actions.
    recompile: AtomicBool,
    /// Set when the list of live sessions changed.
    sessions_changed: AtomicBool,
    stop: Mutex<bool>,
    wake: Condvar,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// The revision to follow changes from, when there is an answer. A service on
/// another machine and an agent's process may come later than their host: until
/// then nothing is known, and nothing is decided.
fn first_heard(parts: &Parts, fresh: &Fresh) -> Result<Option<Revision>, Fault> {
    let now = parts.clock.steady();
    let patient = parts.settings.agent.is_some() || parts.service.waits();
    match parts.service.revision() {
        Ok(newest) => {
            fresh.heard(now);
            Ok(Some(newest))
        }
        Err(fault) if patient && fault.kind() == Kind::Undecided => {
            parts.journal.line("warn", &format!("nothing can be decided yet: {fault}"));
            fresh.heard(now.plus(-parts.settings.stale_grace.saturating_add(1)));
            Ok(None)
        }
        Err(fault) => Err(fault),
    }
}

impl Agent {
    /// Starts an agent with its worker. The changes up to now are known by
    /// reading the revision once. A service on another machine may be down:
    /// nothing is allowed then until it was heard.
    ///
    /// # Errors
    /// When the embedded service cannot be asked or threads cannot be started.
    pub fn start(parts: Parts) -> Result<Arc<Self>, Fault> {
        let settings = &parts.settings;
        let shelf = Shelf::new(settings);
        let interning = Interning::new(Common {
            resource_tags: settings.cluster_tags.clone().into(),
            entries: settings.cache_entries,
            remote: settings.decide == Decide::Remote,
        });
        let fresh = Arc::new(Fresh::default());
        let heard = first_heard(&parts, &fresh)?;
        let threads = if parts.service.waits() { REMOTE_THREADS } else { SERVICE_THREADS };
        let actions = Arc::new(ActionTable::new());
        let tally = Arc::new(Tally::new(Arc::clone(&parts.clock), Arc::clone(&actions), Arc::clone(&parts.recorder)));
        let sessions = Arc::new(Table::new(parts.engine));
        let events = Events::default();
        let loops = looping::Loops::from(parts.clock.steady());
        let agent = Arc::new(Self {
            parts,
            table: Mutex::new(CredentialTable { applied: heard.unwrap_or_default(), held: HashMap::default() }),
            flights: Mutex::default(),
            shelf,
            interning,
            watching: watched::Watching::default(),
            differences: Differences::default(),
            pool: Pool::new("service", threads)?,
            aside: pool::Late::new("login", ASIDE_THREADS),
            aside_waiting: Waiting::new(ASIDE_THREADS),
            seeking: pool::Late::new("connections", 1),
            slowing_failed: AtomicBool::new(false),
            loops,
            fresh,
            tally,
            actions: ArcSwap::new(actions),
            interned: Mutex::new(()),
            sessions,
            events,
            counters: Counters::default(),
            following: AtomicBool::new(heard.is_some()),
            recompile: AtomicBool::new(false),
            sessions_changed: AtomicBool::new(true),
            stop: Mutex::new(false),
            wake: Condvar::new(),
            threads: Mutex::default(),
        });
        worker::start(&agent)?;
        Ok(agent)
    }

    fn table(&self) -> Result<MutexGuard<'_, CredentialTable>, Fault> {
        self.table.lock().map_err(|_| Fault::internal("the credential table failed earlier"))
    }

    /// The id of an action on resources of a type. New actions reach live
    /// sessions at once.
    ///
    /// # Errors
    /// When earlier use of the table failed.
    pub fn intern(&self, name: &str, resource_type: &str) -> Result<ActionId, Fault> {
        let _one = self.interned.lock().map_err(|_| Fault::internal("the table of actions failed earlier"))?;
        let present = self.actions.load_full();
        if let Some(id) = present.find(name, resource_type) {
            return Ok(id);
        }
        if present.len() >= ACTIONS {
            return Err(Fault::new(Status::Busy, format!("{ACTIONS} actions are known, more are not accepted")));
        }
        let mut next = ActionTable::clone(&present);
        let id = next.intern(name, resource_type);
        let next = Arc::new(next);
        self.tally.actions.store(Arc::clone(&next));
        self.actions.store(next);
        if self.parts.service.waits() {
            // The caller is a thread of the host.
            self.recompile.store(true, Ordering::Release);
            return Ok(id);
        }
        let held: Vec<_> = self.table()?.held.values().cloned().collect();
        for held in held {
            // Until then it is denied.
            if self.refresh(&held).is_err() {
                self.recompile.store(true, Ordering::Release);
            }
        }
        Ok(id)
    }

    /// Marks an action as one that an outage of the service must not stop at
    /// once.
    ///
    /// # Errors
    /// When earlier use of the table failed.
    pub fn let_ride(&self, id: ActionId) -> Result<(), Fault> {
        let _one = self.interned.lock().map_err(|_| Fault::internal("the table of actions failed earlier"))?;
        let mut next = ActionTable::clone(&self.actions.load());
        next.let_ride(id);
        self.actions.store(Arc::new(next));
        Ok(())
    }

    /// The table of actions in force.
    #[must_use]
    pub fn actions(&self) -> Arc<ActionTable> {
        self.actions.load_full()
    }

    /// How fresh what is known is.
    #[must_use]
    pub fn fresh(&self) -> &Fresh {
        &self.fresh
    }

    /// The sessions.
    #[must_use]
    pub fn sessions(&self) -> &Arc<Table> {
        &self.sessions
    }

    /// What the host is to be told.
    #[must_use]
    pub fn events(&self) -> &Events {
        &self.events
    }

    /// Tells the host from now on of sessions that end or expire, the present
    /// ones included.
    pub fn tell_of_sessions(&self) {
        if self.events.begin_telling() {
            for (id, session) in self.sessions.all() {
                self.events.expect(id, session.begin.deadline);
            }
        }
    }

    /// The bulkhead of logins that are decided aside.
    #[must_use]
    pub fn aside(&self) -> &Waiting {
        &self.aside_waiting
    }

    /// Runs a login on a thread that may wait.
    ///
    /// # Errors
    /// Busy when too many wait; the job is dropped.
    pub fn run_aside(&self, job: Box<dyn FnOnce() + Send>) -> Result<(), Fault> {
        self.aside.submit(|| self.is_stopping(), job)
    }

    /// Where policies decide otherwise than Kafka's lists.
    #[must_use]
    pub fn differences(&self) -> &Differences {
        &self.differences
    }

    /// Counts a difference; the first of its kind is written down at once.
    pub fn differs(
        &self,
        which: (Differs, &str),
        what: (&str, &str, &str),
        count: u64,
        make: impl FnOnce() -> Difference,
    ) {
        self.differences.note(which, what, count, make, (&self.parts.recorder, &self.parts.journal));
    }

    /// Shadow mode begins or ends, or its rules changed: what was told is told
    /// again.
    pub fn begin_comparing(&self) {
        self.watch_nobody();
        self.differences.forget();
    }

    /// Counters of decisions.
    #[must_use]
    pub fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }

    /// The newest revision whose changes were taken from the feed.
    #[must_use]
    pub fn applied(&self) -> Revision {
        self.table().map(|t| t.applied).unwrap_or_default()
    }

    fn held_for(&self, key: &CredentialKey) -> Option<Arc<Held>> {
        self.table().ok()?.held.get(key).cloned()
    }

    /// A random number in `0.0..1.0`; the middle when the generator fails.
    fn fraction(&self) -> f64 {
        let mut bytes = [0; 4];
        match self.parts.random.fill(&mut bytes) {
            Ok(()) => f64::from(u32::from_le_bytes(bytes)) / 4_294_967_296.0,
            Err(_) => 0.5,
        }
    }

    fn steady_of(&self, wall: UnixMillis) -> Steady {
        self.parts.clock.steady().plus(wall.0.saturating_sub(self.parts.clock.wall().0))
    }

    fn is_stopping(&self) -> bool {
        self.stop.lock().map(|stop| *stop).unwrap_or(true)
    }

    /// Stops the worker, writes what is left of the audit and drops all
    /// secrets. Returns within about `wait`.
    pub fn close(&self, wait: Duration) {
        let by = Instant::now() + wait;
        if let Ok(mut stop) = self.stop.lock() {
            *stop = true;
        }
        self.wake.notify_all();
        self.parts.service.interrupt();
        let threads = self.threads.lock().map(|mut t| std::mem::take(&mut *t)).unwrap_or_default();
        pool::join_by(threads, by);
        self.pool.close(by);
        self.aside.close(by);
        self.seeking.close(by);
        self.sessions.close();
        for (id, _) in self.sessions.all() {
            self.remove(id);
        }
        if let Ok(mut table) = self.table() {
            table.held.clear();
        }
        self.flush_audit(true);
        let none = SessionReport { whole: true, ..SessionReport::default() };
        // Without it they disappear from the list by themselves after a while.
        if !self.parts.service.waits() {
            drop(self.parts.service.report(&self.parts.boot, &self.parts.settings.host, &none));
            return;
        }
        // A service on another machine may take longer than there is time.
        let (service, boot) = (Arc::clone(&self.parts.service), self.parts.boot.clone());
        let host = self.parts.settings.host.clone();
        let tell = move || drop(service.report(&boot, &host, &none));
        if let Ok(telling) = files::spawn("standin-end", tell) {
            pool::join_by(vec![telling], by.max(Instant::now() + FAREWELL));
        }
    }
}
