// SPDX-License-Identifier: Apache-2.0
//! Following the changes of the service: what they end is ended, what they
//! change is read again, and hearing of none is what keeps everything fresh.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Agent, Held, schedule};
use crate::fault::{Fault, Kind};
use crate::identity::Identity;
use crate::service::{Change, Happening, News};
use crate::session::SessionId;
use crate::time::Steady;

/// Changes read at once.
const CHANGES: usize = 1000;

/// What is remembered between its turns.
#[derive(Default)]
pub(super) struct Feed {
    /// Identities whose policies changed and could not be read yet.
    pending: HashSet<Identity>,
    failures: u32,
    not_before: Option<Steady>,
}

impl Feed {
    /// Follows, waiting up to `wait` milliseconds for a change where the
    /// service waits. True when there may be more at once.
    pub(super) fn turn(&mut self, agent: &Arc<Agent>, wait: i64) -> bool {
        let now = agent.parts.clock.steady();
        if self.not_before.is_some_and(|at| now < at) {
            return false;
        }
        let (silence, changes) = (agent.fresh.silence(now), agent.counters.changes.load(Ordering::Relaxed));
        match self.follow(agent, wait) {
            Ok((heard, waited)) => {
                if agent.counters.changes.load(Ordering::Relaxed) != changes {
                    // Made after the last time everything was known, and in
                    // force now; a service that waits answers as it is made.
                    let in_force = agent.parts.clock.steady();
                    let lag = if heard > now { in_force.since(heard) } else { silence + in_force.since(now) };
                    agent.counters.feed_lag.store(lag, Ordering::Relaxed);
                }
                agent.fresh.heard(heard);
                if self.failures > 0 {
                    agent.parts.journal.line("info", "the change feed is heard again");
                }
                self.failures = 0;
                agent.counters.feed_fault.store(0, Ordering::Relaxed);
                self.not_before = None;
                waited
            }
            Err(fault) => {
                self.failures = self.failures.saturating_add(1);
                agent.counters.feed_failures.fetch_add(1, Ordering::Relaxed);
                let number = i64::from(fault.status.number());
                let before = agent.counters.feed_fault.swap(number, Ordering::Relaxed);
                // Once for each reason: another one is another thing to do.
                if before != number && !agent.is_stopping() {
                    agent.parts.journal.line("warn", &format!("the change feed cannot be read ({number}): {fault}"));
                }
                let now = agent.parts.clock.steady();
                // What was revoked meanwhile is in force that soon after an outage.
                self.not_before = Some(now.plus(schedule::back_off_briefly(self.failures, agent.fraction())));
                false
            }
        }
    }

    /// Applies every change there is; an error leaves what is missing for the
    /// next turn, and the feed counts as silent meanwhile. Since when what is
    /// known is known, and whether the service waited or had something to say.
    fn follow(&mut self, agent: &Arc<Agent>, wait: i64) -> Result<(Steady, bool), Fault> {
        let service = &agent.parts.service;
        let (mut wait, mut busy) = (wait, false);
        loop {
            let after = agent.following.load(Ordering::Acquire).then(|| agent.applied());
            let begun = agent.parts.clock.steady();
            let News { newest, changes, waited } = service.follow(after, CHANGES, wait)?;
            // Whatever the way back took counts as silence.
            let heard = begun.plus(waited);
            busy |= waited > 0 || !changes.is_empty();
            wait = 0;
            match after {
                None => {
                    // The first answer: what is held already may be older.
                    let mut table = agent.table()?;
                    table.applied = newest;
                    self.pending.extend(table.held.values().map(|h| h.client.principal.subject.clone()));
                    agent.following.store(true, Ordering::Release);
                }
                Some(applied) if newest < applied => {
                    return Err(Fault::unavailable(format!(
                        "the store went back from revision {} to {}: an older one was restored, or a replica lags behind; restart what has it open if it stays so",
                        applied.0, newest.0
                    )));
                }
                // Revisions without changes of interest.
                Some(_) if changes.is_empty() => agent.table()?.applied = newest,
                Some(_) => self.apply(agent, changes)?,
            }
            if agent.applied() >= newest {
                self.refresh_pending(agent)?;
                return Ok((heard, busy));
            }
        }
    }

    fn apply(&mut self, agent: &Arc<Agent>, changes: Vec<Change>) -> Result<(), Fault> {
        let Some(last) = changes.last().map(|c| c.revision) else { return Ok(()) };
        agent.counters.changes.fetch_add(changes.len() as u64, Ordering::Relaxed);
        // First the mark, then the scan: an answer read before this point and
        // entered after it is refused by its revision.
        let held: Vec<Arc<Held>> = {
            let mut table = agent.table()?;
            table.applied = last;
            table.held.values().cloned().collect()
        };
        for change in changes {
            match change.what {
                Happening::Entitlements(identities) => self.pending.extend(identities),
                Happening::KeyEnded(id) => {
                    for held in held.iter().filter(|h| h.key.access_key_id == id) {
                        agent.end_held(held, "the access key was disabled or deleted");
                    }
                }
                Happening::IdentityEnded(identity) => {
                    for held in held.iter().filter(|h| h.client.principal.subject == identity) {
                        agent.end_held(held, "the identity was disabled or deleted");
                    }
                }
                Happening::SessionEnded { id, disconnect } => end_by_public_id(agent, &id, disconnect),
                Happening::KeyAppeared(_) => {}
                // Each is asked for anew: what ended is refused then.
                Happening::Gap => self.pending.extend(held.iter().map(|h| h.client.principal.subject.clone())),
            }
        }
        Ok(())
    }

    fn refresh_pending(&mut self, agent: &Arc<Agent>) -> Result<(), Fault> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let held: Vec<Arc<Held>> = agent
            .table()?
            .held
            .values()
            .filter(|h| self.pending.contains(&h.client.principal.subject))
            .cloned()
            .collect();
        let mut failed: Option<(Identity, Fault)> = None;
        for held in held {
            if let Err(fault) = agent.refresh(&held) {
                failed = Some((held.client.principal.subject.clone(), fault));
            }
        }
        match failed {
            // Reading all of them again next time costs little and misses none.
            Some((_, fault)) if fault.kind() == Kind::Undecided => Err(fault),
            Some((identity, fault)) => {
                agent.parts.journal.line("error", &format!("policies of {identity}: {fault}"));
                Err(fault)
            }
            None => {
                self.pending.clear();
                Ok(())
            }
        }
    }
}

fn end_by_public_id(agent: &Agent, public: &str, disconnect: bool) {
    let Some((boot, number)) = public.rsplit_once('/') else { return };
    if boot != agent.parts.boot {
        return;
    }
    if let Some(id) = number.parse().ok().and_then(SessionId::from_number) {
        if disconnect {
            agent.end_with_connection(id, "ended by an administrator, with its connection");
        } else {
            agent.end(id, "ended by an administrator");
        }
    }
}
