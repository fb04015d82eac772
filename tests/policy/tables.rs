// SPDX-License-Identifier: Apache-2.0
//! Policy decisions and refusals from text tables.

use serde_json::{Map, Value, json};
use standin::policy::simulate::Simulator;
use standin::policy::{Document, Invalid, TrustPolicy};

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// Reads a table from its top: documents, who asks for what, and expected
/// decisions.
#[derive(Default)]
struct Table {
    case: Map<String, Value>,
    /// True between two blocks of documents.
    closed: bool,
    checked: usize,
    failed: Vec<String>,
}

impl Table {
    fn list(&mut self, field: &str, document: &str) {
        if std::mem::take(&mut self.closed) {
            self.case
                .retain(|field, _| !["policies", "sessionPolicies", "permissionsBoundary"].contains(&field.as_str()));
        }
        let list = self.case.entry(field).or_insert_with(|| json!([]));
        // The text itself, so that numbers stay as they are written.
        list.as_array_mut().unwrap().push(json!(document));
    }

    fn ask(&mut self, question: &str) {
        let parts: Vec<&str> = question.splitn(3, " | ").collect();
        let (arn, tags) = parts[0].split_once(' ').unwrap_or((parts[0], "{}"));
        self.case.insert("principal".into(), json!({"arn": arn, "tags": parse(tags)}));
        self.case.insert("action".into(), json!(parts[1]));
        self.case.insert("resource".into(), json!(parts[2]));
    }

    fn line(&mut self, at: &str, line: &str) {
        if let Some(text) = line.strip_prefix("policy ") {
            self.list("policies", text);
        } else if let Some(text) = line.strip_prefix("session ") {
            self.list("sessionPolicies", text);
        } else if let Some(text) = line.strip_prefix("boundary ") {
            assert!(!self.closed, "{at}: a boundary stands behind its policies");
            self.case.insert("permissionsBoundary".into(), json!(text));
        } else if let Some(block) = line.strip_prefix("condition ") {
            self.closed = true;
            self.list("policies", &format!(r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"x:A","Resource":"*","Condition":{block}}}}}"#));
        } else if let Some(question) = line.strip_prefix("ask ") {
            self.ask(question);
        } else {
            let (question, expected) = line.rsplit_once(" => ").unwrap();
            let context = match question.rsplit_once(" | ") {
                Some((question, context)) => {
                    self.ask(question);
                    context
                }
                None => question,
            };
            self.expect(at, line, context, expected);
        }
    }

    fn expect(&mut self, at: &str, line: &str, context: &str, expected: &str) {
        self.closed = true;
        self.checked += 1;
        let mut case = Value::Object(self.case.clone()).to_string();
        case.pop();
        let case = format!("{case},\"id\":\"{at}\",\"context\":{context}}}");
        let answer = Simulator::default().case(&case).unwrap_or_else(|f| panic!("{at}: {line}: {}", f.text));
        assert_eq!(answer["id"], at);
        if answer["decision"] != expected {
            self.failed.push(format!("{at}: {line}\n  but {answer}"));
        }
    }
}

fn check(name: &str, text: &str, least: usize) {
    let mut table = Table::default();
    for (n, line) in text.lines().enumerate() {
        if !line.is_empty() && !line.starts_with('#') {
            table.line(&format!("{name}:{}", n + 1), line);
        }
    }
    assert!(table.failed.is_empty(), "{} wrong:\n{}", table.failed.len(), table.failed.join("\n"));
    assert!(table.checked >= least, "{name}: only {} decisions were checked", table.checked);
}

#[test]
fn decisions_come_out_as_documented() {
    check("decisions.txt", include_str!("../data/policy/decisions.txt"), 85);
}

#[test]
fn conditions_come_out_as_documented() {
    check("conditions.txt", include_str!("../data/policy/conditions.txt"), 250);
}

fn refusals(name: &str, text: &str, read: impl Fn(&str) -> Result<(), Invalid>) {
    let mut failed = Vec::new();
    for (n, line) in text.lines().enumerate().filter(|(_, l)| !l.is_empty() && !l.starts_with('#')) {
        let (document, expected) = line.rsplit_once(" => ").unwrap();
        let document = document.replace('⏎', "\n");
        let mut parts = expected.splitn(4, ' ');
        let (path, at_line, column, part) =
            (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
        let Err(invalid) = read(&document) else {
            failed.push(format!("{name}:{}: accepted: {document}", n + 1));
            continue;
        };
        let found = invalid.problems.iter().any(|p| {
            p.path == path
                && p.line.to_string() == at_line
                && p.column.to_string() == column
                && p.to_string().contains(part)
                && !p.found.is_empty()
                && !p.accepted.is_empty()
        });
        if !found {
            failed.push(format!("{name}:{}: expected {expected}\n  found {invalid}", n + 1));
        }
    }
    assert!(failed.is_empty(), "{} wrong:\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn invalid_documents_are_refused_where_they_are_wrong() {
    refusals("invalid.txt", include_str!("../data/policy/invalid.txt"), |text| Document::parse(text).map(drop));
}

#[test]
fn invalid_trust_policies_are_refused_where_they_are_wrong() {
    refusals("invalid-trust.txt", include_str!("../data/policy/invalid-trust.txt"), |text| {
        TrustPolicy::parse(text).map(drop)
    });
}

#[test]
fn every_problem_of_a_document_is_found_at_once_in_the_order_of_the_text() {
    let text = r#"{"Version": "2012-10-18",
 "Statement": [{"Sid": "a b", "Effect": "allow", "Action": "x", "Resource": "y"},
  {"Effect": "Deny", "Condition": {"Boo": {}}, "Action": [], "Resource": 7}]}"#;
    let invalid = Document::parse(text).unwrap_err();
    let places: Vec<(&str, usize)> = invalid.problems.iter().map(|p| (p.path.as_str(), p.line)).collect();
    assert_eq!(
        places,
        [
            ("$.Version", 1),
            ("$.Statement[0].Sid", 2),
            ("$.Statement[0].Effect", 2),
            ("$.Statement[0].Action", 2),
            ("$.Statement[0].Resource", 2),
            ("$.Statement[1].Condition.Boo", 3),
            ("$.Statement[1].Action", 3),
            ("$.Statement[1].Resource", 3),
        ]
    );
}

#[test]
fn documents_that_aws_accepts_are_accepted() {
    for line in include_str!("../data/policy/valid.txt").lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
        let result = match line.strip_prefix("trust ") {
            Some(text) => TrustPolicy::parse(text).map(drop),
            None => Document::parse(line).map(|document| assert_eq!(document.text(), line)),
        };
        assert!(result.is_ok(), "{line}\n{}", result.unwrap_err());
    }
}

/// Documents from outside are bounded, and none of them takes the reader down.
#[test]
fn documents_too_long_or_too_deep_are_refused() {
    let long = format!("{{\"Statement\":\"{}\"}}", "x".repeat(128 * 1024));
    let problem = &Document::parse(&long).unwrap_err().problems[0];
    assert!(problem.to_string().contains("at most 131072"), "{problem}");
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{}1{}", open.repeat(20_000), close.repeat(20_000));
        let problem = &Document::parse(&deep).unwrap_err().problems[0];
        assert!(problem.found.starts_with("not JSON: ") && problem.line == 1, "{problem}");
        let line = format!(
            "{{\"policies\":[{deep}],\"principal\":{{\"arn\":\"arn:aws:iam::123456789012:root\"}},\"action\":\"a:b\",\"resource\":\"r\"}}"
        );
        assert!(Simulator::default().case(&line).is_err());
    }
}
