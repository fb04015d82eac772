// SPDX-License-Identifier: Apache-2.0
//! The record of what callers wanted and might not. The first denial of its
//! kind is on the disk before it is answered; who goes on is counted, so that
//! nobody can fill the store by being denied.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use standin::access_control::{DenialRow, Store};
use standin::fault::Fault;
use standin::time::Clock;

/// How long denials of one kind are counted together, milliseconds.
const WINDOW: i64 = 60_000;
/// Most kinds of one actor that are told apart in that time.
const OF_ONE: usize = 100;
/// Most kinds that are told apart of all who proved to be nobody: they can say
/// what they like, and may not push out what is known of others.
const OF_NOBODY: usize = 20;
/// Most kinds of all together.
const KINDS: usize = 10_000;
/// Longest target and reason, characters.
const LONGEST: usize = 2048;
/// What stands for those that are not told apart.
const SEVERAL: &str = "(several)";

/// What is counted together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Denied {
    /// ARN of who, or empty.
    pub(super) actor: String,
    pub(super) access_key_id: String,
    pub(super) action: String,
    pub(super) target: String,
    pub(super) address: String,
}

impl Denied {
    /// The kind of those that are not told apart: of one actor with one key, or
    /// of all.
    fn untold(self, of_all: bool) -> Self {
        let several = || SEVERAL.to_owned();
        let service = if self.actor.is_empty() { self.service() } else { "" };
        let action = if service.is_empty() { several() } else { format!("{service}:{SEVERAL}") };
        let (actor, access_key_id) = match (of_all, self.actor.is_empty()) {
            (true, _) => (several(), several()),
            (false, true) => (self.actor, several()),
            (false, false) => (self.actor, self.access_key_id),
        };
        Self { actor, access_key_id, action, target: several(), address: several() }
    }

    /// Of which service the action is.
    fn service(&self) -> &str {
        self.action.split(':').next().unwrap_or_default()
    }

    /// True of those among whom few kinds are told apart: of one actor, or of
    /// all who proved to be nobody to one service.
    fn beside(&self, other: &Self) -> bool {
        self.actor == other.actor && (!self.actor.is_empty() || self.service() == other.service())
    }
}

struct Counted {
    since: i64,
    /// Of those that are not written yet.
    first: i64,
    last: i64,
    unwritten: i64,
    /// True while the first is being written.
    writing: bool,
    reason: String,
}

/// See the module's page.
pub(super) struct Denials {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    counted: Mutex<HashMap<Denied, Counted>>,
    total: AtomicU64,
    failures: AtomicU64,
}

/// A text as it can be written down: no database takes every character, and one
/// record that cannot be written would keep back all that are written with it.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", plain(text.get(..end).unwrap_or_default())),
        None => plain(text),
    }
}

