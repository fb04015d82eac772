// SPDX-License-Identifier: Apache-2.0
//! What one listener is set to.

use super::Given;
use super::given::invalid;
use crate::fault::Fault;

/// The settings of one listener, validated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileSettings {
    /// Names clients dial, lower-case.
    pub hosts: Vec<String>,
    /// Accepted regions.
    pub regions: Vec<String>,
    /// Longest session, milliseconds.
    pub session_max: i64,
    /// Greatest age of a login, milliseconds.
    pub login_max_age: i64,
    /// Tolerated clock difference, milliseconds.
    pub clock_skew: i64,
    /// Longest wait for the service, milliseconds.
    pub login_wait: i64,
    /// Most logins waiting at once.
    pub login_waiting: usize,
    /// Failed logins per second and address.
    pub login_budget: u32,
    /// True when repeated signatures are refused.
    pub refuse_replay: bool,
    /// True when unencrypted channels are accepted.
    pub allow_plaintext: bool,
    /// How long a closed connection's session still serves, milliseconds.
    pub retire_grace: i64,
}

impl ProfileSettings {
    /// Validates the listener's part of what was given. `cluster` is the
    /// cluster's ARN, whose region is the default of accepted regions.
    ///
    /// # Errors
    /// [`crate::fault::Status::InvalidSetting`] naming the setting, its value and what is
    /// accepted.
    pub fn of(given: &Given, cluster: Option<&str>) -> Result<Self, Fault> {
        let hosts: Vec<String> = given.list("standin.hosts").iter().map(|h| h.to_ascii_lowercase()).collect();
        if hosts.is_empty() {
            return Err(invalid(
                "standin.hosts is missing; list the names clients dial for this listener, without port".into(),
            ));
        }
        if let Some(bad) = hosts.iter().find(|h| h.contains([':', '/']) && h.parse::<std::net::Ipv6Addr>().is_err()) {
            return Err(invalid(format!("standin.hosts: {bad:?}: names without scheme and port are accepted")));
        }
        let mut regions = given.list("standin.regions");
        if regions.is_empty() {
            regions.extend(cluster.and_then(|arn| arn.split(':').nth(3)).map(str::to_owned));
        }
        if regions.is_empty() {
            return Err(invalid("standin.regions is missing; list the regions clients sign for".into()));
        }
        Ok(Self {
            hosts,
            regions,
            session_max: given.millis("standin.session.max.ms", 2000, i64::from(i32::MAX))?,
            login_max_age: given.millis("standin.login.max.age.ms", 1000, 900_000)?,
            clock_skew: given.millis("standin.login.clock.skew.ms", 0, 900_000)?,
            login_wait: given.millis("standin.login.wait.ms", 10, 30_000)?,
            login_waiting: usize::try_from(given.millis("standin.login.waiting", 1, 1024)?).unwrap_or(2),
            login_budget: u32::try_from(given.millis("standin.login.budget", 1, 100_000)?).unwrap_or(50),
            refuse_replay: given.one_of("standin.replay", &["audit", "refuse"])? == "refuse",
            allow_plaintext: given.one_of("standin.allow.plaintext", &["false", "true"])? == "true",
            retire_grace: given.millis("standin.retire.grace.ms", 0, 600_000)?,
        })
    }
}
