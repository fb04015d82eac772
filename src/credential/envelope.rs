// SPDX-License-Identifier: Apache-2.0
//! Sealing: AES-256-GCM under named keys from a key file that is kept apart
//! from what is sealed. The place a value belongs to is bound in, so that a
//! sealed value cannot be moved to another.

use std::fmt;
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::{Zeroize, Zeroizing};

use super::Secret;
use crate::fault::{Fault, Status};
use crate::time::Random;

/// Format of sealed values: version, length of the key id, key id, nonce,
/// ciphertext with tag.
const VERSION: u8 = 1;
/// The highest version there may ever be.
const NEWEST: u8 = 31;
/// First line of a key file.
const HEADER: &str = "standin-keys 1";
/// Longest key file, bytes.
const LONGEST: u64 = 64 * 1024;

struct Key {
    id: String,
    bytes: Secret,
    aead: LessSafeKey,
}

/// The keys of one key file. The first one seals; all of them open.
pub struct KeyRing {
    keys: Vec<Key>,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|k| &k.id)).finish()
    }
}

impl KeyRing {
    /// A ring with one new key, not written anywhere.
    ///
    /// # Errors
    /// When the generator fails.
    pub fn generate(random: &dyn Random) -> Result<Self, Fault> {
        let mut ring = Self { keys: Vec::new() };
        ring.rotate(random)?;
        Ok(ring)
    }

    /// Adds a new key that seals from now on; the others still open.
    ///
    /// # Errors
    /// When the generator fails.
    pub fn rotate(&mut self, random: &dyn Random) -> Result<(), Fault> {
        let mut id = [0; 4];
        random.fill(&mut id)?;
        let id = id.iter().map(|b| format!("{b:02x}")).collect();
        self.keys.insert(0, key(id, Secret::random(random, 32)?)?);
        Ok(())
    }

    /// Writes a new key file, readable by its owner only.
    ///
    /// # Errors
    /// [`Status::Conflict`] when the file exists; otherwise what failed.
    pub fn create(&self, path: &Path) -> Result<(), Fault> {
        let shown = path.display();
        let failed = |e: std::io::Error| match e.kind() {
            std::io::ErrorKind::AlreadyExists => {
                Fault::new(Status::Conflict, format!("the key file {shown} exists already"))
            }
            _ => Fault::new(Status::InvalidSetting, format!("key file {shown}: {e}")),
        };
        let mut text = Zeroizing::new(format!("{HEADER}\n"));
        for key in &self.keys {
            let mut encoded = STANDARD.encode(key.bytes.expose());
            text.push_str(&format!("{} {encoded}\n", key.id));
            encoded.zeroize();
        }
        let mut file =
            std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// When it is missing, readable by others, or malformed: with what to do.
    pub fn read(path: &Path) -> Result<Self, Fault> {
        let shown = path.display();
        let bad = |text: String| Fault::new(Status::InvalidSetting, text);
        let mut file =
            std::fs::File::open(path).map_err(|e| bad(format!("key file {shown}: {e}; `standin init` makes one")))?;
        let meta = file.metadata().map_err(|e| bad(format!("key file {shown}: {e}")))?;
        let mode = meta.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(bad(format!(
                "key file {shown} has mode {mode:04o}: others may read it; run `chmod 600 {shown}`"
            )));
        }
        if meta.len() > LONGEST {
            return Err(bad(format!("key file {shown} has {} bytes; it is not a key file", meta.len())));
        }
        let mut text = Zeroizing::new(String::new());
        file.read_to_string(&mut text).map_err(|e| bad(format!("key file {shown}: {e}")))?;
        let mut lines = text.lines();
        match lines.next() {
            Some(HEADER) => {}
            Some(other) if other.starts_with("standin-keys ") => {
                return Err(Fault::new(
                    Status::NewerFormat,
                    format!("key file {shown} begins with {other:?}; this version reads {HEADER:?}"),
                ));
            }
            _ => return Err(bad(format!("key file {shown} does not begin with {HEADER:?}"))),
        }
        let mut keys = Vec::new();
        for (n, line) in lines.enumerate().filter(|(_, l)| !l.is_empty()) {
            let wrong =
                || bad(format!("key file {shown}, line {}: `ID BASE64` with a key of 32 bytes is accepted", n + 2));
            let (id, encoded) = line.split_once(' ').ok_or_else(wrong)?;
            let bytes = Secret::new(STANDARD.decode(encoded).map_err(|_| wrong())?);
            if id.is_empty() || id.len() > 64 || bytes.expose().len() != 32 {
                return Err(wrong());
            }
            keys.push(key(id.to_owned(), bytes)?);
        }
        if keys.is_empty() {
            return Err(bad(format!("key file {shown} holds no key")));
        }
        Ok(Self { keys })
    }

