// SPDX-License-Identifier: Apache-2.0
//! The service embedded in the library: the store of this machine, asked
//! directly.

use std::sync::Arc;

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};

use super::{Change, Entitlements, Happening, Impersonation, Issued, LiveSession, PolicyText, SecurityService};
use crate::access_control::{Attached, ChangeKind, SessionRow, Store, StoreFiles};
use crate::credential::session_token::TokenBody;
use crate::credential::sigv4::{Claim, SigningKey};
use crate::credential::{Secret, access_key_id};
use crate::fault::{Fault, Status};
use crate::identity::{Attributes, Identity, Principal};
use crate::revision::{At, Revision};
use crate::settings::EngineSettings;
use crate::time::{Clock, Random, Steady, UnixMillis};

/// What an impersonation token holds, sealed.
#[derive(Serialize, Deserialize)]
struct Token {
    v: u32,
    id: String,
    subject: String,
    access_key_id: String,
    host: String,
    expires: i64,
    /// SHA-256 of the secret it goes with.
    proof: Vec<u8>,
}

const TOKEN_VERSION: u32 = 1;
const TOKEN_CONTEXT: &[u8] = b"impersonation-token";

/// See the module's page.
pub struct Embedded {
    store: Store,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl Embedded {
    /// Opens the store the settings name.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open(settings: &EngineSettings, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Result<Self, Fault> {
        let files = StoreFiles { store: settings.store.clone(), key_file: settings.key_file.clone() };
        let store = Store::open(&files, Arc::clone(&clock), Arc::clone(&random))?;
        Ok(Self { store, clock, random })
    }

    fn issue(
        &self,
        subject: &Identity,
        access_key_id_used: &str,
        host: &str,
        lifetime: i64,
    ) -> Result<Impersonation, Fault> {
        let id = access_key_id(&*self.random, "SIMP")?;
        let secret = Secret::random(&*self.random, 32)?;
        let expires = self.clock.wall().plus(lifetime);
        let token = Token {
            v: TOKEN_VERSION,
            id: id.clone(),
            subject: subject.arn().to_owned(),
            access_key_id: access_key_id_used.to_owned(),
            host: host.to_owned(),
            expires: expires.0,
            proof: digest::digest(&digest::SHA256, secret.expose()).as_ref().to_vec(),
        };
        let plain =
            serde_json::to_vec(&token).map_err(|e| Fault::internal(format!("a token could not be written: {e}")))?;
        Ok(Impersonation { id, secret, token: self.store.ring().seal(&*self.random, TOKEN_CONTEXT, &plain)?, expires })
    }

    /// Checks that an impersonation credential is this service's, for this
    /// subject and host, and in time.
    fn check_held(&self, subject: &Identity, held: &Impersonation, host: &str) -> Result<(), Fault> {
        let refused = |text: &str| Fault::new(Status::Malformed, text.to_owned());
        let plain = self.store.ring().open(TOKEN_CONTEXT, &held.token)?;
        let token: Token =
            serde_json::from_slice(plain.expose()).map_err(|_| refused("an impersonation token cannot be read"))?;
        let proof = digest::digest(&digest::SHA256, held.secret.expose());
        let proven = subtle::ConstantTimeEq::ct_eq(proof.as_ref(), token.proof.as_slice());
        if !bool::from(proven) || token.subject != subject.arn() || token.host != host {
            return Err(refused("an impersonation credential belongs to another subject or host"));
        }
        if token.expires <= self.clock.wall().0 {
            return Err(Fault::new(Status::Expired, "the impersonation credential has expired"));
        }
        Ok(())
    }

    fn entitled(&self, subject: &Identity) -> Result<At<Entitlements>, Fault> {
        let At { revision, value } = self.store.entitlements(subject)?;
        let effective =
            value.ok_or_else(|| Fault::new(Status::IdentityDisabled, format!("{subject} is disabled or deleted")))?;
        let text = |p: Attached| PolicyText { name: p.name.into(), hash: p.hash, text: p.document.into() };
        Ok(At {
            revision,
            value: Entitlements {
                policies: effective.policies.into_iter().map(text).collect(),
                boundary: effective.boundary.map(text),
                tags: effective.tags,
            },
        })
    }

