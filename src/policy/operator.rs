// SPDX-License-Identifier: Apache-2.0
//! Condition operators: their names, and what each compares with.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD};
use ipnet::IpNet;

use super::pattern::Pattern;

/// What a comparison of ordered values asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Equal,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

impl Order {
    pub(super) fn holds<T: PartialOrd>(self, value: &T, than: &T) -> bool {
        match self {
            Self::Equal => value == than,
            Self::Less => value < than,
            Self::LessEqual => value <= than,
            Self::Greater => value > than,
            Self::GreaterEqual => value >= than,
        }
    }
}

/// How values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    StringEquals,
    StringEqualsIgnoreCase,
    StringLike,
    Numeric(Order),
    Date(Order),
    Bool,
    Binary,
    Ip,
    Arn,
    Null,
}

/// Whether an operator asks about one value or a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quantity {
    Single,
    Any,
    All,
}

/// A whole operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Operator {
    pub(super) family: Family,
    pub(super) negated: bool,
    pub(super) if_exists: bool,
    pub(super) quantity: Quantity,
}

const NAMES: [(&str, Family, bool); 27] = [
    ("StringEquals", Family::StringEquals, false),
    ("StringNotEquals", Family::StringEquals, true),
    ("StringEqualsIgnoreCase", Family::StringEqualsIgnoreCase, false),
    ("StringNotEqualsIgnoreCase", Family::StringEqualsIgnoreCase, true),
    ("StringLike", Family::StringLike, false),
    ("StringNotLike", Family::StringLike, true),
    ("NumericEquals", Family::Numeric(Order::Equal), false),
    ("NumericNotEquals", Family::Numeric(Order::Equal), true),
    ("NumericLessThan", Family::Numeric(Order::Less), false),
    ("NumericLessThanEquals", Family::Numeric(Order::LessEqual), false),
    ("NumericGreaterThan", Family::Numeric(Order::Greater), false),
    ("NumericGreaterThanEquals", Family::Numeric(Order::GreaterEqual), false),
    ("DateEquals", Family::Date(Order::Equal), false),
    ("DateNotEquals", Family::Date(Order::Equal), true),
    ("DateLessThan", Family::Date(Order::Less), false),
    ("DateLessThanEquals", Family::Date(Order::LessEqual), false),
    ("DateGreaterThan", Family::Date(Order::Greater), false),
    ("DateGreaterThanEquals", Family::Date(Order::GreaterEqual), false),
    ("Bool", Family::Bool, false),
    ("BinaryEquals", Family::Binary, false),
    ("IpAddress", Family::Ip, false),
    ("NotIpAddress", Family::Ip, true),
    ("ArnEquals", Family::Arn, false),
    ("ArnLike", Family::Arn, false),
    ("ArnNotEquals", Family::Arn, true),
    ("ArnNotLike", Family::Arn, true),
    ("Null", Family::Null, false),
];

impl Operator {
    /// Reads an operator's name.
    ///
    /// # Errors
    /// What is accepted, with the nearest name.
    pub(super) fn read(name: &str) -> Result<Self, String> {
        let (quantity, rest) = match name.split_once(':') {
            Some(("ForAnyValue", rest)) => (Quantity::Any, rest),
            Some(("ForAllValues", rest)) => (Quantity::All, rest),
            Some(_) => return Err("ForAnyValue: and ForAllValues: are the accepted prefixes".into()),
            None => (Quantity::Single, name),
        };
        let (base, if_exists) = rest.strip_suffix("IfExists").map_or((rest, false), |base| (base, true));
        let Some((_, family, negated)) = NAMES.iter().find(|(n, ..)| *n == base) else {
            let nearest = NAMES.iter().min_by_key(|(n, ..)| crate::settings::distance(n, base)).map_or("", |(n, ..)| n);
            return Err(format!(
                "did you mean {nearest}? operators are written exactly as documented, with IfExists behind and ForAnyValue: or ForAllValues: before"
            ));
        };
        if *family == Family::Null && if_exists {
            return Err("Null takes no IfExists".into());
        }
        Ok(Self { family: *family, negated: *negated, if_exists, quantity })
    }
}

