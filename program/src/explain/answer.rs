// SPDX-License-Identifier: Apache-2.0
//! An answered question, for people and for programs.

use serde_json::{Value, json};
use standin::decision::{Outcome, Reason};
use standin::identity::Identity;
use standin::policy::catalogue;
use standin::policy::explain::{Bearing, How, Layer, Question, Unmet};

use super::Answered;

fn statement_name(bearing: &Bearing) -> String {
    let place = match &bearing.sid {
        Some(sid) => format!("statement {sid}"),
        None => format!("statement {} (counted from 0)", bearing.index),
    };
    format!("{place} of {}", bearing.policy)
}

fn layer_name(layer: Layer) -> &'static str {
    match layer {
        Layer::Identity => "identity",
        Layer::Boundary => "boundary",
        Layer::Session => "session",
    }
}

fn unmet(one: &Unmet) -> String {
    let found = if one.found.is_empty() { "has no value".to_owned() } else { format!("is {}", one.found.join(", ")) };
    format!("{} {} wants {}, and it {found}", one.operator, one.key, one.wanted.join(" or "))
}

impl Answered {
    pub(crate) fn is_allowed(&self) -> bool {
        self.explanation.verdict.outcome == Outcome::Allow
    }

    fn outcome(&self) -> &'static str {
        if self.is_allowed() { "allowed" } else { "denied" }
    }

    fn reason(&self) -> &'static str {
        match self.explanation.verdict.reason {
            Reason::Allowed => "a statement allows it",
            Reason::ExplicitDeny => "a statement denies it",
            Reason::ImplicitDeny => "no statement allows it",
            Reason::BoundaryLimits => "the permissions boundary does not allow it",
            Reason::SessionPolicyLimits => "no session policy allows it",
        }
    }

    /// The text of a statement as it stands in its policy.
    fn statement(&self, bearing: &Bearing) -> Value {
        let set = &self.policies;
        let mut all = set.identity.iter().chain(&set.boundary).chain(&set.session);
        let text = all.find(|p| p.name == bearing.policy).map(|p| p.document.text());
        let document: Option<Value> = text.and_then(|t| serde_json::from_str(t).ok());
        let statements = document.and_then(|d| d.get("Statement").cloned()).unwrap_or_default();
        match statements {
            Value::Array(list) => list.get(bearing.index).cloned().unwrap_or_default(),
            one => one,
        }
    }

    /// What is wrong with the question itself.
    fn notes(question: Question<'_>) -> Vec<String> {
        let mut notes = Vec::new();
        match catalogue::known(question.action) {
            None => notes.push(format!(
                "no host asks about {}; did you mean {}?",
                question.action,
                catalogue::nearest(question.action)
            )),
            Some(known) if !question.resource_type.is_empty() && known.resource_type != question.resource_type => {
                notes.push(format!(
                    "{} is asked about resources of type {}, never about {}",
                    known.action, known.resource_type, question.resource_type
                ));
            }
            Some(_) => {}
        }
        notes
    }

    /// What would have to be changed, in the order in which to do it.
    fn advice(&self) -> Vec<String> {
        let told = &self.explanation;
        let mut advice = Vec::new();
        for bearing in told.bearings.iter().filter(|b| b.deny && b.how == How::Applies) {
            advice.push(format!("narrow or remove {}, which denies it", statement_name(bearing)));
        }
        for layer in &told.missing {
            advice.push(match layer {
                Layer::Identity => "give the identity, or a group of it, this policy:".to_owned(),
                Layer::Boundary => {
                    let name = self.policies.boundary.as_ref().map_or("", |b| &b.name);
                    format!("add this statement to its permissions boundary {name}:")
                }
                Layer::Session => "assume the role with a session policy that has this statement:".to_owned(),
            });
        }
        advice
    }

    pub(crate) fn json(&self, identity: &Identity, question: Question<'_>) -> Value {
        let told = &self.explanation;
        let bearing = |b: &Bearing| {
            let (how, more) = match &b.how {
                How::Applies => ("applies", Value::Null),
                How::Unmet(list) => (
                    "condition",
                    list.iter()
                        .map(|u| json!({"operator": u.operator, "key": u.key, "wanted": u.wanted, "found": u.found}))
                        .collect(),
                ),
                How::Elsewhere(resources) => ("elsewhere", json!(resources)),
            };
            json!({"policy": &*b.policy, "kind": layer_name(b.layer), "index": b.index, "sid": b.sid.as_deref(),
                "effect": if b.deny { "Deny" } else { "Allow" }, "how": how, "detail": more})
        };
        let decided = told.decided_by.and_then(|n| told.bearings.get(n)).map(
            |b| json!({"policy": &*b.policy, "index": b.index, "sid": b.sid.as_deref(), "text": self.statement(b)}),
        );
        let smallest: Value = serde_json::from_str(&self.smallest).unwrap_or_default();
        json!({
            "identity": identity.arn(),
            "action": question.action,
            "resource_type": question.resource_type,
            "resource": question.resource,
            "outcome": self.outcome(),
            "reason": self.reason(),
            "statement": decided,
            "missing": told.missing.iter().map(|l| layer_name(*l)).collect::<Vec<_>>(),
            "smallest": if told.missing.is_empty() { Value::Null } else { smallest },
            "advice": self.advice(),
            "notes": Self::notes(question),
            "statements": told.bearings.iter().map(bearing).collect::<Vec<_>>(),
        })
    }

    pub(crate) fn lines(&self, identity: &Identity, question: Question<'_>) -> Vec<String> {
        let told = &self.explanation;
        let place = match (question.resource_type, question.resource) {
            ("", arn) => arn.to_owned(),
            (kind, "") => kind.to_owned(),
            (kind, name) => format!("{kind} {}", name.escape_debug()),
        };
        let mut lines = vec![
            format!("{}: {} on {place} for {identity}", self.outcome(), question.action),
            format!("because {}", self.reason()),
        ];
        lines.extend(Self::notes(question).into_iter().map(|n| format!("note: {n}")));
        if let Some(bearing) = told.decided_by.and_then(|n| told.bearings.get(n)) {
            lines.push(format!("decided by {}:", statement_name(bearing)));
            lines.push(format!("  {}", self.statement(bearing)));
        }
        // What nearly allows it is where people look for the mistake.
        for bearing in told.bearings.iter().filter(|b| !b.deny && !self.is_allowed()) {
            match &bearing.how {
                How::Applies => {}
                How::Unmet(conditions) => {
                    lines.push(format!("{} would allow it, but its condition is not met:", statement_name(bearing)));
                    lines.extend(conditions.iter().map(|one| format!("  {}", unmet(one))));
                }
                How::Elsewhere(resources) => lines.push(format!(
                    "{} allows it on other resources: {}",
                    statement_name(bearing),
                    resources.join(", ")
                )),
            }
        }
        if !self.is_allowed() {
            lines.push("to allow it:".to_owned());
            for advice in self.advice() {
                let ends = advice.ends_with(':');
                lines.push(format!("  {advice}"));
                if ends {
                    lines.push(format!("    {}", self.smallest));
                }
            }
        }
        lines
    }
}
