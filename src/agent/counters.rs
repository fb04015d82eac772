// SPDX-License-Identifier: Apache-2.0
//! What the agent counts.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use super::Agent;
use crate::fault::Status;
use crate::session::kept;

/// Counters of the agent.
#[derive(Debug, Default)]
pub struct Counters {
    /// Logins that succeeded.
    pub logins_success: AtomicU64,
    /// Logins that were refused.
    pub logins_refused: AtomicU64,
    /// Of those, by reason: from -200 downwards.
    pub refused_by: [AtomicU64; 15],
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
    /// Why the change feed cannot be read now, as the number of a status; 0
    /// while it is heard.
    pub feed_fault: AtomicI64,
    /// Worker tasks that panicked and were started again.
    pub worker_panics: AtomicU64,
    /// Answers that were older than what was known and asked for again.
    pub outdated_answers: AtomicU64,
    /// Logins put off because too many waited or a limit was reached.
    pub undecided_busy: AtomicU64,
    /// Logins put off because no answer came in time.
    pub undecided_timed_out: AtomicU64,
    /// Logins put off because what is known was too old.
    pub undecided_stale: AtomicU64,
    /// Logins put off for any other reason, such as a service that does not
    /// answer.
    pub undecided_unavailable: AtomicU64,
    /// Logins put off by a limit of the listener.
    pub limited: AtomicU64,
    /// How long logins took.
    pub latency: Latency,
    /// Forwarded sessions that could not be taken in.
    pub forwarded_undecided: AtomicU64,
    /// Sessions ended before their deadline.
    pub sessions_ended: AtomicU64,
    /// Sessions that went on asking for what they were denied, in the last
    /// counting window.
    pub looping: AtomicU64,
    /// Denials that were answered late.
    pub answers_slowed: AtomicU64,
    /// Connections that answer late now.
    pub slowed: AtomicI64,
    /// Connections that were shut down for an administrator.
    pub disconnected: AtomicU64,
    /// How late the last change was put in force at most, milliseconds.
    pub feed_lag: AtomicI64,
    /// Audit records that the service has.
    pub audit_delivered: AtomicU64,
    /// Deliveries of audit records that failed.
    pub audit_delivery_failures: AtomicU64,
    /// Bytes of the audit files that are not delivered.
    pub audit_undelivered: AtomicU64,
    /// Requests to the decision point.
    pub decision_requests: AtomicU64,
    /// Requests to the decision point that got no answer.
    pub decision_failures: AtomicU64,
}

/// Bounds of the buckets of [`Latency`], milliseconds.
const BUCKETS: [u64; 4] = [1, 10, 100, 1000];

/// How long logins took, by outcome: success, refused, undecided.
#[derive(Debug, Default)]
pub struct Latency([Times; 3]);

#[derive(Debug, Default)]
struct Times {
    within: [AtomicU64; BUCKETS.len()],
    micros: AtomicU64,
}

impl Latency {
    /// Notes one login of this outcome.
    pub fn note(&self, outcome: usize, took: Duration) {
        let Some(times) = self.0.get(outcome) else { return };
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        for (bound, count) in BUCKETS.iter().zip(&times.within) {
            if micros <= bound * 1000 {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
        times.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// How many took no longer than each of `BUCKETS`, and microseconds in
    /// all.
    #[must_use]
    pub fn of(&self, outcome: usize) -> ([u64; BUCKETS.len()], u64) {
        let Some(times) = self.0.get(outcome) else { return Default::default() };
        (times.within.each_ref().map(|c| c.load(Ordering::Relaxed)), times.micros.load(Ordering::Relaxed))
    }
}

impl Agent {
    /// True while the service says that this machine's clock is wrong.
    #[must_use]
    pub fn clock_is_off(&self) -> bool {
        self.counters.feed_fault.load(Ordering::Relaxed) == i64::from(Status::HostClock.number())
    }

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
