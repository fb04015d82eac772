// SPDX-License-Identifier: Apache-2.0
//! One listener: its settings and what it remembers of failed and repeated
//! logins.

use std::sync::Arc;

use crate::agent::Waiting;
use crate::credential::negative::{Budget, NegativeCache};
use crate::credential::replay::ReplayTable;
use crate::credential::sigv4::LoginRules;
use crate::session::Seats;
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
    /// The host's name for it; equal ones without a name are one.
    pub(super) name: Option<String>,
    pub(super) settings: ProfileSettings,
    pub(super) rules: LoginRules,
    pub(super) waiting: Arc<Waiting>,
    pub(super) replays: Arc<ReplayTable>,
    pub(super) unknown: Arc<NegativeCache>,
    pub(super) budget: Arc<Budget>,
    pub(super) seats: Arc<Seats>,
}

impl Profile {
    pub(super) fn new(settings: ProfileSettings) -> Self {
        let rules = LoginRules {
            hosts: settings.hosts.clone(),
            token_hosts: settings.token_hosts.clone(),
            token_services: settings.token_services.clone(),
            token_actions: settings.token_actions.clone(),
            regions: settings.regions.clone(),
            max_age_ms: settings.login_max_age,
            skew_ms: settings.clock_skew,
        };
        Self {
            name: None,
            rules,
            waiting: Arc::new(Waiting::new(settings.login_waiting)),
            replays: Arc::new(ReplayTable::new(REPLAYS, settings.login_max_age + 2 * settings.clock_skew)),
            unknown: Arc::new(NegativeCache::new(UNKNOWN_KEYS, UNKNOWN_FOR)),
            budget: Arc::new(Budget::new(ADDRESSES, settings.login_budget)),
            seats: Arc::default(),
            settings,
        }
    }

    /// A profile in the place of `before`, remembering what that has seen
    /// where the same limits hold.
    pub(super) fn named(name: &str, settings: ProfileSettings, before: Option<&Self>) -> Self {
        let mut profile = Self { name: Some(name.to_owned()), ..Self::new(settings) };
        if let Some(before) = before {
            let (old, new) = (&before.settings, &profile.settings);
            if (old.login_max_age, old.clock_skew) == (new.login_max_age, new.clock_skew) {
                profile.replays = Arc::clone(&before.replays);
            }
            if old.login_waiting == new.login_waiting {
                profile.waiting = Arc::clone(&before.waiting);
            }
            if old.login_budget == new.login_budget {
                profile.budget = Arc::clone(&before.budget);
            }
            profile.unknown = Arc::clone(&before.unknown);
            profile.seats = Arc::clone(&before.seats);
        }
        profile
    }
}
