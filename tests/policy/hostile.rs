// SPDX-License-Identifier: Apache-2.0
//! Policies and names made to be expensive.

use std::sync::Arc;

use standin::decision::Outcome;
use standin::policy::{ActionTable, ArnMatch, Compiled, Document, Named, Namespace, PolicySet, Scope};

use crate::oracle::Facts;

const GROUPS: &str = "arn:aws:kafka:us-east-1:123456789012:group/demo/u-1";

fn named(text: &str) -> Named {
    Named { name: "p".into(), document: Arc::new(Document::parse(text).unwrap_or_else(|e| panic!("{e}"))) }
}

fn scope() -> Scope {
    let cluster = Namespace::parse("arn:aws:kafka:us-east-1:123456789012:cluster/demo/u-1").unwrap();
    Scope { namespaces: vec![cluster], arn_match: ArnMatch::Fields }
}

const ALL: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;

/// Bug: whether anything is allowed took as long as somebody wanted who may write
/// a policy, if only that of an own session. There are 8 to the power of 12 ways
/// through these denials, and none leads anywhere; a question that takes too long
/// is answered yes.
#[test]
fn a_question_about_any_resource_ends_however_hard_the_policies_are() {
    let spared: Vec<String> = ('a'..='h').map(|c| format!(r#""arn:aws:kafka:*{c}*""#)).collect();
    let spared = format!(r#"{{"Effect":"Deny","Action":"*","NotResource":[{}]}}"#, spared.join(","));
    let mut statements = vec![spared; 12];
    statements.push(r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#.into());
    statements.push(r#"{"Effect":"Deny","Action":"kafka-cluster:AlterGroup","Resource":"*"}"#.into());
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","));
    let mut actions = ActionTable::new();
    let alter = actions.intern("kafka-cluster:AlterGroup", "group");
    let describe = actions.intern("kafka-cluster:DescribeGroup", "group");
    let set = PolicySet { identity: vec![named(ALL)], boundary: None, session: vec![named(&text)] };
    let compiled = Compiled::new(&set, &actions, &scope());
    Facts::PLAIN.with(|inputs| {
        assert_eq!(compiled.decide_any(alter, inputs).outcome, Outcome::Allow);
        assert_eq!(compiled.decide_any(describe, inputs).outcome, Outcome::Allow);
        // Nothing of that reaches a decision about a resource.
        assert_eq!(compiled.decide(alter, "abcdefgh", inputs).outcome, Outcome::Deny);
        assert_eq!(compiled.decide(describe, "abcdefgh", inputs).outcome, Outcome::Allow);
    });
}

/// Bug: each problem of a document was looked for from the beginning of its text,
/// and all of them were told.
#[test]
fn a_document_full_of_problems_is_told_with_the_first_of_them() {
    let text = |ones: usize| {
        let ones = vec!["1"; ones].join(",");
        format!(r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":[{ones}],"Resource":"*"}}}}"#)
    };
    assert_eq!(Document::parse(&text(7)).unwrap_err().problems.len(), 7);
    assert_eq!(Document::parse(&text(60_000)).unwrap_err().problems.len(), 100);
}

/// Bug: a long piece between stars was tried at every place of a long name, which
/// a client chooses, as it may its session policy: seconds for one group.
#[test]
fn long_pieces_are_found_in_long_names() {
    let mut actions = ActionTable::new();
    let alter = actions.intern("kafka-cluster:AlterGroup", "group");
    let piece = "a?".repeat(900);
    let name = "a".repeat(32_000);
    let end = format!("{}b", "a".repeat(1799));
    for (pattern, matching, other) in [
        (format!("*{piece}b*"), format!("{name}bc"), name.clone()),
        (format!("*{piece}b"), format!("{name}b"), format!("{name}bc")),
        (format!("x*{piece}ba*{piece}b*z"), format!("x{name}ba{name}b-z"), format!("x{name}b-{name}ba-z")),
        (format!("*{piece}${{aws:username}}*"), format!("{name}ann{name}"), format!("{name}an{name}")),
        (format!("*{end}*{end}"), format!("{name}b{end}"), end),
    ] {
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"*","Resource":"{GROUPS}/{pattern}"}}}}"#
        );
        let set = PolicySet { identity: vec![named(&text)], ..PolicySet::default() };
        let compiled = Compiled::new(&set, &actions, &scope());
        Facts::PLAIN.with(|inputs| {
            let decide = |name: &str| compiled.decide(alter, name, inputs).outcome;
            let short: String = pattern.chars().take(40).collect();
            assert_eq!((decide(&matching), decide(&other)), (Outcome::Allow, Outcome::Deny), "{short}");
        });
    }
}

/// Bug: `kafka-cluster:*`, which MSK knows without it, allowed what brokers do
/// among themselves: to fetch every topic as a follower does, past its policies.
#[test]
fn no_wildcard_allows_what_brokers_do_among_themselves() {
    let own = "arn:aws:kafka:us-east-1:123456789012:cluster/demo/u-1";
    let mut actions = ActionTable::new();
    let of_brokers = actions.intern("kafka-cluster:ClusterAction", "cluster");
    let describe = actions.intern("kafka-cluster:DescribeCluster", "cluster");
    let decide = |statements: &[&str], boundary: Option<&str>| {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","));
        let set = PolicySet { identity: vec![named(&text)], boundary: boundary.map(named), ..PolicySet::default() };
        let compiled = Compiled::new(&set, &actions, &scope());
        let mut outcomes = [Outcome::Undecided; 2];
        Facts::PLAIN
            .with(|inputs| outcomes = [of_brokers, describe].map(|action| compiled.decide(action, "", inputs).outcome));
        outcomes
    };
    let (allow, deny) = (Outcome::Allow, Outcome::Deny);
    for action in [
        r#""Action":"*""#,
        r#""Action":"kafka-cluster:*""#,
        r#""Action":["kafka-cluster:*Cluster*","kafka-cluster:ClusterActio?"]"#,
        r#""NotAction":"s3:*""#,
    ] {
        let statement = format!(r#"{{"Effect":"Allow",{action},"Resource":["{own}","{own}/*"]}}"#);
        assert_eq!(decide(&[&statement], None), [deny, allow], "{action}");
        // What denies is as wide as it is written.
        let named = r#"{"Effect":"Allow","Action":["kafka-cluster:ClusterAction","kafka-cluster:DescribeCluster"],"Resource":"*"}"#;
        let denied = statement.replace("Allow", "Deny");
        assert_eq!(decide(&[named, &denied], None), [deny, deny], "{action}");
    }
    let named = r#"{"Effect":"Allow","Action":["kafka-cluster:*","KAFKA-cluster:clusteraction"],"Resource":"*"}"#;
    assert_eq!(decide(&[named], None), [allow, allow]);
    assert_eq!(decide(&[named], Some(ALL)), [deny, allow], "a boundary names it, too");
}
