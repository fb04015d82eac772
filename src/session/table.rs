// SPDX-License-Identifier: Apache-2.0
//! Sessions by id: found without a lock, and an id that is stale finds nothing.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use arc_swap::ArcSwapOption;

use super::Session;
use crate::fault::{Fault, Status};

/// Names a session: generation (31 bits), engine (8), slot (24). Never a
/// pointer; never zero; fits a signed 64-bit number. Never used again in the
/// process, also not by the next engine of the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(u64);

impl SessionId {
    fn new(engine: u8, slot: usize, generation: u32) -> Self {
        Self((u64::from(generation) << 32) | (u64::from(engine) << 24) | slot as u64)
    }

    /// The number of the engine the session belongs to.
    #[must_use]
    pub fn engine(self) -> u8 {
        (self.0 >> 24) as u8
    }

    /// The id as it crosses the doors.
    #[must_use]
    pub fn number(self) -> i64 {
        i64::try_from(self.0).unwrap_or(0)
    }

    /// An id that came through a door; it may be anything.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        u64::try_from(number).ok().filter(|n| *n != 0).map(Self)
    }

    fn slot(self) -> usize {
        usize::try_from(self.0 & 0x00ff_ffff).unwrap_or(usize::MAX)
    }
}

/// The last generation of a slot.
const LAST: u32 = 0x7fff_ffff;

/// By the number of the engine: the least generation that no table of it has
/// given out. A host may hold ids of an engine that is closed, and engines'
/// numbers are used again.
static UNUSED: [AtomicU32; 256] = [const { AtomicU32::new(1) }; 256];

struct Slot {
    held: ArcSwapOption<Session>,
}

/// Slots of the first segment; each further one is twice as large.
const FIRST: usize = 1024;
/// Segments: more than sixteen million sessions in all.
const SEGMENTS: usize = 14;

/// Every session of one engine.
pub struct Table {
    engine: u8,
    segments: [OnceLock<Box<[Slot]>>; SEGMENTS],
    free: Mutex<Free>,
    live: AtomicUsize,
}

struct Free {
    /// Slots given back, with the generation to use next.
    slots: Vec<(usize, u32)>,
    /// The first slot never used.
    next: usize,
    /// The generation that slots begin with.
    first: u32,
    /// No session is added any more.
    closed: bool,
}

fn place(slot: usize) -> (usize, usize) {
    let shifted = slot / FIRST + 1;
    let segment = (usize::BITS - 1 - shifted.leading_zeros()) as usize;
    (segment, slot - FIRST * ((1 << segment) - 1))
}

fn unused(engine: u8) -> u32 {
    UNUSED.get(usize::from(engine)).map_or(LAST, |unused| unused.load(Ordering::Acquire))
}

impl Table {
    /// An empty table of the engine with this number, which no other open
    /// engine has.
    #[must_use]
    pub fn new(engine: u8) -> Self {
        Self {
            engine,
            segments: std::array::from_fn(|_| OnceLock::new()),
            free: Mutex::new(Free { slots: Vec::new(), next: 0, first: unused(engine), closed: false }),
            live: AtomicUsize::new(0),
        }
    }

    fn slot(&self, index: usize) -> Option<&Slot> {
        let (segment, offset) = place(index);
        self.segments.get(segment)?.get()?.get(offset)
    }

    /// Adds a session and names it.
    ///
    /// # Errors
    /// [`Status::Busy`] when the table is full, [`Status::Closed`] when it was
    /// closed.
    pub fn add(&self, session: Arc<Session>) -> Result<SessionId, Fault> {
        let mut free = self.free.lock().map_err(|_| Fault::internal("the session table failed earlier"))?;
        if free.closed {
            return Err(Fault::new(Status::Closed, "the engine is closed"));
        }
        let (index, generation) = match free.slots.pop() {
            Some(again) => again,
            None => {
                let index = free.next;
                let (segment, _) = place(index);
                let cell =
                    self.segments.get(segment).ok_or_else(|| Fault::new(Status::Busy, "the session table is full"))?;
                cell.get_or_init(|| (0..FIRST << segment).map(|_| Slot { held: ArcSwapOption::empty() }).collect());
                if free.first > LAST {
                    return Err(Fault::new(Status::Busy, "the ids of this engine's sessions are used up"));
                }
                free.next += 1;
                (index, free.first)
            }
        };
        if let Some(unused) = UNUSED.get(usize::from(self.engine)) {
            unused.fetch_max(generation + 1, Ordering::AcqRel);
        }
        drop(free);
        let id = SessionId::new(self.engine, index, generation);
        let slot = self.slot(index).ok_or_else(|| Fault::internal("a session slot is missing"))?;
        session.id.set(id).map_err(|_| Fault::internal("a session was added twice"))?;
        slot.held.store(Some(session));
        self.live.fetch_add(1, Ordering::Relaxed);
        Ok(id)
    }

    /// Looks a session up and hands it to `then`; none when the id is stale.
    /// No lock, no allocation.
    #[inline(always)]
    pub fn with<R>(&self, id: SessionId, then: impl FnOnce(&Arc<Session>) -> R) -> Option<R> {
        let held = self.slot(id.slot())?.held.load();
        match held.as_ref() {
            Some(session) if session.id.get() == Some(&id) => Some(then(session)),
            _ => None,
        }
    }

    /// Looks a session up.
    #[must_use]
    pub fn get(&self, id: SessionId) -> Option<Arc<Session>> {
        self.with(id, Arc::clone)
    }

    /// Removes a session; requests that hold it finish. None when it was gone.
    pub fn remove(&self, id: SessionId) -> Option<Arc<Session>> {
        let mut free = self.free.lock().ok()?;
        let slot = self.slot(id.slot())?;
        let session = match slot.held.load().as_ref() {
            Some(session) if session.id.get() == Some(&id) => Arc::clone(session),
            _ => return None,
        };
        session.forget(|| slot.held.store(None));
        let generation = u32::try_from(id.0 >> 32).unwrap_or(0);
        // A slot whose generations are used up is left alone for good.
        if generation < LAST {
            free.slots.push((id.slot(), generation + 1));
        }
        self.live.fetch_sub(1, Ordering::Relaxed);
        Some(session)
    }

    /// Adds no session any more: the next engine of this number begins with
    /// the ids that this one has not given out.
    pub fn close(&self) {
        if let Ok(mut free) = self.free.lock() {
            free.closed = true;
        }
    }

    /// Every session at about this moment.
    #[must_use]
    pub fn all(&self) -> Vec<(SessionId, Arc<Session>)> {
        let used = self.free.lock().map(|free| free.next).unwrap_or(0);
        (0..used)
            .filter_map(|index| {
                let held = self.slot(index)?.held.load();
                let session = held.as_ref()?;
                Some((*session.id.get()?, Arc::clone(session)))
            })
            .collect()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.live.load(Ordering::Relaxed)
    }

    /// True when there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
