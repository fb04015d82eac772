// SPDX-License-Identifier: Apache-2.0
//! `standin explain` and `standin whoami`, through the program itself.

use serde_json::{Value, json};
use standin::audit::{Event, Files, Operation, Record, Recorder, Who};
use standin::channel::Channel;
use standin::fault::Status;
use standin::time::UnixMillis;

use crate::place::{ALLOW, Place};

const ANN: &str = "arn:aws:iam::123456789012:user/ann";
const CLUSTER: &str = "arn:aws:kafka:us-east-1:123456789012:cluster/demo/u-1";

/// A user ann with one policy, attached.
fn with_policy(text: &str) -> Place {
    let place = Place::new();
    place.ok(&["user", "create", "ann", "--tag", "team=red"]);
    std::fs::write(place.path("p.json"), text).unwrap();
    place.ok(&["policy", "put", "p", "p.json"]);
    place.ok(&["policy", "attach", "p", "--user", "ann"]);
    place
}

/// Explains as JSON, and the exit code.
fn explain(place: &Place, arguments: &[&str]) -> (Value, i32) {
    let mut all = vec!["explain", "--output", "json"];
    all.extend(arguments);
    let out = place.run(&all);
    let text = String::from_utf8(out.stdout).unwrap();
    let value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}{:?}", out.stderr));
    (value, out.status.code().unwrap())
}

fn asking<'a>(action: &'a str, resource: &'a str) -> Vec<&'a str> {
    vec!["--identity", "ann", "--cluster", CLUSTER, "--action", action, "--resource", resource]
}

#[test]
fn a_denial_names_what_is_missing_and_the_smallest_statement_ends_it() {
    let place = with_policy(
        r#"{"Version":"2012-10-17","Statement":[
          {"Sid":"Net","Effect":"Allow","Action":"kafka-cluster:*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}},
          {"Effect":"Allow","Action":"kafka-cluster:ReadData","Resource":"arn:aws:kafka:*:*:topic/demo/*/logs-*"}]}"#,
    );
    let question = asking("kafka-cluster:ReadData", "topic/orders");
    let (told, code) = explain(&place, &question);
    assert_eq!((&told["outcome"], code), (&json!("denied"), 1), "{told}");
    assert_eq!(told["missing"], json!(["identity"]));
    assert_eq!(told["statements"][0]["detail"][0]["key"], "aws:SourceIp");
    assert_eq!(told["statements"][1]["how"], "elsewhere");
    let text = place.run(&[&["explain"][..], &question].concat());
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("IpAddress aws:SourceIp wants 10.0.0.0/8, and it has no value"), "{text}");

    std::fs::write(place.path("more.json"), told["smallest"].to_string()).unwrap();
    place.ok(&["policy", "put", "more", "more.json", "--user", "ann"]);
    let (told, code) = explain(&place, &question);
    assert_eq!((&told["outcome"], code), (&json!("allowed"), 0), "{told}");
    assert_eq!(told["statement"]["policy"], format!("inline/{ANN}/more"));
    let (told, _) = explain(&place, &asking("kafka-cluster:ReadData", "topic/orders2"));
    assert_eq!(told["outcome"], "denied", "{told}");
}

#[test]
fn the_deciding_statement_is_shown_as_it_is_written() {
    let place = with_policy(ALLOW);
    std::fs::write(
        place.path("deny.json"),
        r#"{"Version":"2012-10-17","Statement":{"Sid":"Red","Effect":"Deny","Action":"kafka-cluster:WriteData","Resource":"*",
            "Condition":{"StringEquals":{"aws:PrincipalTag/team":"red","standin:Listener":"CLIENT"}}}}"#,
    )
    .unwrap();
    place.ok(&["policy", "put", "deny", "deny.json"]);
    place.ok(&["policy", "attach", "deny", "--user", "ann"]);
    let mut question = asking("kafka-cluster:WriteData", "topic/orders");
    assert_eq!(explain(&place, &question).1, 0);
    question.extend(["--listener", "CLIENT"]);
    let (told, code) = explain(&place, &question);
    assert_eq!((code, &told["statement"]["sid"]), (1, &json!("Red")));
    assert_eq!(told["statement"]["text"]["Action"], "kafka-cluster:WriteData");
    assert_eq!((&told["missing"], &told["smallest"]), (&json!([]), &Value::Null));
    assert!(told["advice"][0].as_str().unwrap().contains("which denies it"), "{told}");
    // A tag of the session stands in for the identity's.
    question.extend(["--tag", "team=blue"]);
    assert_eq!(explain(&place, &question).1, 0);
}

