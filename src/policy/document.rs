// SPDX-License-Identifier: Apache-2.0
//! One policy document: read, checked whole, and kept in the form evaluation
//! is compiled from.

use std::sync::Arc;

use super::Invalid;
use super::condition::Condition;
use super::key::Key;
use super::operator::{Operand, Operator};
use super::pattern::Pattern;
use super::reader::{Member, Node, Problems, Value, read, shown_text};

/// What a statement does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Allow,
    Deny,
}

/// `Action`/`NotAction` or `Resource`/`NotResource`.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    pub(super) actions: Element,
    pub(super) resources: Element,
    pub(super) conditions: Vec<Condition>,
}

/// A valid policy document.
#[derive(Clone, Debug)]
pub struct Document {
    text: Arc<str>,
    pub(super) statements: Vec<Statement>,
}

impl Document {
    /// Reads and checks a document.
    ///
    /// # Errors
    /// Every problem found, with JSON path, line and column.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let mut problems = Problems::new(text);
        let statements = read(text, &mut problems).and_then(|root| document(&root, &mut problems));
        let statements = problems.finish(statements)?;
        Ok(Self { text: text.into(), statements })
    }

    /// The text it was read from.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

fn document(root: &Node, problems: &mut Problems<'_>) -> Option<Vec<Statement>> {
    let Value::Object(members) = &root.value else {
        problems.add(
            "$",
            root.at,
            format!("found {}", root.shown()),
            "a JSON object with Version and Statement is accepted",
        );
        return None;
    };
    let mut variables = false;
    let mut statements = None;
    for member in members {
        let path = format!("$.{}", member.name);
        match member.name.as_str() {
            "Version" => match &member.node.value {
                Value::Text(v) if v == "2012-10-17" => variables = true,
                Value::Text(v) if v == "2008-10-17" => {}
                _ => problems.add(
                    &path,
                    member.node.at,
                    format!("found {}", member.node.shown()),
                    "\"2012-10-17\" or \"2008-10-17\" is accepted",
                ),
            },
            "Id" => {
                text_of(&member.node, &path, problems);
            }
            "Statement" => statements = Some(member),
            _ => unknown(member, &path, &["Version", "Id", "Statement"], problems),
        }
    }
    let Some(member) = statements else {
        problems.add(
            "$.Statement",
            root.at,
            "Statement is missing",
            "one statement or a list of statements is accepted",
        );
        return None;
    };
    let mut out = Vec::new();
    match &member.node.value {
        Value::Object(_) => out.extend(statement(&member.node, "$.Statement", variables, problems)),
        Value::List(list) if list.is_empty() => {
            problems.add("$.Statement", member.node.at, "the list is empty", "at least one statement is accepted")
        }
        Value::List(list) => {
            for (n, node) in list.iter().enumerate() {
                out.extend(statement(node, &format!("$.Statement[{n}]"), variables, problems));
            }
        }
        _ => problems.add(
            "$.Statement",
            member.node.at,
            format!("found {}", member.node.shown()),
            "one statement or a list of statements is accepted",
        ),
    }
    let mut sids: Vec<&Arc<str>> = out.iter().filter_map(|s: &Statement| s.sid.as_ref()).collect();
    sids.sort();
    if let Some(twice) = sids.windows(2).find(|w| w.first() == w.last()).and_then(|w| w.first()) {
        problems.add(
            "$.Statement",
            member.node.at,
            format!("the Sid {} stands twice", shown_text(twice)),
            "a Sid of its own for each statement is accepted",
        );
    }
    Some(out)
}

const KEYS: [&str; 7] = ["Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"];

