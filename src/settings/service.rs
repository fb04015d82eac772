// SPDX-License-Identifier: Apache-2.0
//! Where the security service is, when it is on another machine.

use std::path::PathBuf;

use super::Given;
use super::given::invalid;
use crate::fault::Fault;

pub(super) const URL: &str = "standin.service.url";
pub(super) const CA: &str = "standin.service.ca";
pub(super) const CREDENTIAL: &str = "standin.host.credential";
const STORE: &str = "standin.store";

/// See the module's page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceSettings {
    /// Its addresses, without slash at the end.
    pub urls: Vec<String>,
    /// Certificates of its authority.
    pub ca: PathBuf,
    /// This host's credential.
    pub credential: PathBuf,
}

impl ServiceSettings {
    /// What was given of it; none with a store on this machine.
    ///
    /// # Errors
    /// When neither or both are given, or a part is missing.
    pub(super) fn of(given: &Given) -> Result<Option<Self>, Fault> {
        let Some(url) = given.text(URL) else {
            given.text(STORE).ok_or_else(|| {
                invalid(format!("{STORE} is missing; it is required, or {URL} for a service on another machine"))
            })?;
            if let Some(alone) = [CA, CREDENTIAL].into_iter().find(|name| given.text(name).is_some()) {
                return Err(invalid(format!("{alone} is set, {URL} is not; with a store on this machine unset it")));
            }
            return Ok(None);
        };
        if let Some(other) = [STORE, "standin.key.file"].into_iter().find(|name| given.text(name).is_some()) {
            return Err(invalid(format!("{URL} and {other} are both set; a host has one of them")));
        }
        Ok(Some(Self {
            urls: Self::urls(url)?,
            ca: PathBuf::from(given.required(CA)?),
            credential: PathBuf::from(given.required(CREDENTIAL)?),
        }))
    }

    /// Reads addresses of a service.
    ///
    /// # Errors
    /// When one is not `https://HOST:PORT`.
    pub fn urls(text: &str) -> Result<Vec<String>, Fault> {
        let read = |url: &str| {
            let plain = url.trim().trim_end_matches('/');
            let place = plain.strip_prefix("https://").unwrap_or_default();
            let fits = !place.is_empty() && !place.contains(['/', '?', '#', '@', ' ']);
            if fits {
                Ok(plain.to_owned())
            } else {
                Err(invalid(format!("{URL}: {url:?}: https://HOST:PORT is accepted")))
            }
        };
        text.split(',').filter(|url| !url.trim().is_empty()).map(read).collect::<Result<Vec<_>, _>>().and_then(|urls| {
            if urls.is_empty() { Err(invalid(format!("{URL}: https://HOST:PORT is accepted"))) } else { Ok(urls) }
        })
    }
}
