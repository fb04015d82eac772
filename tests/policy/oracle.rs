// SPDX-License-Identifier: Apache-2.0
//! Random policies over a small world, and what they decide, written as
//! plainly as the rules are told: every statement of every policy is looked
//! at, every wildcard is tried.

use proptest::prelude::*;
use serde_json::{Value, json};
use standin::channel::Channel;
use standin::decision::{Inputs, Keys, Outcome};
use standin::identity::{Attributes, Identity, Principal};
use standin::policy::{ActionId, ActionTable, ArnMatch, Compiled, Document, Named, Namespace, PolicySet, Scope};
use standin::time::UnixMillis;

/// The cluster and an old name of it: what stands before and behind the type.
pub(crate) const CLUSTERS: [(&str, &str); 2] =
    [("arn:aws:kafka:eu:123456789012:", "/d/u"), ("arn:aws-cn:kafka:cn:000000000001:", "/o/x")];
pub(crate) const ACTIONS: [(&str, &str); 5] = [
    ("k:Read", "topic"),
    ("k:ReadAll", "topic"),
    ("k:Write", "topic"),
    ("k:Describe", "group"),
    ("k:Admin", "cluster"),
];

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cond {
    ClientId(&'static str),
    NotTag(&'static str),
    ResourceTag(&'static str),
    NoResourceTag,
}

#[derive(Clone, Debug)]
pub(crate) struct Stmt {
    pub(crate) deny: bool,
    pub(crate) not_action: bool,
    pub(crate) actions: Vec<&'static str>,
    pub(crate) not_resource: bool,
    pub(crate) resources: Vec<String>,
    pub(crate) conds: Vec<Cond>,
}

#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) aliases: usize,
    pub(crate) identity: Vec<Vec<Stmt>>,
    pub(crate) boundary: Option<Vec<Stmt>>,
    pub(crate) session: Vec<Vec<Stmt>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) tag: Option<&'static str>,
    pub(crate) client_id: &'static str,
    pub(crate) resource_tag: Option<&'static str>,
}

fn resource() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        4 => "[ab*?/:]{0,4}",
        1 => Just("${aws:PrincipalTag/t}".to_owned()),
        1 => Just("${aws:PrincipalTag/t}*b".to_owned()),
        1 => Just("a${x:none, 'b*'}?".to_owned()),
    ];
    let head = prop_oneof![
        4 => Just("arn:aws:kafka:eu:123456789012:topic/d/u/"),
        2 => Just("arn:aws-cn:kafka:cn:000000000001:topic/o/x/"),
        1 => Just("arn:aws:kafka:eu:123456789012:group/d/u/"),
        1 => Just("arn:aws:kafka:*:*:topic/d/*/"),
        1 => Just("arn:aws*:kafka:*:*:topic/*/"),
        1 => Just("arn:aws:kafka:eu:123456789012:*/?/u/"),
        1 => Just("arn:aws:kafka:eu:*:t*/d/"),
        1 => Just("arn:aws:kafka:eu:123456789012:topic/${aws:PrincipalTag/t}/u/"),
        1 => Just("arn:aws:kafka:eu:123456789012:topic/${aws:PrincipalTag/t, 'd'}/*/"),
        1 => Just("arn:aws:kafka:eu:123456789012:topic/${aws:PrincipalTag/t}*"),
    ];
    prop_oneof![
        12 => (head, name).prop_map(|(head, name)| format!("{head}{name}")),
        1 => Just("*".to_owned()),
        1 => Just("arn:aws:kafka:*:*:*".to_owned()),
        1 => Just("arn:aws:kafka:eu:123456789012:cluster/d/u".to_owned()),
        1 => Just("arn:aws:kafka:eu:123456789012:cluster/${aws:PrincipalTag/t}/*".to_owned()),
    ]
}

pub(crate) fn statement() -> impl Strategy<Value = Stmt> {
    let action = prop::sample::select(vec!["*", "k:*", "k:Read*", "K:?EAD", "k:Write", "k:Describe", "k:Admin", "s:*"]);
    let cond = prop::sample::select(vec![
        Cond::ClientId("c1"),
        Cond::NotTag("a"),
        Cond::ResourceTag("prod"),
        Cond::NoResourceTag,
    ]);
    (
        prop::bool::weighted(0.35),
        prop::bool::weighted(0.2),
        prop::collection::vec(action, 1..3),
        prop::bool::weighted(0.2),
        prop::collection::vec(resource(), 1..3),
        prop::collection::vec(cond, 0..2),
    )
        .prop_map(|(deny, not_action, actions, not_resource, resources, conds)| Stmt {
            deny,
            not_action,
            actions,
            not_resource,
            resources,
            conds,
        })
}

