// SPDX-License-Identifier: Apache-2.0
//! The keys identity providers sign with: fetched when they are needed, kept
//! for a while, and not asked for more often than that.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

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

/// What is known of one issuer's keys.
#[derive(Default)]
struct Known {
    keys: Option<(JwkSet, Steady)>,
    tried: Option<Steady>,
}

/// The keys of all issuers.
pub(crate) struct KeySets {
    fetch: Fetcher,
    clock: Arc<dyn Clock>,
    known: Mutex<HashMap<String, Arc<Mutex<Known>>>>,
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
        Self { fetch, clock, known: Mutex::default() }
    }

    /// The key of this id of an issuer that is registered, by its URL.
    pub(super) fn key(&self, issuer: &str, id: Option<&str>) -> Result<Jwk, Problem> {
        let entry = {
            let mut known = self.known.lock().map_err(|_| failed("The keys cannot be read."))?;
            Arc::clone(known.entry(issuer.to_owned()).or_default())
        };
        // Whoever needs the same keys waits for one fetch.
        let mut known = entry.lock().map_err(|_| failed("The keys cannot be read."))?;
        let now = self.clock.steady();
        let age = |at: Steady| now.since(at);
        let found = known.keys.as_ref().and_then(|(set, at)| Some((pick(set, id)?, age(*at))));
        if let Some((key, age)) = &found
            && *age < FRESH
        {
            return Ok(key.clone());
        }
        let mut reason = "They were asked for a moment ago.".to_owned();
        if known.tried.is_none_or(|at| age(at) >= PAUSE) {
            known.tried = Some(now);
            match self.fetched(issuer) {
                Ok(set) => {
                    let key = pick(&set, id);
                    known.keys = Some((set, now));
                    return key.ok_or_else(|| {
                        Problem::new(Code::InvalidIdentityToken, "The identity provider has no key of the token's id.")
                    });
                }
                Err(text) => reason = text,
            }
        }
        match found {
            Some((key, age)) if age < STALE => Ok(key),
            // The keys are there, the one of the token is not among them.
            None if known.keys.as_ref().is_some_and(|(_, at)| age(*at) < FRESH) => {
                Err(Problem::new(Code::InvalidIdentityToken, "The identity provider has no key of the token's id."))
            }
            _ => Err(failed(format!("Couldn't retrieve verification key from your identity provider. {reason}"))),
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
