// SPDX-License-Identifier: Apache-2.0
//! The credential of a host: an Ed25519 key that is made on the host's machine
//! and never leaves it, and requests signed with it.

use std::fmt;
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::{Zeroize, Zeroizing};

use super::Secret;
use crate::fault::{Fault, Status};
use crate::identity::{Identity, IdentityKind};
use crate::time::{Random, UnixMillis};

/// First line of a credential file.
const HEADER: &str = "standin-host 1";
/// Longest credential file, bytes.
const LONGEST: u64 = 16 * 1024;

/// A host's private key.
pub struct HostKey {
    pair: Ed25519KeyPair,
    seed: Secret,
}

impl fmt::Debug for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostKey(..)")
    }
}

impl HostKey {
    /// A new key.
    ///
    /// # Errors
    /// When the generator fails.
    pub fn generate(random: &dyn Random) -> Result<Self, Fault> {
        Self::of(Secret::random(random, 32)?)
    }

    fn of(seed: Secret) -> Result<Self, Fault> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.expose())
            .map_err(|_| Fault::new(Status::InvalidSetting, "a host's key has 32 bytes"))?;
        Ok(Self { pair, seed })
    }

    /// The public key: 32 bytes.
    #[must_use]
    pub fn public(&self) -> Vec<u8> {
        self.pair.public_key().as_ref().to_vec()
    }

    /// The signature of a request.
    #[must_use]
    pub fn sign(&self, request: &SignedRequest<'_>) -> Vec<u8> {
        self.pair.sign(request.text().as_bytes()).as_ref().to_vec()
    }
}

/// What a host signs of a request, and so what cannot be changed on the way or
/// used for another.
pub struct SignedRequest<'a> {
    /// Method.
    pub method: &'a str,
    /// Path with query.
    pub path: &'a str,
    /// ARN of the host.
    pub host: &'a str,
    /// When it was made.
    pub at: UnixMillis,
    /// Random; used once.
    pub nonce: &'a str,
    /// The body.
    pub body: &'a [u8],
}

impl SignedRequest<'_> {
    fn text(&self) -> String {
        let hash = digest::digest(&digest::SHA256, self.body);
        let hex: String = hash.as_ref().iter().map(|b| format!("{b:02x}")).collect();
        let Self { method, path, host, at, nonce, .. } = self;
        format!("standin-request-1\n{method}\n{path}\n{host}\n{}\n{nonce}\n{hex}", at.0)
    }

    /// Checks a signature.
    ///
    /// # Errors
    /// [`Status::SignatureMismatch`].
    pub fn verify(&self, public_key: &[u8], signature: &[u8]) -> Result<(), Fault> {
        UnparsedPublicKey::new(&ED25519, public_key).verify(self.text().as_bytes(), signature).map_err(|_| {
            Fault::new(
                Status::SignatureMismatch,
                format!("the request was not signed with the present key of {}", self.host),
            )
        })
    }
}

/// What a host has: who it is, and its key.
#[derive(Debug)]
pub struct HostCredential {
    /// Who it is.
    pub host: Identity,
    /// Its key.
    pub key: HostKey,
}

impl HostCredential {
    /// The name in proofs and audit records: `host/<name>`.
    #[must_use]
    pub fn name(&self) -> String {
        host_name(&self.host)
    }

    /// Writes a new credential file, readable by its owner only.
    ///
    /// # Errors
    /// [`Status::Conflict`] when the file exists; otherwise what failed.
    pub fn create(&self, path: &Path) -> Result<(), Fault> {
        NewFile::create(path)?.fill(self)
    }

    /// Reads a credential file.
    ///
    /// # Errors
    /// When it is missing, readable by others, or malformed: with what to do.
    pub fn read(path: &Path) -> Result<Self, Fault> {
        let shown = path.display();
        let bad = |text: String| Fault::new(Status::InvalidSetting, text);
        let mut file = std::fs::File::open(path)
            .map_err(|e| bad(format!("host credential {shown}: {e}; `standin host enroll` makes one")))?;
        let meta = file.metadata().map_err(|e| bad(format!("host credential {shown}: {e}")))?;
        let mode = meta.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(bad(format!(
                "host credential {shown} has mode {mode:04o}: others may read it; run `chmod 600 {shown}`"
            )));
        }
        if meta.len() > LONGEST {
            return Err(bad(format!("host credential {shown} has {} bytes; it is not a host credential", meta.len())));
        }
        let mut text = Zeroizing::new(String::new());
        file.read_to_string(&mut text).map_err(|e| bad(format!("host credential {shown}: {e}")))?;
        let mut lines = text.lines();
        match lines.next() {
            Some(HEADER) => {}
            Some(other) if other.starts_with("standin-host ") => {
                return Err(Fault::new(
                    Status::NewerFormat,
                    format!("host credential {shown} begins with {other:?}; this version reads {HEADER:?}"),
                ));
            }
            _ => return Err(bad(format!("host credential {shown} does not begin with {HEADER:?}"))),
        }
        let mut field = |name: &str| {
            lines
                .next()
                .and_then(|line| line.strip_prefix(name)?.strip_prefix(' '))
                .ok_or_else(|| bad(format!("host credential {shown} has no line `{name} ...`")))
        };
        let (host, key) = (field("host")?, field("key")?);
        let host = Identity::parse(host)?;
        if host.kind() != IdentityKind::Host {
            return Err(bad(format!("host credential {shown}: {host} is not a host")));
        }
        let seed = STANDARD.decode(key).map_err(|_| bad(format!("host credential {shown}: the key is damaged")))?;
        Ok(Self { host, key: HostKey::of(Secret::new(seed))? })
    }
}

