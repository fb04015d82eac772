// SPDX-License-Identifier: Apache-2.0
//! `standin audit`: the hosts' records and the store's administration, in the
//! order of time.

mod entry;
mod files;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};
use standin::fault::Fault;
use standin::revision::Revision;

pub(crate) use entry::{Entry, Kind};
pub(crate) use files::Files;

use crate::Desk;
use crate::output::{self, Output, date};
use crate::progress::Progress;

/// Filters.
#[derive(Args)]
pub(crate) struct Audit {
    /// Directory of the audit files; by default `audit` beside the store.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Only records about this identity (part of its ARN).
    #[arg(long)]
    identity: Option<String>,
    /// Only this action (part of its name).
    #[arg(long)]
    action: Option<String>,
    /// Only this outcome: success, refused, allowed, denied, undecided.
    #[arg(long)]
    outcome: Option<String>,
    /// Only the record with this request id.
    #[arg(long)]
    request: Option<String>,
    /// Only records of the last so many seconds.
    #[arg(long)]
    since: Option<i64>,
}

/// The directory of the audit files beside a store.
pub(crate) fn beside(store: &Path) -> PathBuf {
    store.parent().unwrap_or(Path::new(".")).join("audit")
}

impl Audit {
    pub(crate) fn run(self, desk: &Desk) -> Result<ExitCode, Fault> {
        let mut entries = Vec::new();
        let dir = match self.dir.clone() {
            Some(dir) => dir,
            None => beside(&desk.files()?.store),
        };
        let mut progress = Progress::new("records", false);
        Files::new(dir).read(true, &mut |entry| {
            progress.step();
            entries.push(entry);
        })?;
        let store = desk.store()?;
        let mut after = Revision(0);
        loop {
            let rows = store.administration(after, 1000)?;
            let Some(last) = rows.last() else { break };
            after = last.revision;
            rows.iter().for_each(|_| progress.step());
            entries.extend(rows.into_iter().map(Entry::of_administration));
        }
        drop(progress);
        let from = self.since.map(|s| crate::explain::now().0 - s * 1000);
        let within = |wanted: &Option<String>, value: &str| wanted.as_ref().is_none_or(|w| value.contains(w.as_str()));
        entries.retain(|e| {
            from.is_none_or(|t| e.time >= t)
                && (within(&self.identity, &e.who) || within(&self.identity, &e.target))
                && within(&self.action, &e.action)
                && self.outcome.as_ref().is_none_or(|o| *o == e.outcome)
                && self.request.as_ref().is_none_or(|r| *r == e.field("/metadata/correlation_uid"))
        });
        entries.sort_by_key(|e| e.time);
        if desk.output == Output::Json {
            entries.iter().for_each(|e| output::line(&e.record.to_string()));
        } else {
            let rows: Vec<Value> = entries
                .iter()
                .map(|e| json!({"time": date(e.time), "who": e.who, "action": e.action, "target": e.target.escape_debug().to_string(), "outcome": e.outcome, "detail": e.detail}))
                .collect();
            desk.output.list(&["time", "who", "action", "target", "outcome", "detail"], &rows);
        }
        Ok(ExitCode::SUCCESS)
    }
}
