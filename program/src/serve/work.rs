// SPDX-License-Identifier: Apache-2.0
//! How a request becomes work: it is read whole, within bounds, and done by a
//! plain function on a thread that may wait, when there is room for it.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::body::{Body, HttpBody};
use axum::routing::{MethodRouter, any};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use tokio::sync::OwnedSemaphorePermit;

use super::state::State;

/// Longest body of a request, bytes.
pub(super) const BODY: usize = 1 << 20;
/// Bodies up to so many bytes are read whatever else is going on; longer ones when
/// there is room.
const SHORT: u64 = 64 * 1024;
/// How long the body of a request may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(10);
/// How long a request waits for room to work.
const ROOM: Duration = Duration::from_secs(1);

/// A handler.
pub(crate) type Handle = fn(&State, Request<Bytes>) -> Response<Bytes>;

/// From where a request came, among its extensions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

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
    match whole(&state, request).await {
        Ok(request) => match working(&state, move |state| Ok(handle(state, request))).await {
            Ok(response) => response,
            Err(Unworked::Busy) => busy(),
            Err(Unworked::Defect) => text(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", "a defect\n"),
        },
        Err(response) => response,
    }
}

fn busy() -> Response<Bytes> {
    let mut response = text(StatusCode::SERVICE_UNAVAILABLE, "text/plain", "busy\n");
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// The room a long request takes, among its extensions for as long as it is
/// there.
#[derive(Clone)]
struct Room {
    _held: Arc<OwnedSemaphorePermit>,
}

/// The request with its whole body, or what is answered to one that does not
/// arrive, or is long while many others are.
pub(super) async fn whole(state: &State, request: Request<Body>) -> Result<Request<Bytes>, Response<Bytes>> {
    let (mut parts, body) = request.into_parts();
    // One that does not say how long it is may become long.
    if body.size_hint().upper().is_none_or(|most| most > SHORT) {
        let Ok(Ok(room)) = tokio::time::timeout(ROOM, Arc::clone(&state.long).acquire_owned()).await else {
            state.metrics.busy.fetch_add(1, Ordering::Relaxed);
            return Err(busy());
        };
        parts.extensions.insert(Room { _held: Arc::new(room) });
    }
    match tokio::time::timeout(ARRIVAL, Limited::new(body, BODY).collect()).await {
        Ok(Ok(body)) => Ok(Request::from_parts(parts, body.to_bytes())),
        Ok(Err(e)) if e.is::<http_body_util::LengthLimitError>() => {
            Err(text(StatusCode::PAYLOAD_TOO_LARGE, "text/plain", "the request is too long\n"))
        }
        Ok(Err(_)) => Err(text(StatusCode::BAD_REQUEST, "text/plain", "the request did not arrive whole\n")),
        Err(_) => Err(text(StatusCode::REQUEST_TIMEOUT, "text/plain", "the request arrived too slowly\n")),
    }
}

/// Why work was not done.
pub(super) enum Unworked {
    /// Too much is going on.
    Busy,
    /// It panicked.
    Defect,
}

/// Does work that may wait for the store, when there is room for it.
pub(super) async fn working<T, E>(
    state: &Arc<State>,
    work: impl FnOnce(&State) -> Result<T, E> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<Unworked> + Send + 'static,
{
    let Ok(Ok(room)) = tokio::time::timeout(ROOM, Arc::clone(&state.working).acquire_owned()).await else {
        state.metrics.busy.fetch_add(1, Ordering::Relaxed);
        return Err(Unworked::Busy.into());
    };
    let worker = Arc::clone(state);
    let work = move || {
        // Work goes on when whoever asked for it is gone, and takes its room
        // until then.
        let _room = room;
        catch_unwind(AssertUnwindSafe(|| work(&worker)))
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) | Err(_) => {
            state.metrics.panics.fetch_add(1, Ordering::Relaxed);
            Err(Unworked::Defect.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use standin::time::{SystemClock, SystemRandom};

    use super::*;
    use crate::aws::Aws;
    use crate::limits::Limits;
    use crate::serve::feed::tests::store;

    const LONG: Duration = Duration::from_secs(60);

    /// A service with room for one.
    fn state(dir: &std::path::Path) -> Arc<State> {
        let (clock, random) = (Arc::new(SystemClock::new()), Arc::new(SystemRandom));
        let (store, limits) = (Arc::new(store(dir)), Arc::new(Limits::none()));
        let fetch = Arc::new(|_: &str| Err("nobody is asked here.".to_owned()));
        let aws = Aws::new(Arc::clone(&store), clock, random, fetch, Arc::clone(&limits));
        Arc::new(State::new(store, aws, limits, None, 1))
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
    }

    /// Regression: who hung up gave its room back while its work went on, so that
    /// any number could be at work.
    #[test]
    fn work_takes_its_room_until_it_is_done() {
        let (dir, runtime) = (tempfile::tempdir().unwrap(), runtime());
        let state = state(dir.path());
        let ((begun, has_begun), (end, may_end)) = (channel(), channel::<()>());
        let asked = Arc::clone(&state);
        let asking = runtime.spawn(async move {
            let work = move |_: &State| -> Result<(), Unworked> {
                begun.send(()).unwrap();
                may_end.recv_timeout(LONG).unwrap();
                Ok(())
            };
            working(&asked, work).await.map_err(|_| ())
        });
        has_begun.recv_timeout(LONG).unwrap();
        asking.abort();
        assert!(runtime.block_on(asking).unwrap_err().is_cancelled());
        assert_eq!(state.working.available_permits(), 0);
        end.send(()).unwrap();
        let room = runtime.block_on(async { tokio::time::timeout(LONG, state.working.acquire()).await.map(drop) });
        room.unwrap();
    }

    /// Regression: each connection could have the longest body kept for it, all
    /// together some gigabytes, without proving anything.
    #[test]
    fn few_long_requests_are_read_at_once() {
        let (dir, runtime) = (tempfile::tempdir().unwrap(), runtime());
        let state = state(dir.path());
        let ask = |bytes: usize| {
            let request = Request::new(Body::from(vec![b'x'; bytes]));
            runtime.block_on(whole(&state, request)).map_err(|response| response.status())
        };
        let (short, long) = (64 * 1024, 64 * 1024 + 1);
        let kept: Vec<_> = (0..64).map(|_| ask(long).unwrap()).collect();
        assert_eq!(ask(long).unwrap_err(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(ask(short).unwrap().body().len(), short);
        drop(kept);
        ask(long).unwrap();
    }
}
