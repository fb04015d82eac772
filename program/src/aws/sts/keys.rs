// SPDX-License-Identifier: Apache-2.0
//! The keys identity providers sign with: fetched when they are needed, kept
//! for a while, and not asked for more often than that.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use jsonwebtoken::jwk::{Jwk, JwkSet};
use standin::time::{Clock, Steady};

use crate::aws::problem::{Code, Problem};

/// How long keys are used without being fetched again, milliseconds.
const FRESH: i64 = 10 * 60 * 1000;
/// How long they are used when they cannot be fetched.
const STALE: i64 = 60 * 60 * 1000;
/// How long nobody is asked again, whatever came of it.
const PAUSE: i64 = 20 * 1000;

/// Fetches what is at a URL, or says why not.
pub(crate) type Fetcher = Arc<dyn Fn(&str) -> Result<Vec<u8>, String> + Send + Sync>;

/// Most requests that wait for identity providers at once, of all issuers. Each
/// keeps a thread that others need for the store; further ones are put off.
const WAITING: usize = 8;

/// What is known of one issuer's keys.
#[derive(Default)]
struct Known {
    keys: Option<(JwkSet, Steady)>,
    tried: Option<Steady>,
    /// True while somebody asks the issuer.
    fetching: bool,
}

#[derive(Default)]
struct Issuer {
    known: Mutex<Known>,
    /// An answer came.
    landed: Condvar,
}

/// The keys of all issuers.
pub(crate) struct KeySets {
    fetch: Fetcher,
    clock: Arc<dyn Clock>,
    known: Mutex<HashMap<String, Arc<Issuer>>>,
    waiting: AtomicUsize,
}

/// One request that waits.
struct Seat<'k>(&'k AtomicUsize);

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Somebody asks the issuer. However that ends, others go on.
struct Fetching<'k>(&'k Issuer);

impl Drop for Fetching<'_> {
    fn drop(&mut self) {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner).fetching = false;
        self.0.landed.notify_all();
    }
}

fn failed(text: impl Into<String>) -> Problem {
    Problem::new(Code::IDPCommunicationError, text)
}

#[derive(serde::Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl KeySets {
    pub(crate) fn new(fetch: Fetcher, clock: Arc<dyn Clock>) -> Self {
        Self { fetch, clock, known: Mutex::default(), waiting: AtomicUsize::new(0) }
    }

    fn seat(&self) -> Result<Seat<'_>, Problem> {
        let seat = Seat(&self.waiting);
        if self.waiting.fetch_add(1, Ordering::AcqRel) < WAITING {
            return Ok(seat);
        }
        Err(Problem::new(Code::Throttling, "The identity provider's keys are being fetched. Try again."))
    }

    /// The key of this id of an issuer that is registered, by its URL.
    pub(super) fn key(&self, issuer: &str, id: Option<&str>) -> Result<Jwk, Problem> {
        let entry = {
            let mut known = self.known.lock().map_err(|_| failed("The keys cannot be read."))?;
            Arc::clone(known.entry(issuer.to_owned()).or_default())
        };
        let lock = || entry.known.lock().map_err(|_| failed("The keys cannot be read."));
        let age = |at: Steady| self.clock.steady().since(at);
        let mut seat = None;
        let mut reason = "They were asked for a moment ago.".to_owned();
        loop {
            let mut known = lock()?;
            let found = known.keys.as_ref().and_then(|(set, at)| Some((pick(set, id)?, age(*at))));
            // An old key is as good while somebody asks for new ones.
            let good = if known.fetching { STALE } else { FRESH };
            if let Some((key, age)) = &found
                && *age < good
            {
                return Ok(key.clone());
            }
            if known.fetching {
                // Whoever needs the same keys waits for one fetch.
                if seat.is_none() {
                    seat = Some(self.seat()?);
                }
                drop(entry.landed.wait_while(known, |known| known.fetching));
                continue;
            }
            if known.tried.is_none_or(|at| age(at) >= PAUSE) {
                if seat.is_none() {
                    seat = Some(self.seat()?);
                }
                (known.tried, known.fetching) = (Some(self.clock.steady()), true);
                drop(known);
                let fetching = Fetching(&entry);
                let fetched = self.fetched(issuer);
                match fetched {
                    Ok(set) => lock()?.keys = Some((set, self.clock.steady())),
                    Err(text) => reason = text,
                }
                drop(fetching);
                continue;
            }
            return match found {
                Some((key, age)) if age < STALE => Ok(key),
                // The keys are there, the one of the token is not among them.
                None if known.keys.as_ref().is_some_and(|(_, at)| age(*at) < FRESH) => {
                    Err(Problem::new(Code::InvalidIdentityToken, "The identity provider has no key of the token's id."))
                }
                _ => Err(failed(format!("Couldn't retrieve verification key from your identity provider. {reason}"))),
            };
        }
    }

    fn fetched(&self, issuer: &str) -> Result<JwkSet, String> {
        let place = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let read = |text: Vec<u8>, what: &str| -> Result<serde_json::Value, String> {
            serde_json::from_slice(&text).map_err(|_| format!("{what} is not JSON."))
        };
        let discovery: Discovery = serde_json::from_value(read((self.fetch)(&place)?, "Its configuration")?)
            .map_err(|_| "Its configuration has no issuer or jwks_uri.".to_owned())?;
        if discovery.issuer != issuer {
            return Err("Its configuration names another issuer.".to_owned());
        }
        if !discovery.jwks_uri.starts_with("https://") {
            return Err("Its keys are not at an https:// URL.".to_owned());
        }
        serde_json::from_value(read((self.fetch)(&discovery.jwks_uri)?, "Its set of keys")?)
            .map_err(|_| "Its set of keys is none.".to_owned())
    }
}

