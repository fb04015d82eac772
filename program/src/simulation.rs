// SPDX-License-Identifier: Apache-2.0
//! `standin policy simulate`: made-up questions in, decisions out, line by
//! line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};
use standin::fault::{Fault, Status};
use standin::policy::simulate::Simulator;

use crate::output;
use crate::progress::Progress;

/// Answers every line; a line that cannot be answered gets an error object and
/// makes the exit code 1.
pub(crate) fn run(input: &Path) -> Result<ExitCode, Fault> {
    let failed = |e: io::Error| Fault::new(Status::InvalidArgument, format!("{}: {e}", input.display()));
    let from: Box<dyn Read> = if input == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(input).map_err(failed)?)
    };
    let mut lines = BufReader::with_capacity(1 << 16, from);
    let mut answers = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let mut simulator = Simulator::default();
    let (mut line, mut number, mut wrong) = (Vec::new(), 0, false);
    let mut progress = Progress::new("cases", true);
    loop {
        // Whoever waits for an answer before it asks again gets it: nothing is
        // held back while there is no whole line to go on with.
        if !lines.buffer().contains(&b'\n') && !written(answers.flush())? {
            return Ok(ExitCode::SUCCESS);
        }
        line.clear();
        if lines.read_until(b'\n', &mut line).map_err(failed)? == 0 {
            break;
        }
        number += 1;
        progress.step();
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let answer = answer(&mut simulator, &line).unwrap_or_else(|(id, text)| {
            wrong = true;
            output::complain(&format!("{}, line {number}: {text}", input.display()));
            json!({"id": id, "error": text})
        });
        if !written(writeln!(answers, "{answer}"))? {
            return Ok(ExitCode::SUCCESS);
        }
    }
    let heard = written(answers.flush())?;
    Ok(if wrong && heard { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// The answer to one line, or its id and what is wrong with it.
fn answer(simulator: &mut Simulator, line: &[u8]) -> Result<Value, (Value, String)> {
    let text = std::str::from_utf8(line).map_err(|e| (Value::Null, format!("not UTF-8: {e}")))?;
    simulator.case(text).map_err(|fault| {
        let id = serde_json::from_str::<Value>(text).ok().and_then(|v| v.get("id").cloned()).unwrap_or_default();
        (id, fault.text)
    })
}

/// True when it was written; false when the reader has gone away, which ends
/// the program quietly.
fn written(result: io::Result<()>) -> Result<bool, Fault> {
    match result {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(e) => Err(Fault::internal(format!("the answers cannot be written: {e}"))),
    }
}
