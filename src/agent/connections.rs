// SPDX-License-Identifier: Apache-2.0
//! Connections of sessions that are only denied: those an administrator ended
//! are shut down, those whose clients loop answer late. No thread waits for
//! either. See decisions 0040 and 0041.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Agent;
use crate::connection::{self, Ends, Lend};
use crate::fault::Fault;
use crate::session::{After, Session, SessionId, Slowed, Standing};
use crate::time::Steady;

/// How long a connection that was not found is not looked for again,
/// milliseconds.
const AGAIN: i64 = 10_000;

impl Agent {
    /// What is to be done with a session's connection after everything that was
    /// asked was denied; `worth` says whether the host wants such denials logged.
    pub fn after_denial(&self, session: &Session, worth: bool) -> After {
        if session.begin.imported || session.is_retired() {
            return After::Nothing;
        }
        if session.standing() == Standing::Ended && session.shut_wanted() {
            return After::Shut;
        }
        if worth && session.is_looping() && self.parts.tuning.denied_slow() { After::Slow } else { After::Nothing }
    }

    /// Ends the session of this id; its connection is shut down with the next
    /// request on it.
    pub(super) fn end_with_connection(&self, id: SessionId, reason: &str) {
        if let Some(session) = self.sessions.get(id) {
            session.want_shut();
            self.end_session(id, &session, reason);
        }
    }

    /// Shuts a session's own connection down, in the background, if an
    /// administrator wanted that.
    ///
    /// # Errors
    /// Busy when too many wait: the next request asks again.
    pub fn shut(self: &Arc<Self>, session: &Arc<Session>, ends: Ends, lend: Lend) -> Result<(), Fault> {
        let wanted = self.after_denial(session, false) == After::Shut;
        if !wanted || !session.claim_shut() {
            return Ok(());
        }
        let (agent, ended) = (Arc::clone(self), Arc::clone(session));
        let job = move || {
            let subject = &ended.begin.principal.subject;
            let shut = connection::find(&ends, lend).and_then(|found| match found {
                Some((_, connection)) => connection::shut(&connection).map(|()| true),
                None => Ok(false),
            });
            match shut {
                Ok(true) => {
                    agent.counters.disconnected.fetch_add(1, Ordering::Relaxed);
                    let text = format!("a connection of {subject} was shut down: its session was ended so");
                    agent.parts.journal.line("info", &text);
                }
                // Its client was faster.
                Ok(false) => {}
                Err(e) => {
                    let text = format!("a connection of {subject} could not be shut down, it stays denied: {e}");
                    agent.parts.journal.line("warn", &text);
                }
            }
        };
        self.seeking.submit(|| self.is_stopping(), Box::new(job)).inspect_err(|_| session.want_shut())
    }

    /// Has a session's own connection answer late from now on, until
    /// [`Agent::quicken`]. The first time it is found in the background.
    ///
    /// # Errors
    /// Busy when too many wait: the next denial asks again.
    pub fn slow(self: &Arc<Self>, session: &Arc<Session>, ends: Ends, lend: Lend) -> Result<(), Fault> {
        if self.after_denial(session, true) != After::Slow {
            return Ok(());
        }
        let now = self.parts.clock.steady();
        let mut state = session.slowed();
        let slowed = state.get_or_insert_with(|| {
            let slowed =
                Slowed { ends, lend, number: None, wanted: true, late: false, sought: false, again: Steady(i64::MIN) };
            Box::new(slowed)
        });
        slowed.wanted = true;
        if !slowed.late
            && let Some(number) = slowed.number
        {
            match connection::at(&slowed.ends, number, lend) {
                Some(connection) => self.make_late(session, slowed, &connection),
                None => slowed.number = None,
            }
        }
        if slowed.late {
            self.counters.answers_slowed.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        if slowed.number.is_some() || slowed.sought || now < slowed.again {
            return Ok(());
        }
        slowed.sought = true;
        drop(state);
        let (agent, looping) = (Arc::clone(self), Arc::clone(session));
        let seek = move || agent.seek(&looping, &ends, lend);
        self.seeking.submit(|| self.is_stopping(), Box::new(seek)).inspect_err(|_| {
            if let Some(slowed) = session.slowed().as_mut() {
                slowed.sought = false;
            }
        })
    }

    fn seek(&self, session: &Session, ends: &Ends, lend: Lend) {
        let found = connection::find(ends, lend);
        let mut state = session.slowed();
        let Some(slowed) = state.as_mut() else { return };
        slowed.sought = false;
        match found {
            Ok(Some((number, connection))) => {
                slowed.number = Some(number);
                // Meanwhile something may have been allowed, or the loop be over.
                if slowed.wanted {
                    self.make_late(session, slowed, &connection);
                }
            }
            other => {
                slowed.again = self.parts.clock.steady().plus(AGAIN);
                if let Err(e) = other {
                    self.not_slowed(&e);
                }
            }
        }
    }

    fn make_late(&self, session: &Session, slowed: &mut Slowed, connection: &OwnedFd) {
        if let Err(e) = connection::answer_late(connection, true) {
            self.not_slowed(&e);
            slowed.number = None;
            slowed.again = self.parts.clock.steady().plus(AGAIN);
            return;
        }
        slowed.late = true;
        if self.counters.slowed.fetch_add(1, Ordering::Relaxed) == 0 {
            let text = format!(
                "clients that go on asking for what they are denied get denials late from now on, first {} (standin.denied.slow)",
                session.begin.principal.subject
            );
            self.parts.journal.line("info", &text);
        }
    }

    fn not_slowed(&self, e: &std::io::Error) {
        if !self.slowing_failed.swap(true, Ordering::Relaxed) {
            let text = format!("clients that loop cannot be slowed on this machine: {e}");
            self.parts.journal.line("warn", &text);
        }
    }

    /// Has a session's connection answer at once again.
    pub fn quicken(&self, session: &Session) {
        let mut state = session.slowed();
        let Some(slowed) = state.as_mut() else { return };
        slowed.wanted = false;
        if !std::mem::take(&mut slowed.late) {
            return;
        }
        self.counters.slowed.fetch_sub(1, Ordering::Relaxed);
        // One that is closed needs nothing.
        let connection = slowed.number.and_then(|number| connection::at(&slowed.ends, number, slowed.lend));
        if connection.is_none_or(|c| connection::answer_late(&c, false).is_err()) {
            slowed.number = None;
        }
    }
}
