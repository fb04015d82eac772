// SPDX-License-Identifier: Apache-2.0
//! Logging in: locally where a verification key is leased, else by the
//! service, once for all who ask for the same credential.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::held::Standby;
use super::pool::Promise;
use super::{Agent, Held, schedule};
use crate::credential::sigv4::KeyScope;
use crate::credential::{CredentialKey, Evidence};
use crate::fault::{Fault, Kind, Status};
use crate::revision::{At, Revision};
use crate::service::{Impersonation, Issued};
use crate::time::{Steady, UnixMillis};

type FlightKey = (CredentialKey, Option<KeyScope>);

/// Questions to the service that are under way.
pub(super) type Flights = HashMap<FlightKey, Flight>;

/// The answer to one of them, for everybody who waits for it.
type Flight = Arc<Promise<Arc<Held>>>;

fn flight_of(evidence: &Evidence) -> FlightKey {
    (evidence.key().clone(), evidence.claim().map(KeyScope::of))
}

/// How often an answer older than what is known is asked for again.
const REFETCHES: usize = 5;

/// The bulkhead of one listener: how many of its threads wait for the service.
#[derive(Debug)]
pub struct Waiting {
    now: AtomicUsize,
    most: usize,
}

impl Waiting {
    /// Room for `most` waiting callers.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { now: AtomicUsize::new(0), most }
    }

    fn enter(&self) -> Result<Waits<'_>, Fault> {
        if self.now.fetch_add(1, Ordering::AcqRel) >= self.most {
            self.now.fetch_sub(1, Ordering::AcqRel);
            return Err(Fault::new(
                Status::Busy,
                format!("{} logins wait for the security service already (standin.login.waiting)", self.most),
            ));
        }
        Ok(Waits(self))
    }
}

struct Waits<'a>(&'a Waiting);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Agent {
    /// Authenticates the client that showed `evidence`, waiting at most `wait`.
    ///
    /// # Errors
    /// Refused: the reason for the operator. Undecided: busy, no answer, or
    /// what is known is too old.
    pub fn log_in(
        self: &Arc<Self>,
        evidence: &Arc<Evidence>,
        waiting: &Waiting,
        wait: Duration,
    ) -> Result<Arc<Held>, Fault> {
        let local = self.verify_locally(evidence)?;
        if let Some(held) = &local
            && held.is_young(self.parts.clock.steady())
        {
            self.counters.local_logins.fetch_add(1, Ordering::Relaxed);
            return Ok(Arc::clone(held));
        }
        match (self.log_in_by_service(&flight_of(evidence), evidence, waiting, wait), local) {
            // The old credential is short, and better than none.
            (Err(fault), Some(held)) if fault.kind() == Kind::Undecided => {
                self.counters.local_logins.fetch_add(1, Ordering::Relaxed);
                Ok(held)
            }
            (result, _) => result,
        }
    }

    /// What is held for this evidence already, verified with it, and good for
    /// a whole session; none when the service has to be asked.
    ///
    /// # Errors
    /// Refused: the reason for the operator.
    pub fn at_hand(&self, evidence: &Evidence) -> Result<Option<Arc<Held>>, Fault> {
        let local = self.verify_locally(evidence)?;
        let young = local.filter(|held| held.is_young(self.parts.clock.steady()));
        if young.is_some() {
            self.counters.local_logins.fetch_add(1, Ordering::Relaxed);
        }
        Ok(young)
    }

    fn log_in_by_service(
        self: &Arc<Self>,
        flight: &FlightKey,
        evidence: &Arc<Evidence>,
        waiting: &Waiting,
        wait: Duration,
    ) -> Result<Arc<Held>, Fault> {
        let _inside = waiting.enter()?;
        let by = Instant::now() + wait;
        loop {
            let (promise, mine) = self.join_flight(flight, evidence, wait)?;
            match promise.wait(by) {
                Ok(held) if mine => return Ok(held),
                // Verified for somebody else: this signature is still to be.
                Ok(_) => {
                    if let Some(held) = self.verify_locally(evidence)? {
                        return Ok(held);
                    }
                }
                Err(fault) if mine || fault.kind() != Kind::Refused => return Err(fault),
                // Somebody else's signature was refused, not this one.
                Err(_) => {}
            }
            if Instant::now() >= by {
                return Err(Fault::new(Status::TimedOut, "the security service did not answer in time"));
            }
        }
    }

