// SPDX-License-Identifier: Apache-2.0
//! What a host with an event loop is told: logins that are done, sessions that
//! ended or expired. It finds out by a descriptor that becomes readable, and
//! fetches them when it can act on them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use rustix::event::{EventfdFlags, eventfd};

use crate::fault::{Fault, Status};
use crate::files::{self, Kept};
use crate::session::{Session, SessionId, Standing, Table};
use crate::time::{Steady, UnixMillis};

/// Most logins that are under way or not fetched yet.
const LOGINS: usize = 4096;
/// Most sessions' ends that wait to be fetched. The sessions are denied
/// everything all the same.
const SESSIONS: usize = 65_536;

/// Deadlines that are kept whoever's they are.
const DEADLINES: usize = 256;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    /// A login is done, well or not.
    LoginDone,
    /// A session was ended by an administrator, or its credential was.
    SessionEnded,
    /// A session's deadline has passed.
    SessionExpired,
}

/// One thing the host is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What.
    pub happened: Happened,
    /// The host's number for the login.
    pub tag: u64,
    /// The session; none when the login failed.
    pub session: Option<SessionId>,
    /// Why the login failed; [`Status::Revoked`] or [`Status::Expired`] for
    /// sessions; none for a success.
    pub status: Option<Status>,
    /// Deadline of the session.
    pub deadline: UnixMillis,
    /// Id of the login, as in the log and the audit.
    pub request_id: Arc<str>,
}

impl Event {
    /// About a session that is over.
    pub(super) fn of(happened: Happened, id: SessionId, session: &Session) -> Self {
        let status = if happened == Happened::SessionExpired { Status::Expired } else { Status::Revoked };
        Self {
            happened,
            tag: 0,
            session: Some(id),
            status: Some(status),
            deadline: session.begin.deadline_wall,
            request_id: Arc::clone(&session.begin.request_id),
        }
    }
}

#[derive(Default)]
struct Queue {
    events: VecDeque<Event>,
    /// Logins under way or not fetched yet.
    logins: usize,
    /// Ends of sessions among the events.
    sessions: usize,
}

/// See the module's page.
#[derive(Default)]
pub struct Events {
    telling: AtomicBool,
    lost: AtomicU64,
    queue: Mutex<Queue>,
    deadlines: Mutex<BinaryHeap<Reverse<(Steady, SessionId)>>>,
    readable: OnceLock<Readable>,
}

/// The descriptor: as the host knows it, and as the library's threads do where
/// they have files of their own. Either can be written and read by whoever knows
/// it.
#[derive(Debug)]
struct Readable {
    host: Mutex<Option<Kept<OwnedFd>>>,
    number: RawFd,
    own: Option<Kept<OwnedFd>>,
}

impl Readable {
    /// Does something with it by the name that this thread has for it.
    fn with<T>(&self, then: impl FnOnce(BorrowedFd<'_>) -> T) -> Option<T> {
        if let Some(own) = self.own.as_ref().filter(|own| own.is_at_home()) {
            return own.get().ok().map(|own| then(own.as_fd()));
        }
        let host = self.host.lock().ok()?;
        host.as_ref()?.get().ok().map(|host| then(host.as_fd()))
    }
}

fn failed<E>(_: E) -> Fault {
    Fault::internal("the events failed earlier")
}

impl Events {
    /// The descriptor that is readable while something waits to be fetched.
    /// Only for waiting on: it is not read, written or closed by the host.
    ///
    /// # Errors
    /// When the machine gives none.
    pub fn descriptor(&self) -> Result<RawFd, Fault> {
        if let Some(known) = self.readable.get() {
            return Ok(known.number);
        }
        let made = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|e| Fault::internal(format!("no descriptor for events: {e}")))?;
        let (number, own) = (made.as_raw_fd(), files::copied(&made)?);
        let made = Readable { host: Mutex::new(Some(Kept::new(made))), number, own };
        // Under the lock: what came before is signalled, once.
        let queue = self.queue.lock().map_err(failed)?;
        let descriptor = self.readable.get_or_init(|| made);
        if !queue.events.is_empty() {
            self.signal();
        }
        Ok(descriptor.number)
    }

    /// Does something with the descriptor, such as waiting on it.
    ///
    /// # Errors
    /// As [`Events::descriptor`].
    pub fn with_descriptor<T>(&self, then: impl FnOnce(BorrowedFd<'_>) -> T) -> Result<T, Fault> {
        self.descriptor()?;
        self.readable
            .get()
            .and_then(|readable| readable.with(then))
            .ok_or_else(|| Fault::internal("no descriptor for events"))
    }

    /// The host's descriptor, for the host's thread to close with the engine.
    #[must_use]
    pub fn take_descriptor(&self) -> Option<Kept<OwnedFd>> {
        self.readable.get()?.host.lock().ok()?.take()
    }

    /// True for the call that turned the telling of sessions on.
    pub(super) fn begin_telling(&self) -> bool {
        !self.telling.swap(true, Ordering::AcqRel)
    }

    /// Ends of sessions that were not told because nobody fetched them.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    fn signal(&self) {
        if let Some(descriptor) = self.readable.get() {
            // Full means readable already.
            let _signalled = descriptor.with(|d| rustix::io::write(d, &1u64.to_ne_bytes()));
        }
    }

