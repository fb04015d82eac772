// SPDX-License-Identifier: Apache-2.0
//! Who asks: every request is signed by the key of an enrolled host, is not
//! old, and comes once.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request;
use standin::access_control::{HostRow, Store};
use standin::credential::host::{SignedRequest, host_name};
use standin::fault::{Fault, Status};
use standin::revision::Revision;
use standin::service::wire::{HOST_HEADER, NONCE_HEADER, SIGNATURE_HEADER, SKEW, TIME_HEADER};
use standin::time::UnixMillis;

/// Most nonces that are remembered; more requests in that time are put off.
const NONCES: usize = 1 << 20;
/// Most of them that are one host's, so that no host takes them from the others.
const SHARE: usize = NONCES / 2;
/// Longest nonce.
const NONCE: usize = 64;
/// How often it is written that a host was heard, milliseconds.
const NOTED: i64 = 60_000;
/// Most hosts that are kept between changes of the store.
const HOSTS: usize = 10_000;

/// A host that proved who it is.
pub(super) struct Host {
    /// What the store says of it.
    pub(super) row: HostRow,
    /// Its name in proofs and audit records.
    pub(super) name: String,
}

/// Nonces of the last two spans of time, each as long as a request is good for.
#[derive(Default)]
struct Nonces {
    present: HashMap<String, HashSet<String>>,
    before: HashMap<String, HashSet<String>>,
    /// How many are present, of all hosts.
    count: usize,
    since: i64,
}

impl Nonces {
    fn take(&mut self, host: &str, nonce: &str, now: i64) -> Result<(), Fault> {
        // A request is good for this long before and after its time.
        let old = now.saturating_sub(self.since);
        if old > 2 * SKEW {
            let present = std::mem::take(&mut self.present);
            self.before = if old > 4 * SKEW { HashMap::new() } else { present };
            (self.count, self.since) = (0, now);
        }
        let replayed = || Err(Fault::new(Status::Replayed, "the request came before"));
        if self.before.get(host).is_some_and(|nonces| nonces.contains(nonce)) {
            return replayed();
        }
        let own = self.present.entry(host.to_owned()).or_default();
        if own.contains(nonce) {
            return replayed();
        }
        if self.count >= NONCES || own.len() >= SHARE {
            return Err(Fault::new(Status::Busy, "too many requests; try again"));
        }
        own.insert(nonce.to_owned());
        self.count += 1;
        Ok(())
    }
}

#[derive(Default)]
struct Known {
    revision: Revision,
    hosts: HashMap<String, Arc<Host>>,
}

/// See the module's page.
#[derive(Default)]
pub(super) struct Hosts {
    nonces: Mutex<Nonces>,
    known: Mutex<Known>,
    heard: Mutex<HashMap<String, Heard>>,
}

/// When a host was heard, and until when that is written; milliseconds since
/// the epoch.
#[derive(Clone, Copy, Default)]
struct Heard {
    last: i64,
    written: i64,
}

/// The parts of a signed request that stand in its head.
pub(super) struct Head<'a> {
    pub(super) host: &'a str,
    pub(super) at: UnixMillis,
    pub(super) nonce: &'a str,
    pub(super) signature: Vec<u8>,
}

impl<'a> Head<'a> {
    pub(super) fn of(request: &'a Request<Bytes>) -> Result<Self, Fault> {
        let field = |name: &str| {
            let value = request.headers().get(name).and_then(|v| v.to_str().ok());
            value.ok_or_else(|| Fault::new(Status::Malformed, format!("the header {name} is missing")))
        };
        let time = field(TIME_HEADER)?.parse().map_err(|_| Fault::new(Status::Malformed, "the time is no number"))?;
        let signature = STANDARD
            .decode(field(SIGNATURE_HEADER)?)
            .map_err(|_| Fault::new(Status::Malformed, "the signature is not base64"))?;
        let (host, nonce) = (field(HOST_HEADER)?, field(NONCE_HEADER)?);
        if nonce.len() < 16 || nonce.len() > NONCE {
            return Err(Fault::new(Status::Malformed, "a nonce of 16 to 64 characters is accepted"));
        }
        Ok(Self { host, at: UnixMillis(time), nonce, signature })
    }

