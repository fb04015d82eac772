// SPDX-License-Identifier: Apache-2.0
//! `standin serve`: the security service for more than one machine, over
//! HTTPS. Whatever touches the store runs on threads of its own; the
//! connections are the only asynchronous part of Standin.

mod connections;
mod feed;
mod hosts;
mod metrics;
mod probes;
mod router;
mod state;
mod tls;
mod wire;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use standin::fault::{Fault, Status};
use standin::time::{SystemClock, SystemRandom};

use crate::Desk;
use crate::aws::{self, Aws};
use crate::output;

pub(crate) use state::State;

/// Options of `standin serve`.
#[derive(Args)]
pub(crate) struct Serve {
    /// Address and port to listen on.
    #[arg(long, default_value = "0.0.0.0:9900")]
    listen: SocketAddr,
    /// Certificate chain of the service, PEM; the service's own certificate first.
    #[arg(long)]
    tls_cert: PathBuf,
    /// Private key of the certificate, PEM.
    #[arg(long)]
    tls_key: PathBuf,
    /// Certificates of CAs that issuers of OpenID Connect tokens may have besides this machine's, PEM.
    #[arg(long)]
    oidc_ca: Option<PathBuf>,
    /// Most connections at once; further ones are closed.
    #[arg(long, default_value_t = 4096)]
    max_connections: usize,
    /// Most requests that work on the store at once; further ones wait a second and are told to retry.
    #[arg(long, default_value_t = 32)]
    max_working: usize,
}

impl Serve {
    pub(crate) fn run(self, desk: &Desk) -> Result<ExitCode, Fault> {
        let tls = tls::configuration(&self.tls_cert, &self.tls_key)?;
        let store = desk.shared_store()?;
        let issuers = aws::issuers(self.oidc_ca.as_deref())?;
        let aws = Aws::new(Arc::clone(&store), Arc::new(SystemClock::new()), Arc::new(SystemRandom), issuers);
        let state = Arc::new(State::new(store, aws, self.max_working));
        feed::Feed::start(&state)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(|e| Fault::internal(format!("threads could not be started: {e}")))?;
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind(self.listen)
                .await
                .map_err(|e| Fault::new(Status::InvalidArgument, format!("--listen {}: {e}", self.listen)))?;
            let address = listener.local_addr().unwrap_or(self.listen);
            output::line(&format!("listening on https://{address}"));
            connections::accept(listener, tls, self.max_connections, state).await
        })?;
        // Whatever still runs has had its time.
        runtime.shutdown_background();
        Ok(ExitCode::SUCCESS)
    }
}
