// SPDX-License-Identifier: Apache-2.0
//! Assuming roles: temporary credentials.

use super::issue::{Session, TemporaryCredentials};
use super::roles::RoleRow;
use super::store::Store;
use super::users::{read_tags, tags_text};
use crate::channel::Channel;
use crate::decision::{GivenKeys, Inputs, Keys, Reason};
use crate::fault::{Fault, Status};
use crate::identity::{IdentityKind, Principal};
use crate::policy::{Document, Trust, TrustPolicy};

/// A request to assume a role.
#[derive(Clone, Debug, Default)]
pub struct AssumeRole {
    /// Name or ARN of the role.
    pub role: String,
    /// Name of the session.
    pub session_name: String,
    /// External id, for trust policies that ask for one.
    pub external_id: Option<String>,
    /// Seconds; the role's longest session bounds it. Default 3600.
    pub duration: Option<i64>,
    /// Session policies: documents.
    pub policies: Vec<String>,
    /// Session tags.
    pub tags: Vec<(String, String)>,
    /// Keys of session tags that later sessions inherit.
    pub transitive: Vec<String>,
    /// Source identity.
    pub source_identity: Option<String>,
    /// Session policies the caller itself is limited to.
    pub caller_policies: Vec<String>,
    /// Keys of the caller's session tags that this session inherits.
    pub inherited: Vec<String>,
    /// Over which connection it is asked; none when asked on the machine
    /// itself.
    pub channel: Channel,
}

/// One text of a request and what it may be made of.
struct Shape {
    name: &'static str,
    longest: usize,
    symbols: &'static str,
}

// Lengths and characters as AWS documents them (AssumeRole in the STS API
// reference; IAM and AWS STS quotas).
const SESSION_NAME: Shape = Shape { name: "session name", longest: 64, symbols: "_+=,.@-" };
const SOURCE_IDENTITY: Shape = Shape { name: "source identity", longest: 64, symbols: "_+=,.@-" };
const EXTERNAL_ID: Shape = Shape { name: "external id", longest: 1224, symbols: "_+=,.@:/-" };
const TAG_SYMBOLS: &str = " _.:/=+-@";

impl Shape {
    fn check(&self, text: &str) -> Result<(), Fault> {
        let fits = text.chars().all(|c| c.is_ascii_alphanumeric() || self.symbols.contains(c));
        if fits && (2..=self.longest).contains(&text.len()) {
            return Ok(());
        }
        let Self { name, longest, symbols } = self;
        let shown: String = text.chars().take(80).collect();
        Err(Fault::new(
            Status::InvalidArgument,
            format!("{name} {shown:?}: 2 to {longest} letters, digits and {symbols} are accepted"),
        ))
    }
}

/// Session tags as AWS documents them ("Passing session tags in AWS STS").
fn check_tags(tags: &[(String, String)]) -> Result<(), Fault> {
    let refused = |text: String| Err(Fault::new(Status::InvalidArgument, text));
    if tags.len() > 50 {
        return refused(format!("{} session tags: at most 50 are accepted", tags.len()));
    }
    for (key, value) in tags {
        let fits = |text: &str| text.chars().all(|c| c.is_alphanumeric() || TAG_SYMBOLS.contains(c));
        if !(1..=128).contains(&key.chars().count()) || value.chars().count() > 256 || !fits(key) || !fits(value) {
            return refused(format!(
                "session tag {key:?}: a key of 1 to 128 and a value of 0 to 256 letters, digits, spaces and{TAG_SYMBOLS} are accepted"
            ));
        }
        if key.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("aws:")) {
            return refused(format!("session tag {key:?}: keys that begin with aws: are reserved; choose another"));
        }
    }
    Ok(())
}

/// Session policies: documents like those of identities.
pub(super) fn check_policies(policies: &[String]) -> Result<(), Fault> {
    policies.iter().try_for_each(|policy| {
        Document::parse(policy)
            .map(drop)
            .map_err(|e| Fault::new(Status::InvalidDocument, format!("the session policy is not valid:\n{e}")))
    })
}

impl AssumeRole {
    pub(super) fn check(&self) -> Result<(), Fault> {
        SESSION_NAME.check(&self.session_name)?;
        self.external_id.as_deref().map_or(Ok(()), |id| EXTERNAL_ID.check(id))?;
        self.source_identity.as_deref().map_or(Ok(()), |identity| SOURCE_IDENTITY.check(identity))?;
        check_tags(&self.tags)
    }

    /// What has to be allowed.
    fn actions(&self) -> impl Iterator<Item = &'static str> {
        let tagged = (!self.tags.is_empty()).then_some("sts:TagSession");
        let sourced = self.source_identity.is_some().then_some("sts:SetSourceIdentity");
        std::iter::once("sts:AssumeRole").chain(tagged).chain(sourced)
    }

    /// The condition keys of the request.
    fn keys(&self) -> GivenKeys {
        let mut keys = GivenKeys::default();
        keys.give("sts:RoleSessionName", vec![self.session_name.clone()]);
        if let Some(id) = &self.external_id {
            keys.give("sts:ExternalId", vec![id.clone()]);
        }
        if let Some(identity) = &self.source_identity {
            keys.give("sts:SourceIdentity", vec![identity.clone()]);
        }
        keys.give("sts:TransitiveTagKeys", self.transitive.clone());
        keys.give("aws:TagKeys", self.tags.iter().map(|(key, _)| key.clone()).collect());
        for (key, value) in &self.tags {
            keys.give(&format!("aws:RequestTag/{key}"), vec![value.clone()]);
        }
        keys
    }
}

