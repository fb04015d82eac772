// SPDX-License-Identifier: Apache-2.0
//! Values of conditions: read from a document, and compared with values of a
//! request.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use ipnet::{IpNet, Ipv4Net};

use super::key::{Key, Values};
use super::number::Decimal;
use super::operator::Family;
use super::pattern::Pattern;
use crate::decision::Inputs;

/// Nanoseconds of a second.
pub(super) const NANOS: i128 = 1_000_000_000;

/// A value of a condition, ready to compare with.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operand {
    /// Text without wildcards or with them, ARNs, and booleans that hold a
    /// variable.
    Pattern(Pattern),
    /// As it is written.
    Number(Box<str>),
    /// Nanoseconds since the epoch.
    Date(i128),
    Bool(bool),
    Binary(Box<[u8]>),
    Net(IpNet),
}

/// Base64, with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

impl Operand {
    /// Reads one value for an operator family.
    ///
    /// # Errors
    /// What is accepted.
    pub(super) fn read(family: Family, text: &str, variables: bool) -> Result<Self, String> {
        let read = match family {
            Family::StringEquals | Family::StringEqualsIgnoreCase => {
                return Pattern::read(text, variables, false).map(Self::Pattern);
            }
            Family::StringLike => return Pattern::read(text, variables, true).map(Self::Pattern),
            Family::Arn => {
                let pattern = Pattern::read(text, variables, true)?;
                // A variable may bring any of the fields.
                let whole = text == "*" || pattern.has_variables() || text.bytes().filter(|b| *b == b':').count() >= 5;
                let accepted =
                    "an ARN of six fields separated by colons is accepted, such as arn:aws:iam::123456789012:user/*";
                return if whole { Ok(Self::Pattern(pattern)) } else { Err(accepted.into()) };
            }
            Family::Bool if variables && text.contains("${") => {
                return Pattern::read(text, true, false).map(Self::Pattern);
            }
            Family::Numeric(_) => {
                Decimal::read(text).map(|_| Self::Number(text.into())).ok_or("an integer or decimal number is accepted")
            }
            Family::Date(_) => date(text)
                .map(Self::Date)
                .ok_or("a date as 2026-01-02T03:04:05Z (ISO 8601) or seconds since 1970 is accepted"),
            Family::Bool | Family::Null => boolean(text).map(Self::Bool).ok_or("true or false is accepted"),
            Family::Binary => BASE64.decode(text).map(|b| Self::Binary(b.into())).map_err(|_| "base64 is accepted"),
            Family::Ip => net(text)
                .map(Self::Net)
                .ok_or("an address or a range such as 203.0.113.0/24 or 2001:db8::/32 is accepted"),
        };
        read.map_err(|accepted| {
            if text.contains("${") {
                format!("{accepted}; variables stand with String, Arn and Bool operators only")
            } else {
                accepted.to_owned()
            }
        })
    }

    /// The variables in it.
    pub(super) fn variables(&self) -> impl Iterator<Item = &Key> {
        let pattern = if let Self::Pattern(pattern) = self { Some(pattern) } else { None };
        pattern.into_iter().flat_map(Pattern::variables)
    }

    /// True when `value` is what the operator asks for, before negation.
    pub(super) fn is_hit(&self, family: Family, value: &str, inputs: &Inputs<'_>) -> bool {
        let lookup = Values(inputs);
        match (family, self) {
            (Family::StringEqualsIgnoreCase, Self::Pattern(p)) => p.matches_without_case(value, &lookup),
            (Family::Bool, Self::Pattern(p)) => boolean(value).is_some() && p.matches_without_case(value, &lookup),
            (Family::Arn, Self::Pattern(p)) => p.matches_arn(value, &lookup),
            (_, Self::Pattern(p)) => p.matches(value, &lookup),
            (Family::Numeric(order), Self::Number(than)) => match (Decimal::read(value), Decimal::read(than)) {
                (Some(value), Some(than)) => order.holds(value.compare(&than)),
                _ => false,
            },
            (Family::Date(order), Self::Date(than)) => date(value).is_some_and(|d| order.holds(d.cmp(than))),
            (_, Self::Bool(expected)) => boolean(value) == Some(*expected),
            (_, Self::Binary(expected)) => is_base64_of(value, expected),
            (_, Self::Net(net)) => address(value).is_some_and(|a| net.contains(&a)),
            _ => false,
        }
    }
}

