// SPDX-License-Identifier: Apache-2.0
//! How often hosts, identities and accounts may ask. Who asks more often is
//! put off, never refused: it is told when to try again.
//!
//! Each is measured by one number, the time until which what it asked for is
//! paid (GCRA): no queue, no thread, and nothing to keep of who paused.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use standin::fault::{Fault, Status};
use standin::time::Steady;

/// Most that are measured at once by one limit; further ones share one measure.
const MEASURED: usize = 65_536;
/// How often a limit that is reached is told of.
const TELL: i64 = 10_000;
const NANOS: i64 = 1_000_000_000;

/// So many a second, and so many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    per_second: u32,
    burst: u32,
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |n: &str| n.parse::<u32>().ok().filter(|n| (1..=1_000_000).contains(n));
        let read = text.split_once(':').map(|(rate, burst)| (number(rate), number(burst)));
        match read {
            Some((Some(per_second), Some(burst))) => Ok(Self { per_second, burst }),
            _ => Err("RATE:BURST is accepted, requests a second and at once, each 1 to 1000000; or `off`".to_owned()),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.per_second, self.burst)
    }
}

/// A rate, or none.
pub(crate) fn rate_or_off(text: &str) -> Result<Option<Rate>, String> {
    if text == "off" { Ok(None) } else { text.parse().map(Some) }
}

/// Whose requests a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// One host's.
    Host,
    /// One identity's logins, or its own requests to IAM and STS.
    Identity,
    /// Everything of one account.
    Account,
}

impl Whose {
    /// As it stands in metrics and answers.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Identity => "identity",
            Self::Account => "account",
        }
    }
}

/// Asked too often.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooMany {
    pub(crate) whose: Whose,
    /// After which time to ask again.
    pub(crate) retry: Duration,
    rate: Rate,
}

impl TooMany {
    /// The seconds to say, rounded up.
    pub(crate) fn seconds(&self) -> u64 {
        self.retry.as_secs() + u64::from(self.retry.subsec_nanos() > 0)
    }

    pub(crate) fn fault(&self) -> Fault {
        let (whose, Rate { per_second, burst }) = (self.whose.word(), self.rate);
        let text = format!("too many requests of this {whose}: {per_second} a second are answered, {burst} at once");
        Fault::new(Status::Busy, text)
    }
}

#[derive(Default)]
struct Measured {
    /// Until when what was asked is paid, nanoseconds on the steady clock.
    paid: HashMap<String, i64>,
    /// Of all who find no place there.
    others: i64,
    told: Option<i64>,
}

/// One limit.
struct Limit {
    whose: Whose,
    rate: Option<Rate>,
    measured: Mutex<Measured>,
    put_off: AtomicU64,
}

impl Limit {
    fn new(whose: Whose, rate: Option<Rate>) -> Self {
        Self { whose, rate, measured: Mutex::default(), put_off: AtomicU64::new(0) }
    }

    fn take(&self, who: &str, now: Steady) -> Result<(), TooMany> {
        let Some(rate) = self.rate else { return Ok(()) };
        let each = NANOS / i64::from(rate.per_second);
        let ahead = each.saturating_mul(i64::from(rate.burst) - 1);
        let now = now.0.saturating_mul(1_000_000);
        // Nothing is done under this lock that could leave it half done.
        let mut measured = self.measured.lock().unwrap_or_else(PoisonError::into_inner);
        let Measured { paid, others, told } = &mut *measured;
        if paid.len() >= MEASURED && !paid.contains_key(who) {
            // Whoever paused for long enough is as one that never asked.
            paid.retain(|_, until| *until > now);
        }
        let full = paid.len() >= MEASURED && !paid.contains_key(who);
        let until = if full { others } else { paid.entry(who.to_owned()).or_insert(now) };
        let begun = (*until).max(now);
        if begun - now <= ahead {
            *until = begun.saturating_add(each);
            return Ok(());
        }
        let retry = Duration::from_nanos((begun - now - ahead).unsigned_abs());
        let tell = told.is_none_or(|at| now - at >= TELL * 1_000_000);
        if tell {
            *told = Some(now);
        }
        drop(measured);
        self.put_off.fetch_add(1, Ordering::Relaxed);
        if tell {
            eprintln!("standin: warn {who} is put off: more than {rate} requests (--limit-{})", self.whose.word());
        }
        Err(TooMany { whose: self.whose, retry, rate })
    }
}

/// See the module's page.
pub(crate) struct Limits([Limit; 3]);

impl Limits {
    pub(crate) fn new(host: Option<Rate>, identity: Option<Rate>, account: Option<Rate>) -> Self {
        Self([
            Limit::new(Whose::Host, host),
            Limit::new(Whose::Identity, identity),
            Limit::new(Whose::Account, account),
        ])
    }

    /// No limits.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self::new(None, None, None)
    }

    /// Counts a request of `who`.
    ///
    /// # Errors
    /// When there were too many.
    pub(crate) fn take(&self, whose: Whose, who: &str, now: Steady) -> Result<(), TooMany> {
        self.0.iter().filter(|limit| limit.whose == whose).try_for_each(|limit| limit.take(who, now))
    }

    /// How many requests were put off, by whose they were.
    pub(crate) fn put_off(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.0.iter().map(|limit| (limit.whose.word(), limit.put_off.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(rate: &str) -> Limit {
        Limit::new(Whose::Host, rate_or_off(rate).unwrap())
    }

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let limit = limit("10:5");
        let at = |ms: i64| Steady(1_000_000 + ms);
        let pass = |ms| (0..100).filter(|_| limit.take("a", at(ms)).is_ok()).count();
        assert_eq!(pass(0), 5);
        assert_eq!(limit.take("a", at(0)).unwrap_err().retry, Duration::from_millis(100));
        assert_eq!(limit.take("a", at(99)).unwrap_err().seconds(), 1);
        // Others are not put off for it.
        assert_eq!(limit.take("b", at(99)), Ok(()));
        assert_eq!((pass(100), pass(300), pass(350)), (1, 2, 0));
        // Who paused has its burst again, and no more than that.
        assert_eq!(pass(3_600_000), 5);
        assert!(limit.put_off.load(Ordering::Relaxed) > 400);
    }

    /// However many come: what is kept is bounded, the ones who came first are
    /// not put off, and nobody passes unmeasured.
    #[test]
    fn what_is_kept_is_bounded() {
        let limit = limit("1:2");
        let now = Steady(5000);
        for n in 0..MEASURED {
            limit.take(&n.to_string(), now).unwrap();
        }
        let strangers = (0..1000).filter(|n| limit.take(&format!("x{n}"), now).is_ok()).count();
        assert_eq!(strangers, 2);
        assert_eq!(limit.measured.lock().unwrap().paid.len(), MEASURED);
        assert_eq!(limit.take("0", now), Ok(()));
        // When they paused there is room again.
        let later = Steady(now.0 + 10_000);
        assert!((0..1000).all(|n| limit.take(&format!("x{n}"), later).is_ok()));
        assert!(limit.measured.lock().unwrap().paid.len() <= MEASURED);
    }

    #[test]
    fn rates_are_read() {
        assert_eq!(rate_or_off("off"), Ok(None));
        assert_eq!(rate_or_off("20:100"), Ok(Some(Rate { per_second: 20, burst: 100 })));
        for wrong in ["", "20", "0:1", "1:0", "-1:1", "1:1:1", "1:1000001", "many"] {
            assert!(rate_or_off(wrong).is_err(), "{wrong}");
        }
        let none = Limits::none();
        assert!((0..10_000).all(|_| none.take(Whose::Host, "a", Steady(1)).is_ok()));
    }
}
