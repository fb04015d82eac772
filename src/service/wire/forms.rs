// SPDX-License-Identifier: Apache-2.0
//! The bodies of requests and answers.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Blob, EntitlementsForm};
use crate::credential::sigv4::SigningKey;
use crate::credential::{EvidenceForm, Secret};
use crate::decision::{Outcome, Reason};
use crate::fault::{Fault, Status};
use crate::identity::Identity;
use crate::policy::{ArnMatch, Namespace};
use crate::revision::{At, Revision};
use crate::service::{
    Answer, Change, Client, ClientForm, Entitlements, Happening, Impersonation, Issued, LiveSession, Proof,
};
use crate::settings::EngineSettings;
use crate::time::UnixMillis;

/// Body of a login.
#[derive(Serialize, Deserialize)]
pub struct LoginAsk {
    /// What the client showed.
    pub evidence: EvidenceForm,
    /// Longest life of what is issued, milliseconds.
    pub lifetime: i64,
    /// Hashes of policies whose text need not be sent.
    #[serde(default)]
    pub known: Vec<Blob>,
}

/// Answer to a login.
#[derive(Serialize, Deserialize)]
pub struct IssuedForm {
    revision: u64,
    client: ClientForm,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<i64>,
    impersonation: ImpersonationForm,
    /// The policies.
    pub entitlements: EntitlementsForm,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    verification_key: Option<Blob>,
}

impl IssuedForm {
    /// The form of an answer, for a host that has the texts of `known`.
    #[must_use]
    pub fn of(answer: &At<Issued>, known: &[Blob], with_key: bool) -> Self {
        let issued = &answer.value;
        let key = issued.verification.as_ref().filter(|_| with_key);
        Self {
            revision: answer.revision.0,
            client: ClientForm::of(&issued.client),
            expires: issued.expires.map(|at| at.0),
            impersonation: ImpersonationForm::of(&issued.impersonation),
            entitlements: EntitlementsForm::of(&issued.entitlements, known),
            verification_key: key.map(|key| Blob::of(key.expose().expose())),
        }
    }

    /// The answer, on a clock that is `ahead` milliseconds before the
    /// service's.
    pub(in crate::service) fn issued(
        self,
        ahead: i64,
        policies: impl FnOnce(EntitlementsForm) -> Result<Entitlements, Fault>,
    ) -> Result<At<Issued>, Fault> {
        let client: Client = self.client.client()?;
        let key = |blob: Blob| -> Result<Arc<SigningKey>, Fault> {
            let bytes = Zeroizing::new(blob.exactly::<32>()?);
            Ok(Arc::new(SigningKey::of(Secret::new(bytes.to_vec()))))
        };
        let value = Issued {
            client,
            expires: self.expires.map(|at| UnixMillis(at).plus(ahead)),
            impersonation: self.impersonation.impersonation(ahead),
            entitlements: policies(self.entitlements)?,
            verification: self.verification_key.map(key).transpose()?,
        };
        Ok(At { revision: Revision(self.revision), value })
    }
}

/// An impersonation credential.
#[derive(Serialize, Deserialize)]
pub struct ImpersonationForm {
    id: String,
    secret: Blob,
    token: Blob,
    expires: i64,
}

impl ImpersonationForm {
    /// The form of a credential.
    #[must_use]
    pub fn of(credential: &Impersonation) -> Self {
        Self {
            id: credential.id.clone(),
            secret: Blob::of(credential.secret.as_ref().map(Secret::expose).unwrap_or_default()),
            token: Blob::of(&credential.token),
            expires: credential.expires.0,
        }
    }

    pub(in crate::service) fn impersonation(self, ahead: i64) -> Impersonation {
        Impersonation {
            id: self.id,
            secret: Some(Secret::new(self.secret.0.to_vec())),
            token: self.token.0.to_vec(),
            expires: UnixMillis(self.expires).plus(ahead),
        }
    }
}

/// Shows possession of an impersonation credential. The host is that of the
/// request.
#[derive(Serialize, Deserialize)]
pub struct ProofForm {
    token: Blob,
    at: i64,
    signature: Blob,
}

impl ProofForm {
    /// The form of a proof.
    #[must_use]
    pub fn of(proof: &Proof) -> Self {
        Self {
            token: Blob::of(&proof.token),
            at: proof.at.0,
            signature: Blob::of(proof.signature().map(<[u8; 32]>::as_slice).unwrap_or_default()),
        }
    }

    /// The proof, made by `host`.
    ///
    /// # Errors
    /// [`Status::InvalidArgument`].
    pub fn proof(&self, host: &str) -> Result<Proof, Fault> {
        Ok(Proof::of(self.token.0.to_vec(), host, UnixMillis(self.at), self.signature.exactly()?))
    }
}

/// Body of a renewal.
#[derive(Serialize, Deserialize)]
pub struct RenewAsk {
    /// Proof by the credential to be replaced.
    pub proof: ProofForm,
    /// Longest life of the new one, milliseconds.
    pub lifetime: i64,
}

