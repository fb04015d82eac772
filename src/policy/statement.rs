// SPDX-License-Identifier: Apache-2.0
//! Statements, and reading them.

use std::sync::Arc;

use super::condition::Condition;
use super::document::Kind;
use super::party::{self, Party};
use super::pattern::{Atom, Pattern};
use super::problem::{Problems, shown_text, unknown};
use super::reader::{Member, Node, Value};

/// What a statement does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Allow,
    Deny,
}

/// `Action`/`NotAction` or `Resource`/`NotResource`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    /// True for the `Not…` form.
    pub(super) not: bool,
    pub(super) patterns: Vec<Pattern>,
}

/// One statement.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Statement {
    pub(super) sid: Option<Arc<str>>,
    pub(super) effect: Effect,
    /// Whom it is about; in trust policies only.
    pub(super) parties: Vec<Party>,
    pub(super) actions: Element,
    /// Empty in trust policies.
    pub(super) resources: Element,
    pub(super) conditions: Vec<Condition>,
}

/// Reads the statements of one document.
pub(super) struct Reading<'p, 't> {
    pub(super) problems: &'p mut Problems<'t>,
    /// True when the version of the document has policy variables.
    pub(super) variables: bool,
    kind: Kind,
    statements: Vec<Statement>,
    sids: Vec<String>,
}

const KEYS: [&str; 7] = ["Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"];
const TRUST_KEYS: [&str; 6] = ["Sid", "Effect", "Principal", "Action", "NotAction", "Condition"];

impl<'p, 't> Reading<'p, 't> {
    pub(super) fn new(kind: Kind, variables: bool, problems: &'p mut Problems<'t>) -> Self {
        Self { problems, variables, kind, statements: Vec::new(), sids: Vec::new() }
    }

    pub(super) fn finish(self) -> Vec<Statement> {
        self.statements
    }

    /// Reads one statement.
    pub(super) fn statement(&mut self, node: &Node, path: &str) {
        let Value::Object(members) = &node.value else {
            self.problems.add(path, node.at, format!("found {}", node.shown()), "a statement object is accepted");
            return;
        };
        let (mut sid, mut effect, mut conditions) = (None, None, Vec::new());
        let (mut actions, mut resources, mut parties) = (None, None, None);
        for member in members {
            let inside = format!("{path}.{}", member.name);
            match (member.name.as_str(), self.kind) {
                ("Sid", _) => sid = self.sid(&member.node, &inside),
                ("Effect", _) => effect = self.effect(&member.node, &inside),
                ("Action" | "NotAction", kind) => {
                    let patterns = self.list(&member.node, &inside, &|text| action(text, kind));
                    self.element(&mut actions, member, "Action", patterns, &inside);
                }
                ("Resource" | "NotResource", Kind::Identity) => {
                    let variables = self.variables;
                    let patterns = self.list(&member.node, &inside, &|text| resource(text, variables));
                    self.element(&mut resources, member, "Resource", patterns, &inside);
                }
                ("Condition", _) => conditions = self.block(&member.node, &inside),
                ("Principal", Kind::Trust) => parties = Some(party::read(&member.node, &inside, self.problems)),
                _ => self.misplaced(member, &inside),
            }
        }
        let named = |name: &str| members.iter().any(|m| m.name == name);
        let mut missing = |name: &str, accepted| {
            self.problems.add(&format!("{path}.{name}"), node.at, format!("{name} is missing"), accepted)
        };
        if !named("Effect") {
            missing("Effect", "\"Allow\" or \"Deny\" is accepted");
        }
        if actions.is_none() {
            missing("Action", "Action or NotAction is required");
        }
        if self.kind == Kind::Identity && resources.is_none() {
            missing("Resource", "Resource or NotResource is required");
        }
        if self.kind == Kind::Trust && !named("Principal") && !named("NotPrincipal") {
            missing(
                "Principal",
                "whom the role trusts is required, such as {\"AWS\": \"arn:aws:iam::123456789012:user/ann\"}",
            );
        }
        if let (Some(effect), Some(actions)) = (effect, actions) {
            let (parties, resources) = (parties.unwrap_or_default(), resources.unwrap_or_default());
            self.statements.push(Statement { sid, effect, parties, actions, resources, conditions });
        }
    }

    fn sid(&mut self, node: &Node, path: &str) -> Option<Arc<str>> {
        let sid = self.text(node, path)?.to_owned();
        if !sid.bytes().all(|b| b.is_ascii_alphanumeric()) {
            let found = format!("found {}", shown_text(&sid));
            self.problems.add(path, node.at, found, "letters A-Z, a-z and digits 0-9 are accepted in a Sid");
            return None;
        }
        if sid.is_empty() {
            return None;
        }
        if self.sids.contains(&sid) {
            let found = format!("the Sid {} stands twice", shown_text(&sid));
            self.problems.add(path, node.at, found, "a Sid of its own for each statement is accepted");
        }
        self.sids.push(sid.clone());
        Some(sid.into())
    }

    fn effect(&mut self, node: &Node, path: &str) -> Option<Effect> {
        match &node.value {
            Value::Text(t) if t == "Allow" => Some(Effect::Allow),
            Value::Text(t) if t == "Deny" => Some(Effect::Deny),
            _ => {
                let found = format!("found {}", node.shown());
                self.problems.add(path, node.at, found, "\"Allow\" or \"Deny\", written so, is accepted");
                None
            }
        }
    }

