// SPDX-License-Identifier: Apache-2.0
//! Sessions that travel: a broker forwards an administrative request to the
//! controller, which decides it itself for the original client.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};

use super::Engine;
use crate::channel::Channel;
use crate::fault::{Fault, Kind, Status};
use crate::revision::Revision;
use crate::service::{ClientForm, FORWARDED};
use crate::session::{Begin, Session, SessionId, Standing};
use crate::time::UnixMillis;

/// Version of the format; a reader accepts its own and older ones.
const VERSION: u32 = 1;
/// Longest sealed session, bytes.
const LONGEST: usize = 16 * 1024;

/// Imported sessions by the hash of what they were imported from.
pub(super) type Imports = Mutex<HashMap<[u8; 32], SessionId>>;

#[derive(Serialize, Deserialize)]
struct Traveller {
    v: u32,
    client: ClientForm,
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
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    facts: Vec<(String, String)>,
}

/// Just the version, which every later format keeps in its place.
#[derive(Deserialize)]
struct Version {
    v: u32,
}

fn unreadable<E>(_: E) -> Fault {
    Fault::new(Status::Malformed, "the forwarded session cannot be read")
}

impl Engine {
    /// Seals a session for another host of the same service. The same bytes
    /// come out until its policies change, so that the other host recognises
    /// them.
    ///
    /// # Errors
    /// [`Status::UnknownId`] when the id is stale; refused when the session was
    /// ended; undecided when sealing fails.
    pub fn export(&self, id: SessionId) -> Result<Vec<u8>, Fault> {
        let session = self
            .agent()
            .sessions()
            .get(id)
            .ok_or_else(|| Fault::new(Status::UnknownId, "the session is not known or gone"))?;
        let (Standing::Live, Some(channel)) = (session.standing(), session.channel()) else {
            return Err(Fault::new(Status::Revoked, "the session was ended"));
        };
        let revision = session.context().revision();
        if let Some(known) = session.exported.load().as_ref().filter(|known| known.0 == revision) {
            return Ok(known.1.clone());
        }
        let client = self
            .agent()
            .client(&session)
            .ok_or_else(|| Fault::new(Status::Revoked, "the access key or identity was disabled"))?;
        let traveller = Traveller {
            v: VERSION,
            client: ClientForm::of(&client),
            request_id: session.begin.request_id.to_string(),
            deadline: session.begin.deadline_wall.0,
            revision: revision.0,
            address: channel.address,
            port: channel.port,
            secure: channel.secure,
            listener: channel.listener.clone(),
            protocol: channel.protocol.clone(),
            host: channel.host.clone(),
            connection: channel.connection.clone(),
            facts: channel.facts.clone(),
        };
        let plain = serde_json::to_vec(&traveller)
            .map_err(|e| Fault::internal(format!("a session could not be written: {e}")))?;
        let sealed = self.service().seal(FORWARDED, &plain)?;
        session.exported.store(Some(Arc::new((revision, sealed.clone()))));
        Ok(sealed)
    }

    /// Brings a forwarded session in. The same bytes give the same session.
    ///
    /// # Errors
    /// Refused when altered, expired, or the client's key or identity ended;
    /// undecided when the service does not answer in `wait` or the format is
    /// newer.
    pub fn import(&self, sealed: &[u8], wait: Duration) -> Result<SessionId, Fault> {
        self.take_in(sealed, wait).inspect_err(|fault| {
            if fault.kind() != Kind::Refused {
                self.agent().counters().forwarded_undecided.fetch_add(1, Ordering::Relaxed);
            }
        })
    }

    fn take_in(&self, sealed: &[u8], wait: Duration) -> Result<SessionId, Fault> {
        if sealed.len() > LONGEST {
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
        let plain = self.service().unseal(FORWARDED, sealed)?;
        let Version { v } = serde_json::from_slice(&plain).map_err(unreadable)?;
        if v > VERSION {
            return Err(Fault::new(
                Status::NewerFormat,
                format!(
                    "the forwarded session has format {v}, this version reads up to {VERSION}; upgrade controllers first"
                ),
            ));
        }
        let traveller: Traveller = serde_json::from_slice(&plain).map_err(unreadable)?;
        let (now, wall) = (self.clock().steady(), self.clock().wall());
        let deadline = UnixMillis(traveller.deadline);
        if deadline <= wall {
            return Err(Fault::new(Status::Expired, "the forwarded session has expired"));
        }
        let channel = Channel {
            address: traveller.address,
            port: traveller.port,
            secure: traveller.secure,
            listener: traveller.listener,
            protocol: traveller.protocol,
            host: traveller.host,
            connection: traveller.connection,
            facts: traveller.facts,
        };
        let held = self.agent().hold_forwarded(traveller.client.client()?, Revision(traveller.revision), wait)?;
        let begin = Begin {
            principal: Arc::clone(&held.client.principal),
            credential: Arc::clone(&held.key),
            who: Arc::clone(&held.who),
            signature: None,
            request_id: traveller.request_id.into(),
            host: channel.host.clone(),
            since: wall,
            deadline: now.plus(deadline.0 - wall.0),
            deadline_wall: deadline,
            imported: true,
            profile: 0,
            connect: None,
        };
        let channel = Arc::new(channel);
        let made = |context| Session::new(begin, Some(Arc::clone(&channel)), context);
        let (id, _) = self.agent().bind(&held, &channel, made)?;
        if let Ok(mut imports) = self.imports.lock() {
            imports.retain(|_, id| self.agent().sessions().with(*id, |_| ()).is_some());
            imports.insert(hash, id);
        }
        Ok(id)
    }
}