/// Body of a question for policies.
#[derive(Serialize, Deserialize)]
pub struct EntitlementsAsk {
    /// ARN of the identity.
    pub subject: String,
    /// Access key it uses.
    pub access_key_id: String,
    /// Hashes of policies whose text need not be sent.
    #[serde(default)]
    pub known: Vec<Blob>,
}

/// Answer to it.
#[derive(Serialize, Deserialize)]
pub struct EntitlementsAnswer {
    /// The revision they were read at.
    pub revision: u64,
    /// The policies.
    pub entitlements: EntitlementsForm,
}

/// Body of a question for changes.
#[derive(Serialize, Deserialize)]
pub struct ChangesAsk {
    /// Changes after this revision; without it only the newest revision is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// About so many.
    pub limit: usize,
    /// How long to wait for one, milliseconds.
    #[serde(default)]
    pub wait: i64,
}

#[derive(Serialize, Deserialize)]
struct ChangeForm {
    revision: u64,
    kind: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    subjects: Vec<String>,
    /// Of the end of a session: its connection is to be closed too. Whoever
    /// does not know this denies, as ever.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    disconnect: bool,
}

/// Answer to it. Without changes it says that there were none up to `newest`.
#[derive(Serialize, Deserialize)]
pub struct ChangesForm {
    /// The newest revision when it was read.
    pub newest: u64,
    /// How long the service waited before it read, milliseconds.
    pub waited: i64,
    changes: Vec<ChangeForm>,
}

impl ChangesForm {
    /// The form of changes.
    #[must_use]
    pub fn of(newest: Revision, waited: i64, changes: &[Change]) -> Self {
        let form = |change: &Change| {
            let one = |kind: &str, subject: &str| (kind.to_owned(), vec![subject.to_owned()]);
            let (kind, subjects) = match &change.what {
                Happening::Entitlements(who) => {
                    ("entitlements".to_owned(), who.iter().map(|i| i.arn().to_owned()).collect())
                }
                Happening::IdentityEnded(who) => one("identity-ended", who.arn()),
                Happening::KeyEnded(id) => one("key-ended", id),
                Happening::SessionEnded { id, .. } => one("session-ended", id),
                Happening::KeyAppeared(id) => one("key-appeared", id),
                Happening::Gap => ("gap".to_owned(), Vec::new()),
            };
            let disconnect = matches!(change.what, Happening::SessionEnded { disconnect: true, .. });
            ChangeForm { revision: change.revision.0, kind, subjects, disconnect }
        };
        Self { newest: newest.0, waited, changes: changes.iter().map(form).collect() }
    }

    /// True without changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The changes.
    ///
    /// # Errors
    /// Undecided for a kind this version does not know: it cannot be skipped.
    pub fn changes(self) -> Result<Vec<Change>, Fault> {
        let read = |form: ChangeForm| {
            let mut subjects = form.subjects.into_iter();
            let mut one = || {
                subjects.next().ok_or_else(|| Fault::new(Status::Unavailable, "a change of the feed has no subject"))
            };
            let what = match form.kind.as_str() {
                "entitlements" => {
                    Happening::Entitlements(subjects.map(|arn| Identity::parse(&arn)).collect::<Result<_, _>>()?)
                }
                "identity-ended" => Happening::IdentityEnded(Identity::parse(&one()?)?),
                "key-ended" => Happening::KeyEnded(one()?),
                "session-ended" => Happening::SessionEnded { id: one()?, disconnect: form.disconnect },
                "key-appeared" => Happening::KeyAppeared(one()?),
                "gap" => Happening::Gap,
                kind => {
                    return Err(Fault::new(Status::NewerFormat, format!("change {kind:?} is of a newer version")));
                }
            };
            Ok(Change { revision: Revision(form.revision), what })
        };
        self.changes.into_iter().map(read).collect()
    }
}

/// Body of sealing and unsealing.
#[derive(Serialize, Deserialize)]
pub struct SealAsk {
    /// What for.
    pub purpose: String,
    /// What to seal, or what was sealed.
    pub bytes: Blob,
}

/// Answer to it.
#[derive(Serialize, Deserialize)]
pub struct SealForm {
    /// What was sealed, or what was in it.
    pub bytes: Blob,
}

/// A live session.
#[derive(Serialize, Deserialize)]
pub struct SessionForm {
    id: String,
    subject: String,
    access_key_id: String,
    session_name: String,
    address: String,
    listener: String,
    since: i64,
    deadline: i64,
}

impl SessionForm {
    /// The form of a session.
    #[must_use]
    pub fn of(session: &LiveSession) -> Self {
        let s = session.clone();
        Self {
            id: s.id,
            subject: s.subject,
            access_key_id: s.access_key_id,
            session_name: s.session_name,
            address: s.address,
            listener: s.listener,
            since: s.since.0,
            deadline: s.deadline.0,
        }
    }

    /// The session.
    #[must_use]
    pub fn session(self) -> LiveSession {
        LiveSession {
            id: self.id,
            subject: self.subject,
            access_key_id: self.access_key_id,
            session_name: self.session_name,
            address: self.address,
            listener: self.listener,
            since: UnixMillis(self.since),
            deadline: UnixMillis(self.deadline),
        }
    }
}

