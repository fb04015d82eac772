// SPDX-License-Identifier: Apache-2.0
//! Which request goes where.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::routing::any;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use standin::service::wire::path;

use super::state::State;
use super::work::{Peer, blocking, text, whole};
use super::{changes, probes, wire};

/// All routes.
pub(super) fn router(state: Arc<State>) -> Router {
    let mut router = Router::new()
        // It lives also while there is no room to work.
        .route("/health", any(|| async { probes::health().map(Body::from) }))
        .route("/ready", blocking("ready", probes::ready))
        .route("/metrics", blocking("metrics", probes::metrics))
        .route("/", blocking("aws", aws))
        .route(path::CHANGES, any(follow));
    for (path, name, handle) in wire::ROUTES {
        router = router.route(path, blocking(name, handle));
    }
    let unknown = blocking("unknown", |_, _| text(StatusCode::NOT_FOUND, "text/plain", "no such page\n"));
    router.fallback_service(unknown.with_state(Arc::clone(&state))).with_state(state)
}

/// The query protocols of IAM and STS.
fn aws(state: &State, request: Request<Bytes>) -> Response<Bytes> {
    let address = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
    state.aws.handle(&request, crate::aws::Peer { address, secure: true })
}

/// Changes wait without keeping a thread.
async fn follow(
    axum::extract::State(state): axum::extract::State<Arc<State>>,
    request: Request<Body>,
) -> Response<Body> {
    let begun = Instant::now();
    let response = match whole(&state, request).await {
        Ok(request) => changes::changes(Arc::clone(&state), request).await,
        Err(response) => response,
    };
    state.metrics.request("changes", response.status().as_u16(), begun.elapsed());
    response.map(Body::from)
}
