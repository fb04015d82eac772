// SPDX-License-Identifier: Apache-2.0
//! Whether the caller may do what it asks for. Only an explicit allow allows.

use standin::access_control::Store;
use standin::channel::Channel;
use standin::decision::{Inputs, Keys, Reason};
use standin::identity::IdentityKind;

use super::{Caller, Gate, Target};
use crate::aws::form::Form;
use crate::aws::operations::{Api, Operation};
use crate::aws::problem::{Code, Problem};

/// One request of a verified caller.
pub(crate) struct Call<'a> {
    pub(in crate::aws) gate: &'a Gate,
    pub(crate) caller: &'a Caller,
    pub(crate) form: &'a Form,
    pub(crate) channel: &'a Channel,
    pub(crate) operation: &'static Operation,
}

/// The way to the store, given out for what is allowed.
pub(crate) struct Permit<'a> {
    pub(crate) store: &'a Store,
    /// Who acts, as the audit names it.
    pub(crate) actor: &'a str,
}

impl Gate {
    /// The way to the store for what needs no permission of the caller's: who
    /// it is itself, and what the store decides by other rules.
    pub(crate) fn without_permission<'a>(&'a self, actor: &'a str) -> Permit<'a> {
        Permit { store: &self.store, actor }
    }
}

impl<'a> Call<'a> {
    /// Asks the caller's policies for the operation on `target`.
    pub(crate) fn permit(&self, target: Target) -> Result<Permit<'a>, Problem> {
        let action = format!("{}:{}", self.operation.api.word(), self.operation.name);
        self.permit_action(&action, target)
    }

    fn permit_action(&self, action: &str, target: Target) -> Result<Permit<'a>, Problem> {
        let Caller { principal, arn, session_policies, .. } = self.caller;
        // As AWS: a user's session token is no way to administer.
        if self.caller.temporary && principal.subject.kind() == IdentityKind::User && self.operation.api == Api::Iam {
            let text =
                format!("{arn} cannot call {action} with the credentials of GetSessionToken; use its access key");
            return Err(Problem::new(Code::AccessDenied, text).on(&target.arn, ""));
        }
        let inputs = Inputs {
            principal,
            channel: self.channel,
            address: None,
            client_id: "",
            now: self.gate.clock.wall(),
            resource_tags: &target.tags,
            keys: Keys::HostAnd(&target.keys),
        };
        let ruling = self.gate.store.ruling(session_policies, action, &target.arn, &inputs)?;
        if ruling.allows() {
            return Ok(Permit { store: &self.gate.store, actor: arn });
        }
        let because = match ruling.verdict.reason {
            Reason::ExplicitDeny => "with an explicit deny in an identity-based policy".to_owned(),
            Reason::BoundaryLimits => format!("because no permissions boundary allows the {action} action"),
            Reason::SessionPolicyLimits => format!("because no session policy allows the {action} action"),
            Reason::ImplicitDeny | Reason::Allowed => {
                format!("because no identity-based policy allows the {action} action")
            }
        };
        let resource = &target.arn;
        let text = format!("User: {arn} is not authorized to perform: {action} on resource: {resource} {because}");
        Err(Problem::new(Code::AccessDenied, text).on(resource, ""))
    }
}