/// Longest session of a role that was assumed by a role, seconds: as AWS
/// limits role chaining.
const CHAINED: i64 = 3600;

/// What a caller may begin.
struct Admitted {
    role: RoleRow,
    /// A source identity stays what it was first.
    source_identity: Option<String>,
    duration: i64,
}

impl Store {
    /// Issues temporary credentials of a role to `caller`. The issue is on the
    /// disk before it is answered.
    ///
    /// # Errors
    /// [`Status::NotAllowed`] when the trust policy or the caller's policies
    /// do not allow it; [`Status::InvalidArgument`].
    pub fn assume_role(&self, caller: &Principal, ask: &AssumeRole) -> Result<TemporaryCredentials, Fault> {
        let Admitted { role, source_identity, duration } = self.admitted(caller, ask)?;
        let mut tags = ask.tags.clone();
        let kept = |key: &String| ask.inherited.iter().any(|k| k.eq_ignore_ascii_case(key));
        tags.extend(caller.attributes.tags.iter().filter(|(key, _)| kept(key)).cloned());
        // A tag that is inherited and given stands twice.
        let tags = read_tags(&tags_text(&tags)?)?;
        self.issue(
            "AssumeRole",
            Session {
                subject: &role.identity,
                user_id: format!("{}:{}", role.unique_id, ask.session_name),
                name: &ask.session_name,
                source_identity,
                asked_by: caller.arn(),
                policies: &ask.policies,
                tags,
                transitive: ask.transitive.iter().chain(&ask.inherited).cloned().collect(),
                duration,
            },
        )
    }

    /// Checks everything about a request but its session policies, which need
    /// not be known yet.
    ///
    /// # Errors
    /// As [`Store::assume_role`].
    pub fn check_assume_role(&self, caller: &Principal, ask: &AssumeRole) -> Result<(), Fault> {
        self.admitted(caller, ask).map(drop)
    }

    fn admitted(&self, caller: &Principal, ask: &AssumeRole) -> Result<Admitted, Fault> {
        // What is wrong with the request itself is said first; of the role only
        // who may assume it learns anything.
        ask.check()?;
        check_policies(&ask.policies)?;
        if let Some(other) =
            ask.transitive.iter().find(|key| !ask.tags.iter().any(|(k, _)| k.eq_ignore_ascii_case(key)))
        {
            return Err(Fault::new(
                Status::InvalidArgument,
                format!("the transitive tag key {other:?} is of no tag that is given"),
            ));
        }
        let role = self.role(&ask.role)?;
        let mut ask = ask.clone();
        // A source identity stays what it was first.
        if let Some(first) = &caller.attributes.source_identity {
            if ask.source_identity.as_ref().is_some_and(|other| other != first) {
                return Err(Fault::new(Status::NotAllowed, "the source identity of a session cannot be changed"));
            }
            ask.source_identity = Some(first.clone());
        }
        let ask = &ask;
        self.may_assume(caller, &role, ask)?;
        if role.disabled {
            return Err(Fault::new(Status::IdentityDisabled, format!("{} is disabled", role.identity)));
        }
        let chained = caller.subject.kind() == IdentityKind::Role;
        let longest = if chained { CHAINED.min(role.max_session) } else { role.max_session };
        let duration = role.duration(ask.duration, longest)?;
        Ok(Admitted { role, source_identity: ask.source_identity.clone(), duration })
    }

    fn may_assume(&self, caller: &Principal, role: &RoleRow, ask: &AssumeRole) -> Result<(), Fault> {
        let keys = ask.keys();
        let Some(effective) = self.entitlements(&caller.subject)?.value else {
            return Err(Fault::new(Status::IdentityDisabled, format!("{} is disabled or deleted", caller.subject)));
        };
        let caller = &caller.with_identity_tags(&effective.tags);
        let inputs = Inputs {
            principal: caller,
            channel: &ask.channel,
            address: None,
            client_id: "",
            now: self.clock.wall(),
            resource_tags: &role.tags,
            keys: Keys::HostAnd(&keys),
        };
        let (subject, identity) = (&caller.subject, &role.identity);
        let policy = TrustPolicy::parse(&role.trust)
            .map_err(|e| Fault::new(Status::NewerFormat, format!("the trust policy of {identity}: {e}")))?;
        for action in ask.actions() {
            let refused = |text: String| Err(Fault::new(Status::NotAllowed, text));
            let trust = policy.admits(action, &inputs);
            if trust == Trust::Denied {
                return refused(format!("the trust policy of {identity} denies {action} for {subject}"));
            }
            if trust == Trust::No {
                return refused(format!("the trust policy of {identity} does not allow {action} for {subject}"));
            }
            let own = self.ruling(&ask.caller_policies, action, identity.arn(), &inputs)?;
            if own.verdict.reason == Reason::ExplicitDeny {
                return refused(format!("a policy of {subject} denies {action} on {identity}"));
            }
            // What names a role is limited by the role's boundary and the
            // session's policies, what names a user is not (policy evaluation logic, IAM user guide).
            let unlimited = own.within_limits || subject.kind() == IdentityKind::User;
            if !(own.allows() || trust == Trust::Direct && unlimited) {
                return refused(format!("no policy of {subject} allows {action} on {identity}"));
            }
        }
        Ok(())
    }
}
