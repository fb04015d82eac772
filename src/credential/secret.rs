// SPDX-License-Identifier: Apache-2.0
//! Bytes nobody may see: wiped on drop, no content in `Debug`, compared in
//! constant time.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::fault::Fault;
use crate::time::Random;

/// See the module's page.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// `len` random bytes.
    ///
    /// # Errors
    /// When the generator fails.
    pub fn random(random: &dyn Random, len: usize) -> Result<Self, Fault> {
        let mut bytes = Zeroizing::new(vec![0; len]);
        random.fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The bytes, for the one computation that needs them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A new access key id: `AKIA` (long-lived) or `ASIA` (temporary) and 16
/// random characters; other four-letter prefixes name other things of IAM.
///
/// # Errors
/// When the generator fails.
pub fn access_key_id(random: &dyn Random, prefix: &str) -> Result<String, Fault> {
    let mut bytes = [0; 16];
    random.fill(&mut bytes)?;
    let tail = bytes.iter().filter_map(|b| BASE32.get(usize::from(b & 31)).copied()).map(char::from);
    Ok(prefix.chars().chain(tail).collect())
}

/// A new secret access key: 40 characters with 240 random bits.
///
/// # Errors
/// When the generator fails.
pub fn secret_access_key(random: &dyn Random) -> Result<Secret, Fault> {
    use base64::Engine as _;
    let bytes = Secret::random(random, 30)?;
    let mut text = vec![0; 40];
    let written = base64::engine::general_purpose::STANDARD
        .encode_slice(bytes.expose(), &mut text)
        .map_err(|_| Fault::internal("a secret could not be written"))?;
    text.truncate(written);
    Ok(Secret::new(text))
}
