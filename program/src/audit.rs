// SPDX-License-Identifier: Apache-2.0
//! `standin audit`: the hosts' records and the store's administration, in the
//! order of time.

use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};
use standin::access_control::AdminRow;
use standin::fault::{Fault, Status};
use standin::revision::Revision;

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

struct Entry {
    time: i64,
    who: String,
    action: String,
    target: String,
    outcome: String,
    detail: String,
    request: String,
    record: Value,
}

fn text(value: &Value, path: &str) -> String {
    match value.pointer(path) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

fn of_record(record: Value) -> Entry {
    let class = record.pointer("/class_uid").and_then(Value::as_i64).unwrap_or(0);
    let (action, target) = match (class, record.pointer("/activity_id").and_then(Value::as_i64)) {
        (3002, Some(1)) => ("login".to_owned(), text(&record, "/src_endpoint/ip")),
        (3002, _) => ("session ended".to_owned(), text(&record, "/src_endpoint/ip")),
        (6003, _) => (
            text(&record, "/api/operation"),
            format!("{}:{}", text(&record, "/resources/0/type"), text(&record, "/resources/0/name")),
        ),
        _ => (format!("issued {}", text(&record, "/entity/type")), text(&record, "/entity/uid")),
    };
    let count = record
        .pointer("/count")
        .and_then(Value::as_i64)
        .filter(|n| *n != 1)
        .map(|n| format!("{n} times; "))
        .unwrap_or_default();
    let policy = text(&record, "/policy/name");
    let detail = format!(
        "{count}{}{}",
        text(&record, "/status_detail"),
        if policy.is_empty() { String::new() } else { format!(" ({policy})") }
    );
    let who = text(&record, "/actor/user/uid");
    let key = text(&record, "/actor/user/credential_uid");
    let outcome = text(&record, "/unmapped/outcome");
    Entry {
        time: record.pointer("/time").and_then(Value::as_i64).unwrap_or(0),
        who: if who.is_empty() { key } else { who },
        action,
        target,
        outcome: if outcome.is_empty() { "success".into() } else { outcome },
        detail,
        request: text(&record, "/metadata/correlation_uid"),
        record,
    }
}

fn of_administration(row: AdminRow) -> Entry {
    let record = json!({"time": row.time, "class_uid": 3004, "class_name": "Entity Management", "category_uid": 3, "activity_name": row.action,
        "actor": {"user": {"uid": row.actor, "account": {"uid": row.account}}}, "entity": {"uid": row.target}, "status": "Success", "status_id": 1,
        "metadata": {"version": "1.3.0", "product": {"name": "Standin", "vendor_name": "Standin"}, "uid": format!("store/{}", row.revision.0)},
        "unmapped": {"revision": row.revision.0, "outcome": "success"}, "comment": row.detail});
    Entry {
        time: row.time,
        who: row.actor,
        action: row.action,
        target: row.target,
        outcome: "success".into(),
        detail: row.detail,
        request: String::new(),
        record,
    }
}

fn files(dir: &Path, into: &mut Vec<Entry>, progress: &mut Progress) -> Result<(), Fault> {
    let failed =
        |path: &Path, e: std::io::Error| Fault::new(Status::InvalidArgument, format!("{}: {e}", path.display()));
    if !dir.exists() {
        return Ok(());
    }
    for file in std::fs::read_dir(dir).map_err(|e| failed(dir, e))? {
        let path = file.map_err(|e| failed(dir, e))?.path();
        if path.extension().is_none_or(|e| e != "jsonl") {
            continue;
        }
        let reader = std::io::BufReader::new(std::fs::File::open(&path).map_err(|e| failed(&path, e))?);
        for (n, line) in reader.lines().enumerate() {
            let line = line.map_err(|e| failed(&path, e))?;
            progress.step();
            match serde_json::from_str(&line) {
                Ok(record) => into.push(of_record(record)),
                // The last line of a killed process may be cut off.
                Err(_) => output::complain(&format!("{}, line {}: not a whole record", path.display(), n + 1)),
            }
        }
    }
    Ok(())
}

impl Audit {
    pub(crate) fn run(self, desk: &Desk) -> Result<ExitCode, Fault> {
        let mut entries = Vec::new();
        let dir = match self.dir.clone() {
            Some(dir) => dir,
            None => desk.files()?.store.parent().unwrap_or(Path::new(".")).join("audit"),
        };
        let mut progress = Progress::new("records", false);
        files(&dir, &mut entries, &mut progress)?;
        let store = desk.store()?;
        let mut after = Revision(0);
        loop {
            let rows = store.administration(after, 1000)?;
            let Some(last) = rows.last() else { break };
            after = last.revision;
            rows.iter().for_each(|_| progress.step());
            entries.extend(rows.into_iter().map(of_administration));
        }
        drop(progress);
        let from = self.since.map(|s| {
            i64::try_from(
                std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_millis()),
            )
            .unwrap_or(0)
                - s * 1000
        });
        let within = |wanted: &Option<String>, value: &str| wanted.as_ref().is_none_or(|w| value.contains(w.as_str()));
        entries.retain(|e| {
            from.is_none_or(|t| e.time >= t)
                && (within(&self.identity, &e.who) || within(&self.identity, &e.target))
                && within(&self.action, &e.action)
                && self.outcome.as_ref().is_none_or(|o| *o == e.outcome)
                && self.request.as_ref().is_none_or(|r| *r == e.request)
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
