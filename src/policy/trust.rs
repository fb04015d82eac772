// SPDX-License-Identifier: Apache-2.0
//! Trust policies: who may assume a role. The one kind of resource policy
//! there is; its conditions are those of identity policies.

use super::Invalid;
use super::catalogue::is_of_brokers;
use super::condition::Validity;
use super::document::{Kind, statements};
use super::party::{Closeness, Party};
use super::pattern::{NoValues, Pattern};
use super::statement::{Effect, Statement};
use crate::decision::Inputs;

/// How a trust policy admits a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It names the caller: that is enough.
    Direct,
    /// It names the caller's account: the caller's own policies must allow it
    /// too.
    ByAccount,
    /// Nothing in it admits the caller.
    No,
    /// It denies.
    Denied,
}

/// A valid trust policy.
#[derive(Clone, Debug)]
pub struct TrustPolicy(Vec<Statement>);

impl TrustPolicy {
    /// Reads and checks a trust policy.
    ///
    /// # Errors
    /// Every problem found, with JSON path, line and column.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        statements(text, Kind::Trust).map(Self)
    }

    /// How it admits the principal of `inputs` for `action`. All statements
    /// are decided together: one that denies wins, wherever it stands.
    #[must_use]
    pub fn admits(&self, action: &str, inputs: &Inputs<'_>) -> Trust {
        self.decide(action, inputs, |party, _| party.closeness(inputs.principal))
    }

    /// How it admits whoever showed a token of the identity provider of this
    /// ARN. Only a statement that names the provider allows; one that is about
    /// everyone denies too.
    #[must_use]
    pub fn admits_provider(&self, provider: &str, action: &str, inputs: &Inputs<'_>) -> Trust {
        self.decide(action, inputs, |party, effect| match party {
            Party::Provider(arn) if **arn == *provider => Closeness::Named,
            Party::All if effect == Effect::Deny => Closeness::Named,
            _ => Closeness::No,
        })
    }

    fn decide(&self, action: &str, inputs: &Inputs<'_>, close: impl Fn(&Party, Effect) -> Closeness) -> Trust {
        let mut validity = Validity { until: None, cacheable: true };
        let mut closest = Closeness::No;
        for statement in &self.0 {
            let closeness = statement.parties.iter().map(|p| close(p, statement.effect)).max();
            let Some(closeness) = closeness.filter(|c| *c != Closeness::No) else { continue };
            let met =
                statement.covers(action, "") && statement.conditions.iter().all(|c| c.is_met(inputs, &mut validity));
            match statement.effect {
                _ if !met => {}
                Effect::Deny => return Trust::Denied,
                Effect::Allow => closest = closest.max(closeness),
            }
        }
        match closest {
            Closeness::Named => Trust::Direct,
            Closeness::Account => Trust::ByAccount,
            Closeness::No => Trust::No,
        }
    }
}

impl Statement {
    /// True when the statement is about this action on resources of this type.
    pub(super) fn covers(&self, action: &str, resource_type: &str) -> bool {
        if self.effect == Effect::Allow && is_of_brokers(action, resource_type) {
            let names = |p: &Pattern| p.literal().is_some_and(|name| name.eq_ignore_ascii_case(action));
            return !self.actions.not && self.actions.patterns.iter().any(names);
        }
        self.actions.patterns.iter().any(|p| p.matches_without_case(action, &NoValues)) != self.actions.not
    }
}