    /// What is held for a credential, while it may serve a further login.
    fn usable(&self, key: &CredentialKey, now: Steady) -> Result<Option<Arc<Held>>, Fault> {
        if self.fresh.silence(now) > self.parts.tuning.stale_after() {
            return Ok(None);
        }
        let held = self.table()?.held.get(key).cloned();
        Ok(held.filter(|held| {
            !held.is_ended()
                && held.standby_expires().is_some_and(|(end, _)| now < end)
                && held.expires.is_none_or(|end| self.parts.clock.wall() < end)
        }))
    }

    fn verify_locally(&self, evidence: &Evidence) -> Result<Option<Arc<Held>>, Fault> {
        let now = self.parts.clock.steady();
        let Some(held) = self.usable(evidence.key(), now)? else { return Ok(None) };
        if let Some(claim) = evidence.claim() {
            let Some(signing) = held.lease(claim, now) else { return Ok(None) };
            claim.verify(&signing).map_err(|fault| fault.about(held.client.principal.subject.arn()))?;
        }
        held.use_at(now);
        Ok(Some(held))
    }

    /// Joins the question that is under way for this credential, or asks it.
    fn join_flight(
        self: &Arc<Self>,
        flight: &FlightKey,
        evidence: &Arc<Evidence>,
        wait: Duration,
    ) -> Result<(Flight, bool), Fault> {
        let flight = flight.clone();
        let mut flights = self.flights.lock().map_err(|_| Fault::internal("logins failed earlier"))?;
        if let Some(promise) = flights.get(&flight) {
            self.counters.shared_flights.fetch_add(1, Ordering::Relaxed);
            return Ok((Arc::clone(promise), false));
        }
        let promise = Promise::new();
        flights.insert(flight.clone(), Arc::clone(&promise));
        drop(flights);
        let landing = Landing { agent: Arc::downgrade(self), flight, promise: Arc::clone(&promise) };
        let (agent, evidence) = (Arc::clone(self), Arc::clone(evidence));
        let millis = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        let by = self.parts.clock.steady().plus(millis);
        self.pool.submit(Box::new(move || {
            landing.land(agent.ask(&evidence, by));
        }))?;
        Ok((promise, true))
    }

    /// What is held for this evidence already, where who keeps its credential
    /// verified it: no verification key is here then. In the second half of the
    /// credential's life only `old` ones are looked for.
    fn verify_by_keeper(&self, evidence: &Evidence, by: Steady, old: bool) -> Result<Option<Arc<Held>>, Fault> {
        let now = self.parts.clock.steady();
        let Some(held) = self.usable(evidence.key(), now)? else { return Ok(None) };
        let kept =
            held.standby.load().as_ref().filter(|s| s.credential.secret.is_none()).map(|s| s.credential.token.clone());
        let Some(kept) = kept.filter(|_| old || held.is_young(now)) else { return Ok(None) };
        if !self.parts.service.verify(evidence, &kept, by)? {
            return Ok(None);
        }
        self.counters.local_logins.fetch_add(1, Ordering::Relaxed);
        held.use_at(now);
        Ok(Some(held))
    }

    /// Has a login decided elsewhere: by who keeps the credential, where that
    /// is not the service itself, else by the service.
    fn ask(&self, evidence: &Evidence, by: Steady) -> Result<Arc<Held>, Fault> {
        if let Some(held) = self.verify_by_keeper(evidence, by, false)? {
            return Ok(held);
        }
        match self.ask_service(evidence, by) {
            // The old credential is short, and better than none.
            Err(fault) if fault.kind() == Kind::Undecided => self.verify_by_keeper(evidence, by, true)?.ok_or(fault),
            result => result,
        }
    }

