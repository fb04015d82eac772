// SPDX-License-Identifier: Apache-2.0
//! Which signatures were seen, so that repeats are noticed. A signal, not a
//! wall: clients that start together with one key sign identical bytes.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Mutex;

use crate::time::Steady;

/// How often a signature was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Times, this one included.
    pub count: u32,
    /// True when it came from another address before.
    pub elsewhere: bool,
}

struct Entry {
    count: u32,
    from: Option<IpAddr>,
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

    /// Notes a signature.
    pub fn see(&self, signature: [u8; 32], from: Option<IpAddr>, now: Steady) -> Seen {
        // When the table failed every signature counts as seen.
        let Ok(mut table) = self.table.lock() else { return Seen { count: u32::MAX, elsewhere: true } };
        while let Some((oldest, at)) = table.order.front().copied()
            && (now.since(at) > self.window || table.order.len() >= self.most)
        {
            table.order.pop_front();
            table.entries.remove(&oldest);
        }
        if let Some(entry) = table.entries.get_mut(&signature) {
            entry.count = entry.count.saturating_add(1);
            return Seen { count: entry.count, elsewhere: entry.from != from };
        }
        table.entries.insert(signature, Entry { count: 1, from });
        table.order.push_back((signature, now));
        Seen { count: 1, elsewhere: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_are_counted_within_the_window_and_the_bound() {
        let table = ReplayTable::new(3, 100);
        let here = Some("192.0.2.1".parse().unwrap());
        let there = Some("192.0.2.2".parse().unwrap());
        assert_eq!(table.see([1; 32], here, Steady(0)), Seen { count: 1, elsewhere: false });
        assert_eq!(table.see([1; 32], here, Steady(50)), Seen { count: 2, elsewhere: false });
        assert_eq!(table.see([1; 32], there, Steady(60)), Seen { count: 3, elsewhere: true });
        assert_eq!(table.see([1; 32], here, Steady(200)).count, 1, "forgotten after the window");
        for n in 2..10 {
            table.see([n; 32], here, Steady(200));
        }
        assert_eq!(table.table.lock().unwrap().entries.len(), 3);
    }
}
