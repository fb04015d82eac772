// SPDX-License-Identifier: Apache-2.0
//! Roles.

use rusqlite::{OptionalExtension, params};

use super::store::{Store, failed};
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
    /// Tags.
    pub tags: Vec<(String, String)>,
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
        TrustPolicy::parse(trust).map_err(|e| {
            Fault::new(Status::InvalidDocument, format!("the trust policy of role {name} is not valid:\n{e}"))
        })?;
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
