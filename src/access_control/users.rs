// SPDX-License-Identifier: Apache-2.0
//! Users, and what users and roles have in common.

use super::changes::Kind;
use super::database::{Connection, Row, params};
use super::quotas::Quota;
use super::store::{StoreIn, Transactions, Write};
use crate::credential::access_key_id;
use crate::fault::{Fault, Status};
use crate::identity::{Identity, IdentityKind};

/// One user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRow {
    /// Who.
    pub identity: Identity,
    /// Unique id (`AIDA…`).
    pub unique_id: String,
    /// When made, milliseconds since the epoch.
    pub created: i64,
    /// True when disabled.
    pub disabled: bool,
    /// Tags.
    pub tags: Vec<(String, String)>,
    /// ARN of the permissions boundary.
    pub boundary: Option<String>,
}

pub(super) const USER: &str =
    "SELECT arn, unique_id, created, disabled, tags, boundary FROM identity WHERE account = ?1 AND kind = 'user'";

pub(super) fn read_user(row: &dyn Row) -> Result<UserRow, Fault> {
    Ok(UserRow {
        identity: Identity::parse(&row.get::<String>(0)?)?,
        unique_id: row.get(1)?,
        created: row.get(2)?,
        disabled: row.get(3)?,
        tags: read_tags(&row.get::<String>(4)?)?,
        boundary: row.get(5)?,
    })
}

/// Tags in a form the database keeps.
pub(super) fn tags_text(tags: &[(String, String)]) -> Result<String, Fault> {
    let mut sorted = tags.to_vec();
    sorted.sort_by_key(|(k, _)| k.to_ascii_lowercase());
    if let Some(twice) =
        sorted.windows(2).find(|w| matches!(w, [a, b] if a.0.eq_ignore_ascii_case(&b.0))).and_then(|w| w.first())
    {
        return Err(Fault::new(
            Status::InvalidArgument,
            format!("tag {:?} is given twice (keys compare without case)", twice.0),
        ));
    }
    if sorted.len() > 50
        || sorted.iter().any(|(k, v)| k.is_empty() || k.chars().count() > 128 || v.chars().count() > 256)
    {
        return Err(Fault::new(
            Status::InvalidArgument,
            "at most 50 tags with keys of 1 to 128 and values of 0 to 256 characters are accepted",
        ));
    }
    serde_json::to_string(&sorted).map_err(|e| Fault::internal(e.to_string()))
}

pub(super) fn read_tags(text: &str) -> Result<Vec<(String, String)>, Fault> {
    serde_json::from_str(text).map_err(|e| Fault::unavailable(format!("tags in the store cannot be read: {e}")))
}

/// The ARN of a user or role by name or ARN.
pub(super) fn find(c: &dyn Connection, account: &str, kind: IdentityKind, name: &str) -> Result<Identity, Fault> {
    let found: Option<String> = c.first(
        "SELECT arn FROM identity WHERE account = ?1 AND kind = ?2 AND (name = ?3 OR arn = ?3)",
        params![account, kind.word(), name],
        |row| row.get(0),
    )?;
    let arn = found.ok_or_else(|| Fault::new(Status::NotFound, format!("there is no {} {name:?}", kind.word())))?;
    Identity::parse(&arn)
}

pub(super) fn insert(
    w: &mut Write<'_>,
    identity: &Identity,
    unique_id: &str,
    tags: &str,
    trust: Option<&str>,
    max_session: Option<i64>,
) -> Result<(), Fault> {
    let now = w.now;
    w.run(
        "INSERT INTO identity (arn, account, kind, path, name, unique_id, created, tags, trust, max_session)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            identity.arn(),
            identity.account(),
            identity.kind().word(),
            identity.path(),
            identity.name(),
            unique_id,
            now,
            tags,
            trust,
            max_session
        ],
    )
    .map(drop)
    .map_err(|f| match f.status {
        Status::Conflict => {
            Fault::new(Status::Conflict, format!("{} {:?} exists already", identity.kind().word(), identity.name()))
        }
        _ => f,
    })?;
    let quota = match identity.kind() {
        IdentityKind::User => Quota::Users,
        IdentityKind::Role => Quota::Roles,
        // Counted when they are enrolled.
        IdentityKind::Host => return Ok(()),
    };
    let counted = "SELECT count(*) FROM identity WHERE account = ?1 AND kind = ?2";
    w.within(quota, counted, params![identity.account(), identity.kind().word()])
}