/// Body of a report.
#[derive(Serialize, Deserialize)]
pub struct ReportAsk {
    /// The boot it is about.
    pub boot: String,
    /// Sessions that began.
    pub begun: Vec<SessionForm>,
    /// Ids of those that are over.
    pub over: Vec<String>,
    /// True when what was told before is to be forgotten.
    pub whole: bool,
}

/// How the resources of a host are named.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ScopeForm {
    /// What stands before names: the cluster's ARN and its aliases, or the
    /// service's.
    pub namespaces: Vec<String>,
    /// True for AWS's exact matching.
    pub arn_match_aws: bool,
    /// Tags of the cluster.
    pub tags: Vec<(String, String)>,
}

impl ScopeForm {
    /// The form of these settings.
    #[must_use]
    pub fn of(settings: &EngineSettings) -> Self {
        Self {
            namespaces: settings.namespaces.iter().map(Namespace::text).collect(),
            arn_match_aws: settings.arn_match_aws,
            tags: settings.cluster_tags.clone(),
        }
    }

    /// How ARNs match.
    #[must_use]
    pub fn arn_match(&self) -> ArnMatch {
        if self.arn_match_aws { ArnMatch::Aws } else { ArnMatch::Fields }
    }
}

/// Body of a question for decisions.
#[derive(Serialize, Deserialize)]
pub struct DecideAsk {
    /// Proof by the client's impersonation credential.
    pub proof: ProofForm,
    /// The very text the proof was made over: the questions as JSON.
    pub questions: String,
    /// How the host's resources are named.
    pub scope: ScopeForm,
}

#[derive(Serialize, Deserialize)]
struct AnswerForm {
    outcome: String,
    reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    statement: Option<(String, usize)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    valid_until: Option<i64>,
    cacheable: bool,
}

const REASONS: [(Reason, &str); 5] = [
    (Reason::Allowed, "allowed"),
    (Reason::ExplicitDeny, "explicit-deny"),
    (Reason::ImplicitDeny, "implicit-deny"),
    (Reason::BoundaryLimits, "boundary-limits"),
    (Reason::SessionPolicyLimits, "session-policy-limits"),
];

/// Answer to it.
#[derive(Serialize, Deserialize)]
pub struct AnswersForm {
    revision: u64,
    answers: Vec<AnswerForm>,
}

impl AnswersForm {
    /// The form of answers.
    #[must_use]
    pub fn of(answers: &At<Vec<Answer>>) -> Self {
        let form = |a: &Answer| AnswerForm {
            outcome: if a.outcome == Outcome::Allow { "allow" } else { "deny" }.to_owned(),
            reason: REASONS.iter().find(|(r, _)| *r == a.reason).map_or("", |(_, word)| word).to_owned(),
            statement: a.statement.clone(),
            valid_until: a.valid_until.map(|at| at.0),
            cacheable: a.cacheable,
        };
        Self { revision: answers.revision.0, answers: answers.value.iter().map(form).collect() }
    }

    pub(in crate::service) fn answers(self, ahead: i64) -> Result<At<Vec<Answer>>, Fault> {
        let read = |form: AnswerForm| {
            let reason = REASONS.iter().find(|(_, word)| *word == form.reason).map(|(reason, _)| *reason);
            let outcome = match (form.outcome.as_str(), reason) {
                ("allow", Some(Reason::Allowed)) => Outcome::Allow,
                ("deny", Some(reason)) if reason != Reason::Allowed => Outcome::Deny,
                _ => {
                    let text = format!("the service answered {:?} for {:?}", form.outcome, form.reason);
                    return Err(Fault::new(Status::NewerFormat, text));
                }
            };
            Ok(Answer {
                outcome,
                reason: reason.unwrap_or(Reason::ImplicitDeny),
                statement: form.statement,
                valid_until: form.valid_until.map(|at| UnixMillis(at).plus(ahead)),
                cacheable: form.cacheable,
            })
        };
        let value = self.answers.into_iter().map(read).collect::<Result<_, Fault>>()?;
        Ok(At { revision: Revision(self.revision), value })
    }
}

/// Body of an enrolment, which the new key signs.
#[derive(Serialize, Deserialize)]
pub struct EnrollAsk {
    /// Name of the host: `host/<cluster>/<node>`.
    pub host: String,
    /// The one-time code.
    pub code: String,
    /// The new public key.
    pub public_key: Blob,
}

/// Answer to it.
#[derive(Serialize, Deserialize)]
pub struct EnrolledForm {
    /// ARN of the host.
    pub host: String,
}

/// Gives audit records.
#[derive(Debug, Serialize, Deserialize)]
pub struct AuditAsk {
    /// Lines of JSON, as they stand in the host's files; of this host only.
    pub records: Vec<String>,
}

/// What became of them.
#[derive(Debug, Serialize, Deserialize)]
pub struct AuditForm {
    /// How many are kept now that were not before.
    pub new: usize,
    /// How many were there already.
    pub known: usize,
    /// How many are no records of this host, and are not kept.
    pub unfit: usize,
}
