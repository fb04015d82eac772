// SPDX-License-Identifier: Apache-2.0
//! Credentials as they are shown: whose an access key is, long-lived or with
//! a session token.

use super::database::params;
use super::store::{StoreIn, Transactions};
use crate::credential::Secret;
use crate::credential::session_token::TokenBody;
use crate::fault::{Fault, Status};
use crate::identity::{Attributes, Identity, Principal};
use crate::time::UnixMillis;

/// What is known of a credential that somebody has shown, but not yet proved
/// to have.
pub struct Shown {
    /// Whose.
    pub principal: Principal,
    /// The secret that proves it.
    pub secret: Secret,
    /// When it expires; none of a long-lived key.
    pub expires: Option<UnixMillis>,
    /// Session policies, documents.
    pub session_policies: Vec<String>,
    /// Keys of session tags that later sessions inherit.
    pub transitive: Vec<String>,
}

impl<D: Transactions> StoreIn<D> {
    /// What is known of an access key, together with the session token that
    /// came with it.
    ///
    /// # Errors
    /// [`Status::UnknownKey`], [`Status::KeyDisabled`],
    /// [`Status::IdentityDisabled`], [`Status::Expired`] or
    /// [`Status::Malformed`]; otherwise when the store cannot be read.
    pub fn shown_credential(&self, id: &str, token: Option<&str>) -> Result<Shown, Fault> {
        let Some(token) = token else { return self.long_lived(id) };
        let mut body = TokenBody::open(&self.ring, token, id)?;
        if body.expires <= self.clock.wall().0 {
            let text = format!("the temporary credentials {id} have expired");
            return Err(Fault::new(Status::Expired, text).about(&body.subject));
        }
        let attributes = Attributes {
            user_id: std::mem::take(&mut body.user_id),
            // A user's own session has no name.
            session_name: Some(std::mem::take(&mut body.session_name)).filter(|name| !name.is_empty()),
            source_identity: body.source_identity.take(),
            tags: std::mem::take(&mut body.tags),
            token_issued: Some(body.issued),
        };
        let subject = Identity::parse(&body.subject)?;
        let principal = Principal { subject, attributes, actors: Vec::new(), grant: None };
        self.check_same(&principal)?;
        Ok(Shown {
            principal,
            secret: Secret::new(body.secret.as_bytes().to_vec()),
            expires: Some(UnixMillis(body.expires)),
            session_policies: std::mem::take(&mut body.session_policies),
            transitive: std::mem::take(&mut body.transitive),
        })
    }

    /// Checks that who has the name of `principal` now is still who had it when
    /// the credential was issued: a name is given again, a unique id never.
    ///
    /// # Errors
    /// [`Status::IdentityDisabled`] when it was deleted, also when another has
    /// its name now; otherwise when the store cannot be read.
    pub fn check_same(&self, principal: &Principal) -> Result<(), Fault> {
        let subject = &principal.subject;
        let sql = "SELECT unique_id FROM identity WHERE arn = ?1";
        let present: Option<String> = self.read(|c, _| c.first(sql, params![subject.arn()], |row| row.get(0)))?;
        // Of a session the name of the session stands behind it.
        let issued = principal.attributes.user_id.split(':').next();
        if present.is_some() && present.as_deref() == issued {
            return Ok(());
        }
        let text = format!("{subject} was deleted since the credential was issued");
        Err(Fault::new(Status::IdentityDisabled, text).about(subject.arn()))
    }

    fn long_lived(&self, id: &str) -> Result<Shown, Fault> {
        let row = self.login_key(id)?.value;
        let row = row.ok_or_else(|| Fault::new(Status::UnknownKey, format!("access key {id} is not known")))?;
        if !row.active {
            let text = format!("access key {id} of {} is disabled", row.identity);
            return Err(Fault::new(Status::KeyDisabled, text).about(row.identity.arn()));
        }
        if row.disabled {
            let text = format!("{} is disabled", row.identity);
            return Err(Fault::new(Status::IdentityDisabled, text).about(row.identity.arn()));
        }
        let attributes = Attributes { user_id: row.unique_id, ..Attributes::default() };
        Ok(Shown {
            principal: Principal { subject: row.identity, attributes, actors: Vec::new(), grant: None },
            secret: row.secret,
            expires: None,
            session_policies: Vec::new(),
            transitive: Vec::new(),
        })
    }
}
