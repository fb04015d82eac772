// SPDX-License-Identifier: Apache-2.0
//! Tells the operator of requests that prove nothing: seldom, and how many
//! there were. What stands in them is whatever somebody sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use standin::time::Clock;

use super::denials::Denied;

/// How often one kind is told of, milliseconds.
const TELL: i64 = 10_000;
/// Longest name that is repeated, characters.
const LONGEST: usize = 160;

/// See the module's page.
pub(super) struct Unproven {
    key: &'static str,
    clock: Arc<dyn Clock>,
    count: AtomicU64,
    /// How many there were when it was told last, and when that was; steady
    /// milliseconds.
    told: AtomicU64,
    at: AtomicI64,
}

/// What somebody sent, as far as it can be a name: it goes to logs and records.
pub(super) fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || "+=,.@-_:/".contains(*c)).take(LONGEST).collect()
}

impl Unproven {
    /// Of one kind, which lines of the log begin with.
    pub(super) fn new(key: &'static str, clock: Arc<dyn Clock>) -> Self {
        Self { key, clock, count: AtomicU64::new(0), told: AtomicU64::new(0), at: AtomicI64::new(i64::MIN) }
    }

    /// How many there were.
    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Counts one, and tells of it when none was told for a while.
    pub(super) fn tell(&self, denied: &Denied, reason: &str) {
        if let Some(line) = self.line(denied, reason) {
            eprintln!("standin: warn {line}");
        }
    }

    fn line(&self, denied: &Denied, reason: &str) -> Option<String> {
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let (now, at) = (self.clock.steady().0, self.at.load(Ordering::Relaxed));
        let due = at == i64::MIN || now.saturating_sub(at) >= TELL;
        // Of several at once one tells.
        if !due || self.at.compare_exchange(at, now, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return None;
        }
        let since = count.saturating_sub(self.told.swap(count, Ordering::Relaxed));
        let Denied { access_key_id, action, target, address, .. } = denied;
        let who = [access_key_id, target].into_iter().find(|name| !name.is_empty()).map_or("nobody", String::as_str);
        let from = if address.is_empty() { "(unknown)" } else { address };
        // A reason may repeat what was sent.
        let reason: String = reason.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        Some(format!("{} {action} as {who} from {from}: {reason} ({since} since the last line)", self.key))
    }
}

#[cfg(test)]
mod tests {
    use standin::time::{ManualClock, UnixMillis};

    use super::*;

    #[test]
    fn it_is_told_seldom_and_on_one_line() {
        let clock = Arc::new(ManualClock::at(UnixMillis(1_767_323_045_000)));
        let unproven = Unproven::new("signature-refused", Arc::clone(&clock) as _);
        let denied = Denied { action: "iam:ListUsers".into(), address: "192.0.2.7".into(), ..Denied::default() };
        let line = unproven.line(&denied, "not\ngood").unwrap();
        let told = "signature-refused iam:ListUsers as nobody from 192.0.2.7: not good (1 since the last line)";
        assert_eq!(line, told);
        assert!((0..100).all(|_| unproven.line(&denied, "x").is_none()));
        clock.pass(TELL);
        assert!(unproven.line(&denied, "x").unwrap().ends_with("(101 since the last line)"));
        assert_eq!(unproven.count(), 102);
        assert_eq!(plain("AKIA\n<b>\u{7}é/x"), "AKIAb/x");
        assert_eq!(plain(&"a".repeat(1000)).len(), LONGEST);
    }
}
