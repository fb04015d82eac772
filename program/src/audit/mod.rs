// SPDX-License-Identifier: Apache-2.0
//! `standin audit`: the hosts' records and the store's administration, in the
//! order of time.

mod entry;
mod files;
mod filter;
mod gaps;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use standin::access_control::Store;
use standin::audit::one_line;
use standin::fault::Fault;
use standin::revision::Revision;

pub(crate) use entry::{Entry, Kind};
pub(crate) use files::Files;
use filter::Filter;

use crate::Desk;
use crate::output::{self, Output, date};
use crate::progress::Progress;

/// How often `--follow` looks for more.
const POLL: Duration = Duration::from_millis(200);

/// What to list.
#[derive(Args)]
pub(crate) struct Audit {
    /// Directory of the audit files; by default `audit` beside the store.
    #[arg(long)]
    dir: Option<PathBuf>,
    #[command(flatten)]
    filter: Filter,
    /// Only the newest so many.
    #[arg(long, conflicts_with = "follow")]
    last: Option<usize>,
    /// Go on with what is written from now on, until interrupted.
    #[arg(long)]
    follow: bool,
    /// What hosts delivered to the service, instead of the files of a directory.
    #[arg(long, conflicts_with = "dir")]
    collected: bool,
    /// Look for records that are missing, instead: their numbers have no gaps.
    #[arg(long, conflicts_with_all = ["follow", "last"])]
    gaps: bool,
}

/// The directory of the audit files beside a store.
pub(crate) fn beside(store: &Path) -> PathBuf {
    store.parent().unwrap_or(Path::new(".")).join("audit")
}

/// Where the records of hosts are read.
pub(crate) enum Source {
    /// In the files of a directory.
    Files(Files),
    /// In the store, as they were delivered: after which, and since when.
    Collected(Box<Store>, i64, i64),
}

impl Source {
    /// Hands over every record that was added since the last call.
    fn read(&mut self, last: bool, hand: &mut dyn FnMut(Entry)) -> Result<(), Fault> {
        let (store, after, since) = match self {
            Self::Files(files) => return files.read(last, hand),
            Self::Collected(store, after, since) => (store, after, *since),
        };
        loop {
            let rows = store.collected(*after, since, 1000)?;
            let Some(number) = rows.last().map(|row| row.number) else { return Ok(()) };
            *after = number;
            // What came was read before it was kept.
            rows.iter()
                .filter_map(|row| serde_json::from_str(&row.record).ok())
                .map(Entry::of_record)
                .for_each(&mut *hand);
        }
    }
}

/// How far the store's own records were read.
#[derive(Default)]
struct Read {
    administration: Revision,
    denials: i64,
}

impl Read {
    /// Hands over what the store recorded since the last call.
    fn on(&mut self, store: &Store, hand: &mut dyn FnMut(Entry)) -> Result<(), Fault> {
        loop {
            let rows = store.administration(self.administration, 1000)?;
            let Some(last) = rows.last() else { break };
            self.administration = last.revision;
            rows.into_iter().map(Entry::of_administration).for_each(&mut *hand);
        }
        loop {
            let rows = store.denials(self.denials, 1000)?;
            let Some(last) = rows.last() else { return Ok(()) };
            self.denials = last.number;
            rows.into_iter().map(Entry::of_denial).for_each(&mut *hand);
        }
    }
}

impl Audit {
    pub(crate) fn run(self, desk: &Desk) -> Result<ExitCode, Fault> {
        let mut files = if self.collected {
            Source::Collected(Box::new(desk.store()?), 0, self.filter.since())
        } else {
            let dir = match self.dir.clone() {
                Some(dir) => dir,
                None => beside(&desk.files()?.store),
            };
            let mut files = Files::new(dir);
            files.since = self.filter.files_since();
            files.boot = self.filter.boot();
            Source::Files(files)
        };
        if self.gaps {
            return gaps::report(desk, &mut files);
        }
        let mut entries = Vec::new();
        let mut progress = Progress::new("records", false);
        let filter = &self.filter;
        let mut keep = |entry: Entry| {
            progress.step();
            if filter.takes(&entry) {
                entries.push(entry);
            }
        };
        files.read(!self.follow, &mut keep)?;
        let store = desk.store()?;
        let mut read = Read::default();
        read.on(&store, &mut keep)?;
        drop(progress);
        entries.sort_by_key(|e| e.time);
        if let Some(last) = self.last {
            entries.drain(..entries.len().saturating_sub(last));
        }
        if !self.follow {
            print(desk.output, &entries);
            return Ok(ExitCode::SUCCESS);
        }
        loop {
            entries.sort_by_key(|e| e.time);
            entries.drain(..).for_each(|e| line(desk.output, &e));
            std::thread::sleep(POLL);
            let mut keep = |entry: Entry| {
                if filter.takes(&entry) {
                    entries.push(entry);
                }
            };
            files.read(false, &mut keep)?;
            read.on(&store, &mut keep)?;
        }
    }
}

/// Names from clients stay on their line.
fn target(entry: &Entry) -> String {
    entry.target.escape_debug().to_string()
}

fn print(output: Output, entries: &[Entry]) {
    if output == Output::Json {
        entries.iter().for_each(|e| line(output, e));
        return;
    }
    let rows: Vec<Value> = entries
        .iter()
        .map(|e| json!({"time": date(e.time), "who": e.who, "action": e.action, "target": target(e), "outcome": e.outcome, "detail": e.detail.escape_debug().to_string()}))
        .collect();
    output.list(&["time", "who", "action", "target", "outcome", "detail"], &rows);
}

/// One record on a line of its own.
fn line(output: Output, e: &Entry) {
    if output == Output::Json {
        output::line(&one_line(&e.record));
        return;
    }
    let columns = [
        date(e.time),
        e.who.clone(),
        e.action.clone(),
        target(e),
        e.outcome.clone(),
        e.detail.escape_debug().to_string(),
    ];
    output::line(columns.join("  ").trim_end());
}
