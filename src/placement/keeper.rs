// SPDX-License-Identifier: Apache-2.0
//! Stands before the security service in the agent's process: keeps the
//! impersonation credentials and verification keys it issues, gives hosts a
//! name in their place, verifies with the one and proves with the other.

use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::time::{Duration, Instant};

use super::Cache;
use super::table::{Brought, Table};
use crate::credential::Evidence;
use crate::credential::sigv4::KeyScope;
use crate::fault::{Fault, Kind, Status};
use crate::identity::Identity;
use crate::revision::{At, Revision};
use crate::service::{
    Answer, Change, DECIDE, DecisionPoint, Ends, Entitlements, Impersonation, Issued, Known, News, Proof, Questions,
    RENEW, SecurityService, SessionReport, check_purpose,
};
use crate::settings::EngineSettings;
use crate::time::{Clock, Random, Steady, UnixMillis};

/// How often an answer older than what is known is asked for again.
const REFETCHES: usize = 5;
/// Changes read at once.
const CHANGES: usize = 1000;
/// How long the service is to wait for a change, milliseconds; where it does
/// not, hosts have the feed read as often as they ask.
const WAIT: i64 = 1000;
/// How long one reader of the feed waits for another.
const PATIENCE: Duration = Duration::from_secs(1);
/// For how long what was heard answers hosts, milliseconds: a wait and the way.
const JUST_NOW: i64 = 2500;

/// See the module's page.
pub struct Keeper {
    service: Arc<dyn SecurityService>,
    decisions: Arc<dyn DecisionPoint>,
    /// Name of the host this agent belongs to.
    host: String,
    /// Silence of the feed after which nothing is verified here, milliseconds.
    stale_after: i64,
    /// Longest life of a credential, whatever a host asks for, milliseconds.
    longest: i64,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    table: Mutex<Table>,
    /// Held by whoever reads the feed.
    following: Mutex<()>,
}

impl Keeper {
    /// A keeper for one host's agent.
    #[must_use]
    pub fn new(
        (service, decisions): Ends,
        settings: &EngineSettings,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        Self {
            service,
            decisions,
            host: settings.host.clone(),
            stale_after: settings.stale_after,
            longest: settings.credential_lifetime,
            clock,
            random,
            table: Mutex::default(),
            following: Mutex::default(),
        }
    }

