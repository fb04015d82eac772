// SPDX-License-Identifier: Apache-2.0
//! Policies compiled for deciding: per action an index from the literal begin
//! of resource patterns to the statements behind them, so that a decision
//! looks only at statements that can match.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::action::{Action, ActionId, ActionTable};
use super::arn::{ArnMatch, CLUSTER, Scope, Seen, by_fields, whole};
use super::condition::{Condition, Validity};
use super::document::{Document, Effect, Statement};
use super::key::{Facts, Values};
use super::pattern::{Atom, NoValues, Pattern, matches};
use crate::decision::{Inputs, Outcome, Reason, StatementRef, Verdict};
use crate::time::UnixMillis;

/// A document and the name decisions are explained with.
#[derive(Clone, Debug)]
pub struct Named {
    /// ARN of a managed policy, or `inline/<owner>/<name>`.
    pub name: Arc<str>,
    /// The document.
    pub document: Arc<Document>,
}

/// All policies that decide for one principal.
#[derive(Clone, Debug, Default)]
pub struct PolicySet {
    /// Identity policies: any of them may allow.
    pub identity: Vec<Named>,
    /// Permissions boundary: must allow too.
    pub boundary: Option<Named>,
    /// Session policies: when there are any, one of them must allow too.
    pub session: Vec<Named>,
}

const IDENTITY: u8 = 1;
const BOUNDARY: u8 = 2;
const SESSION: u8 = 4;

struct Rule {
    policy: u32,
    index: u32,
    deny: bool,
    group: u8,
    conditions: Box<[Condition]>,
}

/// Where a rule applies among the names of one action's resources.
struct Place {
    rule: u32,
    /// What follows the literal begin.
    rest: Box<[Atom]>,
}

/// A place that cannot be found by a literal begin.
struct Scan {
    rule: u32,
    /// True for `NotResource`: applies where none of `names` and `wholes` does.
    not: bool,
    names: Vec<Pattern>,
    /// Patterns over head and name joined.
    wholes: Vec<(Arc<str>, Pattern)>,
}

/// Everything about one action.
#[derive(Default)]
struct Index {
    exact: HashMap<Box<str>, Vec<u32>, RandomState>,
    /// Lengths of literal begins, ascending.
    lengths: Vec<usize>,
    begins: HashMap<Box<str>, Vec<Place>, RandomState>,
    scans: Vec<Scan>,
    nameless: bool,
    /// Patterns of every rule, for questions about any resource.
    rules: Vec<(u32, Vec<Pattern>, bool)>,
}

/// What a policy and its statements are called.
struct PolicyNames {
    policy: Arc<str>,
    sids: Vec<Option<Arc<str>>>,
}

/// Policies compiled for one table of actions. Immutable; decides without
/// allocation.
pub struct Compiled {
    rules: Vec<Rule>,
    names: Vec<PolicyNames>,
    indices: Vec<Arc<Index>>,
    facts: Facts,
    time_as_text: bool,
    needs: u8,
}

/// Names the statement that decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatementName<'a> {
    /// Name of the policy.
    pub policy: &'a str,
    /// The statement's Sid.
    pub sid: Option<&'a str>,
    /// Its position in the document, from 0.
    pub index: usize,
}

impl fmt::Display for StatementName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.sid {
            Some(sid) => write!(f, "{}#{sid}", self.policy),
            None => write!(f, "{}#{}", self.policy, self.index),
        }
    }
}

