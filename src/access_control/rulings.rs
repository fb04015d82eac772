// SPDX-License-Identifier: Apache-2.0
//! Whether a caller of this service may do something with it: by its own
//! policies, as they are now.

use super::Attached;
use super::store::Store;
use crate::decision::{Inputs, Outcome, Verdict};
use crate::fault::{Fault, Status};
use crate::policy::{ActionTable, ArnMatch, Compiled, Document, Named, PolicySet, Scope};

/// What a caller's policies say of one question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// Of all its policies together.
    pub verdict: Verdict,
    /// True when its permissions boundary and its session policies, if there
    /// are any, allow it.
    pub within_limits: bool,
}

impl Ruling {
    /// True when it is allowed.
    #[must_use]
    pub fn allows(&self) -> bool {
        self.verdict.outcome == Outcome::Allow
    }
}

fn named(name: &str, text: &str) -> Result<Named, Fault> {
    let document = Document::parse(text).map_err(|e| Fault::new(Status::NewerFormat, format!("policy {name}: {e}")))?;
    Ok(Named { name: name.into(), document: document.into() })
}

impl Store {
    /// What the policies of the principal of `inputs`, limited by the session
    /// policies it came with, say of `action` on `resource`. Its identity's
    /// tags are added to those of its session.
    ///
    /// # Errors
    /// [`Status::IdentityDisabled`] when it is gone or disabled; otherwise when
    /// the store cannot be read.
    pub fn ruling(
        &self,
        session: &[String],
        action: &str,
        resource: &str,
        inputs: &Inputs<'_>,
    ) -> Result<Ruling, Fault> {
        let subject = &inputs.principal.subject;
        let Some(effective) = self.entitlements(subject)?.value else {
            return Err(Fault::new(Status::IdentityDisabled, format!("{subject} is disabled or deleted")));
        };
        let read = |p: &Attached| named(&p.name, &p.document);
        let identity: Vec<Named> = effective.policies.iter().map(read).collect::<Result<_, _>>()?;
        let boundary = effective.boundary.as_ref().map(read).transpose()?;
        let session: Vec<Named> = session.iter().map(|text| named("session", text)).collect::<Result<_, _>>()?;
        let principal = inputs.principal.with_identity_tags(&effective.tags);
        let inputs = Inputs { principal: &principal, ..*inputs };
        let mut actions = ActionTable::new();
        let id = actions.intern(action, "");
        let decide = |identity: Vec<Named>, boundary: Option<Named>, session: Vec<Named>| {
            let set = PolicySet { identity, boundary, session };
            let scope = Scope { namespaces: Vec::new(), arn_match: ArnMatch::Aws };
            Compiled::new(&set, &actions, &scope).decide(id, resource, &inputs)
        };
        let allowed = |policies: Vec<Named>| decide(policies, None, Vec::new()).outcome == Outcome::Allow;
        let within_limits =
            boundary.clone().is_none_or(|b| allowed(vec![b])) && (session.is_empty() || allowed(session.clone()));
        Ok(Ruling { verdict: decide(identity, boundary, session), within_limits })
    }
}
