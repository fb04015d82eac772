// SPDX-License-Identifier: Apache-2.0
//! Policies compiled for deciding: per action an index from the literal parts
//! of resource patterns to the statements behind them, so that a decision
//! looks only at statements that can match.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::action::{ActionId, ActionTable};
use super::any::Any;
use super::arn::Scope;
use super::condition::{Condition, Validity};
use super::document::Document;
use super::index::Index;
use super::key::{Facts, Key, Origin};
use super::pattern::Pattern;
use super::statement::{Effect, Statement};
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

pub(super) const IDENTITY: u8 = 1;
pub(super) const BOUNDARY: u8 = 2;
pub(super) const SESSION: u8 = 4;

pub(super) struct Rule {
    policy: u32,
    index: u32,
    pub(super) deny: bool,
    pub(super) group: u8,
    pub(super) conditions: Box<[Condition]>,
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
    /// Names of the host's own facts that are looked at, sorted.
    own_facts: Vec<Box<str>>,
    time_as_text: bool,
    needs: u8,
}

/// A verdict, and what it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// The verdict.
    pub verdict: Verdict,
    /// How many patterns of resources were looked at.
    pub looked_at: u32,
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
    /// Compiles the policies for these actions. With namespaces in `scope`,
    /// actions with a resource type are asked about by name.
    #[must_use]
    pub fn new(set: &PolicySet, actions: &ActionTable, scope: &Scope) -> Self {
        let mut rules = Vec::new();
        let mut names = Vec::new();
        let mut facts = Facts::default();
        let mut own_facts: Vec<Box<str>> = Vec::new();
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
                    own_facts.extend(condition.keys().filter_map(Key::of_channel).map(Into::into));
                    time_as_text |= condition.reads_time_as_text();
                }
                for key in statement.resources.patterns.iter().flat_map(Pattern::variables) {
                    facts.add(key.facts());
                    own_facts.extend(key.of_channel().map(Into::into));
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
                let covering: Vec<&(u32, &Statement)> =
                    statements.iter().filter(|(_, s)| s.covers(&action.name, &action.resource_type)).collect();
                let key = (covering.iter().map(|(rule, _)| *rule).collect::<Vec<_>>(), action.resource_type.clone());
                Arc::clone(shared.entry(key).or_insert_with(|| Arc::new(Index::new(&covering, action, scope))))
            })
            .collect();
        own_facts.sort_unstable();
        own_facts.dedup();
        Self { rules, names, indices, facts, own_facts, time_as_text, needs }
    }

    /// Which facts any condition or variable looks at.
    #[must_use]
    pub fn depends(&self) -> Facts {
        self.facts
    }

    /// True when any condition or variable looks at the host's own fact of
    /// this name, in lower case.
    #[must_use]
    pub fn looks_at(&self, fact: &str) -> bool {
        self.own_facts.binary_search_by(|f| (**f).cmp(fact)).is_ok()
    }

    /// How many actions they were compiled for.
    #[must_use]
    pub fn actions(&self) -> usize {
        self.indices.len()
    }

    fn index(&self, action: ActionId) -> Option<&Index> {
        self.indices.get(usize::try_from(action.0).ok()?.checked_sub(1)?).map(AsRef::as_ref)
    }

    /// Decides one question. An action that is not in the table is denied.
    #[must_use]
    pub fn decide(&self, action: ActionId, resource: &str, inputs: &Inputs<'_>) -> Verdict {
        self.evaluate(action, resource, inputs).verdict
    }

    /// Decides one question and says what it took.
    #[must_use]
    pub fn evaluate(&self, action: ActionId, resource: &str, inputs: &Inputs<'_>) -> Evaluation {
        let Some(index) = self.index(action) else {
            return Evaluation { verdict: Verdict::IMPLICIT_DENY, looked_at: 0 };
        };
        let inputs = &about(index, inputs);
        let name = if index.nameless { "" } else { resource };
        let mut tally = Tally::new(self, inputs);
        let looked_at = index.visit(name, inputs, &mut |rule| tally.rule(rule));
        Evaluation { verdict: tally.verdict(), looked_at }
    }

    /// Decides whether there is some resource of the action's type that is
    /// allowed. Where several denies only together cover all that is allowed,
    /// it may say so all the same. Where resources are asked about by their
    /// whole ARN, conditions on the resource count as unmet.
    #[must_use]
    pub fn decide_any(&self, action: ActionId, inputs: &Inputs<'_>) -> Verdict {
        let Some(index) = self.index(action) else { return Verdict::IMPLICIT_DENY };
        if index.nameless {
            return Verdict { cacheable: false, ..self.decide(action, "", inputs) };
        }
        let inputs = &about(index, inputs);
        let mut validity = Validity { until: None, cacheable: false };
        let met = |rule: &Rule| {
            rule.conditions.iter().all(|c| {
                let of_resource = !index.scoped && c.keys().any(|k| k.origin() == Origin::ResourceTag);
                !of_resource && c.is_met(inputs, &mut validity)
            })
        };
        let rules = index.regions().iter().filter_map(|region| Some((region, self.rule(region.rule)?)));
        match Any::new(rules, met, inputs).allowed(self.needs) {
            Some(rule) => Verdict {
                outcome: Outcome::Allow,
                reason: Reason::Allowed,
                statement: Some(StatementRef(rule)),
                valid_until: None,
                cacheable: false,
            },
            None => Verdict { cacheable: false, ..Verdict::IMPLICIT_DENY },
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

/// The inputs as the action's resources see them: tags are the cluster's, and
/// only the cluster itself has any (`aws:ResourceTag` in the service
/// authorization reference of Apache Kafka APIs for MSK).
fn about<'a>(index: &Index, inputs: &Inputs<'a>) -> Inputs<'a> {
    let tagged = !index.scoped || index.nameless;
    Inputs { resource_tags: if tagged { inputs.resource_tags } else { &[] }, ..*inputs }
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
