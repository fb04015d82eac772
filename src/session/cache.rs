// SPDX-License-Identifier: Apache-2.0
//! The permission cache: decisions already made in one context.
//!
//! Belongs to the context it was filled under and dies with it, so nothing is
//! ever taken out and nothing can be stale. That makes it simple: tables of
//! cells that are written once, each larger than the one before, probed in
//! order. Reading takes no lock and writes nothing; how often a decision was
//! given is counted beside the cells, by each thread for itself.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use foldhash::quality::RandomState;

use super::stripe::{self, STRIPES};
use crate::decision::Verdict;
use crate::policy::ActionId;
use crate::time::UnixMillis;

/// One decision.
pub(crate) struct Entry {
    hash: u64,
    pub(crate) action: ActionId,
    pub(crate) name: Box<str>,
    pub(crate) verdict: Verdict,
    /// The window in which a denial was last recorded as an event.
    pub(crate) window: AtomicU32,
}

impl Entry {
    fn is(&self, hash: u64, action: ActionId, name: &str) -> bool {
        self.hash == hash && self.action == action && *self.name == *name
    }

    /// True while the decision holds.
    pub(crate) fn holds(&self, now: UnixMillis) -> bool {
        self.verdict.valid_until.is_none_or(|end| now < end)
    }
}

type Cell = OnceLock<Box<Entry>>;
type Counts = Box<[AtomicU64]>;

struct Level {
    /// What [`tag`] says of the decision in each cell; zero where there is none
    /// yet. The eight of one way share a cache line or two, so that most cells
    /// are passed over without being touched.
    tags: Box<[AtomicU32]>,
    cells: Box<[Cell]>,
    /// How often the decision of each cell was given, by stripe.
    counts: [OnceLock<Counts>; STRIPES],
}

impl Level {
    fn new(size: usize) -> Self {
        Self {
            tags: (0..size).map(|_| AtomicU32::new(0)).collect(),
            cells: (0..size).map(|_| Cell::new()).collect(),
            counts: std::array::from_fn(|_| OnceLock::new()),
        }
    }

    /// Finds the decision whose hash, action and name these are, and that holds
    /// now. `Err` when there is none behind this level either: a decision is put
    /// into the first empty cell of its way, so behind an empty cell there is
    /// none.
    fn find(&self, hash: u64, action: ActionId, name: &str, now: UnixMillis) -> Result<Option<Found<'_>>, ()> {
        let tag = tag(hash);
        for place in self.places(hash) {
            let there = self.tags.get(place).map_or(0, |t| t.load(Ordering::Acquire));
            if there == 0 {
                return Err(());
            }
            if there == tag
                && let Some(entry) = self.cells.get(place).and_then(OnceLock::get)
                && entry.is(hash, action, name)
                && entry.holds(now)
            {
                return Ok(Some(Found { entry, level: self, place }));
            }
        }
        Ok(None)
    }

    /// Where a hash is looked for, in this order.
    fn places(&self, hash: u64) -> impl Iterator<Item = usize> + use<> {
        let mask = self.cells.len() - 1;
        let start = usize::try_from(hash & mask as u64).unwrap_or(0);
        (0..PROBES).map(move |step| (start + step) & mask)
    }

    /// The cells a hash is looked for in, with their places.
    fn way(&self, hash: u64) -> impl Iterator<Item = (usize, &Cell)> {
        self.places(hash).filter_map(|place| self.cells.get(place).map(|cell| (place, cell)))
    }

    fn count(&self, place: usize, n: u64) {
        let Some(stripe) = self.counts.get(stripe::own()) else { return };
        let counts = stripe.get_or_init(|| (0..self.cells.len()).map(|_| AtomicU64::new(0)).collect());
        if let Some(count) = counts.get(place) {
            count.fetch_add(n, Ordering::Relaxed);
        }
    }

    fn stripes(&self) -> impl Iterator<Item = &Counts> {
        self.counts.iter().filter_map(OnceLock::get)
    }
}

/// The upper half of a hash, never zero.
fn tag(hash: u64) -> u32 {
    u32::try_from(hash >> 32).unwrap_or(0) | 1
}

const LEVELS: [usize; 6] = [32, 256, 2048, 16_384, 131_072, 1 << 20];
/// Cells looked at in each level.
const PROBES: usize = 8;

/// Where a decision stands in a cache; it never moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    level: u8,
    cell: u32,
}

/// A decision in the cache.
#[derive(Clone, Copy)]
pub(crate) struct Found<'c> {
    pub(crate) entry: &'c Entry,
    level: &'c Level,
    place: usize,
}

impl Found<'_> {
    /// Notes that the decision was given for `n` references.
    pub(crate) fn count(&self, n: u64) {
        self.level.count(self.place, n);
    }
}

/// The decisions of one context.
pub struct Cache {
    levels: [OnceLock<Level>; LEVELS.len()],
    used: AtomicUsize,
    most: usize,
    full: AtomicBool,
    hasher: RandomState,
}

