// SPDX-License-Identifier: Apache-2.0
//! Shadow mode: Kafka's access control lists decide, and what policies would
//! have decided is compared with that. Never waits, never fails a client.

use std::sync::Arc;

use super::Engine;
use super::authorize::{Batch, Ground};
use crate::acl::Standing as Stands;
use crate::agent::{Compared, Difference, Differs, WatchedBatch, WatchedOperation};
use crate::audit::{Operation, Who};
use crate::channel::{Channel, NOWHERE};
use crate::decision::{Outcome, Verdict};
use crate::fault::{Fault, Status};
use crate::identity::Identity;
use crate::policy::ActionId;
use crate::session::{Ask, Context, Request, SessionId};

/// One operation, with what the lists say.
#[derive(Clone, Copy)]
pub struct Enforced<'a> {
    /// What was asked.
    pub ask: Ask<'a>,
    /// True when any resource of the action's type is meant.
    pub any: bool,
    /// True when the lists allow it.
    pub allowed: bool,
}

/// Stands for a resource where any will do.
const ANY: &str = "(any)";

impl Engine {
    /// True when Kafka's lists decide.
    #[must_use]
    pub fn is_shadow(&self) -> bool {
        self.tuning().shadow()
    }

    /// The principal whose lists count for an identity.
    ///
    /// # Errors
    /// [`Status::NotFound`] when no rule leads to one.
    pub fn acl_principal(&self, arn: &str) -> Result<String, Fault> {
        let identity = Identity::parse(arn)?;
        self.tuning()
            .principals()
            .principal(&identity)
            .ok_or_else(|| Fault::new(Status::NotFound, "no rule of standin.shadow.principals leads to the identity"))
    }

