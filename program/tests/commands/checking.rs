// SPDX-License-Identifier: Apache-2.0
//! `standin policy check`, through the program itself.

use serde_json::{Value, json};
use standin::audit::{Event, Files, Operation, Record, Recorder, Who};
use standin::time::{Clock, SystemClock, UnixMillis};

use crate::place::{ALLOW, Place};

const CLUSTER: &str = "arn:aws:kafka:us-east-1:123456789012:cluster/demo/u-1";

fn check(place: &Place, arguments: &[&str]) -> (Vec<Value>, i32) {
    let out = place.run(&[&["policy", "check", "--output", "json"][..], arguments].concat());
    let text = String::from_utf8(out.stdout).unwrap();
    let found =
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}{:?}", String::from_utf8(out.stderr)));
    (found, out.status.code().unwrap())
}

#[test]
fn findings_name_file_line_and_column_and_make_the_exit_code() {
    let place = Place::new();
    std::fs::write(
        place.path("p.json"),
        "{\"Version\":\"2012-10-17\",\"Statement\":[\n {\"Effect\":\"Allow\",\"Action\":\"s3:Get*\",\"Resource\":\"*\"},\n\
          {\"Effect\":\"Allow\",\"Action\":\"kafka-cluster:ReadData\",\n  \"Resource\":\"arn:aws:kafka:us-east-1:123456789012:topic/old/u-9/orders\"}]}",
    )
    .unwrap();
    let (found, code) = check(&place, &["p.json", "--cluster", CLUSTER]);
    let shown: Vec<(&str, u64, &str)> = found
        .iter()
        .map(|f| (f["rule"].as_str().unwrap(), f["line"].as_u64().unwrap(), f["level"].as_str().unwrap()))
        .collect();
    assert_eq!(shown, [("other-service", 2, "note"), ("no-cluster", 4, "finding")]);
    assert_eq!((code, &found[1]["policy"], &found[1]["column"]), (1, &json!("p.json"), &json!(14)));
    let text = String::from_utf8(place.run(&["policy", "check", "p.json", "--cluster", CLUSTER]).stdout).unwrap();
    assert!(text.lines().nth(1).unwrap().starts_with("p.json:4:14: no-cluster: "), "{text}");
    // The old cluster as an alias.
    let old = CLUSTER.replace("demo/u-1", "old/u-9");
    let (found, code) = check(&place, &["p.json", "--cluster", CLUSTER, "--cluster", &old]);
    assert_eq!((found.len(), code), (1, 0), "a note does not count: {found:?}");
    std::fs::write(place.path("bad.json"), "{}").unwrap();
    assert!(place.fails(1, &["policy", "check", "bad.json"]).contains("Statement is missing"));
    assert!(place.fails(2, &["policy", "check", "none.json"]).contains("none.json"));
}

#[test]
fn every_policy_of_the_store_is_looked_through_under_its_name() {
    let place = Place::new();
    place.ok(&["user", "create", "ann"]);
    place.ok(&["group", "create", "g"]);
    std::fs::write(place.path("typo.json"), ALLOW.replace("kafka-cluster:*", "kafka-cluster:Reed*")).unwrap();
    place.ok(&["policy", "put", "typo", "typo.json"]);
    place.ok(&["policy", "put", "own", "typo.json", "--user", "ann"]);
    place.ok(&["policy", "put", "ours", "typo.json", "--group", "g"]);
    place.ok(&["policy", "put", "right", "allow.json"]);
    let (found, code) = check(&place, &["--all"]);
    let mut names: Vec<&str> = found.iter().map(|f| f["policy"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "arn:aws:iam::123456789012:policy/typo",
            "inline/arn:aws:iam::123456789012:group/g/ours",
            "inline/arn:aws:iam::123456789012:user/ann/own"
        ]
    );
    assert_eq!(code, 1);
}

