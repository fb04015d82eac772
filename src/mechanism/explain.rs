// SPDX-License-Identifier: Apache-2.0
//! Explaining a decision to the operator: what came out, and which statement
//! or rule it came from.

use serde_json::{Value, json};

use super::authorize::{Batch, Ground};
use super::{Engine, engine::state_of};
use crate::decision::Outcome;
use crate::fault::{Fault, Status};
use crate::session::{Ask, Request, SessionId};

impl Engine {
    /// How one question is decided at this moment, as JSON. Nothing is counted
    /// or recorded. The text names policies and is not for clients.
    ///
    /// # Errors
    /// [`Status::UnknownId`] when the session id is stale.
    pub fn explain(&self, id: SessionId, batch: Batch<'_>, ask: Ask<'_>) -> Result<Value, Fault> {
        let (now, wall) = (self.clock().steady(), self.clock().wall());
        let explained = self.agent().sessions().with(id, |session| {
            let request = Request {
                session: Some(&session.begin),
                channel: session.channel_or_nowhere(),
                address: batch.address,
                client_id: batch.client_id,
                now: wall,
            };
            let mut operation = session.context().examine(ask, request);
            let silence = self.agent().fresh().silence(now);
            let state = state_of(session, now);
            let over = match self.ground(session) {
                Ground::All(Outcome::Deny) => Some(("denied", format!("the session is {state}"))),
                Ground::All(_) => Some(("undecided", format!("nothing was heard from the service for {silence} ms"))),
                Ground::Stale if !self.rides_out(ask.action) => Some((
                    "undecided",
                    format!(
                        "nothing was heard from the service for {silence} ms, and the action does not ride that out"
                    ),
                )),
                Ground::Stale | Ground::Firm => None,
            };
            if let Some((outcome, reason)) = over {
                (operation.outcome, operation.reason, operation.statement) = (outcome, reason, None);
            }
            json!({
                "outcome": operation.outcome,
                "reason": operation.reason,
                "statement": operation.statement,
                "principal": session.begin.principal.subject.arn(),
                "session_name": session.begin.principal.attributes.session_name,
                "session": state,
                "action": operation.action,
                "resource_type": operation.resource_type,
                "resource": operation.resource,
                "revision": session.context().revision().0,
            })
        });
        explained.ok_or_else(|| Fault::new(Status::UnknownId, "the session is not known or gone"))
    }
}
