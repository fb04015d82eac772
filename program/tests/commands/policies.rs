// SPDX-License-Identifier: Apache-2.0
//! `standin policy simulate` and `validate`, through the program itself.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value, json};

fn standin(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_standin"));
    command.args(arguments).env_remove("STANDIN_STORE").env_remove("STANDIN_KEY_FILE");
    command
}

/// Runs the program with this standard input.
fn run(arguments: &[&str], input: &[u8]) -> Output {
    let mut child =
        standin(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // The program may write before it has read everything.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

fn lines(output: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

fn simulate(cases: &[Value]) -> Output {
    let text: String = cases.iter().map(|c| format!("{c}\n")).collect();
    run(&["policy", "simulate", "--input", "-"], text.as_bytes())
}

/// A case that asks for s3:Get on a bucket as ann.
fn case(id: impl Into<Value>, policies: Value) -> Value {
    json!({
        "id": id.into(), "policies": policies, "principal": {"arn": "arn:aws:iam::123456789012:user/ann"},
        "action": "s3:Get", "resource": "arn:aws:s3:::b",
    })
}

fn allow() -> Value {
    json!({"Version": "2012-10-17", "Statement": [{"Sid": "Get", "Effect": "Allow", "Action": "s3:*", "Resource": "*"}]})
}

fn deny() -> Value {
    json!({"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}})
}

#[test]
fn decisions_are_answered_line_by_line_with_the_statement_that_decided() {
    let mut limited = case(4, json!([allow()]));
    limited["permissionsBoundary"] = deny();
    let mut session = case(Value::Null, json!([allow()]));
    session["sessionPolicies"] = json!([{"Statement": {"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}}]);
    let mut open = case(json!(["any", {"json": 1}]), json!([allow().to_string()]));
    open["permissionsBoundary"] = Value::Null;
    let output = simulate(&[
        case("a", json!([allow()])),
        case(2, json!([allow(), deny()])),
        case("three", json!([])),
        limited,
        session,
        open,
    ]);
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    let allowed = json!({"policy": "policies[0]", "sid": "Get", "index": 0});
    assert_eq!(
        lines(&output),
        [
            json!({"id": "a", "decision": "allowed", "statement": allowed}),
            json!({"id": 2, "decision": "explicitDeny", "statement": {"policy": "policies[1]", "sid": null, "index": 0}}),
            json!({"id": "three", "decision": "implicitDeny", "statement": null}),
            json!({"id": 4, "decision": "explicitDeny", "statement": {"policy": "permissionsBoundary", "sid": null, "index": 0}}),
            json!({"id": null, "decision": "implicitDeny", "statement": null}),
            json!({"id": ["any", {"json": 1}], "decision": "allowed", "statement": allowed}),
        ]
    );
}

#[test]
fn a_bad_line_gets_an_error_with_its_id_and_the_others_their_answers() {
    let with = |field: &str, value: Value| {
        let mut case = case(field, json!([allow()]));
        case[field] = value;
        case
    };
    let without = |field: &str| {
        let mut case = case(field, json!([allow()]));
        case.as_object_mut().unwrap().remove(field);
        case
    };
    let twice = r#"{"id":"twice","policies":[{"Statement":{"Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*"}}],"principal":{"arn":"arn:aws:iam::123456789012:user/ann"},"action":"s3:Get","resource":"arn:aws:s3:::b"}"#;
    let bad: Vec<(String, Value, &str)> = vec![
        ("not json".into(), Value::Null, "line 1 column 2"),
        ("[1]".into(), Value::Null, "not a case"),
        (without("action").to_string(), json!("action"), "missing field `action`"),
        (without("resource").to_string(), json!("resource"), "missing field `resource`"),
        (without("principal").to_string(), json!("principal"), "missing field `principal`"),
        (with("action", json!(7)).to_string(), json!("action"), "expected a string"),
        (with("policies", json!({})).to_string(), json!("policies"), "expected a sequence"),
        (with("policies", json!([7])).to_string(), json!("policies"), "policies[0]: $ (line 1, column 1): found 7"),
        (with("context", json!([])).to_string(), json!("context"), "expected an object"),
        (with("context", json!({"x:k": {}})).to_string(), json!("context"), "context.x:k: a string, number"),
        (with("context", json!({"x:k": [null]})).to_string(), json!("context"), "context.x:k: a string, number"),
        (with("context", json!({"x:k": 1, "X:K": 2})).to_string(), json!("context"), "twice"),
        (with("actions", json!([])).to_string(), json!("actions"), "unknown field `actions`"),
        (
            with("principal", json!({"arn": "arn:aws:iam::123456789012:user/ann", "name": "x"})).to_string(),
            json!("principal"),
            "unknown field `name`",
        ),
        (
            with("principal", json!({"arn": "arn:aws:iam::123456789012:user/ann", "tags": {"a": "1", "A": "2"}}))
                .to_string(),
            json!("principal"),
            "twice",
        ),
        (
            with("principal", json!({"arn": "arn:aws:iam::123456789012:user/ann", "tags": {"a": 1}})).to_string(),
            json!("principal"),
            "expected a string",
        ),
        (twice.to_owned(), json!("twice"), "$.Statement.Effect (line 1, column 31): the key \"Effect\" stands twice"),
    ];
    let wrong_arns = [
        "ann",
        "",
        "arn:aws:iam::123456789012:ann",
        "arn:aws:iam::123456789012:user/",
        "arn:aws:iam::123456789012:user",
        "arn:aws:iam::1234:user/ann",
        "arn:aws:iam:eu:123456789012:user/ann",
        "arn:aws:sts::123456789012:assumed-role/app",
        "arn:aws:iam::123456789012:user/*",
        "arn:aws:iam::123456789012:group/g",
        "arn:aws:s3:::b",
    ];
    let mut bad = bad;
    for arn in wrong_arns {
        bad.push((with("principal", json!({"arn": arn})).to_string(), json!("principal"), "principal.arn: "));
    }
    let mut text = Vec::new();
    for (line, ..) in &bad {
        writeln!(text, "{line}").unwrap();
        writeln!(text, "  \n{}", case("fine", json!([allow()]))).unwrap();
    }
    text.extend(b"\xff\xfe\n");
    text.extend(case("last", json!([allow()])).to_string().bytes());
    let output = run(&["policy", "simulate", "--input", "-"], &text);
    assert_eq!(output.status.code(), Some(1));
    let answers = lines(&output);
    assert_eq!(answers.len(), bad.len() * 2 + 2);
    for ((line, id, part), pair) in bad.iter().zip(answers.chunks(2)) {
        let [error, fine] = pair else { panic!("{line}") };
        assert_eq!(error["id"], *id, "{line}");
        assert!(error["error"].as_str().is_some_and(|e| e.contains(part)), "{line}: {part}: {error}");
        assert!(error.get("decision").is_none(), "{line}");
        assert_eq!((&fine["id"], &fine["decision"]), (&json!("fine"), &json!("allowed")), "{line}");
    }
    let [utf8, last] = &answers[bad.len() * 2..] else { panic!() };
    assert!(utf8["error"].as_str().unwrap().contains("not UTF-8"), "{utf8}");
    assert_eq!(last["id"], "last");
    let complaints = String::from_utf8(output.stderr).unwrap();
    assert!(complaints.contains("-, line 1: not a case"), "{complaints}");
    assert!(complaints.contains("-, line 4: not a case"), "{complaints}");
}

/// The keys that follow from a principal, and no others.
#[test]
fn only_keys_of_the_principal_are_derived() {
    let asking = |arn: &str, tags: Value, context: Value, condition: Value| {
        let policy = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}});
        json!({"policies": [policy], "principal": {"arn": arn, "tags": tags}, "action": "a:b", "resource": "r", "context": context})
    };
    let user = "arn:aws:iam::123456789012:user/a/b/ann";
    let none = json!({"Null": {"aws:CurrentTime": true, "aws:EpochTime": true, "aws:SourceIp": true, "aws:SecureTransport": true,
        "aws:userid": true, "aws:PrincipalType": true, "aws:TokenIssueTime": true, "standin:Listener": true, "standin:ClientId": true}});
    let role = json!({"StringEquals": {"aws:PrincipalArn": "arn:aws:iam::123456789012:role/app"}, "Null": {"aws:username": "true"}});
    let cases = [
        asking(user, json!({}), json!({}), none),
        asking(
            user,
            json!({"Team": "red"}),
            json!({}),
            json!({"StringEquals": {"aws:username": "ann", "aws:PrincipalArn": user, "aws:PrincipalAccount": "123456789012", "aws:PrincipalTag/team": "red"}}),
        ),
        asking(
            user,
            json!({"Team": "red"}),
            json!({"AWS:PrincipalTag/TEAM": "blue", "aws:username": "bob"}),
            json!({"StringEquals": {"aws:username": "bob", "aws:PrincipalTag/Team": "blue"}}),
        ),
        asking("arn:aws:sts::123456789012:assumed-role/app/s-1", json!(null), json!(null), role.clone()),
        asking("arn:aws:iam::123456789012:role/app", json!({}), json!({}), role),
        asking(
            "arn:aws:iam::123456789012:root",
            json!({}),
            json!({}),
            json!({"StringEquals": {"aws:PrincipalArn": "arn:aws:iam::123456789012:root"}, "Null": {"aws:username": "true"}}),
        ),
        asking(
            "arn:aws:sts::123456789012:federated-user/ann",
            json!({}),
            json!({}),
            json!({"ArnEquals": {"aws:PrincipalArn": "arn:aws:sts::123456789012:federated-user/ann"}, "Null": {"aws:username": "true"}}),
        ),
        asking(
            "arn:aws-cn:iam::123456789012:role/aws-service-role/x.amazonaws.com/AWSServiceRoleForX",
            json!({}),
            json!({}),
            json!({"ArnLike": {"aws:PrincipalArn": "arn:aws-cn:iam::*:role/aws-service-role/*"}}),
        ),
        asking("arn:aws:iam::123456789012:user/a b", json!({}), json!({}), json!({})),
    ];
    let output = simulate(&cases);
    let answers = lines(&output);
    for (case, answer) in cases.iter().zip(&answers).take(cases.len() - 1) {
        assert_eq!(answer["decision"], "allowed", "{case}\n{answer}");
    }
    assert!(answers.last().unwrap().get("error").is_some(), "a space is no part of a name");
}

#[test]
fn numbers_of_a_context_stay_as_they_are_written() {
    let big = "123456789012345678901234567890";
    let line = |n: &str| {
        format!(
            r#"{{"id":"{n}","policies":[{{"Statement":{{"Effect":"Allow","Action":"*","Resource":"*","Condition":{{"NumericEquals":{{"x:n":{big}}}}}}}}}],"principal":{{"arn":"arn:aws:iam::123456789012:user/a"}},"action":"a:b","resource":"r","context":{{"x:n":{n}}}}}"#
        )
    };
    let text = [big, "123456789012345678901234567891", "[1, 123456789012345678901234567890]"].map(line).join("\n");
    let answers = lines(&run(
        &["policy", "simulate", "--input", "-"],
        text.replace(r#""id":"[1, 123456789012345678901234567890]","#, "").as_bytes(),
    ));
    let decisions: Vec<&Value> = answers.iter().map(|a| &a["decision"]).collect();
    assert_eq!(decisions, ["allowed", "implicitDeny", "allowed"]);
}

/// Whoever asks one question at a time gets each answer at once.
#[test]
fn answers_do_not_wait_for_more_questions() {
    let mut child =
        standin(&["policy", "simulate", "--input", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut ask = child.stdin.take().unwrap();
    let stdout = child.stdout.take().unwrap();
    let (say, heard) = mpsc::channel();
    let listener = std::thread::spawn(move || {
        BufReader::new(stdout).lines().map(Result::unwrap).try_for_each(|line| say.send(line))
    });
    for n in 0..3 {
        let question = case(n, json!([allow()])).to_string();
        let (first, rest) = question.split_at(20);
        write!(ask, "{first}").unwrap();
        ask.flush().unwrap();
        writeln!(ask, "{rest}").unwrap();
        let answer = heard.recv_timeout(Duration::from_secs(30)).expect("the answer was held back");
        assert_eq!(serde_json::from_str::<Value>(&answer).unwrap()["id"], n);
    }
    drop(ask);
    assert!(child.wait().unwrap().success());
    listener.join().unwrap().unwrap();
}

#[test]
fn a_hundred_thousand_lines_are_answered_in_order() {
    let question = case("ID", json!([allow(), deny()])).to_string();
    let mut text = String::new();
    for n in 0..100_000 {
        text.push_str(&question.replace("\"ID\"", &n.to_string()));
        text.push('\n');
    }
    let output = run(&["policy", "simulate", "--input", "-"], text.as_bytes());
    assert!(output.status.success());
    let answers = lines(&output);
    assert_eq!(answers.len(), 100_000);
    assert!(answers.iter().enumerate().all(|(n, a)| a["id"] == n && a["decision"] == "explicitDeny"));
}

#[test]
fn a_reader_that_goes_away_ends_the_program_quietly() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cases");
    let question = format!("{}\n", case(1, json!([allow()])));
    std::fs::write(&path, question.repeat(20_000)).unwrap();
    let mut child = standin(&["policy", "simulate", "--input", path.to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}

#[test]
fn a_file_that_cannot_be_read_is_a_usage_error() {
    for command in
        [&["policy", "simulate", "--input", "/nonexistent/cases"][..], &["policy", "validate", "/nonexistent/p.json"]]
    {
        let output = run(command, b"");
        assert_eq!(output.status.code(), Some(2), "{command:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("/nonexistent/"), "{output:?}");
    }
    assert_eq!(run(&["policy", "simulate"], b"").status.code(), Some(2));
    assert_eq!(run(&["policy", "validate"], b"").status.code(), Some(2));
}

struct Files {
    dir: tempfile::TempDir,
}

impl Files {
    fn with(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn shown(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }
}

const TRUST: &str = r#"{"Statement":{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"sts:AssumeRole"}}"#;

#[test]
fn validate_names_every_problem_of_every_file() {
    let files = Files::with(&[
        ("good.json", &allow().to_string()),
        ("bad.json", "{\"Statement\":\n  {\"Effect\": \"allow\", \"Action\": \"s3\", \"Resource\": \"*\"}}"),
        ("broken.json", "{"),
    ]);
    let (good, bad, broken) = (files.shown("good.json"), files.shown("bad.json"), files.shown("broken.json"));
    let output = run(&["policy", "validate", &good], b"");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{good}: valid\n"));

    let output = run(&["policy", "validate", &bad, &good, &broken, "-"], allow().to_string().as_bytes());
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said, format!("{bad}: not valid\n{good}: valid\n{broken}: not valid\n-: valid\n"));
    let complaints = String::from_utf8(output.stderr).unwrap();
    for part in [
        "$.Statement.Effect (line 2, column 14): found \"allow\"; \"Allow\" or \"Deny\"",
        "$.Statement.Action (line 2, column 33)",
        "not JSON",
    ] {
        assert!(complaints.contains(part), "{part}: {complaints}");
    }

    let output = run(&["--output", "json", "policy", "validate", &bad, &good, "/nonexistent/x"], b"");
    assert_eq!(output.status.code(), Some(2), "worse than not valid");
    let answers = lines(&output);
    assert_eq!(answers[0]["valid"], false);
    let problem = &answers[0]["problems"][0];
    assert_eq!(
        problem,
        &json!({"path": "$.Statement.Effect", "line": 2, "column": 14, "found": "found \"allow\"", "accepted": "\"Allow\" or \"Deny\", written so, is accepted"})
    );
    assert_eq!(answers[1], json!({"file": good, "valid": true}));
    assert_eq!(answers[2]["valid"], Value::Null);
}

#[test]
fn validate_tells_trust_policies_from_identity_policies() {
    let files = Files::with(&[("trust.json", TRUST), ("policy.json", &allow().to_string())]);
    let (trust, policy) = (files.shown("trust.json"), files.shown("policy.json"));
    assert!(run(&["policy", "validate", "--trust", &trust], b"").status.success());
    let output = run(&["policy", "validate", &trust], b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("Principal is for resource policies"));
    let output = run(&["policy", "validate", "--trust", &trust, &policy], b"");
    assert_eq!(output.status.code(), Some(1));
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        complaints.contains("$.Statement[0].Resource") && complaints.contains("$.Statement[0].Principal"),
        "{complaints}"
    );
}

/// Whoever waits at a terminal sees how far it has come; programs see nothing.
#[test]
fn long_work_shows_its_progress_at_a_terminal_alone() {
    let dir = tempfile::tempdir().unwrap();
    let fed = dir.path().join("cases");
    assert!(Command::new("mkfifo").arg(&fed).status().unwrap().success());
    let line = format!("{}\n", case(1, json!([allow()])));
    let program = format!("{} policy simulate --input {} >/dev/null", env!("CARGO_BIN_EXE_standin"), fed.display());
    let mut terminal = Command::new("script")
        .args(["--quiet", "--flush", "--return", "--command", &program, "/dev/null"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut feed = std::fs::File::options().write(true).open(&fed).unwrap();
    let mut seen = terminal.stdout.take().unwrap();
    let (tell, told) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        let (mut all, mut part) = (Vec::new(), [0; 256]);
        while let Ok(n @ 1..) = std::io::Read::read(&mut seen, &mut part) {
            all.extend_from_slice(&part[..n]);
            if String::from_utf8_lossy(&all).contains("cases") {
                tell.send(()).unwrap_or_default();
            }
        }
        String::from_utf8_lossy(&all).into_owned()
    });
    // A case every little while, until it was shown.
    let shown = (0..600).any(|_| {
        feed.write_all(line.as_bytes()).unwrap();
        told.recv_timeout(Duration::from_millis(50)).is_ok()
    });
    assert!(shown, "no progress was shown");
    drop(feed);
    assert!(terminal.wait().unwrap().success());
    assert!(reader.join().unwrap().ends_with("\r\x1b[K"));
    let quiet = simulate(&[case(1, json!([allow()]))]);
    assert!(quiet.stderr.is_empty());
}
