// SPDX-License-Identifier: Apache-2.0
//! Access keys: made, listed, disabled, and looked up for a login.

use super::changes::Kind;
use super::database::{Row, params};
use super::quotas::Quota;
use super::store::{StoreIn, Transactions, Write};
use super::users::{self, read_tags};
use crate::credential::{Secret, access_key_id, secret_access_key};
use crate::fault::{Fault, Status};
use crate::identity::{Identity, IdentityKind};
use crate::revision::{At, Revision};

/// One access key, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    /// Id.
    pub id: String,
    /// Whose.
    pub identity: Identity,
    /// False when disabled.
    pub active: bool,
    /// When made, milliseconds since the epoch.
    pub created: i64,
    /// When last used for a login the service was asked about.
    pub last_used: Option<i64>,
}

/// What a login needs to know of a key.
pub struct LoginRow {
    /// Whose.
    pub identity: Identity,
    /// Unique id of the identity.
    pub unique_id: String,
    /// False when the key is disabled.
    pub active: bool,
    /// True when the identity is disabled.
    pub disabled: bool,
    /// Tags of the identity.
    pub tags: Vec<(String, String)>,
    /// The secret.
    pub secret: Secret,
}

fn read_key(row: &dyn Row) -> Result<KeyRow, Fault> {
    Ok(KeyRow {
        id: row.get(0)?,
        identity: Identity::parse(&row.get::<String>(1)?)?,
        active: row.get(2)?,
        created: row.get(3)?,
        last_used: row.get(4)?,
    })
}

/// The ARN of whose key it is.
fn owner_of(w: &Write<'_>, id: &str) -> Result<String, Fault> {
    let owner = w.view().first(
        "SELECT identity FROM access_key WHERE id = ?1 AND account = ?2",
        params![id, w.account],
        |row| row.get(0),
    )?;
    owner.ok_or_else(|| Fault::new(Status::NotFound, format!("there is no access key {id:?}")))
}

pub(super) fn context(account: &str, id: &str) -> Vec<u8> {
    format!("access-key/{account}/{id}").into_bytes()
}

impl<D: Transactions> StoreIn<D> {
    /// Makes an access key for a user; the secret is shown this once.
    ///
    /// # Errors
    /// [`Status::NotFound`]; [`Status::LimitReached`] when the user has as
    /// many as it may.
    pub fn create_key(&self, actor: &str, user: &str) -> Result<(KeyRow, Secret), Fault> {
        let id = access_key_id(&*self.random, "AKIA")?;
        let secret = secret_access_key(&*self.random)?;
        let sealed = self.ring.seal(&*self.random, &context(self.account(), &id), secret.expose())?;
        let row = self.write(actor, "CreateAccessKey", user, |w| {
            let identity = users::find(w.view(), w.account, IdentityKind::User, user)?;
            w.target = identity.arn().to_owned();
            let (account, now) = (w.account, w.now);
            w.run(
                "INSERT INTO access_key (id, account, identity, secret, active, created) VALUES (?1, ?2, ?3, ?4, 1, ?5)",
                params![id, account, identity.arn(), sealed, now],
            )?;
            let counted = "SELECT count(*) FROM access_key WHERE identity = ?1";
            w.within(Quota::KeysPerUser, counted, params![identity.arn()])?;
            w.detail.clone_from(&id);
            w.announce(Kind::KeyAppeared, &id)?;
            Ok(KeyRow { id: id.clone(), identity, active: true, created: now, last_used: None })
        })?;
        Ok((row, secret))
    }