fn boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// Nanoseconds since the epoch of an ISO 8601 date (W3C profile) or of seconds
/// since the epoch.
fn date(text: &str) -> Option<i128> {
    use time::format_description::well_known::Rfc3339;
    let bytes = text.as_bytes();
    let digits = text.strip_prefix('-').unwrap_or(text);
    if bytes.len() != 4 && !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse::<i64>().ok().map(|seconds| i128::from(seconds) * NANOS);
    }
    // Shorter forms of the W3C profile are filled up; no allocation.
    let mut full = *b"0000-01-01T00:00:00+00:00";
    let known = match bytes.len() {
        4 | 7 | 10 => {
            full.get_mut(..bytes.len())?.copy_from_slice(bytes);
            std::str::from_utf8(&full).ok()?
        }
        17 if bytes.ends_with(b"Z") => {
            full.get_mut(..16)?.copy_from_slice(bytes.get(..16)?);
            std::str::from_utf8(&full).ok()?
        }
        22 if matches!(bytes.get(16), Some(b'+' | b'-')) => {
            full.get_mut(..16)?.copy_from_slice(bytes.get(..16)?);
            full.get_mut(19..)?.copy_from_slice(bytes.get(16..)?);
            std::str::from_utf8(&full).ok()?
        }
        _ if bytes.get(10) == Some(&b'T') => text,
        _ => return None,
    };
    time::OffsetDateTime::parse(known, &Rfc3339).ok().map(time::OffsetDateTime::unix_timestamp_nanos)
}

/// An address in one form: an IPv4 address written as IPv6 counts as IPv4.
fn address(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|a| a.to_canonical())
}

fn net(text: &str) -> Option<IpNet> {
    let Ok(net) = text.parse::<IpNet>() else { return address(text).map(IpNet::from) };
    match (net.addr().to_canonical(), net) {
        (IpAddr::V4(v4), IpNet::V6(v6)) => Ipv4Net::new(v4, v6.prefix_len().checked_sub(96)?).ok().map(IpNet::V4),
        _ => Some(net),
    }
}

/// True when `text` is base64 of `expected`, padded or not. Decodes piece by
/// piece on the stack.
fn is_base64_of(text: &str, expected: &[u8]) -> bool {
    let bare = text.trim_end_matches('=');
    if text.len() - bare.len() > 2 || bare.len() * 3 / 4 != expected.len() {
        return false;
    }
    let mut pieces = expected.chunks(48);
    bare.as_bytes().chunks(64).all(|chunk| {
        let mut piece = [0; 48];
        let expected = pieces.next().unwrap_or_default();
        BASE64.decode_slice(chunk, &mut piece).is_ok_and(|n| piece.get(..n) == Some(expected))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_every_documented_form() {
        // W3C NOTE-datetime: year, month, day, minutes, seconds, fraction; and
        // what each is in milliseconds.
        for (text, expected) in [
            ("1997", 852_076_800_000),
            ("1997-07", 867_715_200_000),
            ("1997-07-16", 869_011_200_000),
            ("1997-07-16T19:20+01:00", 869_077_200_000),
            ("1997-07-16T18:20Z", 869_077_200_000),
            ("1997-07-16T19:20:30+01:00", 869_077_230_000),
            ("1997-07-16T19:20:30.45+01:00", 869_077_230_450),
            ("869077230", 869_077_230_000),
            ("-1", -1000),
            ("0", 0),
        ] {
            assert_eq!(date(text), Some(expected * 1_000_000), "{text}");
        }
        for bad in [
            "",
            "-",
            "1997-13",
            "1997-02-30",
            "1997-07-16T19:20",
            "16.07.1997",
            "now",
            "1997-07-16T25:00Z",
            "1997-07-16 18:20:30Z",
            "ééééé",
        ] {
            assert_eq!(date(bad), None, "{bad}");
        }
    }

    #[test]
    fn base64_compares_as_bytes_whatever_its_padding() {
        let bytes: Vec<u8> = (0..200).collect();
        for n in [0, 1, 2, 3, 47, 48, 49, 96, 97, 200] {
            let part = bytes.get(..n).unwrap();
            let padded = base64::engine::general_purpose::STANDARD.encode(part);
            let bare = base64::engine::general_purpose::STANDARD_NO_PAD.encode(part);
            assert!(is_base64_of(&padded, part) && is_base64_of(&bare, part), "{n}");
            let mut other = part.to_vec();
            if let Some(last) = other.last_mut() {
                *last ^= 1;
                assert!(!is_base64_of(&padded, &other) && !is_base64_of(&bare, &other), "{n}");
            }
            assert!(!is_base64_of(&format!("{bare}==="), part), "{n}");
        }
        assert!(!is_base64_of("Q!", &[66]));
    }

    #[test]
    fn ipv4_ranges_written_as_ipv6_hold_ipv4_addresses() {
        let range = net("::ffff:10.0.0.0/104").unwrap();
        assert!(range.contains(&address("10.1.2.3").unwrap()) && range.contains(&address("::ffff:10.9.9.9").unwrap()));
        assert!(!range.contains(&address("11.1.2.3").unwrap()));
        assert_eq!(net("10.0.0.0/33"), None);
    }
}