#[test]
fn trust_policies_are_looked_through_for_principals_that_are_not_there() {
    let place = Place::new();
    place.ok(&["user", "create", "ann"]);
    let trust = |users: &[&str]| {
        let arns: Vec<String> = users.iter().map(|name| format!("arn:aws:iam::123456789012:user/{name}")).collect();
        let statement = json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": arns}});
        json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
    };
    std::fs::write(place.path("right.trust.json"), trust(&["ann"])).unwrap();
    std::fs::write(place.path("wrong.trust.json"), trust(&["ann", "bob"])).unwrap();
    place.ok(&["role", "create", "right", "--trust", "right.trust.json"]);
    assert_eq!(check(&place, &["--all"]), (vec![], 0));
    place.ok(&["role", "create", "wrong", "--trust", "wrong.trust.json"]);
    let (found, code) = check(&place, &["--all"]);
    assert_eq!((found.len(), code), (1, 1), "{found:?}");
    assert_eq!(found[0]["rule"], "no-principal");
    assert_eq!(found[0]["policy"], "trust/arn:aws:iam::123456789012:role/wrong");
    assert!(found[0].to_string().contains("user/bob"), "{found:?}");
    // Who exists is known of the store alone.
    assert_eq!(check(&place, &["wrong.trust.json", "--cluster", CLUSTER]), (vec![], 0));
}

#[test]
fn grants_are_compared_with_what_the_audit_counted() {
    let place = Place::new();
    for user in ["ann", "bob"] {
        place.ok(&["user", "create", user]);
    }
    let policy = r#"{"Version":"2012-10-17","Statement":[
      {"Effect":"Allow","Action":["kafka-cluster:ReadData","kafka-cluster:WriteData"],
       "Resource":"arn:aws:kafka:us-east-1:123456789012:topic/demo/*/${aws:username}-*"},
      {"Effect":"Allow","Action":"kafka-cluster:Connect","Resource":"*"}]}"#;
    std::fs::write(place.path("p.json"), policy).unwrap();
    place.ok(&["policy", "put", "p", "p.json"]);
    for user in ["ann", "bob"] {
        place.ok(&["policy", "attach", "p", "--user", user]);
    }
    let arguments = ["--all", "--unused-for", "86400", "--cluster", CLUSTER];
    let text = place.fails(2, &[&["policy", "check"][..], &arguments].concat());
    assert!(text.contains("no record of anything allowed"), "{text}");

    let now = SystemClock::new().wall().0;
    let used = |user: &str, resource: &str, at: i64| Record {
        time: UnixMillis(at),
        who: Who { subject: format!("arn:aws:iam::123456789012:user/{user}"), ..Who::default() }.into(),
        channel: None,
        request_id: "".into(),
        event: Event::Operation(Operation {
            action: "kafka-cluster:ReadData".into(),
            resource_type: "topic".into(),
            resource: resource.into(),
            outcome: "allowed",
            reason: "allowed by policy".into(),
            statement: None,
            count: 7,
            since: UnixMillis(at - 1000),
        }),
    };
    let files = Files::new(place.path("s/audit"), "1-b00t".into(), 1 << 20).unwrap();
    let recorder = Recorder::new("b00t".into(), "host/demo/1".into(), files);
    // Old uses do not count, and each name counts for whose it is.
    for (user, resource, at) in
        [("bob", "bob-old", now - 100_000_000), ("ann", "ann-orders", now - 1000), ("bob", "ann-secret", now - 1000)]
    {
        recorder.record(used(user, resource, at));
    }
    recorder.flush(UnixMillis(1)).unwrap();
    let (found, code) = check(&place, &arguments);
    let shown: Vec<(&str, &str)> =
        found.iter().map(|f| (f["rule"].as_str().unwrap(), f["path"].as_str().unwrap())).collect();
    assert_eq!(
        shown,
        [
            ("action-not-used", "$.Statement[0].Action[1]"),
            ("resource-not-used", "$.Statement[0].Resource"),
            ("never-used", "$.Statement[1]")
        ]
    );
    assert_eq!((code, &found[1]["advice"]), (1, &json!("these are enough: ann-orders")));
}
