// SPDX-License-Identifier: Apache-2.0
//! What keeps bad logins cheap: unknown keys are remembered, and an address
//! that keeps failing is put off.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;

use crate::time::Steady;

/// Access key ids known to be unknown, for a while.
pub struct NegativeCache {
    most: usize,
    keep: i64,
    until: Mutex<HashMap<String, Steady>>,
}

impl NegativeCache {
    /// Remembers at most `most` ids for `keep` milliseconds each.
    #[must_use]
    pub fn new(most: usize, keep: i64) -> Self {
        Self { most, keep, until: Mutex::default() }
    }

    /// True when the id was found unknown a short while ago.
    #[must_use]
    pub fn contains(&self, id: &str, now: Steady) -> bool {
        self.until.lock().is_ok_and(|u| u.get(id).is_some_and(|end| now < *end))
    }

    /// Notes that an id is unknown.
    pub fn add(&self, id: &str, now: Steady) {
        let Ok(mut until) = self.until.lock() else { return };
        if until.len() >= self.most {
            until.retain(|_, end| now < *end);
        }
        // Full of fresh ones: somebody makes ids up. Each costs a question to
        // the store then, and the address budget bounds those.
        if until.len() < self.most {
            until.insert(id.to_owned(), now.plus(self.keep));
        }
    }

    /// Forgets an id that appeared.
    pub fn forget(&self, id: &str) {
        if let Ok(mut until) = self.until.lock() {
            until.remove(id);
        }
    }
}

/// Failures per client address: a bucket that holds `rate` and refills by
/// `rate` each second.
pub struct Budget {
    most: usize,
    rate: f64,
    buckets: Mutex<HashMap<IpAddr, (f64, Steady)>>,
}

impl Budget {
    /// Keeps at most `most` addresses.
    #[must_use]
    pub fn new(most: usize, rate: u32) -> Self {
        Self { most, rate: f64::from(rate), buckets: Mutex::default() }
    }

    fn level(&self, (level, at): (f64, Steady), now: Steady) -> f64 {
        (level + now.since(at).max(0) as f64 / 1000.0 * self.rate).min(self.rate)
    }

    /// True when the address has failed too often lately.
    #[must_use]
    pub fn is_spent(&self, address: IpAddr, now: Steady) -> bool {
        self.buckets.lock().is_ok_and(|b| b.get(&address).is_some_and(|bucket| self.level(*bucket, now) < 1.0))
    }

    /// Notes a failure.
    pub fn spend(&self, address: IpAddr, now: Steady) {
        let Ok(mut buckets) = self.buckets.lock() else { return };
        if buckets.len() >= self.most {
            buckets.retain(|_, bucket| self.level(*bucket, now) < self.rate);
            if buckets.len() >= self.most {
                return;
            }
        }
        let bucket = buckets.entry(address).or_insert((self.rate, now));
        *bucket = ((self.level(*bucket, now) - 1.0).max(0.0), now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_ids_are_remembered_for_a_while_and_bounded() {
        let cache = NegativeCache::new(2, 100);
        cache.add("a", Steady(0));
        assert!(cache.contains("a", Steady(99)) && !cache.contains("a", Steady(100)));
        cache.add("b", Steady(0));
        cache.add("c", Steady(50));
        assert!(!cache.contains("c", Steady(50)), "full");
        cache.add("c", Steady(150));
        assert!(cache.contains("c", Steady(151)));
    }

    #[test]
    fn an_address_that_fails_is_put_off_and_recovers() {
        let budget = Budget::new(10, 2);
        let address = "192.0.2.1".parse().unwrap();
        assert!(!budget.is_spent(address, Steady(0)));
        budget.spend(address, Steady(0));
        budget.spend(address, Steady(0));
        assert!(budget.is_spent(address, Steady(0)));
        assert!(!budget.is_spent("192.0.2.2".parse().unwrap(), Steady(0)));
        assert!(!budget.is_spent(address, Steady(500)));
    }
}
