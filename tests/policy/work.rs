// SPDX-License-Identifier: Apache-2.0
//! The work of a decision depends on what can match, not on how many policies
//! and statements there are.

use serde_json::{Value, json};
use standin::decision::Outcome;
use standin::policy::{
    ActionId, ActionTable, ArnMatch, Compiled, Document, Evaluation, Named, Namespace, PolicySet, Scope,
};

use crate::oracle::Facts;

const TOPICS: &str = "arn:aws:kafka:us-east-1:123456789012:topic/demo/u-1";

fn named(statements: &[Value]) -> Named {
    let text = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    Named { name: "p".into(), document: Document::parse(&text).unwrap().into() }
}

/// Statements that have nothing to do with the topic `orders`.
fn unrelated(n: usize) -> Value {
    let effect = if n.is_multiple_of(3) { "Deny" } else { "Allow" };
    let name = match n % 8 {
        0 => format!("t-{n}"),
        1 => format!("t-{n}-*"),
        2 => format!("*-{n}"),
        3 => format!("t-{n}-*-x?"),
        4 => format!("t{n}*-end-of-{n}"),
        5 => format!("t-{n}-${{aws:username}}"),
        6 => format!("${{aws:username}}-of-{n}"),
        _ => format!("?*-at-{n}"),
    };
    match n % 11 {
        0 => json!({"Effect": effect, "Action": "k:Write", "Resource": "*"}),
        1 => {
            json!({"Effect": effect, "Action": "k:Read", "Resource": "arn:aws:kafka:us-east-1:123456789012:topic/other/*"})
        }
        2 => json!({"Effect": effect, "Action": "s3:*", "NotResource": format!("arn:aws:s3:::b{n}")}),
        _ => json!({"Effect": effect, "Action": ["k:Read", "k:Describe*"], "Resource": format!("{TOPICS}/{name}"),
            "Condition": {"StringEquals": {"standin:ClientId": format!("c{n}")}}}),
    }
}

fn evaluate(unrelated_statements: usize, resource: &str, arn_match: ArnMatch) -> Evaluation {
    let statements: Vec<Value> = (0..unrelated_statements).map(unrelated).collect();
    let mut identity: Vec<Named> = statements.chunks(100).map(named).collect();
    identity.push(named(&[
        json!({"Effect": "Allow", "Action": "k:Read", "Resource": format!("{TOPICS}/ord*")}),
        json!({"Effect": "Allow", "Action": "k:*", "Resource": format!("{TOPICS}/*ers")}),
        json!({"Effect": "Deny", "Action": "k:Read", "Resource": format!("{TOPICS}/orders-secret")}),
    ]));
    let mut actions = ActionTable::new();
    let read: ActionId = actions.intern("k:Read", "topic");
    let cluster = Namespace::parse("arn:aws:kafka:us-east-1:123456789012:cluster/demo/u-1").unwrap();
    let scope = Scope { namespaces: vec![cluster], arn_match };
    let set = PolicySet { identity, ..PolicySet::default() };
    Facts::PLAIN.with(|inputs| Compiled::new(&set, &actions, &scope).evaluate(read, resource, inputs))
}

#[test]
fn ten_thousand_unrelated_statements_cost_a_decision_nothing() {
    for arn_match in [ArnMatch::Fields, ArnMatch::Aws] {
        for (resource, outcome, looked_at) in [
            ("orders", Outcome::Allow, 2),
            ("ord", Outcome::Allow, 1),
            ("orders-secret", Outcome::Deny, 2),
            ("nothing", Outcome::Deny, 0),
        ] {
            for many in [10, 10_000] {
                let evaluation = evaluate(many, resource, arn_match);
                assert_eq!(evaluation.verdict.outcome, outcome, "{resource} among {many}");
                assert_eq!(evaluation.looked_at, looked_at, "{resource} among {many}");
            }
        }
    }
}

/// What can match is looked at, however it is found.
#[test]
fn related_statements_are_looked_at() {
    let few = evaluate(40, "t-8", ArnMatch::Aws).looked_at;
    assert!(few > 0, "t-8 is one of them");
}
