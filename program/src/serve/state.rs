// SPDX-License-Identifier: Apache-2.0
//! What all requests share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use standin::access_control::Store;
use tokio::sync::Semaphore;

use super::metrics::Metrics;
use crate::aws::Aws;

/// See the module's page.
pub(crate) struct State {
    /// The store.
    pub(crate) store: Arc<Store>,
    /// The query protocols of IAM and STS.
    pub(crate) aws: Aws,
    /// What is counted.
    pub(crate) metrics: Metrics,
    /// Room for requests that work on the store.
    pub(super) working: Semaphore,
    stopping: AtomicBool,
}

impl State {
    /// The state of a service on this store.
    pub(crate) fn new(store: Arc<Store>, aws: Aws, working: usize) -> Self {
        let working = Semaphore::new(working.clamp(1, 512));
        Self { store, aws, metrics: Metrics::default(), working, stopping: AtomicBool::new(false) }
    }

    /// No new requests are wanted.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// True while the service ends.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}
