// SPDX-License-Identifier: Apache-2.0
//! Answers that only who asked can read. Whoever asks makes a key pair for this
//! one request, and its public half is the request's number, which the request's
//! signature covers. The same request sent again by somebody else, to whichever
//! replica, brings an answer that is of no use to them.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::fault::{Fault, Status};

/// What a number that is a key begins with; no other number holds a full stop.
const MARK: &str = "k1.";
/// Bytes of a public key.
const KEY: usize = 32;
/// What the keys are for.
const PURPOSE: &[u8] = b"standin answer 1";

/// The key pair of one request.
pub struct Asker {
    private: PrivateKey,
    number: String,
}

fn failed<T>(_: T) -> Fault {
    Fault::internal("an answer's key could not be made")
}

/// The key that `private` and `public` agree on, for one message. It is used
/// once, so its nonce may be fixed.
fn cipher(private: &PrivateKey, public: &[u8], number: &str, answerer: &[u8]) -> Result<LessSafeKey, Fault> {
    agree(private, UnparsedPublicKey::new(&X25519, public), failed(()), |shared| {
        let extracted = Salt::new(HKDF_SHA256, number.as_bytes()).extract(shared);
        let info = [PURPOSE, answerer];
        let key = extracted.expand(&info, &AES_256_GCM).map_err(failed)?;
        Ok(LessSafeKey::new(UnboundKey::from(key)))
    })
}

fn once() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

impl Asker {
    /// A new one.
    ///
    /// # Errors
    /// When the generator fails.
    pub fn new() -> Result<Self, Fault> {
        let private = PrivateKey::generate(&X25519).map_err(failed)?;
        let public = private.compute_public_key().map_err(failed)?;
        Ok(Self { private, number: format!("{MARK}{}", URL_SAFE_NO_PAD.encode(public)) })
    }

    /// The number of the request.
    #[must_use]
    pub fn number(&self) -> &str {
        &self.number
    }

    /// Reads what [`seal`] made for this request's number and path.
    ///
    /// # Errors
    /// [`Status::NewerFormat`]: it is for another request, or was altered.
    pub fn open(&self, path: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let wrong = || Fault::new(Status::NewerFormat, "the answer is not sealed for this request");
        let (public, body) = sealed.split_at_checked(KEY).ok_or_else(wrong)?;
        let mut body = Zeroizing::new(body.to_vec());
        let cipher = cipher(&self.private, public, &self.number, public).map_err(|_| wrong())?;
        let length = cipher.open_in_place(once(), Aad::from(path), &mut body).map_err(|_| wrong())?.len();
        body.truncate(length);
        Ok(body)
    }
}

/// True when the request of this number wants its answer sealed.
#[must_use]
pub fn is_key(number: &str) -> bool {
    number.starts_with(MARK)
}

/// Seals an answer for whoever asked with this number.
///
/// # Errors
/// When the number is no key.
pub fn seal(number: &str, path: &str, plain: &[u8]) -> Result<Vec<u8>, Fault> {
    let key = number.strip_prefix(MARK).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    let key = key.filter(|key| key.len() == KEY);
    let key = key.ok_or_else(|| Fault::new(Status::InvalidArgument, "the request's number is not a key"))?;
    let private = PrivateKey::generate(&X25519).map_err(failed)?;
    let public = private.compute_public_key().map_err(failed)?;
    let cipher = cipher(&private, &key, number, public.as_ref())?;
    let mut body = plain.to_vec();
    cipher.seal_in_place_append_tag(once(), Aad::from(path), &mut body).map_err(failed)?;
    Ok([public.as_ref(), &body].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_asked_reads_the_answer() {
        let (asker, other) = (Asker::new().unwrap(), Asker::new().unwrap());
        assert!(is_key(asker.number()) && !is_key("0123456789abcdef") && asker.number().len() <= 64);
        let sealed = seal(asker.number(), "/p", b"secret").unwrap();
        assert!(!sealed.windows(6).any(|w| w == b"secret"));
        assert_eq!(asker.open("/p", &sealed).unwrap().as_slice(), b"secret");
        assert!(other.open("/p", &sealed).is_err());
        assert!(asker.open("/q", &sealed).is_err(), "of another path");
        // Each answer has a key of its own.
        assert_ne!(sealed, seal(asker.number(), "/p", b"secret").unwrap());
        for n in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[n] ^= 1;
            assert!(asker.open("/p", &altered).is_err(), "byte {n}");
            assert!(asker.open("/p", &sealed[..n]).is_err(), "{n} bytes");
        }
        for number in ["k1.", "k1.AAAA", "plain", "k1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
            assert!(seal(number, "/p", b"secret").is_err(), "{number}");
        }
    }
}