/// A value of a condition, ready to compare with.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operand {
    /// Strings without wildcards, with them, and ARNs.
    Pattern(Pattern),
    /// An ARN pattern, cut at its first five colons.
    Arn(Vec<Pattern>),
    Number(f64),
    /// Milliseconds since the epoch.
    Date(i64),
    Bool(bool),
    Binary(Box<str>),
    Net(IpNet),
}

/// Base64 as it is written, with or without padding.
const ANY_PADDING: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    base64::engine::GeneralPurposeConfig::new()
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
);

impl Operand {
    /// Reads one value for an operator family.
    ///
    /// # Errors
    /// What is accepted.
    pub(super) fn read(family: Family, text: &str, variables: bool) -> Result<Self, String> {
        match family {
            Family::StringEquals | Family::StringEqualsIgnoreCase => {
                Pattern::read(text, variables, false).map(Self::Pattern)
            }
            Family::StringLike => Pattern::read(text, variables, true).map(Self::Pattern),
            Family::Arn => {
                let pattern = Pattern::read(text, variables, true)?;
                let fields = cut(&pattern);
                if fields.len() == 6 || text == "*" {
                    Ok(Self::Arn(fields))
                } else {
                    Err("an ARN of six fields separated by colons is accepted, such as arn:aws:iam::123456789012:user/*".into())
                }
            }
            Family::Numeric(_) => number(text).map(Self::Number).ok_or_else(|| "a number is accepted".into()),
            Family::Date(_) => date(text)
                .map(Self::Date)
                .ok_or_else(|| "a date as 2026-01-02T03:04:05Z (ISO 8601) or seconds since 1970 is accepted".into()),
            Family::Bool | Family::Null => {
                boolean(text).map(Self::Bool).ok_or_else(|| "true or false is accepted".into())
            }
            Family::Binary => ANY_PADDING
                .decode(text)
                .map(|b| Self::Binary(STANDARD.encode(b).into()))
                .map_err(|_| "base64 is accepted".into()),
            Family::Ip => net(text)
                .map(Self::Net)
                .ok_or_else(|| "an address or a range such as 203.0.113.0/24 or 2001:db8::/32 is accepted".into()),
        }
    }
}

fn cut(pattern: &Pattern) -> Vec<Pattern> {
    let mut fields = Vec::new();
    let mut rest = &*pattern.0;
    while fields.len() < 5 {
        let Some(at) = rest.iter().position(|a| *a == super::pattern::Atom::Char(':')) else { break };
        fields.push(Pattern(rest.get(..at).unwrap_or_default().into()));
        rest = rest.get(at + 1..).unwrap_or_default();
    }
    fields.push(Pattern(rest.into()));
    fields
}

pub(super) fn number(text: &str) -> Option<f64> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    text.parse::<f64>().ok().filter(|n| plain && n.is_finite())
}

pub(super) fn boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// Milliseconds since the epoch of an ISO 8601 date (W3C profile) or of
/// seconds since the epoch.
pub(super) fn date(text: &str) -> Option<i64> {
    use time::format_description::well_known::Rfc3339;
    let bytes = text.as_bytes();
    if !bytes.is_empty()
        && bytes.iter().enumerate().all(|(n, b)| b.is_ascii_digit() || n == 0 && *b == b'-')
        && bytes.len() != 4
    {
        return text.parse::<i64>().ok()?.checked_mul(1000);
    }
    // Shorter forms of the W3C profile are filled up; no allocation.
    let mut full = *b"0000-01-01T00:00:00Z";
    let known = match bytes.len() {
        4 | 7 | 10 if bytes.is_ascii() => {
            full.get_mut(..bytes.len())?.copy_from_slice(bytes);
            std::str::from_utf8(&full).ok()?
        }
        17 if bytes.ends_with(b"Z") => {
            full.get_mut(..16)?.copy_from_slice(bytes.get(..16)?);
            std::str::from_utf8(&full).ok()?
        }
        _ => text,
    };
    let parsed = time::OffsetDateTime::parse(known, &Rfc3339).ok()?;
    i64::try_from(parsed.unix_timestamp_nanos() / 1_000_000).ok()
}

/// An address in one form: an IPv4 address written as IPv6 counts as IPv4.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|a| a.to_canonical())
}

fn net(text: &str) -> Option<IpNet> {
    text.parse::<IpNet>().ok().or_else(|| address(text).map(IpNet::from))
}
