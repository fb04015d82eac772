// SPDX-License-Identifier: Apache-2.0
//! Roles.

use super::database::{Row, params};
use super::quotas::Quota;
use super::store::{StoreIn, Transactions};
use super::users::{self, read_tags, tags_text};
use crate::credential::access_key_id;
use crate::fault::{Fault, Status};
use crate::identity::{Attributes, Identity, IdentityKind, Principal};
use crate::policy::TrustPolicy;

/// Shortest and longest duration of temporary credentials, seconds. AWS begins
/// at 900; shorter ones are allowed here because they only narrow.
pub(super) const DURATIONS: std::ops::RangeInclusive<i64> = 15..=43_200;

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
    /// True when disabled.
    pub disabled: bool,
    /// Tags.
    pub tags: Vec<(String, String)>,
    /// ARN of the permissions boundary.
    pub boundary: Option<String>,
    /// For people.
    pub description: String,
}

pub(super) const ROLE: &str =
    "SELECT arn, unique_id, created, trust, max_session, tags, disabled, boundary, description
  FROM identity WHERE account = ?1 AND kind = 'role'";

pub(super) fn read_role(row: &dyn Row) -> Result<RoleRow, Fault> {
    Ok(RoleRow {
        identity: Identity::parse(&row.get::<String>(0)?)?,
        unique_id: row.get(1)?,
        created: row.get(2)?,
        trust: row.get::<Option<String>>(3)?.unwrap_or_default(),
        max_session: row.get::<Option<i64>>(4)?.unwrap_or(3600),
        tags: read_tags(&row.get::<String>(5)?)?,
        disabled: row.get(6)?,
        boundary: row.get(7)?,
        description: row.get(8)?,
    })
}

impl RoleRow {
    /// For how many seconds a session that was asked for lasts.
    pub(super) fn duration(&self, asked: Option<i64>, longest: i64) -> Result<i64, Fault> {
        let duration = asked.unwrap_or_else(|| 3600.min(longest));
        if !DURATIONS.contains(&duration) || duration > longest {
            return Err(Fault::new(
                Status::InvalidArgument,
                format!("duration {duration} s: 15 to {longest} are accepted for {}", self.identity),
            ));
        }
        Ok(duration)
    }
}

pub(super) fn check_trust(text: &str) -> Result<(), Fault> {
    TrustPolicy::parse(text)
        .map(drop)
        .map_err(|e| Fault::new(Status::InvalidDocument, format!("the trust policy is not valid:\n{e}")))
}

pub(super) fn check_longest(seconds: i64) -> Result<(), Fault> {
    if DURATIONS.contains(&seconds) {
        return Ok(());
    }
    Err(Fault::new(Status::InvalidArgument, format!("longest session {seconds} s: 15 to 43200 are accepted")))
}

impl<D: Transactions> StoreIn<D> {
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
        check_trust(trust)?;
        self.quotas.fits(Quota::TrustSize, trust)?;
        check_longest(max_session)?;
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
                disabled: false,
                tags: read_tags(&text)?,
                boundary: None,
                description: String::new(),
            })
        })
    }

    /// Every role.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn roles(&self) -> Result<Vec<RoleRow>, Fault> {
        let sql = format!("{ROLE} ORDER BY name");
        self.read(|c, _| c.all(&sql, params![self.account()], read_role))
    }

    /// One role by name or ARN.
    ///
    /// # Errors
    /// [`Status::NotFound`].
    pub fn role(&self, name: &str) -> Result<RoleRow, Fault> {
        let sql = format!("{ROLE} AND (name = ?2 OR arn = ?2)");
        self.read(|c, _| c.first(&sql, params![self.account(), name], read_role))?
            .ok_or_else(|| Fault::new(Status::NotFound, format!("there is no role {name:?}")))
    }

    /// Replaces a role's trust policy, or its longest session in seconds, or
    /// both. Sessions that are open stay as they are.
    ///
    /// # Errors
    /// [`Status::InvalidDocument`]; [`Status::InvalidArgument`];
    /// [`Status::NotFound`].
    pub fn update_role(
        &self,
        actor: &str,
        name: &str,
        trust: Option<&str>,
        max_session: Option<i64>,
    ) -> Result<RoleRow, Fault> {
        trust.map_or(Ok(()), check_trust)?;
        trust.map_or(Ok(()), |trust| self.quotas.fits(Quota::TrustSize, trust))?;
        max_session.map_or(Ok(()), check_longest)?;
        self.write(actor, "UpdateRole", name, |w| {
            let identity = users::find(w.view(), w.account, IdentityKind::Role, name)?;
            w.target = identity.arn().to_owned();
            w.run(
                "UPDATE identity SET trust = coalesce(?2, trust), max_session = coalesce(?3, max_session) WHERE arn = ?1",
                params![identity.arn(), trust, max_session],
            )
        })?;
        self.role(name)
    }

    /// Disables a role, which ends its sessions, or enables it again.
    ///
    /// # Errors
    /// [`Status::NotFound`].
    pub fn set_role_disabled(&self, actor: &str, name: &str, disabled: bool) -> Result<(), Fault> {
        let action = if disabled { "DisableRole" } else { "EnableRole" };
        self.write(actor, action, name, |w| users::set_disabled(w, IdentityKind::Role, name, disabled))
    }

    /// Replaces a role's tags, also for sessions that are open.
    ///
    /// # Errors
    /// [`Status::NotFound`].
    pub fn tag_role(&self, actor: &str, name: &str, tags: &[(String, String)]) -> Result<(), Fault> {
        let text = tags_text(tags)?;
        self.write(actor, "TagRole", name, |w| users::set_tags(w, IdentityKind::Role, name, &text))
    }

    /// Deletes a role; its sessions end.
    ///
    /// # Errors
    /// [`Status::Conflict`] naming what it still has, unless `force`.
    pub fn delete_role(&self, actor: &str, name: &str, force: bool) -> Result<(), Fault> {
        self.write(actor, "DeleteRole", name, |w| {
            let identity = users::find(w.view(), w.account, IdentityKind::Role, name)?;
            w.target = identity.arn().to_owned();
            users::delete(w, &identity, force)
        })
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
}