    pub(super) fn signed(&self, request: &'a Request<Bytes>) -> SignedRequest<'a>
    where
        Self: 'a,
    {
        let path = request.uri().path_and_query().map_or("/", |p| p.as_str());
        let (host, nonce) = (self.host, self.nonce);
        SignedRequest { method: request.method().as_str(), path, host, at: self.at, nonce, body: request.body() }
    }

    /// Checks that it is of now.
    pub(super) fn check_time(&self, now: UnixMillis) -> Result<(), Fault> {
        let off = now.0.saturating_sub(self.at.0);
        if off.unsigned_abs() <= SKEW.unsigned_abs() {
            return Ok(());
        }
        Err(Fault::new(
            Status::ClockSkew,
            format!("its clock is {} s off, {} s are tolerated; set the clock", off / 1000, SKEW / 1000),
        ))
    }
}

impl Hosts {
    /// The host that signed this request.
    ///
    /// # Errors
    /// Refused: not enrolled, revoked, another key, too old, or seen before.
    pub(super) fn authenticate(
        &self,
        store: &Store,
        now: UnixMillis,
        request: &Request<Bytes>,
    ) -> Result<Arc<Host>, Fault> {
        let head = Head::of(request)?;
        head.check_time(now)?;
        let host = self.find(store, head.host)?;
        if host.row.disabled {
            return Err(Fault::new(Status::IdentityDisabled, format!("{} was revoked", head.host)));
        }
        let key = host.row.public_key.as_deref();
        let key = key.ok_or_else(|| Fault::new(Status::UnknownKey, format!("{} is not enrolled", head.host)))?;
        head.signed(request).verify(key, &head.signature)?;
        self.once(&head, now)?;
        if let Ok(mut heard) = self.heard.lock() {
            match heard.get_mut(host.row.identity.arn()) {
                Some(known) => known.last = now.0,
                None => drop(heard.insert(host.row.identity.arn().to_owned(), Heard { last: now.0, written: 0 })),
            }
        }
        Ok(host)
    }

    /// Writes when hosts were heard, of those of whom that was written some
    /// time ago, or of all. Who could not be written is tried again.
    pub(super) fn note_heard(&self, store: &Store, all: bool) {
        let least = if all { 1 } else { NOTED };
        let due = |heard: &Heard| heard.last - heard.written >= least;
        let seen: Vec<(String, i64)> = match self.heard.lock() {
            Ok(heard) => heard.iter().filter(|(_, h)| due(h)).map(|(arn, h)| (arn.clone(), h.last)).collect(),
            Err(_) => return,
        };
        if seen.is_empty() || store.hosts_seen(&seen).is_err() {
            return;
        }
        if let Ok(mut heard) = self.heard.lock() {
            for (arn, at) in seen {
                if let Some(known) = heard.get_mut(&arn) {
                    known.written = at;
                }
            }
        }
    }

    fn find(&self, store: &Store, arn: &str) -> Result<Arc<Host>, Fault> {
        // Read first: what is read after it is as new or newer.
        let revision = store.revision()?;
        let failed = |_| Fault::internal("the list of hosts failed earlier");
        {
            let mut known = self.known.lock().map_err(failed)?;
            if known.revision != revision || known.hosts.len() > HOSTS {
                *known = Known { revision, hosts: HashMap::new() };
            }
            if let Some(host) = known.hosts.get(arn) {
                return Ok(Arc::clone(host));
            }
        }
        let row = store.host(arn).map_err(|fault| match fault.status {
            Status::NotFound => Fault::new(Status::UnknownKey, format!("there is no host {arn}")),
            _ => fault,
        })?;
        // Signed is the ARN: nothing else stands for it.
        if row.identity.arn() != arn {
            return Err(Fault::new(Status::UnknownKey, format!("there is no host {arn}")));
        }
        let host = Arc::new(Host { name: host_name(&row.identity), row });
        let mut known = self.known.lock().map_err(failed)?;
        if known.revision == revision {
            known.hosts.insert(arn.to_owned(), Arc::clone(&host));
        }
        Ok(host)
    }

    fn once(&self, head: &Head<'_>, now: UnixMillis) -> Result<(), Fault> {
        let mut nonces = self.nonces.lock().map_err(|_| Fault::internal("the nonces failed earlier"))?;
        nonces.take(head.host, head.nonce, now.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_good_once_for_as_long_as_its_request() {
        let mut nonces = Nonces::default();
        let status = |taken: Result<(), Fault>| taken.map_err(|fault| fault.status);
        let start = 1_767_323_045_000;
        assert_eq!(status(nonces.take("a", "1", start)), Ok(()));
        assert_eq!(status(nonces.take("b", "1", start)), Ok(()));
        for later in [0, SKEW, 2 * SKEW, 2 * SKEW + 1] {
            assert_eq!(status(nonces.take("a", "1", start + later)), Err(Status::Replayed), "{later}");
        }
        assert_eq!(status(nonces.take("a", "1", start + 9 * SKEW)), Ok(()));
    }

    #[test]
    fn no_host_takes_the_numbers_of_the_others() {
        let mut nonces = Nonces::default();
        let mut taken = |host: &str, n: usize| nonces.take(host, &n.to_string(), 1).is_ok();
        assert_eq!((0..SHARE + 9).filter(|n| taken("greedy", *n)).count(), SHARE);
        assert!(taken("another", 0));
        assert_eq!((1..SHARE + 9).filter(|n| taken("another", *n)).count(), SHARE - 1);
        // All of them are bounded, too.
        assert!(!taken("third", 0));
    }
}