/// A file for a credential, readable by its owner only. One that is not filled
/// is removed.
pub struct NewFile<'p> {
    path: &'p Path,
    filled: bool,
}

impl<'p> NewFile<'p> {
    /// A new file.
    ///
    /// # Errors
    /// [`Status::Conflict`] when it exists; otherwise what failed.
    pub fn create(path: &'p Path) -> Result<Self, Fault> {
        let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        made.map_err(|e| match e.kind() {
            std::io::ErrorKind::AlreadyExists => {
                Fault::new(Status::Conflict, format!("the host credential {} exists already", path.display()))
            }
            _ => Self::failed(path, &e),
        })?;
        Ok(Self { path, filled: false })
    }

    fn failed(path: &Path, e: &std::io::Error) -> Fault {
        Fault::new(Status::InvalidSetting, format!("host credential {}: {e}", path.display()))
    }

    /// Writes the credential into it.
    ///
    /// # Errors
    /// What failed.
    pub fn fill(mut self, credential: &HostCredential) -> Result<(), Fault> {
        let mut encoded = STANDARD.encode(credential.key.seed.expose());
        let text = Zeroizing::new(format!("{HEADER}\nhost {}\nkey {encoded}\n", credential.host));
        encoded.zeroize();
        let file = std::fs::OpenOptions::new().write(true).open(self.path);
        let written = file.and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
        written.map_err(|e| Self::failed(self.path, &e))?;
        self.filled = true;
        Ok(())
    }
}

impl Drop for NewFile<'_> {
    fn drop(&mut self) {
        if !self.filled {
            let _nothing_is_in_it = std::fs::remove_file(self.path);
        }
    }
}

/// The short name of a host: `host/<name>`.
#[must_use]
pub fn host_name(host: &Identity) -> String {
    format!("{}/{}", host.kind().word(), host.name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::SystemRandom;

    fn credential() -> HostCredential {
        let host = Identity::new("aws", "123456789012", IdentityKind::Host, "/", "demo/1").unwrap();
        HostCredential { host, key: HostKey::generate(&SystemRandom).unwrap() }
    }

    /// P1-23: a signature holds for one request only.
    #[test]
    fn p1_23_a_signature_holds_for_its_request_only() {
        let credential = credential();
        let public = credential.key.public();
        let good = || SignedRequest {
            method: "POST",
            path: "/v1/login",
            host: "h",
            at: UnixMillis(7),
            nonce: "n",
            body: b"body",
        };
        let signature = credential.key.sign(&good());
        good().verify(&public, &signature).unwrap();
        for changed in [
            SignedRequest { method: "PUT", ..good() },
            SignedRequest { path: "/v1/renew", ..good() },
            SignedRequest { host: "i", ..good() },
            SignedRequest { at: UnixMillis(8), ..good() },
            SignedRequest { nonce: "m", ..good() },
            SignedRequest { body: b"bodY", ..good() },
        ] {
            assert_eq!(changed.verify(&public, &signature).unwrap_err().status, Status::SignatureMismatch);
        }
        let other = HostKey::generate(&SystemRandom).unwrap().public();
        assert!(good().verify(&other, &signature).is_err());
        assert!(good().verify(&[], &signature).is_err());
    }

    #[test]
    fn a_file_is_read_back_and_is_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("host");
        let made = credential();
        made.create(&path).unwrap();
        assert_eq!(made.create(&path).unwrap_err().status, Status::Conflict);
        let read = HostCredential::read(&path).unwrap();
        assert_eq!((read.host.arn(), read.key.public()), (made.host.arn(), made.key.public()));
        assert_eq!(read.name(), "host/demo/1");
        assert!(!format!("{read:?}").contains(&STANDARD.encode(read.key.seed.expose())));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(HostCredential::read(&path).unwrap_err().text.contains("chmod 600"));
        for (text, why) in [
            ("standin-host 2\n", "this version reads"),
            ("x", "does not begin"),
            ("standin-host 1\nhost arn:aws:iam::123456789012:user/u\nkey AAAA\n", "is not a host"),
            ("standin-host 1\nhost arn:aws:iam::123456789012:host/u\nkey AAAA\n", "32 bytes"),
            ("standin-host 1\nkey AAAA\n", "no line"),
        ] {
            std::fs::remove_file(&path).unwrap();
            std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).unwrap();
            std::fs::write(&path, text).unwrap();
            let fault = HostCredential::read(&path).unwrap_err();
            assert!(fault.text.contains(why), "{}", fault.text);
        }
    }
}