    /// Seals `plain` for the place `context` names.
    ///
    /// # Errors
    /// When the generator or the cipher fails.
    pub fn seal(&self, random: &dyn Random, context: &[u8], plain: &[u8]) -> Result<Vec<u8>, Fault> {
        let key = self.keys.first().ok_or_else(|| Fault::internal("the key ring is empty"))?;
        let mut nonce = [0; NONCE_LEN];
        random.fill(&mut nonce)?;
        let mut body = Zeroizing::new(plain.to_vec());
        key.aead
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut *body)
            .map_err(|_| Fault::internal("sealing failed"))?;
        let id_len = u8::try_from(key.id.len()).map_err(|_| Fault::internal("a key id is too long"))?;
        let mut out = vec![VERSION, id_len];
        out.extend_from_slice(key.id.as_bytes());
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&body);
        Ok(out)
    }

    /// Opens what was sealed for the place `context` names.
    ///
    /// # Errors
    /// [`Status::NewerFormat`]; [`Status::Malformed`] when it was altered,
    /// moved, or sealed under a key that is not in this ring.
    pub fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Secret, Fault> {
        let malformed = |text: &str| Fault::new(Status::Malformed, text.to_owned());
        let (version, rest) = sealed.split_first().ok_or_else(|| malformed("a sealed value is empty"))?;
        // What others sealed, such as AWS, is no newer format of this.
        if !(1..=NEWEST).contains(version) {
            return Err(malformed("a sealed value is none of this service"));
        }
        if *version != VERSION {
            return Err(Fault::new(
                Status::NewerFormat,
                format!("a sealed value has format {version}, this version reads {VERSION}"),
            ));
        }
        let (id_len, rest) = rest.split_first().ok_or_else(|| malformed("a sealed value is cut off"))?;
        let cut = || malformed("a sealed value is cut off");
        let (id, rest) = rest.split_at_checked(usize::from(*id_len)).ok_or_else(cut)?;
        let (nonce, body) = rest.split_at_checked(NONCE_LEN).ok_or_else(cut)?;
        let key = self.keys.iter().find(|k| k.id.as_bytes() == id).ok_or_else(|| {
            malformed("a value is sealed under a key that is not in the key file; is it the key file of this store?")
        })?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| cut())?;
        let mut body = Zeroizing::new(body.to_vec());
        let plain = key.aead.open_in_place(nonce, Aad::from(context), &mut body).map_err(|_| {
            malformed("a sealed value was altered, moved, or sealed under another key of the same name")
        })?;
        Ok(Secret::new(plain.to_vec()))
    }
}

fn key(id: String, bytes: Secret) -> Result<Key, Fault> {
    let aead =
        UnboundKey::new(&AES_256_GCM, bytes.expose()).map_err(|_| Fault::internal("a sealing key was not accepted"))?;
    Ok(Key { id, bytes, aead: LessSafeKey::new(aead) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::SystemRandom;

    #[test]
    fn what_was_altered_or_moved_does_not_open() {
        let ring = KeyRing::generate(&SystemRandom).unwrap();
        let sealed = ring.seal(&SystemRandom, b"here", b"plain").unwrap();
        assert_eq!(ring.open(b"here", &sealed).unwrap().expose(), b"plain");
        assert_eq!(ring.open(b"there", &sealed).unwrap_err().status, Status::Malformed);
        for n in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[n] ^= 1;
            assert!(ring.open(b"here", &altered).is_err(), "byte {n}");
            assert!(ring.open(b"here", &sealed[..n]).is_err(), "cut at {n}");
        }
    }

    #[test]
    fn a_token_of_aws_is_malformed_and_not_of_a_newer_format() {
        let ring = KeyRing::generate(&SystemRandom).unwrap();
        let open = |bytes: &[u8]| ring.open(b"", bytes).unwrap_err().status;
        // Their session tokens begin with 0x21.
        assert_eq!(open(&[0x21, 0x0a, 0x09, 0x06]), Status::Malformed);
        assert_eq!(open(&[0; 40]), Status::Malformed);
        assert_eq!(open(&[2; 40]), Status::NewerFormat);
    }

    #[test]
    fn a_rotated_ring_still_opens_what_the_old_key_sealed() {
        let mut ring = KeyRing::generate(&SystemRandom).unwrap();
        let old = ring.seal(&SystemRandom, b"", b"old").unwrap();
        ring.rotate(&SystemRandom).unwrap();
        let new = ring.seal(&SystemRandom, b"", b"new").unwrap();
        assert_eq!(ring.open(b"", &old).unwrap().expose(), b"old");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        ring.create(&path).unwrap();
        assert_eq!(ring.create(&path).unwrap_err().status, Status::Conflict);
        let read = KeyRing::read(&path).unwrap();
        assert_eq!(read.open(b"", &old).unwrap().expose(), b"old");
        assert_eq!(read.open(b"", &new).unwrap().expose(), b"new");
    }

    #[test]
    fn a_key_file_that_others_may_read_is_refused_with_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        KeyRing::generate(&SystemRandom).unwrap().create(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(KeyRing::read(&path).unwrap_err().text.contains("chmod 600"));
    }
}
