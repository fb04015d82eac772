// SPDX-License-Identifier: Apache-2.0
//! What stands between a request and the store: who asks, and whether the
//! caller's policies allow it. Nothing outside of here reaches the store
//! without a [`Permit`].

mod caller;
mod permit;
mod target;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use standin::access_control::Store;
use standin::time::{Clock, Steady, UnixMillis};

pub(crate) use caller::Caller;
pub(crate) use permit::{Call, Permit};
pub(crate) use target::{Target, check_name, check_path};

/// See the module's page.
pub(crate) struct Gate {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    /// When the last use of each key was noted, milliseconds since the epoch.
    used: Mutex<HashMap<String, i64>>,
}

impl Gate {
    pub(super) fn new(store: Arc<Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, used: Mutex::default() }
    }

    pub(super) fn now(&self) -> UnixMillis {
        self.clock.wall()
    }

    pub(super) fn steady(&self) -> Steady {
        self.clock.steady()
    }
}
