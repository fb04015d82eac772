// SPDX-License-Identifier: Apache-2.0
//! Records that are missing: within one boot of a host their numbers have no
//! gaps, and records that were dropped are told by a record of their own.

use std::collections::BTreeMap;
use std::process::ExitCode;

use serde_json::{Value, json};
use standin::fault::Fault;

use super::{Kind, Source};
use crate::Desk;
use crate::output::date;
use crate::progress::Progress;

#[derive(Default)]
struct Boot {
    via: String,
    first: i64,
    last: i64,
    numbers: Vec<u64>,
    /// Records that the host itself reported as lost.
    lost: u64,
}

impl Boot {
    /// Numbers that no record has. Files of an earlier part may have been
    /// shipped away, so counting begins at the first that is there.
    fn missing(&mut self) -> u64 {
        self.numbers.sort_unstable();
        self.numbers.dedup();
        let (Some(first), Some(last)) = (self.numbers.first(), self.numbers.last()) else { return 0 };
        last - first + 1 - self.numbers.len() as u64
    }
}

/// A row for every boot; exit code 1 when more is missing than was reported.
pub(super) fn report(desk: &Desk, source: &mut Source) -> Result<ExitCode, Fault> {
    let mut boots: BTreeMap<String, Boot> = BTreeMap::new();
    let mut progress = Progress::new("records", false);
    source.read(true, &mut |entry| {
        progress.step();
        let Some(number) = entry.number("/unmapped/sequence").and_then(|n| u64::try_from(n).ok()) else { return };
        let boot = boots.entry(entry.field("/unmapped/boot_id")).or_default();
        if boot.numbers.is_empty() {
            (boot.via, boot.first) = (entry.field("/unmapped/via"), entry.time);
        }
        boot.last = boot.last.max(entry.time);
        boot.numbers.push(number);
        if entry.kind == Kind::Lost {
            boot.lost += entry.number("/count").map_or(0, i64::unsigned_abs);
        }
    })?;
    drop(progress);
    let mut unexplained = false;
    let rows: Vec<Value> = boots
        .into_iter()
        .map(|(id, mut boot)| {
            let missing = boot.missing();
            unexplained |= missing > boot.lost;
            let begins = boot.numbers.first().copied().unwrap_or(0);
            json!({"boot": id, "host": boot.via, "first": date(boot.first), "last": date(boot.last),
                "records": boot.numbers.len(), "begins": begins, "missing": missing, "reported": boot.lost})
        })
        .collect();
    desk.output.list(&["boot", "host", "first", "last", "records", "begins", "missing", "reported"], &rows);
    Ok(if unexplained { ExitCode::from(1) } else { ExitCode::SUCCESS })
}
