// SPDX-License-Identifier: Apache-2.0
//! The change feed: one thread looks at the store's revision, and everybody
//! who waits for a change is woken by it.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use standin::fault::Fault;
use standin::service::wire;
use tokio::sync::watch;

use super::State;
use super::router::working;
use super::wire::{Refused, changes_asked, changes_now, respond};

/// How often the store is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// The newest revision that was seen, and whether the service ends.
pub(super) struct Feed {
    newest: watch::Sender<(u64, bool)>,
}

impl Default for Feed {
    fn default() -> Self {
        Self { newest: watch::Sender::new((0, false)) }
    }
}

impl Feed {
    /// Starts looking, until the state is gone or the service ends.
    pub(super) fn start(state: &Arc<State>) -> Result<(), Fault> {
        let state: Weak<State> = Arc::downgrade(state);
        let look = move || {
            while let Some(state) = state.upgrade() {
                if state.is_stopping() {
                    state.feed.newest.send_modify(|seen| seen.1 = true);
                    return;
                }
                // A store that cannot be read is told of by whoever reads next.
                if let Ok(revision) = state.store.revision() {
                    state.feed.newest.send_if_modified(|seen| std::mem::replace(&mut seen.0, revision.0) != revision.0);
                }
                drop(state);
                std::thread::sleep(LOOK);
            }
        };
        let started = std::thread::Builder::new().name("standin-feed".into()).spawn(look);
        started.map(drop).map_err(|e| Fault::internal(format!("a thread could not be started: {e}")))
    }
}

/// Answers a question for changes: at once when there are some, else when
/// there is one or the wait is over.
pub(super) async fn changes(state: Arc<State>, request: Request<Bytes>) -> Response<Bytes> {
    let request = Arc::new(request);
    let result = wait(&state, &request).await;
    let result = result.and_then(|form| wire::write(&form).map_err(Refused::from));
    respond(&state, &request, result)
}

async fn wait(state: &Arc<State>, request: &Arc<Request<Bytes>>) -> Result<wire::ChangesForm, Refused> {
    let begun = Instant::now();
    let mut newest = state.feed.newest.subscribe();
    newest.mark_unchanged();
    let asked = Arc::clone(request);
    let ask = working(state, move |state| changes_asked(state, &asked)).await?;
    let ask = Arc::new(ask);
    let until = begun + Duration::from_millis(ask.wait.unsigned_abs());
    loop {
        let waited = i64::try_from(begun.elapsed().as_millis()).unwrap_or(0);
        let asked = Arc::clone(&ask);
        let form = working(state, move |state| changes_now(state, &asked, waited)).await?;
        let over = Instant::now() >= until || state.is_stopping();
        if ask.after.is_none() || !form.is_empty() || over {
            return Ok(form);
        }
        // A change between reading and here has marked it as changed.
        let _woken = tokio::time::timeout_at(until.into(), newest.changed()).await;
    }
}
