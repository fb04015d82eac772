// SPDX-License-Identifier: Apache-2.0
//! The service's certificate, taken anew without a restart: when its files
//! change, and on SIGHUP. One that is not good leaves the present one in place.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::ServerConfig;
use standin::fault::{Fault, Status};
use standin::time::UnixMillis;
use tokio::signal::unix::Signal;

use super::state::State;
use super::tls::configuration;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// What shows that a file is another: device, number, length, and when it was
/// written, to the nanosecond.
type Stamp = [(u64, u64, u64, i64, i64); 2];

struct Present {
    configuration: Arc<ServerConfig>,
    /// Of the files that were read last, good or not.
    stamp: Option<Stamp>,
}

/// See the module's page.
pub(super) struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    present: Mutex<Present>,
}

impl Certificate {
    /// The certificate in these files, and when it ends.
    ///
    /// # Errors
    /// With what is wrong with them.
    pub(super) fn open(chain: PathBuf, key: PathBuf) -> Result<(Self, UnixMillis), Fault> {
        // Before they are read: what is written meanwhile is noticed.
        let stamp = stamp(&chain, &key);
        let (configuration, ends) = configuration(&chain, &key)?;
        Ok((Self { chain, key, present: Mutex::new(Present { configuration, stamp }) }, ends))
    }

    /// What new connections begin with.
    pub(super) fn configuration(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.present.lock().unwrap_or_else(PoisonError::into_inner).configuration)
    }

    /// Takes what the files hold; when it ends. None when they are those that
    /// were read last.
    fn take(&self, anyway: bool, now: UnixMillis) -> Option<Result<UnixMillis, Fault>> {
        let stamp = stamp(&self.chain, &self.key);
        {
            let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
            if !anyway && present.stamp == stamp {
                return None;
            }
            // Noted also when they are not good: that is said once.
            present.stamp = stamp;
        }
        Some(configuration(&self.chain, &self.key).and_then(|(configuration, ends)| {
            if ends <= now {
                let text = format!("{}: the certificate has expired", self.chain.display());
                return Err(Fault::new(Status::Expired, text));
            }
            self.present.lock().unwrap_or_else(PoisonError::into_inner).configuration = configuration;
            Ok(ends)
        }))
    }
}

/// None while a file is not there: then nothing is new.
fn stamp(chain: &Path, key: &Path) -> Option<Stamp> {
    let of = |path: &Path| {
        let found = std::fs::metadata(path).ok()?;
        Some((found.dev(), found.ino(), found.len(), found.mtime(), found.mtime_nsec()))
    };
    Some([of(chain)?, of(key)?])
}

/// Looks at the files from time to time, and whenever `hang_up` comes.
pub(super) async fn follow(certificate: Arc<Certificate>, state: Arc<State>, mut hang_up: Signal) {
    loop {
        let told = tokio::select! {
            _ = hang_up.recv() => true,
            () = tokio::time::sleep(LOOK) => false,
        };
        let (certificate, now) = (Arc::clone(&certificate), state.clock.wall());
        let taken = tokio::task::spawn_blocking(move || certificate.take(told, now)).await;
        let metrics = &state.metrics;
        match taken.ok().flatten() {
            Some(Ok(ends)) => {
                metrics.certificate_ends.store(ends.seconds(), Ordering::Relaxed);
                metrics.certificates_taken.fetch_add(1, Ordering::Relaxed);
                eprintln!("standin: info the certificate was taken anew");
            }
            Some(Err(fault)) => {
                metrics.certificates_refused.fetch_add(1, Ordering::Relaxed);
                eprintln!("standin: error the new certificate is not used, the one before is kept: {fault}");
            }
            None => {}
        }
    }
}
