// SPDX-License-Identifier: Apache-2.0
//! One policy document: read, checked whole, and kept in the form evaluation
//! is compiled from.

use std::sync::Arc;

use super::Invalid;
use super::problem::{Problems, shown_text, unknown};
use super::reader::{Member, Node, Value, read};
use super::statement::{Reading, Statement};

/// What a document is for, which decides what may stand in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Attached to users, groups and roles; boundaries and session policies.
    Identity,
    /// Who may assume a role.
    Trust,
}

/// A valid identity policy, permissions boundary or session policy.
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
        Ok(Self { text: text.into(), statements: statements(text, Kind::Identity)? })
    }

    /// The condition keys it looks at, in lower case, each once.
    #[must_use]
    pub fn context_keys(&self) -> std::collections::BTreeSet<&str> {
        let conditions = self.statements.iter().flat_map(|s| &s.conditions);
        let resources = self.statements.iter().flat_map(|s| &s.resources.patterns);
        let keys = conditions.flat_map(super::condition::Condition::keys);
        keys.chain(resources.flat_map(super::pattern::Pattern::variables)).map(super::key::Key::name).collect()
    }

    /// A document of these statements alone, without text.
    pub(super) fn of_statements(statements: Vec<Statement>) -> Self {
        Self { text: "".into(), statements }
    }

    /// The statement at a position, with one of its resources alone.
    pub(super) fn with_resource(&self, statement: usize, resource: usize) -> Option<Self> {
        let mut alone = self.statements.get(statement)?.clone();
        alone.resources.patterns = vec![alone.resources.patterns.get(resource)?.clone()];
        Some(Self::of_statements(vec![alone]))
    }

    /// The text it was read from.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// The statements of a document.
pub(super) fn statements(text: &str, kind: Kind) -> Result<Vec<Statement>, Invalid> {
    let mut problems = Problems::new(text);
    let statements = read(text, &mut problems).and_then(|root| document(&root, kind, &mut problems));
    problems.finish(statements)
}

const KEYS: [&str; 3] = ["Version", "Id", "Statement"];

fn document(root: &Node, kind: Kind, problems: &mut Problems<'_>) -> Option<Vec<Statement>> {
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
            "Id" => id(member, kind, problems),
            "Statement" => statements = Some(member),
            _ => unknown(member, &path, &KEYS, problems),
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
    let mut reading = Reading::new(kind, variables, problems);
    match &member.node.value {
        Value::Object(_) => reading.statement(&member.node, "$.Statement"),
        Value::List(list) if !list.is_empty() => {
            for (n, node) in list.iter().enumerate() {
                reading.statement(node, &format!("$.Statement[{n}]"));
            }
        }
        Value::List(_) => {
            problems.add("$.Statement", member.node.at, "the list is empty", "at least one statement is accepted");
            return None;
        }
        _ => {
            problems.add(
                "$.Statement",
                member.node.at,
                format!("found {}", member.node.shown()),
                "one statement or a list of statements is accepted",
            );
            return None;
        }
    }
    Some(reading.finish())
}

/// The grammar of AWS has `Id` in resource policies only.
fn id(member: &Member, kind: Kind, problems: &mut Problems<'_>) {
    match (&member.node.value, kind) {
        (Value::Text(_), Kind::Trust) => {}
        (Value::Text(id), Kind::Identity) => problems.add(
            "$.Id",
            member.at,
            format!("found the Id {}", shown_text(id)),
            "Id is for resource policies, an identity policy has none; remove the key",
        ),
        _ => problems.add("$.Id", member.node.at, format!("found {}", member.node.shown()), "a string is accepted"),
    }
}
