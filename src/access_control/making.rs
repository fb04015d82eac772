// SPDX-License-Identifier: Apache-2.0
//! Users and roles made with everything they have at once, so that a new one
//! is never there without its boundary.

use super::database::params;
use super::managed::by_arn;
use super::quotas::Quota;
use super::roles::{self, RoleRow};
use super::store::{Store, StoreIn, Transactions, Write};
use super::users::{self, UserRow, tags_text};
use crate::credential::access_key_id;
use crate::fault::Fault;
use crate::identity::{Identity, IdentityKind};

/// A user to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewUser<'a> {
    /// Path.
    pub path: &'a str,
    /// Name.
    pub name: &'a str,
    /// Tags.
    pub tags: &'a [(String, String)],
    /// ARN of the permissions boundary.
    pub boundary: Option<&'a str>,
}

/// A role to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewRole<'a> {
    /// Path.
    pub path: &'a str,
    /// Name.
    pub name: &'a str,
    /// The trust policy.
    pub trust: &'a str,
    /// Longest session, seconds.
    pub max_session: i64,
    /// For people.
    pub description: &'a str,
    /// Tags.
    pub tags: &'a [(String, String)],
    /// ARN of the permissions boundary.
    pub boundary: Option<&'a str>,
}

/// Gives a new identity its boundary.
fn bound(w: &mut Write<'_>, identity: &Identity, boundary: Option<&str>) -> Result<(), Fault> {
    let Some(boundary) = boundary else { return Ok(()) };
    // By its ARN, never by a name: conditions on boundaries compare ARNs.
    let arn = by_arn(w.view(), w.account, boundary)?;
    w.run("UPDATE identity SET boundary = ?2 WHERE arn = ?1", params![identity.arn(), arn])?;
    w.detail = format!("boundary {arn}");
    Ok(())
}

impl Store {
    /// Makes a user.
    ///
    /// # Errors
    /// [`crate::fault::Status::Conflict`] when the name is taken;
    /// [`crate::fault::Status::NotFound`] when the boundary is not there.
    pub fn create_user_with(&self, actor: &str, new: &NewUser<'_>) -> Result<UserRow, Fault> {
        let identity = Identity::new("aws", self.account(), IdentityKind::User, new.path, new.name)?;
        let tags = tags_text(new.tags)?;
        let unique_id = access_key_id(&*self.random, "AIDA")?;
        self.write(actor, "CreateUser", identity.arn(), |w| {
            users::insert(w, &identity, &unique_id, &tags, None, None)?;
            bound(w, &identity, new.boundary)
        })?;
        self.user(new.name)
    }

    /// Makes a role.
    ///
    /// # Errors
    /// As [`Store::create_user_with`], and
    /// [`crate::fault::Status::InvalidDocument`].
    pub fn create_role_with(&self, actor: &str, new: &NewRole<'_>) -> Result<RoleRow, Fault> {
        let identity = Identity::new("aws", self.account(), IdentityKind::Role, new.path, new.name)?;
        roles::check_trust(new.trust)?;
        self.quotas.fits(Quota::TrustSize, new.trust)?;
        roles::check_longest(new.max_session)?;
        let tags = tags_text(new.tags)?;
        let unique_id = access_key_id(&*self.random, "AROA")?;
        self.write(actor, "CreateRole", identity.arn(), |w| {
            users::insert(w, &identity, &unique_id, &tags, Some(new.trust), Some(new.max_session))?;
            w.run("UPDATE identity SET description = ?2 WHERE arn = ?1", params![identity.arn(), new.description])?;
            bound(w, &identity, new.boundary)
        })?;
        self.role(new.name)
    }
}

impl<D: Transactions> StoreIn<D> {
    /// Replaces a role's description.
    ///
    /// # Errors
    /// [`crate::fault::Status::NotFound`].
    pub fn describe_role(&self, actor: &str, name: &str, description: &str) -> Result<(), Fault> {
        self.write(actor, "UpdateRoleDescription", name, |w| {
            let identity = users::find(w.view(), w.account, IdentityKind::Role, name)?;
            w.target = identity.arn().to_owned();
            w.run("UPDATE identity SET description = ?2 WHERE arn = ?1", params![identity.arn(), description]).map(drop)
        })
    }
}
