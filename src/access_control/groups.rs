// SPDX-License-Identifier: Apache-2.0
//! Groups of users.

use super::changes::Kind;
use super::database::{Connection, params};
use super::quotas::{self, Quota};
use super::store::{StoreIn, Transactions, Write};
use super::users;
use crate::credential::access_key_id;
use crate::fault::{Fault, Status};
use crate::identity::{Identity, IdentityKind};

/// The ARN of a group by name.
pub(super) fn find(c: &dyn Connection, account: &str, name: &str) -> Result<String, Fault> {
    let found = c.first(
        "SELECT arn FROM grouping WHERE account = ?1 AND (name = ?2 OR arn = ?2)",
        params![account, name],
        |row| row.get(0),
    )?;
    found.ok_or_else(|| Fault::new(Status::NotFound, format!("there is no group {name:?}")))
}

/// Announces a change to every member.
pub(super) fn announce_members(w: &mut Write<'_>, group: &str) -> Result<(), Fault> {
    for member in members(w.view(), group)? {
        w.announce(Kind::Entitlements, &member)?;
    }
    Ok(())
}

fn members(c: &dyn Connection, group: &str) -> Result<Vec<String>, Fault> {
    c.all("SELECT identity FROM membership WHERE grouping = ?1 ORDER BY identity", params![group], |row| row.get(0))
}

impl<D: Transactions> StoreIn<D> {
    /// Makes a group; its ARN.
    ///
    /// # Errors
    /// [`Status::Conflict`] when the name is taken.
    pub fn create_group(&self, actor: &str, path: &str, name: &str) -> Result<String, Fault> {
        // The rules for names are those of users.
        let like = Identity::new("aws", self.account(), IdentityKind::User, path, name)?;
        let arn = format!("arn:aws:iam::{}:group{}{}", self.account(), like.path(), like.name());
        let unique_id = access_key_id(&*self.random, "AGPA")?;
        self.write(actor, "CreateGroup", &arn, |w| {
            let (account, now) = (w.account, w.now);
            w.run(
                "INSERT INTO grouping (arn, account, path, name, unique_id, created) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![arn, account, path, name, unique_id, now],
            )
            .map_err(|f| {
                if f.status == Status::Conflict {
                    Fault::new(Status::Conflict, format!("group {name:?} exists already"))
                } else {
                    f
                }
            })?;
            w.within(Quota::Groups, quotas::GROUPS, params![account])?;
            Ok(arn.clone())
        })
    }

    /// Every group with its members' ARNs.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn groups(&self) -> Result<Vec<(String, Vec<String>)>, Fault> {
        self.read(|c, _| {
            let arns: Vec<String> =
                c.all("SELECT arn FROM grouping WHERE account = ?1 ORDER BY name", params![self.account()], |row| {
                    row.get(0)
                })?;
            arns.into_iter().map(|arn| members(c, &arn).map(|m| (arn, m))).collect()
        })
    }

    /// Deletes a group.
    ///
    /// # Errors
    /// [`Status::Conflict`] when it has members or policies, unless `force`.
    pub fn delete_group(&self, actor: &str, name: &str, force: bool) -> Result<(), Fault> {
        self.write(actor, "DeleteGroup", name, |w| {
            let arn = find(w.view(), w.account, name)?;
            w.target.clone_from(&arn);
            let hanging: i64 = w.view().one(
                "SELECT (SELECT count(*) FROM membership WHERE grouping = ?1) + (SELECT count(*) FROM attachment WHERE owner = ?1) + (SELECT count(*) FROM inline_policy WHERE owner = ?1)",
                params![arn],
            )?;
            if hanging > 0 && !force {
                return Err(Fault::new(Status::Conflict, format!("{arn} still has members or policies; remove them first, or use --force")));
            }
            announce_members(w, &arn)?;
            w.run("DELETE FROM membership WHERE grouping = ?1", params![arn])?;
            w.run("DELETE FROM attachment WHERE owner = ?1", params![arn])?;
            w.run("DELETE FROM inline_policy WHERE owner = ?1", params![arn])?;
            w.run("DELETE FROM grouping WHERE arn = ?1", params![arn]).map(drop)
        })
    }

    /// ARNs of the groups a user is in.
    ///
    /// # Errors
    /// [`Status::NotFound`].
    pub fn groups_of(&self, user: &str) -> Result<Vec<String>, Fault> {
        self.read(|c, _| {
            let identity = users::find(c, self.account(), IdentityKind::User, user)?;
            c.all(
                "SELECT grouping FROM membership WHERE identity = ?1 ORDER BY grouping",
                params![identity.arn()],
                |row| row.get(0),
            )
        })
    }

    /// Adds a user to a group.
    ///
    /// # Errors
    /// [`Status::NotFound`].
    pub fn add_to_group(&self, actor: &str, group: &str, user: &str) -> Result<(), Fault> {
        self.write(actor, "AddUserToGroup", group, |w| {
            let arn = find(w.view(), w.account, group)?;
            w.target.clone_from(&arn);
            let identity = users::find(w.view(), w.account, IdentityKind::User, user)?;
            let account = w.account;
            let new = w.run(
                "INSERT INTO membership (account, grouping, identity) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                params![account, arn, identity.arn()],
            )?;
            if new > 0 {
                let counted = "SELECT count(*) FROM membership WHERE identity = ?1";
                w.within(Quota::GroupsPerUser, counted, params![identity.arn()])?;
            }
            w.detail = identity.arn().to_owned();
            w.announce(Kind::Entitlements, identity.arn())
        })
    }

    /// Takes a user out of a group.
    ///
    /// # Errors
    /// [`Status::NotFound`].
    pub fn remove_from_group(&self, actor: &str, group: &str, user: &str) -> Result<(), Fault> {
        self.write(actor, "RemoveUserFromGroup", group, |w| {
            let arn = find(w.view(), w.account, group)?;
            w.target.clone_from(&arn);
            let identity = users::find(w.view(), w.account, IdentityKind::User, user)?;
            if w.run("DELETE FROM membership WHERE grouping = ?1 AND identity = ?2", params![arn, identity.arn()])? == 0
            {
                return Err(Fault::new(Status::NotFound, format!("{} is not in {arn}", identity.arn())));
            }
            w.detail = identity.arn().to_owned();
            w.announce(Kind::Entitlements, identity.arn())
        })
    }
}
