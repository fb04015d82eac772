// SPDX-License-Identifier: Apache-2.0
//! Holding clients whose sessions came with a forwarded request: their
//! policies, without a credential that stands in for them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::pool::Promise;
use super::{Agent, Held};
use crate::credential::CredentialKey;
use crate::fault::{Fault, Status};
use crate::revision::{At, Revision};
use crate::service::Client;
use crate::session::Session;

/// Stands where the hash of a session token would: no client presented one.
const FORWARDED: [u8; 32] = [0xff; 32];

/// How often policies older than what is known are asked for again.
const REFETCHES: usize = 5;

impl Agent {
    /// The client of a session; none when its credential is no longer held.
    #[must_use]
    pub fn client(&self, session: &Session) -> Option<Client> {
        self.held_for(&session.begin.credential).map(|held| held.client.clone())
    }

    /// Holds the client of a forwarded session: what is held for it already,
    /// or its policies asked of the service within `wait`. Its policies are of
    /// `revision` or newer.
    ///
    /// # Errors
    /// Refused when key or identity ended; undecided without an answer.
    pub fn hold_forwarded(
        self: &Arc<Self>,
        client: Client,
        revision: Revision,
        wait: Duration,
    ) -> Result<Arc<Held>, Fault> {
        let now = self.parts.clock.steady();
        if self.fresh.silence(now) > self.parts.tuning.stale_after() {
            return Err(Fault::new(Status::Stale, "the change feed is silent; forwarded sessions are not taken in"));
        }
        let known = self.table()?.held.values().find(|h| h.client == client && !h.is_ended()).cloned();
        if let Some(held) = known
            && held.state()?.revision >= revision
        {
            held.use_at(now);
            return Ok(held);
        }
        let promise = Promise::new();
        let (agent, filled) = (Arc::clone(self), Arc::clone(&promise));
        self.pool.submit(Box::new(move || filled.fill(agent.fetch_forwarded(client))))?;
        promise.wait(Instant::now() + wait)
    }

    fn fetch_forwarded(&self, client: Client) -> Result<Arc<Held>, Fault> {
        for _ in 0..REFETCHES {
            let at = self.parts.service.entitlements(&client.principal.subject, &client.access_key_id)?;
            let known = self.table()?.held.values().find(|h| h.client == client && !h.is_ended()).cloned();
            if let Some(held) = known {
                held.use_at(self.parts.clock.steady());
                self.install(&held, &at.value, at.revision)?;
                return Ok(held);
            }
            let set = self.shelf.set(&at.value, &client.session_policies, &self.actions.load())?;
            let key = CredentialKey { access_key_id: client.access_key_id.clone(), token: FORWARDED };
            let policies = At { revision: at.revision, value: (set, &at.value) };
            let now = self.parts.clock.steady();
            let held = Arc::new(Held::new((key, client.clone()), None, None, policies, now));
            if self.enter_table(&held, at.revision)? {
                return Ok(held);
            }
        }
        Err(Fault::new(Status::Stale, "the service keeps answering from before the last known change"))
    }
}