impl Compiled {
    /// Compiles the policies for these actions. With clusters in `scope`,
    /// actions with a resource type are asked about by name.
    #[must_use]
    pub fn new(set: &PolicySet, actions: &ActionTable, scope: &Scope) -> Self {
        let mut rules = Vec::new();
        let mut names = Vec::new();
        let mut facts = Facts::default();
        let mut time_as_text = false;
        let mut statements: Vec<(u32, &Statement)> = Vec::new();
        let groups = set
            .identity
            .iter()
            .map(|p| (p, IDENTITY))
            .chain(set.boundary.iter().map(|p| (p, BOUNDARY)))
            .chain(set.session.iter().map(|p| (p, SESSION)));
        for (policy, (named, group)) in groups.enumerate() {
            names.push(PolicyNames {
                policy: Arc::clone(&named.name),
                sids: named.document.statements.iter().map(|s| s.sid.clone()).collect(),
            });
            for (index, statement) in named.document.statements.iter().enumerate() {
                for condition in &statement.conditions {
                    facts.add(condition.facts());
                    time_as_text |= condition.reads_time_as_text();
                }
                for key in statement.resources.patterns.iter().flat_map(Pattern::variables) {
                    facts.add(key.facts());
                    time_as_text |= key.facts() == Facts::TIME;
                }
                statements.push((number(rules.len()), statement));
                rules.push(Rule {
                    policy: number(policy),
                    index: number(index),
                    deny: statement.effect == Effect::Deny,
                    group,
                    conditions: statement.conditions.clone().into(),
                });
            }
        }
        let needs = IDENTITY
            | if set.boundary.is_some() { BOUNDARY } else { 0 }
            | if set.session.is_empty() { 0 } else { SESSION };
        // Actions that the same statements cover share an index.
        let mut shared: HashMap<(Vec<u32>, Box<str>), Arc<Index>> = HashMap::new();
        let indices = actions
            .iter()
            .map(|action| {
                let covering: Vec<&(u32, &Statement)> = statements.iter().filter(|(_, s)| covers(s, action)).collect();
                let key = (covering.iter().map(|(rule, _)| *rule).collect::<Vec<_>>(), action.resource_type.clone());
                Arc::clone(shared.entry(key).or_insert_with(|| Arc::new(Index::new(&covering, action, scope))))
            })
            .collect();
        Self { rules, names, indices, facts, time_as_text, needs }
    }

    /// Which facts any condition or variable looks at.
    #[must_use]
    pub fn depends(&self) -> Facts {
        self.facts
    }

    fn index(&self, action: ActionId) -> Option<&Index> {
        self.indices.get(usize::try_from(action.0).ok()?.checked_sub(1)?).map(AsRef::as_ref)
    }

    /// Decides one question. An action that is not in the table is denied.
    #[must_use]
    pub fn decide(&self, action: ActionId, resource: &str, inputs: &Inputs<'_>) -> Verdict {
        let Some(index) = self.index(action) else { return Verdict::IMPLICIT_DENY };
        let name = if index.nameless { "" } else { resource };
        let mut tally = Tally::new(self, inputs);
        index.visit(name, inputs, &mut |rule| tally.rule(rule));
        tally.verdict()
    }

    /// Decides whether some resource of the action's type is allowed: a
    /// pattern that allows and that no single deny covers. Conditions on the
    /// resource count as unmet, for allow and deny.
    #[must_use]
    pub fn decide_any(&self, action: ActionId, inputs: &Inputs<'_>) -> Verdict {
        let Some(index) = self.index(action) else { return Verdict::IMPLICIT_DENY };
        let mut validity = Validity { until: None, cacheable: false };
        let mut met = |rule: u32| {
            self.rule(rule).is_some_and(|r| {
                let of_resource = r.conditions.iter().any(|c| matches!(c.key, super::key::Key::ResourceTag(_)));
                !of_resource && r.conditions.iter().all(|c| c.is_met(inputs, &mut validity))
            })
        };
        let denies: Vec<&(u32, Vec<Pattern>, bool)> =
            index.rules.iter().filter(|(rule, ..)| self.rule(*rule).is_some_and(|r| r.deny) && met(*rule)).collect();
        let mut groups = 0;
        let mut statement = None;
        for (rule, patterns, not) in &index.rules {
            let Some(r) = self.rule(*rule).filter(|r| !r.deny) else { continue };
            let open =
                |p: &Pattern| !denies.iter().any(|(_, d, deny_not)| !*deny_not && d.iter().any(|d| contains(d, p)));
            let all = Pattern(Box::new([Atom::Star]));
            let some = if *not { open(&all) } else { patterns.iter().any(open) };
            if some && met(*rule) {
                groups |= r.group;
                statement.get_or_insert(StatementRef(*rule));
            }
        }
        if groups & self.needs == self.needs {
            Verdict { outcome: Outcome::Allow, reason: Reason::Allowed, statement, valid_until: None, cacheable: false }
        } else {
            Verdict { cacheable: false, ..Verdict::IMPLICIT_DENY }
        }
    }

