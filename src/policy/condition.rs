// SPDX-License-Identifier: Apache-2.0
//! Evaluating conditions, with AWS's rules for missing keys and sets.

use super::key::{Facts, Key, Values, values};
use super::operator::{Family, Operand, Operator, Quantity, address, boolean, date, number};
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
    /// What the condition looks at.
    pub(super) fn facts(&self) -> Facts {
        let mut facts = self.key.facts();
        for operand in &self.operands {
            let patterns = match operand {
                Operand::Pattern(p) => std::slice::from_ref(p),
                Operand::Arn(fields) => fields.as_slice(),
                _ => &[],
            };
            patterns.iter().flat_map(|p| p.variables()).for_each(|key| facts.add(key.facts()));
        }
        facts
    }

    /// True when a variable in it, or a comparison as text, reads the time:
    /// there is no boundary to be computed then.
    pub(super) fn reads_time_as_text(&self) -> bool {
        let variable = self.operands.iter().any(|o| match o {
            Operand::Pattern(p) => p.variables().any(|k| k.facts() == Facts::TIME),
            Operand::Arn(fields) => fields.iter().flat_map(|p| p.variables()).any(|k| k.facts() == Facts::TIME),
            _ => false,
        });
        let ordered = matches!(self.operator.family, Family::Date(_) | Family::Null)
            || matches!(self.operator.family, Family::Numeric(_)) && self.key == Key::EpochTime;
        variable || self.key.facts() == Facts::TIME && !ordered
    }

    /// True when the condition is met.
    pub(super) fn is_met(&self, inputs: &Inputs<'_>, validity: &mut Validity) -> bool {
        if self.key.facts() == Facts::TIME || self.reads_time_as_text() {
            self.note_time(inputs, validity);
        }
        let Operator { family, negated, if_exists, quantity } = self.operator;
        if family == Family::Null {
            let present = values(inputs, &self.key, &mut |_| {});
            return self.operands.contains(&Operand::Bool(!present));
        }
        let (mut any_hit, mut any_pass, mut all_pass, mut count) = (false, false, true, 0);
        let present = values(inputs, &self.key, &mut |value| {
            let hit = self.operands.iter().any(|operand| compare(family, operand, value, inputs));
            let pass = hit != negated;
            any_hit |= hit;
            any_pass |= pass;
            all_pass &= pass;
            count += 1;
        });
        match quantity {
            // A key without values counts as missing.
            Quantity::Any if !present || count == 0 => if_exists,
            Quantity::Any => any_pass,
            Quantity::All => all_pass,
            Quantity::Single if !present || count == 0 => if_exists || negated,
            Quantity::Single => any_hit != negated,
        }
    }

    fn note_time(&self, inputs: &Inputs<'_>, validity: &mut Validity) {
        if self.reads_time_as_text() {
            validity.cacheable = false;
            return;
        }
        let now = inputs.now.0;
        for operand in &self.operands {
            let at = match operand {
                Operand::Date(at) => *at,
                Operand::Number(seconds) => (*seconds * 1000.0) as i64,
                _ => continue,
            };
            // The time is compared by whole seconds.
            let second = at.div_euclid(1000) * 1000;
            validity.end(second, now);
            validity.end(second + 1000, now);
        }
    }
}

fn compare(family: Family, operand: &Operand, value: &str, inputs: &Inputs<'_>) -> bool {
    let lookup = Values(inputs);
    match (family, operand) {
        (Family::StringEqualsIgnoreCase, Operand::Pattern(p)) => p.matches(value, &lookup, true),
        (_, Operand::Pattern(p)) => p.matches(value, &lookup, false),
        (_, Operand::Arn(fields)) => {
            if let [only] = fields.as_slice() {
                return only.matches(value, &lookup, false);
            }
            let mut rest = value.splitn(6, ':');
            fields.iter().all(|field| rest.next().is_some_and(|v| field.matches(v, &lookup, false)))
                && rest.next().is_none()
        }
        (Family::Numeric(order), Operand::Number(than)) => number(value).is_some_and(|n| order.holds(&n, than)),
        (Family::Date(order), Operand::Date(than)) => date(value).is_some_and(|d| order.holds(&d, than)),
        (_, Operand::Bool(expected)) => boolean(value) == Some(*expected),
        (_, Operand::Binary(expected)) => **expected == *value,
        (_, Operand::Net(net)) => address(value).is_some_and(|a| net.contains(&a)),
        _ => false,
    }
}
