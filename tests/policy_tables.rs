// SPDX-License-Identifier: Apache-2.0
//! Policy decisions and refusals from text tables.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use serde_json::{Value, json};
use standin::policy::{Document, simulate};

#[test]
fn decisions_come_out_as_documented() {
    let mut policies: Vec<Value> = Vec::new();
    let mut fresh = true;
    let mut checked = 0;
    for (n, line) in include_str!("data/policy/decisions.txt").lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            fresh = true;
            continue;
        }
        if let Some(text) = line.strip_prefix("policy ") {
            if fresh {
                policies.clear();
                fresh = false;
            }
            policies.push(serde_json::from_str(text).unwrap());
            continue;
        }
        let (question, expected) = line.rsplit_once(" => ").unwrap();
        let parts: Vec<&str> = question.splitn(4, " | ").collect();
        let (arn, tags) = parts[0].split_once(' ').unwrap_or((parts[0], "{}"));
        let case = json!({
            "id": n + 1,
            "policies": policies,
            "principal": {"arn": arn, "tags": serde_json::from_str::<Value>(tags).unwrap()},
            "action": parts[1],
            "resource": parts[2],
            "context": serde_json::from_str::<Value>(parts[3]).unwrap(),
        });
        let answer = simulate::case(&case.to_string()).unwrap();
        assert_eq!(answer["decision"], expected, "line {}: {line}", n + 1);
        checked += 1;
    }
    assert!(checked > 50, "only {checked} decisions were checked");
}

#[test]
fn invalid_documents_are_refused_where_they_are_wrong() {
    for (n, line) in include_str!("data/policy/invalid.txt").lines().enumerate() {
        if line.starts_with('#') {
            continue;
        }
        let (text, expected) = line.rsplit_once(" => ").unwrap();
        let mut parts = expected.splitn(4, ' ');
        let (path, at_line, column, part) =
            (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
        let invalid = Document::parse(text).expect_err(line);
        let found = invalid.problems.iter().any(|p| {
            p.path == path
                && p.line.to_string() == at_line
                && p.column.to_string() == column
                && p.to_string().contains(part)
        });
        assert!(found, "line {}: expected {expected}\nfound {invalid}", n + 1);
    }
}