/// The key of an id; without one, the only key there is.
fn pick(set: &JwkSet, id: Option<&str>) -> Option<Jwk> {
    match (id, set.keys.as_slice()) {
        (Some(id), _) => set.find(id).cloned(),
        (None, [only]) => Some(only.clone()),
        (None, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::time::Duration;

    use standin::time::{ManualClock, UnixMillis};

    use super::*;

    const ISSUER: &str = "https://id.example.com";
    const LONG: Duration = Duration::from_secs(60);

    /// An issuer that answers when it is let, and says that it was asked.
    fn slow() -> (Arc<KeySets>, Arc<ManualClock>, Receiver<()>, Sender<()>) {
        let ((asked, is_asked), (let_go, may_go)) = (channel(), channel::<()>());
        let (asked, may_go) = (Mutex::new(asked), Mutex::new(may_go));
        let fetch: Fetcher = Arc::new(move |url: &str| {
            if url.ends_with("/openid-configuration") {
                asked.lock().unwrap().send(()).unwrap();
                may_go.lock().unwrap().recv_timeout(LONG).map_err(|_| "nobody let it answer.".to_owned())?;
                return Ok(serde_json::json!({"issuer": ISSUER, "jwks_uri": "https://id.example.com/k"})
                    .to_string()
                    .into());
            }
            Ok(br#"{"keys":[{"kty":"oct","kid":"a","k":"AAAA"}]}"#.to_vec())
        });
        let clock = Arc::new(ManualClock::at(UnixMillis(1_767_323_045_000)));
        (Arc::new(KeySets::new(fetch, Arc::clone(&clock) as _)), clock, is_asked, let_go)
    }

    fn ask(sets: &Arc<KeySets>, id: &'static str) -> std::thread::JoinHandle<Result<Jwk, Problem>> {
        let sets = Arc::clone(sets);
        std::thread::spawn(move || sets.key(ISSUER, Some(id)))
    }

    /// Regression: everybody who needed a key waited for a slow issuer, each on
    /// one of the few threads that work on the store.
    #[test]
    fn a_slow_issuer_keeps_few_waiting() {
        let (sets, _, asked, let_go) = slow();
        let (answers, answered) = channel();
        for _ in 0..WAITING + 5 {
            let (sets, answers) = (Arc::clone(&sets), answers.clone());
            std::thread::spawn(move || answers.send(sets.key(ISSUER, Some("a")).map_err(|p| p.code)).unwrap());
        }
        asked.recv_timeout(LONG).unwrap();
        for _ in 0..5 {
            assert_eq!(answered.recv_timeout(LONG).unwrap().unwrap_err(), Code::Throttling);
        }
        let_go.send(()).unwrap();
        for _ in 0..WAITING {
            answered.recv_timeout(LONG).unwrap().unwrap();
        }
        assert_eq!(sets.waiting.load(Ordering::Acquire), 0);
    }

    /// Regression: while new keys were fetched, nobody got the old ones.
    #[test]
    fn old_keys_serve_while_new_ones_are_fetched() {
        let (sets, clock, asked, let_go) = slow();
        let_go.send(()).unwrap();
        ask(&sets, "a").join().unwrap().unwrap();
        asked.recv_timeout(LONG).unwrap();
        clock.pass(FRESH + 1);
        let fetching = ask(&sets, "a");
        asked.recv_timeout(LONG).unwrap();
        sets.key(ISSUER, Some("a")).unwrap();
        // One that nobody knows yet may be among the new ones.
        let other = ask(&sets, "b");
        let_go.send(()).unwrap();
        fetching.join().unwrap().unwrap();
        assert_eq!(other.join().unwrap().unwrap_err().code, Code::InvalidIdentityToken);
    }
}
