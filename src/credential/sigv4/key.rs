// SPDX-License-Identifier: Apache-2.0
//! Signing keys, derived for one day, region and service.

use std::fmt;

use aws_lc_rs::hmac;

use crate::credential::Secret;

/// A derived key. Verifies, and could sign, for its day, region and service
/// only; the long-lived secret cannot be computed from it.
pub struct SigningKey(hmac::Key, Secret);

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
        Self::of_bytes(Secret::new(tag.as_ref().to_vec()))
    }

    /// The key of these bytes, which [`SigningKey::expose`] gave.
    #[must_use]
    pub fn of_bytes(bytes: Secret) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes.expose()), bytes)
    }

    /// The bytes, for delivery to a host that may hold them.
    #[must_use]
    pub fn expose(&self) -> &Secret {
        &self.1
    }

    /// Signs a string to sign.
    pub(super) fn sign(&self, text: &str) -> hmac::Tag {
        hmac::sign(&self.0, text.as_bytes())
    }

    /// True when `signature` is that of `text`; in constant time.
    pub(super) fn verifies(&self, text: &str, signature: &[u8; 32]) -> bool {
        hmac::verify(&self.0, text.as_bytes(), signature).is_ok()
    }
}
