// SPDX-License-Identifier: Apache-2.0
//! A server of axum that reads a body and says hello, over TLS: what a log-in
//! is compared with. It is this program in a process of its own.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::routing::any;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use tokio_rustls::TlsAcceptor;
use tower_service::Service;

use crate::place::Place;
use crate::raw::server;

/// The process; killed when dropped.
pub(crate) struct Hello(Child);

impl Drop for Hello {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Hello {
    pub(crate) fn process(&self) -> &Child {
        &self.0
    }
}

/// Starts it with the place's certificate; its port.
pub(crate) fn start(place: &Place) -> (Hello, u16) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg("hello")
        .arg(&place.certificate.chain)
        .arg(&place.certificate.key)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (Hello(child), line.trim().parse().unwrap())
}

/// Serves until killed.
pub(crate) fn serve(chain: &str, key: &str) {
    let acceptor = TlsAcceptor::from(server(chain.as_ref(), key.as_ref()));
    let hello = |request: http::Request<Body>| async move {
        let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes);
        http::Response::new(Body::from(Bytes::from(format!("hello, {}", body.map_or(0, |b| b.len())))))
    };
    let router: Router = Router::new().route("/", any(hello));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_io().enable_time().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap().port());
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let (acceptor, router) = (acceptor.clone(), Arc::new(router.clone()));
            tokio::spawn(async move {
                stream.set_nodelay(true).unwrap();
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let service = hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
                    Router::clone(&router).call(request.map(Body::new))
                });
                let served = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                drop(served.await);
            });
        }
    });
}
