// SPDX-License-Identifier: Apache-2.0
//! Everything about one action: which rules apply to which names.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::action::Action;
use super::arn::{ArnMatch, Scope, Seen, by_fields, fields_before, whole};
use super::key::Values;
use super::pattern::{Atom, How, Lookup, Pattern, matches};
use super::statement::{Effect, Statement};
use crate::decision::Inputs;

/// Where a rule applies among the names of one action's resources.
struct Place {
    rule: u32,
    /// The pattern without the literal text it was found by.
    rest: Box<[Atom]>,
}

type Places = HashMap<Box<str>, Vec<Place>, RandomState>;

/// A pattern with variables before the name: over head and name joined.
struct Joint {
    head: Arc<str>,
    pattern: Pattern,
    fields: bool,
}

/// The names a rule is about.
pub(super) struct Region {
    pub(super) rule: u32,
    /// True for `NotResource`: about all names that no pattern matches.
    pub(super) not: bool,
    names: Vec<Pattern>,
    joints: Vec<Joint>,
}

/// The rules of one action, by the literal begin or end of their patterns,
/// whichever is longer.
#[derive(Default)]
pub(super) struct Index {
    /// True when resources are asked about by name, in a namespace.
    pub(super) scoped: bool,
    /// True for actions on the cluster itself, which has no name.
    pub(super) nameless: bool,
    exact: HashMap<Box<str>, Vec<u32>, RandomState>,
    begins: Places,
    ends: Places,
    /// Lengths of literal begins and ends, ascending.
    begin_lengths: Vec<usize>,
    end_lengths: Vec<usize>,
    /// Positions of the regions that no literal text finds.
    scans: Vec<usize>,
    regions: Vec<Region>,
}

impl Index {
    pub(super) fn new(covering: &[&(u32, &Statement)], action: &Action, scope: &Scope) -> Self {
        let scoped = !action.resource_type.is_empty() && !scope.namespaces.is_empty();
        let nameless = scoped && scope.namespaces.iter().all(|n| n.is_nameless(&action.resource_type));
        let mut index = Self { scoped, nameless, ..Self::default() };
        let heads: Vec<Arc<str>> = if scoped {
            scope.namespaces.iter().map(|c| c.head(&action.resource_type).into()).collect()
        } else {
            vec!["".into()]
        };
        for (rule, statement) in covering {
            // A narrower reading of what allows and a wider one of what
            // denies; inside out for the complement.
            let narrow = (statement.effect == Effect::Allow) != statement.resources.not;
            let fields = scoped && scope.arn_match == ArnMatch::Fields && narrow;
            let (mut names, mut joints) = (Vec::new(), Vec::new());
            for (head, pattern) in heads.iter().flat_map(|h| statement.resources.patterns.iter().map(move |p| (h, p))) {
                match if fields { by_fields(pattern, head) } else { whole(pattern, head) } {
                    Seen::Names(found) => names.extend(found),
                    Seen::Whole => joints.push(Joint { head: Arc::clone(head), pattern: pattern.clone(), fields }),
                }
            }
            names.sort_by_key(|p| p.0.len());
            names.dedup();
            index.add(Region { rule: *rule, not: statement.resources.not, names, joints });
        }
        let lengths = |places: &Places| {
            let mut lengths: Vec<usize> = places.keys().map(|k| k.len()).collect();
            lengths.sort_unstable();
            lengths.dedup();
            lengths
        };
        index.begin_lengths = lengths(&index.begins);
        index.end_lengths = lengths(&index.ends);
        index
    }

    fn add(&mut self, region: Region) {
        if region.not || !region.joints.is_empty() {
            self.scans.push(self.regions.len());
        }
        for name in region.names.iter().filter(|_| !region.not) {
            let rule = region.rule;
            if let Some(text) = name.literal() {
                self.exact.entry(text.into()).or_default().push(rule);
                continue;
            }
            let ((begin, after), (before, end)) = (name.split_literal(), name.split_literal_end());
            let (places, text, rest) =
                if begin.len() >= end.len() { (&mut self.begins, begin, after) } else { (&mut self.ends, end, before) };
            places.entry(text.into()).or_default().push(Place { rule, rest: rest.into() });
        }
        self.regions.push(region);
    }

    /// Every region, for questions about any name.
    pub(super) fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// Calls `hit` with every rule that applies to this name; how many places
    /// were looked at.
    pub(super) fn visit(&self, name: &str, inputs: &Inputs<'_>, hit: &mut dyn FnMut(u32)) -> u32 {
        let lookup = Values(inputs);
        let mut looked_at = 0;
        for rule in self.exact.get(name).into_iter().flatten() {
            looked_at += 1;
            hit(*rule);
        }
        let mut among = |places: &Places, text: &str, rest: &str| {
            for place in places.get(text).into_iter().flatten() {
                looked_at += 1;
                if *place.rest == [Atom::Star] || matches(&place.rest, [rest, ""], &lookup, How::default()) {
                    hit(place.rule);
                }
            }
        };
        for length in self.begin_lengths.iter().take_while(|l| **l <= name.len()) {
            if let Some((begin, rest)) = name.split_at_checked(*length) {
                among(&self.begins, begin, rest);
            }
        }
        for length in self.end_lengths.iter().take_while(|l| **l <= name.len()) {
            if let Some((rest, end)) = name.split_at_checked(name.len() - length) {
                among(&self.ends, end, rest);
            }
        }
        for region in self.scans.iter().filter_map(|n| self.regions.get(*n)) {
            looked_at += 1;
            // Names that are not complements were found above.
            let found = region.not && region.names.iter().any(|p| p.matches(name, &lookup))
                || region.joints.iter().any(|j| j.matches(name, &lookup));
            if found != region.not {
                hit(region.rule);
            }
        }
        looked_at
    }
}

impl Joint {
    fn matches(&self, name: &str, lookup: &dyn Lookup) -> bool {
        let how = if self.fields {
            let Some(fence) = fields_before(&self.pattern, &self.head, lookup) else { return false };
            How { fence, kept: &[':', '/'], ..How::default() }
        } else {
            How::default()
        };
        matches(&self.pattern.0, [&self.head, name], lookup, how)
    }
}

impl Region {
    /// Patterns over names, with the variables replaced.
    pub(super) fn expanded(&self, lookup: &dyn Lookup) -> Vec<Pattern> {
        let mut names: Vec<Pattern> = self.names.iter().filter_map(|p| p.expanded(lookup)).collect();
        for joint in &self.joints {
            let Some(pattern) = joint.pattern.expanded(lookup) else { continue };
            let seen = if joint.fields { by_fields(&pattern, &joint.head) } else { whole(&pattern, &joint.head) };
            if let Seen::Names(found) = seen {
                names.extend(found);
            }
        }
        names
    }
}
