// SPDX-License-Identifier: Apache-2.0
//! Authorizing operations: every one, from local data, without a lock, a
//! system call or a log line. Only with `standin.decide=remote`, and only for
//! what is not in the cache, the service is asked.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::Engine;
use crate::channel::Channel;
use crate::credential::CredentialKey;
use crate::decision::{Outcome, Verdict};
use crate::fault::{Fault, Kind, Status};
use crate::policy::ActionId;
use crate::service::{Question, Questions};
use crate::session::{After, Ask, Begin, Context, Request, Session, SessionId, Standing};
use crate::time::UnixMillis;

/// Facts that hold for all questions of one call.
#[derive(Clone, Copy, Default)]
pub struct Batch<'a> {
    /// The address this request came from; none: the session's.
    pub address: Option<IpAddr>,
    /// The client id the request carries.
    pub client_id: &'a str,
    /// Longest wait for a decision that is not local; zero: none, and what is
    /// missing is fetched for the next time.
    pub wait: Duration,
}

/// What a session may be asked at all at this moment.
pub(super) enum Ground {
    /// Each question is decided.
    Firm,
    /// What is known is older than `standin.stale.after.ms`: only actions that
    /// may ride out an outage are decided.
    Stale,
    /// Everything gets this outcome.
    All(Outcome),
}

/// A question that the service has to answer, with its place in the batch.
struct Missing<'a> {
    place: usize,
    ask: Ask<'a>,
}

fn unknown() -> Fault {
    Fault::new(Status::UnknownId, "the session is not known or gone")
}

impl Engine {
    #[inline(always)]
    pub(super) fn ground(&self, session: &Session) -> Ground {
        let now = self.clock().steady();
        if session.standing() != Standing::Live || now >= session.begin.deadline {
            return Ground::All(Outcome::Deny);
        }
        let silence = self.agent().fresh().silence(now);
        if silence > self.tuning().stale_grace() {
            Ground::All(Outcome::Undecided)
        } else if silence > self.tuning().stale_after() {
            Ground::Stale
        } else {
            Ground::Firm
        }
    }

