// SPDX-License-Identifier: Apache-2.0
//! What somebody wanted to administer and might not, is on record.

use std::process::Command;

use crate::place::{Place, Serving, policy};
use crate::raw::iam;
use crate::raw::metric;

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