    /// Name of the host this agent belongs to.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// How many credentials are kept.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.table().map(|t| t.kept.len()).unwrap_or(0)
    }

    /// The time, for who answers with it.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    fn table(&self) -> Result<MutexGuard<'_, Table>, Fault> {
        self.table.lock().map_err(|_| Fault::internal("what the agent's process keeps failed earlier"))
    }

    fn steady_of(&self, wall: UnixMillis) -> Steady {
        self.clock.steady().plus(wall.0.saturating_sub(self.clock.wall().0))
    }

    /// Follows the feed and drops what is over; called several times a second.
    /// Where the service holds the request until something changes, true: the
    /// next turn may follow at once.
    ///
    /// # Errors
    /// Undecided when the service does not answer.
    pub fn turn(&self) -> Result<bool, Fault> {
        self.clock.tick();
        self.table()?.sweep(self.clock.steady(), self.clock.wall());
        let waits = self.service.waits();
        self.follow(if waits { WAIT } else { 0 })?;
        Ok(waits)
    }

    /// Ends a wait for the service, now and from now on.
    pub fn interrupt(&self) {
        self.service.interrupt();
    }

    /// Takes in what was kept before a restart.
    ///
    /// # Errors
    /// When shared state failed earlier.
    pub fn restore(&self, cache: &Cache) -> Result<usize, Fault> {
        let mut table = self.table()?;
        cache.restore(&mut table, &*self.clock);
        Ok(table.kept.len())
    }

    /// Writes what is kept, when it changed since the last time.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, cache: &Cache) -> Result<(), Fault> {
        // Written out under the lock, sealed and stored without it.
        let Some(state) = cache.state(&*self.table()?, &*self.clock)? else { return Ok(()) };
        cache.store(state, &*self.random)
    }

    /// Wipes everything.
    pub fn clear(&self) {
        if let Ok(mut table) = self.table() {
            table.clear();
        }
    }

    /// The newest revision when the service was heard a moment ago, and every
    /// change up to it is applied.
    fn just_heard(&self) -> Result<Revision, Fault> {
        let table = self.table()?;
        let now = self.clock.steady();
        match (table.applied, table.heard) {
            (Some(applied), Some(heard)) if now.since(heard) <= JUST_NOW => Ok(applied),
            _ => Err(Fault::unavailable("the agent's process does not hear the service")),
        }
    }

    /// Applies every change there is; the newest revision. Waits for one up to
    /// `wait` milliseconds where the service does.
    fn follow(&self, wait: i64) -> Result<Revision, Fault> {
        let by = Instant::now() + PATIENCE;
        let _one = loop {
            match self.following.try_lock() {
                Ok(guard) => break guard,
                Err(TryLockError::Poisoned(_)) => return Err(Fault::internal("following changes failed earlier")),
                // Somebody else reads it; what is heard by that is as good.
                Err(TryLockError::WouldBlock) => match self.just_heard() {
                    Ok(revision) => return Ok(revision),
                    Err(fault) if Instant::now() >= by => return Err(fault),
                    Err(_) => std::thread::sleep(Duration::from_millis(1)),
                },
            }
        };
        let mut wait = wait;
        loop {
            let after = self.table()?.applied;
            let begun = self.clock.steady();
            let News { newest, changes, waited } = self.service.follow(after, CHANGES, wait)?;
            wait = 0;
            let mut table = self.table()?;
            match after {
                Some(applied) if applied > newest => {
                    return Err(Fault::unavailable(format!(
                        "the store went back from revision {} to {}: an older one was restored, or a replica lags behind",
                        applied.0, newest.0
                    )));
                }
                // The first answer: what is kept already may be older.
                None => table.doubt(),
                Some(_) => changes.iter().for_each(|change| table.apply(change)),
            }
            let applied = changes.last().filter(|_| after.is_some()).map_or(newest, |c| c.revision);
            table.applied = Some(applied);
            if applied >= newest {
                table.heard = Some(begun.plus(waited));
                return Ok(newest);
            }
        }
    }

    /// Keeps what a login brought, and what the host gets in its place; none
    /// when it is older than what is known.
    fn keep(&self, evidence: &Evidence, answer: At<Issued>) -> Result<Option<At<Issued>>, Fault> {
        let At { revision, value: mut issued } = answer;
        let expires = self.steady_of(issued.impersonation.expires);
        let mut table = self.table()?;
        if table.applied.is_some_and(|applied| revision < applied) {
            return Ok(None);
        }
        let shown = Impersonation {
            id: issued.impersonation.id.clone(),
            secret: None,
            token: Vec::new(),
            expires: issued.impersonation.expires,
        };
        let brought = Brought {
            client: issued.client.clone(),
            ends: issued.expires,
            credential: std::mem::replace(&mut issued.impersonation, shown),
            expires,
            lease: evidence.claim().map(KeyScope::of).zip(issued.verification.take()),
        };
        issued.impersonation.token = table.keep(evidence.key().clone(), brought, self.clock.steady(), &*self.random)?;
        Ok(Some(At { revision, value: issued }))
    }

    /// The credential of this name.
    fn credential(&self, name: &[u8]) -> Result<Arc<Impersonation>, Fault> {
        let now = self.clock.steady();
        let mut table = self.table()?;
        let kept = table.named(name).filter(|(_, kept)| now < kept.expires);
        kept.map(|(_, kept)| Arc::clone(&kept.credential)).ok_or_else(|| {
            Fault::unavailable("the agent's process does not hold this credential: it has expired, or it was restarted")
        })
    }
}

