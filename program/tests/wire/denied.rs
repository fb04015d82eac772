// SPDX-License-Identifier: Apache-2.0
//! What somebody wanted to administer and might not, is on record.

use std::process::Command;

use standin::credential::Secret;
use standin::credential::host::HostCredential;
use standin::service::wire::path;

use crate::place::{Place, Serving, policy};
use crate::raw::{Request, iam, metric};

const TOTAL: &str = "standin_serve_denied_total";

/// What `standin audit` says of denied administration.
fn audit(place: &Place) -> Vec<serde_json::Value> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_standin"));
    command.args(["--store", &place.url, "--output", "json", "audit", "--kind", "administration"]);
    let out = command.args(["--outcome", "denied"]).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// a denied request leaves a record of who, what, on what, from where
/// and why, which is there before the answer, also when the service is killed
/// right after it; who goes on is counted.
#[test]
fn x_10_denied_administration_is_on_record() {
    let place = Place::new();
    let serving = place.serve();
    let mallory = place.user("mallory", &policy("Allow", &["kafka-cluster:WriteData"], "*"));
    let create = |name: &str| format!("Action=CreateUser&Version=2010-05-08&UserName={name}");
    let ask = |serving: &Serving, body: &str| iam(&place, serving.port, &mallory, body).status;
    assert_eq!(ask(&serving, &create("root")), 403);
    drop(serving);
    let records = audit(&place);
    assert_eq!(records.len(), 1, "{records:?}");
    let record = &records[0];
    let is = |path: &str, value: &str| assert_eq!(record.pointer(path).unwrap(), value, "{path}");
    is("/actor/user/uid", "arn:aws:iam::123456789012:user/mallory");
    is("/actor/user/credential_uid", &mallory.0);
    is("/api/operation", "iam:CreateUser");
    is("/resources/0/name", "arn:aws:iam::123456789012:user/root");
    is("/src_endpoint/ip", "127.0.0.1");
    is("/status", "Failure");
    assert!(record["status_detail"].as_str().unwrap().contains("no identity-based policy allows"), "{record}");
    assert_eq!(place.store.users().unwrap().len(), 1);

    // Again and again, on this and that, and a role: few records, none lost.
    let serving = place.serve();
    for _ in 0..20 {
        assert_eq!(ask(&serving, &create("root")), 403);
    }
    let assume = "Action=ListRoles&Version=2010-05-08";
    assert_eq!(ask(&serving, assume), 403);
    for n in 0..120 {
        assert_eq!(ask(&serving, &create(&format!("u{n}"))), 403);
    }
    assert_eq!(metric(&place, serving.port, TOTAL), 141);
    assert_eq!(metric(&place, serving.port, "standin_serve_denials_unwritten_total"), 0);
    assert!(serving.terminate().success());
    let records = audit(&place);
    assert!(records.len() <= 1 + 102 + 2, "{} records", records.len());
    let count = records.iter().map(|r| r["count"].as_i64().unwrap()).sum::<i64>();
    assert_eq!(count, 1 + 141);
    assert!(records.iter().any(|r| r.pointer("/resources/0/name").unwrap() == "(several)"));
    // What is allowed is none of these.
    let secret = String::from_utf8(mallory.1.expose().to_vec()).unwrap();
    assert!(records.iter().all(|r| !r.to_string().contains(&secret)));
}

/// a request that proves nothing is on record with what it said, before
/// it is answered; whoever goes on fills nothing, and hides no other kind.
#[test]
fn x_10_requests_that_prove_nothing_are_on_record() {
    let place = Place::new();
    let serving = place.serve();
    let port = serving.port;
    let credential = HostCredential::read(&place.enroll(&serving, "demo/1")).unwrap();
    let (_, code) = place.store.create_host("test", "demo/2", true, 600_000).unwrap();
    assert!(place.enroll_by(&serving, "demo/2", "AAAA-AAAA").is_err());
    let alice = place.user("alice", &policy("Allow", &["kafka-cluster:WriteData"], "*"));
    let wrong = |id: &str| (id.to_owned(), Secret::new(b"not the secret".to_vec()));
    let list = "Action=ListUsers&Version=2010-05-08";
    assert_eq!(iam(&place, port, &wrong(&alice.0), list).status, 403);
    let mut request = Request::of(&credential, path::KNOWN, "{}");
    request.nonce = "another-than-was-signed".into();
    assert_eq!(request.send(&place, port).status, 401);
    // What is on record is there, also when the service is killed.
    drop(serving);
    let records = audit(&place);
    let of = |action: &str| {
        let found = records.iter().filter(|r| r.pointer("/api/operation").unwrap() == action).collect::<Vec<_>>();
        assert_eq!(found.len(), 1, "{action}: {records:?}");
        found[0].clone()
    };
    let record = of("iam:ListUsers");
    let is = |record: &serde_json::Value, path: &str, value: &str| assert_eq!(record.pointer(path).unwrap(), value);
    is(&record, "/actor/user/uid", "");
    is(&record, "/actor/user/credential_uid", &alice.0);
    is(&record, "/src_endpoint/ip", "127.0.0.1");
    assert!(record["status_detail"].as_str().unwrap().starts_with("SignatureDoesNotMatch"), "{record}");
    let record = of("host:known");
    is(&record, "/resources/0/name", credential.host.arn());
    is(&record, "/src_endpoint/ip", "127.0.0.1");
    let record = of("host:enroll");
    assert!(record["status_detail"].as_str().unwrap().contains("the code is not the host's"), "{record}");

    // Keys that somebody makes up are told apart only so far.
    let serving = place.serve();
    for n in 0..60 {
        assert_eq!(iam(&place, serving.port, &wrong(&format!("AKIA{n:016}")), list).status, 403);
    }
    request.sign(&credential);
    request.host = "arn:aws:iam::123456789012:host/nobody<".into();
    assert_eq!(request.send(&place, serving.port).status, 401);
    assert_eq!(metric(&place, serving.port, "standin_serve_signatures_refused_total"), 60);
    assert_eq!(metric(&place, serving.port, "standin_serve_hosts_refused_total"), 1);
    assert_eq!(metric(&place, serving.port, TOTAL), 0);
    assert!(serving.terminate().success());
    let records: Vec<_> = audit(&place).into_iter().skip(3).collect();
    let of = |action: &str| records.iter().filter(|r| r.pointer("/api/operation").unwrap() == action).count();
    assert_eq!((of("iam:ListUsers"), of("host:known")), (20, 1));
    assert!(of("iam:(several)") >= 1);
    assert_eq!(records.iter().map(|r| r["count"].as_i64().unwrap()).sum::<i64>(), 61);
    let named = records.iter().find(|r| r.pointer("/api/operation").unwrap() == "host:known").unwrap();
    assert_eq!(named.pointer("/resources/0/name").unwrap(), "arn:aws:iam::123456789012:host/nobody");
    // The code is as good as before.
    assert!(place.enroll_by(&place.serve(), "demo/2", std::str::from_utf8(code.expose()).unwrap()).is_ok());
}
