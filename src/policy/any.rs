// SPDX-License-Identifier: Apache-2.0
//! Whether any name at all is allowed.

use super::compile::{BOUNDARY, IDENTITY, Rule, SESSION};
use super::index::Region;
use super::key::Values;
use super::language::{Patience, some_text};
use super::pattern::{Atom, Pattern};
use crate::decision::Inputs;

/// Names that one rule allows: those that match one of `within` and none of
/// `without`.
struct Allowed {
    rule: u32,
    group: u8,
    within: Vec<Pattern>,
    without: Vec<Pattern>,
}

/// What the rules whose conditions are met say about names.
pub(super) struct Any {
    allowed: Vec<Allowed>,
    /// Denied names.
    denied: Vec<Pattern>,
    /// Per rule that denies all but some names: those names.
    spared: Vec<Vec<Pattern>>,
    patience: Patience,
}

impl Any {
    pub(super) fn new<'r>(
        rules: impl Iterator<Item = (&'r Region, &'r Rule)>,
        mut met: impl FnMut(&Rule) -> bool,
        inputs: &Inputs<'_>,
    ) -> Self {
        let mut any =
            Self { allowed: Vec::new(), denied: Vec::new(), spared: Vec::new(), patience: Patience::default() };
        for (region, rule) in rules {
            if !met(rule) {
                continue;
            }
            let names = region.expanded(&Values(inputs));
            match (rule.deny, region.not) {
                (true, false) => any.denied.extend(names),
                (true, true) => any.spared.push(names),
                (false, not) => {
                    let all = || vec![Pattern(Box::new([Atom::Star]))];
                    let (within, without) = if not { (all(), names) } else { (names, Vec::new()) };
                    any.allowed.push(Allowed { rule: region.rule, group: rule.group, within, without });
                }
            }
        }
        any
    }

    /// The first identity rule that allows some name which every needed group
    /// allows and no single pattern denies; or that may, when finding out would
    /// take too long.
    pub(super) fn allowed(&self, needs: u8) -> Option<u32> {
        let groups: Vec<u8> = [IDENTITY, BOUNDARY, SESSION].into_iter().filter(|g| needs & g != 0).collect();
        self.allowed
            .iter()
            .filter(|a| a.group == IDENTITY)
            .find(|a| self.by(a, groups.get(1..).unwrap_or_default(), &mut Vec::new(), &mut Vec::new()))
            .map(|a| a.rule)
    }

    fn by<'a>(
        &'a self,
        allowed: &'a Allowed,
        groups: &[u8],
        all: &mut Vec<&'a Pattern>,
        without: &mut Vec<&'a Pattern>,
    ) -> bool {
        let before = without.len();
        without.extend(&allowed.without);
        let found = allowed.within.iter().any(|pattern| {
            all.push(pattern);
            let found = some_text(all, None, &self.patience)
                && match groups.split_first() {
                    None => self.open(&self.spared, all, without),
                    Some((group, rest)) => {
                        self.allowed.iter().filter(|a| a.group == *group).any(|a| self.by(a, rest, all, without))
                    }
                };
            all.pop();
            found
        });
        without.truncate(before);
        found
    }

    /// True when a text that matches all is spared by every rule that denies
    /// all but some names, and no single pattern takes all such texts away.
    fn open<'a>(&'a self, spared: &'a [Vec<Pattern>], all: &mut Vec<&'a Pattern>, without: &[&'a Pattern]) -> bool {
        let Some((first, rest)) = spared.split_first() else {
            return self.denied.iter().chain(without.iter().copied()).all(|d| some_text(all, Some(d), &self.patience));
        };
        first.iter().any(|pattern| {
            all.push(pattern);
            let found = some_text(all, None, &self.patience) && self.open(rest, all, without);
            all.pop();
            found
        })
    }
}
