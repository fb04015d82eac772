// SPDX-License-Identifier: Apache-2.0
//! What an agent of its own process keeps: impersonation credentials and
//! verification keys, by client credential and by the name hosts know.

use std::collections::HashMap;
use std::sync::Arc;

use crate::credential::CredentialKey;
use crate::credential::sigv4::{KeyScope, LEASE, SigningKey};
use crate::fault::{Fault, Status};
use crate::revision::Revision;
use crate::service::{Change, Client, Happening, Impersonation};
use crate::time::{Random, Steady, UnixMillis};

/// Most credentials kept.
const MOST: usize = 1 << 20;
/// Most verification keys of one client: it signs for one region and at most
/// two days at a time.
const KEYS: usize = 8;
/// Length of the names hosts know.
const NAME: usize = 16;

/// A verification key, for its time.
pub(super) struct Lease {
    pub(super) scope: KeyScope,
    pub(super) key: Arc<SigningKey>,
    pub(super) until: Steady,
}

/// What is kept for one client credential.
pub(super) struct Kept {
    /// The name hosts know.
    pub(super) name: Vec<u8>,
    pub(super) client: Client,
    /// End of the presented credential or identity.
    pub(super) ends: Option<UnixMillis>,
    pub(super) credential: Arc<Impersonation>,
    /// `credential.expires` by the steady clock.
    pub(super) expires: Steady,
    pub(super) leases: Vec<Lease>,
}

/// See the module's page.
#[derive(Default)]
pub(super) struct Table {
    /// The newest revision whose changes are applied; none before the service
    /// was first heard.
    pub(super) applied: Option<Revision>,
    /// When the service was last heard with every change applied.
    pub(super) heard: Option<Steady>,
    pub(super) kept: HashMap<CredentialKey, Kept>,
    names: HashMap<Vec<u8>, CredentialKey>,
    /// Counts changes of what is kept.
    pub(super) edition: u64,
}

/// What a login brought.
pub(super) struct Brought {
    pub(super) client: Client,
    pub(super) ends: Option<UnixMillis>,
    pub(super) credential: Impersonation,
    pub(super) expires: Steady,
    pub(super) lease: Option<(KeyScope, Arc<SigningKey>)>,
}

impl Table {
    /// Keeps what a login brought; the name it has from now on.
    pub(super) fn keep(
        &mut self,
        key: CredentialKey,
        brought: Brought,
        now: Steady,
        random: &dyn Random,
    ) -> Result<Vec<u8>, Fault> {
        let known = self.kept.get(&key).filter(|kept| kept.client == brought.client);
        // Hosts that logged the client in before keep their name for it.
        let (name, mut leases) = match known {
            Some(kept) => {
                let name = kept.name.clone();
                (name, self.remove(&key).map(|kept| kept.leases).unwrap_or_default())
            }
            None if self.kept.len() >= MOST => {
                return Err(Fault::new(Status::Busy, "the agent's process keeps too many credentials"));
            }
            None => {
                let mut name = vec![0; NAME];
                random.fill(&mut name)?;
                self.remove(&key);
                (name, Vec::new())
            }
        };
        if let Some((scope, signing)) = brought.lease {
            leases.retain(|lease| now < lease.until && lease.scope != scope);
            if leases.len() < KEYS {
                leases.push(Lease { scope, key: signing, until: now.plus(LEASE) });
            }
        }
        let kept = Kept {
            name: name.clone(),
            client: brought.client,
            ends: brought.ends,
            credential: Arc::new(brought.credential),
            expires: brought.expires,
            leases,
        };
        self.add(key, kept);
        Ok(name)
    }

    /// Adds what is not kept yet.
    pub(super) fn add(&mut self, key: CredentialKey, kept: Kept) {
        self.names.insert(kept.name.clone(), key.clone());
        self.kept.insert(key, kept);
        self.edition += 1;
    }

    /// What hosts know by this name.
    pub(super) fn named(&mut self, name: &[u8]) -> Option<(&CredentialKey, &mut Kept)> {
        let key = self.names.get(name)?;
        self.kept.get_mut(key).map(|kept| (key, kept))
    }

    fn remove(&mut self, key: &CredentialKey) -> Option<Kept> {
        let kept = self.kept.remove(key)?;
        self.names.remove(&kept.name);
        self.edition += 1;
        Some(kept)
    }

    /// Forgets what hosts know by this name.
    pub(super) fn forget(&mut self, name: &[u8]) {
        if let Some(key) = self.names.get(name).cloned() {
            self.remove(&key);
        }
    }

    /// Drops what a change ended.
    pub(super) fn apply(&mut self, change: &Change) {
        match &change.what {
            Happening::KeyEnded(id) => self.drop_where(|key, _| key.access_key_id == *id),
            Happening::IdentityEnded(identity) => {
                self.drop_where(|_, kept| kept.client.principal.subject == *identity);
            }
            Happening::Gap => self.doubt(),
            Happening::Entitlements(_) | Happening::SessionEnded { .. } | Happening::KeyAppeared(_) => {}
        }
    }

    /// Changes were missed. Whose key ended is not known: each has to be asked
    /// about anew.
    pub(super) fn doubt(&mut self) {
        self.kept.values_mut().for_each(|kept| kept.leases.clear());
        self.edition += 1;
    }

    /// Drops what is over.
    pub(super) fn sweep(&mut self, now: Steady, wall: UnixMillis) {
        self.drop_where(|_, kept| now >= kept.expires || kept.ends.is_some_and(|end| wall >= end));
        let mut dropped = false;
        for kept in self.kept.values_mut() {
            let before = kept.leases.len();
            kept.leases.retain(|lease| now < lease.until);
            dropped |= kept.leases.len() < before;
        }
        self.edition += u64::from(dropped);
    }

    fn drop_where(&mut self, over: impl Fn(&CredentialKey, &Kept) -> bool) {
        let names = &mut self.names;
        let mut dropped = false;
        self.kept.retain(|key, kept| {
            let stays = !over(key, kept);
            if !stays {
                names.remove(&kept.name);
                dropped = true;
            }
            stays
        });
        self.edition += u64::from(dropped);
    }

    /// Wipes everything.
    pub(super) fn clear(&mut self) {
        self.kept.clear();
        self.names.clear();
        self.edition += 1;
    }
}
