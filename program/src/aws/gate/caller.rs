// SPDX-License-Identifier: Apache-2.0
//! Who signed a request.

use standin::access_control::Shown;
use standin::credential::sigv4::{HttpParts, RequestClaim};
use standin::fault::{Fault, Kind, Status};
use standin::identity::{IdentityKind, Principal};

use super::Gate;
use crate::aws::operations::Api;
use crate::aws::problem::{Code, Problem};

/// How far a request's date may be from this machine's clock, milliseconds: as
/// AWS has it for IAM and STS.
const SKEW: i64 = 5 * 60 * 1000;
/// How often the use of a key is noted, milliseconds.
const NOTED: i64 = 60 * 1000;
/// How many keys' last use is remembered.
const REMEMBERED: usize = 10_000;

/// Who asks, verified.
pub(crate) struct Caller {
    pub(crate) principal: Principal,
    /// The key it signed with.
    pub(crate) access_key_id: String,
    /// As `GetCallerIdentity` shows it.
    pub(crate) arn: String,
    /// What its session is limited to.
    pub(crate) session_policies: Vec<String>,
    /// Keys of its session tags that later sessions inherit.
    pub(crate) transitive: Vec<String>,
    /// True for temporary credentials.
    pub(crate) temporary: bool,
}

impl Caller {
    /// The name of a user who asks for itself.
    pub(crate) fn user(&self) -> Result<&str, Problem> {
        let subject = &self.principal.subject;
        if subject.kind() == IdentityKind::User {
            return Ok(subject.name());
        }
        Err(Problem::new(Code::ValidationError, "Must specify userName when calling with non-User credentials"))
    }
}

/// What is wrong with a signature, for whoever sent it.
fn refused(fault: &Fault, api: Api) -> Problem {
    let token = "The security token included in the request is";
    match fault.status {
        Status::Malformed => Problem::new(Code::IncompleteSignature, fault.text.clone()),
        Status::ClockSkew | Status::Expired => Problem::new(Code::SignatureDoesNotMatch, fault.text.clone()),
        Status::SignatureMismatch => Problem::new(
            Code::SignatureDoesNotMatch,
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
        ),
        Status::WrongHost => Problem::new(
            Code::SignatureDoesNotMatch,
            format!("Credential should be scoped to correct service: '{}'.", api.word()),
        ),
        // What exactly is wrong with a key, whoever does not have it need not know.
        _ if fault.kind() == Kind::Refused => Problem::new(Code::InvalidClientTokenId, format!("{token} invalid.")),
        _ => Problem::from(fault.clone()),
    }
}

impl Gate {
    /// Who signed this request. `claimed` becomes the key it names, also when
    /// that is not proven.
    pub(crate) fn authenticate(
        &self,
        parts: &HttpParts<'_>,
        api: Api,
        claimed: &mut String,
    ) -> Result<Caller, Problem> {
        let claim = RequestClaim::read(parts)
            .map_err(|fault| refused(&fault, api))?
            .ok_or_else(|| Problem::new(Code::MissingAuthenticationToken, "Request is missing Authentication Token"))?;
        claim.access_key_id().clone_into(claimed);
        self.verified(&claim, api)
    }

    fn verified(&self, claim: &RequestClaim, api: Api) -> Result<Caller, Problem> {
        let now = self.clock.wall();
        claim.check(SKEW, now).map_err(|fault| refused(&fault, api))?;
        if claim.service() != api.word() {
            return Err(refused(&Fault::new(Status::WrongHost, ""), api));
        }
        let id = claim.access_key_id();
        let shown = self.store.shown_credential(id, claim.session_token());
        let Shown { principal, secret, expires, session_policies, transitive } = shown.map_err(|fault| {
            match (fault.status, claim.session_token()) {
                (Status::Expired, _) => {
                    Problem::new(Code::ExpiredToken, "The security token included in the request is expired")
                }
                // The shape of a token is not the shape of the request.
                (Status::Malformed, Some(_)) => refused(&Fault::new(Status::UnknownKey, ""), api),
                _ => refused(&fault, api),
            }
        })?;
        claim.verify(&claim.key(&secret)).map_err(|fault| refused(&fault, api))?;
        // Whose identity is gone or disabled has no key that works.
        if self.store.entitlements(&principal.subject)?.value.is_none() {
            return Err(refused(&Fault::new(Status::IdentityDisabled, ""), api));
        }
        let arn = principal.arn();
        let temporary = expires.is_some();
        if !temporary {
            self.note_use(id, now.0);
        }
        Ok(Caller { principal, access_key_id: id.to_owned(), arn, session_policies, transitive, temporary })
    }

    /// Notes that a key was used, once a minute. Failing to is no reason not to
    /// answer.
    fn note_use(&self, id: &str, now: i64) {
        let Ok(mut used) = self.used.lock() else { return };
        if used.get(id).is_some_and(|last| now - last < NOTED) {
            return;
        }
        if used.len() >= REMEMBERED {
            used.clear();
        }
        used.insert(id.to_owned(), now);
        drop(used);
        drop(self.store.keys_used(&[(id.to_owned(), now)]));
    }
}