    /// Asks the service and puts what it issued into the table.
    fn ask_service(&self, evidence: &Evidence, by: Steady) -> Result<Arc<Held>, Fault> {
        let settings = &self.parts.settings;
        self.counters.service_logins.fetch_add(1, Ordering::Relaxed);
        for _ in 0..REFETCHES {
            let answer =
                self.parts.service.log_in(evidence, &settings.host, self.parts.tuning.credential_lifetime(), by)?;
            if let Some(held) = self.admit(evidence, answer)? {
                return Ok(held);
            }
            self.counters.outdated_answers.fetch_add(1, Ordering::Relaxed);
        }
        Err(Fault::new(Status::Stale, "the service keeps answering from before the last known change"))
    }

    /// Installs a login's answer; none when it is older than what is known.
    pub(super) fn admit(&self, evidence: &Evidence, answer: At<Issued>) -> Result<Option<Arc<Held>>, Fault> {
        let At { revision, value: issued } = answer;
        let now = self.parts.clock.steady();
        let (key, scope) = flight_of(evidence);
        let lease = scope.zip(issued.verification.clone());
        let present = self.table()?.held.get(&key).cloned();
        if let Some(held) = present
            && !held.is_ended()
            && held.client == issued.client
        {
            held.use_at(now);
            if revision < held.state()?.revision {
                return Ok(None);
            }
            self.install(&held, &issued.entitlements, revision)?;
            self.record_issued(&held, &issued.impersonation)?;
            held.standby.store(Some(Arc::new(self.standby(issued.impersonation))));
            if let Some((scope, signing)) = lease {
                held.grant_lease(scope, signing, now)?;
            }
            return Ok(if held.is_ended() { None } else { Some(held) });
        }
        let set = self.shelf.set(&issued.entitlements, &issued.client.session_policies, &self.actions.load())?;
        let policies = At { revision, value: (set, &issued.entitlements) };
        let standby = self.standby(issued.impersonation);
        let held = Arc::new(Held::new((key, issued.client), issued.expires, Some(standby), policies, now));
        if let Some((scope, signing)) = lease {
            held.grant_lease(scope, signing, now)?;
        }
        if !self.enter_table(&held, revision)? {
            return Ok(None);
        }
        if let Some(standby) = held.standby.load().as_ref() {
            self.record_issued(&held, &standby.credential)?;
        }
        Ok(Some(held))
    }

    /// Adds an entry unless it was read before the last applied change, or there
    /// is one of the same client: then the caller begins anew.
    pub(super) fn enter_table(&self, held: &Arc<Held>, revision: Revision) -> Result<bool, Fault> {
        let mut table = self.table()?;
        if revision < table.applied {
            return Ok(false);
        }
        if table.held.get(&held.key).is_some_and(|present| !present.is_ended() && present.client == held.client) {
            // Another login of this client was faster: its sessions go on.
            return Ok(false);
        }
        let before = table.held.insert(Arc::clone(&held.key), Arc::clone(held));
        drop(table);
        // The same key for another client: nobody follows the old one now.
        if let Some(before) = before.filter(|b| !b.is_ended()) {
            self.end_held(&before, "the credential now belongs to another client");
        }
        Ok(true)
    }

    pub(super) fn standby(&self, credential: Impersonation) -> Standby {
        let issued = self.parts.clock.wall();
        let renew: UnixMillis = schedule::renew_at(issued, credential.expires, self.fraction());
        Standby {
            expires: self.steady_of(credential.expires),
            renew_at: self.steady_of(renew),
            half: self.steady_of(schedule::half(issued, credential.expires)),
            credential,
        }
    }
}

/// A question under way. However its job ends, it is taken off the list before
/// its callers hear of it, so that a later one asks anew; and a panic in it does
/// not leave them waiting for their whole deadline.
struct Landing {
    agent: Weak<Agent>,
    flight: FlightKey,
    promise: Flight,
}

impl Landing {
    fn land(&self, result: Result<Arc<Held>, Fault>) {
        if let Some(agent) = self.agent.upgrade()
            && let Ok(mut flights) = agent.flights.lock()
            && flights.get(&self.flight).is_some_and(|present| Arc::ptr_eq(present, &self.promise))
        {
            flights.remove(&self.flight);
        }
        self.promise.fill(result);
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.land(Err(Fault::internal("the login was not completed")));
    }
}
