// SPDX-License-Identifier: Apache-2.0
//! What the agent writes down: logins, issued credentials, ended sessions.

use std::sync::atomic::Ordering;
use std::sync::{Arc, LazyLock};

use super::{Agent, Held};
use crate::audit::{Event, Record, Who};
use crate::channel::Channel;
use crate::credential::replay::Seen;
use crate::fault::{Fault, Kind, Status};
use crate::identity::Identity;
use crate::service::Impersonation;
use crate::session::{Session, kept};

/// Who has not shown anything yet: every login begins with it.
static NOBODY: LazyLock<Arc<Who>> = LazyLock::new(Arc::default);

/// What is known of a login.
#[derive(Clone)]
pub struct Attempt {
    /// Who it was, as far as known.
    pub who: Arc<Who>,
    /// How often its signature was seen.
    pub seen: Seen,
}

impl Default for Attempt {
    fn default() -> Self {
        Self { who: Arc::clone(&NOBODY), seen: Seen::default() }
    }
}

impl Attempt {
    /// The login a session began with.
    #[must_use]
    pub fn of(session: &Session) -> Self {
        Self { who: Arc::clone(&session.begin.who), seen: Seen::default() }
    }
}

impl Agent {
    /// Takes the counts out of all contexts and writes what is waiting.
    pub(super) fn flush_audit(&self, window_over: bool) {
        let now = self.parts.clock.wall();
        if window_over {
            kept::count();
            for context in self.interning.contexts() {
                context.drain(now);
            }
            self.differences.drain(self.tally.window_since(), now, &self.parts.recorder);
            self.tally.next_window(now);
            kept::end_window();
        }
        if let Err(fault) = self.parts.recorder.flush(now) {
            self.parts.journal.line("error", &format!("audit: {fault}"));
        }
    }

    /// Counts and records a login that succeeded or failed.
    pub fn record_login(
        &self,
        failure: Option<&Fault>,
        attempt: &Attempt,
        channel: Option<&Arc<Channel>>,
        request_id: &Arc<str>,
    ) {
        let counters = &self.counters;
        let (outcome, counter, reason, status) = match failure {
            None => ("success", &counters.logins_success, String::new(), 0),
            Some(fault) if fault.kind() == Kind::Refused => {
                ("refused", &counters.logins_refused, fault.text.clone(), fault.status.number())
            }
            Some(fault) => ("undecided", &counters.logins_undecided, fault.text.clone(), fault.status.number()),
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if let Some(by) = usize::try_from(-200 - status).ok().and_then(|n| counters.refused_by.get(n)) {
            by.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(fault) = failure.filter(|f| f.kind() != Kind::Refused) {
            let cause = match fault.status {
                Status::Busy => &counters.undecided_busy,
                Status::TimedOut => &counters.undecided_timed_out,
                Status::Stale => &counters.undecided_stale,
                _ => &counters.undecided_unavailable,
            };
            cause.fetch_add(1, Ordering::Relaxed);
        }
        if status != 0 {
            self.parts.journal.line("info", &format!("login {request_id} {outcome} ({status}): {reason}"));
        }
        let Seen { count: seen, sources } = attempt.seen;
        let mut who = Arc::clone(&attempt.who);
        if who.subject.is_empty()
            && let Some(identity) = failure.and_then(|f| f.subject.as_deref()).and_then(|arn| Identity::parse(arn).ok())
        {
            // Whose credential was shown; the outcome says that it proved nothing.
            let who = Arc::make_mut(&mut who);
            identity.account().clone_into(&mut who.account);
            identity.arn().clone_into(&mut who.subject);
        }
        self.parts.recorder.record(Record {
            time: self.parts.clock.wall(),
            who,
            channel: channel.cloned(),
            request_id: Arc::clone(request_id),
            event: Event::Login { outcome, reason, status, seen, sources },
        });
    }

    /// Records the login of a session that is over before its channel was
    /// told, unless that was done.
    pub(super) fn record_unbound(&self, session: &Session) {
        if !session.begin.imported && session.claim_record() {
            self.record_login(None, &Attempt::of(session), session.channel(), &session.begin.request_id);
        }
    }

    /// Records that a credential was issued; on the disk when this returns.
    ///
    /// # Errors
    /// When the audit cannot be written.
    pub(super) fn record_issued(&self, held: &Held, credential: &Impersonation) -> Result<(), Fault> {
        self.parts.recorder.record(Record {
            time: self.parts.clock.wall(),
            who: Arc::clone(&held.who),
            channel: None,
            request_id: Arc::default(),
            event: Event::Issued { credential_id: credential.id.clone(), expires: credential.expires },
        });
        self.parts.recorder.flush(self.parts.clock.wall())
    }

    /// Records that a session was ended before its deadline.
    pub(super) fn record_end(&self, session: &Session, reason: &str) {
        let begin = &session.begin;
        self.parts.recorder.record(Record {
            time: self.parts.clock.wall(),
            who: Arc::clone(&begin.who),
            channel: session.channel().cloned(),
            request_id: begin.request_id.clone(),
            event: Event::SessionEnded { reason: reason.to_owned() },
        });
    }
}
