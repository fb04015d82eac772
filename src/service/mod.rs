// SPDX-License-Identifier: Apache-2.0
//! Between the agent and the security service: what is asked, what is
//! answered, and the connectors. Everything is synchronous and bounded by a
//! deadline; a failure of kind *undecided* is never a denial.

mod client;
mod decision_point;
mod embedded;
mod http;
mod impersonation;
mod shelf;
pub mod wire;

use std::sync::Arc;

use aws_lc_rs::digest;

pub use client::{Client, ClientForm};
pub use decision_point::{Answer, DECIDE, DecisionPoint, Question, Questions};
pub use embedded::Embedded;
pub use http::{Enrolment, Remote, enroll};
pub use impersonation::{Impersonation, Proof};
pub use shelf::{Set, Shelf};

use crate::credential::Evidence;
use crate::credential::sigv4::SigningKey;
use crate::fault::{Fault, Status};
use crate::identity::{Identity, Principal};
use crate::revision::{At, Revision};
use crate::settings::EngineSettings;
use crate::time::{Clock, Random, Steady, UnixMillis};

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

impl PolicyText {
    /// A policy with the hash of its text.
    #[must_use]
    pub fn new(name: &str, text: &str) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
        Self { name: name.into(), hash, text: text.into() }
    }
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

/// An identity with its policies, without a login.
pub struct Known {
    /// Who it is.
    pub principal: Principal,
    /// Its policies.
    pub entitlements: Entitlements,
}

/// The answer to a successful login.
pub struct Issued {
    /// Who it is, and what narrows this session.
    pub client: Client,
    /// End of the presented credential or of the identity; none when neither
    /// ends by itself.
    pub expires: Option<UnixMillis>,
    /// The credential that stands in.
    pub impersonation: Impersonation,
    /// The identity's policies.
    pub entitlements: Entitlements,
    /// Key to verify further signatures of the same access key, session token,
    /// day, region and service with; none for a certificate.
    pub verification: Option<Arc<SigningKey>>,
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
    /// An administrator ended a session.
    SessionEnded {
        /// Its public id.
        id: String,
        /// Its connection is to be closed too.
        disconnect: bool,
    },
    /// The access key id is new or enabled again.
    KeyAppeared(String),
    /// Changes were missed: everything known may be out of date.
    Gap,
}

/// One change with its revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its place in the history.
    pub revision: Revision,
    /// What.
    pub what: Happening,
}

/// What the change feed says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// The newest revision when it was read.
    pub newest: Revision,
    /// Changes, oldest first; without any there were none up to `newest`.
    pub changes: Vec<Change>,
    /// How long the service waited before it read, milliseconds.
    pub waited: i64,
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

/// What the proof of a renewal is made for; its body is the lifetime in digits.
pub const RENEW: &str = "renew";

/// The purpose hosts seal sessions for that they forward to one another.
pub const FORWARDED: &str = "forwarded-session";

/// Hosts seal for nothing but [`FORWARDED`]: nothing else that the service has
/// sealed, such as session tokens, is opened or made for a host.
///
/// # Errors
/// [`Status::InvalidArgument`] for every other purpose.
pub fn check_purpose(purpose: &str) -> Result<(), Fault> {
    if purpose == FORWARDED {
        return Ok(());
    }
    Err(Fault::new(Status::InvalidArgument, format!("hosts do not seal for {purpose:?}")))
}

/// What changed among a boot's live sessions since it last told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionReport {
    /// Sessions that began.
    pub begun: Vec<LiveSession>,
    /// Public ids of those that are over.
    pub over: Vec<String>,
    /// True when `begun` holds all there are.
    pub whole: bool,
}

/// The identity side of the security service.
pub trait SecurityService: Send + Sync {
    /// Authenticates the client that showed `evidence` and issues what stands
    /// in for it on `host`, for `lifetime` milliseconds at most.
    ///
    /// # Errors
    /// Refused: no such key, wrong signature, disabled, expired. Undecided:
    /// no answer by the deadline.
    fn log_in(&self, evidence: &Evidence, host: &str, lifetime: i64, by: Steady) -> Result<At<Issued>, Fault>;

