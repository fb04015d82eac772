// SPDX-License-Identifier: Apache-2.0
//! One listener: its settings and what it remembers of failed and repeated
//! logins.

use crate::agent::Waiting;
use crate::credential::negative::{Budget, NegativeCache};
use crate::credential::replay::ReplayTable;
use crate::credential::sigv4::LoginRules;
use crate::settings::ProfileSettings;

/// Signatures remembered per listener.
const REPLAYS: usize = 65_536;
/// Unknown access keys remembered per listener.
const UNKNOWN_KEYS: usize = 16_384;
/// How long an unknown access key stays unknown, milliseconds.
const UNKNOWN_FOR: i64 = 10_000;
/// Client addresses whose failures are counted per listener.
const ADDRESSES: usize = 16_384;

/// See the module's page.
pub(super) struct Profile {
    pub(super) settings: ProfileSettings,
    pub(super) rules: LoginRules,
    pub(super) waiting: Waiting,
    pub(super) replays: ReplayTable,
    pub(super) unknown: NegativeCache,
    pub(super) budget: Budget,
}

impl Profile {
    pub(super) fn new(settings: ProfileSettings) -> Self {
        let rules = LoginRules {
            hosts: settings.hosts.clone(),
            regions: settings.regions.clone(),
            max_age_ms: settings.login_max_age,
            skew_ms: settings.clock_skew,
        };
        Self {
            rules,
            waiting: Waiting::new(settings.login_waiting),
            replays: ReplayTable::new(REPLAYS, settings.login_max_age + 2 * settings.clock_skew),
            unknown: NegativeCache::new(UNKNOWN_KEYS, UNKNOWN_FOR),
            budget: Budget::new(ADDRESSES, settings.login_budget),
            settings,
        }
    }
}
