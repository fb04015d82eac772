// SPDX-License-Identifier: Apache-2.0
//! Policies and names made to be expensive.

use std::sync::Arc;

use standin::channel::Channel;
use standin::decision::{Inputs, Keys, Outcome};
use standin::identity::{Attributes, Identity, Principal};
use standin::policy::{ActionTable, ArnMatch, Compiled, Document, Named, Namespace, PolicySet, Scope};
use standin::time::UnixMillis;

const GROUPS: &str = "arn:aws:kafka:us-east-1:123456789012:group/demo/u-1";

fn named(text: &str) -> Named {
    Named { name: "p".into(), document: Arc::new(Document::parse(text).unwrap_or_else(|e| panic!("{e}"))) }
}

fn scope() -> Scope {
    let cluster = Namespace::parse("arn:aws:kafka:us-east-1:123456789012:cluster/demo/u-1").unwrap();
    Scope { namespaces: vec![cluster], arn_match: ArnMatch::Fields }
}

fn with_inputs(then: impl FnOnce(&Inputs<'_>)) {
    let principal = Principal {
        subject: Identity::parse("arn:aws:iam::123456789012:user/ann").unwrap(),
        attributes: Attributes::default(),
        actors: Vec::new(),
        grant: None,
    };
    then(&Inputs {
        principal: &principal,
        channel: &Channel::default(),
        address: None,
        client_id: "c",
        now: UnixMillis(0),
        resource_tags: &[],
        keys: Keys::Host,
    });
}

const ALL: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;

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
        with_inputs(|inputs| {
            outcomes = [of_brokers, describe].map(|action| compiled.decide(action, "", inputs).outcome)
        });
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
