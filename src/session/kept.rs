// SPDX-License-Identifier: Apache-2.0
//! Decisions handed out: whoever holds one may repeat it without asking, until
//! it is taken back or its time is over.
//!
//! Each has a cell: one word, its generation in the upper half, and in the
//! lower half how often it was repeated since that was last counted. To repeat
//! is one compare-and-swap of that word, which fails once the generation has
//! moved on. To take back is one swap for the next generation, which gets the
//! count in the same step. So no repetition comes after the taking back, and
//! none is lost to the audit.
//!
//! The words are a static, so the doors may show them to a host for as long as
//! the process lives.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use super::{Context, Place};

/// Decisions handed out at once, in the process; the others are asked for.
pub const CELLS: usize = 1 << 15;
/// Bytes from one word to the next: threads repeat neighbours without sharing a
/// cache line.
pub const STRIDE: usize = 64;

#[repr(align(64))]
struct Word(AtomicU64);

static WORDS: [Word; CELLS] = [const { Word(AtomicU64::new(0)) }; CELLS];

/// How often a decision was repeated and that was not counted yet.
const COUNT: u64 = 0xffff_ffff;
/// One generation.
const NEXT: u64 = 1 << 32;

/// Where the words stand, for the doors.
pub(crate) fn words() -> *mut u8 {
    WORDS.as_ptr().cast::<u8>().cast_mut()
}

fn word(cell: u32) -> Option<&'static AtomicU64> {
    WORDS.get(usize::try_from(cell).ok()?).map(|w| &w.0)
}

fn generation(word: u64) -> u32 {
    u32::try_from(word >> 32).unwrap_or(u32::MAX)
}

/// Which decision somebody wants to repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// That it is allowed.
    Allow,
    /// That it is denied, for questions whose denials are only counted.
    Deny,
    /// That it is denied, for questions whose first denial in each window of the
    /// audit is recorded: taken back with the window.
    RecordedDeny,
}

/// A decision that was handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Number of its word.
    pub cell: u32,
    /// What the upper half of the word is as long as it holds.
    pub generation: u32,
    /// From then on it does not hold, by [`crate::time::coarse`].
    pub until: i64,
}

impl Kept {
    /// None, which nobody may repeat.
    pub const NONE: Self = Self { cell: u32::MAX, generation: 0, until: i64::MIN };

    /// True when it was not taken back.
    #[must_use]
    pub fn stands(self) -> bool {
        word(self.cell).is_some_and(|w| generation(w.load(Ordering::Acquire)) == self.generation)
    }

    /// Repeats it for `n` references. False when it was taken back, or too many
    /// repetitions wait to be counted: then it has to be asked for. The caller
    /// has compared the time.
    #[inline]
    #[must_use]
    pub fn repeat(self, n: u32) -> bool {
        let Some(word) = word(self.cell) else { return false };
        let mut known = word.load(Ordering::Relaxed);
        loop {
            if generation(known) != self.generation || (known & COUNT) + u64::from(n) > COUNT {
                return false;
            }
            match word.compare_exchange_weak(known, known + u64::from(n), Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(other) => known = other,
            }
        }
    }
}

/// What is handed out, and what stands behind its word meanwhile.
pub(crate) struct Behind {
    pub(crate) wanted: Wanted,
    pub(crate) context: Arc<Context>,
    /// Where repetitions are counted; none for what is not counted.
    pub(crate) place: Option<Place>,
    pub(crate) until: i64,
    /// Where the session counts denials worth logging.
    pub(crate) denied: Option<Arc<AtomicU32>>,
}

impl Behind {
    fn count(&self, n: u64) {
        if let Some(place) = self.place
            && n > 0
        {
            self.context.repeated(place, n);
        }
        if let Some(denied) = &self.denied {
            denied.fetch_add(u32::try_from(n).unwrap_or(u32::MAX), Ordering::Relaxed);
        }
    }
}

struct Pool {
    /// By number of the word, as far as words were ever used.
    behind: Vec<Option<Behind>>,
    free: Vec<u32>,
}

static POOL: Mutex<Pool> = Mutex::new(Pool { behind: Vec::new(), free: Vec::new() });

