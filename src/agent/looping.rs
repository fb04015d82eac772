// SPDX-License-Identifier: Apache-2.0
//! Clients that go on asking for what they are denied: they are counted, named
//! and slowed, and no thread waits for them.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

use super::Agent;
use crate::session::kept;
use crate::time::Steady;

/// Denials a second from which a session is looping.
const PER_SECOND: i64 = 10;
/// Denials a second below which it is not any more: one that is slowed is
/// denied less often, and would be let go only to be slowed again.
const STILL: i64 = 1;
/// Longest time over which they are counted, milliseconds.
const WINDOW: i64 = 10_000;
/// Identities named in a line.
const NAMED: usize = 3;

/// What is remembered from one look to the next.
pub(super) struct Loops(Mutex<Looked>);

struct Looked {
    since: Steady,
    told: Option<Steady>,
}

impl Loops {
    /// Counts from this moment on.
    pub(super) fn from(now: Steady) -> Self {
        Self(Mutex::new(Looked { since: now, told: None }))
    }
}

impl Agent {
    /// Looks at the denials since the last time, once that is long enough ago.
    pub(super) fn look_for_loops(&self) {
        let (now, window) = (self.parts.clock.steady(), self.parts.tuning.audit_window());
        let Ok(mut looked) = self.loops.0.lock() else { return };
        let passed = now.since(looked.since);
        if passed < window.min(WINDOW) {
            return;
        }
        looked.since = now;
        // What was repeated elsewhere is counted there until now.
        kept::count();
        let least = |per_second: i64| u32::try_from((passed * per_second / 1000).max(per_second)).unwrap_or(u32::MAX);
        let (mut looping, mut who) = (0, BTreeMap::new());
        for (_, session) in self.sessions.all() {
            let denied = session.take_denied();
            let before = session.is_looping();
            let loops = denied >= least(if before { STILL } else { PER_SECOND });
            if loops != before {
                session.set_looping(loops);
            }
            if loops {
                looping += 1;
                *who.entry(session.begin.principal.subject.arn().to_owned()).or_insert(0_u64) += u64::from(denied);
            } else if before {
                self.quicken(&session);
            }
        }
        self.counters.looping.store(looping, Ordering::Relaxed);
        // A line for each window of the audit is enough.
        if looping == 0 || looked.told.is_some_and(|told| now.since(told) < window) {
            return;
        }
        looked.told = Some(now);
        let named: Vec<String> = who.iter().take(NAMED).map(|(arn, n)| format!("{arn} ({n} times)")).collect();
        let more = if who.len() > NAMED { " and others" } else { "" };
        self.parts.journal.line(
            "warn",
            &format!("sessions that go on asking for what they are denied: {looping}, of {}{more}", named.join(", ")),
        );
    }
}
