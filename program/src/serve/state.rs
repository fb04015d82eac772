// SPDX-License-Identifier: Apache-2.0
//! What all requests share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use standin::access_control::Store;
use standin::service::Embedded;
use standin::time::{Clock, SystemClock, SystemRandom};
use tokio::sync::Semaphore;

use super::feed::Feed;
use super::hosts::Hosts;
use super::metrics::Metrics;
use crate::aws::Aws;
use crate::limits::Limits;

/// Most requests that are long, at once: so many times the longest body is the
/// memory they take, who sent them being unknown yet.
const LONG: usize = 64;

/// See the module's page.
pub(crate) struct State {
    /// The store.
    pub(crate) store: Arc<Store>,
    /// The service on it.
    pub(crate) service: Embedded,
    /// The time.
    pub(crate) clock: Arc<dyn Clock>,
    /// What is known of hosts.
    pub(super) hosts: Hosts,
    /// Who waits for changes.
    pub(super) feed: Arc<Feed>,
    /// The query protocols of IAM and STS.
    pub(crate) aws: Aws,
    /// For how long audit records are kept, milliseconds; none when they are
    /// not collected.
    pub(super) collected: Option<i64>,
    /// How often who may ask.
    pub(crate) limits: Arc<Limits>,
    /// What is counted.
    pub(crate) metrics: Metrics,
    /// Room for requests that are long.
    pub(super) long: Arc<Semaphore>,
    /// Room for requests that work on the store.
    pub(super) working: Arc<Semaphore>,
    stopping: AtomicBool,
}

impl State {
    /// The state of a service on this store.
    pub(crate) fn new(
        store: Arc<Store>,
        aws: Aws,
        limits: Arc<Limits>,
        collected: Option<i64>,
        working: usize,
    ) -> Self {
        let working = working.clamp(1, 512);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        Self {
            service: Embedded::over(Arc::clone(&store), Arc::clone(&clock), Arc::new(SystemRandom)),
            store,
            aws,
            limits,
            collected,
            clock,
            hosts: Hosts::default(),
            feed: Arc::default(),
            metrics: Metrics::default(),
            long: Arc::new(Semaphore::new(LONG)),
            working: Arc::new(Semaphore::new(working)),
            stopping: AtomicBool::new(false),
        }
    }

    /// No new requests are wanted.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.feed.end();
    }

    /// True while the service ends.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}
