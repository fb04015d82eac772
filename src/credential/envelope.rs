// SPDX-License-Identifier: Apache-2.0
//! Sealing: AES-256-GCM under named keys from a key file that is kept apart
//! from what is sealed. The place a value belongs to is bound in, so that a
//! sealed value cannot be moved to another.

use std::fmt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::Secret;
use super::key_file::{self, Seen};
use crate::fault::{Fault, Status};
use crate::time::Random;

/// Format of sealed values: version, length of the key id, key id, nonce,
/// ciphertext with tag.
const VERSION: u8 = 1;
/// The highest version there may ever be.
const NEWEST: u8 = 31;
/// How often a ring looks whether its file was replaced.
const LOOK: Duration = Duration::from_millis(500);

struct Key {
    id: String,
    bytes: Secret,
    aead: LessSafeKey,
}

/// The keys in force: the first one seals, all of them open.
type Keys = Vec<Arc<Key>>;

/// The keys of one key file. The first one seals; all of them open. When the
/// file is replaced, by a change of keys, the ring follows it.
pub struct KeyRing {
    keys: ArcSwap<Keys>,
    file: Option<Watched>,
}

struct Watched {
    path: PathBuf,
    /// The state the keys were read in, and when it was last compared.
    seen: Mutex<(Seen, Instant)>,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

impl KeyRing {
    /// A ring with one new key, not written anywhere.
    ///
    /// # Errors
    /// When the generator fails.
    pub fn generate(random: &dyn Random) -> Result<Self, Fault> {
        let keys = vec![new_key(random)?];
        Ok(Self { keys: ArcSwap::from_pointee(keys), file: None })
    }

    /// Writes a new key file, readable by its owner only.
    ///
    /// # Errors
    /// [`Status::Conflict`] when the file exists; otherwise what failed.
    pub fn create(&self, path: &Path) -> Result<(), Fault> {
        key_file::create(path, self.keys.load().iter().map(|k| (k.id.as_str(), &k.bytes)))
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// When it is missing, readable by others, or malformed: with what to do.
    pub fn read(path: &Path) -> Result<Self, Fault> {
        let (keys, seen) = parsed(path)?;
        let file = Watched { path: path.to_owned(), seen: Mutex::new((seen, Instant::now())) };
        Ok(Self { keys: ArcSwap::from_pointee(keys), file: Some(file) })
    }

    /// Ids of the keys; the first one seals.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        self.keys.load().iter().map(|k| k.id.clone()).collect()
    }

    /// Id of the key that seals.
    pub(crate) fn first(&self) -> Result<String, Fault> {
        let keys = self.keys.load();
        keys.first().map(|k| k.id.clone()).ok_or_else(|| Fault::internal("the key ring is empty"))
    }

    /// Reads the file again.
    pub(crate) fn reload(&self) -> Result<(), Fault> {
        let file = self.file()?;
        let (keys, seen) = parsed(&file.path)?;
        self.keys.store(Arc::new(keys));
        *file.seen.lock().unwrap_or_else(PoisonError::into_inner) = (seen, Instant::now());
        Ok(())
    }

    /// Keeps others from changing the file while the answer is kept.
    pub(crate) fn lock_file(&self) -> Result<std::fs::File, Fault> {
        let mut path = self.file()?.path.clone().into_os_string();
        path.push(".lock");
        let path = PathBuf::from(path);
        let shown = path.display();
        let failed = |e: String| Fault::new(Status::InvalidSetting, format!("{shown}: {e}"));
        let file = std::fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(|e| failed(e.to_string()))?;
        rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| Fault::new(Status::Busy, "another process is changing the sealing keys"))?;
        Ok(file)
    }

    /// Adds a key to the file that does not seal yet; its id.
    pub(crate) fn prepare(&self, random: &dyn Random) -> Result<String, Fault> {
        let key = new_key(random)?;
        let id = key.id.clone();
        self.change(|keys| keys.push(key))?;
        Ok(id)
    }

    /// Adds a new key to the file that seals from now on.
    pub(crate) fn rotate_file(&self, random: &dyn Random) -> Result<(), Fault> {
        let key = new_key(random)?;
        self.change(|keys| keys.insert(0, key))
    }

    /// Lets a key of the file seal from now on.
    pub(crate) fn put_in_force(&self, id: &str) -> Result<(), Fault> {
        self.change(|keys| {
            if let Some(at) = keys.iter().position(|k| k.id == id) {
                let key = keys.remove(at);
                keys.insert(0, key);
            }
        })
    }

    /// Takes keys out of the file, but never the one that seals.
    pub(crate) fn forget(&self, ids: &[String]) -> Result<(), Fault> {
        let first = self.first()?;
        self.change(|keys| keys.retain(|k| k.id == first || !ids.contains(&k.id)))
    }