/// Deletes an identity with everything that hangs on it.
pub(super) fn delete(w: &mut Write<'_>, identity: &Identity, force: bool) -> Result<(), Fault> {
    let arn = identity.arn();
    let hanging: [(&str, &str, &str); 4] = [
        (
            "access keys",
            "SELECT count(*) FROM access_key WHERE identity = ?1",
            "DELETE FROM access_key WHERE identity = ?1",
        ),
        (
            "inline policies",
            "SELECT count(*) FROM inline_policy WHERE owner = ?1",
            "DELETE FROM inline_policy WHERE owner = ?1",
        ),
        (
            "attached policies",
            "SELECT count(*) FROM attachment WHERE owner = ?1",
            "DELETE FROM attachment WHERE owner = ?1",
        ),
        ("groups", "SELECT count(*) FROM membership WHERE identity = ?1", "DELETE FROM membership WHERE identity = ?1"),
    ];
    let mut still = Vec::new();
    for (what, count, remove) in hanging {
        let n: i64 = w.view().one(count, params![arn])?;
        if n > 0 && !force {
            still.push(format!("{n} {what}"));
        }
        w.run(remove, params![arn])?;
    }
    if !still.is_empty() {
        return Err(Fault::new(
            Status::Conflict,
            format!("{arn} still has {}; remove them first, or use --force", still.join(", ")),
        ));
    }
    w.run("DELETE FROM identity WHERE arn = ?1", params![arn])?;
    w.announce(Kind::IdentityEnded, arn)
}

impl<D: Transactions> StoreIn<D> {
    /// Makes a user.
    ///
    /// # Errors
    /// [`Status::Conflict`] when the name is taken.
    pub fn create_user(
        &self,
        actor: &str,
        path: &str,
        name: &str,
        tags: &[(String, String)],
    ) -> Result<UserRow, Fault> {
        let identity = Identity::new("aws", self.account(), IdentityKind::User, path, name)?;
        let text = tags_text(tags)?;
        let unique_id = access_key_id(&*self.random, "AIDA")?;
        self.write(actor, "CreateUser", identity.arn(), |w| {
            insert(w, &identity, &unique_id, &text, None, None)?;
            Ok(UserRow {
                identity: identity.clone(),
                unique_id: unique_id.clone(),
                created: w.now,
                disabled: false,
                tags: read_tags(&text)?,
                boundary: None,
            })
        })
    }

    /// Every user, by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn users(&self) -> Result<Vec<UserRow>, Fault> {
        self.read(|c, _| c.all(&format!("{USER} ORDER BY name"), params![self.account()], read_user))
    }

    /// One user by name or ARN.
    ///
    /// # Errors
    /// [`Status::NotFound`].
    pub fn user(&self, name: &str) -> Result<UserRow, Fault> {
        self.read(|c, _| {
            let text = format!("{USER} AND (name = ?2 OR arn = ?2)");
            c.first(&text, params![self.account(), name], read_user)?
                .ok_or_else(|| Fault::new(Status::NotFound, format!("there is no user {name:?}")))
        })
    }

    /// Deletes a user; its sessions end.
    ///
    /// # Errors
    /// [`Status::Conflict`] naming what it still has, unless `force`.
    pub fn delete_user(&self, actor: &str, name: &str, force: bool) -> Result<(), Fault> {
        self.write(actor, "DeleteUser", name, |w| {
            let identity = find(w.view(), w.account, IdentityKind::User, name)?;
            w.target = identity.arn().to_owned();
            delete(w, &identity, force)
        })
    }

    /// Disables a user, which ends its sessions, or enables it again.
    ///
    /// # Errors
    /// [`Status::NotFound`].
    pub fn set_user_disabled(&self, actor: &str, name: &str, disabled: bool) -> Result<(), Fault> {
        let action = if disabled { "DisableUser" } else { "EnableUser" };
        self.write(actor, action, name, |w| set_disabled(w, IdentityKind::User, name, disabled))
    }

    /// Replaces a user's tags, also for sessions that are open.
    ///
    /// # Errors
    /// [`Status::NotFound`].
    pub fn tag_user(&self, actor: &str, name: &str, tags: &[(String, String)]) -> Result<(), Fault> {
        let text = tags_text(tags)?;
        self.write(actor, "TagUser", name, |w| set_tags(w, IdentityKind::User, name, &text))
    }
}

pub(super) fn set_disabled(w: &mut Write<'_>, kind: IdentityKind, name: &str, disabled: bool) -> Result<(), Fault> {
    let identity = find(w.view(), w.account, kind, name)?;
    w.target = identity.arn().to_owned();
    w.run("UPDATE identity SET disabled = ?2 WHERE arn = ?1", params![identity.arn(), disabled])?;
    w.announce(if disabled { Kind::IdentityEnded } else { Kind::Entitlements }, identity.arn())
}

pub(super) fn set_tags(w: &mut Write<'_>, kind: IdentityKind, name: &str, tags: &str) -> Result<(), Fault> {
    let identity = find(w.view(), w.account, kind, name)?;
    w.target = identity.arn().to_owned();
    w.run("UPDATE identity SET tags = ?2 WHERE arn = ?1", params![identity.arn(), tags])?;
    w.announce(Kind::Entitlements, identity.arn())
}
