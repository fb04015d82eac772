// SPDX-License-Identifier: Apache-2.0
//! The service's addresses, remembered: a name server that is slow or away is
//! no outage of the service, and no request waits for one.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;
use ureq::unversioned::transport::time::Duration as Bound;

/// How long addresses are used without looking them up again.
const FRESH: Duration = Duration::from_secs(30);
/// How long a look-up may take while addresses are known.
const PATIENCE: Duration = Duration::from_millis(300);

#[derive(Debug)]
struct Found {
    addresses: Vec<SocketAddr>,
    /// When to look them up again.
    again: Instant,
}

/// What was found, by host and port.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<HashMap<String, Found>>);

impl Known {
    /// Looks all up again at the next request: the service may have moved.
    pub(super) fn doubt(&self) {
        if let Ok(mut known) = self.0.lock() {
            let now = Instant::now();
            known.values_mut().for_each(|found| found.again = now);
        }
    }

    /// Addresses, and whether they are to be looked up again.
    fn get(&self, name: &str) -> Option<(Vec<SocketAddr>, bool)> {
        let known = self.0.lock().ok()?;
        known.get(name).map(|found| (found.addresses.clone(), Instant::now() >= found.again))
    }

    fn put(&self, name: &str, addresses: Vec<SocketAddr>) {
        if let Ok(mut known) = self.0.lock() {
            known.insert(name.to_owned(), Found { addresses, again: Instant::now() + FRESH });
        }
    }
}

/// See the module's page.
#[derive(Debug)]
pub(super) struct Addresses<R> {
    inner: R,
    known: Arc<Known>,
}

impl<R: Resolver> Addresses<R> {
    pub(super) fn new(inner: R, known: Arc<Known>) -> Self {
        Self { inner, known }
    }

    fn listed(&self, addresses: &[SocketAddr]) -> ResolvedSocketAddrs {
        let mut list = self.empty();
        // No more than came out of such a list.
        addresses.iter().for_each(|address| list.push(*address));
        list
    }
}

impl<R: Resolver> Resolver for Addresses<R> {
    fn resolve(&self, uri: &Uri, config: &Config, mut timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let name = uri.authority().map(ToString::to_string).unwrap_or_default();
        let known = self.known.get(&name);
        if let Some((addresses, false)) = &known {
            return Ok(self.listed(addresses));
        }
        if known.is_some() && *timeout.after > PATIENCE {
            timeout.after = Bound::Exact(PATIENCE);
        }
        match (self.inner.resolve(uri, config, timeout), known) {
            (Ok(found), _) => {
                self.known.put(&name, found.iter().copied().collect());
                Ok(found)
            }
            // Old ones are better than none; not to be looked up by everybody.
            (Err(_), Some((addresses, _))) => {
                let list = self.listed(&addresses);
                self.known.put(&name, addresses);
                Ok(list)
            }
            (Err(e), None) => Err(e),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// A name server that answers with the number of the question, or not.
    #[derive(Debug, Default)]
    struct Server {
        asked: Arc<AtomicUsize>,
        away: Arc<Mutex<bool>>,
    }

    impl Resolver for Server {
        fn resolve(&self, _: &Uri, _: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
            let n = self.asked.fetch_add(1, Ordering::SeqCst);
            if *self.away.lock().unwrap() {
                assert!(n == 0 || *timeout.after <= PATIENCE, "who knows an address does not wait for long");
                return Err(Error::HostNotFound);
            }
            let mut list = self.empty();
            list.push(SocketAddr::from(([192, 0, 2, u8::try_from(n).unwrap()], 9900)));
            Ok(list)
        }
    }

    #[test]
    fn a_name_server_that_is_away_is_no_outage_of_the_service() {
        let server = Server::default();
        let (asked, away) = (Arc::clone(&server.asked), Arc::clone(&server.away));
        let known = Arc::new(Known::default());
        let addresses = Addresses::new(server, Arc::clone(&known));
        let agent = ureq::Agent::config_builder().build();
        let uri: Uri = "https://standin.example:9900/v1/login".parse().unwrap();
        let timeout =
            || NextTimeout { after: Bound::from_secs(5), reason: ureq::Timeout::Global, ..Default::default() };
        let look = || addresses.resolve(&uri, &agent, timeout()).map(|list| list[0].to_string());
        *away.lock().unwrap() = true;
        assert!(look().is_err(), "nothing is known yet");
        *away.lock().unwrap() = false;
        let first = look().unwrap();
        assert_eq!((look().unwrap(), asked.load(Ordering::SeqCst)), (first.clone(), 2));
        *away.lock().unwrap() = true;
        known.doubt();
        assert_eq!(look().unwrap(), first);
        assert_eq!((look().unwrap(), asked.load(Ordering::SeqCst)), (first.clone(), 3), "not asked by everybody");
        *away.lock().unwrap() = false;
        known.doubt();
        assert_ne!(look().unwrap(), first, "it moved");
    }
}
