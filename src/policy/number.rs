// SPDX-License-Identifier: Apache-2.0
//! Decimal numbers as they are written, of any length: compared digit by
//! digit, so that nothing is rounded.

use std::cmp::Ordering;

/// A number. Its size is `0.DIGITS` times ten to the power of `point`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decimal<'a> {
    negative: bool,
    /// From the first digit that is not zero; may hold the decimal point.
    /// Empty for zero.
    digits: &'a str,
    point: i64,
}

/// Largest exponent that is read, either way.
const EXPONENT: i64 = 1_000_000;

impl<'a> Decimal<'a> {
    /// Reads an integer or decimal, with sign and exponent if there are any.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, power)) => {
                let digits = power.strip_prefix(['+', '-']).unwrap_or(power);
                if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                    return None;
                }
                (mantissa, power.parse::<i64>().ok().filter(|e| e.abs() <= EXPONENT)?)
            }
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits_only = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.len() + fraction.len() == 0 || !digits_only(whole) || !digits_only(fraction) {
            return None;
        }
        let Some(first) = mantissa.find(|c| c != '0' && c != '.') else {
            return Some(Self { negative: false, digits: "", point: 0 });
        };
        let digits_before = mantissa.get(..first)?.bytes().filter(|b| *b != b'.').count();
        let point = i64::try_from(whole.len()).ok()? - i64::try_from(digits_before).ok()? + exponent;
        Some(Self { negative, digits: mantissa.get(first..)?, point })
    }

    fn digits(&self) -> impl Iterator<Item = u8> {
        self.digits.bytes().filter(|b| *b != b'.')
    }

    fn size(&self, other: &Decimal<'_>) -> Ordering {
        match (self.digits.is_empty(), other.digits.is_empty()) {
            (true, true) => return Ordering::Equal,
            (true, false) => return Ordering::Less,
            (false, true) => return Ordering::Greater,
            (false, false) => {}
        }
        let (mut mine, mut others) = (self.digits(), other.digits());
        self.point.cmp(&other.point).then_with(|| {
            loop {
                // Zeros may stand behind the last digit written.
                match (mine.next(), others.next()) {
                    (None, None) => return Ordering::Equal,
                    (a, b) if a.unwrap_or(b'0') == b.unwrap_or(b'0') => {}
                    (a, b) => return a.unwrap_or(b'0').cmp(&b.unwrap_or(b'0')),
                }
            }
        })
    }

    pub(super) fn compare(&self, other: &Decimal<'_>) -> Ordering {
        match (self.negative, other.negative) {
            (false, false) => self.size(other),
            (true, true) => other.size(self),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }

    /// The largest integer that is not larger, if it fits.
    pub(super) fn floor(&self) -> Option<i64> {
        let mut digits = self.digits();
        let mut whole: i64 = 0;
        if self.point > 19 {
            return None;
        }
        for _ in 0..self.point.max(0) {
            let digit = i64::from(digits.next().unwrap_or(b'0') - b'0');
            whole = whole.checked_mul(10)?.checked_add(digit)?;
        }
        let rest = digits.any(|d| d != b'0');
        if self.negative { whole.checked_neg()?.checked_sub(i64::from(rest)) } else { Some(whole) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn compare(a: &str, b: &str) -> Ordering {
        Decimal::read(a).unwrap().compare(&Decimal::read(b).unwrap())
    }

    #[test]
    fn large_and_long_numbers_are_told_apart() {
        for (a, b) in [
            ("9007199254740992", "9007199254740993"),
            ("18446744073709551615", "18446744073709551616"),
            ("0.1", "0.10000000000000000000000000000000000000001"),
            ("-0.3", "-0.29999999999999999999999999"),
            ("99999999999999999999999999999999999999998", "99999999999999999999999999999999999999999"),
            ("-1", "0"),
            ("1e3", "1000.5"),
            ("0.00099", "1E-3"),
        ] {
            assert_eq!(compare(a, b), Ordering::Less, "{a} {b}");
            assert_eq!(compare(b, a), Ordering::Greater, "{a} {b}");
        }
        for (a, b) in
            [("10", "10.0"), ("010", "10"), ("-0", "0"), ("1e3", "1000"), (".5", "0.50"), ("+7", "7."), ("0.05e2", "5")]
        {
            assert_eq!(compare(a, b), Ordering::Equal, "{a} {b}");
        }
    }

    #[test]
    fn other_text_is_not_a_number() {
        for bad in [
            "",
            "-",
            ".",
            "1.2.3",
            "1e",
            "e1",
            "1e+",
            "ten",
            "0x1",
            "1 ",
            " 1",
            "inf",
            "NaN",
            "1_000",
            "--1",
            "1e9999999999",
        ] {
            assert!(Decimal::read(bad).is_none(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn integers_compare_as_integers(a in any::<i128>(), b in any::<i128>()) {
            prop_assert_eq!(compare(&a.to_string(), &b.to_string()), a.cmp(&b));
        }

        #[test]
        fn decimals_compare_as_scaled_integers(a in -1_000_000i64..1_000_000, b in -1_000_000i64..1_000_000, zeros in 0usize..4) {
            let shown = |n: i64| format!("{}{}.{:03}{}", if n < 0 { "-" } else { "" }, n.abs() / 1000, n.abs() % 1000, "0".repeat(zeros));
            prop_assert_eq!(compare(&shown(a), &format!("{b}e-3")), a.cmp(&b));
            prop_assert_eq!(Decimal::read(&shown(a)).unwrap().floor(), Some(a.div_euclid(1000)));
        }
    }
}
