// SPDX-License-Identifier: Apache-2.0
//! The background worker: follows changes, renews, expires, reports, and
//! flushes the audit. A task that panics is counted and runs again.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::{Agent, Held, schedule};
use crate::credential::sigv4::LEASE;
use crate::fault::{Fault, Kind};
use crate::identity::Identity;
use crate::revision::Revision;
use crate::service::{Happening, LiveSession, RENEW, SessionReport};
use crate::session::{Session, SessionId, Standing, kept};
use crate::time::Steady;

/// Changes read at once.
const CHANGES: usize = 1000;
/// How long an expired session is kept so that late requests are answered
/// "expired" and not "unknown", milliseconds.
const EXPIRED_GRACE: i64 = 60_000;
/// How long a renewal may take, milliseconds.
const RENEWAL_WAIT: i64 = 5000;
/// How often operators are told of live sessions, and how often though nothing
/// changed, milliseconds.
const REPORT_SOON: i64 = 500;
const REPORT_ANYWAY: i64 = 10_000;

pub(super) fn start(agent: &Arc<Agent>) -> Result<(), Fault> {
    let feed = Weak::clone(&Arc::downgrade(agent));
    let audit = Weak::clone(&feed);
    let feed_every = |agent: &Agent| agent.parts.tuning.feed_interval();
    let audit_every = |agent: &Agent| agent.parts.tuning.audit_flush().min(agent.parts.tuning.audit_window());
    let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(run)
            .map_err(|e| Fault::internal(format!("a thread could not be started: {e}")))
    };
    let mut follower = Follower { tell_all: true, ..Follower::default() };
    let threads = vec![
        spawn("standin-worker", Box::new(move || repeat(&feed, feed_every, |agent| follower.turn(agent))))?,
        spawn("standin-audit", Box::new(move || repeat(&audit, audit_every, audit_turn)))?,
    ];
    if let Ok(mut known) = agent.threads.lock() {
        known.extend(threads);
    }
    Ok(())
}

/// Runs `task` every so often until the agent stops or is gone.
fn repeat(agent: &Weak<Agent>, every: impl Fn(&Agent) -> i64, mut task: impl FnMut(&Arc<Agent>)) {
    loop {
        let Some(agent) = agent.upgrade() else { return };
        if catch_unwind(AssertUnwindSafe(|| task(&agent))).is_err() {
            agent.counters.worker_panics.fetch_add(1, Ordering::Relaxed);
            agent.parts.journal.line("error", "a background task panicked; it runs again");
        }
        let Ok(stop) = agent.stop.lock() else { return };
        if *stop {
            return;
        }
        let every = Duration::from_millis(every(&agent).unsigned_abs());
        let Ok((stop, _)) = agent.wake.wait_timeout(stop, every) else { return };
        if *stop {
            return;
        }
    }
}

fn audit_turn(agent: &Arc<Agent>) {
    let since = agent.tally.window_since();
    let over = agent.parts.clock.wall().0 - since.0 >= agent.parts.tuning.audit_window();
    agent.flush_audit(over);
}

/// What the worker remembers between its turns.
#[derive(Default)]
struct Follower {
    /// Identities whose policies changed and could not be read yet.
    pending: HashSet<Identity>,
    failures: u32,
    not_before: Option<Steady>,
    next_sweep: Option<Steady>,
    next_report: Option<Steady>,
    /// How long the machine had been suspended, milliseconds.
    suspended: Option<i64>,
    /// Sessions operators were told of.
    told: HashSet<SessionId>,
    /// True when operators may know anything: after the start and a failure.
    tell_all: bool,
}

impl Follower {
    fn turn(&mut self, agent: &Arc<Agent>) {
        agent.parts.clock.tick();
        let now = agent.parts.clock.steady();
        self.notice_suspension(agent, now);
        agent.events.tell_expired(now, &agent.sessions);
        if self.not_before.is_none_or(|at| now >= at) {
            match self.follow(agent) {
                Ok(()) => {
                    agent.fresh.heard(now);
                    if self.failures > 0 {
                        agent.parts.journal.line("info", "the change feed is heard again");
                    }
                    self.failures = 0;
                    self.not_before = None;
                }
                Err(fault) => {
                    self.failures = self.failures.saturating_add(1);
                    agent.counters.feed_failures.fetch_add(1, Ordering::Relaxed);
                    if self.failures == 1 {
                        agent.parts.journal.line("warn", &format!("the change feed cannot be read: {fault}"));
                    }
                    self.not_before = Some(now.plus(schedule::back_off(self.failures, agent.fraction())));
                }
            }
        }
        if self.next_sweep.is_none_or(|at| now >= at) {
            self.next_sweep = Some(now.plus(500));
            sweep(agent, now);
            renew_due(agent, now);
        }
        let changed = agent.sessions_changed.load(Ordering::Relaxed);
        if self.next_report.is_none_or(|at| now >= at || changed && now.plus(REPORT_ANYWAY - REPORT_SOON) >= at) {
            agent.sessions_changed.store(false, Ordering::Relaxed);
            self.next_report = Some(now.plus(REPORT_ANYWAY));
            self.report(agent, now);
        }
    }