impl Cache {
    /// An empty cache for at most `most` decisions.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            levels: std::array::from_fn(|_| OnceLock::new()),
            used: AtomicUsize::new(0),
            most,
            full: AtomicBool::new(false),
            hasher: RandomState::default(),
        }
    }

    fn hash(&self, action: ActionId, name: &str) -> u64 {
        let mut state = self.hasher.build_hasher();
        action.0.hash(&mut state);
        name.hash(&mut state);
        state.finish()
    }

    /// Finds the decision for this action on this name that holds now.
    #[inline]
    pub(crate) fn get(&self, action: ActionId, name: &str, now: UnixMillis) -> Option<Found<'_>> {
        let hash = self.hash(action, name);
        for level in &self.levels {
            match level.get()?.find(hash, action, name, now) {
                Ok(None) => {}
                Ok(found) => return found,
                Err(()) => return None,
            }
        }
        None
    }

    /// The decision for this action on this name, if it is known and holds as
    /// long as the cache does.
    pub(crate) fn lasting(&self, action: ActionId, name: &str) -> Option<Found<'_>> {
        // At the end of time only those hold that have no end.
        self.get(action, name, UnixMillis(i64::MAX))
    }

    /// Where a decision stands.
    pub(crate) fn place(&self, found: &Found<'_>) -> Option<Place> {
        let levels = self.levels.iter().map(OnceLock::get);
        let level = levels.take_while(Option::is_some).flatten().position(|l| std::ptr::eq(l, found.level))?;
        Some(Place { level: u8::try_from(level).ok()?, cell: u32::try_from(found.place).ok()? })
    }

    /// Notes that the decision at this place was given for `n` more references.
    pub(crate) fn count(&self, place: Place, n: u64) {
        let level = self.levels.get(usize::from(place.level)).and_then(OnceLock::get);
        if let (Some(level), Ok(cell)) = (level, usize::try_from(place.cell)) {
            level.count(cell, n);
        }
    }

    /// Adds a decision. None when the cache is full; the decision then stands
    /// for itself.
    pub(crate) fn add(&self, action: ActionId, name: &str, verdict: Verdict, now: UnixMillis) -> Option<Found<'_>> {
        if self.used.load(Ordering::Relaxed) >= self.most {
            self.full.store(true, Ordering::Relaxed);
            return None;
        }
        let hash = self.hash(action, name);
        let mut entry = Box::new(Entry { hash, action, name: name.into(), verdict, window: AtomicU32::new(0) });
        // Another table behind tables that could hold all would only take memory.
        let mut below = 0;
        for (level, size) in self.levels.iter().zip(LEVELS) {
            if below >= self.most {
                break;
            }
            below += size;
            let level = level.get_or_init(|| Level::new(size));
            for (place, cell) in level.way(hash) {
                match cell.set(entry) {
                    Ok(()) => {
                        // Until then it is not found, and whoever adds it meets it.
                        if let Some(place) = level.tags.get(place) {
                            place.store(tag(hash), Ordering::Release);
                        }
                        self.used.fetch_add(1, Ordering::Relaxed);
                        return cell.get().map(|entry| Found { entry, level, place });
                    }
                    Err(mine) => {
                        // Another thread may have been faster with the same.
                        if let Some(theirs) = cell.get()
                            && theirs.is(hash, action, name)
                            && theirs.holds(now)
                        {
                            return Some(Found { entry: theirs, level, place });
                        }
                        entry = mine;
                    }
                }
            }
        }
        self.full.store(true, Ordering::Relaxed);
        None
    }

    /// How many decisions it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// True when it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True when a decision found no room.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// Calls `each` with every decision and how often it was given; with
    /// `take` the counts begin again at zero.
    pub(crate) fn counted(&self, take: bool, mut each: impl FnMut(&Entry, u64)) {
        let read = |count: &AtomicU64| {
            if take { count.swap(0, Ordering::Relaxed) } else { count.load(Ordering::Relaxed) }
        };
        for level in self.levels.iter().filter_map(OnceLock::get) {
            for (place, cell) in level.cells.iter().enumerate() {
                let Some(entry) = cell.get() else { continue };
                let count = level.stripes().filter_map(|counts| counts.get(place)).map(read).sum();
                each(entry, count);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1000);

    #[test]
    fn keeps_what_it_was_given_and_stops_at_its_bound() {
        let cache = Cache::new(1000);
        for n in 0..5000 {
            let _kept = cache.add(ActionId(n % 7), &format!("topic-{n}"), Verdict::IMPLICIT_DENY, NOW);
        }
        assert_eq!(cache.len(), 1000);
        assert!(cache.is_full());
        let found = |n: u32| cache.get(ActionId(n % 7), &format!("topic-{n}"), NOW).is_some();
        assert_eq!((0..5000).filter(|n| found(*n)).count(), 1000);
        let mut entries = 0;
        cache.counted(false, |_, _| entries += 1);
        assert_eq!(entries, 1000);
        assert!(cache.get(ActionId(1), "topic-0", NOW).is_none(), "the action is part of the key");
    }

    #[test]
    fn two_threads_adding_the_same_share_one_entry_and_lose_no_count() {
        let cache = Cache::new(10_000);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for n in 0..2000 {
                        let name = format!("t{n}");
                        let found = match cache.get(ActionId(1), &name, NOW) {
                            Some(found) => found,
                            None => cache.add(ActionId(1), &name, Verdict::IMPLICIT_DENY, NOW).unwrap(),
                        };
                        found.count(1);
                    }
                });
            }
        });
        assert_eq!(cache.len(), 2000);
        cache.counted(true, |_, count| assert_eq!(count, 4));
        cache.counted(true, |_, count| assert_eq!(count, 0, "taken before"));
    }

    #[test]
    fn a_decision_that_no_longer_holds_is_not_found_and_makes_room_for_the_next() {
        let cache = Cache::new(100);
        let until = |end| Verdict { valid_until: Some(UnixMillis(end)), ..Verdict::IMPLICIT_DENY };
        cache.add(ActionId(1), "t", until(2000), NOW).unwrap();
        assert!(cache.get(ActionId(1), "t", UnixMillis(1999)).is_some());
        assert!(cache.get(ActionId(1), "t", UnixMillis(2000)).is_none());
        cache.add(ActionId(1), "t", until(3000), UnixMillis(2000)).unwrap();
        let found = cache.get(ActionId(1), "t", UnixMillis(2500)).unwrap();
        assert_eq!(found.entry.verdict.valid_until, Some(UnixMillis(3000)));
    }
}
