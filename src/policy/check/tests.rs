// SPDX-License-Identifier: Apache-2.0
use super::*;
use crate::channel::Channel;
use crate::decision::{Inputs, Keys};
use crate::identity::{Attributes, Identity, IdentityKind, Principal};
use crate::policy::Namespace;
use crate::time::UnixMillis;

fn scope() -> Scope {
    let namespaces = ["demo/u-1", "old/u-2"]
        .map(|n| Namespace::parse(&format!("arn:aws:kafka:us-east-1:123456789012:cluster/{n}")).unwrap());
    Scope { namespaces: namespaces.into(), arn_match: ArnMatch::Fields }
}

/// Rules found in a document of one statement with these members, and where.
fn found(members: &str, scope: &Scope) -> Vec<(&'static str, String)> {
    let text = format!("{{\"Version\":\"2012-10-17\",\n\"Statement\":[\n{{\"Effect\":\"Allow\",{members}}}]}}");
    let found = check(&text, scope).unwrap_or_else(|e| panic!("{e}: {text}"));
    found.into_iter().map(|f| (f.rule, f.problem.path)).collect()
}

const TOPIC: &str = "arn:aws:kafka:us-east-1:123456789012:topic/demo";

#[test]
fn what_matches_here_is_not_told() {
    for (action, resource) in [
        ("kafka-cluster:ReadData", format!("{TOPIC}/u-1/orders")),
        ("kafka-cluster:*", "*".to_owned()),
        ("*", "*".to_owned()),
        ("kafka-cluster:*Topic*", format!("{TOPIC}/*")),
        ("kafka-cluster:ReadData", "arn:aws:kafka:*:*:topic/*".to_owned()),
        ("kafka-cluster:ReadData", TOPIC.replace("topic/demo", "topic/old") + "/*/x"),
        ("kafka-cluster:Connect", "arn:aws:kafka:us-east-1:123456789012:cluster/demo/*".to_owned()),
        ("kafka-cluster:WriteData", format!("{TOPIC}/*/${{aws:username}}-*")),
        ("iot:Publish", "arn:aws:iot:us-east-1:123456789012:topic/a".to_owned()),
        ("sts:AssumeRole", "arn:aws:iam::123456789012:role/app".to_owned()),
        ("iam:CreateUser", "*".to_owned()),
    ] {
        let members = format!(r#""Action":"{action}","Resource":"{resource}""#);
        assert_eq!(found(&members, &scope()), [], "{members}");
        // Nor where no cluster is known.
        let anywhere = Scope { namespaces: Vec::new(), arn_match: ArnMatch::Aws };
        assert_eq!(found(&members, &anywhere), [], "{members}");
    }
}

#[test]
fn keys_of_the_service_are_supplied_for_its_own_actions() {
    for action in ["sts:AssumeRole", "iam:PutUserPermissionsBoundary", "*"] {
        let key = if action == "sts:AssumeRole" { "sts:ExternalId" } else { "iam:PermissionsBoundary" };
        let members = format!(r#""Action":"{action}","Resource":"*","Condition":{{"StringEquals":{{"{key}":"x"}}}}"#);
        assert_eq!(found(&members, &scope()), [], "{members}");
    }
}

#[test]
fn what_matches_nothing_here_is_told_with_its_place() {
    let action = "$.Statement[0].Action";
    let resource = "$.Statement[0].Resource";
    let key = |k: &str| format!("$.Statement[0].Condition.{k}");
    for (members, rule, path) in [
        (r#""Action":"kafka-cluster:ReadDat","Resource":"*""#.to_owned(), "unknown-action", action.to_owned()),
        (r#""Action":"kafka-cluster:Topic*","Resource":"*""#.to_owned(), "unknown-action", action.into()),
        (r#""Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*""#.to_owned(), "other-service", action.into()),
        (
            r#""Action":"kafka-cluster:ReadData","Resource":"arn:aws:s3:::b/*""#.to_owned(),
            "other-service",
            resource.into(),
        ),
        (
            format!(r#""Action":"kafka-cluster:ReadData","Resource":"{}/u-1/x""#, TOPIC.replace("demo", "other")),
            "no-cluster",
            resource.into(),
        ),
        (
            format!(r#""Action":"kafka-cluster:ReadData","Resource":"{}/u-1/x""#, TOPIC.replace("us-east-1", "eu-west-1")),
            "no-cluster",
            resource.into(),
        ),
        (
            r#""Action":"kafka-cluster:ReadData","Resource":"*","Condition":{"StringEquals":{"aws:VpcSourceIp":"x"}}"#.to_owned(),
            "condition-key",
            key("StringEquals.aws:VpcSourceIp"),
        ),
        (
            r#""Action":"kafka-cluster:ReadData","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/stage":"x"}}"#.to_owned(),
            "condition-key",
            key("StringEquals.aws:ResourceTag/stage"),
        ),
        (
            r#""Action":"kafka-cluster:ReadData","Resource":"*","Condition":{"StringEquals":{"sts:ExternalId":"x"}}"#.to_owned(),
            "condition-key",
            key("StringEquals.sts:ExternalId"),
        ),
        (format!(r#""Action":"kafka-cluster:ReadData","Resource":"{TOPIC}/*/${{aws:VpcId}}""#), "variable", resource.into()),
    ] {
        assert_eq!(found(&members, &scope()), [(rule, path)], "{members}");
    }
}

#[test]
fn actions_and_resources_that_do_not_fit_are_told_from_both_sides() {
    let group = TOPIC.replace("topic/", "group/");
    let members = format!(
        r#""Action":["kafka-cluster:ReadData","kafka-cluster:AlterGroup"],"Resource":["{group}/*/g","{group}/*/h"]"#
    );
    assert_eq!(found(&members, &scope()), [("resource-type", "$.Statement[0].Action[0]".to_owned())]);
    let members = format!(r#""Action":"kafka-cluster:ReadData","Resource":["{TOPIC}/*/t","{group}/*/g"]"#);
    assert_eq!(found(&members, &scope()), [("resource-type", "$.Statement[0].Resource[1]".to_owned())]);
    let anywhere = Scope { namespaces: Vec::new(), arn_match: ArnMatch::Aws };
    assert_eq!(found(&members, &anywhere), [("resource-type", "$.Statement[0].Resource[1]".to_owned())]);
}

#[test]
fn findings_name_line_and_column() {
    let text = "{\"Version\":\"2012-10-17\",\n \"Statement\":{\"Effect\":\"Allow\",\n  \"Action\":\"kafka-cluster:Reed\",\"Resource\":\"*\"}}";
    let found = check(text, &scope()).unwrap();
    let problem = &found[0].problem;
    assert_eq!((problem.line, problem.column, problem.path.as_str()), (3, 12, "$.Statement.Action"));
    assert!(problem.accepted.contains("ReadData"), "{problem}");
    assert!(check("{}", &scope()).is_err());
}

fn told(document: &str, uses: &[(&str, &str, &str)]) -> Vec<(&'static str, String, String)> {
    let uses: Vec<Use> = uses
        .iter()
        .map(|(action, kind, name)| Use {
            action: format!("kafka-cluster:{action}"),
            resource_type: (*kind).into(),
            resource: (*name).into(),
        })
        .collect();
    let channel = Channel::default();
    let principal = Principal {
        subject: Identity::new("aws", "123456789012", IdentityKind::User, "/", "ann").unwrap(),
        attributes: Attributes::default(),
        actors: Vec::new(),
        grant: None,
    };
    let inputs = Inputs {
        principal: &principal,
        channel: &channel,
        address: None,
        client_id: "",
        now: UnixMillis(0),
        resource_tags: &[],
        keys: Keys::Host,
    };
    let found = unused(document, &scope(), &[Usage { uses: &uses, inputs: &inputs }]).unwrap();
    found.into_iter().map(|f| (f.rule, f.problem.path, f.problem.accepted)).collect()
}

#[test]
fn grants_wider_than_used_are_told_with_what_was_used() {
    let document = format!(
        r#"{{"Version":"2012-10-17","Statement":[
          {{"Effect":"Allow","Action":["kafka-cluster:*Topic","kafka-cluster:WriteData","kafka-cluster:DeleteTopic"],
            "Resource":["{TOPIC}/*/a*","{TOPIC}/*/b"],"Condition":{{"IpAddress":{{"aws:SourceIp":"10.0.0.0/8"}}}}}},
          {{"Effect":"Allow","Action":"kafka-cluster:Connect","Resource":"*"}},
          {{"Effect":"Deny","Action":"kafka-cluster:*","Resource":"{TOPIC}/*/c"}},
          {{"Effect":"Allow","Action":"s3:*","Resource":"*"}},
          {{"Effect":"Allow","Action":"kafka-cluster:AlterGroup","Resource":"*"}}]}}"#
    );
    let found = told(
        &document,
        &[
            ("DescribeTopic", "topic", "a1"),
            ("WriteData", "topic", "a1"),
            ("WriteData", "topic", "a2"),
            ("Connect", "cluster", ""),
        ],
    );
    let shown: Vec<(&str, &str)> = found.iter().map(|(rule, path, _)| (*rule, path.as_str())).collect();
    assert_eq!(
        shown,
        [
            ("action-not-used", "$.Statement[0].Action[0]"),
            ("action-not-used", "$.Statement[0].Action[2]"),
            ("resource-not-used", "$.Statement[0].Resource[0]"),
            ("resource-not-used", "$.Statement[0].Resource[1]"),
            ("never-used", "$.Statement[4]"),
        ]
    );
    assert_eq!(found[0].2, "these are enough: kafka-cluster:DescribeTopic");
    assert_eq!(found[2].2, "these are enough: a1, a2");
}

/// What a trust policy of one statement is told, where only one user exists.
fn trust(members: &str) -> Vec<(&'static str, String)> {
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow",{members}}}]}}"#);
    let ann = "arn:aws:iam::123456789012:user/ann";
    let exists = |party: &Party| match party {
        Party::Identity(identity) => identity.arn() == ann,
        other => *other == Party::All,
    };
    let found = check_trust(&text, &exists);
    found.unwrap_or_else(|e| panic!("{e}: {text}")).into_iter().map(|f| (f.rule, f.problem.path)).collect()
}

#[test]
fn what_admits_nobody_or_is_never_asked_in_a_trust_policy_is_told() {
    let ann = r#""Principal":{"AWS":"arn:aws:iam::123456789012:user/ann"}"#;
    let assume = r#""Action":"sts:AssumeRole""#;
    for fine in [
        format!("{ann},{assume}"),
        format!(r#""Principal":"*",{assume}"#),
        format!(r#"{ann},"Action":["sts:AssumeRole*","sts:TagSession"]"#),
        format!(
            r#"{ann},{assume},"Condition":{{"StringEquals":{{"sts:ExternalId":"x","aws:PrincipalArn":"y","id.example/a:sub":"z","aws:RequestTag/k":"v"}}}}"#
        ),
    ] {
        assert_eq!(trust(&fine), [], "{fine}");
    }
    let at = "$.Statement[0]";
    for (members, rule, path) in [
        (format!(r#"{ann},"Action":"sts:AsumeRole""#), "unknown-action", ".Action"),
        (format!(r#"{ann},"Action":["sts:AssumeRole","sts:GetCallerIdentity"]"#), "unknown-action", ".Action[1]"),
        (
            format!(
                r#""Principal":{{"AWS":["arn:aws:iam::123456789012:user/ann","arn:aws:iam::123456789012:user/bob"]}},{assume}"#
            ),
            "no-principal",
            ".Principal.AWS[1]",
        ),
        (format!(r#""Principal":{{"Service":"ec2.amazonaws.com"}},{assume}"#), "no-principal", ".Principal.Service"),
        (
            format!(r#"{ann},{assume},"Condition":{{"StringEquals":{{"aws:VpcSourceIp":"x"}}}}"#),
            "condition-key",
            ".Condition.StringEquals.aws:VpcSourceIp",
        ),
    ] {
        assert_eq!(trust(&members), [(rule, format!("{at}{path}"))], "{members}");
    }
}
