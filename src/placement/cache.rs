// SPDX-License-Identifier: Apache-2.0
//! The file in which an agent of its own process keeps what it holds for the
//! time after a restart: one sealed value, replaced as a whole and believed as
//! a whole or not at all.

use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::table::{Kept, Lease, Table};
use crate::audit::Journal;
use crate::credential::envelope::KeyRing;
use crate::credential::sigv4::{KeyScope, LEASE, SigningKey};
use crate::credential::{CredentialKey, Secret};
use crate::fault::{Fault, Status};
use crate::revision::Revision;
use crate::service::{ClientForm, Impersonation};
use crate::time::{Clock, Random, UnixMillis};

const VERSION: u32 = 1;
const CONTEXT: &[u8] = b"agent-cache";
/// Longest file, bytes.
const LONGEST: u64 = 1 << 30;
/// How often it is written though nothing but the time changed: what it says of
/// the feed must be young for it to be of use.
const ANYWAY: Duration = Duration::from_secs(5);
/// Least pause between two writes, and how many times as long as the last one
/// took.
const PAUSE: Duration = Duration::from_millis(500);
const PAUSES: u32 = 20;

#[derive(Serialize, Deserialize)]
struct File {
    v: u32,
    host: String,
    applied: u64,
    /// When the feed was last heard, by the wall clock.
    heard: i64,
    kept: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    access_key_id: String,
    token_hash: [u8; 32],
    name: Vec<u8>,
    client: ClientForm,
    ends: Option<i64>,
    credential_id: String,
    secret: Zeroizing<Vec<u8>>,
    token: Vec<u8>,
    expires: i64,
    leases: Vec<LeaseForm>,
}

#[derive(Serialize, Deserialize)]
struct LeaseForm {
    scope: KeyScope,
    key: Zeroizing<Vec<u8>>,
    until: i64,
}

/// What is to be written.
pub(super) struct State {
    plain: Zeroizing<Vec<u8>>,
    edition: u64,
}

#[derive(Default)]
struct Written {
    edition: Option<u64>,
    /// When, and how long it took.
    last: Option<(Instant, Duration)>,
}

/// See the module's page.
pub struct Cache {
    path: PathBuf,
    host: String,
    ring: KeyRing,
    written: Mutex<Written>,
    found: Mutex<Option<File>>,
}

fn setting(text: String) -> Fault {
    Fault::new(Status::InvalidSetting, text)
}

impl Cache {
    /// Opens the file, if there is one, under the key file, which is made when
    /// missing. What cannot be believed is left aside, with a line.
    ///
    /// # Errors
    /// [`Status::InvalidSetting`] when others may read either file, or the key
    /// file cannot be read or made.
    pub fn open(
        (path, key_file): &(PathBuf, PathBuf),
        host: &str,
        random: &dyn Random,
        journal: &Journal,
    ) -> Result<Self, Fault> {
        if !key_file.exists() {
            KeyRing::generate(random)?.create(key_file)?;
        }
        let ring = KeyRing::read(key_file)?;
        let found = match read(path)? {
            None => None,
            Some(sealed) => match open(&ring, &sealed, host) {
                Ok(file) => Some(file),
                Err(fault) => {
                    journal.line("warn", &format!("what was kept in {} is not used: {fault}", path.display()));
                    None
                }
            },
        };
        Ok(Self {
            path: path.clone(),
            host: host.to_owned(),
            ring,
            written: Mutex::default(),
            found: Mutex::new(found),
        })
    }

    /// Puts what was found into the table, as far as it is not over.
    pub(super) fn restore(&self, table: &mut Table, clock: &dyn Clock) {
        let Some(file) = self.found.lock().ok().and_then(|mut found| found.take()) else { return };
        let (now, wall) = (clock.steady(), clock.wall());
        let steady_of = |at: i64| now.plus(at.saturating_sub(wall.0));
        // A clock that was set back says nothing of how old this is.
        let trusted = file.heard <= wall.0;
        table.applied = Some(Revision(file.applied));
        table.heard = trusted.then(|| steady_of(file.heard));
        for entry in file.kept {
            if entry.expires <= wall.0 || entry.ends.is_some_and(|end| end <= wall.0) {
                continue;
            }
            let Ok(client) = entry.client.client() else { continue };
            let live = |l: &LeaseForm| trusted && l.until > wall.0 && l.until - wall.0 <= LEASE;
            let lease = |l: LeaseForm| Lease {
                until: steady_of(l.until),
                key: Arc::new(SigningKey::of(Secret::new(l.key.to_vec()))),
                scope: l.scope,
            };
            let kept = Kept {
                name: entry.name,
                client,
                ends: entry.ends.map(UnixMillis),
                credential: Arc::new(Impersonation {
                    id: entry.credential_id,
                    secret: Some(Secret::new(entry.secret.to_vec())),
                    token: entry.token,
                    expires: UnixMillis(entry.expires),
                }),
                expires: steady_of(entry.expires),
                leases: entry.leases.into_iter().filter(live).map(lease).collect(),
            };
            table.add(CredentialKey { access_key_id: entry.access_key_id, token: entry.token_hash }, kept);
        }
    }

