// SPDX-License-Identifier: Apache-2.0
//! JSON text with the place of every value.

use std::collections::HashSet;

use jsonc_parser::ast;
use jsonc_parser::common::Ranged;

use super::problem::{Problems, shown_text};

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

    /// The members of an object; none of anything else.
    pub(super) fn members(&self) -> &[Member] {
        if let Value::Object(members) = &self.value { members } else { &[] }
    }

    /// The member of this name.
    pub(super) fn member(&self, name: &str) -> Option<&Self> {
        self.members().iter().find(|m| m.name == name).map(|m| &m.node)
    }

    /// The items of a list with their paths; of anything else, itself.
    pub(super) fn items<'n>(&'n self, path: &str) -> Vec<(&'n Node, String)> {
        match &self.value {
            Value::List(list) => list.iter().enumerate().map(|(n, node)| (node, format!("{path}[{n}]"))).collect(),
            _ => vec![(self, path.to_owned())],
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
    // What only this reader refuses: unpaired surrogates, values nested too
    // deep.
    let (at, what) = match parsed {
        Ok(parsed) => match parsed.value {
            Some(value) => return node(&value, "$", problems),
            None => (0, "no value".to_owned()),
        },
        Err(e) => (e.range().start, e.kind().to_string()),
    };
    problems.add("$", at, format!("not JSON: {what}"), "one JSON object (RFC 8259) is accepted");
    None
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
            let mut names = HashSet::new();
            for property in &object.properties {
                let name = property.name.as_str().to_owned();
                let inside = format!("{path}.{name}");
                if !names.insert(name.clone()) {
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
