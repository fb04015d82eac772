// SPDX-License-Identifier: Apache-2.0
//! Printing: tables for people, JSON for programs. A reader that has gone away
//! ends the program quietly.

use std::io::Write;

use clap::ValueEnum;
use serde_json::{Value, json};
use standin::access_control::Own;

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// Columns.
    Table,
    /// One JSON value.
    Json,
}

/// Prints a line.
pub(crate) fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{text}").is_err() {
        std::process::exit(0);
    }
}

/// Prints to the error stream.
pub(crate) fn complain(text: &str) {
    // There is nowhere left to report a failure of this.
    let _unreported = writeln!(std::io::stderr().lock(), "standin: {text}");
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(cell).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

impl Output {
    /// Prints one object: as JSON, or a line per field.
    pub(crate) fn one(self, value: &Value) {
        match (self, value) {
            (Self::Table, Value::Object(map)) => {
                let width = map.keys().map(String::len).max().unwrap_or(0);
                for (key, value) in map {
                    line(&format!("{key:width$}  {}", cell(value)));
                }
            }
            _ => line(&value.to_string()),
        }
    }

    /// Prints a list of objects of one shape.
    pub(crate) fn list(self, columns: &[&str], rows: &[Value]) {
        if self == Self::Json {
            line(&Value::Array(rows.to_vec()).to_string());
            return;
        }
        let mut table: Vec<Vec<String>> = vec![columns.iter().map(|c| c.to_uppercase()).collect()];
        table
            .extend(rows.iter().map(|row| columns.iter().map(|c| cell(row.get(*c).unwrap_or(&Value::Null))).collect()));
        let widths: Vec<usize> = (0..columns.len())
            .map(|n| table.iter().filter_map(|r| r.get(n)).map(|c| c.chars().count()).max().unwrap_or(0))
            .collect();
        for row in table {
            let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            line(cells.join("  ").trim_end());
        }
    }
}

/// Milliseconds since the epoch as a date for people.
pub(crate) fn date(millis: i64) -> String {
    time::OffsetDateTime::from_unix_timestamp(millis.div_euclid(1000))
        .map(|t| {
            format!(
                "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
                t.year(),
                u8::from(t.month()),
                t.day(),
                t.hour(),
                t.minute(),
                t.second()
            )
        })
        .unwrap_or_else(|_| millis.to_string())
}

/// Tags as JSON.
pub(crate) fn tag_map(tags: &[(String, String)]) -> Value {
    tags.iter().map(|(k, v)| (k.clone(), json!(v))).collect::<serde_json::Map<_, _>>().into()
}

/// Adds what an owner has to what is shown of it.
pub(crate) fn add_policies(shown: &mut Value, own: &Own) {
    shown["policies"] = json!(own.attached);
    shown["inline_policies"] = json!(own.inline.iter().map(|(name, _)| name).collect::<Vec<_>>());
}