    /// Verifies a further login of the client that the credential named `kept`
    /// stands in for. False when no key for it is kept here: the login is a
    /// matter for [`SecurityService::log_in`] then, as it is where the asker
    /// gets verification keys itself.
    ///
    /// # Errors
    /// Refused: a wrong signature. Undecided: no answer by the deadline.
    fn verify(&self, _evidence: &Evidence, _kept: &[u8], _by: Steady) -> Result<bool, Fault> {
        Ok(false)
    }

    /// Issues a new credential, for `lifetime` milliseconds at most, in place of
    /// the one `proof` was made with for the purpose [`RENEW`].
    ///
    /// # Errors
    /// As [`SecurityService::log_in`].
    fn renew(&self, proof: &Proof, lifetime: i64, by: Steady) -> Result<Impersonation, Fault>;

    /// The present policies of an identity that uses this access key.
    ///
    /// # Errors
    /// Refused when the identity or the key is disabled or gone; undecided
    /// when the service does not answer.
    fn entitlements(&self, subject: &Identity, access_key_id: &str) -> Result<At<Entitlements>, Fault>;

    /// Who has the name `user/NAME` or `role/NAME`, with its present policies;
    /// none when nobody has it, or it is disabled. Asked in shadow mode about
    /// clients that do not log in here.
    ///
    /// # Errors
    /// Undecided when the service does not answer, or does not offer this.
    fn known_as(&self, _name: &str) -> Result<At<Option<Known>>, Fault> {
        Err(Fault::unavailable("the service does not tell whose policies a name has"))
    }

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

    /// Changes after `after`, at most `limit` revisions; without `after` only
    /// the newest revision. A service that is asked over a network waits up to
    /// `wait` milliseconds for the first one; an embedded one answers at once.
    ///
    /// # Errors
    /// Undecided when the service does not answer.
    fn follow(&self, after: Option<Revision>, limit: usize, wait: i64) -> Result<News, Fault> {
        let _at_once = wait;
        let newest = self.revision()?;
        let changes = match after {
            Some(after) if after < newest => self.changes(after, limit)?,
            _ => Vec::new(),
        };
        Ok(News { newest, changes, waited: 0 })
    }

    /// True when [`SecurityService::follow`] waits.
    fn waits(&self) -> bool {
        false
    }

    /// Ends a wait in [`SecurityService::follow`], now and from now on.
    fn interrupt(&self) {}

    /// Gives audit records of this host to the service, as they stand in its
    /// files: lines of JSON. What came before comes again without harm.
    ///
    /// # Errors
    /// Undecided when the service does not answer, or collects none.
    fn deliver(&self, _records: &[String], _by: Steady) -> Result<(), Fault> {
        Err(Fault::unavailable("the service collects no audit records"))
    }

    /// Tells operators of this boot's live sessions; a report without changes
    /// shows that it lives.
    ///
    /// # Errors
    /// Undecided when the service does not answer.
    fn report(&self, boot: &str, host: &str, report: &SessionReport) -> Result<(), Fault>;
}

/// Both sides of a service: who issues, and who decides.
pub type Ends = (Arc<dyn SecurityService>, Arc<dyn DecisionPoint>);

/// Opens the service the settings name.
///
/// # Errors
/// As [`Embedded::open`] and [`Remote::open`].
pub fn open(settings: &EngineSettings, clock: &Arc<dyn Clock>, random: &Arc<dyn Random>) -> Result<Ends, Fault> {
    if let Some(service) = &settings.service {
        let remote = Arc::new(Remote::open(settings, service, Arc::clone(clock), Arc::clone(random))?);
        return Ok((Arc::clone(&remote) as _, remote));
    }
    let embedded = Arc::new(Embedded::open(settings, Arc::clone(clock), Arc::clone(random))?);
    Ok((Arc::clone(&embedded) as _, embedded))
}