impl Denials {
    pub(super) fn new(store: Arc<Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, counted: Mutex::default(), total: AtomicU64::new(0), failures: AtomicU64::new(0) }
    }

    /// How many there were, and how often they could not be written.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.total.load(Ordering::Relaxed), self.failures.load(Ordering::Relaxed))
    }

    fn counted(&self) -> MutexGuard<'_, HashMap<Denied, Counted>> {
        // Counts that are off by one are better than none.
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a denial: one of a new kind is on the disk when this returns,
    /// if the store can be written.
    pub(super) fn record(&self, denied: Denied, reason: &str) {
        self.total.fetch_add(1, Ordering::Relaxed);
        self.record_unproven(denied, reason);
    }

    /// The same of who proved to be nobody; that is counted elsewhere.
    pub(super) fn record_unproven(&self, denied: Denied, reason: &str) {
        let now = self.clock.wall().0;
        let mut denied = Denied { actor: plain(&denied.actor), target: cut(&denied.target), ..denied };
        {
            let mut counted = self.counted();
            if !counted.contains_key(&denied) {
                let full = counted.len() >= KINDS;
                let most = if denied.actor.is_empty() { OF_NOBODY } else { OF_ONE };
                let of_one = || counted.keys().filter(|known| known.beside(&denied)).count();
                if full || of_one() >= most {
                    denied = denied.untold(full);
                }
            }
            if let Some(known) = counted.get_mut(&denied) {
                if known.unwritten == 0 {
                    known.first = now;
                }
                known.unwritten += 1;
                known.last = now;
                return;
            }
            let first = Counted { since: now, first: now, last: now, unwritten: 1, writing: true, reason: cut(reason) };
            counted.insert(denied.clone(), first);
        }
        let row = row(&denied, now, now, 1, reason);
        self.done(&[row], &[denied]);
    }

    /// Writes rows, and notes that they are written.
    fn done(&self, rows: &[DenialRow], of: &[Denied]) {
        let written = self.store.record_denials(rows);
        let mut counted = self.counted();
        for (row, denied) in rows.iter().zip(of) {
            let Some(known) = counted.get_mut(denied) else { continue };
            known.writing = false;
            if written.is_ok() {
                known.unwritten -= row.count;
                known.first = known.last;
            }
        }
        drop(counted);
        if let Err(fault) = written {
            self.failed(&fault);
        }
    }

    fn failed(&self, fault: &Fault) {
        if self.failures.fetch_add(1, Ordering::Relaxed) == 0 {
            eprintln!("standin: error denied requests could not be recorded, and are kept until they can: {fault}");
        }
    }

    /// Writes what was counted in windows that are over, or in all, and what
    /// could not be written before.
    pub(super) fn flush(&self, all: bool) {
        let now = self.clock.wall().0;
        let (mut rows, mut of) = (Vec::new(), Vec::new());
        {
            let mut counted = self.counted();
            let over = |c: &Counted| now - c.since >= WINDOW;
            counted.retain(|_, c| c.unwritten > 0 || c.writing || !over(c));
            for (denied, c) in counted.iter_mut().filter(|(_, c)| c.unwritten > 0 && !c.writing) {
                // Its first could not be written: that is not put off further.
                let again = c.first == c.since;
                if all || over(c) || again {
                    c.writing = true;
                    if over(c) {
                        c.since = now;
                    }
                    rows.push(row(denied, c.first, c.last, c.unwritten, &c.reason));
                    of.push(denied.clone());
                }
            }
        }
        if !rows.is_empty() {
            self.done(&rows, &of);
        }
    }
}

fn row(denied: &Denied, time: i64, until: i64, count: i64, reason: &str) -> DenialRow {
    let Denied { actor, access_key_id, action, target, address } = denied.clone();
    let reason = cut(reason);
    DenialRow { time, until, count, actor, access_key_id, action, target, address, reason, ..DenialRow::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Regression: beyond all kinds only the actor was no longer told apart.
    #[test]
    fn what_is_not_told_apart_is_one_kind() {
        let denied = |n: usize| Denied {
            actor: format!("arn:aws:iam::123456789012:user/{}", n % 2),
            access_key_id: "AKIAEXAMPLE".into(),
            action: format!("iam:A{n}"),
            target: format!("t{n}"),
            address: format!("192.0.2.{n}"),
        };
        let kinds = |of_all| (0..8).map(|n| denied(n).untold(of_all)).collect::<std::collections::HashSet<_>>().len();
        assert_eq!((kinds(false), kinds(true)), (2, 1));
    }

    /// Whoever proves nothing is told apart by the service only.
    #[test]
    fn of_nobody_nothing_is_told_apart() {
        let denied = |n: usize, service: &str| Denied {
            access_key_id: format!("AKIA{n}"),
            action: format!("{service}:A{n}"),
            target: format!("t{n}"),
            address: format!("192.0.2.{n}"),
            ..Denied::default()
        };
        let kinds: std::collections::HashSet<_> =
            (0..8).map(|n| denied(n, if n % 2 == 0 { "iam" } else { "host" }).untold(false)).collect();
        assert_eq!(kinds.len(), 2);
        assert!(!denied(1, "iam").beside(&denied(1, "host")) && denied(1, "iam").beside(&denied(2, "iam")));
    }

    /// Regression: PostgreSQL takes no NUL, and one record with it kept back all
    /// that were counted.
    #[test]
    fn what_no_database_takes_is_not_in_a_record() {
        let denied = Denied { actor: "a\0".into(), target: cut("arn:aws:iam::1:user/\0\u{7}\n"), ..Denied::default() };
        let row = row(&denied, 1, 1, 1, "\0why");
        assert!(!row.target.contains('\0') && !row.reason.contains('\0'), "{row:?}");
        assert_eq!(row.target, "arn:aws:iam::1:user/\u{fffd}\u{fffd}\n");
        assert!(!cut(&"\0".repeat(3000)).contains('\0'));
    }
}
