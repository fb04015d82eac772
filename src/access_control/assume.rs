// SPDX-License-Identifier: Apache-2.0
//! Assuming roles: temporary credentials.

use super::roles::{DURATIONS, RoleRow};
use super::store::Store;
use super::users::{read_tags, tags_text};
use crate::channel::Channel;
use crate::credential::session_token::TokenBody;
use crate::credential::{Secret, access_key_id, secret_access_key};
use crate::decision::{GivenKeys, Inputs, Keys, Outcome, Reason};
use crate::fault::{Fault, Status};
use crate::identity::{Identity, IdentityKind, Principal};
use crate::policy::{ActionTable, ArnMatch, Compiled, Document, Named, PolicySet, Scope, Trust, TrustPolicy};
use crate::time::UnixMillis;

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
    /// Source identity.
    pub source_identity: Option<String>,
    /// Over which connection it is asked; none when asked on the machine
    /// itself.
    pub channel: Channel,
}

/// Temporary credentials.
pub struct TemporaryCredentials {
    /// Access key id (`ASIA…`).
    pub access_key_id: String,
    /// Secret access key.
    pub secret: Secret,
    /// Session token.
    pub session_token: String,
    /// When they expire.
    pub expires: UnixMillis,
    /// The role.
    pub role: Identity,
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

impl AssumeRole {
    fn check(&self) -> Result<(), Fault> {
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
        keys.give("aws:TagKeys", self.tags.iter().map(|(key, _)| key.clone()).collect());
        for (key, value) in &self.tags {
            keys.give(&format!("aws:RequestTag/{key}"), vec![value.clone()]);
        }
        keys
    }
}

/// What a caller's own policies say.
struct Own {
    denied: bool,
    allowed: bool,
    /// Its permissions boundary, if there is one, allows.
    within_boundary: bool,
}

impl Store {
    /// Issues temporary credentials of a role to `caller`. The issue is on the
    /// disk before it is answered.
    ///
    /// # Errors
    /// [`Status::NotAllowed`] when the trust policy or the caller's policies
    /// do not allow it; [`Status::InvalidArgument`].
    pub fn assume_role(&self, caller: &Principal, ask: &AssumeRole) -> Result<TemporaryCredentials, Fault> {
        let role = self.role(&ask.role)?;
        ask.check()?;
        if role.disabled {
            return Err(Fault::new(Status::IdentityDisabled, format!("{} is disabled", role.identity)));
        }
        let duration = ask.duration.unwrap_or_else(|| 3600.min(role.max_session));
        if !DURATIONS.contains(&duration) || duration > role.max_session {
            return Err(Fault::new(
                Status::InvalidArgument,
                format!("duration {duration} s: 15 to {} are accepted for {}", role.max_session, role.identity),
            ));
        }
        let tags = read_tags(&tags_text(&ask.tags)?)?;
        for policy in &ask.policies {
            Document::parse(policy)
                .map_err(|e| Fault::new(Status::InvalidDocument, format!("the session policy is not valid:\n{e}")))?;
        }
        self.may_assume(caller, &role, ask)?;
        let id = access_key_id(&*self.random, "ASIA")?;
        let secret = secret_access_key(&*self.random)?;
        let issued = self.clock.wall();
        let expires = issued.plus(duration * 1000);
        let body = TokenBody {
            v: TokenBody::VERSION,
            access_key_id: id.clone(),
            secret: String::from_utf8_lossy(secret.expose()).into_owned(),
            subject: role.identity.arn().to_owned(),
            user_id: format!("{}:{}", role.unique_id, ask.session_name),
            session_name: ask.session_name.clone(),
            source_identity: ask.source_identity.clone(),
            assumed_by: caller.subject.arn().to_owned(),
            session_policies: ask.policies.clone(),
            tags,
            issued: issued.0,
            expires: expires.0,
        };
        let session_token = body.seal(&self.ring, &*self.random)?;
        self.write(caller.subject.arn(), "AssumeRole", role.identity.arn(), |w| {
            w.detail = format!("{id} for session {} until {}", ask.session_name, expires.0);
            Ok(())
        })?;
        Ok(TemporaryCredentials { access_key_id: id, secret, session_token, expires, role: role.identity })
    }

    fn may_assume(&self, caller: &Principal, role: &RoleRow, ask: &AssumeRole) -> Result<(), Fault> {
        let keys = ask.keys();
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
            let own = self.own_policies(subject, action, identity.arn(), &inputs)?;
            if own.denied {
                return refused(format!("a policy of {subject} denies {action} on {identity}"));
            }
            // What names a role is limited by the role's boundary, what names
            // a user is not (policy evaluation logic, IAM user guide).
            let unlimited = own.within_boundary || subject.kind() == IdentityKind::User;
            if !(own.allowed || trust == Trust::Direct && unlimited) {
                return refused(format!("no policy of {subject} allows {action} on {identity}"));
            }
        }
        Ok(())
    }

    fn own_policies(&self, caller: &Identity, action: &str, resource: &str, inputs: &Inputs<'_>) -> Result<Own, Fault> {
        let Some(effective) = self.entitlements(caller)?.value else {
            return Err(Fault::new(Status::IdentityDisabled, format!("{caller} is disabled or deleted")));
        };
        let named = |p: &super::Attached| -> Result<Named, Fault> {
            let document = Document::parse(&p.document)
                .map_err(|e| Fault::new(Status::NewerFormat, format!("policy {}: {e}", p.name)))?;
            Ok(Named { name: p.name.as_str().into(), document: document.into() })
        };
        let boundary = effective.boundary.as_ref().map(named).transpose()?;
        let mut actions = ActionTable::new();
        let id = actions.intern(action, "");
        let decide = |identity: Vec<Named>, boundary: Option<Named>| {
            let set = PolicySet { identity, boundary, session: Vec::new() };
            let scope = Scope { namespaces: Vec::new(), arn_match: ArnMatch::Aws };
            Compiled::new(&set, &actions, &scope).decide(id, resource, inputs)
        };
        let within_boundary = boundary.as_ref().is_none_or(|b| decide(vec![b.clone()], None).outcome == Outcome::Allow);
        let verdict = decide(effective.policies.iter().map(named).collect::<Result<_, _>>()?, boundary);
        Ok(Own {
            denied: verdict.reason == Reason::ExplicitDeny,
            allowed: verdict.outcome == Outcome::Allow,
            within_boundary,
        })
    }
}
