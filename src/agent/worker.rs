// SPDX-License-Identifier: Apache-2.0
//! The background: threads that follow changes, keep the house, report and
//! flush the audit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::deliver::Deliverer;
use super::feed::Feed;
use super::report::Reporter;
use super::{Agent, Held, schedule};
use crate::credential::sigv4::LEASE;
use crate::fault::{Fault, Kind};
use crate::files;
use crate::service::RENEW;
use crate::session::kept;
use crate::time::Steady;

/// How long an expired session is kept so that late requests are answered
/// "expired" and not "unknown", milliseconds.
const EXPIRED_GRACE: i64 = 60_000;
/// Longest time from a login's look at what is held to its session,
/// milliseconds; one that takes longer is put off.
const LOGIN: i64 = 10_000;
/// How long a renewal may take, milliseconds.
const RENEWAL_WAIT: i64 = 5000;
/// Longest wait for a change where the service waits, milliseconds.
const LONGEST_WAIT: i64 = 10_000;

pub(super) fn start(agent: &Arc<Agent>) -> Result<(), Fault> {
    let weak = || Arc::downgrade(agent);
    let mut threads = Vec::new();
    let mut spawn = |name: &str, run: Box<dyn FnOnce() + Send>| -> Result<(), Fault> {
        threads.push(files::spawn(name, run)?);
        Ok(())
    };
    let (mut feed, mut keeper, mut reporter) = (Feed::default(), Keeper::default(), Reporter::default());
    let (working, auditing) = (weak(), weak());
    if agent.parts.service.waits() {
        // Waits for the service must not keep anything of this machine waiting.
        let (following, reporting) = (weak(), weak());
        let follow = move |agent: &Arc<Agent>| {
            let wait = LONGEST_WAIT.min(agent.parts.tuning.stale_after() / 3);
            if feed.turn(agent, wait) { 0 } else { agent.parts.tuning.feed_interval() }
        };
        let report = move |agent: &Arc<Agent>| {
            reporter.turn(agent);
            agent.parts.tuning.feed_interval()
        };
        let keep = move |agent: &Arc<Agent>| {
            keeper.turn(agent);
            agent.parts.tuning.feed_interval()
        };
        spawn("standin-worker", Box::new(move || repeat(&working, keep)))?;
        spawn("standin-feed", Box::new(move || repeat(&following, follow)))?;
        spawn("standin-report", Box::new(move || repeat(&reporting, report)))?;
    } else {
        let work = move |agent: &Arc<Agent>| {
            feed.turn(agent, 0);
            keeper.turn(agent);
            reporter.turn(agent);
            agent.parts.tuning.feed_interval()
        };
        spawn("standin-worker", Box::new(move || repeat(&working, work)))?;
    }
    if agent.parts.settings.audit_deliver {
        let (delivering, mut deliverer) = (weak(), Deliverer::new(agent));
        spawn("standin-deliver", Box::new(move || repeat(&delivering, move |agent| deliverer.turn(agent))))?;
    }
    spawn("standin-audit", Box::new(move || repeat(&auditing, audit_turn)))?;
    if let Ok(mut known) = agent.threads.lock() {
        known.extend(threads);
    }
    Ok(())
}

/// Runs `task`, which says after how many milliseconds again, until the agent
/// stops or is gone.
fn repeat(agent: &Weak<Agent>, mut task: impl FnMut(&Arc<Agent>) -> i64) {
    loop {
        let Some(agent) = agent.upgrade() else { return };
        let again = catch_unwind(AssertUnwindSafe(|| task(&agent))).unwrap_or_else(|_| {
            agent.counters.worker_panics.fetch_add(1, Ordering::Relaxed);
            agent.parts.journal.line("error", "a background task panicked; it runs again");
            agent.parts.tuning.feed_interval()
        });
        let Ok(stop) = agent.stop.lock() else { return };
        if *stop {
            return;
        }
        let Ok((stop, _)) = agent.wake.wait_timeout(stop, Duration::from_millis(again.unsigned_abs())) else { return };
        if *stop {
            return;
        }
    }
}

