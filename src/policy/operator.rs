// SPDX-License-Identifier: Apache-2.0
//! Condition operators: their names, and how each compares.

use std::cmp::Ordering;

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
    /// True when a value that compares so with the operand is a hit.
    pub(super) fn holds(self, value: Ordering) -> bool {
        match self {
            Self::Equal => value.is_eq(),
            Self::Less => value.is_lt(),
            Self::LessEqual => value.is_le(),
            Self::Greater => value.is_gt(),
            Self::GreaterEqual => value.is_ge(),
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
            let nearest = NAMES.iter().min_by_key(|(n, ..)| crate::fault::distance(n, base)).map_or("", |(n, ..)| n);
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