/// Never refused: what was handed out must be taken back whatever failed before.
fn pool() -> MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pool {
    fn hand_out(&mut self, behind: Behind) -> Option<Kept> {
        let cell = match self.free.pop() {
            Some(again) => again,
            None if self.behind.len() < CELLS => {
                self.behind.push(None);
                u32::try_from(self.behind.len() - 1).ok()?
            }
            None => return None,
        };
        let generation = generation(word(cell)?.load(Ordering::Relaxed));
        let until = behind.until;
        *self.behind.get_mut(usize::try_from(cell).ok()?)? = Some(behind);
        Some(Kept { cell, generation, until })
    }

    /// Takes back what is in a cell; what stood behind it, already counted.
    fn take_back(&mut self, cell: u32) -> Option<Behind> {
        let word = word(cell)?;
        let behind = self.behind.get_mut(usize::try_from(cell).ok()?)?.take()?;
        // Only repetitions write beside us, and they do not move the generation.
        let next = (word.load(Ordering::Relaxed) & !COUNT).wrapping_add(NEXT);
        behind.count(word.swap(next, Ordering::AcqRel) & COUNT);
        // A word whose generations are used up is left alone for good.
        if next < u64::MAX - NEXT {
            self.free.push(cell);
        }
        Some(behind)
    }
}

/// What of one session is handed out. Changed under a lock, which those who
/// authorize never wait for.
#[derive(Default)]
pub(super) struct HandedOut(Mutex<List>);

#[derive(Default)]
struct List {
    closed: bool,
    kept: Vec<Kept>,
}

/// Decisions of one session handed out at once.
const MOST: usize = 64;

impl HandedOut {
    /// Hands a decision out. `decide` looks at everything the decision rests
    /// on; whoever changes any of that does it within [`HandedOut::take_back`], or
    /// calls it afterwards, and so either takes this decision back or is seen by
    /// `decide`.
    ///
    /// None when it may not be repeated, there are too many, or it would have to
    /// be waited for.
    pub(super) fn hand_out(&self, decide: impl FnOnce() -> Option<Behind>) -> Option<Kept> {
        let mut list = match self.0.try_lock() {
            Ok(list) => list,
            Err(TryLockError::Poisoned(list)) => list.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        if list.closed {
            return None;
        }
        if list.kept.len() >= MOST {
            list.kept.retain(|kept| kept.stands());
            if list.kept.len() >= MOST {
                return None;
            }
        }
        let behind = decide()?;
        let mut pool = POOL.try_lock().ok()?;
        let kept = pool.hand_out(behind)?;
        list.kept.push(kept);
        Some(kept)
    }

    /// Takes everything back, and then does what it is taken back for: whoever
    /// sees that done sees nothing repeated from before. With `close` nothing is
    /// handed out again.
    pub(super) fn take_back<T>(&self, close: bool, change: impl FnOnce() -> T) -> T {
        let mut over = Vec::new();
        let changed = {
            // Held to the end: who comes second must not return before it is done.
            let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            list.closed |= close;
            if !list.kept.is_empty() {
                let mut pool = pool();
                over.extend(list.kept.drain(..).filter(|k| k.stands()).filter_map(|k| pool.take_back(k.cell)));
            }
            change()
        };
        // Contexts that nobody else has write their counts down while they are
        // dropped; not under the locks.
        drop(over);
        changed
    }
}

/// Counts the repetitions of everything that is handed out.
pub fn count() {
    let pool = pool();
    for (cell, behind) in (0..).zip(&pool.behind) {
        if let (Some(word), Some(behind)) = (word(cell), behind) {
            behind.count(word.fetch_and(!COUNT, Ordering::AcqRel) & COUNT);
        }
    }
}

/// Takes back what is over at `now`, by [`crate::time::coarse`], so that its
/// cells can be used again.
pub fn sweep(now: i64) {
    take_back(|behind| behind.until <= now);
}

/// Takes back what may be repeated in the present window of the audit only. To
/// be called when the next has begun.
pub fn end_window() {
    take_back(|behind| behind.wanted == Wanted::RecordedDeny);
}

fn take_back(due: impl Fn(&Behind) -> bool) {
    let mut over = Vec::new();
    {
        let mut pool = pool();
        let cells = u32::try_from(pool.behind.len()).unwrap_or(0);
        for cell in 0..cells {
            let behind = usize::try_from(cell).ok().and_then(|c| pool.behind.get(c)?.as_ref());
            if behind.is_some_and(&due) {
                over.extend(pool.take_back(cell));
            }
        }
    }
    drop(over);
}
