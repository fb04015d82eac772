// SPDX-License-Identifier: Apache-2.0
//! `standin serve`: the security service for more than one machine, over
//! HTTPS. Whatever touches the store runs on threads of its own; the
//! connections are the only asynchronous part of Standin.

mod certificate;
mod changes;
mod connections;
mod feed;
mod hosts;
mod metrics;
mod probes;
mod quotas;
mod router;
mod state;
mod tls;
mod wire;
mod work;

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use clap::Args;
use standin::access_control::{Quotas, Store};
use standin::fault::{Fault, Status};
use standin::time::{SystemClock, SystemRandom};

use crate::Desk;
use crate::aws::{self, Aws};
use crate::{limits, output};

use state::State;

/// How often what is kept for a while is looked through.
const HOUSE: Duration = Duration::from_secs(2);
/// For how long at a time old audit records are deleted: as long as nothing else
/// suffers that is done in between.
const FORGETTING: Duration = Duration::from_secs(10);

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
    /// Keep the audit records that hosts deliver, for so many days.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..=3650))]
    collect_audit: Option<u16>,
    /// Most connections at once; further ones are closed.
    #[arg(long, default_value_t = 4096)]
    max_connections: usize,
    /// Most requests that work on the store at once; further ones wait a second and are told to retry.
    #[arg(long, default_value_t = 32)]
    max_working: usize,
    /// Most requests of one host: a second, and at once; `off` for any number. More are put off, not refused.
    #[arg(long, value_name = "RATE:BURST", default_value = "2000:10000", value_parser = limits::rate_or_off)]
    limit_host: MaybeRate,
    /// Most logins of one identity, and most of its requests to IAM and STS.
    #[arg(long, value_name = "RATE:BURST", default_value = "500:5000", value_parser = limits::rate_or_off)]
    limit_identity: MaybeRate,
    /// Most requests of everybody together.
    #[arg(long, value_name = "RATE:BURST", default_value = "10000:50000", value_parser = limits::rate_or_off)]
    limit_account: MaybeRate,
    /// How many there may be of a kind, such as `users=20000`; `off` for any number. May be given several times.
    #[arg(long = "quota", value_name = "NAME=NUMBER", value_parser = quotas::given)]
    quotas: Vec<quotas::Given>,
}

/// Clap takes an `Option` for an argument that may be left out.
type MaybeRate = std::option::Option<limits::Rate>;

impl Serve {
    pub(crate) fn run(self, desk: &Desk) -> Result<ExitCode, Fault> {
        let (certificate, ends) = certificate::Certificate::open(self.tls_cert, self.tls_key)?;
        let quotas = self.quotas.iter().fold(Quotas::service(), |all, one| all.with(one.quota, one.most));
        let store = desk.shared_store(quotas)?;
        let issuers = aws::issuers(self.oidc_ca.as_deref())?;
        let limits = Arc::new(limits::Limits::new(self.limit_host, self.limit_identity, self.limit_account));
        let (clock, shared) = (Arc::new(SystemClock::new()), Arc::clone(&limits));
        let aws = Aws::new(Arc::clone(&store), clock, Arc::new(SystemRandom), issuers, shared);
        let kept = self.collect_audit.map(|days| i64::from(days) * 24 * 3600 * 1000);
        let state = Arc::new(State::new(store, aws, limits, kept, self.max_working));
        state.metrics.certificate_ends.store(ends.seconds(), Ordering::Relaxed);
        state.feed.start(&state.store)?;
        keep_house(&state)?;
        let ended = Arc::clone(&state);
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
            connections::accept(listener, certificate, self.max_connections, state).await
        })?;
        // Whatever still runs has had its time.
        ended.aws.flush(true);
        ended.hosts.note_heard(&ended.store, true);
        runtime.shutdown_background();
        Ok(ExitCode::SUCCESS)
    }
}

/// Deletes the audit records that came before a time, some in each transaction;
/// what is left or fails is done the next time.
fn forget_collected(store: &Store, before: i64, going_on: impl Fn() -> bool) {
    while store.forget_collected(before).is_ok_and(|count| count > 0) && going_on() {}
}

fn turn(state: &State, number: u32) {
    state.aws.flush(false);
    state.hosts.note_heard(&state.store, false);
    if let Some(kept) = state.collected.filter(|_| number.is_multiple_of(30)) {
        let begun = Instant::now();
        let going_on = || begun.elapsed() < FORGETTING && !state.is_stopping();
        forget_collected(&state.store, state.clock.wall().0 - kept, going_on);
    }
}

/// What has to be done from time to time, until the state is gone or the
/// service ends.
fn keep_house(state: &Arc<State>) -> Result<(), Fault> {
    let state = Arc::downgrade(state);
    let keep = move || {
        let mut turns: u32 = 0;
        while let Some(state) = state.upgrade().filter(|state| !state.is_stopping()) {
            // What fails in one turn must not be the end of all others.
            if catch_unwind(AssertUnwindSafe(|| turn(&state, turns))).is_err() {
                output::complain("a turn of keeping house failed; another one follows");
            }
            turns = turns.wrapping_add(1);
            drop(state);
            std::thread::sleep(HOUSE);
        }
    };
    let started = std::thread::Builder::new().name("standin-house".into()).spawn(keep);
    started.map(drop).map_err(|e| Fault::internal(format!("a thread could not be started: {e}")))
}

#[cfg(test)]
mod tests {
    use standin::access_control::Collected;

    use super::*;

    /// Regression: only so many were deleted in a minute, and where more came
    /// the store grew for ever.
    #[test]
    fn all_old_records_are_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let store = feed::tests::store(dir.path());
        let record = |n| Collected { number: 0, boot: "b".into(), sequence: n, time: 1, record: "{}".into() };
        let many: Vec<_> = (0..25_000).map(record).collect();
        assert_eq!(store.collect("host/c/1", &many).unwrap(), 25_000);
        forget_collected(&store, i64::MAX, || true);
        assert!(store.collected(0, 0, 1).unwrap().is_empty());
    }
}
