// SPDX-License-Identifier: Apache-2.0
//! Deciding allocates nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(unsafe_code, reason = "an allocator that counts is unsafe to write")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use serde_json::{Value, json};
use standin::channel::Channel;
use standin::decision::{GivenKeys, Inputs, Keys, Outcome};
use standin::identity::{Attributes, Identity, Principal};
use standin::policy::{ActionTable, ArnMatch, Compiled, Document, Named, Namespace, PolicySet, Scope};
use standin::time::UnixMillis;

thread_local! {
    /// Of this thread, so that other threads of the test runner do not count.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: everything is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|n| n.set(n.get() + 1));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn counted<R>(run: impl FnOnce() -> R) -> (R, u64) {
    let before = ALLOCATIONS.with(Cell::get);
    let result = run();
    (result, ALLOCATIONS.with(Cell::get) - before)
}

const CLUSTER: &str = "arn:aws:kafka:us-east-1:123456789012:cluster/demo/u-1";

/// Condition blocks of every family; all are met by the facts below.
fn blocks() -> Vec<Value> {
    let mut blocks = vec![
        json!({"StringEquals": {"aws:username": ["bob", "ann"], "aws:PrincipalTag/TEAM": "Straße", "standin:Listener": "CLIENT"}}),
        json!({"StringNotEquals": {"aws:userid": "AIDA2", "x:missing": "v"}}),
        json!({"StringEqualsIgnoreCase": {"aws:PrincipalTag/team": "STRAßE"}}),
        json!({"StringNotEqualsIgnoreCase": {"standin:ClientId": "${aws:username, 'x'}"}}),
        json!({"StringLike": {"standin:ClientId": ["a*z", "*-${aws:username}-?"], "standin:Protocol": "SASL_*"}}),
        json!({"StringNotLike": {"standin:Host": "*.org", "aws:PrincipalType": "Assumed*"}}),
        json!({"NumericEquals": {"aws:EpochTime": "1767323045"}, "NumericNotEquals": {"aws:EpochTime": "1.5"}}),
        json!({"NumericLessThan": {"aws:EpochTime": 9007199254740993u64}, "NumericLessThanEquals": {"aws:EpochTime": "1767323045.0"}}),
        json!({"NumericGreaterThan": {"aws:EpochTime": "-1e3"}, "NumericGreaterThanEquals": {"aws:PrincipalTag/cost": "99999999999999999999.5"}}),
        json!({"DateEquals": {"aws:CurrentTime": ["2020", "2026-01-02T03:04:05Z"]}, "DateNotEquals": {"aws:CurrentTime": "2026-01-02"}}),
        json!({"DateLessThan": {"aws:CurrentTime": "2027-01"}, "DateLessThanEquals": {"aws:EpochTime": "1767323045"}}),
        json!({"DateGreaterThan": {"aws:TokenIssueTime": "2025-01-01T00:00+01:00"}, "DateGreaterThanEquals": {"aws:PrincipalTag/since": "1997-07-16T19:20:30.45+01:00"}}),
        json!({"Bool": {"aws:SecureTransport": "true"}, "BoolIfExists": {"aws:PrincipalTag/flag": "${aws:SecureTransport}"}}),
        json!({"BinaryEquals": {"aws:PrincipalTag/blob": "QmluYXJ5VmFsdWVJbkJhc2U2NA=="}}),
        json!({"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "2001:db8::/32"]}}),
        json!({"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8", "192.0.2.1"]}}),
        json!({"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::*:user/a*"}, "ArnLike": {"aws:PrincipalTag/role": "${aws:PrincipalTag/role}"}}),
        json!({"ArnNotEquals": {"aws:PrincipalArn": "arn:aws:iam::*:role/*"}, "ArnNotLike": {"aws:PrincipalArn": "*:${x:missing}"}}),
        json!({"Null": {"x:missing": "true", "aws:TokenIssueTime": "false"}}),
        json!({"ForAllValues:StringLike": {"aws:TagKeys": ["te*", "cost"]}, "ForAnyValue:StringEquals": {"aws:TagKeys": "cost"}}),
        json!({"ForAllValues:NumericLessThanIfExists": {"x:missing": "1"}, "ForAnyValue:ArnLike": {"x:arns": "arn:aws:iam::*:role/${aws:username}"}}),
        json!({"StringEquals": {"aws:PrincipalAccount": "123456789012", "aws:PrincipalArn": "arn:aws:iam::${aws:PrincipalAccount}:user/${aws:username}"}}),
        json!({"StringEquals": {"aws:CurrentTime": "2026-01-02T03:04:05Z"}, "StringLike": {"x:at": "${aws:EpochTime}"}}),
    ];
    // A deny whose last condition is not met is looked at whole, too.
    blocks.push(json!({}));
    blocks
}

