// SPDX-License-Identifier: Apache-2.0
//! When to renew and when to try again: pure functions of times and a random
//! fraction, so that they can be tested without waiting.

use crate::time::UnixMillis;

/// When to renew a credential: at a random point between 60 and 80 percent of
/// its life, so that credentials issued together are not renewed together.
/// `fraction` is in `0.0..1.0`.
#[must_use]
pub(super) fn renew_at(issued: UnixMillis, expires: UnixMillis, fraction: f64) -> UnixMillis {
    let life = (expires.0 - issued.0).max(0) as f64;
    issued.plus((life * (0.6 + 0.2 * fraction.clamp(0.0, 1.0))) as i64)
}

/// The middle of a credential's life.
#[must_use]
pub(super) fn half(issued: UnixMillis, expires: UnixMillis) -> UnixMillis {
    issued.plus((expires.0 - issued.0).max(0) / 2)
}

/// How long to wait after the `failures`-th failure in a row: full jitter
/// (uniform from zero) under a doubling bound from 250 ms to 30 s, and never
/// less than 50 ms.
#[must_use]
pub(super) fn back_off(failures: u32, fraction: f64) -> i64 {
    back_off_within(30_000, failures, fraction)
}

/// [`back_off`] for what is little work for the service and much for a host to
/// miss: under a bound of 5 s.
#[must_use]
pub(super) fn back_off_briefly(failures: u32, fraction: f64) -> i64 {
    back_off_within(5000, failures, fraction)
}

fn back_off_within(longest: i64, failures: u32, fraction: f64) -> i64 {
    let bound = 250_i64.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(longest);
    ((bound as f64 * fraction.clamp(0.0, 1.0)) as i64).max(50)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renewal_lies_between_60_and_80_percent() {
        let (issued, expires) = (UnixMillis(1000), UnixMillis(11_000));
        assert_eq!(renew_at(issued, expires, 0.0), UnixMillis(7000));
        assert_eq!(renew_at(issued, expires, 1.0), UnixMillis(9000));
        assert_eq!(renew_at(expires, issued, 0.5), expires, "an expired credential is due at once");
    }

    #[test]
    fn back_off_doubles_under_its_bound() {
        assert_eq!(back_off(1, 1.0), 250);
        assert_eq!(back_off(3, 1.0), 1000);
        assert_eq!(back_off(50, 1.0), 30_000);
        assert_eq!(back_off(4, 0.0), 50);
        assert_eq!(
            (back_off_briefly(3, 1.0), back_off_briefly(50, 1.0), back_off_briefly(50, 0.5)),
            (1000, 5000, 2500)
        );
    }
}