    /// Looks the key of a claim up: who it is, its secret, and until when.
    fn look_up(&self, claim: &Claim) -> Result<(Principal, Secret, Option<UnixMillis>, Vec<PolicyText>), Fault> {
        let id = claim.access_key_id();
        if let Some(token) = claim.session_token() {
            let body = TokenBody::open(self.store.ring(), token, id)?;
            if body.expires <= self.clock.wall().0 {
                return Err(Fault::new(Status::Expired, format!("the temporary credentials {id} have expired")));
            }
            let subject = Identity::parse(&body.subject)?;
            let mut tags = self
                .store
                .role_tags(&subject)?
                .ok_or_else(|| Fault::new(Status::IdentityDisabled, format!("{subject} is disabled or deleted")))?;
            tags.retain(|(k, _)| !body.tags.iter().any(|(own, _)| own.eq_ignore_ascii_case(k)));
            tags.extend(body.tags.iter().cloned());
            tags.sort();
            let attributes = Attributes {
                user_id: body.user_id.clone(),
                session_name: Some(body.session_name.clone()),
                source_identity: body.source_identity.clone(),
                tags,
                token_issued: Some(body.issued),
            };
            let policies = body
                .session_policies
                .iter()
                .enumerate()
                .map(|(n, text)| session_policy(&body.session_name, n, text))
                .collect();
            let principal = Principal { subject, attributes, actors: Vec::new(), grant: None };
            return Ok((
                principal,
                Secret::new(body.secret.as_bytes().to_vec()),
                Some(UnixMillis(body.expires)),
                policies,
            ));
        }
        let row = self
            .store
            .login_key(id)?
            .value
            .ok_or_else(|| Fault::new(Status::UnknownKey, format!("access key {id} is not known")))?;
        if !row.active {
            return Err(Fault::new(Status::KeyDisabled, format!("access key {id} of {} is disabled", row.identity)));
        }
        if row.disabled {
            return Err(Fault::new(Status::IdentityDisabled, format!("{} is disabled", row.identity)));
        }
        let attributes = Attributes { user_id: row.unique_id, tags: row.tags, ..Attributes::default() };
        Ok((
            Principal { subject: row.identity, attributes, actors: Vec::new(), grant: None },
            row.secret,
            None,
            Vec::new(),
        ))
    }
}

fn session_policy(session: &str, n: usize, text: &str) -> PolicyText {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
    PolicyText { name: format!("session/{session}/{n}").into(), hash, text: text.into() }
}

impl SecurityService for Embedded {
    fn log_in(&self, claim: &Claim, host: &str, lifetime: i64, _by: Steady) -> Result<At<Issued>, Fault> {
        // The revision is read first: what is read after it is as new or newer.
        let revision = self.store.revision()?;
        let (principal, secret, expires, session_policies) = self.look_up(claim)?;
        let verification = SigningKey::derive(&secret, claim.scope_date(), claim.region(), claim.service());
        claim.verify(&verification)?;
        let entitlements = self.entitled(&principal.subject)?.value;
        let impersonation = self.issue(&principal.subject, claim.access_key_id(), host, lifetime)?;
        if claim.session_token().is_none() {
            // Coarse and for people only; a login does not fail for it.
            let _unimportant = self.store.key_used(claim.access_key_id());
        }
        let value = Issued {
            principal,
            expires,
            impersonation,
            entitlements,
            session_policies,
            verification: Arc::new(verification),
        };
        Ok(At { revision, value })
    }

    fn renew(
        &self,
        subject: &Identity,
        access_key_id: &str,
        held: &Impersonation,
        host: &str,
        lifetime: i64,
    ) -> Result<Impersonation, Fault> {
        self.check_held(subject, held, host)?;
        self.entitlements(subject, access_key_id)?;
        self.issue(subject, access_key_id, host, lifetime)
    }

    fn entitlements(&self, subject: &Identity, access_key_id: &str) -> Result<At<Entitlements>, Fault> {
        let revision = self.store.revision()?;
        if !access_key_id.starts_with("ASIA") && !self.store.key_stands(access_key_id)?.value {
            return Err(Fault::new(Status::KeyDisabled, format!("access key {access_key_id} is disabled or deleted")));
        }
        Ok(At { revision, value: self.entitled(subject)?.value })
    }

    fn seal(&self, purpose: &str, plain: &[u8]) -> Result<Vec<u8>, Fault> {
        self.store.ring().seal(&*self.random, purpose.as_bytes(), plain)
    }

    fn unseal(&self, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>, Fault> {
        self.store.ring().open(purpose.as_bytes(), sealed).map(|s| s.expose().to_vec())
    }

    fn revision(&self) -> Result<Revision, Fault> {
        self.store.revision()
    }

    fn changes(&self, after: Revision, limit: usize) -> Result<Vec<Change>, Fault> {
        let rows = self.store.changes(after, limit)?;
        rows.into_iter()
            .map(|row| {
                let what = match row.kind {
                    ChangeKind::Entitlements => Happening::Entitlements(vec![Identity::parse(&row.subject)?]),
                    ChangeKind::IdentityEnded => Happening::IdentityEnded(Identity::parse(&row.subject)?),
                    ChangeKind::KeyEnded => Happening::KeyEnded(row.subject),
                    ChangeKind::KeyAppeared => Happening::KeyAppeared(row.subject),
                    ChangeKind::SessionEnded => Happening::SessionEnded(row.subject),
                };
                Ok(Change { revision: row.revision, what })
            })
            .collect()
    }

    fn publish(&self, boot: &str, host: &str, sessions: &[LiveSession], _now: UnixMillis) -> Result<(), Fault> {
        let rows: Vec<SessionRow> = sessions
            .iter()
            .map(|s| SessionRow {
                id: s.id.clone(),
                host: host.to_owned(),
                subject: s.subject.clone(),
                access_key_id: s.access_key_id.clone(),
                session_name: s.session_name.clone(),
                address: s.address.clone(),
                listener: s.listener.clone(),
                since: s.since.0,
                deadline: s.deadline.0,
            })
            .collect();
        self.store.publish_sessions(boot, &rows)
    }
}