    /// What is to be written; none when it is not time to.
    pub(super) fn state(&self, table: &Table, clock: &dyn Clock) -> Result<Option<State>, Fault> {
        // Before the service was heard nothing is known to be in force.
        let (Some(applied), Some(heard)) = (table.applied, table.heard) else { return Ok(None) };
        let written = self.written.lock().map_err(|_| Fault::internal("the agent's file failed earlier"))?;
        if let Some((at, took)) = written.last {
            let changed = written.edition != Some(table.edition);
            let pause = if changed { PAUSE.max(took * PAUSES) } else { ANYWAY.max(took * PAUSES) };
            if at.elapsed() < pause {
                return Ok(None);
            }
        }
        let (now, wall) = (clock.steady(), clock.wall());
        let entry = |(key, kept): (&CredentialKey, &Kept)| Entry {
            access_key_id: key.access_key_id.clone(),
            token_hash: key.token,
            name: kept.name.clone(),
            client: ClientForm::of(&kept.client),
            ends: kept.ends.map(|e| e.0),
            credential_id: kept.credential.id.clone(),
            secret: Zeroizing::new(kept.credential.secret.as_ref().map(|s| s.expose().to_vec()).unwrap_or_default()),
            token: kept.credential.token.clone(),
            expires: kept.credential.expires.0,
            leases: kept
                .leases
                .iter()
                .map(|lease| LeaseForm {
                    scope: lease.scope.clone(),
                    key: Zeroizing::new(lease.key.expose().expose().to_vec()),
                    until: wall.plus(lease.until.since(now)).0,
                })
                .collect(),
        };
        let file = File {
            v: VERSION,
            host: self.host.clone(),
            applied: applied.0,
            heard: wall.plus(-now.since(heard)).0,
            kept: table.kept.iter().map(entry).collect(),
        };
        let plain = serde_json::to_vec(&file)
            .map(Zeroizing::new)
            .map_err(|e| Fault::internal(format!("what is kept could not be written out: {e}")))?;
        Ok(Some(State { plain, edition: table.edition }))
    }

    /// Has the next `Cache::state` be written whatever the pause.
    pub fn hurry(&self) {
        if let Ok(mut written) = self.written.lock() {
            written.last = None;
        }
    }

    /// Writes it, in the place of what was there.
    pub(super) fn store(&self, state: State, random: &dyn Random) -> Result<(), Fault> {
        let begun = Instant::now();
        let mut sealed = self.ring.seal(random, CONTEXT, &state.plain)?;
        drop(state.plain);
        let result = replace(&self.path, &sealed);
        sealed.zeroize();
        if let Ok(mut written) = self.written.lock() {
            written.last = Some((Instant::now(), begun.elapsed()));
            written.edition = result.is_ok().then_some(state.edition);
        }
        result.map_err(|e| Fault::unavailable(format!("{}: {e}", self.path.display())))
    }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, Fault> {
    let shown = path.display();
    let mut file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(setting(format!("{shown}: {e}"))),
    };
    let meta = file.metadata().map_err(|e| setting(format!("{shown}: {e}")))?;
    let mode = meta.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(setting(format!("{shown} has mode {mode:04o}: others may read it; run `chmod 600 {shown}`")));
    }
    if meta.len() > LONGEST {
        return Err(setting(format!("{shown} has {} bytes; it is not the agent's file", meta.len())));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|e| setting(format!("{shown}: {e}")))?;
    Ok(Some(bytes))
}

fn open(ring: &KeyRing, sealed: &[u8], host: &str) -> Result<File, Fault> {
    let plain = ring.open(CONTEXT, sealed)?;
    let file: File = serde_json::from_slice(plain.expose())
        .map_err(|_| Fault::new(Status::NewerFormat, "it is of another version of this program"))?;
    if file.v != VERSION {
        return Err(Fault::new(Status::NewerFormat, format!("it has format {}, this version reads {VERSION}", file.v)));
    }
    if file.host != host {
        return Err(setting(format!("it belongs to {}, not to {host}", file.host)));
    }
    Ok(file)
}

fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut beside = path.to_path_buf().into_os_string();
    beside.push(".new");
    // Nothing of an earlier attempt, whatever its mode was.
    let _absent = std::fs::remove_file(&beside);
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    std::fs::File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}
