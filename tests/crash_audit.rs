// SPDX-License-Identifier: Apache-2.0
//! An engine is killed at random moments: what its audit loses is what was
//! recorded since the last flush began, and the numbers of records show it.
//!
//! Runs itself as the process that is killed; hence no test harness.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use standin::access_control::{Store, StoreFiles};
use standin::channel::Channel;
use standin::mechanism::{Login, METRICS, engine, open};
use standin::settings::{EvidenceKind, Given};
use standin::time::{Random, SystemClock, SystemRandom};

const KILLS: usize = 20;
/// Flushes that are seen before the kill: the bound is told by the last two.
const FLUSHES: usize = 3;

/// One line of the process that is killed: after how many microseconds how
/// many records were made, and how many of them were written.
#[derive(Clone, Copy, Debug)]
struct Moment {
    at: u64,
    made: u64,
    written: u64,
}

/// Refuses logins, and says after each how far it is, until killed.
fn record_until_killed(dir: &Path) {
    let store = dir.join("store.db");
    let pairs = [("standin.store", store.to_str().unwrap()), ("standin.audit.flush.ms", "100")];
    let given = Given::read(pairs, None).unwrap();
    let engine = engine(open(&given).unwrap()).unwrap();
    let listener = given.renewed([("standin.hosts", "broker"), ("standin.regions", "us-east-1")]).unwrap();
    let profile = engine.profile(&listener).unwrap();
    let written = METRICS.iter().position(|m| *m == "audit-records-written-total").unwrap();
    let begin = Instant::now();
    let mut out = std::io::stdout().lock();
    for made in 1u64.. {
        let login = Login {
            profile,
            kind: EvidenceKind::MskIam,
            payload: &mut b"{}".to_vec(),
            channel: Channel::default(),
            channel_known: true,
            connect: None,
            wait: Duration::from_secs(1),
        };
        engine.log_in(login).err().unwrap();
        writeln!(out, "{} {made} {}", begin.elapsed().as_micros(), engine.metrics()[written]).unwrap();
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, role, dir] = arguments.as_slice()
        && role == "record"
    {
        record_until_killed(Path::new(dir));
        return;
    }
    println!("\nrunning 1 test");
    let dir = tempfile::tempdir().unwrap();
    let at = StoreFiles { store: dir.path().join("store.db"), key_file: dir.path().join("store.db.key") };
    Store::create(&at, "123456789012", Arc::new(SystemClock::new()), Arc::new(SystemRandom)).unwrap();
    let mut lost: Vec<(u64, u64)> = (0..KILLS).map(|_| kill(dir.path())).collect();
    lost.sort_unstable();
    let (most, longest) = (lost[KILLS - 1].0, lost.iter().map(|(_, t)| *t).max().unwrap());
    println!(
        "test killed_at_any_moment_the_audit_loses_no_more_than_since_its_last_flush ... ok ({KILLS} kills, flush every 100 ms: {} records lost at the median, {most} at most, of {} ms at most)",
        lost[KILLS / 2].0,
        longest / 1000
    );
    println!("\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
}

/// Kills one process; how many records it lost, and of how many microseconds.
fn kill(dir: &Path) -> (u64, u64) {
    let audit = dir.join("audit");
    drop(std::fs::remove_dir_all(&audit));
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["record", dir.to_str().unwrap()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let moment = |line: String| -> Option<Moment> {
        let numbers: Vec<u64> = line.split(' ').filter_map(|n| n.parse().ok()).collect();
        let [at, made, written] = numbers.as_slice() else { return None };
        Some(Moment { at: *at, made: *made, written: *written })
    };
    let mut moments: Vec<Moment> = Vec::new();
    // The moments at which a flush was first seen to be done.
    let flushes = |moments: &[Moment]| -> Vec<usize> {
        (1..moments.len()).filter(|n| moments[*n].written > moments[n - 1].written).collect()
    };
    while flushes(&moments).len() < FLUSHES {
        moments.extend(moment(lines.next().unwrap().unwrap()));
    }
    let mut wait = [0; 1];
    SystemRandom.fill(&mut wait).unwrap();
    std::thread::sleep(Duration::from_millis(u64::from(wait[0])));
    child.kill().unwrap();
    moments.extend(lines.map_while(Result::ok).filter_map(moment));
    child.wait().unwrap();

    let mut numbers: Vec<u64> = Vec::new();
    for file in std::fs::read_dir(&audit).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        // The last line may be cut off.
        let records = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        numbers.extend(records.map(|r| r["unmapped"]["sequence"].as_u64().unwrap()));
    }
    numbers.sort_unstable();
    let kept = numbers.len() as u64;
    assert_eq!(numbers, (0..kept).collect::<Vec<_>>(), "what is there has no gap: the loss is at the end");
    let last = moments[moments.len() - 1];
    assert!(kept >= last.written, "{} were said to be written, {kept} are there", last.written);
    // A flush takes everything that is waiting when it begins, and begins
    // after the one before it was done: whatever was made before that is there.
    let done = flushes(&moments);
    let before = moments[done[done.len() - 2] - 1];
    assert!(kept >= before.made, "{} were made before the last flush began, {kept} are there", before.made);
    let first_lost = moments.iter().find(|m| m.made > kept);
    (last.made.saturating_sub(kept), first_lost.map_or(0, |m| last.at - m.at))
}
