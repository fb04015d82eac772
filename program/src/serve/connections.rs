// SPDX-License-Identifier: Apache-2.0
//! Connections: accepted, bounded in number and time, and ended gracefully.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use standin::fault::Fault;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tower_service::Service;

use super::certificate::{self, Certificate};
use super::router::router;
use super::state::State;
use super::work::Peer;

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long the head of a request may take, and a connection may be idle.
const HEAD: Duration = Duration::from_secs(75);
/// About the longest head of a request, bytes; it holds no more than two of these.
const HEAD_LONGEST: usize = 32 * 1024;
/// How long requests under way are waited for at the end.
const ENDING: Duration = Duration::from_secs(10);
/// Pause after a failure to accept, such as too many open files.
const PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections until the process is told to end.
pub(super) async fn accept(
    listener: TcpListener,
    certificate: Certificate,
    most: usize,
    state: Arc<State>,
) -> Result<(), Fault> {
    let most = u32::try_from(most.clamp(1, 1 << 20)).unwrap_or(4096);
    let room = Arc::new(Semaphore::new(most as usize));
    let router = router(Arc::clone(&state));
    let (end, ending) = watch::channel(false);
    let failed = |e: std::io::Error| Fault::internal(format!("signals: {e}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let certificate = Arc::new(certificate);
    let hang_up = signal(SignalKind::hangup()).map_err(failed)?;
    tokio::spawn(certificate::follow(Arc::clone(&certificate), Arc::clone(&state), hang_up));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        };
        let Ok((stream, peer)) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
            state.metrics.connections_refused.fetch_add(1, Ordering::Relaxed);
            continue;
        };
        let acceptor = TlsAcceptor::from(certificate.configuration());
        let (router, ending, state) = (router.clone(), ending.clone(), Arc::clone(&state));
        tokio::spawn(async move {
            state.metrics.connections.fetch_add(1, Ordering::Relaxed);
            serve(stream, peer, acceptor, router, ending, &state).await;
            state.metrics.connections.fetch_sub(1, Ordering::Relaxed);
            drop(permit);
        });
    }
    drop(listener);
    state.stop();
    // Nobody may listen any more.
    let _told = end.send(true);
    drop(tokio::time::timeout(ENDING, room.acquire_many(most)).await);
    Ok(())
}

async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    acceptor: TlsAcceptor,
    router: Router,
    mut ending: watch::Receiver<bool>,
    state: &State,
) {
    // Answers are small; waiting for more to send only delays them.
    let _as_good_without = stream.set_nodelay(true);
    let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await else {
        state.metrics.handshakes_failed.fetch_add(1, Ordering::Relaxed);
        return;
    };
    let service = hyper::service::service_fn(move |mut request: http::Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        router.clone().call(request.map(Body::new))
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_LONGEST)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    tokio::select! {
        // A connection that breaks has nobody left to tell.
        _over = connection.as_mut() => return,
        _ = ending.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _over = connection.await;
}