    /// After the machine was suspended: decisions that were handed out end by a
    /// clock that stood still meanwhile.
    fn notice_suspension(&mut self, agent: &Agent, now: Steady) {
        const JITTER: i64 = 100;
        let suspended = agent.parts.clock.coarse().map(|coarse| now.0.saturating_sub(coarse));
        if let (Some(before), Some(after)) = (self.suspended, suspended)
            && after.saturating_sub(before) > JITTER
        {
            kept::sweep(i64::MAX);
        }
        self.suspended = suspended;
    }

    /// Tells operators which sessions began and which are over.
    fn report(&mut self, agent: &Arc<Agent>, now: Steady) {
        let mut live = agent.sessions.all();
        live.retain(|(_, s)| {
            let open = !s.begin.imported && !s.is_retired() && now < s.begin.deadline;
            open && s.standing() == Standing::Live
        });
        let present: HashSet<SessionId> = live.iter().map(|(id, _)| *id).collect();
        let report = SessionReport {
            begun: live
                .iter()
                .filter(|(id, _)| self.tell_all || !self.told.contains(id))
                .map(|(id, s)| shown(agent, *id, s))
                .collect(),
            over: self.told.difference(&present).map(|id| public_id(agent, *id)).collect(),
            whole: self.tell_all,
        };
        match agent.parts.service.report(&agent.parts.boot, &agent.parts.settings.host, &report) {
            Ok(()) => {
                self.told = present;
                self.tell_all = false;
            }
            Err(_) => {
                self.tell_all = true;
                agent.sessions_changed.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Applies every change there is; an error leaves what is missing for the
    /// next turn, and the feed counts as silent meanwhile.
    fn follow(&mut self, agent: &Arc<Agent>) -> Result<(), Fault> {
        let service = &agent.parts.service;
        let newest = service.revision()?;
        let mut applied = {
            let mut table = agent.table()?;
            if table.applied == Revision::default() && table.held.is_empty() {
                // Heard for the first time: nothing is held that could have changed.
                table.applied = newest;
            }
            table.applied
        };
        if newest < applied {
            return Err(Fault::unavailable(format!(
                "the store went back from revision {} to {}: an older one was restored; restart what has it open",
                applied.0, newest.0
            )));
        }
        while applied < newest {
            let changes = service.changes(applied, CHANGES)?;
            let Some(last) = changes.last().map(|c| c.revision) else {
                // Revisions without changes of interest.
                agent.table()?.applied = newest;
                break;
            };
            agent.counters.changes.fetch_add(changes.len() as u64, Ordering::Relaxed);
            // First the mark, then the scan: an answer read before this point
            // and entered after it is refused by its revision.
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
                    Happening::SessionEnded(id) => end_by_public_id(agent, &id),
                    Happening::KeyAppeared(_) => {}
                    // Each is asked for anew: what ended is refused then.
                    Happening::Gap => self.pending.extend(held.iter().map(|h| h.client.principal.subject.clone())),
                }
            }
            applied = last;
        }
        self.refresh_pending(agent)
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

fn end_by_public_id(agent: &Agent, public: &str) {
    let Some((boot, number)) = public.rsplit_once('/') else { return };
    if boot != agent.parts.boot {
        return;
    }
    if let Some(id) = number.parse().ok().and_then(SessionId::from_number) {
        agent.end(id, "ended by an administrator");
    }
}

/// Drops what is over.
fn sweep(agent: &Agent, now: Steady) {
    for (id, session) in agent.sessions.all() {
        if session.is_over(now, EXPIRED_GRACE) {
            agent.remove(id);
        }
    }
    let held: Vec<Arc<Held>> = match agent.table() {
        Ok(table) => table.held.values().cloned().collect(),
        Err(_) => return,
    };
    let mut over = Vec::new();
    for held in held {
        let Ok(mut state) = held.state() else { continue };
        state.sessions.retain(|id| agent.sessions.with(*id, |_| ()).is_some());
        let expired = held.standby_expires().is_none_or(|(end, _)| now >= end);
        let idle = now.since(Steady(held.used.load(Ordering::Relaxed))) > LEASE;
        if state.sessions.is_empty() && (expired || idle) {
            over.push(held.key.clone());
        } else if state.sessions.iter().any(|id| agent.sessions.with(*id, |s| s.context().is_worn()).unwrap_or(false)) {
            // A context whose cache is full is replaced by itself.
            drop(agent.reinstall(&mut state));
        }
    }
    if let Ok(mut table) = agent.table() {
        for key in over {
            table.held.remove(&key);
        }
    }
    if let Some(coarse) = agent.parts.clock.coarse() {
        kept::sweep(coarse);
    }
    agent.shelf.sweep();
    agent.interning.sweep();
}

/// Renews credentials that are due and have sessions, on the service threads.
fn renew_due(agent: &Arc<Agent>, now: Steady) {
    if agent.fresh.silence(now) > agent.parts.tuning.stale_after() {
        return;
    }
    let held: Vec<Arc<Held>> = agent.table().map(|t| t.held.values().cloned().collect()).unwrap_or_default();
    for held in held {
        let due = held.standby.load().as_ref().is_some_and(|s| now >= s.renew_at && now < s.expires);
        let wanted = held.state().map(|s| !s.sessions.is_empty()).unwrap_or(false);
        let waiting = now.0 < held.renew_not_before.load(Ordering::Relaxed);
        if !due || !wanted || waiting || held.renewing.swap(true, Ordering::AcqRel) {
            continue;
        }
        let task = Renewing { agent: Arc::clone(agent), held };
        if agent.pool.submit(Box::new(move || task.run())).is_err() {
            // The queue is full; `Renewing` was dropped and the next turn tries.
            return;
        }
    }
}

/// One renewal; clears the mark of its entry however it ends.
struct Renewing {
    agent: Arc<Agent>,
    held: Arc<Held>,
}

impl Renewing {
    fn run(self) {
        let (agent, held) = (&self.agent, &self.held);
        let Some(old) = held.standby.load_full() else { return };
        let settings = &agent.parts.settings;
        let (lifetime, wall) = (agent.parts.tuning.credential_lifetime(), agent.parts.clock.wall());
        let proof = old.credential.prove(&settings.host, wall, RENEW, lifetime.to_string().as_bytes());
        let by = agent.parts.clock.steady().plus(RENEWAL_WAIT);
        let answer = agent.parts.service.renew(&proof, lifetime, by).and_then(|credential| {
            agent.record_issued(held, &credential)?;
            Ok(credential)
        });
        match answer {
            Ok(credential) => {
                agent.counters.renewals.fetch_add(1, Ordering::Relaxed);
                held.renew_failures.store(0, Ordering::Relaxed);
                if !held.is_ended() {
                    held.standby.store(Some(Arc::new(agent.standby(credential))));
                }
            }
            Err(fault) if fault.kind() == Kind::Refused => agent.end_held(held, &fault.text),
            Err(fault) => {
                agent.counters.renewal_failures.fetch_add(1, Ordering::Relaxed);
                let failures = held.renew_failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
                let wait = schedule::back_off(failures, agent.fraction());
                held.renew_not_before.store(agent.parts.clock.steady().plus(wait).0, Ordering::Relaxed);
                if failures == 1 {
                    agent.parts.journal.line(
                        "warn",
                        &format!("the credential for {} was not renewed: {fault}", held.client.principal.subject),
                    );
                }
            }
        }
    }
}

impl Drop for Renewing {
    fn drop(&mut self) {
        self.held.renewing.store(false, Ordering::Release);
    }
}

fn public_id(agent: &Agent, id: SessionId) -> String {
    format!("{}/{}", agent.parts.boot, id.number())
}

fn shown(agent: &Agent, id: SessionId, session: &Session) -> LiveSession {
    let begin = &session.begin;
    let channel = session.channel();
    LiveSession {
        id: public_id(agent, id),
        subject: begin.principal.subject.arn().to_owned(),
        access_key_id: begin.credential.access_key_id.clone(),
        session_name: begin.principal.attributes.session_name.clone().unwrap_or_default(),
        address: channel.and_then(|c| c.address).map(|a| a.to_string()).unwrap_or_default(),
        listener: channel.map(|c| c.listener.clone()).unwrap_or_default(),
        since: begin.since,
        deadline: begin.deadline_wall,
    }
}