    /// Decides each of the questions for a session and writes every outcome to
    /// its place in `outcomes`, which is filled with denials first. There are
    /// as many outcomes as questions. Says what is to be done with the session's
    /// connection, where everything was denied.
    ///
    /// # Errors
    /// [`Status::UnknownId`] when the session id is stale; nothing was decided.
    pub fn authorize<'a>(
        &self,
        id: SessionId,
        batch: Batch<'_>,
        asks: impl Iterator<Item = Ask<'a>>,
        outcomes: &mut [Outcome],
    ) -> Result<After, Fault> {
        outcomes.fill(Outcome::Deny);
        let found = self.agent().sessions().with(id, |session| {
            let ground = self.ground(session);
            let context = session.context();
            let channel = session.channel_or_nowhere();
            let request = Request {
                session: Some(&session.begin),
                channel,
                address: batch.address,
                client_id: batch.client_id,
                now: self.clock().wall(),
            };
            let mut missing = Vec::new();
            let (mut denied, mut worth) = (true, false);
            for ((place, slot), ask) in outcomes.iter_mut().enumerate().zip(asks) {
                let local = match ground {
                    Ground::All(outcome) => Some(self.grounded(outcome, ask.count)),
                    Ground::Stale if !self.rides_out(ask.action) => Some(self.grounded(Outcome::Undecided, ask.count)),
                    Ground::Stale | Ground::Firm => context.decide(ask, request),
                };
                if local != Some(Outcome::Deny) {
                    denied = false;
                } else if ask.log_deny {
                    session.note_denied();
                    worth = true;
                }
                match local {
                    Some(outcome) => *slot = self.noted(outcome, ask.count),
                    None => missing.push(Missing { place, ask }),
                }
            }
            let after = if denied { self.agent().after_denial(session, worth) } else { After::Nothing };
            let missing = (!missing.is_empty()).then(|| (Arc::clone(session), Arc::clone(&context), missing));
            (missing, after)
        });
        let (missing, after) = found.ok_or_else(unknown)?;
        let Some((session, context, missing)) = missing else { return Ok(after) };
        self.ask_service(
            (&session.begin.credential, Some(&session.begin)),
            &context,
            (session.channel().map(|c| &**c), batch),
            &missing,
            outcomes,
        );
        Ok(after)
    }

    /// Counts what was undecided because what is known is too old.
    fn grounded(&self, outcome: Outcome, count: u32) -> Outcome {
        if outcome == Outcome::Undecided {
            self.agent().tally().undecided_stale.add(u64::from(count));
        }
        outcome
    }

    /// Counts an outcome that no context counts.
    fn noted(&self, outcome: Outcome, count: u32) -> Outcome {
        if outcome == Outcome::Undecided {
            self.agent().tally().undecided.add(u64::from(count));
        }
        outcome
    }

    /// Has the service decide what is missing.
    fn ask_service(
        &self,
        (credential, session): (&CredentialKey, Option<&Begin>),
        context: &Arc<Context>,
        (channel, batch): (Option<&Channel>, Batch<'_>),
        missing: &[Missing<'_>],
        outcomes: &mut [Outcome],
    ) {
        let channel = channel.cloned().unwrap_or_default();
        let actions = self.agent().actions();
        let items = missing.iter().map(|m| {
            // A number without an action is denied by any service.
            let (action, resource_type) = actions
                .get(m.ask.action)
                .map_or_else(Default::default, |a| (a.name.to_string(), a.resource_type.to_string()));
            Question { action, resource_type, resource: Some(m.ask.resource.to_owned()) }
        });
        let questions = Questions::new(&channel, batch.address, batch.client_id, items.collect());
        let kept: Vec<(ActionId, String)> = missing.iter().map(|m| (m.ask.action, m.ask.resource.to_owned())).collect();
        let (later, address, client_id, now) =
            (Arc::clone(context), batch.address, batch.client_id.to_owned(), self.clock().wall());
        let later_channel = channel.clone();
        let aside = move |verdicts: &[Verdict]| {
            let request = Request { session: None, channel: &later_channel, address, client_id: &client_id, now };
            for ((action, resource), verdict) in kept.iter().zip(verdicts) {
                // Full: the next question asks again.
                let _kept = later.keep(*action, resource, request, *verdict);
            }
        };
        let answers = self.agent().decide_remotely(credential, context, questions, batch.wait, Box::new(aside));
        let request = Request { session, channel: &channel, address: batch.address, client_id: batch.client_id, now };
        for (n, m) in missing.iter().enumerate() {
            let outcome = match &answers {
                Ok(verdicts) => verdicts.get(n).map_or(Outcome::Undecided, |v| context.settle(m.ask, request, *v)),
                Err(fault) if fault.kind() == Kind::Refused => Outcome::Deny,
                Err(_) => Outcome::Undecided,
            };
            if let Some(slot) = outcomes.get_mut(m.place) {
                *slot = self.noted(outcome, m.ask.count);
            }
        }
    }

    /// Decides whether a client may connect over a channel: before there is a
    /// session that could be asked.
    pub(super) fn decide_connect(
        &self,
        credential: &CredentialKey,
        context: &Arc<Context>,
        channel: &Channel,
        (action, resource): (ActionId, &str),
        wait: Duration,
    ) -> Outcome {
        let ask = Ask { action, resource, count: 1, log_allow: false, log_deny: false };
        let now: UnixMillis = self.clock().wall();
        let request = Request { session: None, channel, address: channel.address, client_id: "", now };
        if let Some(outcome) = context.decide(ask, request) {
            return outcome;
        }
        let batch = Batch { address: channel.address, client_id: "", wait };
        let mut outcomes = [Outcome::Undecided];
        let missing = [Missing { place: 0, ask }];
        self.ask_service((credential, None), context, (Some(channel), batch), &missing, &mut outcomes);
        let [outcome] = outcomes;
        outcome
    }

    /// What is to be done with the session's connection after it was denied
    /// something by [`Engine::authorize_any`].
    #[must_use]
    pub fn after_denial(&self, id: SessionId) -> After {
        let after = |session: &Arc<Session>| self.agent().after_denial(session, false);
        self.agent().sessions().with(id, after).unwrap_or_default()
    }

    /// Decides whether the session may do the action on at least one resource
    /// of the action's type.
    ///
    /// # Errors
    /// [`Status::UnknownId`] when the session id is stale.
    pub fn authorize_any(&self, id: SessionId, batch: Batch<'_>, action: ActionId) -> Result<Outcome, Fault> {
        let now = self.clock().wall();
        let found = self.agent().sessions().with(id, |session| {
            let channel = session.channel_or_nowhere();
            let request = Request {
                session: Some(&session.begin),
                channel,
                address: batch.address,
                client_id: batch.client_id,
                now,
            };
            match self.ground(session) {
                Ground::All(outcome) => Ok(self.noted(self.grounded(outcome, 1), 1)),
                Ground::Stale if !self.rides_out(action) => Ok(self.noted(self.grounded(Outcome::Undecided, 1), 1)),
                // Kafka asks this only for idempotent producers.
                _ if self.tuning().idempotent_strict() => Ok(Outcome::Deny),
                _ => session.context().decide_any(action, request).ok_or_else(|| Arc::clone(session)),
            }
        });
        let session = match found.ok_or_else(unknown)? {
            Ok(outcome) => return Ok(outcome),
            Err(session) => session,
        };
        let actions = self.agent().actions();
        let Some(asked) = actions.get(action) else { return Ok(Outcome::Deny) };
        let question =
            Question { action: asked.name.to_string(), resource_type: asked.resource_type.to_string(), resource: None };
        let channel = session.channel_or_nowhere();
        let questions = Questions::new(channel, batch.address, batch.client_id, vec![question]);
        let (credential, context) = (&session.begin.credential, Arc::clone(&session.context()));
        let answer = self.agent().decide_remotely(credential, &context, questions, batch.wait, Box::new(|_| ()));
        let outcome = match answer {
            Ok(verdicts) => verdicts.first().map_or(Outcome::Undecided, |v| v.outcome),
            Err(fault) if fault.kind() == Kind::Refused => Outcome::Deny,
            Err(_) => Outcome::Undecided,
        };
        Ok(self.noted(outcome, 1))
    }

    /// True for actions of running producers and consumers, and for those the
    /// host has marked, which an outage of the service must not stop at once.
    pub(super) fn rides_out(&self, action: ActionId) -> bool {
        const RIDE: [&str; 10] = [
            "ReadData",
            "WriteData",
            "WriteDataIdempotently",
            "DescribeTopic",
            "DescribeGroup",
            "AlterGroup",
            "DescribeTransactionalId",
            "AlterTransactionalId",
            "DescribeCluster",
            "Connect",
        ];
        self.agent()
            .actions()
            .get(action)
            .is_some_and(|a| a.rides_out || a.name.split_once(':').is_some_and(|(_, verb)| RIDE.contains(&verb)))
    }
}
