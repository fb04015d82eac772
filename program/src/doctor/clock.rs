// SPDX-License-Identifier: Apache-2.0
//! The clock of this machine, by what was written before and by how late
//! clients' logins came.

use std::time::{Duration, SystemTime};

use standin::access_control::Store;
use standin::fault::Status;
use standin::revision::Revision;
use standin::settings::EngineSettings;

use super::rules::Findings;
use crate::audit::{Files, Kind};
use crate::input::now;
use crate::output::date;

/// How far clocks of processes may differ without a word, milliseconds.
const SLACK: i64 = 5_000;
/// How long back refused logins are looked at.
const LATELY: Duration = Duration::from_secs(3600);

pub(super) fn check(engine: &EngineSettings, store: Option<&Store>, out: &mut Findings) {
    let here = now().0;
    let mut newest: Option<(i64, &str)> = None;
    let mut note = |at: i64, what: &'static str| {
        if newest.is_none_or(|(n, _)| at > n) {
            newest = Some((at, what));
        }
    };
    if let Some(store) = store
        && let Ok(revision) = store.revision()
        && let Ok(rows) = store.administration(Revision(revision.0.saturating_sub(100)), 100)
    {
        rows.iter().for_each(|row| note(row.time, "the newest change in the store"));
    }
    let mut off: Vec<i64> = Vec::new();
    let mut files = Files::new(engine.audit_dir.clone());
    files.since = SystemTime::now().checked_sub(LATELY);
    let lately = here - i64::try_from(LATELY.as_millis()).unwrap_or(0);
    let read = files.read(true, &mut |entry| {
        note(entry.time, "the newest audit record");
        let status = entry.field("/status_code").parse::<i32>().unwrap_or(0);
        let for_time = status == Status::ClockSkew.number() || status == Status::Expired.number();
        if entry.kind == Kind::Login && entry.time >= lately && for_time {
            off.extend(seconds(&entry.field("/status_detail")));
        }
    });
    if read.is_err() {
        // Told by the rule on the directory.
        return;
    }
    if let Some((at, what)) = newest.filter(|(at, _)| *at > here + SLACK) {
        let text =
            format!("{what} is of {}, {} s ahead of this machine's clock: it went back", date(at), (at - here) / 1000);
        out.wrong("clock", None, text, &["timedatectl set-ntp true"]);
    }
    if !off.is_empty() {
        off.sort_unstable();
        let middle = off.get(off.len() / 2).copied().unwrap_or(0);
        let text = format!(
            "{} logins of the last hour were refused for their time, half of them {} s {} or more: a clock of this machine or of the clients is off",
            off.len(),
            middle.abs(),
            if middle < 0 { "ahead" } else { "late" }
        );
        out.warn("clock", None, text, &["timedatectl set-ntp true"]);
    }
}

/// By how much a refused login was late; ahead is negative.
fn seconds(reason: &str) -> Option<i64> {
    let number = |text: &str| text.split(' ').next().and_then(|n| n.parse::<i64>().ok());
    if let Some(rest) = reason.strip_prefix("the request is dated ") {
        return number(rest).map(|n| -n);
    }
    number(reason.strip_prefix("the request is ")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts are those of the library; see the test of the doctor.
    #[test]
    fn lateness_is_read_from_the_reason() {
        assert_eq!(seconds("the request is 900 s old; at most 360 s are accepted"), Some(900));
        assert_eq!(seconds("the request is dated 400 s in the future; set the clock"), Some(-400));
        assert_eq!(seconds("the temporary credentials ASIA1 have expired"), None);
    }
}
