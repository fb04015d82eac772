// SPDX-License-Identifier: Apache-2.0
//! What messages hold, as it is written.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::message::Bytes;
use crate::decision::{Outcome, Reason};
use crate::fault::{Fault, Status};
use crate::identity::Identity;
use crate::revision::{At, Revision};
use crate::service::{
    Answer as Decided, Change, Client, ClientForm, Entitlements, Happening, Impersonation, Issued, Known, PolicyText,
};
use crate::time::UnixMillis;

/// A credential as the host knows it: by name.
#[derive(Serialize, Deserialize)]
pub struct KeptForm {
    id: String,
    kept: Bytes,
    expires: i64,
}

impl KeptForm {
    /// The form of a kept credential; its secret stays behind.
    #[must_use]
    pub fn of(kept: &Impersonation) -> Self {
        Self { id: kept.id.clone(), kept: Bytes(kept.token.clone()), expires: kept.expires.0 }
    }

    /// The credential of a form.
    #[must_use]
    pub fn impersonation(self) -> Impersonation {
        Impersonation { id: self.id, secret: None, token: self.kept.0, expires: UnixMillis(self.expires) }
    }
}

#[derive(Serialize, Deserialize)]
struct PolicyForm {
    name: String,
    text: String,
}

impl PolicyForm {
    fn of(policy: &PolicyText) -> Self {
        Self { name: policy.name.to_string(), text: policy.text.to_string() }
    }

    fn policy(self) -> PolicyText {
        PolicyText::new(&self.name, &self.text)
    }
}

/// [`Entitlements`] with their revision.
#[derive(Serialize, Deserialize)]
pub struct EntitlementsForm {
    revision: u64,
    policies: Vec<PolicyForm>,
    boundary: Option<PolicyForm>,
    tags: Vec<(String, String)>,
}

impl EntitlementsForm {
    /// The form of entitlements.
    #[must_use]
    pub fn of(revision: Revision, entitlements: &Entitlements) -> Self {
        Self {
            revision: revision.0,
            policies: entitlements.policies.iter().map(PolicyForm::of).collect(),
            boundary: entitlements.boundary.as_ref().map(PolicyForm::of),
            tags: entitlements.tags.clone(),
        }
    }

    /// The entitlements of a form.
    #[must_use]
    pub fn entitlements(self) -> At<Entitlements> {
        let value = Entitlements {
            policies: self.policies.into_iter().map(PolicyForm::policy).collect(),
            boundary: self.boundary.map(PolicyForm::policy),
            tags: self.tags,
        };
        At { revision: Revision(self.revision), value }
    }
}

/// [`Known`] with its revision; without an identity when nobody has the name.
#[derive(Serialize, Deserialize)]
pub struct KnownForm {
    revision: u64,
    known: Option<(ClientForm, EntitlementsForm)>,
}

impl KnownForm {
    /// The form of an answer.
    #[must_use]
    pub fn of(at: &At<Option<Known>>) -> Self {
        let known = at.value.as_ref().map(|known| {
            let principal = known.principal.clone().into();
            let client = Client { principal, access_key_id: String::new(), session_policies: Vec::new() };
            (ClientForm::of(&client), EntitlementsForm::of(at.revision, &known.entitlements))
        });
        Self { revision: at.revision.0, known }
    }

    /// The answer of a form.
    ///
    /// # Errors
    /// When a name in it is not an identity's.
    pub fn known(self) -> Result<At<Option<Known>>, Fault> {
        let known = self.known.map(|(client, entitlements)| {
            let principal = client.client()?.principal;
            Ok(Known { principal: Arc::unwrap_or_clone(principal), entitlements: entitlements.entitlements().value })
        });
        Ok(At { revision: Revision(self.revision), value: known.transpose()? })
    }
}

/// [`Issued`] without what stays with the agent.
#[derive(Serialize, Deserialize)]
pub struct IssuedForm {
    client: ClientForm,
    expires: Option<i64>,
    credential: KeptForm,
    entitlements: EntitlementsForm,
}

impl IssuedForm {
    /// The form of a login's answer.
    #[must_use]
    pub fn of(issued: &At<Issued>) -> Self {
        let At { revision, value } = issued;
        Self {
            client: ClientForm::of(&value.client),
            expires: value.expires.map(|e| e.0),
            credential: KeptForm::of(&value.impersonation),
            entitlements: EntitlementsForm::of(*revision, &value.entitlements),
        }
    }

    /// The answer of a form.
    ///
    /// # Errors
    /// When a name in it is not an identity's.
    pub fn issued(self) -> Result<At<Issued>, Fault> {
        let client: Client = self.client.client()?;
        let At { revision, value: entitlements } = self.entitlements.entitlements();
        let value = Issued {
            client,
            expires: self.expires.map(UnixMillis),
            impersonation: self.credential.impersonation(),
            entitlements,
            verification: None,
        };
        Ok(At { revision, value })
    }
}

/// Decisions with their revision.
#[derive(Serialize, Deserialize)]
pub struct DecidedForm {
    revision: u64,
    answers: Vec<AnswerForm>,
}