fn statement(node: &Node, path: &str, variables: bool, problems: &mut Problems<'_>) -> Option<Statement> {
    let Value::Object(members) = &node.value else {
        problems.add(path, node.at, format!("found {}", node.shown()), "a statement object is accepted");
        return None;
    };
    let (mut sid, mut effect, mut conditions) = (None, None, Vec::new());
    let mut actions: Option<(usize, Element)> = None;
    let mut resources: Option<(usize, Element)> = None;
    for member in members {
        let inside = format!("{path}.{}", member.name);
        match member.name.as_str() {
            "Sid" => sid = text_of(&member.node, &inside, problems).map(Arc::from),
            "Effect" => {
                effect = match &member.node.value {
                    Value::Text(t) if t == "Allow" => Some(Effect::Allow),
                    Value::Text(t) if t == "Deny" => Some(Effect::Deny),
                    _ => {
                        problems.add(
                            &inside,
                            member.node.at,
                            format!("found {}", member.node.shown()),
                            "\"Allow\" or \"Deny\", written so, is accepted",
                        );
                        None
                    }
                }
            }
            "Action" | "NotAction" => {
                let patterns = list(&member.node, &inside, problems, &mut |text| action(text));
                twice(&mut actions, member, "Action", patterns, &inside, problems);
            }
            "Resource" | "NotResource" => {
                let patterns = list(&member.node, &inside, problems, &mut |text| resource(text, variables));
                twice(&mut resources, member, "Resource", patterns, &inside, problems);
            }
            "Condition" => conditions = block(&member.node, &inside, variables, problems),
            "Principal" | "NotPrincipal" => {
                problems.add(
                    &inside,
                    member.at,
                    format!("{} is for resource policies", member.name),
                    "in an identity policy the principal is whom it is attached to; remove the key",
                );
            }
            _ => unknown(member, &inside, &KEYS, problems),
        }
    }
    let mut missing = |name: &str, accepted: &str| {
        problems.add(&format!("{path}.{name}"), node.at, format!("{name} is missing"), accepted)
    };
    if !members.iter().any(|m| m.name == "Effect") {
        missing("Effect", "\"Allow\" or \"Deny\" is accepted");
    }
    if actions.is_none() {
        missing("Action", "Action or NotAction is required");
    }
    if resources.is_none() {
        missing("Resource", "Resource or NotResource is required");
    }
    Some(Statement { sid, effect: effect?, actions: actions?.1, resources: resources?.1, conditions })
}

fn twice(
    slot: &mut Option<(usize, Element)>,
    member: &Member,
    base: &str,
    patterns: Vec<Pattern>,
    path: &str,
    problems: &mut Problems<'_>,
) {
    let not = member.name.starts_with("Not");
    if let Some((_, first)) = slot
        && first.not != not
    {
        problems.add(path, member.at, format!("both {base} and Not{base} are present"), "one of the two is accepted");
        return;
    }
    *slot = Some((member.at, Element { not, patterns }));
}

fn unknown(member: &Member, path: &str, known: &[&str], problems: &mut Problems<'_>) {
    let nearest = known.iter().min_by_key(|k| crate::settings::distance(k, &member.name)).copied().unwrap_or_default();
    problems.add(
        path,
        member.at,
        format!("unknown key {}", shown_text(&member.name)),
        format!("{} are accepted; did you mean {nearest}?", known.join(", ")),
    );
}

fn text_of<'n>(node: &'n Node, path: &str, problems: &mut Problems<'_>) -> Option<&'n str> {
    if let Value::Text(text) = &node.value {
        return Some(text);
    }
    problems.add(path, node.at, format!("found {}", node.shown()), "a string is accepted");
    None
}

/// A string or a list of strings, each read by `item`.
fn list(
    node: &Node,
    path: &str,
    problems: &mut Problems<'_>,
    item: &mut dyn FnMut(&str) -> Result<Pattern, String>,
) -> Vec<Pattern> {
    let nodes: &[Node] = match &node.value {
        Value::List(nodes) if nodes.is_empty() => {
            problems.add(path, node.at, "the list is empty", "at least one string is accepted");
            return Vec::new();
        }
        Value::List(nodes) => nodes,
        _ => std::slice::from_ref(node),
    };
    let listed = matches!(node.value, Value::List(_));
    let mut patterns = Vec::new();
    for (n, node) in nodes.iter().enumerate() {
        let inside = if listed { format!("{path}[{n}]") } else { path.to_owned() };
        let Some(text) = text_of(node, &inside, problems) else { continue };
        match item(text) {
            Ok(pattern) => patterns.push(pattern),
            Err(accepted) => problems.add(&inside, node.at, format!("found {}", shown_text(text)), accepted),
        }
    }
    patterns
}

