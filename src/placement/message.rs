// SPDX-License-Identifier: Apache-2.0
//! What host and agent say to each other: requests, answers, and the forms of
//! what they hold. No message has a place for a secret.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::credential::EvidenceForm;
use crate::decision::{Outcome, Reason};
use crate::fault::{Fault, Status};
use crate::identity::Identity;
use crate::revision::{At, Revision};
use crate::service::{
    Answer as Decided, Change, Client, ClientForm, Entitlements, Happening, Impersonation, Issued, LiveSession,
    PolicyText, Questions, SessionReport,
};
use crate::time::UnixMillis;

/// The oldest and the newest version of the protocol this program speaks.
/// Within a version fields are only added, and left out where they are unknown.
pub const VERSIONS: (u32, u32) = (1, 1);

/// Declares an enum of messages: the number of a frame's kind, the name, and
/// the type of the body.
macro_rules! messages {
    ($(#[$doc:meta])* $name:ident { $($(#[$line:meta])* $number:literal $variant:ident($body:ty),)* }) => {
        $(#[$doc])*
        #[allow(clippy::large_enum_variant, reason = "one at a time, and not kept")]
        pub enum $name { $($(#[$line])* $variant($body),)* }

        impl $name {
            /// Kind and body of the frame.
            ///
            /// # Errors
            /// When the body cannot be written.
            pub fn parts(&self) -> Result<(u8, Vec<u8>), Fault> {
                let (kind, body) = match self { $(Self::$variant(body) => ($number, serde_json::to_vec(body)),)* };
                Ok((kind, body.map_err(|e| Fault::internal(format!("a message could not be written: {e}")))?))
            }

            /// The message of a frame.
            ///
            /// # Errors
            /// Undecided: of a newer version, or unreadable.
            pub fn read(kind: u8, body: &[u8]) -> Result<Self, Fault> {
                match kind {
                    $($number => serde_json::from_slice(body).map(Self::$variant).map_err(unreadable),)*
                    _ => Err(Fault::new(Status::NewerFormat, format!("a message of kind {kind} is not known here"))),
                }
            }
        }
    };
}

// What stood in the message must not come out in a text.
fn unreadable(e: serde_json::Error) -> Fault {
    Fault::unavailable(format!("a message between host and agent cannot be read ({:?})", e.classify()))
}

messages! {
    /// What a host asks.
    Request {
        /// The first message of every connection.
        1 Hello(Hello),
        /// See [`crate::service::SecurityService::log_in`].
        2 LogIn(LogIn),
        /// See [`crate::service::SecurityService::verify`].
        3 Verify(Verify),
        /// See [`crate::service::SecurityService::renew`].
        4 Renew(Renew),
        /// See [`crate::service::DecisionPoint::decide`].
        5 Decide(Decide),
        /// See [`crate::service::SecurityService::entitlements`].
        6 Entitlements(WhoseEntitlements),
        /// See [`crate::service::SecurityService::seal`].
        7 Seal(Seal),
        /// See [`crate::service::SecurityService::unseal`].
        8 Unseal(Seal),
        /// See [`crate::service::SecurityService::revision`].
        9 Revision(Nothing),
        /// See [`crate::service::SecurityService::changes`].
        10 Changes(After),
        /// See [`crate::service::SecurityService::report`].
        11 Report(Report),
    }
}

messages! {
    /// What the agent answers; the numbers are those of the requests and 128.
    Reply {
        /// The version that is spoken from here on.
        129 Welcome(Welcome),
        /// Who logged in.
        130 Issued(IssuedForm),
        /// Whether the login was verified.
        131 Verified(bool),
        /// The renewed credential.
        132 Renewed(KeptForm),
        /// Decisions, in the order of the questions.
        133 Decided(DecidedForm),
        /// Policies.
        134 Entitlements(EntitlementsForm),
        /// What was sealed.
        135 Sealed(Bytes),
        /// What was unsealed.
        136 Unsealed(Bytes),
        /// The newest revision.
        137 Revision(u64),
        /// Changes, oldest first.
        138 Changes(Vec<ChangeForm>),
        /// Operators were told.
        139 Reported(Nothing),
        /// Instead of any other answer.
        255 Failed(FaultForm),
    }
}

/// A body without content.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Nothing {}

/// Bytes, in base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        STANDARD.decode(text.as_bytes()).map(Self).map_err(|_| serde::de::Error::custom("not base64"))
    }
}

/// Who connects, and which versions of the protocol it speaks.
#[derive(Debug, Serialize, Deserialize)]
pub struct Hello {
    /// Oldest version.
    pub oldest: u32,
    /// Newest version.
    pub newest: u32,
    /// Name of the host.
    pub host: String,
}

/// The agent's side of [`Hello`].
#[derive(Debug, Serialize, Deserialize)]
pub struct Welcome {
    /// The version both speak.
    pub version: u32,
}

/// A login.
#[derive(Serialize, Deserialize)]
pub struct LogIn {
    /// What the client showed.
    pub evidence: EvidenceForm,
    /// Longest life of the credential, milliseconds.
    pub lifetime: i64,
    /// How long the answer may take, milliseconds.
    pub wait: i64,
}

/// A further login of a known client.
#[derive(Serialize, Deserialize)]
pub struct Verify {
    /// What the client showed.
    pub evidence: EvidenceForm,
    /// Names what is kept for it.
    pub kept: Bytes,
    /// How long the answer may take, milliseconds.
    pub wait: i64,
}

/// A renewal.
#[derive(Serialize, Deserialize)]
pub struct Renew {
    /// Names the credential.
    pub kept: Bytes,
    /// Longest life of the new one, milliseconds.
    pub lifetime: i64,
    /// How long the answer may take, milliseconds.
    pub wait: i64,
}

/// Questions of one client.
#[derive(Serialize, Deserialize)]
pub struct Decide {
    /// Names the credential that is to prove them.
    pub kept: Bytes,
    /// The questions.
    pub questions: Questions,
    /// How long the answer may take, milliseconds.
    pub wait: i64,
}

/// Whose policies are wanted.
#[derive(Serialize, Deserialize)]
pub struct WhoseEntitlements {
    /// ARN of the identity.
    pub subject: String,
    /// The access key it uses.
    pub access_key_id: String,
}

/// What is to be sealed or unsealed.
#[derive(Serialize, Deserialize)]
pub struct Seal {
    /// What it is bound to.
    pub purpose: String,
    /// The bytes.
    pub bytes: Bytes,
}

/// Which changes are wanted.
#[derive(Serialize, Deserialize)]
pub struct After {
    /// Those after this revision.
    pub revision: u64,
    /// This many revisions at most.
    pub most: usize,
}

/// [`SessionReport`] of a boot.
#[derive(Serialize, Deserialize)]
pub struct Report {
    /// The boot.
    pub boot: String,
    begun: Vec<SessionForm>,
    over: Vec<String>,
    whole: bool,
}

#[derive(Serialize, Deserialize)]
struct SessionForm {
    id: String,
    subject: String,
    access_key_id: String,
    session_name: String,
    address: String,
    listener: String,
    since: i64,
    deadline: i64,
}

impl Report {
    /// The form of a report.
    #[must_use]
    pub fn of(boot: &str, begun: &[LiveSession], over: &[String], whole: bool) -> Self {
        let session = |s: &LiveSession| SessionForm {
            id: s.id.clone(),
            subject: s.subject.clone(),
            access_key_id: s.access_key_id.clone(),
            session_name: s.session_name.clone(),
            address: s.address.clone(),
            listener: s.listener.clone(),
            since: s.since.0,
            deadline: s.deadline.0,
        };
        Self { boot: boot.to_owned(), begun: begun.iter().map(session).collect(), over: over.to_vec(), whole }
    }

    /// The report of a form.
    #[must_use]
    pub fn report(self) -> SessionReport {
        let session = |s: SessionForm| LiveSession {
            id: s.id,
            subject: s.subject,
            access_key_id: s.access_key_id,
            session_name: s.session_name,
            address: s.address,
            listener: s.listener,
            since: UnixMillis(s.since),
            deadline: UnixMillis(s.deadline),
        };
        SessionReport { begun: self.begun.into_iter().map(session).collect(), over: self.over, whole: self.whole }
    }
}

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
            Happening::SessionEnded(id) => HappeningForm::SessionEnded(id.clone()),
            Happening::KeyAppeared(id) => HappeningForm::KeyAppeared(id.clone()),
            Happening::Gap => HappeningForm::Gap,
        };
        Self { revision: change.revision.0, what }
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
            HappeningForm::SessionEnded(id) => Happening::SessionEnded(id),
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
