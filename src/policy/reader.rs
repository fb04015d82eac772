// SPDX-License-Identifier: Apache-2.0
//! JSON text with the place of every value, and problems gathered on the way.

use jsonc_parser::ast;
use jsonc_parser::common::Ranged;

use super::{Invalid, Problem};

/// Longest document, bytes.
const LONGEST: usize = 128 * 1024;

/// A JSON value and where it begins.
pub(super) struct Node {
    pub(super) at: usize,
    pub(super) value: Value,
}

pub(super) enum Value {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Node>),
    Object(Vec<Member>),
}

pub(super) struct Member {
    pub(super) at: usize,
    pub(super) name: String,
    pub(super) node: Node,
}

impl Node {
    /// What it is, for messages.
    pub(super) fn shown(&self) -> String {
        match &self.value {
            Value::Null => "null".into(),
            Value::Bool(b) => b.to_string(),
            Value::Number(n) => n.clone(),
            Value::Text(t) => shown_text(t),
            Value::List(_) => "a list".into(),
            Value::Object(_) => "an object".into(),
        }
    }
}

/// A text in quotes, shortened.
pub(super) fn shown_text(text: &str) -> String {
    let short: String = text.chars().take(80).collect();
    if short.len() < text.len() { format!("{short:?}…") } else { format!("{short:?}") }
}

/// Gathers problems of one text.
pub(super) struct Problems<'t> {
    text: &'t str,
    found: Vec<Problem>,
}

impl<'t> Problems<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, found: Vec::new() }
    }

    pub(super) fn add(&mut self, path: &str, at: usize, found: impl Into<String>, accepted: impl Into<String>) {
        let before = self.text.get(..at).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        self.found.push(Problem {
            path: path.to_owned(),
            line,
            column,
            found: found.into(),
            accepted: accepted.into(),
        });
    }

    pub(super) fn finish<T>(mut self, value: Option<T>) -> Result<T, Invalid> {
        match value {
            Some(value) if self.found.is_empty() => Ok(value),
            _ => {
                if self.found.is_empty() {
                    self.add("$", 0, "not a policy document", "a JSON object with Version and Statement is accepted");
                }
                self.found.sort_by_key(|p| (p.line, p.column));
                Err(Invalid { problems: self.found })
            }
        }
    }
}

/// Reads strict JSON.
pub(super) fn read(text: &str, problems: &mut Problems<'_>) -> Option<Node> {
    if text.len() > LONGEST {
        problems.add(
            "$",
            0,
            format!("the document has {} bytes", text.len()),
            format!("at most {LONGEST} are accepted"),
        );
        return None;
    }
    // The strict reader decides what is JSON; the other one knows the places.
    if let Err(e) = serde_json::from_str::<serde::de::IgnoredAny>(text) {
        let at = text.split_inclusive('\n').take(e.line().saturating_sub(1)).map(str::len).sum::<usize>()
            + e.column().saturating_sub(1);
        let what = e.to_string();
        let what = what.split(" at line ").next().unwrap_or_default().to_owned();
        let at = (0..=at.min(text.len())).rev().find(|n| text.is_char_boundary(*n)).unwrap_or(0);
        problems.add("$", at, format!("not JSON: {what}"), "one JSON object (RFC 8259) is accepted");
        return None;
    }
    let parsed = jsonc_parser::parse_to_ast(
        text,
        &jsonc_parser::CollectOptions::default(),
        &jsonc_parser::ParseOptions::default(),
    );
    match parsed.ok().and_then(|p| p.value) {
        Some(value) => node(&value, "$", problems),
        None => {
            problems.add("$", 0, "not JSON", "one JSON object (RFC 8259) is accepted");
            None
        }
    }
}

fn node(value: &ast::Value<'_>, path: &str, problems: &mut Problems<'_>) -> Option<Node> {
    let at = value.start();
    let value = match value {
        ast::Value::StringLit(s) => Value::Text(s.value.to_string()),
        ast::Value::NumberLit(n) => Value::Number(n.value.to_owned()),
        ast::Value::BooleanLit(b) => Value::Bool(b.value),
        ast::Value::NullKeyword(_) => Value::Null,
        ast::Value::Array(list) => Value::List(
            list.elements
                .iter()
                .enumerate()
                .map(|(n, v)| node(v, &format!("{path}[{n}]"), problems))
                .collect::<Option<_>>()?,
        ),
        ast::Value::Object(object) => {
            let mut members: Vec<Member> = Vec::new();
            for property in &object.properties {
                let name = property.name.as_str().to_owned();
                let inside = format!("{path}.{name}");
                if members.iter().any(|m| m.name == name) {
                    problems.add(
                        &inside,
                        property.name.start(),
                        format!("the key {} stands twice", shown_text(&name)),
                        "each key once is accepted",
                    );
                }
                let node = node(&property.value, &inside, problems)?;
                members.push(Member { at: property.name.start(), name, node });
            }
            Value::Object(members)
        }
    };
    Some(Node { at, value })
}
