// SPDX-License-Identifier: Apache-2.0
//! Telling operators of live sessions.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Agent, schedule};
use crate::service::{LiveSession, SessionReport};
use crate::session::{Session, SessionId, Standing};
use crate::time::Steady;

/// How often operators are told of live sessions, and how often though nothing
/// changed, milliseconds.
const REPORT_SOON: i64 = 500;
const REPORT_ANYWAY: i64 = 10_000;

/// What is remembered between its turns.
#[derive(Default)]
pub(super) struct Reporter {
    next: Option<Steady>,
    failures: u32,
    not_before: Option<Steady>,
    /// Sessions operators were told of.
    told: HashSet<SessionId>,
    /// False when operators may know anything: after the start and a failure.
    told_all: bool,
}

impl Reporter {
    /// Tells what changed, when it is time to.
    pub(super) fn turn(&mut self, agent: &Arc<Agent>) {
        let now = agent.parts.clock.steady();
        // Behind a failure all sessions are told, which may be many.
        if self.not_before.is_some_and(|at| now < at) {
            return;
        }
        let changed = agent.sessions_changed.load(Ordering::Relaxed);
        if self.next.is_none_or(|at| now >= at || changed && now.plus(REPORT_ANYWAY - REPORT_SOON) >= at) {
            agent.sessions_changed.store(false, Ordering::Relaxed);
            self.next = Some(now.plus(REPORT_ANYWAY));
            self.report(agent, now);
        }
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
                .filter(|(id, _)| !self.told_all || !self.told.contains(id))
                .map(|(id, s)| shown(agent, *id, s))
                .collect(),
            over: self.told.difference(&present).map(|id| public_id(agent, *id)).collect(),
            whole: !self.told_all,
        };
        match agent.parts.service.report(&agent.parts.boot, &agent.parts.settings.host, &report) {
            Ok(()) => {
                self.told = present;
                self.told_all = true;
                (self.failures, self.not_before) = (0, None);
            }
            Err(_) => {
                self.told_all = false;
                self.failures = self.failures.saturating_add(1);
                let pause = schedule::back_off_briefly(self.failures, agent.fraction());
                self.not_before = Some(agent.parts.clock.steady().plus(pause));
                agent.sessions_changed.store(true, Ordering::Relaxed);
            }
        }
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
