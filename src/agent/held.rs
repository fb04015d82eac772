// SPDX-License-Identifier: Apache-2.0
//! The credential table: what the agent holds for each client credential.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use arc_swap::ArcSwapOption;

use crate::audit::Who;
use crate::channel::Channel;
use crate::credential::CredentialKey;
use crate::credential::sigv4::{Claim, KeyScope, LEASE, SigningKey};
use crate::fault::{Fault, Status};
use crate::identity::Principal;
use crate::revision::{At, Revision};
use crate::service::{Client, Entitlements, Impersonation, Set};
use crate::session::{Context, SessionId};
use crate::time::{Steady, UnixMillis};

struct Lease {
    scope: KeyScope,
    key: Arc<SigningKey>,
    until: Steady,
}

/// The impersonation credential with its schedule.
pub(super) struct Standby {
    pub(super) credential: Impersonation,
    /// `credential.expires` by the steady clock.
    pub(super) expires: Steady,
    pub(super) renew_at: Steady,
    /// From then on a login rather gets a new credential, so that its session
    /// is not a short one.
    pub(super) half: Steady,
}

/// What follows from the entitlements, and the sessions it is in force for.
pub(super) struct State {
    pub(super) revision: Revision,
    pub(super) set: Arc<Set>,
    /// Who decisions are about: the client with the tags of its identity.
    pub(super) principal: Arc<Principal>,
    pub(super) sessions: Vec<SessionId>,
    /// The context made last, with what its policies look at of a channel; it
    /// is theirs who log in next, and outlives the gap between two connections.
    pub(super) recent: Option<(Channel, Arc<Context>)>,
    leases: Vec<Lease>,
}

/// What the agent holds for one client credential. Sessions of the same
/// credential share it.
pub struct Held {
    /// Its name.
    pub key: Arc<CredentialKey>,
    /// The client in the words of the audit.
    pub who: Arc<Who>,
    /// Who it is, and what narrows it.
    pub client: Client,
    /// End of the presented credential or identity.
    pub expires: Option<UnixMillis>,
    pub(super) standby: ArcSwapOption<Standby>,
    pub(super) renewing: AtomicBool,
    pub(super) renew_failures: AtomicU32,
    pub(super) renew_not_before: AtomicI64,
    pub(super) used: AtomicI64,
    ended: AtomicBool,
    /// Set under the lock of the state, which had no session then.
    forgotten: AtomicBool,
    state: Mutex<State>,
}

impl Held {
    pub(super) fn new(
        (key, client): (CredentialKey, Client),
        expires: Option<UnixMillis>,
        standby: Option<Standby>,
        policies: At<(Arc<Set>, &Entitlements)>,
        now: Steady,
    ) -> Self {
        let At { revision, value: (set, entitlements) } = policies;
        let principal = Arc::new(client.principal.with_identity_tags(&entitlements.tags));
        let who = Arc::new(Who::of(&client.principal, &key.access_key_id));
        let state = State { revision, set, principal, sessions: Vec::new(), recent: None, leases: Vec::new() };
        Self {
            key: Arc::new(key),
            who,
            client,
            expires,
            standby: ArcSwapOption::from_pointee(standby),
            renewing: AtomicBool::new(false),
            renew_failures: AtomicU32::new(0),
            renew_not_before: AtomicI64::new(i64::MIN),
            used: AtomicI64::new(now.0),
            ended: AtomicBool::new(false),
            forgotten: AtomicBool::new(false),
            state: Mutex::new(state),
        }
    }

    pub(super) fn state(&self) -> Result<MutexGuard<'_, State>, Fault> {
        self.state.lock().map_err(|_| Fault::internal("an entry of the credential table failed earlier"))
    }

    /// True when key or identity was disabled, or nobody follows changes for it
    /// any more: no session may be bound to it.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire) || self.forgotten.load(Ordering::Acquire)
    }

    /// Why no session may be bound to it.
    pub(super) fn why_ended(&self) -> Fault {
        if self.ended.load(Ordering::Acquire) {
            return Fault::new(Status::Revoked, "the access key or identity was disabled during the login");
        }
        Fault::new(Status::Busy, "the login took so long that what was held for it was dropped meanwhile")
    }

    /// Marks it as dropped from the table. The caller holds the lock of its
    /// state, where no session is: one that is bound later would be followed by
    /// nobody.
    pub(super) fn forget(&self, _state: &State) {
        self.forgotten.store(true, Ordering::Release);
    }

    /// Notes that somebody logs in with it.
    pub(super) fn use_at(&self, now: Steady) {
        self.used.fetch_max(now.0, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    /// The verification key for the claim's day, region and service, while its
    /// lease runs.
    pub(super) fn lease(&self, claim: &Claim, now: Steady) -> Option<Arc<SigningKey>> {
        let state = self.state.lock().ok()?;
        let lease = state.leases.iter().find(|lease| lease.scope.is_of(claim) && now < lease.until)?;
        Some(Arc::clone(&lease.key))
    }

    pub(super) fn grant_lease(&self, scope: KeyScope, key: Arc<SigningKey>, now: Steady) -> Result<(), Fault> {
        let mut state = self.state()?;
        state.leases.retain(|lease| now < lease.until && lease.scope != scope);
        // A client signs for one region and at most two days at a time; more
        // would only be held for someone who tries out scopes.
        if state.leases.len() < 8 {
            state.leases.push(Lease { scope, key, until: now.plus(LEASE) });
        }
        Ok(())
    }

    /// True while the impersonation credential is in the first half of its life.
    pub(super) fn is_young(&self, now: Steady) -> bool {
        self.standby.load().as_ref().is_some_and(|s| now < s.half)
    }

    /// When the impersonation credential expires by the steady clock; none
    /// when there is none (imported sessions).
    #[must_use]
    pub fn standby_expires(&self) -> Option<(Steady, UnixMillis)> {
        self.standby.load().as_ref().map(|s| (s.expires, s.credential.expires))
    }
}
