// SPDX-License-Identifier: Apache-2.0
//! A login as the host brings it, and what becomes of it.

use std::sync::Arc;
use std::time::Duration;

use crate::channel::Channel;
use crate::fault::{Fault, Kind};
use crate::policy::ActionId;
use crate::session::{Session, SessionId};
use crate::settings::EvidenceKind;

/// What a client sent while connecting, and over which connection.
pub struct Login<'a> {
    /// Number of the listener's profile.
    pub profile: u32,
    /// What `payload` is.
    pub kind: EvidenceKind,
    /// What the client shows; wiped after it was read.
    pub payload: &'a mut [u8],
    /// What is known of the connection. Its `host` is filled from a signed
    /// request.
    pub channel: Channel,
    /// False when the host tells address, listener and protocol only later, by
    /// [`super::Engine::bind`].
    pub channel_known: bool,
    /// What connecting is, and to what: the action must be allowed on the
    /// resource of this name. None when the login decides nothing more.
    pub connect: Option<(ActionId, String)>,
    /// Longest wait for the service; the profile's setting bounds it.
    pub wait: Duration,
}

/// A login that succeeded.
pub struct LoggedIn {
    /// The session now bound to the connection.
    pub id: SessionId,
    /// The session itself.
    pub session: Arc<Session>,
    /// The bytes that complete the exchange at the client; empty where nothing
    /// is sent back.
    pub reply: String,
}

/// A login that did not.
#[derive(Debug)]
pub struct Refusal {
    /// Why; for the operator only.
    pub fault: Fault,
    /// The id under which the operator finds the reason.
    pub request_id: Arc<str>,
    /// The text that is safe to send to the client. It does not tell an
    /// unknown key from a wrong signature.
    pub client_text: String,
}

impl Refusal {
    pub(super) fn new(fault: Fault, request_id: Arc<str>) -> Self {
        let client_text = match fault.kind() {
            Kind::Refused => format!("[{request_id}]: Access denied"),
            _ => format!("[{request_id}]: Try again later"),
        };
        Self { fault, request_id, client_text }
    }
}
