// SPDX-License-Identifier: Apache-2.0
//! What agent and service say to each other when they are on different
//! machines: JSON over HTTPS, every request signed by the host. The document
//! is `docs/api/standin-v1.json`.
//!
//! Fields are only ever added, and whoever does not know one may leave it out
//! of account; what must not be left out of account comes with a new version.

mod entitlements;
mod forms;
mod known;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

pub use entitlements::EntitlementsForm;
pub use forms::{
    AnswersForm, AuditAsk, AuditForm, ChangesAsk, ChangesForm, DecideAsk, EnrollAsk, EnrolledForm, EntitlementsAnswer,
    EntitlementsAsk, ImpersonationForm, IssuedForm, LoginAsk, ProofForm, RenewAsk, ReportAsk, ScopeForm, SealAsk,
    SealForm, SessionForm,
};
pub use known::{KnownAnswer, KnownAsk};

use crate::fault::{Fault, Status};

/// Versions of the protocol this code speaks, oldest first.
pub const VERSIONS: [u32; 1] = [1];
/// The version of the protocol, in requests and answers.
pub const VERSION_HEADER: &str = "standin-version";
/// ARN of the host that asks.
pub const HOST_HEADER: &str = "standin-host";
/// When a request was made, and in answers the service's time: milliseconds
/// since the epoch.
pub const TIME_HEADER: &str = "standin-time";
/// Random text, used once; the answer repeats it.
pub const NONCE_HEADER: &str = "standin-nonce";
/// What the content of a sealed answer is called; others are JSON.
pub const SEALED: &str = "application/standin-sealed";
/// Signature of a request in base64.
pub const SIGNATURE_HEADER: &str = "standin-signature";
/// How far a host's clock may be from the service's, milliseconds. Less than
/// proofs tolerate, so that a host's wrong clock never counts against clients.
pub const SKEW: i64 = 45_000;
/// Longest wait for changes, milliseconds.
pub const LONGEST_WAIT: i64 = 20_000;
/// Most audit records in one delivery.
pub const RECORDS: usize = crate::audit::RECORDS;
/// Most sessions in one report.
pub const REPORT: usize = 1000;

/// Paths of the protocol.
pub mod path {
    /// Authenticates a client.
    pub const LOGIN: &str = "/v1/login";
    /// Renews an impersonation credential.
    pub const RENEW: &str = "/v1/renew";
    /// Present policies of an identity.
    pub const ENTITLEMENTS: &str = "/v1/entitlements";
    /// Who has a name, with present policies.
    pub const KNOWN: &str = "/v1/known";
    /// Changes after a revision.
    pub const CHANGES: &str = "/v1/changes";
    /// Seals for other hosts.
    pub const SEAL: &str = "/v1/seal";
    /// Reads what was sealed.
    pub const UNSEAL: &str = "/v1/unseal";
    /// Tells of live sessions.
    pub const REPORT: &str = "/v1/report";
    /// Takes audit records.
    pub const AUDIT: &str = "/v1/audit";
    /// Decides operations.
    pub const DECIDE: &str = "/v1/decide";
    /// Enrols a host.
    pub const ENROLL: &str = "/v1/enroll";
}

/// Bytes, in base64. Wiped on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct Blob(pub Zeroizing<Vec<u8>>);

impl Blob {
    /// These bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }

    /// The bytes, when they are so many.
    ///
    /// # Errors
    /// [`Status::InvalidArgument`].
    pub fn exactly<const N: usize>(&self) -> Result<[u8; N], Fault> {
        <[u8; N]>::try_from(self.0.as_slice())
            .map_err(|_| Fault::new(Status::InvalidArgument, format!("{N} bytes are accepted, {} came", self.0.len())))
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({} bytes)", self.0.len())
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(STANDARD.encode(&*self.0)))
    }
}

struct Base64;

impl Visitor<'_> for Base64 {
    type Value = Blob;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("base64")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Blob, E> {
        STANDARD.decode(text).map(|bytes| Blob(Zeroizing::new(bytes))).map_err(|_| E::custom("it is not base64"))
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Base64)
    }
}

/// Why a request was not answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Problem {
    /// The number of the status.
    pub status: i32,
    /// What exactly, for the host's operator.
    pub text: String,
    /// ARN of the identity it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Whose requests are too many, when it is for that: `host`, `identity` or
    /// `account`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// The versions the service speaks, when it does not speak the request's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub speaks: Vec<u32>,
}

impl Problem {
    /// The problem of a failure.
    #[must_use]
    pub fn of(fault: &Fault) -> Self {
        Self {
            status: fault.status.number(),
            text: fault.text.clone(),
            subject: fault.subject.as_deref().map(str::to_owned),
            limit: None,
            speaks: Vec::new(),
        }
    }

    /// The failure, when its number is known.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        let fault = Fault::new(Status::of_number(self.status)?, self.text.clone());
        Some(match &self.subject {
            Some(arn) => fault.about(arn),
            None => fault,
        })
    }
}

/// Writes a form.
///
/// # Errors
/// When it cannot be written.
pub fn write<T: Serialize>(form: &T) -> Result<Zeroizing<Vec<u8>>, Fault> {
    serde_json::to_vec(form)
        .map(Zeroizing::new)
        .map_err(|e| Fault::internal(format!("a message to the service could not be written: {e}")))
}

/// Reads a form.
///
/// # Errors
/// [`Status::InvalidArgument`] naming what is wrong, without its content.
pub fn read<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Result<T, Fault> {
    serde_json::from_slice(body).map_err(|e| {
        let (line, column) = (e.line(), e.column());
        let what = if e.is_data() { "a field is missing or of another kind" } else { "it is not JSON" };
        Fault::new(Status::InvalidArgument, format!("the message cannot be read at {line}:{column}: {what}"))
    })
}
