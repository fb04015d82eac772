// SPDX-License-Identifier: Apache-2.0
//! How far long work has come, for whoever waits at a terminal. Nothing is
//! shown within the first second, and nothing stays behind.

use std::io::{IsTerminal, Write, stderr, stdout};
use std::time::{Duration, Instant};

/// How often it is shown.
const EVERY: Duration = Duration::from_secs(1);

/// See the module's page.
pub(crate) struct Progress {
    what: &'static str,
    done: u64,
    /// When to show it next; none where nobody looks.
    next: Option<Instant>,
    shown: bool,
}

impl Progress {
    /// Counts `what`, such as `records`. Not shown where results go to the
    /// terminal while it counts, if `mixed`.
    pub(crate) fn new(what: &'static str, mixed: bool) -> Self {
        let watched = stderr().is_terminal() && !(mixed && stdout().is_terminal());
        Self { what, done: 0, next: watched.then(|| Instant::now() + EVERY), shown: false }
    }

    /// One more is done.
    pub(crate) fn step(&mut self) {
        self.done += 1;
        if let Some(at) = self.next
            && Instant::now() >= at
        {
            self.next = Some(Instant::now() + EVERY);
            self.shown = true;
            // A terminal that is gone needs no progress.
            let _unseen = write!(stderr().lock(), "\r{} {}", self.done, self.what);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            // Erases the line (ECMA-48, EL).
            let _unseen = write!(stderr().lock(), "\r\x1b[K");
        }
    }
}
