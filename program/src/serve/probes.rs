// SPDX-License-Identifier: Apache-2.0
//! What orchestrators and Prometheus ask.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use standin::access_control::QUOTAS;

use super::metrics::Others;
use super::state::State;
use super::work::text;

/// The process lives.
pub(super) fn health() -> Response<Bytes> {
    text(StatusCode::OK, "text/plain", "ok\n")
}

/// The process can serve: its store can be read, and it does not end.
pub(super) fn ready(state: &State, _: Request<Bytes>) -> Response<Bytes> {
    if state.is_stopping() {
        return text(StatusCode::SERVICE_UNAVAILABLE, "text/plain", "ending\n");
    }
    match state.store.revision() {
        Ok(_) => text(StatusCode::OK, "text/plain", "ready\n"),
        Err(_) => text(StatusCode::SERVICE_UNAVAILABLE, "text/plain", "the store cannot be read\n"),
    }
}

/// How many there are of what has a quota, and may be; nothing while the store
/// cannot be read.
fn quotas(state: &State) -> Vec<(&'static str, i64, Option<i64>)> {
    let Ok(usage) = state.store.usage() else { return Vec::new() };
    let most = |quota| state.store.quotas().most(quota);
    QUOTAS.iter().filter_map(|rule| Some((rule.name, usage.of(rule.quota)?, most(rule.quota)))).collect()
}

/// What is counted.
pub(super) fn metrics(state: &State, _: Request<Bytes>) -> Response<Bytes> {
    let revision = state.store.revision().ok().map(|r| r.0);
    let (denied, unwritten) = state.aws.denied();
    let others = Others {
        revision,
        following: state.feed.waiting(),
        denied,
        unwritten,
        sessions_unkept: state.service.sessions_unkept(),
        signatures_refused: state.aws.signatures_refused(),
        quota_reached: state.aws.quota_reached(),
        quotas: quotas(state),
        limited: state.limits.put_off().collect(),
    };
    text(StatusCode::OK, "text/plain; version=0.0.4", state.metrics.text(&others))
}