    /// Compares operations of a session; `principal` is who the lists take it
    /// for. False when the session is over: then nothing is compared.
    ///
    /// # Errors
    /// [`Status::UnknownId`] when the session id is stale.
    pub fn compare<'a>(
        &self,
        id: SessionId,
        principal: &str,
        batch: Batch<'_>,
        operations: impl Iterator<Item = Enforced<'a>>,
    ) -> Result<bool, Fault> {
        let found = self.agent().sessions().get(id);
        let session = found.ok_or_else(|| Fault::new(Status::UnknownId, "the session is not known or gone"))?;
        let ground = self.ground(&session);
        if matches!(ground, Ground::All(Outcome::Deny)) {
            return Ok(false);
        }
        let context = session.context();
        let who = || Arc::clone(&session.begin.who);
        let channel = session.channel_or_nowhere();
        for enforced in operations {
            let firm = match ground {
                Ground::Firm => true,
                Ground::Stale => self.rides_out(enforced.ask.action),
                Ground::All(_) => false,
            };
            if firm {
                let request = Request {
                    session: Some(&session.begin),
                    channel,
                    address: batch.address,
                    client_id: batch.client_id,
                    now: self.clock().wall(),
                };
                self.compare_in(&context, request, enforced, principal, &who);
            } else {
                self.undecided(enforced, channel, principal, who, "nothing was heard from the service for too long");
            }
        }
        Ok(true)
    }

    /// Compares operations of a client that did not log in here, by the
    /// identity its principal stands for. False when it stands for none.
    ///
    /// # Errors
    /// When shared state failed earlier.
    pub fn compare_as<'a>(
        self: &Arc<Self>,
        principal: &str,
        channel: &Channel,
        batch: Batch<'_>,
        operations: impl Iterator<Item = Enforced<'a>>,
    ) -> Result<bool, Fault> {
        let Some(Stands::Identity(name)) = self.tuning().principals().standing(principal) else { return Ok(false) };
        let request = Request {
            session: None,
            channel,
            address: batch.address,
            client_id: batch.client_id,
            now: self.clock().wall(),
        };
        match self.agent().compared(&name, channel)? {
            Some(Compared::With(context)) => {
                let who = || Arc::new(Who::of(context.principal(), ""));
                for enforced in operations {
                    self.compare_in(&context, request, enforced, principal, &who);
                }
            }
            Some(Compared::Nobody) => {
                let count = operations.map(|o| u64::from(o.ask.count)).sum();
                self.nobody(&name, principal, channel, count);
            }
            Some(Compared::Later(watched)) => {
                let kept = |o: Enforced<'_>| WatchedOperation {
                    action: o.ask.action,
                    resource: o.ask.resource.to_owned(),
                    any: o.any,
                    count: o.ask.count,
                    acls_allow: o.allowed,
                };
                let waiting = WatchedBatch {
                    principal: principal.to_owned(),
                    channel: channel.clone(),
                    address: batch.address,
                    client_id: batch.client_id.to_owned(),
                    operations: operations.map(kept).collect(),
                };
                let count = waiting.operations.len() as u64;
                let engine = Arc::downgrade(self);
                let later = move |batch: WatchedBatch| {
                    if let Some(engine) = engine.upgrade() {
                        engine.compare_again(&batch);
                    }
                };
                if !self.agent().compare_later(&watched, waiting, later) {
                    self.agent().differences().uncompared.add(count);
                }
            }
            None => self.agent().differences().uncompared.add(operations.count() as u64),
        }
        Ok(true)
    }

    /// Compares what had to wait; what has to wait again is given up.
    fn compare_again(&self, batch: &WatchedBatch) {
        let Some(Stands::Identity(name)) = self.tuning().principals().standing(&batch.principal) else { return };
        let request = Request {
            session: None,
            channel: &batch.channel,
            address: batch.address,
            client_id: &batch.client_id,
            now: self.clock().wall(),
        };
        match self.agent().compared(&name, &batch.channel) {
            Ok(Some(Compared::With(context))) => {
                let who = || Arc::new(Who::of(context.principal(), ""));
                for o in &batch.operations {
                    let ask = ask(o);
                    let enforced = Enforced { ask, any: o.any, allowed: o.acls_allow };
                    self.compare_in(&context, request, enforced, &batch.principal, &who);
                }
            }
            Ok(Some(Compared::Nobody)) => {
                let count = batch.operations.iter().map(|o| u64::from(o.count)).sum();
                self.nobody(&name, &batch.principal, &batch.channel, count);
            }
            _ => self.agent().differences().uncompared.add(batch.operations.len() as u64),
        }
    }

    /// Notes that nothing could be decided for a principal of ours that came
    /// without a usable session.
    pub fn compare_nothing<'a>(&self, subject: &str, principal: &str, operations: impl Iterator<Item = Enforced<'a>>) {
        let who = || Arc::new(Who { subject: subject.to_owned(), ..Who::default() });
        for enforced in operations {
            self.undecided(enforced, &NOWHERE, principal, who, "the forwarded session could not be taken in");
        }
    }

    /// Compares whether a client may connect. Lists know no such thing: to them
    /// everybody may who has logged in.
    pub(super) fn compare_connect(
        &self,
        who: &Arc<Who>,
        context: &Context,
        channel: &Channel,
        (action, resource): (ActionId, &str),
    ) {
        let principal = self.acl_principal(&who.subject).unwrap_or_else(|_| format!("User:{}", who.subject));
        let ask = Ask { action, resource, count: 1, log_allow: false, log_deny: false };
        let now = self.clock().wall();
        let request = Request { session: None, channel, address: channel.address, client_id: "", now };
        self.compare_in(context, request, Enforced { ask, any: false, allowed: true }, &principal, &|| Arc::clone(who));
    }

    fn compare_in(
        &self,
        context: &Context,
        request: Request<'_>,
        enforced: Enforced<'_>,
        principal: &str,
        who: &impl Fn() -> Arc<Who>,
    ) {
        let Enforced { ask, any, allowed } = enforced;
        self.agent().differences().compared.add(u64::from(ask.count));
        let verdict = context.peek(ask, any, request);
        if (verdict.outcome == Outcome::Allow) == allowed {
            return;
        }
        let how = if allowed { Differs::Denied } else { Differs::Allowed };
        self.note(how, enforced, request.channel, principal, who, "", Some((context, verdict)));
    }

    fn undecided(
        &self,
        enforced: Enforced<'_>,
        channel: &Channel,
        principal: &str,
        who: impl FnOnce() -> Arc<Who>,
        why: &str,
    ) {
        self.agent().differences().compared.add(u64::from(enforced.ask.count));
        self.note(Differs::Undecided, enforced, channel, principal, who, why, None);
    }

    fn nobody(&self, name: &str, principal: &str, channel: &Channel, count: u64) {
        self.agent().differences().compared.add(count);
        let make = || Difference {
            how: Differs::Unknown,
            who: Arc::new(Who { subject: name.to_owned(), ..Who::default() }),
            principal: principal.to_owned(),
            channel: Arc::new(channel.clone()),
            operation: Operation {
                action: ANY.to_owned(),
                resource_type: String::new(),
                resource: String::new(),
                outcome: "",
                reason: "there is no such identity, or it is disabled".into(),
                statement: None,
                count,
                since: self.clock().wall(),
            },
        };
        self.agent().differs((Differs::Unknown, name), (ANY, "", ANY), count, make);
    }

    #[allow(clippy::too_many_arguments, reason = "each is a part of one record")]
    fn note(
        &self,
        how: Differs,
        enforced: Enforced<'_>,
        channel: &Channel,
        principal: &str,
        who: impl FnOnce() -> Arc<Who>,
        why: &str,
        decided: Option<(&Context, Verdict)>,
    ) {
        let Enforced { ask, any, .. } = enforced;
        let (actions, now) = (self.agent().actions(), self.clock().wall());
        let Some(action) = actions.get(ask.action) else { return };
        let resource = if any { ANY } else { ask.resource };
        let who = who();
        let subject = who.subject.clone();
        let make = || {
            let mut operation = match decided {
                Some((context, verdict)) => context.in_words(ask, &verdict, now),
                None => Operation {
                    action: action.name.to_string(),
                    resource_type: action.resource_type.to_string(),
                    resource: String::new(),
                    outcome: "",
                    reason: why.to_owned(),
                    statement: None,
                    count: u64::from(ask.count),
                    since: now,
                },
            };
            resource.clone_into(&mut operation.resource);
            Difference { how, who, principal: principal.to_owned(), channel: Arc::new(channel.clone()), operation }
        };
        let what = (&*action.name, &*action.resource_type, resource);
        self.agent().differs((how, &subject), what, u64::from(ask.count), make);
    }
}

fn ask(o: &WatchedOperation) -> Ask<'_> {
    Ask { action: o.action, resource: &o.resource, count: o.count, log_allow: false, log_deny: false }
}