    fn rule(&self, rule: u32) -> Option<&Rule> {
        self.rules.get(usize::try_from(rule).ok()?)
    }

    /// The name of a statement a verdict named.
    #[must_use]
    pub fn statement(&self, statement: StatementRef) -> StatementName<'_> {
        let rule = self.rule(statement.0);
        let index = rule.and_then(|r| usize::try_from(r.index).ok()).unwrap_or(0);
        let named = rule.and_then(|r| self.names.get(usize::try_from(r.policy).ok()?));
        StatementName {
            policy: named.map_or("", |n| &n.policy),
            sid: named.and_then(|n| n.sids.get(index)?.as_deref()),
            index,
        }
    }

    /// The statement at a position of the policy of this name.
    #[must_use]
    pub fn find_statement(&self, policy: &str, index: usize) -> Option<StatementRef> {
        let of_policy = |rule: &Rule| {
            let named = usize::try_from(rule.policy).ok().and_then(|n| self.names.get(n));
            named.is_some_and(|n| *n.policy == *policy) && usize::try_from(rule.index) == Ok(index)
        };
        self.rules.iter().position(of_policy).map(|rule| StatementRef(number(rule)))
    }
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn covers(statement: &Statement, action: &Action) -> bool {
    statement.actions.patterns.iter().any(|p| p.matches(&action.name, &NoValues, true)) != statement.actions.not
}

/// Gathers what the visited rules say.
struct Tally<'c, 'i> {
    compiled: &'c Compiled,
    inputs: &'c Inputs<'i>,
    validity: Validity,
    denied: Option<u32>,
    allowed: [Option<u32>; 3],
}

impl<'c, 'i> Tally<'c, 'i> {
    fn new(compiled: &'c Compiled, inputs: &'c Inputs<'i>) -> Self {
        let validity = Validity { until: None, cacheable: !compiled.time_as_text };
        Self { compiled, inputs, validity, denied: None, allowed: [None; 3] }
    }

    fn rule(&mut self, number: u32) {
        let Some(rule) = self.compiled.rule(number) else { return };
        let slot = rule.group.trailing_zeros() as usize;
        // The first in the order of the documents is named, however found.
        let known = if rule.deny { self.denied } else { self.allowed.get(slot).copied().flatten() };
        if known.is_some_and(|k| k <= number) {
            return;
        }
        if rule.conditions.iter().all(|c| c.is_met(self.inputs, &mut self.validity)) {
            if rule.deny {
                self.denied = Some(number);
            } else if let Some(slot) = self.allowed.get_mut(slot) {
                *slot = Some(number);
            }
        }
    }

    fn verdict(self) -> Verdict {
        let [identity, boundary, session] = self.allowed;
        let (outcome, reason, statement) = if let Some(rule) = self.denied {
            (Outcome::Deny, Reason::ExplicitDeny, Some(rule))
        } else if identity.is_none() {
            (Outcome::Deny, Reason::ImplicitDeny, None)
        } else if self.compiled.needs & BOUNDARY != 0 && boundary.is_none() {
            (Outcome::Deny, Reason::BoundaryLimits, None)
        } else if self.compiled.needs & SESSION != 0 && session.is_none() {
            (Outcome::Deny, Reason::SessionPolicyLimits, None)
        } else {
            (Outcome::Allow, Reason::Allowed, identity)
        };
        Verdict {
            outcome,
            reason,
            statement: statement.map(StatementRef),
            valid_until: self.validity.until.map(UnixMillis),
            cacheable: self.validity.cacheable,
        }
    }
}

