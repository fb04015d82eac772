// SPDX-License-Identifier: Apache-2.0
//! Evaluating conditions, with AWS's rules for missing keys and sets.

use super::key::{Facts, Found, Key, Origin};
use super::number::Decimal;
use super::operand::{NANOS, Operand};
use super::operator::{Family, Operator, Quantity};
use crate::decision::Inputs;

/// One key of a condition block under one operator.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Condition {
    pub(super) operator: Operator,
    pub(super) key: Key,
    pub(super) operands: Vec<Operand>,
}

/// How long what was evaluated holds.
pub(super) struct Validity {
    /// Earliest instant at which a condition could come out otherwise,
    /// milliseconds.
    pub(super) until: Option<i64>,
    /// False when something was read that changes in other ways.
    pub(super) cacheable: bool,
}

impl Validity {
    fn end(&mut self, at: i64, now: i64) {
        if at > now && self.until.is_none_or(|u| at < u) {
            self.until = Some(at);
        }
    }
}

impl Condition {
    /// Every key it looks at.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.key).chain(self.operands.iter().flat_map(Operand::variables))
    }

    /// What the condition looks at.
    pub(super) fn facts(&self) -> Facts {
        let mut facts = Facts::default();
        self.keys().for_each(|key| facts.add(key.facts()));
        facts
    }

    /// True when a variable in it, or a comparison as text, reads the time:
    /// there is no boundary to be computed then.
    pub(super) fn reads_time_as_text(&self) -> bool {
        let variable = self.operands.iter().flat_map(Operand::variables).any(|k| k.facts() == Facts::TIME);
        let ordered = matches!(self.operator.family, Family::Date(_) | Family::Null)
            || matches!(self.operator.family, Family::Numeric(_)) && self.key.origin() == Origin::EpochTime;
        variable || self.key.facts() == Facts::TIME && !ordered
    }

    /// True when the condition is met.
    pub(super) fn is_met(&self, inputs: &Inputs<'_>, validity: &mut Validity) -> bool {
        if self.key.facts() == Facts::TIME || self.reads_time_as_text() {
            self.note_time(inputs, validity);
        }
        let Operator { family, negated, if_exists, quantity } = self.operator;
        let found = Found::of(inputs, &self.key);
        let missing = found.is_missing();
        if family == Family::Null {
            return self.operands.contains(&Operand::Bool(missing));
        }
        let hit = |value: &str| self.operands.iter().any(|operand| operand.is_hit(family, value, inputs));
        // IAM user guide, "Creating a condition with multiple keys or values":
        // values that resolve to a null data set, such as an empty string,
        // make ForAllValues true and ForAnyValue false.
        let null = || found.iter().all(str::is_empty);
        match quantity {
            Quantity::Single if missing => if_exists || negated,
            Quantity::Single => found.iter().any(hit) != negated,
            Quantity::Any if missing => if_exists,
            Quantity::Any => !null() && found.iter().any(|value| hit(value) != negated),
            Quantity::All => missing || null() || found.iter().all(|value| hit(value) != negated),
        }
    }

    fn note_time(&self, inputs: &Inputs<'_>, validity: &mut Validity) {
        if self.reads_time_as_text() {
            validity.cacheable = false;
            return;
        }
        let now = inputs.now.0;
        for operand in &self.operands {
            let second = match operand {
                Operand::Date(at) => i64::try_from(at.div_euclid(NANOS)).ok(),
                Operand::Number(text) => Decimal::read(text).and_then(|n| n.floor()),
                _ => None,
            };
            // The time is compared by whole seconds.
            for second in second.into_iter().flat_map(|s| [Some(s), s.checked_add(1)]).flatten() {
                validity.end(second.saturating_mul(1000), now);
            }
        }
    }
}