    /// Every access key, of one user or of all.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn keys(&self, user: Option<&str>) -> Result<Vec<KeyRow>, Fault> {
        self.read(|c, _| {
            let only = user.map(|u| users::find(c, self.account(), IdentityKind::User, u)).transpose()?;
            c.all(
                "SELECT id, identity, active, created, last_used FROM access_key
                 WHERE account = ?1 AND (identity = ?2 OR ?2 IS NULL) ORDER BY identity, created, id",
                params![self.account(), only.as_ref().map(Identity::arn)],
                read_key,
            )
        })
    }

    /// One access key; none when it does not exist.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn key(&self, id: &str) -> Result<Option<KeyRow>, Fault> {
        let sql = "SELECT id, identity, active, created, last_used FROM access_key WHERE account = ?1 AND id = ?2";
        self.read(|c, _| c.first(sql, params![self.account(), id], read_key))
    }

    /// Enables or disables a key. Disabling ends its sessions.
    ///
    /// # Errors
    /// [`Status::NotFound`].
    pub fn set_key_active(&self, actor: &str, id: &str, active: bool) -> Result<(), Fault> {
        self.write(actor, if active { "EnableAccessKey" } else { "DisableAccessKey" }, id, |w| {
            w.detail = owner_of(w, id)?;
            w.run("UPDATE access_key SET active = ?2 WHERE id = ?1", params![id, active])?;
            w.announce(if active { Kind::KeyAppeared } else { Kind::KeyEnded }, id)
        })
    }

    /// Deletes a key; its sessions end.
    ///
    /// # Errors
    /// [`Status::NotFound`].
    pub fn delete_key(&self, actor: &str, id: &str) -> Result<(), Fault> {
        self.write(actor, "DeleteAccessKey", id, |w| {
            w.detail = owner_of(w, id)?;
            w.run("DELETE FROM access_key WHERE id = ?1", params![id])?;
            w.announce(Kind::KeyEnded, id)
        })
    }

    /// What a login needs to know of a key; none when it does not exist.
    ///
    /// # Errors
    /// When the store cannot be read or the secret not be opened.
    pub fn login_key(&self, id: &str) -> Result<At<Option<LoginRow>>, Fault> {
        let (revision, row) = self.read(|c, revision| {
            let row = c.first(
                "SELECT i.arn, i.unique_id, k.active, i.disabled, i.tags, k.secret
                 FROM access_key k JOIN identity i ON i.arn = k.identity WHERE k.id = ?1 AND k.account = ?2",
                params![id, self.account()],
                |row| {
                    let (arn, unique_id): (String, String) = (row.get(0)?, row.get(1)?);
                    let (active, disabled): (bool, bool) = (row.get(2)?, row.get(3)?);
                    let (tags, sealed): (String, Vec<u8>) = (row.get(4)?, row.get(5)?);
                    Ok((arn, unique_id, active, disabled, tags, sealed))
                },
            )?;
            Ok((revision, row))
        })?;
        let Some((arn, unique_id, active, disabled, tags, sealed)) = row else {
            return Ok(At { revision, value: None });
        };
        let secret = self
            .ring
            .open(&context(self.account(), id), &sealed)
            .map_err(|f| Fault::unavailable(format!("the secret of {id}: {f}")))?;
        let value =
            LoginRow { identity: Identity::parse(&arn)?, unique_id, active, disabled, tags: read_tags(&tags)?, secret };
        Ok(At { revision, value: Some(value) })
    }

    /// Notes when keys were used, milliseconds since the epoch.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn keys_used(&self, used: &[(String, i64)]) -> Result<(), Fault> {
        self.note(|c| {
            used.iter().try_for_each(|(id, at)| {
                c.execute(
                    "UPDATE access_key SET last_used = ?2 WHERE id = ?1 AND coalesce(last_used, 0) < ?2",
                    params![id, at],
                )
                .map(drop)
            })
        })
    }

    /// True when the key may be used now; for sessions that came forwarded.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn key_stands(&self, id: &str) -> Result<At<bool>, Fault> {
        self.read(|c, revision: Revision| {
            let active: Option<bool> = c.first(
                "SELECT k.active = 1 AND i.disabled = 0 FROM access_key k JOIN identity i ON i.arn = k.identity WHERE k.id = ?1",
                params![id],
                |row| row.get(0),
            )?;
            Ok(At { revision, value: active.unwrap_or(false) })
        })
    }
}
