// SPDX-License-Identifier: Apache-2.0
//! What host and agent say to each other. No message has a place for a secret.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::form::{ChangeForm, DecidedForm, EntitlementsForm, FaultForm, IssuedForm, KeptForm, KnownForm};
use crate::credential::EvidenceForm;
use crate::fault::{Fault, Status};
use crate::service::wire::SessionForm;
use crate::service::{LiveSession, Questions, SessionReport};

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
        /// See [`crate::service::SecurityService::known_as`].
        12 KnownAs(String),
        /// See [`crate::service::SecurityService::deliver`].
        13 Deliver(Deliver),
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
        /// Who has a name, and under which policies.
        140 Known(KnownForm),
        /// The service has the records.
        141 Delivered(Nothing),
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

/// Audit records for the service.
#[derive(Serialize, Deserialize)]
pub struct Deliver {
    /// As they stand in the host's files: lines of JSON.
    pub records: Vec<String>,
    /// How long the answer may take, milliseconds.
    pub wait: i64,
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

impl Report {
    /// The form of a report.
    #[must_use]
    pub fn of(boot: &str, begun: &[LiveSession], over: &[String], whole: bool) -> Self {
        Self { boot: boot.to_owned(), begun: begun.iter().map(SessionForm::of).collect(), over: over.to_vec(), whole }
    }

    /// The report of a form.
    #[must_use]
    pub fn report(self) -> SessionReport {
        SessionReport {
            begun: self.begun.into_iter().map(SessionForm::session).collect(),
            over: self.over,
            whole: self.whole,
        }
    }
}
