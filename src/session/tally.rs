// SPDX-License-Identifier: Apache-2.0
//! What all contexts of an engine share: the actions' names, the audit, the
//! counting window, and counters of decisions.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use arc_swap::ArcSwap;

use super::Striped;
use crate::audit::Recorder;
use crate::policy::ActionTable;
use crate::time::{Clock, Steady, UnixMillis};

/// How fresh what an engine knows is: when its change feed was last heard.
#[derive(Debug, Default)]
pub struct Fresh {
    heard: AtomicI64,
}

impl Fresh {
    /// Notes that everything up to `now` is known.
    pub fn heard(&self, now: Steady) {
        self.heard.store(now.0, Ordering::Release);
    }

    /// Milliseconds of silence.
    #[must_use]
    pub fn silence(&self, now: Steady) -> i64 {
        now.since(Steady(self.heard.load(Ordering::Acquire)))
    }
}

/// See the module's page.
pub struct Tally {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Names of actions.
    pub actions: ArcSwap<ActionTable>,
    /// Where records go.
    pub recorder: Arc<Recorder>,
    window: AtomicU32,
    window_since: AtomicI64,
    /// Operations that were evaluated, by count of references.
    pub evaluated: Striped,
    /// Operations allowed whose counts were taken out of their context.
    pub allowed: Striped,
    /// Operations denied whose counts were taken out of their context.
    pub denied: Striped,
    /// Operations undecided.
    pub undecided: Striped,
    /// Of those: what is known was too old.
    pub undecided_stale: Striped,
}

impl Tally {
    /// Counters at zero.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, actions: Arc<ActionTable>, recorder: Arc<Recorder>) -> Self {
        let now = clock.wall();
        Self {
            clock,
            actions: ArcSwap::new(actions),
            recorder,
            window: AtomicU32::new(1),
            window_since: AtomicI64::new(now.0),
            evaluated: Striped::default(),
            allowed: Striped::default(),
            denied: Striped::default(),
            undecided: Striped::default(),
            undecided_stale: Striped::default(),
        }
    }

    /// Number of the present counting window; never zero.
    #[must_use]
    pub fn window(&self) -> u32 {
        self.window.load(Ordering::Relaxed)
    }

    /// Begin of the present counting window.
    #[must_use]
    pub fn window_since(&self) -> UnixMillis {
        UnixMillis(self.window_since.load(Ordering::Relaxed))
    }

    /// Begins the next counting window.
    pub fn next_window(&self, now: UnixMillis) {
        self.window_since.store(now.0, Ordering::Relaxed);
        // Zero means "never recorded" in cache entries.
        if self.window.fetch_add(1, Ordering::Relaxed) == u32::MAX {
            self.window.store(1, Ordering::Relaxed);
        }
    }
}
