// SPDX-License-Identifier: Apache-2.0
//! Counting without sharing: threads add to stripes of their own, so that
//! counting a hot resource costs no thread a cache line of another.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Stripes; further threads share.
pub(super) const STRIPES: usize = 16;

static NEXT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static STRIPE: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// The calling thread's stripe.
pub(super) fn own() -> usize {
    // A thread that is being torn down counts on the first stripe.
    STRIPE
        .try_with(|stripe| {
            if stripe.get() == usize::MAX {
                stripe.set(NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES);
            }
            stripe.get()
        })
        .unwrap_or(0)
}

#[repr(align(128))]
#[derive(Default)]
struct Padded(AtomicU64);

/// A counter that many threads add to and few read.
#[derive(Default)]
pub struct Striped([Padded; STRIPES]);

impl Striped {
    /// Adds.
    pub fn add(&self, n: u64) {
        if let Some(stripe) = self.0.get(own()) {
            stripe.0.fetch_add(n, Ordering::Relaxed);
        }
    }

    /// The sum of everything added.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.0.iter().fold(0, |sum, stripe| sum.wrapping_add(stripe.0.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_between_stripes() {
        let counter = Striped::default();
        std::thread::scope(|scope| {
            for _ in 0..40 {
                scope.spawn(|| (0..1000).for_each(|_| counter.add(3)));
            }
        });
        assert_eq!(counter.sum(), 40 * 1000 * 3);
    }
}
