// SPDX-License-Identifier: Apache-2.0
//! Counters and gauges, by fixed position, for the host to read.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Engine;
use crate::agent::Differs;

/// Names in the order of the values of [`Engine::metrics`]. New ones are added
/// at the end.
pub const METRICS: &[&str] = &[
    "logins-success-total",
    "logins-refused-total",
    "logins-undecided-total",
    "logins-local-total",
    "logins-service-total",
    "operations-cached-total",
    "operations-evaluated-total",
    "operations-allowed-total",
    "operations-denied-total",
    "operations-undecided-total",
    "sessions",
    "contexts",
    "credentials-held",
    "credentials-renewed-total",
    "credentials-renewal-failures-total",
    "feed-changes-total",
    "feed-failures-total",
    "feed-silence-ms",
    "worker-panics-total",
    "audit-records-written-total",
    "audit-records-lost",
    "decision-requests-total",
    "decision-request-failures-total",
    "logins-shared-total",
    "answers-outdated-total",
    "events-lost-total",
    "shadow-compared-total",
    "shadow-denied-total",
    "shadow-allowed-total",
    "shadow-undecided-total",
    "shadow-unknown-total",
    "shadow-uncompared-total",
    "shadow-differences",
    "logins-undecided-busy-total",
    "logins-undecided-timeout-total",
    "logins-undecided-stale-total",
    "logins-undecided-unavailable-total",
    "logins-limited-total",
    "login-success-within-1-ms-total",
    "login-success-within-10-ms-total",
    "login-success-within-100-ms-total",
    "login-success-within-1000-ms-total",
    "login-success-us-total",
    "login-refused-within-1-ms-total",
    "login-refused-within-10-ms-total",
    "login-refused-within-100-ms-total",
    "login-refused-within-1000-ms-total",
    "login-refused-us-total",
    "login-undecided-within-1-ms-total",
    "login-undecided-within-10-ms-total",
    "login-undecided-within-100-ms-total",
    "login-undecided-within-1000-ms-total",
    "login-undecided-us-total",
    "operations-undecided-stale-total",
    "operations-undecided-service-total",
    "forwarded-undecided-total",
    "sessions-ended-total",
    "sessions-looping",
    "feed-lag-ms",
    "audit-records-waiting",
    "audit-records-dropped-total",
];

impl Engine {
    /// The values of [`METRICS`], in order.
    #[must_use]
    pub fn metrics(&self) -> [i64; METRICS.len()] {
        let total = |counter: &AtomicU64| i64::try_from(counter.load(Ordering::Relaxed)).unwrap_or(i64::MAX);
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let agent = self.agent();
        let differences = agent.differences();
        let (tally, counters) = (agent.tally(), agent.counters());
        let sum = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let (allowed, denied) = agent.counted();
        let latency = [0, 1, 2].map(|outcome| counters.latency.of(outcome));
        let evaluated = tally.evaluated.sum();
        [
            total(&counters.logins_success),
            total(&counters.logins_refused),
            total(&counters.logins_undecided),
            total(&counters.local_logins),
            total(&counters.service_logins),
            sum((allowed + denied).saturating_sub(evaluated)),
            sum(evaluated),
            sum(allowed),
            sum(denied),
            sum(tally.undecided.sum()),
            count(agent.sessions().len()),
            count(agent.contexts()),
            count(agent.held()),
            total(&counters.renewals),
            total(&counters.renewal_failures),
            total(&counters.changes),
            total(&counters.feed_failures),
            agent.fresh().silence(self.clock().steady()),
            i64::try_from(agent.panics()).unwrap_or(i64::MAX),
            i64::try_from(self.recorder().written()).unwrap_or(i64::MAX),
            i64::try_from(self.recorder().lost()).unwrap_or(i64::MAX),
            total(&counters.decision_requests),
            total(&counters.decision_failures),
            total(&counters.shared_flights),
            total(&counters.outdated_answers),
            sum(agent.events().lost()),
            sum(differences.compared.sum()),
            sum(differences.count(Differs::Denied)),
            sum(differences.count(Differs::Allowed)),
            sum(differences.count(Differs::Undecided)),
            sum(differences.count(Differs::Unknown)),
            sum(differences.uncompared.sum()),
            count(differences.known()),
            total(&counters.undecided_busy),
            total(&counters.undecided_timed_out),
            total(&counters.undecided_stale),
            total(&counters.undecided_unavailable),
            total(&counters.limited),
            sum(latency[0].0[0]),
            sum(latency[0].0[1]),
            sum(latency[0].0[2]),
            sum(latency[0].0[3]),
            sum(latency[0].1),
            sum(latency[1].0[0]),
            sum(latency[1].0[1]),
            sum(latency[1].0[2]),
            sum(latency[1].0[3]),
            sum(latency[1].1),
            sum(latency[2].0[0]),
            sum(latency[2].0[1]),
            sum(latency[2].0[2]),
            sum(latency[2].0[3]),
            sum(latency[2].1),
            sum(tally.undecided_stale.sum()),
            sum(tally.undecided.sum().saturating_sub(tally.undecided_stale.sum())),
            total(&counters.forwarded_undecided),
            total(&counters.sessions_ended),
            total(&counters.looping),
            counters.feed_lag.load(Ordering::Relaxed),
            count(self.recorder().waiting()),
            sum(self.recorder().dropped()),
        ]
    }
}
