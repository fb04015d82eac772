// SPDX-License-Identifier: Apache-2.0
//! OpenID Connect identity providers whose tokens may assume roles.

use super::database::{Connection, Row, params};
use super::quotas::{self, Quota};
use super::store::{Store, Write};
use super::users::{read_tags, tags_text};
use crate::fault::{Fault, Status};

/// One identity provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// ARN: `arn:aws:iam::ACCOUNT:oidc-provider/` and the issuer.
    pub arn: String,
    /// The issuer: its URL without `https://`.
    pub issuer: String,
    /// For which clients its tokens are accepted.
    pub client_ids: Vec<String>,
    /// Thumbprints of certificates. Kept, because tools give them; the issuer's
    /// certificate is verified as any other.
    pub thumbprints: Vec<String>,
    /// Tags.
    pub tags: Vec<(String, String)>,
    /// When made, milliseconds since the epoch.
    pub created: i64,
}

/// An identity provider to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewProvider<'a> {
    /// ARN.
    pub arn: &'a str,
    /// The issuer.
    pub issuer: &'a str,
    /// For which clients its tokens are accepted.
    pub client_ids: &'a [&'a str],
    /// Thumbprints of certificates.
    pub thumbprints: &'a [&'a str],
    /// Tags.
    pub tags: &'a [(String, String)],
}

const PROVIDER: &str =
    "SELECT arn, issuer, client_ids, thumbprints, tags, created FROM identity_provider WHERE account = ?1";

fn texts(list: &[impl AsRef<str>]) -> Result<String, Fault> {
    let list: Vec<&str> = list.iter().map(AsRef::as_ref).collect();
    serde_json::to_string(&list).map_err(|e| Fault::internal(e.to_string()))
}

fn read_texts(text: &str) -> Result<Vec<String>, Fault> {
    serde_json::from_str(text).map_err(|e| Fault::unavailable(format!("a list in the store cannot be read: {e}")))
}

fn read_provider(row: &dyn Row) -> Result<Provider, Fault> {
    Ok(Provider {
        arn: row.get(0)?,
        issuer: row.get(1)?,
        client_ids: read_texts(&row.get::<String>(2)?)?,
        thumbprints: read_texts(&row.get::<String>(3)?)?,
        tags: read_tags(&row.get::<String>(4)?)?,
        created: row.get(5)?,
    })
}

fn find(c: &dyn Connection, account: &str, arn: &str) -> Result<Provider, Fault> {
    c.first(&format!("{PROVIDER} AND arn = ?2"), params![account, arn], read_provider)?
        .ok_or_else(|| Fault::new(Status::NotFound, format!("there is no identity provider {arn:?}")))
}

fn keep_clients(w: &mut Write<'_>, provider: &Provider) -> Result<(), Fault> {
    let text = texts(&provider.client_ids)?;
    w.run("UPDATE identity_provider SET client_ids = ?2 WHERE arn = ?1", params![provider.arn, text]).map(drop)
}

impl Store {
    /// Registers an identity provider.
    ///
    /// # Errors
    /// [`Status::Conflict`] when it is registered.
    pub fn create_provider(&self, actor: &str, new: &NewProvider<'_>) -> Result<(), Fault> {
        let (client_ids, thumbprints, tags) = (texts(new.client_ids)?, texts(new.thumbprints)?, tags_text(new.tags)?);
        self.write(actor, "CreateOpenIDConnectProvider", new.arn, |w| {
            let (account, now) = (w.account, w.now);
            w.run(
                "INSERT INTO identity_provider (arn, account, issuer, client_ids, thumbprints, tags, created)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![new.arn, account, new.issuer, client_ids, thumbprints, tags, now],
            )
            .map(drop)?;
            w.within(Quota::Providers, quotas::PROVIDERS, params![account])
        })
    }

    /// Every identity provider, by ARN.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn providers(&self) -> Result<Vec<Provider>, Fault> {
        let sql = format!("{PROVIDER} ORDER BY arn");
        self.read(|c, _| c.all(&sql, params![self.account()], read_provider))
    }

    /// One identity provider by its ARN.
    ///
    /// # Errors
    /// [`Status::NotFound`].
    pub fn provider(&self, arn: &str) -> Result<Provider, Fault> {
        self.read(|c, _| find(c, self.account(), arn))
    }

    /// Removes an identity provider. Sessions it began last until they expire.
    ///
    /// # Errors
    /// [`Status::NotFound`].
    pub fn delete_provider(&self, actor: &str, arn: &str) -> Result<(), Fault> {
        self.write(actor, "DeleteOpenIDConnectProvider", arn, |w| {
            find(w.view(), w.account, arn)?;
            w.run("DELETE FROM identity_provider WHERE arn = ?1", params![arn]).map(drop)
        })
    }

    /// Accepts tokens for one more client.
    ///
    /// # Errors
    /// [`Status::NotFound`]; [`Status::LimitReached`] when there would be more
    /// than `most`.
    pub fn add_provider_client(&self, actor: &str, arn: &str, client: &str, most: usize) -> Result<(), Fault> {
        self.write(actor, "AddClientIDToOpenIDConnectProvider", arn, |w| {
            let mut provider = find(w.view(), w.account, arn)?;
            w.detail = client.to_owned();
            if provider.client_ids.iter().any(|known| known == client) {
                return Ok(());
            }
            if provider.client_ids.len() >= most {
                let text = format!("{arn} has {most} client ids; no more are accepted");
                return Err(Fault::new(Status::LimitReached, text));
            }
            provider.client_ids.push(client.to_owned());
            keep_clients(w, &provider)
        })
    }

    /// Accepts tokens for one client no longer.
    ///
    /// # Errors
    /// [`Status::NotFound`] when the provider is not there.
    pub fn remove_provider_client(&self, actor: &str, arn: &str, client: &str) -> Result<(), Fault> {
        self.write(actor, "RemoveClientIDFromOpenIDConnectProvider", arn, |w| {
            let mut provider = find(w.view(), w.account, arn)?;
            w.detail = client.to_owned();
            provider.client_ids.retain(|known| known != client);
            keep_clients(w, &provider)
        })
    }

    /// Replaces the thumbprints.
    ///
    /// # Errors
    /// [`Status::NotFound`].
    pub fn set_provider_thumbprints(&self, actor: &str, arn: &str, thumbprints: &[&str]) -> Result<(), Fault> {
        let text = texts(thumbprints)?;
        self.write(actor, "UpdateOpenIDConnectProviderThumbprint", arn, |w| {
            find(w.view(), w.account, arn)?;
            w.run("UPDATE identity_provider SET thumbprints = ?2 WHERE arn = ?1", params![arn, text]).map(drop)
        })
    }
}
