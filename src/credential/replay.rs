// SPDX-License-Identifier: Apache-2.0
//! Which signatures were seen, so that repeats are noticed. A signal, not a
//! wall: clients that start together with one key sign identical bytes.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Mutex;

use crate::time::Steady;

/// Most addresses remembered of one signature.
const SOURCES: usize = 16;

/// How often a signature was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Times, this one included.
    pub count: u32,
    /// From how many addresses, as far as they are known (at most 16 are told
    /// apart).
    pub sources: u32,
}

#[derive(Default)]
struct Entry {
    count: u32,
    from: Vec<IpAddr>,
}

impl Entry {
    fn seen(&self) -> Seen {
        Seen { count: self.count, sources: u32::try_from(self.from.len()).unwrap_or(u32::MAX) }
    }
}

#[derive(Default)]
struct Table {
    entries: HashMap<[u8; 32], Entry>,
    order: VecDeque<([u8; 32], Steady)>,
}

/// Signatures of one acceptance window; bounded, oldest forgotten first.
pub struct ReplayTable {
    most: usize,
    window: i64,
    table: Mutex<Table>,
}

impl ReplayTable {
    /// Remembers at most `most` signatures for `window` milliseconds.
    #[must_use]
    pub fn new(most: usize, window: i64) -> Self {
        Self { most, window, table: Mutex::default() }
    }

    /// Notes that a signature was used.
    pub fn see(&self, signature: [u8; 32], now: Steady) -> Seen {
        // When the table failed every signature counts as seen.
        let Ok(mut table) = self.table.lock() else { return Seen { count: u32::MAX, sources: u32::MAX } };
        while let Some((oldest, at)) = table.order.front().copied()
            && (now.since(at) > self.window || table.order.len() >= self.most)
        {
            table.order.pop_front();
            table.entries.remove(&oldest);
        }
        if !table.entries.contains_key(&signature) {
            table.order.push_back((signature, now));
        }
        let entry = table.entries.entry(signature).or_default();
        entry.count = entry.count.saturating_add(1);
        entry.seen()
    }

    /// Notes where a signature came from, which hosts may tell only after the
    /// login; the number of addresses it came from.
    pub fn came_from(&self, signature: [u8; 32], address: Option<IpAddr>) -> u32 {
        let Ok(mut table) = self.table.lock() else { return u32::MAX };
        let Some(entry) = table.entries.get_mut(&signature) else { return 1 };
        if let Some(address) = address
            && entry.from.len() < SOURCES
            && !entry.from.contains(&address)
        {
            entry.from.push(address);
        }
        entry.seen().sources
    }

    /// How often a signature was seen.
    #[must_use]
    pub fn seen(&self, signature: [u8; 32]) -> Seen {
        let Ok(table) = self.table.lock() else { return Seen { count: u32::MAX, sources: u32::MAX } };
        table.entries.get(&signature).map_or_else(Seen::default, Entry::seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_are_counted_within_the_window_and_the_bound() {
        let table = ReplayTable::new(3, 100);
        assert_eq!(table.see([1; 32], Steady(0)).count, 1);
        assert_eq!(table.see([1; 32], Steady(50)).count, 2);
        assert_eq!(table.see([1; 32], Steady(200)).count, 1, "forgotten after the window");
        for n in 2..10 {
            table.see([n; 32], Steady(200));
        }
        assert_eq!(table.table.lock().unwrap().entries.len(), 3);
    }

    /// P1-24: repeats are counted per signature and source.
    #[test]
    fn p1_24_sources_of_a_signature_are_told_apart() {
        let table = ReplayTable::new(10, 100);
        let (here, there) = (Some("192.0.2.1".parse().unwrap()), Some("192.0.2.2".parse().unwrap()));
        table.see([1; 32], Steady(0));
        assert_eq!(table.came_from([1; 32], here), 1);
        table.see([1; 32], Steady(1));
        assert_eq!(table.came_from([1; 32], here), 1);
        table.see([1; 32], Steady(2));
        assert_eq!(table.came_from([1; 32], there), 2);
        assert_eq!(table.seen([1; 32]), Seen { count: 3, sources: 2 });
    }
}
