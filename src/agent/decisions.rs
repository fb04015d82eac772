// SPDX-License-Identifier: Apache-2.0
//! Asking the decision point, on the service threads: proven by the credential
//! that stands in for the client, and never waited for longer than the caller
//! said.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::pool::Promise;
use super::{Agent, Held};
use crate::credential::CredentialKey;
use crate::decision::Verdict;
use crate::fault::{Fault, Status};
use crate::policy::Compiled;
use crate::service::{Answer, DECIDE, Questions};
use crate::session::Context;
use crate::time::UnixMillis;

/// How often answers older than what is known are asked for again.
const REFETCHES: usize = 5;

/// What becomes of verdicts that nobody waits for.
type Aside = Box<dyn FnOnce(&[Verdict]) + Send>;

impl Agent {
    /// Has the decision point answer questions of the client that holds
    /// `credential`, for a session under `context`, in their order.
    ///
    /// With no time to wait the answers are fetched all the same: `aside` gets
    /// them when they come.
    ///
    /// # Errors
    /// Refused without a call when no credential stands in for the client;
    /// undecided without an answer in `wait`.
    pub fn decide_remotely(
        self: &Arc<Self>,
        credential: &CredentialKey,
        context: &Arc<Context>,
        questions: Questions,
        wait: Duration,
        aside: Aside,
    ) -> Result<Vec<Verdict>, Fault> {
        let held = self.held_for(credential).filter(|held| !held.is_ended() && held.standby.load().is_some());
        let held =
            held.ok_or_else(|| Fault::new(Status::Revoked, "no credential stands in for the client any more"))?;
        let (agent, compiled) = (Arc::clone(self), Arc::clone(context.compiled()));
        if wait.is_zero() {
            self.pool.submit(Box::new(move || {
                // Without an answer the next question asks again.
                if let Ok(verdicts) = agent.ask_decisions(&held, &compiled, &questions) {
                    aside(&verdicts);
                }
            }))?;
            return Err(Fault::new(Status::TimedOut, "the decision is being fetched"));
        }
        let promise = Promise::new();
        let filled = Arc::clone(&promise);
        self.pool.submit(Box::new(move || filled.fill(agent.ask_decisions(&held, &compiled, &questions))))?;
        promise.wait(Instant::now() + wait)
    }

    fn ask_decisions(&self, held: &Held, compiled: &Compiled, questions: &Questions) -> Result<Vec<Verdict>, Fault> {
        let settings = &self.parts.settings;
        let body = questions.body()?;
        for _ in 0..REFETCHES {
            let standby = held
                .standby
                .load_full()
                .ok_or_else(|| Fault::new(Status::Revoked, "no credential stands in for the client any more"))?;
            let (now, wall) = (self.parts.clock.steady(), self.parts.clock.wall());
            if now >= standby.expires {
                return Err(Fault::new(
                    Status::Busy,
                    "the impersonation credential has expired and is not yet renewed",
                ));
            }
            self.counters.decision_requests.fetch_add(1, Ordering::Relaxed);
            let proof = standby.credential.prove(&settings.host, wall, DECIDE, &body);
            let answer = self.parts.decisions.decide(&proof, questions, now.plus(DECISION_WAIT));
            let answer = answer.inspect_err(|_| {
                self.counters.decision_failures.fetch_add(1, Ordering::Relaxed);
            })?;
            if answer.value.len() != questions.items.len() {
                return Err(Fault::unavailable("the decision point left questions unanswered"));
            }
            if answer.revision >= held.state()?.revision {
                let end = wall.plus(self.parts.tuning.decide_ttl());
                return Ok(answer.value.into_iter().map(|a| verdict(a, end, compiled)).collect());
            }
            self.counters.outdated_answers.fetch_add(1, Ordering::Relaxed);
        }
        Err(Fault::new(Status::Stale, "the decision point keeps answering from before the last known change"))
    }
}

/// How long a request to the decision point may take, milliseconds.
const DECISION_WAIT: i64 = 2000;

fn verdict(answer: Answer, end: UnixMillis, compiled: &Compiled) -> Verdict {
    Verdict {
        outcome: answer.outcome,
        reason: answer.reason,
        statement: answer.statement.and_then(|(policy, index)| compiled.find_statement(&policy, index)),
        valid_until: Some(answer.valid_until.map_or(end, |until| until.min(end))),
        cacheable: answer.cacheable,
    }
}
