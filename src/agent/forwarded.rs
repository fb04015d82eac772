// SPDX-License-Identifier: Apache-2.0
//! Holding clients whose sessions came with a forwarded request: their
//! policies, without a credential that stands in for them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::digest;

use super::held::Client;
use super::pool::Promise;
use super::{Agent, Held, HeldKey};
use crate::fault::{Fault, Status};
use crate::identity::Principal;
use crate::revision::At;
use crate::service::PolicyText;
use crate::session::Session;

/// Stands where the hash of a session token would: no client presented one.
const FORWARDED: [u8; 32] = [0xff; 32];

/// How often policies older than what is known are asked for again.
const REFETCHES: usize = 5;

impl Agent {
    /// The session policies a session was begun with: name and text.
    #[must_use]
    pub fn session_policies(&self, session: &Session) -> Vec<(String, String)> {
        let Ok(table) = self.table() else { return Vec::new() };
        let held = table
            .held
            .values()
            .find(|h| h.key.access_key_id == session.access_key_id && h.principal == session.principal);
        held.map(|h| h.session_policies.iter().map(|p| (p.name.to_string(), p.text.to_string())).collect())
            .unwrap_or_default()
    }

    /// Holds the client of a forwarded session: what is held for it already,
    /// or its policies asked of the service within `wait`.
    ///
    /// # Errors
    /// Refused when key or identity ended; undecided without an answer.
    pub fn hold_forwarded(
        self: &Arc<Self>,
        principal: Principal,
        access_key_id: &str,
        policies: &[(String, String)],
        wait: Duration,
    ) -> Result<Arc<Held>, Fault> {
        let known = self
            .table()?
            .held
            .values()
            .find(|h| h.key.access_key_id == access_key_id && *h.principal == principal && !h.is_ended())
            .cloned();
        if let Some(held) = known {
            return Ok(held);
        }
        let now = self.parts.clock.steady();
        if self.fresh.silence(now) > self.parts.settings.stale_after {
            return Err(Fault::new(Status::Stale, "the change feed is silent; forwarded sessions are not taken in"));
        }
        let session_policies: Vec<PolicyText> = policies.iter().map(|(name, text)| policy(name, text)).collect();
        let promise = Promise::new();
        let (agent, filled, key_id) = (Arc::clone(self), Arc::clone(&promise), access_key_id.to_owned());
        self.pool.submit(Box::new(move || filled.fill(agent.fetch_forwarded(principal, &key_id, session_policies))))?;
        promise.wait(Instant::now() + wait)
    }

    fn fetch_forwarded(
        &self,
        principal: Principal,
        access_key_id: &str,
        session_policies: Vec<PolicyText>,
    ) -> Result<Arc<Held>, Fault> {
        let principal = Arc::new(principal);
        for _ in 0..REFETCHES {
            let at = self.parts.service.entitlements(&principal.subject, access_key_id)?;
            let set = self.interning.set(&at.value, &session_policies, &self.actions.load())?;
            let key = HeldKey { access_key_id: access_key_id.to_owned(), token: FORWARDED };
            let now = self.parts.clock.steady();
            let client = Client {
                key,
                principal: Arc::clone(&principal),
                expires: None,
                session_policies: session_policies.clone(),
            };
            let held = Arc::new(Held::new(client, None, At { revision: at.revision, value: set }, now));
            if self.enter_table(&held, at.revision)? {
                return Ok(held);
            }
        }
        Err(Fault::new(Status::Stale, "the service keeps answering from before the last known change"))
    }
}

fn policy(name: &str, text: &str) -> PolicyText {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
    PolicyText { name: name.into(), hash, text: text.into() }
}