    fn push(&self, queue: &mut Queue, event: Event) {
        let first = queue.events.is_empty();
        queue.events.push_back(event);
        if first {
            self.signal();
        }
    }

    /// Room for a login; its end is told by [`Events::login_done`].
    ///
    /// # Errors
    /// [`Status::Busy`] when too many are under way.
    pub fn login_begins(&self) -> Result<(), Fault> {
        let mut queue = self.queue.lock().map_err(failed)?;
        if queue.logins >= LOGINS {
            return Err(Fault::new(
                Status::Busy,
                format!("{LOGINS} logins are under way or done and not fetched; fetch events"),
            ));
        }
        queue.logins += 1;
        Ok(())
    }

    /// Tells the end of a login that began.
    pub fn login_done(&self, event: Event) {
        if let Ok(mut queue) = self.queue.lock() {
            self.push(&mut queue, event);
        }
    }

    /// Tells the end of a session, if the host wants to know.
    pub(super) fn tell(&self, event: Event) {
        if !self.telling.load(Ordering::Acquire) {
            return;
        }
        if let Ok(mut queue) = self.queue.lock() {
            if queue.sessions >= SESSIONS {
                self.lost.fetch_add(1, Ordering::Relaxed);
                return;
            }
            queue.sessions += 1;
            self.push(&mut queue, event);
        }
    }

    /// Will tell when the session's deadline has passed.
    pub(super) fn expect(&self, id: SessionId, deadline: Steady) {
        if self.telling.load(Ordering::Acquire)
            && let Ok(mut deadlines) = self.deadlines.lock()
        {
            deadlines.push(Reverse((deadline, id)));
        }
    }

    /// Sessions whose deadline is waited for.
    #[must_use]
    pub fn expected(&self) -> usize {
        self.deadlines.lock().map_or(0, |deadlines| deadlines.len())
    }

    /// Forgets the deadlines of sessions that are gone, once they are more than
    /// those of the rest: clients that come and go would fill the memory until
    /// theirs have passed.
    fn forget_gone(&self, sessions: &Table) {
        let mut all = match self.deadlines.lock() {
            Ok(mut deadlines) if deadlines.len() > DEADLINES.max(2 * sessions.len()) => std::mem::take(&mut *deadlines),
            _ => return,
        };
        // Without the lock: logins of the host's own thread wait for it.
        all.retain(|Reverse((_, id))| sessions.with(*id, |_| ()).is_some());
        all.shrink_to_fit();
        if let Ok(mut deadlines) = self.deadlines.lock() {
            deadlines.append(&mut all);
        }
    }

    /// Tells of the deadlines that have passed by `now`.
    pub(super) fn tell_expired(&self, now: Steady, sessions: &Table) {
        self.forget_gone(sessions);
        loop {
            let due = match self.deadlines.lock() {
                Ok(mut deadlines) if deadlines.peek().is_some_and(|Reverse((at, _))| *at <= now) => deadlines.pop(),
                _ => return,
            };
            let Some(Reverse((_, id))) = due else { return };
            let over = sessions.get(id).filter(|s| {
                let open = !s.is_retired() && !s.begin.imported && s.standing() != Standing::Ended;
                open && s.begin.deadline <= now
            });
            if let Some(session) = over {
                self.tell(Event::of(Happened::SessionExpired, id, &session));
            }
        }
    }

    /// Hands out at most `most` events, oldest first.
    ///
    /// # Errors
    /// When earlier use failed.
    pub fn take(&self, most: usize) -> Result<Vec<Event>, Fault> {
        let mut queue = self.queue.lock().map_err(failed)?;
        let count = most.min(queue.events.len());
        let taken: Vec<Event> = queue.events.drain(..count).collect();
        let logins = taken.iter().filter(|e| e.happened == Happened::LoginDone).count();
        queue.logins = queue.logins.saturating_sub(logins);
        queue.sessions = queue.sessions.saturating_sub(count - logins);
        if queue.events.is_empty()
            && count > 0
            && let Some(descriptor) = self.readable.get()
        {
            // Not readable any more; nothing to read is as good.
            let _cleared = descriptor.with(|d| rustix::io::read(d, &mut [0u8; 8]));
        }
        Ok(taken)
    }
}
