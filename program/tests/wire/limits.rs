// SPDX-License-Identifier: Apache-2.0
//! Too many: put off and never refused, and what goes on goes on.

use std::time::{Duration, Instant};

use serde_json::json;
use standin::access_control::Owner;
use standin::credential::host::HostCredential;
use standin::decision::Outcome;
use standin::fault::{Kind, Status};
use standin::service::wire::path;
use standin::service::{FORWARDED, SecurityService};

use crate::host::Host;
use crate::place::{Place, Serving, policy, until};
use crate::raw::iam;
use crate::raw::{Answer, Request, metric};

fn limited(of: &str) -> String {
    format!("standin_serve_limited_total{{of=\"{of}\"}}")
}

/// Sends one request after another until one is put off.
fn exhaust(mut send: impl FnMut() -> Answer, put_off: impl Fn(&Answer) -> bool) -> Answer {
    let by = Instant::now() + Duration::from_secs(60);
    loop {
        let answer = send();
        if put_off(&answer) {
            return answer;
        }
        assert!(Instant::now() < by, "nothing was put off");
    }
}

/// X-06: one host that asks too much is put off alone, is told when to come
/// again, and still hears of changes.
#[test]
fn x_06_a_host_that_asks_too_much_is_put_off_alone() {
    let place = Place::new();
    let serving = Serving::start_with(&place, 0, &["--limit-host", "1:20"]);
    let (file, other) = (place.enroll(&serving, "demo/1"), place.enroll(&serving, "demo/2"));
    let (busy, quiet) = (HostCredential::read(&file).unwrap(), HostCredential::read(&other).unwrap());
    let seal = json!({"purpose": FORWARDED, "bytes": "AAAA"}).to_string();
    let ask = |who: &HostCredential| Request::of(who, path::SEAL, &seal).send(&place, serving.port);
    let answer = exhaust(|| ask(&busy), |answer| answer.status == 429);
    assert_eq!(answer.status_number(), i64::from(Status::Busy.number()));
    assert_eq!(answer.json()["limit"], "host");
    assert!(answer.headers["retry-after"].parse::<u64>().unwrap() >= 1);
    assert_eq!(ask(&quiet).status, 200, "another host is not put off");
    let changes = Request::of(&busy, path::CHANGES, r#"{"after":0,"limit":10,"wait":0}"#);
    assert_eq!(changes.send(&place, serving.port).status, 200, "what goes on goes on");
    assert!(metric(&place, serving.port, &limited("host")) >= 1);

    // The library takes it for undecided, and leaves the service alone.
    let remote = place.remote(serving.port, &file);
    let put_off = || metric(&place, serving.port, "standin_serve_requests_total{route=\"seal\",status=\"429\"}");
    until("a pause", || remote.seal(FORWARDED, b"x").is_err());
    let before = put_off();
    let begun = Instant::now();
    let fault = (0..1000).find_map(|_| remote.seal(FORWARDED, b"x").err()).unwrap();
    assert_eq!((fault.status, fault.kind()), (Status::Busy, Kind::Undecided), "{fault}");
    // Where the machine took long, more pauses went by.
    assert!(put_off() - before <= 1 + begun.elapsed().as_secs(), "it asked all the same");
    assert!(remote.revision().is_ok() && remote.follow(None, 10, 0).is_ok());
    until("the end of the pause", || remote.seal(FORWARDED, b"x").is_ok());
}

/// X-06: an identity that logs in too often is put off and not refused; its
/// sessions and other identities go on, and it gets in when there is room.
#[test]
fn x_06_an_identity_that_logs_in_too_often_is_put_off() {
    let place = Place::new();
    let serving = Serving::start_with(&place, 0, &["--limit-identity", "1:3"]);
    // A host without keys to verify with asks for every login.
    let (_, code) = place.store.create_host("test", "demo/1", false, 60_000).unwrap();
    let file = place.enroll_by(&serving, "demo/1", std::str::from_utf8(code.expose()).unwrap()).unwrap();
    let host = Host::open(&place, serving.port, &file, &[]);
    let (alice, bob) =
        ["alice", "bob"].map(|name| place.user(name, &policy("Allow", &["kafka-cluster:WriteData"], "a"))).into();
    let id = host.enter(&alice);
    let mut fault = None;
    until("too many", || {
        fault = host.try_login(&alice).err();
        fault.is_some()
    });
    let fault = fault.unwrap();
    assert_eq!((fault.status, fault.kind()), (Status::Busy, Kind::Undecided), "{fault}");
    assert!(metric(&place, serving.port, &limited("identity")) >= 1);
    host.enter(&bob);
    assert_eq!(host.decide(id, "a"), Outcome::Allow);
    let allowed = policy("Allow", &["kafka-cluster:WriteData"], "b");
    place.store.put_inline("test", Owner::User("alice"), "own", &allowed).unwrap();
    host.becomes(id, "a", Outcome::Deny);
    until("room for a login", || host.try_login(&alice).is_ok());

    // The same of its requests to IAM, in words that SDKs try again for.
    let body = "Action=GetUser&Version=2010-05-08";
    let answer = exhaust(|| iam(&place, serving.port, &alice, body), |answer| answer.body.contains("Throttling"));
    assert_eq!(answer.status, 400);
}