impl Index {
    fn new(covering: &[&(u32, &Statement)], action: &Action, scope: &Scope) -> Self {
        let scoped = !action.resource_type.is_empty() && !scope.clusters.is_empty();
        let mut index = Self { nameless: scoped && *action.resource_type == *CLUSTER, ..Self::default() };
        let heads: Vec<Arc<str>> = if scoped {
            scope.clusters.iter().map(|c| c.head(&action.resource_type).into()).collect()
        } else {
            vec!["".into()]
        };
        for (rule, statement) in covering {
            // A narrower reading of what allows and a wider one of what
            // denies; inside out for the complement.
            let narrow = (statement.effect == Effect::Allow) != statement.resources.not;
            let fields = scoped && scope.arn_match == ArnMatch::Fields && narrow;
            let (mut names, mut wholes) = (Vec::new(), Vec::new());
            for (head, pattern) in heads.iter().flat_map(|h| statement.resources.patterns.iter().map(move |p| (h, p))) {
                match if fields { by_fields(pattern, head) } else { whole(pattern, head) } {
                    Seen::Names(found) => names.extend(found),
                    Seen::Whole => wholes.push((Arc::clone(head), pattern.clone())),
                }
            }
            index.add(*rule, statement.resources.not, names, wholes);
        }
        index.lengths = index.begins.keys().map(|k| k.len()).collect();
        index.lengths.sort_unstable();
        index.lengths.dedup();
        index
    }

    fn add(&mut self, rule: u32, not: bool, mut names: Vec<Pattern>, wholes: Vec<(Arc<str>, Pattern)>) {
        names.sort_by_key(|p| p.0.len());
        names.dedup();
        self.rules.push((rule, names.clone(), not));
        if not || !wholes.is_empty() {
            self.scans.push(Scan { rule, not, names: if not { names.clone() } else { Vec::new() }, wholes });
        }
        if not {
            return;
        }
        for name in names {
            match name.literal() {
                Some(text) => self.exact.entry(text.into()).or_default().push(rule),
                None => {
                    let (begin, rest) = name.split_literal();
                    let place = Place { rule, rest: rest.into() };
                    self.begins.entry(begin.into()).or_default().push(place);
                }
            }
        }
    }

    /// Calls `hit` with every rule that applies to this name.
    fn visit(&self, name: &str, inputs: &Inputs<'_>, hit: &mut dyn FnMut(u32)) {
        let lookup = Values(inputs);
        if let Some(rules) = self.exact.get(name) {
            rules.iter().for_each(|r| hit(*r));
        }
        for length in &self.lengths {
            let (Some(begin), Some(tail)) = (name.get(..*length), name.get(*length..)) else {
                if *length > name.len() {
                    break;
                }
                continue;
            };
            for place in self.begins.get(begin).into_iter().flatten() {
                if *place.rest == [Atom::Star] || matches(&place.rest, [tail, ""], &lookup, false) {
                    hit(place.rule);
                }
            }
        }
        for scan in &self.scans {
            let found = scan.names.iter().any(|p| p.matches(name, &lookup, false))
                || scan.wholes.iter().any(|(head, p)| matches(&p.0, [head, name], &lookup, false));
            if found != scan.not {
                hit(scan.rule);
            }
        }
    }
}

/// True when everything `inner` matches, `outer` matches too. Errs to false.
fn contains(outer: &Pattern, inner: &Pattern) -> bool {
    if outer.has_variables() || inner.has_variables() {
        return outer == inner;
    }
    // Reading the inner pattern's wildcards as characters no literal has is
    // exact enough: a star of `outer` takes them, a literal of it does not.
    let text: String = inner
        .0
        .iter()
        .map(|a| match a {
            Atom::Char(c) => *c,
            Atom::Star => '\u{10FFFE}',
            Atom::One => '\u{10FFFF}',
            Atom::Variable(..) => '\u{10FFFD}',
        })
        .collect();
    let only_stars =
        Pattern(outer.0.iter().map(|a| if *a == Atom::One { Atom::Char('\u{10FFFF}') } else { a.clone() }).collect());
    let ones_free = !inner.0.contains(&Atom::Star);
    (if ones_free { outer } else { &only_stars }).matches(&text, &NoValues, false)
}
