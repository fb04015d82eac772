// SPDX-License-Identifier: Apache-2.0
//! Assuming roles by the token of an identity provider.

use super::assume::{AssumeRole, check_policies};
use super::issue::{Session, TemporaryCredentials};
use super::roles::RoleRow;
use super::store::Store;
use crate::decision::{GivenKeys, Inputs, Keys};
use crate::fault::{Fault, Status};
use crate::identity::Principal;
use crate::policy::{Instant, Trust, TrustPolicy};

/// What a verified token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebIdentity {
    /// ARN of the identity provider.
    pub provider: String,
    /// The issuer, as condition keys begin with it: its URL without `https://`.
    pub issuer: String,
    /// For whom the token is.
    pub audience: String,
    /// Whom it names.
    pub subject: String,
    /// More claims, for condition keys: their names and values.
    pub claims: Vec<(String, Vec<String>)>,
}

/// The action.
const ACTION: &str = "sts:AssumeRoleWithWebIdentity";

impl Store {
    /// Issues temporary credentials of a role to whoever showed a token that
    /// was verified. Only the role's trust policy decides: it has to name the
    /// identity provider.
    ///
    /// # Errors
    /// [`Status::NotAllowed`] when the trust policy does not allow it;
    /// [`Status::InvalidArgument`].
    pub fn assume_role_with_web_identity(
        &self,
        who: &WebIdentity,
        ask: &AssumeRole,
    ) -> Result<TemporaryCredentials, Fault> {
        let (role, duration) = self.admitted_with_web_identity(who, ask)?;
        let subject: String = who.subject.chars().filter(|c| !c.is_control()).take(255).collect();
        self.issue(
            "AssumeRoleWithWebIdentity",
            Session {
                subject: &role.identity,
                user_id: format!("{}:{}", role.unique_id, ask.session_name),
                name: &ask.session_name,
                source_identity: None,
                asked_by: format!("{} {subject}", who.provider),
                policies: &ask.policies,
                tags: Vec::new(),
                transitive: Vec::new(),
                duration,
            },
        )
    }
    /// Checks everything about a request but its session policies, which need
    /// not be known yet.
    ///
    /// # Errors
    /// As [`Store::assume_role_with_web_identity`].
    pub fn check_assume_role_with_web_identity(&self, who: &WebIdentity, ask: &AssumeRole) -> Result<(), Fault> {
        self.admitted_with_web_identity(who, ask).map(drop)
    }

    /// The role, and for how long.
    fn admitted_with_web_identity(&self, who: &WebIdentity, ask: &AssumeRole) -> Result<(RoleRow, i64), Fault> {
        ask.check()?;
        check_policies(&ask.policies)?;
        let refused = |text: String| Err(Fault::new(Status::NotAllowed, text));
        let role = match self.role(&ask.role) {
            // Who has no key learns nothing of what there is.
            Err(fault) if fault.status == Status::NotFound => {
                return refused(format!("no trust policy allows {ACTION} on {}", ask.role));
            }
            other => other?,
        };
        let identity = &role.identity;
        let mut keys = GivenKeys::default();
        keys.give("sts:RoleSessionName", vec![ask.session_name.clone()]);
        keys.give("aws:FederatedProvider", vec![who.provider.clone()]);
        keys.give(&format!("{}:aud", who.issuer), vec![who.audience.clone()]);
        keys.give(&format!("{}:sub", who.issuer), vec![who.subject.clone()]);
        for (name, values) in &who.claims {
            keys.give(&format!("{}:{name}", who.issuer), values.clone());
        }
        let now = self.clock.wall();
        keys.give("aws:CurrentTime", vec![Instant(now.seconds()).to_string()]);
        keys.give("aws:EpochTime", vec![now.seconds().to_string()]);
        keys.give("aws:SecureTransport", vec![ask.channel.secure.to_string()]);
        keys.give("aws:SourceIp", ask.channel.address.iter().map(ToString::to_string).collect());
        for (key, value) in &role.tags {
            keys.give(&format!("aws:ResourceTag/{key}"), vec![value.clone()]);
            keys.give(&format!("iam:ResourceTag/{key}"), vec![value.clone()]);
        }
        // Only the given keys are looked at: nobody of this account asks.
        let nobody = Principal::nobody()?;
        let inputs = Inputs {
            principal: &nobody,
            channel: &ask.channel,
            address: None,
            client_id: "",
            now,
            resource_tags: &[],
            keys: Keys::Only(&keys),
        };
        let policy = TrustPolicy::parse(&role.trust)
            .map_err(|e| Fault::new(Status::NewerFormat, format!("the trust policy of {identity}: {e}")))?;
        match policy.admits_provider(&who.provider, ACTION, &inputs) {
            Trust::Direct => {}
            Trust::Denied => return refused(format!("the trust policy of {identity} denies {ACTION}")),
            Trust::ByAccount | Trust::No => {
                return refused(format!("the trust policy of {identity} does not allow {ACTION} for {}", who.provider));
            }
        }
        if role.disabled {
            return Err(Fault::new(Status::IdentityDisabled, format!("{identity} is disabled")));
        }
        let duration = role.duration(ask.duration, role.max_session)?;
        Ok((role, duration))
    }
}