fn policy() -> impl Strategy<Value = Vec<Stmt>> {
    prop::collection::vec(statement(), 1..4)
}

pub(crate) fn world() -> impl Strategy<Value = World> {
    (
        0usize..2,
        prop::collection::vec(policy(), 1..4),
        prop::option::weighted(0.3, policy()),
        prop::collection::vec(policy(), 0..2),
    )
        .prop_map(|(aliases, identity, boundary, session)| World { aliases, identity, boundary, session })
}

pub(crate) fn facts() -> impl Strategy<Value = Facts> {
    (
        prop::sample::select(vec![None, Some("a"), Some("d"), Some("*"), Some("d/u")]),
        prop::sample::select(vec!["c1", "c2"]),
        prop::sample::select(vec![None, Some("prod"), Some("test")]),
    )
        .prop_map(|(tag, client_id, resource_tag)| Facts { tag, client_id, resource_tag })
}

// ---- the world as documents, compiled -----------------------------------

fn document(statements: &[Stmt]) -> Named {
    let statements: Vec<Value> = statements
        .iter()
        .map(|s| {
            let mut condition = serde_json::Map::new();
            for (n, cond) in s.conds.iter().enumerate() {
                // Operators of their own, so that each stands once.
                let (operator, key, value) = match cond {
                    Cond::ClientId(id) => ("StringEquals", "standin:ClientId", *id),
                    Cond::NotTag(tag) => ("StringNotEquals", "aws:PrincipalTag/T", *tag),
                    Cond::ResourceTag(tag) => ("StringLike", "aws:ResourceTag/env", *tag),
                    Cond::NoResourceTag => ("Null", "aws:ResourceTag/env", "true"),
                };
                assert!(n == 0, "one condition a statement");
                condition.insert(operator.into(), json!({key: value}));
            }
            json!({
                "Effect": if s.deny { "Deny" } else { "Allow" },
                (if s.not_action { "NotAction" } else { "Action" }): s.actions,
                (if s.not_resource { "NotResource" } else { "Resource" }): s.resources,
                "Condition": condition,
            })
        })
        .collect();
    let text = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    let document = Document::parse(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    Named { name: "p".into(), document: document.into() }
}

pub(crate) fn actions() -> ActionTable {
    let mut table = ActionTable::new();
    for (name, kind) in ACTIONS {
        table.intern(name, kind);
    }
    table
}

pub(crate) fn action(n: usize) -> ActionId {
    actions().find(ACTIONS[n].0, ACTIONS[n].1).unwrap()
}

impl World {
    pub(crate) fn compiled(&self, arn_match: ArnMatch) -> Compiled {
        let set = PolicySet {
            identity: self.identity.iter().map(|p| document(p)).collect(),
            boundary: self.boundary.as_ref().map(|p| document(p)),
            session: self.session.iter().map(|p| document(p)).collect(),
        };
        let namespaces = CLUSTERS
            .iter()
            .take(self.aliases + 1)
            .map(|(before, behind)| Namespace::parse(&format!("{before}cluster{behind}")).unwrap())
            .collect();
        Compiled::new(&set, &actions(), &Scope { namespaces, arn_match })
    }
}

impl Facts {
    /// A client of whom nothing is said.
    pub(crate) const PLAIN: Self = Self { tag: None, client_id: "c", resource_tag: None };

    pub(crate) fn with<R>(&self, ask: impl FnOnce(&Inputs<'_>) -> R) -> R {
        let pairs =
            |key: &str, value: Option<&str>| value.map(|v| (key.to_owned(), v.to_owned())).into_iter().collect();
        let principal = Principal {
            subject: Identity::parse("arn:aws:iam::123456789012:user/ann").unwrap(),
            attributes: Attributes { tags: pairs("t", self.tag), ..Attributes::default() },
            actors: Vec::new(),
            grant: None,
        };
        let tags: Vec<(String, String)> = pairs("Env", self.resource_tag);
        ask(&Inputs {
            principal: &principal,
            channel: &Channel::default(),
            address: None,
            client_id: self.client_id,
            now: UnixMillis(0),
            resource_tags: &tags,
            keys: Keys::Host,
        })
    }
}

// ---- the same, as plainly as can be --------------------------------------

/// A character, or a wildcard of a pattern.
#[derive(Clone, Copy, PartialEq)]
enum Token {
    Is(char),
    One,
    Any,
}

fn glob(p: &[Token], t: &[char]) -> bool {
    match p.split_first() {
        None => t.is_empty(),
        Some((Token::Any, rest)) => (0..=t.len()).any(|n| glob(rest, &t[n..])),
        Some((Token::One, rest)) => !t.is_empty() && glob(rest, &t[1..]),
        Some((Token::Is(c), rest)) => t.first() == Some(c) && glob(rest, &t[1..]),
    }
}

fn tokens(text: &str) -> Vec<Token> {
    text.chars()
        .map(|c| match c {
            '*' => Token::Any,
            '?' => Token::One,
            c => Token::Is(c),
        })
        .collect()
}

/// The pattern with its variables replaced by their characters.
fn expanded(text: &str, facts: &Facts) -> Option<Vec<Token>> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("${") {
        let (inside, after) = behind.split_once('}').unwrap();
        out.extend(tokens(before));
        let value = match inside {
            "aws:PrincipalTag/t" => facts.tag?,
            "aws:PrincipalTag/t, 'd'" => facts.tag.unwrap_or("d"),
            "x:none, 'b*'" => "b*",
            other => panic!("{other}"),
        };
        out.extend(value.chars().map(Token::Is));
        rest = after;
    }
    out.extend(tokens(rest));
    Some(out)
}

/// Field by field: five end in a colon, then three in a slash; the last one a
/// pattern gives must end in a star to stand for more.
fn fieldwise(pattern: &[Token], arn: &[char]) -> bool {
    let (mut pattern, mut arn) = (pattern, arn);
    for separator in [':', ':', ':', ':', ':', '/', '/', '/'] {
        let Some(end) = arn.iter().position(|c| *c == separator) else { break };
        let Some(cut) = pattern.iter().position(|t| *t == Token::Is(separator)) else {
            return pattern.last() == Some(&Token::Any) && glob(pattern, arn);
        };
        if !glob(&pattern[..cut], &arn[..end]) {
            return false;
        }
        (pattern, arn) = (&pattern[cut + 1..], &arn[end + 1..]);
    }
    glob(pattern, arn)
}

impl Stmt {
    pub(crate) fn applies(&self, n: usize, name: &str, aliases: usize, mode: ArnMatch, facts: &Facts) -> bool {
        let (action, kind) = ACTIONS[n];
        let lower: Vec<char> = action.to_lowercase().chars().collect();
        if self.actions.iter().any(|a| glob(&tokens(&a.to_lowercase()), &lower)) == self.not_action {
            return false;
        }
        let allows_by_field = mode == ArnMatch::Fields && self.deny == self.not_resource;
        let listed = CLUSTERS.iter().take(aliases + 1).any(|(before, behind)| {
            let arn = if kind == "cluster" {
                format!("{before}{kind}{behind}")
            } else {
                format!("{before}{kind}{behind}/{name}")
            };
            let arn: Vec<char> = arn.chars().collect();
            let patterns = self.resources.iter().filter_map(|r| expanded(r, facts));
            patterns.into_iter().any(|p| if allows_by_field { fieldwise(&p, &arn) } else { glob(&p, &arn) })
        });
        let resource_tag = facts.resource_tag.filter(|_| kind == "cluster");
        listed != self.not_resource
            && self.conds.iter().all(|cond| match cond {
                Cond::ClientId(id) => facts.client_id == *id,
                Cond::NotTag(tag) => facts.tag != Some(tag),
                Cond::ResourceTag(tag) => resource_tag == Some(tag),
                Cond::NoResourceTag => resource_tag.is_none(),
            })
    }
}

impl World {
    pub(crate) fn policies(&self) -> impl Iterator<Item = &Vec<Stmt>> {
        self.identity.iter().chain(&self.boundary).chain(&self.session)
    }

    pub(crate) fn decides(&self, n: usize, name: &str, mode: ArnMatch, facts: &Facts) -> Outcome {
        let applies = |s: &Stmt| s.applies(n, name, self.aliases, mode, facts);
        let allows = |policies: &mut dyn Iterator<Item = &Vec<Stmt>>| policies.flatten().any(|s| !s.deny && applies(s));
        let denied = self.policies().flatten().any(|s| s.deny && applies(s));
        let allowed = allows(&mut self.identity.iter())
            && (self.boundary.is_none() || allows(&mut self.boundary.iter()))
            && (self.session.is_empty() || allows(&mut self.session.iter()));
        if allowed && !denied { Outcome::Allow } else { Outcome::Deny }
    }
}
