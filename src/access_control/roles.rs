// SPDX-License-Identifier: Apache-2.0
//! Roles, and assuming them: temporary credentials.

use rusqlite::{OptionalExtension, params};

use super::store::{Store, failed};
use super::trust::{self, Trust};
use super::users::{self, read_tags, tags_text};
use crate::channel::Channel;
use crate::credential::session_token::TokenBody;
use crate::credential::{Secret, access_key_id, secret_access_key};
use crate::decision::{GivenKeys, Inputs, Outcome};
use crate::fault::{Fault, Status};
use crate::identity::{Attributes, Identity, IdentityKind, Principal};
use crate::policy::{ActionTable, ArnMatch, Compiled, Document, Named, PolicySet, Scope};
use crate::time::UnixMillis;

/// Shortest and longest duration of temporary credentials, seconds. AWS begins
/// at 900; shorter ones are allowed here because they only narrow.
const DURATIONS: std::ops::RangeInclusive<i64> = 15..=43_200;

/// One role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleRow {
    /// Who.
    pub identity: Identity,
    /// Unique id (`AROA…`).
    pub unique_id: String,
    /// When made, milliseconds since the epoch.
    pub created: i64,
    /// The trust policy.
    pub trust: String,
    /// Longest session, seconds.
    pub max_session: i64,
    /// Tags.
    pub tags: Vec<(String, String)>,
}

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

/// The keys an assume-role request adds.
struct Asked<'a>(&'a AssumeRole);

impl GivenKeys for Asked<'_> {
    fn values(&self, key: &str, each: &mut dyn FnMut(&str)) -> bool {
        let one = |value: &Option<String>, each: &mut dyn FnMut(&str)| value.as_deref().map(each).is_some();
        match key {
            "sts:externalid" => one(&self.0.external_id, each),
            "sts:sourceidentity" => one(&self.0.source_identity, each),
            "sts:rolesessionname" => {
                each(&self.0.session_name);
                true
            }
            "aws:tagkeys" => {
                self.0.tags.iter().for_each(|(k, _)| each(k));
                !self.0.tags.is_empty()
            }
            _ => match key.strip_prefix("aws:requesttag/") {
                Some(tag) => {
                    self.0.tags.iter().find(|(k, _)| k.eq_ignore_ascii_case(tag)).map(|(_, v)| each(v)).is_some()
                }
                None => false,
            },
        }
    }
}

impl Store {
    /// Makes a role.
    ///
    /// # Errors
    /// [`Status::InvalidDocument`]; [`Status::Conflict`].
    pub fn create_role(
        &self,
        actor: &str,
        path: &str,
        name: &str,
        trust: &str,
        max_session: i64,
        tags: &[(String, String)],
    ) -> Result<RoleRow, Fault> {
        let identity = Identity::new("aws", self.account(), IdentityKind::Role, path, name)?;
        trust::check(trust)?;
        if !DURATIONS.contains(&max_session) {
            return Err(Fault::new(
                Status::InvalidArgument,
                format!("longest session {max_session} s: 15 to 43200 are accepted"),
            ));
        }
        let text = tags_text(tags)?;
        let unique_id = access_key_id(&*self.random, "AROA")?;
        self.write(actor, "CreateRole", identity.arn(), |w| {
            users::insert(w, &identity, &unique_id, &text, Some(trust), Some(max_session))?;
            Ok(RoleRow {
                identity: identity.clone(),
                unique_id: unique_id.clone(),
                created: w.now,
                trust: trust.to_owned(),
                max_session,
                tags: read_tags(&text)?,
            })
        })
    }

