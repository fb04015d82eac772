// SPDX-License-Identifier: Apache-2.0
//! What the measurements of the library share: taking turns, writing results
//! down, and a store with an engine on it.

#![allow(dead_code, reason = "each measurement uses a part of it")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a measurement that fails stops")]

pub(crate) mod house;

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use serde_json::json;

/// How long a measurement takes and how sure it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Quick,
    Normal,
    Full,
}

/// One measurement's run: how much of it, and where results go.
pub(crate) struct Run {
    pub(crate) level: Level,
    rounds: usize,
    turn: Duration,
    warm: Duration,
    out: Option<PathBuf>,
}

/// A table of the report: what it shows, in which unit, and with whom the
/// contestants are compared.
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) base: &'static str,
}

/// Somebody who is measured: a name, and what does so many calls.
pub(crate) type Contestant<'a> = (String, Box<dyn FnMut(u64) + 'a>);

/// Which processor time counts.
#[derive(Clone, Copy)]
pub(crate) enum Time {
    /// Of this thread.
    Thread,
    /// Of all threads of this process.
    Process,
}

impl Time {
    pub(crate) fn now(self) -> Duration {
        let clock = match self {
            Self::Thread => ClockId::ThreadCPUTime,
            Self::Process => ClockId::ProcessCPUTime,
        };
        let time = clock_gettime(clock);
        Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap())
    }
}

impl Run {
    /// Reads the arguments: effort, and the file results are added to; without
    /// them a short run whose results are only printed.
    pub(crate) fn from_arguments() -> Self {
        let mut words = std::env::args().skip(1).filter(|a| !a.starts_with("--"));
        let level = match words.next().as_deref() {
            None | Some("quick") => Level::Quick,
            Some("normal") => Level::Normal,
            Some("full") => Level::Full,
            Some(other) => panic!("{other}: quick, normal or full is accepted"),
        };
        let (rounds, turn, warm) = match level {
            Level::Quick => (5, 20, 50),
            Level::Normal => (11, 40, 100),
            Level::Full => (21, 80, 200),
        };
        let out = words.next().map(PathBuf::from);
        Self { level, rounds, turn: Duration::from_millis(turn), warm: Duration::from_millis(warm), out }
    }

    /// One of three values.
    pub(crate) fn pick<T>(&self, quick: T, normal: T, full: T) -> T {
        match self.level {
            Level::Quick => quick,
            Level::Normal => normal,
            Level::Full => full,
        }
    }

    /// Writes the samples of one contestant down.
    pub(crate) fn add(&self, table: &Table, row: &str, who: &str, samples: &[f64]) {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        eprintln!("rust: {row}, {who}: {:.1} {}", sorted[sorted.len() / 2], table.unit);
        let Some(path) = &self.out else { return };
        let line = json!({
            "part": "rust", "table": table.name, "unit": table.unit, "base": table.base,
            "row": row, "who": who, "samples": samples,
        });
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        writeln!(file, "{line}").unwrap();
    }

    /// Measures contestants in turns, so that what disturbs one disturbs all:
    /// nanoseconds of processor time a call.
    pub(crate) fn measure(&self, table: &Table, row: &str, time: Time, mut contestants: Vec<Contestant<'_>>) {
        let calls: Vec<u64> = contestants.iter_mut().map(|(_, body)| self.warm(body)).collect();
        let mut samples = vec![Vec::new(); contestants.len()];
        for round in 0..self.rounds {
            for turn in 0..contestants.len() {
                let i = (round + turn) % contestants.len();
                let before = time.now();
                (contestants[i].1)(calls[i]);
                samples[i].push((time.now() - before).as_nanos() as f64 / calls[i] as f64);
            }
        }
        for ((who, _), samples) in contestants.iter().zip(samples) {
            self.add(table, row, who, &samples);
        }
    }

    /// Runs until caches are warm; how many calls fill a turn.
    fn warm(&self, body: &mut dyn FnMut(u64)) -> u64 {
        let begin = Instant::now();
        let mut calls = 1;
        loop {
            let before = Instant::now();
            body(calls);
            let took = before.elapsed();
            if begin.elapsed() >= self.warm {
                let each = took.as_nanos() as f64 / calls as f64;
                return ((self.turn.as_nanos() as f64 / each) as u64).max(1);
            }
            if took < self.turn / 2 {
                calls *= 2;
            }
        }
    }

    /// Measures how much more two threads do than one: by the clock, and by
    /// processor time, which tells waiting from work.
    pub(crate) fn scaling(&self, table: &Table, row: &str, who: &str, bodies: [&(dyn Fn(u64) + Sync); 2]) {
        let calls = self.warm(&mut |n| bodies[0](n)) * 3;
        let (mut clock, mut work) = (Vec::new(), Vec::new());
        for _ in 0..self.rounds {
            let (one, two) = (together(&bodies[..1], calls), together(&bodies, calls));
            clock.push(2.0 * one.0 / two.0);
            work.push(4.0 * one.1 / two.1);
        }
        self.add(table, &format!("{row}, by the clock"), who, &clock);
        self.add(table, &format!("{row}, by processor time"), who, &work);
    }
}

/// Seconds by the clock, and of processor time of all threads.
fn together(bodies: &[&(dyn Fn(u64) + Sync)], calls: u64) -> (f64, f64) {
    let start = std::sync::Barrier::new(bodies.len() + 1);
    std::thread::scope(|scope| {
        let threads: Vec<_> = bodies
            .iter()
            .map(|body| {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    let before = Time::Thread.now();
                    body(calls);
                    (Time::Thread.now() - before).as_secs_f64()
                })
            })
            .collect();
        start.wait();
        let before = Instant::now();
        let work = threads.into_iter().map(|t| t.join().unwrap()).sum();
        (before.elapsed().as_secs_f64(), work)
    })
}

/// Memory this process occupies, bytes.
pub(crate) fn resident() -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.0
}

/// A number as people read it.
pub(crate) fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let head = digits.len() % 3;
    let mut out = digits[..head].to_owned();
    for (i, c) in digits[head..].chars().enumerate() {
        if i % 3 == 0 && !out.is_empty() {
            out.push(',');
        }
        out.push(c);
    }
    out
}
