// SPDX-License-Identifier: Apache-2.0
//! Which records are wanted.

use std::time::{Duration, SystemTime};

use clap::Args;

use super::{Entry, Kind};
use crate::input::now;

/// All that is given has to hold.
#[derive(Args)]
pub(super) struct Filter {
    /// Only records about this identity (part of its ARN).
    #[arg(long)]
    identity: Option<String>,
    /// Only this action (part of its name).
    #[arg(long)]
    action: Option<String>,
    /// Only this resource (part of its name).
    #[arg(long)]
    resource: Option<String>,
    /// Only this outcome: success, refused, allowed, denied, undecided.
    #[arg(long)]
    outcome: Option<String>,
    /// Only this kind of record; may be given several times.
    #[arg(long, value_enum)]
    kind: Vec<Kind>,
    /// Only the records with this request id.
    #[arg(long)]
    request: Option<String>,
    /// Only with this access key.
    #[arg(long)]
    key: Option<String>,
    /// Only from this address.
    #[arg(long)]
    address: Option<String>,
    /// Only over this listener.
    #[arg(long)]
    listener: Option<String>,
    /// Only by this host (part of its name).
    #[arg(long)]
    via: Option<String>,
    /// Only records of the last so many seconds.
    #[arg(long)]
    since: Option<i64>,
    /// Only records older than so many seconds.
    #[arg(long)]
    until: Option<i64>,
}

impl Filter {
    /// Files that were last written to before this hold nothing that is wanted.
    pub(super) fn files_since(&self) -> Option<SystemTime> {
        let seconds = u64::try_from(self.since?).ok()?;
        SystemTime::now().checked_sub(Duration::from_secs(seconds))
    }

    /// The oldest time of a record that is wanted, milliseconds since the epoch.
    pub(super) fn since(&self) -> i64 {
        self.since.map_or(0, |seconds| now().0 - seconds.saturating_mul(1000))
    }

    /// What stands in the names of the files that may hold what is wanted.
    pub(super) fn boot(&self) -> Option<String> {
        // Request ids begin with the boot's.
        self.request.as_ref()?.rsplit_once('-').map(|(boot, _)| boot.to_owned())
    }

    pub(super) fn takes(&self, e: &Entry) -> bool {
        let within = |wanted: &Option<String>, value: &str| wanted.as_ref().is_none_or(|w| value.contains(w.as_str()));
        let is = |wanted: &Option<String>, path: &str| wanted.as_ref().is_none_or(|w| e.field(path) == *w);
        let age = now().0 - e.time;
        self.since.is_none_or(|s| age <= s.saturating_mul(1000))
            && self.until.is_none_or(|s| age >= s.saturating_mul(1000))
            && (self.kind.is_empty() || self.kind.contains(&e.kind))
            && (within(&self.identity, &e.who) || within(&self.identity, &e.target))
            && within(&self.action, &e.action)
            && within(&self.resource, &e.target)
            && self.outcome.as_ref().is_none_or(|o| *o == e.outcome)
            && is(&self.request, "/metadata/correlation_uid")
            && is(&self.key, "/actor/user/credential_uid")
            && is(&self.address, "/src_endpoint/ip")
            && is(&self.listener, "/dst_endpoint/svc_name")
            && self.via.as_ref().is_none_or(|w| e.field("/unmapped/via").contains(w.as_str()))
    }
}
