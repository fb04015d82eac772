// SPDX-License-Identifier: Apache-2.0
//! The change feed: one thread waits for the store's next revision, and
//! everybody who waits for a change is woken by it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use standin::access_control::Store;
use standin::fault::{Fault, Status};
use standin::revision::Revision;
use tokio::sync::watch;

/// How long the store is waited for at a time: so long this thread may take to
/// notice that it is not needed any more.
const WAIT: Duration = Duration::from_secs(5);
/// Pause after the store could not be read.
const PAUSE: Duration = Duration::from_millis(100);

/// Most waits of one host at once; an agent has one.
const WAITS: usize = 32;

/// See the module's page.
pub(super) struct Feed {
    /// The newest revision that was seen, and whether the service ends.
    newest: watch::Sender<(u64, bool)>,
    /// How many waits each host has.
    waits: Mutex<HashMap<String, usize>>,
}

/// One wait of a host.
pub(super) struct Seat<'f> {
    feed: &'f Feed,
    host: String,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut waits = self.feed.waits();
        if let Some(count) = waits.get_mut(&self.host) {
            *count -= 1;
            if *count == 0 {
                waits.remove(&self.host);
            }
        }
    }
}

impl Default for Feed {
    fn default() -> Self {
        Self { newest: watch::Sender::new((0, false)), waits: Mutex::default() }
    }
}

impl Feed {
    /// Starts waiting for revisions, until the feed is gone or the service ends.
    pub(super) fn start(self: &Arc<Self>, store: &Arc<Store>) -> Result<(), Fault> {
        let (feed, store) = (Arc::downgrade(self), Arc::downgrade(store));
        let follow = move || {
            let mut seen = Revision::default();
            while let Some((feed, store)) = feed.upgrade().zip(store.upgrade()).filter(|(feed, _)| !feed.is_over()) {
                match store.wait(seen, WAIT) {
                    Ok(newest) => {
                        let woken = wakes(&store, seen);
                        seen = newest;
                        if !woken {
                            continue;
                        }
                        let tell = |told: &mut (u64, bool)| std::mem::replace(&mut told.0, newest.0) != newest.0;
                        feed.newest.send_if_modified(tell);
                    }
                    // Told of by whoever reads next.
                    Err(_) => std::thread::sleep(PAUSE),
                }
            }
        };
        let started = std::thread::Builder::new().name("standin-feed".into()).spawn(follow);
        started.map(drop).map_err(|e| Fault::internal(format!("a thread could not be started: {e}")))
    }

    fn waits(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        // Nothing is done under this lock that could leave it half done.
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A wait of this host.
    pub(super) fn seat(&self, host: String) -> Result<Seat<'_>, Fault> {
        let mut waits = self.waits();
        let count = waits.entry(host.clone()).or_default();
        if *count >= WAITS {
            return Err(Fault::new(Status::Busy, format!("{host} waits {WAITS} times already")));
        }
        *count += 1;
        drop(waits);
        Ok(Seat { feed: self, host })
    }

    /// Wakes everybody who waits: the service ends.
    pub(super) fn end(&self) {
        self.newest.send_modify(|told| told.1 = true);
    }

    /// Wakes whoever holds it when there is something to tell, or the service
    /// ends.
    pub(super) fn subscribe(&self) -> watch::Receiver<(u64, bool)> {
        self.newest.subscribe()
    }

    fn is_over(&self) -> bool {
        self.newest.borrow().1
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.newest.receiver_count()
    }
}

/// True when something happened after `seen` that is told to those who wait.
/// Most revisions are about nobody's sessions, such as the issue of credentials:
/// waking every host for each would be work for the service that any user can
/// make.
fn wakes(store: &Store, seen: Revision) -> bool {
    // What cannot be read is told of by whoever reads next.
    store.changes(seen, 1).map_or(true, |changes| !changes.is_empty())
}

#[cfg(test)]
pub(super) mod tests {
    use standin::access_control::StoreFiles;
    use standin::time::{SystemClock, SystemRandom};

    use super::*;

    /// A store for a test of the service.
    pub(in crate::serve) fn store(dir: &std::path::Path) -> Store {
        let at = StoreFiles { store: dir.join("s.db"), key_file: dir.join("s.key") };
        Store::create(&at, "123456789012", Arc::new(SystemClock::new()), Arc::new(SystemRandom)).unwrap()
    }

    /// Regression: every credential that was issued woke every host.
    #[test]
    fn only_what_is_told_wakes() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        store.create_user("test", "/", "ann", &[]).unwrap();
        let before = store.revision().unwrap();
        store.session_token(&store.principal_of_user("ann").unwrap(), None).unwrap();
        assert!(store.revision().unwrap() > before && !wakes(&store, before));
        store.set_user_disabled("test", "ann", true).unwrap();
        assert!(wakes(&store, before));
        assert!(!wakes(&store, store.revision().unwrap()));
    }
}
