// SPDX-License-Identifier: Apache-2.0
//! Signing keys, derived for one day, region and service.

use std::fmt;

use aws_lc_rs::hmac;
use serde::{Deserialize, Serialize};

use super::Claim;
use crate::credential::Secret;

/// How long a verification key may be used by whoever is not the service,
/// milliseconds.
pub const LEASE: i64 = 15 * 60 * 1000;

/// Which day, region and service a derived key is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KeyScope {
    day: String,
    region: String,
    service: String,
}

impl KeyScope {
    /// The scope a request was signed in.
    #[must_use]
    pub fn of(claim: &Claim) -> Self {
        Self {
            day: claim.scope_date().to_owned(),
            region: claim.region().to_owned(),
            service: claim.service().to_owned(),
        }
    }

    /// True when the request was signed in this scope.
    #[must_use]
    pub fn is_of(&self, claim: &Claim) -> bool {
        self.day == claim.scope_date() && self.region == claim.region() && self.service == claim.service()
    }
}

/// A derived key. Verifies, and could sign, for its day, region and service
/// only; the long-lived secret cannot be computed from it.
pub struct SigningKey {
    bytes: Secret,
    key: hmac::Key,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

impl SigningKey {
    /// Derives the key (AWS General Reference, "Derive a signing key"). `day`
    /// is `yyyyMMdd`.
    #[must_use]
    pub fn derive(secret: &Secret, day: &str, region: &str, service: &str) -> Self {
        let mut first = zeroize::Zeroizing::new(b"AWS4".to_vec());
        first.extend_from_slice(secret.expose());
        let step = |key: &[u8], data: &str| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data.as_bytes());
        let mut tag = step(&first, day);
        for data in [region, service, "aws4_request"] {
            tag = step(tag.as_ref(), data);
        }
        Self::of(Secret::new(tag.as_ref().to_vec()))
    }

    /// The key of these bytes, as [`SigningKey::expose`] gave them.
    #[must_use]
    pub fn of(bytes: Secret) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, bytes.expose());
        Self { bytes, key }
    }

    /// The bytes, for what is sealed and for who may hold them.
    #[must_use]
    pub fn expose(&self) -> &Secret {
        &self.bytes
    }

    /// Signs a string to sign.
    pub(super) fn sign(&self, text: &str) -> hmac::Tag {
        hmac::sign(&self.key, text.as_bytes())
    }

    /// True when `signature` is that of `text`; in constant time.
    pub(super) fn verifies(&self, text: &str, signature: &[u8; 32]) -> bool {
        hmac::verify(&self.key, text.as_bytes(), signature).is_ok()
    }
}