#[derive(Serialize, Deserialize)]
struct AnswerForm {
    outcome: u8,
    reason: u8,
    statement: Option<(String, usize)>,
    valid_until: Option<i64>,
    cacheable: bool,
}

const REASONS: [Reason; 5] =
    [Reason::Allowed, Reason::ExplicitDeny, Reason::ImplicitDeny, Reason::BoundaryLimits, Reason::SessionPolicyLimits];

impl DecidedForm {
    /// The form of answers.
    #[must_use]
    pub fn of(answers: &At<Vec<Decided>>) -> Self {
        let answer = |a: &Decided| AnswerForm {
            outcome: match a.outcome {
                Outcome::Deny => 0,
                Outcome::Allow => 1,
                Outcome::Undecided => 2,
            },
            reason: REASONS.iter().position(|r| *r == a.reason).and_then(|n| u8::try_from(n).ok()).unwrap_or(u8::MAX),
            statement: a.statement.clone(),
            valid_until: a.valid_until.map(|v| v.0),
            cacheable: a.cacheable,
        };
        Self { revision: answers.revision.0, answers: answers.value.iter().map(answer).collect() }
    }

    /// The answers of a form.
    ///
    /// # Errors
    /// Undecided when one is of a newer kind.
    pub fn decided(self) -> Result<At<Vec<Decided>>, Fault> {
        let newer = || Fault::new(Status::NewerFormat, "the agent's process gave a decision of a newer kind");
        let answer = |a: AnswerForm| {
            Ok(Decided {
                outcome: match a.outcome {
                    0 => Outcome::Deny,
                    1 => Outcome::Allow,
                    _ => return Err(newer()),
                },
                reason: REASONS.get(usize::from(a.reason)).copied().ok_or_else(newer)?,
                statement: a.statement,
                valid_until: a.valid_until.map(UnixMillis),
                cacheable: a.cacheable,
            })
        };
        let value = self.answers.into_iter().map(answer).collect::<Result<_, Fault>>()?;
        Ok(At { revision: Revision(self.revision), value })
    }
}

/// [`Change`] as it is written.
#[derive(Serialize, Deserialize)]
pub struct ChangeForm {
    revision: u64,
    what: HappeningForm,
    /// Of the end of a session: its connection is to be closed too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    disconnect: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum HappeningForm {
    Entitlements(Vec<String>),
    IdentityEnded(String),
    KeyEnded(String),
    SessionEnded(String),
    KeyAppeared(String),
    Gap,
}

impl ChangeForm {
    /// The form of a change.
    #[must_use]
    pub fn of(change: &Change) -> Self {
        let what = match &change.what {
            Happening::Entitlements(whose) => {
                HappeningForm::Entitlements(whose.iter().map(|i| i.arn().to_owned()).collect())
            }
            Happening::IdentityEnded(identity) => HappeningForm::IdentityEnded(identity.arn().to_owned()),
            Happening::KeyEnded(id) => HappeningForm::KeyEnded(id.clone()),
            Happening::SessionEnded { id, .. } => HappeningForm::SessionEnded(id.clone()),
            Happening::KeyAppeared(id) => HappeningForm::KeyAppeared(id.clone()),
            Happening::Gap => HappeningForm::Gap,
        };
        let disconnect = matches!(change.what, Happening::SessionEnded { disconnect: true, .. });
        Self { revision: change.revision.0, what, disconnect }
    }

    /// The change of a form.
    ///
    /// # Errors
    /// When a name in it is not an identity's.
    pub fn change(self) -> Result<Change, Fault> {
        let what = match self.what {
            HappeningForm::Entitlements(whose) => {
                Happening::Entitlements(whose.iter().map(|arn| Identity::parse(arn)).collect::<Result<_, _>>()?)
            }
            HappeningForm::IdentityEnded(arn) => Happening::IdentityEnded(Identity::parse(&arn)?),
            HappeningForm::KeyEnded(id) => Happening::KeyEnded(id),
            HappeningForm::SessionEnded(id) => Happening::SessionEnded { id, disconnect: self.disconnect },
            HappeningForm::KeyAppeared(id) => Happening::KeyAppeared(id),
            HappeningForm::Gap => Happening::Gap,
        };
        Ok(Change { revision: Revision(self.revision), what })
    }
}

/// [`Fault`] as it is written.
#[derive(Serialize, Deserialize)]
pub struct FaultForm {
    status: i32,
    text: String,
    subject: Option<String>,
}

impl FaultForm {
    /// The form of a failure.
    #[must_use]
    pub fn of(fault: &Fault) -> Self {
        Self {
            status: fault.status.number(),
            text: fault.text.clone(),
            subject: fault.subject.as_deref().map(str::to_owned),
        }
    }

    /// The failure of a form; one of a newer version is undecided.
    #[must_use]
    pub fn fault(self) -> Fault {
        let status = Status::of_number(self.status).unwrap_or(Status::NewerFormat);
        let fault = Fault::new(status, self.text);
        match self.subject {
            Some(arn) => fault.about(&arn),
            None => fault,
        }
    }
}