#[test]
fn a_boundary_and_a_session_policy_are_named_when_they_limit() {
    let place = with_policy(ALLOW);
    std::fs::write(place.path("narrow.json"), ALLOW.replace("kafka-cluster:*", "kafka-cluster:Describe*")).unwrap();
    place.ok(&["policy", "put", "narrow", "narrow.json"]);
    place.ok(&["policy", "boundary", "narrow", "--user", "ann"]);
    let mut question = asking("kafka-cluster:WriteData", "topic/orders");
    question.extend(["--session-policy", "narrow.json"]);
    let (told, code) = explain(&place, &question);
    assert_eq!((code, &told["missing"]), (1, &json!(["boundary", "session"])));
    assert!(told["advice"][0].as_str().unwrap().contains("policy/narrow"), "{told}");
}

#[test]
fn questions_that_no_host_asks_are_noted_and_unknown_clusters_asked_for() {
    let place = with_policy(ALLOW);
    let (told, _) = explain(&place, &asking("kafka-cluster:ReadDat", "topic/a"));
    assert!(told["notes"][0].as_str().unwrap().contains("did you mean kafka-cluster:ReadData"), "{told}");
    let (told, _) = explain(&place, &asking("kafka-cluster:ReadData", "group/a"));
    assert!(told["notes"][0].as_str().unwrap().contains("type topic, never about group"), "{told}");
    // The file that init left beside the store names the cluster.
    let (told, code) =
        explain(&place, &["--identity", ANN, "--action", "kafka-cluster:Connect", "--resource", "cluster"]);
    assert_eq!(code, 0);
    assert!(told["cluster"].as_str().unwrap().ends_with("standin.properties"), "{told}");
    std::fs::remove_file(place.path("s/standin.properties")).unwrap();
    let text = place.fails(2, &["explain", "--identity", "ann", "--action", "a:b", "--resource", "topic/x"]);
    assert!(text.contains("--broker FILE or --cluster ARN"), "{text}");
    let text = place.fails(3, &["explain", "--identity", "bob", "--action", "a:b", "--resource", "arn:aws:s3:::x"]);
    assert!(text.contains("no user and no role"), "{text}");
}

/// Records as a broker writes them.
fn record(place: &Place, records: Vec<Record>) {
    let files = Files::new(place.path("s/audit"), "1795562019-b00t".into(), 1 << 20).unwrap();
    let recorder = Recorder::new("b00t".into(), "host/demo/1".into(), files);
    records.into_iter().for_each(|r| recorder.record(r));
    recorder.flush(UnixMillis(1)).unwrap();
}

fn refused(id: &str, status: Status, reason: &str) -> Record {
    let channel = Channel {
        address: Some([192, 0, 2, 1].into()),
        listener: "CLIENT".into(),
        protocol: "SASL_SSL".into(),
        ..Channel::default()
    };
    Record {
        time: UnixMillis(1_795_562_019_000),
        who: Who { subject: ANN.into(), access_key_id: "AKIAEXAMPLE".into(), ..Who::default() }.into(),
        channel: Some(channel.into()),
        request_id: id.into(),
        event: Event::Login { outcome: "refused", reason: reason.into(), status: status.number(), seen: 1, sources: 1 },
    }
}

