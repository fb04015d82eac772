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
    fn came_from(&mut self, address: Option<IpAddr>) {
        if let Some(address) = address
            && self.from.len() < SOURCES
            && !self.from.contains(&address)
        {
            self.from.push(address);
        }
    }

    fn seen(&self) -> Seen {
        Seen { count: self.count, sources: u32::try_from(self.from.len()).unwrap_or(u32::MAX) }
    }
}

#[derive(Default)]
struct Table {
    entries: HashMap<[u8; 32], Entry, foldhash::fast::RandomState>,
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

    /// Notes that a signature was used, and where it came from if that is known.
    pub fn see(&self, signature: [u8; 32], address: Option<IpAddr>, now: Steady) -> Seen {
        // When the table failed every signature counts as seen.
        let Ok(mut table) = self.table.lock() else { return Seen { count: u32::MAX, sources: u32::MAX } };
        let Table { entries, order } = &mut *table;
        while let Some((oldest, at)) = order.front().copied()
            && (now.since(at) > self.window || order.len() >= self.most)
        {
            order.pop_front();
            entries.remove(&oldest);
        }
        let entry = entries.entry(signature).or_insert_with(|| {
            order.push_back((signature, now));
            Entry::default()
        });
        entry.count = entry.count.saturating_add(1);
        entry.came_from(address);
        entry.seen()
    }

    /// Notes where a signature came from, which hosts may tell only after the
    /// login.
    pub fn came_from(&self, signature: [u8; 32], address: Option<IpAddr>) -> Seen {
        let Ok(mut table) = self.table.lock() else { return Seen { count: u32::MAX, sources: u32::MAX } };
        let Some(entry) = table.entries.get_mut(&signature) else { return Seen { count: 0, sources: 1 } };
        entry.came_from(address);
        entry.seen()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_are_counted_within_the_window_and_the_bound() {
        let table = ReplayTable::new(3, 100);
        assert_eq!(table.see([1; 32], None, Steady(0)).count, 1);
        assert_eq!(table.see([1; 32], None, Steady(50)).count, 2);
        assert_eq!(table.see([1; 32], None, Steady(200)).count, 1, "forgotten after the window");
        for n in 2..10 {
            table.see([n; 32], None, Steady(200));
        }
        assert_eq!(table.table.lock().unwrap().entries.len(), 3);
    }

    /// P1-24: repeats are counted per signature and source.
    #[test]
    fn p1_24_sources_of_a_signature_are_told_apart() {
        let table = ReplayTable::new(10, 100);
        let (here, there) = (Some("192.0.2.1".parse().unwrap()), Some("192.0.2.2".parse().unwrap()));
        assert_eq!(table.see([1; 32], here, Steady(0)), Seen { count: 1, sources: 1 });
        table.see([1; 32], None, Steady(1));
        assert_eq!(table.came_from([1; 32], here), Seen { count: 2, sources: 1 });
        table.see([1; 32], None, Steady(2));
        assert_eq!(table.came_from([1; 32], there), Seen { count: 3, sources: 2 });
    }
}
