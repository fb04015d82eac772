// SPDX-License-Identifier: Apache-2.0
//! What the agent counts.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Agent;
use crate::session::kept;

/// Counters of the agent.
#[derive(Debug, Default)]
pub struct Counters {
    /// Logins that succeeded.
    pub logins_success: AtomicU64,
    /// Logins that were refused.
    pub logins_refused: AtomicU64,
    /// Logins that could not be decided.
    pub logins_undecided: AtomicU64,
    /// Logins verified with a leased key.
    pub local_logins: AtomicU64,
    /// Logins the service was asked about.
    pub service_logins: AtomicU64,
    /// Callers that waited for somebody else's question.
    pub shared_flights: AtomicU64,
    /// Renewed credentials.
    pub renewals: AtomicU64,
    /// Failed renewals.
    pub renewal_failures: AtomicU64,
    /// Changes followed.
    pub changes: AtomicU64,
    /// Failed reads of the change feed.
    pub feed_failures: AtomicU64,
    /// Worker tasks that panicked and were started again.
    pub worker_panics: AtomicU64,
    /// Answers that were older than what was known and asked for again.
    pub outdated_answers: AtomicU64,
    /// Requests to the decision point.
    pub decision_requests: AtomicU64,
    /// Requests to the decision point that got no answer.
    pub decision_failures: AtomicU64,
}

impl Agent {
    /// Counters of the agent.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// How many background tasks panicked and were run again or given up.
    #[must_use]
    pub fn panics(&self) -> u64 {
        self.counters.worker_panics.load(Ordering::Relaxed) + self.pool.panics() as u64
    }

    /// Operations allowed and denied since the start.
    #[must_use]
    pub fn counted(&self) -> (u64, u64) {
        kept::count();
        let taken = (self.tally.allowed.sum(), self.tally.denied.sum());
        self.interning.contexts().iter().map(|c| c.counted()).fold(taken, |(a, d), (ca, cd)| (a + ca, d + cd))
    }

    /// How many contexts are in use.
    #[must_use]
    pub fn contexts(&self) -> usize {
        self.interning.contexts().len()
    }

    /// How many client credentials are held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.table().map(|t| t.held.len()).unwrap_or(0)
    }
}
