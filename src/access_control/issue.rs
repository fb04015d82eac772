// SPDX-License-Identifier: Apache-2.0
//! Issuing temporary credentials. Nothing of them is stored but that they were
//! issued; the session token holds the rest.

use super::store::Store;
use crate::credential::session_token::TokenBody;
use crate::credential::{Secret, access_key_id, secret_access_key};
use crate::fault::{Fault, Status};
use crate::identity::{Identity, Principal};
use crate::time::UnixMillis;

/// Shortest and longest session of a user, seconds, as AWS documents them for
/// `GetSessionToken`; shorter ones only narrow.
pub(super) const USER_DURATIONS: std::ops::RangeInclusive<i64> = 15..=129_600;

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
    /// Whose they are: the role, or the user itself.
    pub subject: Identity,
    /// Unique id and session name, as `aws:userid` shows them.
    pub user_id: String,
    /// Source identity.
    pub source_identity: Option<String>,
}

/// A session to be begun.
pub(super) struct Session<'a> {
    pub(super) subject: &'a Identity,
    pub(super) user_id: String,
    pub(super) name: &'a str,
    pub(super) source_identity: Option<String>,
    /// Who asked for it, as the audit names it.
    pub(super) asked_by: String,
    pub(super) policies: &'a [String],
    pub(super) tags: Vec<(String, String)>,
    pub(super) transitive: Vec<String>,
    /// Seconds.
    pub(super) duration: i64,
}

impl Store {
    /// Issues temporary credentials. The issue is on the disk before it is
    /// answered.
    pub(super) fn issue(&self, action: &str, session: Session<'_>) -> Result<TemporaryCredentials, Fault> {
        let id = access_key_id(&*self.random, "ASIA")?;
        let secret = secret_access_key(&*self.random)?;
        let issued = self.clock.wall();
        let expires = issued.plus(session.duration * 1000);
        let subject = session.subject;
        let body = TokenBody {
            v: TokenBody::VERSION,
            access_key_id: id.clone(),
            secret: String::from_utf8_lossy(secret.expose()).into_owned(),
            subject: subject.arn().to_owned(),
            user_id: session.user_id.clone(),
            session_name: session.name.to_owned(),
            source_identity: session.source_identity.clone(),
            assumed_by: session.asked_by.clone(),
            session_policies: session.policies.to_vec(),
            tags: session.tags,
            transitive: session.transitive,
            issued: issued.0,
            expires: expires.0,
        };
        let session_token = body.seal(&self.ring, &*self.random)?;
        self.write(&session.asked_by, action, subject.arn(), |w| {
            w.detail = format!("{id} for session {} until {}", session.name, expires.0);
            Ok(())
        })?;
        Ok(TemporaryCredentials {
            access_key_id: id,
            secret,
            session_token,
            expires,
            subject: subject.clone(),
            user_id: session.user_id,
            source_identity: session.source_identity,
        })
    }

    /// Issues temporary credentials of a user to itself, for `duration`
    /// seconds; twelve hours by default.
    ///
    /// # Errors
    /// [`Status::InvalidArgument`].
    pub fn session_token(&self, caller: &Principal, duration: Option<i64>) -> Result<TemporaryCredentials, Fault> {
        let duration = duration.unwrap_or(43_200);
        if !USER_DURATIONS.contains(&duration) {
            let (least, most) = USER_DURATIONS.into_inner();
            let text = format!("duration {duration} s: {least} to {most} are accepted");
            return Err(Fault::new(Status::InvalidArgument, text));
        }
        self.issue(
            "GetSessionToken",
            Session {
                subject: &caller.subject,
                user_id: caller.attributes.user_id.clone(),
                name: "",
                source_identity: None,
                asked_by: caller.arn(),
                policies: &[],
                tags: Vec::new(),
                transitive: Vec::new(),
                duration,
            },
        )
    }
}
