// SPDX-License-Identifier: Apache-2.0
//! Between the agent and the security service: what is asked, what is
//! answered, and the connectors. Everything is synchronous and bounded by a
//! deadline; a failure of kind *undecided* is never a denial.

mod embedded;

use std::sync::Arc;

pub use embedded::Embedded;

use crate::credential::Secret;
use crate::credential::sigv4::{Claim, SigningKey};
use crate::fault::Fault;
use crate::identity::{Identity, Principal};
use crate::revision::{At, Revision};
use crate::time::{Steady, UnixMillis};

/// One policy as the service delivers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyText {
    /// ARN of a managed policy, or `inline/<owner>/<name>`.
    pub name: Arc<str>,
    /// SHA-256 of the text.
    pub hash: [u8; 32],
    /// The document.
    pub text: Arc<str>,
}

/// The effective policies of one identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entitlements {
    /// Identity policies: its own, its groups', attached and inline.
    pub policies: Vec<PolicyText>,
    /// Its permissions boundary.
    pub boundary: Option<PolicyText>,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

/// What an agent holds for one client: the credential that stands in.
pub struct Impersonation {
    /// Its id; not secret.
    pub id: String,
    /// Proves possession towards the service.
    pub secret: Secret,
    /// The sealed token that goes with it.
    pub token: Vec<u8>,
    /// When it expires.
    pub expires: UnixMillis,
}

/// The answer to a successful login.
pub struct Issued {
    /// Who it is.
    pub principal: Principal,
    /// End of the presented credential or of the identity; none when neither
    /// ends by itself.
    pub expires: Option<UnixMillis>,
    /// The credential that stands in.
    pub impersonation: Impersonation,
    /// The identity's policies.
    pub entitlements: Entitlements,
    /// Policies of the session, which only narrow; empty when there are none.
    pub session_policies: Vec<PolicyText>,
    /// Key to verify further signatures of the same access key, session token,
    /// day, region and service with.
    pub verification: Arc<SigningKey>,
}

/// What happened in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// Policies, tags or groups of these identities changed.
    Entitlements(Vec<Identity>),
    /// The identity was disabled or deleted.
    IdentityEnded(Identity),
    /// The access key was disabled or deleted.
    KeyEnded(String),
    /// An administrator ended sessions; the text is the session's public id.
    SessionEnded(String),
    /// The access key id is new or enabled again.
    KeyAppeared(String),
}

/// One change with its revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its place in the history.
    pub revision: Revision,
    /// What.
    pub what: Happening,
}

/// A live session as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveSession {
    /// Public id: `<boot id>/<session id>`.
    pub id: String,
    /// ARN of the subject.
    pub subject: String,
    /// Access key id.
    pub access_key_id: String,
    /// Role session name, or empty.
    pub session_name: String,
    /// Client address, or empty.
    pub address: String,
    /// Listener.
    pub listener: String,
    /// When it began.
    pub since: UnixMillis,
    /// When it ends.
    pub deadline: UnixMillis,
}

/// The identity side of the security service.
pub trait SecurityService: Send + Sync {
    /// Authenticates the client that made `claim` and issues what stands in
    /// for it on `host`, for `lifetime` milliseconds at most.
    ///
    /// # Errors
    /// Refused: no such key, wrong signature, disabled, expired. Undecided:
    /// no answer by the deadline.
    fn log_in(&self, claim: &Claim, host: &str, lifetime: i64, by: Steady) -> Result<At<Issued>, Fault>;

    /// Issues a new credential for a client that has one.
    ///
    /// # Errors
    /// As [`SecurityService::log_in`].
    fn renew(
        &self,
        subject: &Identity,
        access_key_id: &str,
        held: &Impersonation,
        host: &str,
        lifetime: i64,
    ) -> Result<Impersonation, Fault>;

    /// The present policies of an identity that uses this access key.
    ///
    /// # Errors
    /// Refused when the identity or the key is disabled or gone; undecided
    /// when the service does not answer.
    fn entitlements(&self, subject: &Identity, access_key_id: &str) -> Result<At<Entitlements>, Fault>;

    /// Seals what only hosts of this service may read, bound to `purpose`.
    ///
    /// # Errors
    /// Undecided when the service does not answer.
    fn seal(&self, purpose: &str, plain: &[u8]) -> Result<Vec<u8>, Fault>;

    /// Reads what [`SecurityService::seal`] made.
    ///
    /// # Errors
    /// Refused when it was altered or made for another purpose; undecided when
    /// it is of a newer format.
    fn unseal(&self, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>, Fault>;

    /// The newest revision; cheap enough to ask many times a second.
    ///
    /// # Errors
    /// Undecided when the service does not answer.
    fn revision(&self) -> Result<Revision, Fault>;

    /// Changes after `after`, oldest first, at most `limit` revisions.
    ///
    /// # Errors
    /// Undecided when the service does not answer.
    fn changes(&self, after: Revision, limit: usize) -> Result<Vec<Change>, Fault>;

    /// Replaces what operators see as this boot's live sessions.
    ///
    /// # Errors
    /// Undecided when the service does not answer.
    fn publish(&self, boot: &str, host: &str, sessions: &[LiveSession], now: UnixMillis) -> Result<(), Fault>;
}
