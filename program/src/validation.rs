// SPDX-License-Identifier: Apache-2.0
//! `standin policy validate`: what is wrong with documents, and where.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};
use standin::policy::{Document, TrustPolicy};

use crate::Desk;
use crate::input::read;
use crate::output::{self, Output};

/// Exit codes, as at the head of the program.
const INVALID: u8 = 1;
const UNREADABLE: u8 = 2;

/// Checks every file, and says of each what is wrong with it.
pub(crate) fn run(desk: &Desk, files: &[PathBuf], trust: bool) -> ExitCode {
    let mut code = 0;
    for file in files {
        let shown = file.display().to_string();
        let text = match read(file) {
            Ok(text) => text,
            Err(fault) => {
                code = UNREADABLE;
                output::complain(&fault.text);
                say(desk, &shown, "unreadable", json!({"file": shown, "valid": null, "error": fault.text}));
                continue;
            }
        };
        let result = if trust { TrustPolicy::parse(&text).map(drop) } else { Document::parse(&text).map(drop) };
        match result {
            Ok(()) => say(desk, &shown, "valid", json!({"file": shown, "valid": true})),
            Err(invalid) => {
                code = code.max(INVALID);
                let problems: Vec<Value> = invalid
                    .problems
                    .iter()
                    .map(|p| json!({"path": p.path, "line": p.line, "column": p.column, "found": p.found, "accepted": p.accepted}))
                    .collect();
                output::complain(&format!("{shown}:\n{invalid}"));
                say(desk, &shown, "not valid", json!({"file": shown, "valid": false, "problems": problems}));
            }
        }
    }
    ExitCode::from(code)
}

fn say(desk: &Desk, file: &str, word: &str, value: Value) {
    match desk.output {
        Output::Json => output::line(&value.to_string()),
        Output::Table => output::line(&format!("{file}: {word}")),
    }
}
