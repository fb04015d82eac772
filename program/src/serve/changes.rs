// SPDX-License-Identifier: Apache-2.0
//! Questions of hosts for changes: those that wait keep no thread.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use standin::service::wire;

use super::state::State;
use super::wire::{Refused, changes_asked, changes_now, respond};
use super::work::working;

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
    let mut newest = state.feed.subscribe();
    newest.mark_unchanged();
    let asked = Arc::clone(request);
    let (host, ask) = working(state, move |state| changes_asked(state, &asked)).await?;
    let _seat = state.feed.seat(host)?;
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