#[test]
fn a_request_id_leads_to_what_was_wrong_and_what_to_do() {
    let place = with_policy(
        &ALLOW
            .replace(r#""Resource":"*""#, r#""Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}"#),
    );
    let denied = Record {
        event: Event::Operation(Operation {
            action: "kafka-cluster:ReadData".into(),
            resource_type: "topic".into(),
            resource: "or\nders".into(),
            outcome: "denied",
            reason: "no statement allows it".into(),
            statement: None,
            count: 1,
            since: UnixMillis(1_795_562_019_000),
        }),
        ..refused("b00t-3", Status::Malformed, "")
    };
    record(
        &place,
        vec![
            refused("b00t-1", Status::KeyDisabled, "access key AKIAEXAMPLE is disabled"),
            refused("b00t-2", Status::ConnectNotAllowed, "kafka-cluster:Connect is not allowed"),
            denied,
        ],
    );
    let (told, code) = explain(&place, &["b00t-1"]);
    assert_eq!(code, 1);
    let one = &told["records"][0];
    assert_eq!((&one["checked"]["region"], &one["checked"]["key"]), (&json!("right"), &json!("wrong")));
    assert_eq!(one["checked"]["signature"], "-");
    assert!(one["advice"][0].as_str().unwrap().contains("standin key enable AKIAEXAMPLE"), "{one}");

    // Connect is explained from the policies, for the address it came from.
    let (told, _) = explain(&place, &["b00t-2"]);
    let now = &told["records"][0]["now"];
    assert_eq!(now["statements"][0]["detail"][0]["found"], json!(["192.0.2.1"]), "{told}");
    assert_eq!(now["smallest"]["Statement"]["Action"], "kafka-cluster:Connect");

    let (told, _) = explain(&place, &["b00t-3"]);
    assert_eq!(told["records"][0]["now"]["resource"], "or\nders");
    let text = String::from_utf8(place.run(&["explain", "b00t-3"]).stdout).unwrap();
    assert!(text.contains("topic or\\nders"), "names stay on their line: {text}");

    assert!(place.fails(3, &["explain", "b00t-9"]).contains("has files of that boot"));
    assert!(place.fails(3, &["explain", "other-9"]).contains("no file of that boot"));
}

/// Runs whoami with these variables; what it prints and its code.
fn whoami(place: &Place, arguments: &[&str], variables: &[(&str, &str)]) -> (String, String, i32) {
    let mut command = place.command(&[&["whoami", "--output", "json"][..], arguments].concat());
    let out = command.envs(variables.iter().copied()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(out.stdout), text(out.stderr), out.status.code().unwrap())
}

#[test]
fn keys_of_a_user_tell_who_that_is_and_never_the_secret() {
    let place = with_policy(ALLOW);
    place.ok(&["group", "create", "g"]);
    place.ok(&["group", "add", "g", "ann"]);
    place.ok(&["policy", "attach", "p", "--group", "g"]);
    let key = place.json(&["key", "create", "ann"]);
    let (id, secret) = (key["id"].as_str().unwrap(), key["secret"].as_str().unwrap());
    let variables = [("AWS_ACCESS_KEY_ID", id), ("AWS_SECRET_ACCESS_KEY", secret)];
    let (out, err, code) = whoami(&place, &[], &variables);
    assert_eq!(code, 0, "{err}");
    assert!(!out.contains(secret), "{out}");
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&told["arn"], &told["account"]), (&json!(ANN), &json!("123456789012")));
    assert_eq!((&told["connect"], &told["tags"]["team"]), (&json!("allowed"), &json!("red")));
    assert_eq!(told["groups"], json!(["arn:aws:iam::123456789012:group/g"]));
    assert_eq!(told["group_policies"], json!(["arn:aws:iam::123456789012:policy/p"]));

    let wrong = "A".repeat(secret.len());
    for (secret, part) in [(wrong.as_str(), "not that of"), ("", "AWS_SECRET_ACCESS_KEY is not")] {
        let (out, err, code) = whoami(&place, &[], &[("AWS_ACCESS_KEY_ID", id), ("AWS_SECRET_ACCESS_KEY", secret)]);
        assert!(out.is_empty() && code != 0 && err.contains(part), "{code} {err}");
        assert!(!err.contains(&wrong), "{err}");
    }
    place.ok(&["key", "disable", id]);
    let (_, err, code) = whoami(&place, &[], &variables);
    assert!(code == 1 && err.contains("standin key enable"), "{err}");
    let (_, err, code) = whoami(&place, &[], &[("AWS_ACCESS_KEY_ID", "AKIAUNKNOWN"), ("AWS_SECRET_ACCESS_KEY", "x")]);
    assert!(code == 1 && err.contains("keys of AWS cannot be verified"), "{err}");
}

#[test]
fn a_profile_of_temporary_credentials_tells_its_session() {
    let place = with_policy(&ALLOW.replace("kafka-cluster:*", "kafka-cluster:ReadData"));
    place.ok(&["role", "create", "app", "--trust", "trust.json"]);
    place.ok(&["policy", "attach", "p", "--role", "app"]);
    place.ok(&[
        "role",
        "assume",
        "app",
        "--user",
        "ann",
        "--session-name",
        "pod-1",
        "--profile-file",
        "c",
        "--profile",
        "n",
    ]);
    let (out, err, code) = whoami(&place, &["--profile", "n", "--profile-file", "c"], &[]);
    let told: Value = serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}{err}"));
    assert_eq!(told["arn"], "arn:aws:iam::123456789012:role/app");
    assert_eq!((&told["session_name"], &told["assumed_by"]), (&json!("pod-1"), &json!(ANN)));
    assert!(told["expires"].as_str().unwrap().ends_with('Z'), "{told}");
    // Reading is not connecting.
    assert_eq!((code, &told["connect"]), (1, &json!("denied")));
    for part in ["aws_secret_access_key", "aws_session_token"] {
        let text = std::fs::read_to_string(place.path("c")).unwrap();
        let secret = text.split(&format!("{part} = ")).nth(1).unwrap().lines().next().unwrap();
        assert!(!out.contains(secret) && !err.contains(secret), "{part}");
    }
    let (_, err, code) = whoami(&place, &["--profile", "m", "--profile-file", "c"], &[]);
    assert!(code == 2 && err.contains("no profile m"), "{err}");
}
