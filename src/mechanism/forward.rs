// SPDX-License-Identifier: Apache-2.0
//! Sessions that travel: a broker forwards an administrative request to the
//! controller, which decides it itself for the original client.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};

use super::Engine;
use crate::channel::Channel;
use crate::fault::{Fault, Status};
use crate::identity::{Actor, Attributes, GrantId, Identity, Principal};
use crate::session::{Session, SessionId, Standing};
use crate::time::UnixMillis;

/// Version of the format; a reader accepts its own and older ones.
const VERSION: u32 = 1;
/// Longest sealed session, bytes.
const LONGEST: usize = 4096;
/// What the seal is bound to.
const PURPOSE: &str = "forwarded-session";

/// Imported sessions by the hash of what they were imported from.
pub(super) type Imports = Mutex<HashMap<[u8; 32], SessionId>>;

#[derive(Serialize, Deserialize)]
struct Traveller {
    v: u32,
    subject: String,
    user_id: String,
    session_name: Option<String>,
    source_identity: Option<String>,
    tags: Vec<(String, String)>,
    token_issued: Option<i64>,
    actors: Vec<String>,
    grant: Option<String>,
    access_key_id: String,
    request_id: String,
    deadline: i64,
    revision: u64,
    address: Option<IpAddr>,
    port: u16,
    secure: bool,
    listener: String,
    protocol: String,
    host: String,
    connection: String,
    session_policies: Vec<(String, String)>,
}

/// Just the version, which every later format keeps in its place.
#[derive(Deserialize)]
struct Version {
    v: u32,
}

impl Engine {
    /// Seals a session for another host of the same service.
    ///
    /// # Errors
    /// [`Status::UnknownId`] when the id is stale; undecided when sealing
    /// fails.
    pub fn export(&self, id: SessionId) -> Result<Vec<u8>, Fault> {
        let session = self
            .agent()
            .sessions()
            .get(id)
            .ok_or_else(|| Fault::new(Status::UnknownId, "the session is not known or gone"))?;
        if session.standing() != Standing::Live {
            return Err(Fault::new(Status::Revoked, "the session was ended"));
        }
        let attributes = &session.principal.attributes;
        let traveller = Traveller {
            v: VERSION,
            subject: session.principal.subject.arn().to_owned(),
            user_id: attributes.user_id.clone(),
            session_name: attributes.session_name.clone(),
            source_identity: attributes.source_identity.clone(),
            tags: attributes.tags.clone(),
            token_issued: attributes.token_issued,
            actors: session.principal.actors.iter().map(|a| a.identity.arn().to_owned()).collect(),
            grant: session.principal.grant.as_ref().map(|g| g.0.clone()),
            access_key_id: session.access_key_id.clone(),
            request_id: session.request_id.clone(),
            deadline: session.deadline_wall.0,
            revision: session.context().revision().0,
            address: session.channel.address,
            port: session.channel.port,
            secure: session.channel.secure,
            listener: session.channel.listener.clone(),
            protocol: session.channel.protocol.clone(),
            host: session.channel.host.clone(),
            connection: session.channel.connection.clone(),
            session_policies: self.agent().session_policies(&session),
        };
        let plain = serde_json::to_vec(&traveller)
            .map_err(|e| Fault::internal(format!("a session could not be written: {e}")))?;
        self.service().seal(PURPOSE, &plain)
    }

    /// Brings a forwarded session in. The same bytes give the same session.
    ///
    /// # Errors
    /// Refused when altered, expired, or the client's key or identity ended;
    /// undecided when the service does not answer in `wait` or the format is
    /// newer.
    pub fn import(&self, sealed: &[u8], wait: Duration) -> Result<SessionId, Fault> {
        if sealed.len() > LONGEST * 4 {
            return Err(Fault::new(Status::Malformed, "the forwarded session is too long"));
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(digest::digest(&digest::SHA256, sealed).as_ref());
        let known = self.imports.lock().ok().and_then(|imports| imports.get(&hash).copied());
        if let Some(id) = known
            && self.agent().sessions().with(id, |_| ()).is_some()
        {
            return Ok(id);
        }
        let plain = self.service().unseal(PURPOSE, sealed)?;
        let Version { v } = serde_json::from_slice(&plain)
            .map_err(|_| Fault::new(Status::Malformed, "the forwarded session cannot be read"))?;
        if v > VERSION {
            return Err(Fault::new(
                Status::NewerFormat,
                format!(
                    "the forwarded session has format {v}, this version reads up to {VERSION}; upgrade controllers first"
                ),
            ));
        }
        let traveller: Traveller = serde_json::from_slice(&plain)
            .map_err(|_| Fault::new(Status::Malformed, "the forwarded session cannot be read"))?;
        let (principal, channel) = traveller.parts()?;
        let (now, wall) = (self.clock().steady(), self.clock().wall());
        let deadline = UnixMillis(traveller.deadline);
        if deadline <= wall {
            return Err(Fault::new(Status::Expired, "the forwarded session has expired"));
        }
        let held =
            self.agent().hold_forwarded(principal, &traveller.access_key_id, &traveller.session_policies, wait)?;
        let ends = (now.plus(deadline.0 - wall.0), deadline);
        let (id, _) = self.agent().bind(&held, &channel, |context| {
            Session::new(
                Arc::clone(&held.principal),
                traveller.access_key_id.clone(),
                channel.clone(),
                traveller.request_id.clone(),
                wall,
                ends,
                true,
                true,
                0,
                context,
            )
        })?;
        if let Ok(mut imports) = self.imports.lock() {
            imports.retain(|_, id| self.agent().sessions().with(*id, |_| ()).is_some());
            imports.insert(hash, id);
        }
        Ok(id)
    }
}

impl Traveller {
    fn parts(&self) -> Result<(Principal, Channel), Fault> {
        let principal = Principal {
            subject: Identity::parse(&self.subject)?,
            attributes: Attributes {
                user_id: self.user_id.clone(),
                session_name: self.session_name.clone(),
                source_identity: self.source_identity.clone(),
                tags: self.tags.clone(),
                token_issued: self.token_issued,
            },
            actors: self
                .actors
                .iter()
                .map(|a| Ok(Actor { identity: Identity::parse(a)? }))
                .collect::<Result<_, Fault>>()?,
            grant: self.grant.clone().map(GrantId),
        };
        let channel = Channel {
            address: self.address,
            port: self.port,
            secure: self.secure,
            listener: self.listener.clone(),
            protocol: self.protocol.clone(),
            host: self.host.clone(),
            connection: self.connection.clone(),
        };
        Ok((principal, channel))
    }
}
