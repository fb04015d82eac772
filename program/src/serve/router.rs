// SPDX-License-Identifier: Apache-2.0
//! Which request goes where. A handler is a plain function of the state and a
//! request that was read whole; it runs on a thread that may wait.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::routing::{MethodRouter, any};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Limited};

use super::{State, probes};

/// Longest body of a request, bytes.
pub(super) const BODY: usize = 1 << 20;
/// How long the body of a request may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(10);
/// How long a request waits for room to work.
const ROOM: Duration = Duration::from_secs(1);

/// A handler.
pub(crate) type Handle = fn(&State, Request<Bytes>) -> Response<Bytes>;

/// From where a request came, among its extensions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// All routes.
pub(super) fn router(state: Arc<State>) -> Router {
    Router::new()
        .route("/health", blocking("health", probes::health))
        .route("/ready", blocking("ready", probes::ready))
        .route("/metrics", blocking("metrics", probes::metrics))
        .route("/", blocking("aws", aws))
        .fallback_service(
            blocking("unknown", |_, _| text(StatusCode::NOT_FOUND, "text/plain", "no such page\n"))
                .with_state(Arc::clone(&state)),
        )
        .with_state(state)
}

/// The query protocols of IAM and STS.
fn aws(state: &State, request: Request<Bytes>) -> Response<Bytes> {
    let address = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
    state.aws.handle(&request, crate::aws::Peer { address, secure: true })
}

/// A response with a text.
pub(crate) fn text(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Routes every method to `handle`, which may wait for the store; `name`
/// stands in the metrics.
pub(crate) fn blocking(name: &'static str, handle: Handle) -> MethodRouter<Arc<State>> {
    any(move |axum::extract::State(state): axum::extract::State<Arc<State>>, request: Request<Body>| async move {
        let begun = Instant::now();
        let response = run(Arc::clone(&state), handle, request).await;
        state.metrics.request(name, response.status().as_u16(), begun.elapsed());
        response.map(Body::from)
    })
}

async fn run(state: Arc<State>, handle: Handle, request: Request<Body>) -> Response<Bytes> {
    let (parts, body) = request.into_parts();
    let body = match tokio::time::timeout(ARRIVAL, Limited::new(body, BODY).collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(e)) if e.is::<http_body_util::LengthLimitError>() => {
            return text(StatusCode::PAYLOAD_TOO_LARGE, "text/plain", "the request is too long\n");
        }
        Ok(Err(_)) => return text(StatusCode::BAD_REQUEST, "text/plain", "the request did not arrive whole\n"),
        Err(_) => return text(StatusCode::REQUEST_TIMEOUT, "text/plain", "the request arrived too slowly\n"),
    };
    let Ok(Ok(_room)) = tokio::time::timeout(ROOM, state.working.acquire()).await else {
        state.metrics.busy.fetch_add(1, Ordering::Relaxed);
        let mut response = text(StatusCode::SERVICE_UNAVAILABLE, "text/plain", "busy\n");
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        return response;
    };
    let request = Request::from_parts(parts, body);
    let worker = Arc::clone(&state);
    let work = move || catch_unwind(AssertUnwindSafe(|| handle(&worker, request)));
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) | Err(_) => {
            state.metrics.panics.fetch_add(1, Ordering::Relaxed);
            text(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", "a defect\n")
        }
    }
}