fn audit_turn(agent: &Arc<Agent>) -> i64 {
    let since = agent.tally.window_since();
    let over = agent.parts.clock.wall().0 - since.0 >= agent.parts.tuning.audit_window();
    agent.flush_audit(over);
    agent.look_for_loops();
    agent.parts.tuning.audit_flush().min(agent.parts.tuning.audit_window())
}

/// Keeps the house: nothing in it waits for the service.
#[derive(Default)]
struct Keeper {
    next_sweep: Option<Steady>,
    /// How long the machine had been suspended, milliseconds.
    suspended: Option<i64>,
    /// How far the wall clock was ahead of the steady one, milliseconds.
    ahead: Option<i64>,
}

impl Keeper {
    fn turn(&mut self, agent: &Arc<Agent>) {
        agent.parts.clock.tick();
        let now = agent.parts.clock.steady();
        self.notice_suspension(agent, now);
        self.notice_clock(agent, now);
        agent.events.tell_expired(now, &agent.sessions);
        if agent.recompile.swap(false, Ordering::AcqRel) {
            recompile(agent);
        }
        if self.next_sweep.is_none_or(|at| now >= at) {
            self.next_sweep = Some(now.plus(500));
            sweep(agent, now);
            renew_due(agent, now);
        }
    }
}

impl Keeper {
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

    /// After the wall clock was set back: what was decided by it has an end that
    /// is too far away, or none, and is decided anew.
    fn notice_clock(&mut self, agent: &Agent, now: Steady) {
        const JITTER: i64 = 500;
        let ahead = agent.parts.clock.wall().0.saturating_sub(now.0);
        let set_back = self.ahead.replace(ahead).is_some_and(|before| before.saturating_sub(ahead) > JITTER);
        if set_back {
            agent.parts.journal.line("warn", "the clock was set back: what depends on the time is decided anew");
            agent.forget_timed();
        }
    }
}

/// Has every client's policies compiled for the actions that are new.
fn recompile(agent: &Arc<Agent>) {
    let held: Vec<Arc<Held>> = agent.table().map(|t| t.held.values().cloned().collect()).unwrap_or_default();
    for held in held {
        let renewed = Arc::clone(agent);
        let refreshed = agent.pool.submit(Box::new(move || {
            if renewed.refresh(&held).is_err() {
                renewed.recompile.store(true, Ordering::Release);
            }
        }));
        if refreshed.is_err() {
            agent.recompile.store(true, Ordering::Release);
        }
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
    let (mut over, mut idle_contexts) = (Vec::new(), Vec::new());
    for held in held {
        let Ok(mut state) = held.state() else { continue };
        state.sessions.retain(|id| agent.sessions.with(*id, |_| ()).is_some());
        let expired = held.standby_expires().is_none_or(|(end, _)| now >= end);
        let unused = now.since(Steady(held.used.load(Ordering::Relaxed)));
        if state.sessions.is_empty() && unused > LOGIN && (expired || unused > LEASE) {
            held.forget(&state);
            over.push(Arc::clone(&held));
        } else if state.sessions.iter().any(|id| agent.sessions.with(*id, |s| s.context().is_worn()).unwrap_or(false)) {
            // A context whose cache is full is replaced by itself.
            drop(agent.reinstall(&mut state));
        }
        if state.sessions.is_empty() {
            // What it counted is written down while it is dropped.
            idle_contexts.extend(state.recent.take());
        }
    }
    if let Ok(mut table) = agent.table() {
        for held in over {
            // A later login may have put another one in its place.
            if table.held.get(&held.key).is_some_and(|present| Arc::ptr_eq(present, &held)) {
                table.held.remove(&held.key);
            }
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
