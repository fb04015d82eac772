// SPDX-License-Identifier: Apache-2.0
//! The permission cache: decisions already made in one context.
//!
//! Belongs to the context it was filled under and dies with it, so nothing is
//! ever taken out and nothing can be stale. That makes it simple: tables of
//! cells that are written once, each larger than the one before, probed in
//! order. Reading takes no lock and writes nothing but a counter.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use foldhash::quality::RandomState;

use crate::decision::Verdict;
use crate::policy::ActionId;

/// One decision.
pub(crate) struct Entry {
    hash: u64,
    pub(crate) action: ActionId,
    pub(crate) name: Box<str>,
    pub(crate) verdict: Verdict,
    /// How often it was given since the counts were last taken.
    pub(crate) count: AtomicU64,
    /// The window in which a denial was last recorded as an event.
    pub(crate) window: AtomicU32,
}

type Cell = OnceLock<Box<Entry>>;

const LEVELS: [usize; 5] = [32, 512, 8192, 131_072, 1 << 20];
/// Cells looked at in each level.
const PROBES: usize = 8;

/// The decisions of one context.
pub struct Cache {
    levels: [OnceLock<Box<[Cell]>>; LEVELS.len()],
    used: AtomicUsize,
    most: usize,
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
            hasher: RandomState::default(),
        }
    }

    fn hash(&self, action: ActionId, name: &str) -> u64 {
        let mut state = self.hasher.build_hasher();
        action.0.hash(&mut state);
        name.hash(&mut state);
        state.finish()
    }

    fn cells(cells: &[Cell], hash: u64) -> impl Iterator<Item = &Cell> {
        let mask = cells.len() - 1;
        let start = usize::try_from(hash & mask as u64).unwrap_or(0);
        (0..PROBES).filter_map(move |step| cells.get((start + step) & mask))
    }

    /// Finds the decision for this action on this name.
    pub(crate) fn get(&self, action: ActionId, name: &str) -> Option<&Entry> {
        let hash = self.hash(action, name);
        for level in &self.levels {
            for cell in Self::cells(level.get()?, hash) {
                match cell.get() {
                    // A decision is put into the first empty cell of its way,
                    // so behind an empty cell there is none.
                    None => return None,
                    Some(entry) if entry.hash == hash && entry.action == action && *entry.name == *name => {
                        return Some(entry);
                    }
                    Some(_) => {}
                }
            }
        }
        None
    }

    /// Adds a decision. None when the cache is full; the decision then stands
    /// for itself.
    pub(crate) fn add(&self, action: ActionId, name: &str, verdict: Verdict) -> Option<&Entry> {
        if self.used.load(Ordering::Relaxed) >= self.most {
            return None;
        }
        let hash = self.hash(action, name);
        let mut entry = Box::new(Entry {
            hash,
            action,
            name: name.into(),
            verdict,
            count: AtomicU64::new(0),
            window: AtomicU32::new(0),
        });
        for (level, size) in self.levels.iter().zip(LEVELS) {
            let cells = level.get_or_init(|| (0..size).map(|_| Cell::new()).collect());
            for cell in Self::cells(cells, hash) {
                match cell.set(entry) {
                    Ok(()) => {
                        self.used.fetch_add(1, Ordering::Relaxed);
                        return cell.get().map(AsRef::as_ref);
                    }
                    Err(mine) => {
                        // Another thread may have been faster with the same.
                        if let Some(theirs) = cell.get()
                            && theirs.hash == hash
                            && theirs.action == action
                            && theirs.name == mine.name
                        {
                            return Some(theirs);
                        }
                        entry = mine;
                    }
                }
            }
        }
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

    /// True when nothing more is kept.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.len() >= self.most
    }

    /// Every decision held.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.levels
            .iter()
            .filter_map(OnceLock::get)
            .flat_map(|cells| cells.iter())
            .filter_map(OnceLock::get)
            .map(AsRef::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_it_was_given_and_stops_at_its_bound() {
        let cache = Cache::new(1000);
        for n in 0..5000 {
            let kept = cache.add(ActionId(n % 7), &format!("topic-{n}"), Verdict::IMPLICIT_DENY).is_some();
            assert!(kept || cache.len() >= 1000, "refused early at {n}");
        }
        assert_eq!(cache.len(), 1000);
        assert!(cache.is_full());
        let found = (0..5000).filter(|n| cache.get(ActionId(n % 7), &format!("topic-{n}")).is_some()).count();
        assert_eq!(found, 1000);
        assert_eq!(cache.entries().count(), 1000);
        assert!(cache.get(ActionId(1), "topic-0").is_none(), "the action is part of the key");
    }

    #[test]
    fn two_threads_adding_the_same_share_one_entry() {
        let cache = Cache::new(10_000);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for n in 0..2000 {
                        let name = format!("t{n}");
                        let entry = match cache.get(ActionId(1), &name) {
                            Some(entry) => entry,
                            None => cache.add(ActionId(1), &name, Verdict::IMPLICIT_DENY).unwrap(),
                        };
                        entry.count.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(cache.len(), 2000);
        assert!(cache.entries().all(|e| e.count.load(Ordering::Relaxed) == 4));
    }
}