impl SecurityService for Keeper {
    fn log_in(&self, evidence: &Evidence, _host: &str, lifetime: i64, by: Steady) -> Result<At<Issued>, Fault> {
        for _ in 0..REFETCHES {
            let answer = self.service.log_in(evidence, &self.host, lifetime.min(self.longest), by)?;
            if let Some(answer) = self.keep(evidence, answer)? {
                return Ok(answer);
            }
        }
        Err(Fault::new(Status::Stale, "the service keeps answering from before the last known change"))
    }

    fn verify(&self, evidence: &Evidence, kept: &[u8], _by: Steady) -> Result<bool, Fault> {
        let Some(claim) = evidence.claim() else { return Ok(false) };
        let (now, wall) = (self.clock.steady(), self.clock.wall());
        let scope = KeyScope::of(claim);
        let (key, subject) = {
            let mut table = self.table()?;
            if table.heard.is_none_or(|heard| now.since(heard) > self.stale_after) {
                return Ok(false);
            }
            let Some((credential, kept)) = table.named(kept) else { return Ok(false) };
            let over = now >= kept.expires || kept.ends.is_some_and(|end| wall >= end);
            if over || credential != evidence.key() {
                return Ok(false);
            }
            let lease = kept.leases.iter().find(|lease| lease.scope == scope && now < lease.until);
            let Some(lease) = lease else { return Ok(false) };
            (Arc::clone(&lease.key), kept.client.principal.subject.clone())
        };
        claim.verify(&key).map_err(|fault| fault.about(subject.arn()))?;
        Ok(true)
    }

    fn renew(&self, proof: &Proof, lifetime: i64, by: Steady) -> Result<Impersonation, Fault> {
        let lifetime = lifetime.min(self.longest);
        let old = self.credential(&proof.token)?;
        let proven = old.prove(&self.host, self.clock.wall(), RENEW, lifetime.to_string().as_bytes());
        let new = match self.service.renew(&proven, lifetime, by) {
            Ok(new) => new,
            Err(fault) => {
                if fault.kind() == Kind::Refused {
                    self.table()?.forget(&proof.token);
                }
                return Err(fault);
            }
        };
        let (id, expires) = (new.id.clone(), new.expires);
        let mut table = self.table()?;
        let Some((_, kept)) = table.named(&proof.token) else {
            return Err(Fault::new(Status::Revoked, "the access key or identity was disabled during the renewal"));
        };
        kept.expires = self.steady_of(expires);
        kept.credential = Arc::new(new);
        table.edition += 1;
        Ok(Impersonation { id, secret: None, token: proof.token.clone(), expires })
    }

    fn entitlements(&self, subject: &Identity, access_key_id: &str) -> Result<At<Entitlements>, Fault> {
        self.service.entitlements(subject, access_key_id)
    }

    fn known_as(&self, name: &str) -> Result<At<Option<Known>>, Fault> {
        self.service.known_as(name)
    }

    fn seal(&self, purpose: &str, plain: &[u8]) -> Result<Vec<u8>, Fault> {
        check_purpose(purpose)?;
        self.service.seal(purpose, plain)
    }

    fn unseal(&self, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>, Fault> {
        check_purpose(purpose)?;
        self.service.unseal(purpose, sealed)
    }

    fn revision(&self) -> Result<Revision, Fault> {
        if self.service.waits() { self.just_heard() } else { self.follow(0) }
    }

    fn changes(&self, after: Revision, limit: usize) -> Result<Vec<Change>, Fault> {
        self.service.changes(after, limit)
    }

    fn deliver(&self, records: &[String], by: Steady) -> Result<(), Fault> {
        self.service.deliver(records, by)
    }

    fn report(&self, boot: &str, _host: &str, report: &SessionReport) -> Result<(), Fault> {
        self.service.report(boot, &self.host, report)
    }
}

impl DecisionPoint for Keeper {
    fn decide(&self, proof: &Proof, questions: &Questions, by: Steady) -> Result<At<Vec<Answer>>, Fault> {
        let proven = self.credential(&proof.token)?.prove(&self.host, self.clock.wall(), DECIDE, &questions.body()?);
        self.decisions.decide(&proven, questions, by)
    }
}