    /// Every role.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn roles(&self) -> Result<Vec<RoleRow>, Fault> {
        self.read(|c, _| {
            let mut statement = c.prepare_cached("SELECT arn, unique_id, created, trust, max_session, tags FROM identity WHERE account = ?1 AND kind = 'role' ORDER BY name").map_err(failed)?;
            let mut rows = statement.query(params![self.account()]).map_err(failed)?;
            let mut roles = Vec::new();
            while let Some(row) = rows.next().map_err(failed)? {
                roles.push(RoleRow {
                    identity: Identity::parse(&row.get::<_, String>(0).map_err(failed)?)?,
                    unique_id: row.get(1).map_err(failed)?,
                    created: row.get(2).map_err(failed)?,
                    trust: row.get::<_, Option<String>>(3).map_err(failed)?.unwrap_or_default(),
                    max_session: row.get::<_, Option<i64>>(4).map_err(failed)?.unwrap_or(3600),
                    tags: read_tags(&row.get::<_, String>(5).map_err(failed)?)?,
                });
            }
            Ok(roles)
        })
    }

    /// One role by name or ARN.
    ///
    /// # Errors
    /// [`Status::NotFound`].
    pub fn role(&self, name: &str) -> Result<RoleRow, Fault> {
        self.roles()?
            .into_iter()
            .find(|r| r.identity.name() == name || r.identity.arn() == name)
            .ok_or_else(|| Fault::new(Status::NotFound, format!("there is no role {name:?}")))
    }

    /// Deletes a role; its sessions end.
    ///
    /// # Errors
    /// [`Status::Conflict`] naming what it still has, unless `force`.
    pub fn delete_role(&self, actor: &str, name: &str, force: bool) -> Result<(), Fault> {
        self.write(actor, "DeleteRole", name, |w| {
            let identity = users::find(w.view(), w.account, IdentityKind::Role, name)?;
            users::delete(w, &identity, force)
        })
    }

    /// Issues temporary credentials of a role to `caller`. The issue is on the
    /// disk before it is answered.
    ///
    /// # Errors
    /// [`Status::NotAllowed`] when the trust policy or the caller's policies
    /// do not allow it; [`Status::InvalidArgument`].
    pub fn assume_role(&self, caller: &Principal, ask: &AssumeRole) -> Result<TemporaryCredentials, Fault> {
        let role = self.role(&ask.role)?;
        let name_ok = (2..=64).contains(&ask.session_name.len())
            && ask.session_name.bytes().all(|b| b.is_ascii_alphanumeric() || b"=,.@_-".contains(&b));
        if !name_ok {
            return Err(Fault::new(
                Status::InvalidArgument,
                format!("session name {:?}: 2 to 64 letters, digits and =,.@_- are accepted", ask.session_name),
            ));
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
        let given = Asked(ask);
        let channel = Channel::default();
        let inputs = Inputs {
            principal: caller,
            channel: &channel,
            address: None,
            client_id: "",
            now: self.clock.wall(),
            resource_tags: &role.tags,
            given: Some(&given),
        };
        let needed: &[&str] =
            if ask.tags.is_empty() { &["sts:AssumeRole"] } else { &["sts:AssumeRole", "sts:TagSession"] };
        for action in needed {
            let refused = |text: String| Err(Fault::new(Status::NotAllowed, text));
            let trust = trust::admits(&role.trust, &caller.subject, action, &inputs)?;
            if trust == Trust::No {
                return refused(format!(
                    "the trust policy of {} does not allow {action} for {}",
                    role.identity, caller.subject
                ));
            }
            let own = self.own_policies(&caller.subject, action, role.identity.arn(), &inputs)?;
            match (own, trust) {
                (crate::decision::Reason::ExplicitDeny, _) => {
                    return refused(format!("a policy of {} denies {action} on {}", caller.subject, role.identity));
                }
                (crate::decision::Reason::Allowed, _) | (_, Trust::Direct) => {}
                _ => return refused(format!("no policy of {} allows {action} on {}", caller.subject, role.identity)),
            }
        }
        Ok(())
    }

    fn own_policies(
        &self,
        caller: &Identity,
        action: &str,
        resource: &str,
        inputs: &Inputs<'_>,
    ) -> Result<crate::decision::Reason, Fault> {
        let Some(effective) = self.entitlements(caller)?.value else {
            return Err(Fault::new(Status::IdentityDisabled, format!("{caller} is disabled or deleted")));
        };
        let named = |p: &super::Attached| -> Result<Named, Fault> {
            let document = Document::parse(&p.document)
                .map_err(|e| Fault::new(Status::NewerFormat, format!("policy {}: {e}", p.name)))?;
            Ok(Named { name: p.name.as_str().into(), document: document.into() })
        };
        let set = PolicySet {
            identity: effective.policies.iter().map(named).collect::<Result<_, _>>()?,
            boundary: effective.boundary.as_ref().map(named).transpose()?,
            session: Vec::new(),
        };
        let mut actions = ActionTable::new();
        let id = actions.intern(action, "");
        let verdict = Compiled::new(&set, &actions, &Scope { clusters: Vec::new(), arn_match: ArnMatch::Aws })
            .decide(id, resource, inputs);
        Ok(if verdict.outcome == Outcome::Allow { crate::decision::Reason::Allowed } else { verdict.reason })
    }

    /// The principal of a user, for acting as it.
    ///
    /// # Errors
    /// [`Status::NotFound`].
    pub fn principal_of_user(&self, name: &str) -> Result<Principal, Fault> {
        let user = self.user(name)?;
        if user.disabled {
            return Err(Fault::new(Status::IdentityDisabled, format!("{} is disabled", user.identity)));
        }
        let attributes = Attributes { user_id: user.unique_id, tags: user.tags, ..Attributes::default() };
        Ok(Principal { subject: user.identity, attributes, actors: Vec::new(), grant: None })
    }

    /// Tags of a role at this moment; none when it is gone or disabled.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn role_tags(&self, identity: &Identity) -> Result<Option<Vec<(String, String)>>, Fault> {
        self.read(|c, _| {
            let row: Option<(String, bool)> = c
                .prepare_cached("SELECT tags, disabled FROM identity WHERE arn = ?1")
                .and_then(|mut s| s.query_row(params![identity.arn()], |row| Ok((row.get(0)?, row.get(1)?))).optional())
                .map_err(failed)?;
            row.filter(|(_, disabled)| !disabled).map(|(tags, _)| read_tags(&tags)).transpose()
        })
    }
}