    fn element(&mut self, slot: &mut Option<Element>, member: &Member, base: &str, patterns: Vec<Pattern>, path: &str) {
        let not = member.name.starts_with("Not");
        if slot.as_ref().is_some_and(|first| first.not != not) {
            let found = format!("both {base} and Not{base} are present");
            self.problems.add(path, member.at, found, "one of the two is accepted");
            return;
        }
        *slot = Some(Element { not, patterns });
    }

    fn misplaced(&mut self, member: &Member, path: &str) {
        let name = member.name.as_str();
        let (found, accepted) = match (self.kind, name) {
            (Kind::Identity, "Principal" | "NotPrincipal") => (
                format!("{name} is for resource policies"),
                "in an identity policy the principal is whom it is attached to; remove the key",
            ),
            (Kind::Trust, "Resource" | "NotResource") => (
                format!("{name} is for identity policies"),
                "a trust policy is about the role it belongs to; remove the key",
            ),
            (Kind::Trust, "NotPrincipal") => (
                "a trust policy has no NotPrincipal".to_owned(),
                "Principal is accepted; to leave some out, deny with a condition on aws:PrincipalArn",
            ),
            (Kind::Identity, _) => return unknown(member, path, &KEYS, self.problems),
            (Kind::Trust, _) => return unknown(member, path, &TRUST_KEYS, self.problems),
        };
        self.problems.add(path, member.at, found, accepted);
    }

    pub(super) fn text<'n>(&mut self, node: &'n Node, path: &str) -> Option<&'n str> {
        if let Value::Text(text) = &node.value {
            return Some(text);
        }
        self.problems.add(path, node.at, format!("found {}", node.shown()), "a string is accepted");
        None
    }

    /// A string or a list of strings, each read by `item`.
    fn list(&mut self, node: &Node, path: &str, item: &dyn Fn(&str) -> Result<Pattern, String>) -> Vec<Pattern> {
        let mut patterns = Vec::new();
        for (node, inside) in node.items(path) {
            let Some(text) = self.text(node, &inside) else { continue };
            match item(text) {
                Ok(pattern) => patterns.push(pattern),
                Err(accepted) => self.problems.add(&inside, node.at, format!("found {}", shown_text(text)), accepted),
            }
        }
        if matches!(&node.value, Value::List(list) if list.is_empty()) {
            self.problems.add(path, node.at, "the list is empty", "at least one string is accepted");
        }
        patterns
    }
}

fn action(text: &str, kind: Kind) -> Result<Pattern, String> {
    let accepted = match kind {
        Kind::Identity => "* or service:Name is accepted, such as kafka-cluster:ReadData or kafka-cluster:*Topic*",
        Kind::Trust => "actions of sts are accepted, such as sts:AssumeRole or sts:TagSession",
    };
    let service_ok = |service: &str| match kind {
        Kind::Identity => !service.is_empty() && service.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'),
        Kind::Trust => service.eq_ignore_ascii_case("sts"),
    };
    let name_ok =
        |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"*?-_:.".contains(&b));
    let shaped = match text {
        "*" | "*:*" => kind == Kind::Identity,
        text => text.split_once(':').is_some_and(|(service, name)| service_ok(service) && name_ok(name)),
    };
    if shaped { Pattern::read(text, false, true) } else { Err(accepted.into()) }
}

/// AWS: the service is written out, variables stand behind the fifth colon.
fn resource(text: &str, variables: bool) -> Result<Pattern, String> {
    let pattern = Pattern::read(text, variables, true)?;
    if *pattern.0 == [Atom::Star] {
        return Ok(pattern);
    }
    let mut fields = pattern.0.splitn(6, |a| *a == Atom::Char(':'));
    let [prefix, partition, service] = [fields.next(), fields.next(), fields.next()].map(Option::unwrap_or_default);
    let rest: Vec<&[Atom]> = fields.collect();
    let is_arn = prefix == [Atom::Char('a'), Atom::Char('r'), Atom::Char('n')] && !partition.is_empty();
    // A star that ends a field may stand for fields that are not written.
    let stars = |field: &[Atom]| field.last() == Some(&Atom::Star);
    if !is_arn || rest.len() < 3 && !stars(partition) && !rest.iter().any(|field| stars(field)) {
        return Err("* or an ARN of six fields separated by colons is accepted, such as arn:aws:kafka:us-east-1:123456789012:topic/demo/*".into());
    }
    // What follows such a star may be the resource already.
    let mut behind_star = false;
    let misplaced = [partition, service].into_iter().chain(rest.iter().copied().take(2)).any(|field| {
        let variable = field.iter().any(|a| matches!(a, Atom::Variable(..)));
        let wrong = variable && !behind_star;
        behind_star |= stars(field);
        wrong
    });
    if misplaced {
        return Err("variables are accepted behind the fifth colon of an ARN; write the fields before it out".into());
    }
    if service.is_empty() || service.iter().any(|a| matches!(a, Atom::Star | Atom::One)) {
        return Err(
            "an ARN whose third field, the service, is written out is accepted, such as arn:aws:kafka:*:*:*".into()
        );
    }
    Ok(pattern)
}