/// What the resource of the action on a cluster is called, and other types.
fn policies() -> Vec<Named> {
    let topics = "arn:aws:kafka:us-east-1:123456789012:topic/demo/u-1";
    let mut statements: Vec<Value> = blocks()
        .into_iter()
        .enumerate()
        .map(|(n, block)| json!({"Sid": format!("s{n}"), "Effect": "Allow", "Action": format!("k:A{n}"), "Resource": "*", "Condition": block}))
        .collect();
    statements.extend([
        json!({"Effect": "Allow", "Action": "k:Tagged", "Resource": CLUSTER, "Condition": {"StringEquals": {"aws:ResourceTag/Env": "prod"}}}),
        json!({"Effect": "Allow", "Action": "k:Names", "Resource": [format!("{topics}/exact"), format!("{topics}/begin-*"), format!("{topics}/*-end"), format!("{topics}/*middle*"), format!("{topics}/${{aws:username}}/?"), "arn:aws:kafka:us-east-1:123456789012:topic/${aws:PrincipalTag/cluster}/*/joint"]}),
        json!({"Effect": "Deny", "Action": "k:Names", "NotResource": ["arn:aws:kafka:*:*:*", "arn:aws:kafka:us-east-1:123456789012:topic/${aws:PrincipalTag/cluster}/*"]}),
        json!({"Effect": "Deny", "NotAction": "x:*", "Resource": "*", "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}),
    ]);
    let text = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    vec![Named { name: "p".into(), document: Document::parse(&text).unwrap().into() }]
}

#[test]
fn a_decision_allocates_nothing() {
    let count = blocks().len();
    let mut actions = ActionTable::new();
    let of_block: Vec<_> = (0..count).map(|n| actions.intern(&format!("k:A{n}"), "topic")).collect();
    let tagged = actions.intern("k:Tagged", "cluster");
    let names = actions.intern("k:Names", "topic");
    let all: Named = Named {
        name: "all".into(),
        document: Document::parse(r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#).unwrap().into(),
    };
    let set = PolicySet { identity: policies(), boundary: Some(all.clone()), session: vec![all] };
    let tag = |k: &str, v: &str| (k.to_owned(), v.to_owned());
    let principal = Principal {
        subject: Identity::parse("arn:aws:iam::123456789012:user/ann").unwrap(),
        attributes: Attributes {
            user_id: "AIDA1".into(),
            tags: vec![
                tag("blob", "QmluYXJ5VmFsdWVJbkJhc2U2NA"),
                tag("cluster", "demo"),
                tag("cost", "100000000000000000000"),
                tag("flag", "TRUE"),
                tag("role", "arn:aws:iam::123456789012:role/r"),
                tag("since", "869077231"),
                tag("Team", "Straße"),
            ],
            token_issued: Some(1_767_000_000_000),
            ..Attributes::default()
        },
        actors: Vec::new(),
        grant: None,
    };
    let channel = Channel {
        address: Some("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff".parse().unwrap()),
        secure: true,
        listener: "CLIENT".into(),
        protocol: "SASL_SSL".into(),
        host: "broker.example.com".into(),
        ..Channel::default()
    };
    let mut given = GivenKeys::default();
    given.give("aws:TagKeys", vec!["team".into(), "cost".into()]);
    given.give("x:arns", vec!["arn:aws:iam::123456789012:role/ann".into()]);
    given.give("x:at", vec!["1767323045".into()]);
    let tags = [tag("env", "prod")];
    let inputs = Inputs {
        principal: &principal,
        channel: &channel,
        address: None,
        client_id: "app-ann-1",
        now: UnixMillis(1_767_323_045_678),
        resource_tags: &tags,
        keys: Keys::HostAnd(&given),
    };
    for arn_match in [ArnMatch::Aws, ArnMatch::Fields] {
        let scope = Scope { namespaces: vec![Namespace::parse(CLUSTER).unwrap()], arn_match };
        let compiled = Compiled::new(&set, &actions, &scope);
        let none = |action, name: &str, expected| {
            let (verdict, allocations) = counted(|| compiled.decide(action, name, &inputs));
            assert_eq!(verdict.outcome, expected, "{:?} on {name:?}", actions.get(action));
            assert_eq!(allocations, 0, "{:?} on {name:?}", actions.get(action));
        };
        for action in &of_block {
            none(*action, "orders", Outcome::Allow);
        }
        none(tagged, "", Outcome::Allow);
        for name in ["exact", "begin-x", "x-end", "a-middle-z", "ann/1", "joint"] {
            none(names, name, Outcome::Allow);
        }
        none(names, "other", Outcome::Deny);
    }
    let (_, allocations) = counted(|| String::from("counted"));
    assert_eq!(allocations, 1, "the counter counts");
}