    fn file(&self) -> Result<&Watched, Fault> {
        self.file.as_ref().ok_or_else(|| Fault::internal("the key ring has no file"))
    }

    fn change(&self, change: impl FnOnce(&mut Keys)) -> Result<(), Fault> {
        let mut keys = Keys::clone(&self.keys.load());
        change(&mut keys);
        key_file::replace(&self.file()?.path, keys.iter().map(|k| (k.id.as_str(), &k.bytes)))?;
        self.reload()
    }

    /// Follows the file when it was replaced. A file that cannot be read leaves
    /// the keys as they are: what they open is no less valid.
    fn follow(&self, at_once: bool) {
        let Some(file) = &self.file else { return };
        let changed = {
            let mut seen = file.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if !at_once && seen.1.elapsed() < LOOK {
                return;
            }
            seen.1 = Instant::now();
            key_file::seen(&file.path).is_some_and(|now| now != seen.0)
        };
        if changed {
            drop(self.reload());
        }
    }

    /// Seals `plain` for the place `context` names.
    ///
    /// # Errors
    /// When the generator or the cipher fails.
    pub fn seal(&self, random: &dyn Random, context: &[u8], plain: &[u8]) -> Result<Vec<u8>, Fault> {
        self.follow(false);
        let keys = self.keys.load();
        let key = keys.first().ok_or_else(|| Fault::internal("the key ring is empty"))?;
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
        let (id, rest) = parts(sealed)?;
        let cut = || malformed("a sealed value is cut off");
        let (nonce, body) = rest.split_at_checked(NONCE_LEN).ok_or_else(cut)?;
        let find = || self.keys.load().iter().find(|k| k.id.as_bytes() == id).map(Arc::clone);
        let key = find().or_else(|| {
            // Another process may have changed the keys just now.
            self.follow(true);
            find()
        });
        let key = key.ok_or_else(|| {
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

/// Key id and the rest of a sealed value.
fn parts(sealed: &[u8]) -> Result<(&[u8], &[u8]), Fault> {
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
    rest.split_at_checked(usize::from(*id_len)).ok_or_else(|| malformed("a sealed value is cut off"))
}

/// Id of the key a value is sealed under.
pub(crate) fn key_of(sealed: &[u8]) -> Result<&str, Fault> {
    let (id, _) = parts(sealed)?;
    std::str::from_utf8(id).map_err(|_| Fault::new(Status::Malformed, "the key id of a sealed value is not text"))
}

fn parsed(path: &Path) -> Result<(Keys, Seen), Fault> {
    let (read, seen) = key_file::read(path)?;
    let keys = read.into_iter().map(|(id, bytes)| key(id, bytes)).collect::<Result<_, _>>()?;
    Ok((keys, seen))
}

fn new_key(random: &dyn Random) -> Result<Arc<Key>, Fault> {
    let mut id = [0; 4];
    random.fill(&mut id)?;
    let id = id.iter().map(|b| format!("{b:02x}")).collect();
    key(id, Secret::random(random, 32)?)
}

fn key(id: String, bytes: Secret) -> Result<Arc<Key>, Fault> {
    let aead =
        UnboundKey::new(&AES_256_GCM, bytes.expose()).map_err(|_| Fault::internal("a sealing key was not accepted"))?;
    Ok(Arc::new(Key { id, bytes, aead: LessSafeKey::new(aead) }))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

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
    fn a_ring_follows_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        let made = KeyRing::generate(&SystemRandom).unwrap();
        made.create(&path).unwrap();
        assert_eq!(made.create(&path).unwrap_err().status, Status::Conflict);
        let (one, other) = (KeyRing::read(&path).unwrap(), KeyRing::read(&path).unwrap());
        let old = one.seal(&SystemRandom, b"", b"old").unwrap();
        one.rotate_file(&SystemRandom).unwrap();
        let new = one.seal(&SystemRandom, b"", b"new").unwrap();
        assert_ne!(key_of(&old).unwrap(), key_of(&new).unwrap());
        for ring in [&one, &other, &KeyRing::read(&path).unwrap()] {
            assert_eq!(ring.open(b"", &new).unwrap().expose(), b"new");
            assert_eq!(ring.open(b"", &old).unwrap().expose(), b"old");
        }
        // A key that is prepared opens and does not seal.
        let prepared = one.prepare(&SystemRandom).unwrap();
        assert_ne!(one.first().unwrap(), prepared);
        one.put_in_force(&prepared).unwrap();
        assert_eq!(one.first().unwrap(), prepared);
        one.forget(&one.ids()).unwrap();
        assert_eq!(one.ids(), [prepared]);
        assert_eq!(one.open(b"", &old).unwrap_err().status, Status::Malformed);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
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