fn action(text: &str) -> Result<Pattern, String> {
    let accepted = "* or service:Name is accepted, such as kafka-cluster:ReadData or kafka-cluster:*Topic*";
    if text != "*" {
        let shaped = text.split_once(':').is_some_and(|(service, name)| {
            let service_ok = !service.is_empty() && service.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            service_ok && !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"*?-_:".contains(&b))
        });
        if !shaped {
            return Err(accepted.into());
        }
    }
    Pattern::read(text, false, true).map_err(|_| accepted.into())
}

fn resource(text: &str, variables: bool) -> Result<Pattern, String> {
    let pattern = Pattern::read(text, variables, true)?;
    // A star may stand for fields that are not written.
    let colons = pattern.0.iter().filter(|a| **a == super::pattern::Atom::Char(':')).count();
    let arn = text.starts_with("arn:") || text.starts_with('*') || text.starts_with("arn*") || text.starts_with("${");
    if !arn || colons < 5 && !text.contains('*') {
        return Err("* or an ARN of six fields separated by colons is accepted, such as arn:aws:kafka:us-east-1:123456789012:topic/demo/*".into());
    }
    Ok(pattern)
}

fn block(node: &Node, path: &str, variables: bool, problems: &mut Problems<'_>) -> Vec<Condition> {
    let mut conditions = Vec::new();
    let Value::Object(operators) = &node.value else {
        problems.add(path, node.at, format!("found {}", node.shown()), "an object of operators is accepted");
        return conditions;
    };
    for member in operators {
        let inside = format!("{path}.{}", member.name);
        let operator = match Operator::read(&member.name) {
            Ok(operator) => operator,
            Err(accepted) => {
                problems.add(&inside, member.at, format!("unknown operator {}", shown_text(&member.name)), accepted);
                continue;
            }
        };
        let Value::Object(keys) = &member.node.value else {
            problems.add(
                &inside,
                member.node.at,
                format!("found {}", member.node.shown()),
                "an object of condition keys is accepted",
            );
            continue;
        };
        if keys.is_empty() {
            problems.add(&inside, member.node.at, "no condition key", "at least one condition key is accepted");
        }
        for (n, key) in keys.iter().enumerate() {
            let inside = format!("{inside}.{}", key.name);
            if !key.name.contains(':')
                || key.name.starts_with(':')
                || key.name.ends_with(':')
                || key.name.contains(['$', '*', '?'])
            {
                problems.add(
                    &inside,
                    key.at,
                    format!("found {}", shown_text(&key.name)),
                    "a condition key such as aws:SourceIp is accepted",
                );
                continue;
            }
            if keys.iter().take(n).any(|k| k.name != key.name && k.name.eq_ignore_ascii_case(&key.name)) {
                problems.add(
                    &inside,
                    key.at,
                    format!("the key {} stands twice (keys compare without case)", shown_text(&key.name)),
                    "each key once is accepted",
                );
            }
            let operands = operands(operator, &key.node, &inside, variables, problems);
            conditions.push(Condition { operator, key: Key::of(&key.name), operands });
        }
    }
    conditions
}

fn operands(operator: Operator, node: &Node, path: &str, variables: bool, problems: &mut Problems<'_>) -> Vec<Operand> {
    let nodes: &[Node] = match &node.value {
        Value::List(nodes) if nodes.is_empty() => {
            problems.add(path, node.at, "the list is empty", "at least one value is accepted");
            return Vec::new();
        }
        Value::List(nodes) => nodes,
        _ => std::slice::from_ref(node),
    };
    let listed = matches!(node.value, Value::List(_));
    let mut operands = Vec::new();
    for (n, node) in nodes.iter().enumerate() {
        let inside = if listed { format!("{path}[{n}]") } else { path.to_owned() };
        let text = match &node.value {
            Value::Text(text) => text.clone(),
            Value::Number(number) => number.clone(),
            Value::Bool(yes) => yes.to_string(),
            Value::Null | Value::List(_) | Value::Object(_) => {
                problems.add(
                    &inside,
                    node.at,
                    format!("found {}", node.shown()),
                    "a string, number or boolean is accepted",
                );
                continue;
            }
        };
        match Operand::read(operator.family, &text, variables) {
            Ok(operand) => operands.push(operand),
            Err(accepted) => problems.add(&inside, node.at, format!("found {}", shown_text(&text)), accepted),
        }
    }
    operands
}
