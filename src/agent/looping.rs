// SPDX-License-Identifier: Apache-2.0
//! Clients that go on asking for what they are denied. Nothing can slow them
//! down here without holding a thread of the host, so they are counted and
//! named.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use super::Agent;

/// Denials a second, over a counting window, from which a session is looping.
const PER_SECOND: i64 = 10;
/// Identities named in a line.
const NAMED: usize = 3;

impl Agent {
    /// Looks at the denials of the window that is over.
    pub(super) fn look_for_loops(&self) {
        let window = self.parts.tuning.audit_window();
        let least = u32::try_from(window * PER_SECOND / 1000).unwrap_or(u32::MAX).max(PER_SECOND as u32);
        let (mut looping, mut who) = (0, BTreeMap::new());
        for (_, session) in self.sessions.all() {
            let denied = session.take_denied();
            if denied >= least {
                looping += 1;
                *who.entry(session.begin.principal.subject.arn().to_owned()).or_insert(0_u64) += u64::from(denied);
            }
        }
        self.counters.looping.store(looping, Ordering::Relaxed);
        if looping > 0 {
            let named: Vec<String> = who.iter().take(NAMED).map(|(arn, n)| format!("{arn} ({n} times)")).collect();
            let more = if who.len() > NAMED { " and others" } else { "" };
            self.parts.journal.line(
                "warn",
                &format!(
                    "sessions that go on asking for what they are denied: {looping}, of {}{more}",
                    named.join(", ")
                ),
            );
        }
    }
}
