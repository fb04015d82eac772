// SPDX-License-Identifier: Apache-2.0
//! Who is believed: hosts, their enrolment, and their requests.

use std::sync::Arc;

use standin::credential::EvidenceForm;
use standin::credential::answer::Asker;
use standin::credential::host::{HostCredential, HostKey};
use standin::fault::{Kind, Status};
use standin::identity::Identity;
use standin::service::wire::{LoginAsk, SEALED, path, write};
use standin::service::{DECIDE, DecisionPoint, Enrolment, FORWARDED, Questions, RENEW, SecurityService, enroll};
use standin::time::SystemRandom;

use crate::place::{Place, clock, evidence, policy, until};
use crate::raw::{Pretender, Request, metric};

fn soon() -> standin::time::Steady {
    clock().steady().plus(20_000)
}

/// Regression: the code was used up before it was known that the credential
/// cannot be written.
#[test]
fn a_code_is_not_used_where_the_credential_has_no_place() {
    let place = Place::new();
    let serving = place.serve();
    let (_, code) = place.store.create_host("test", "demo/1", true, 60_000).unwrap();
    let code = String::from_utf8(code.expose().to_vec()).unwrap();
    let ask = |code: &str, file: &str| {
        let (url, host) = (format!("https://localhost:{}", serving.port), "host/demo/1".to_owned());
        let enrolment = Enrolment { url, ca: place.ca.clone(), host, code: code.to_owned() };
        let out = place.dir.path().join(file);
        (enroll(&enrolment, &out, clock(), Arc::new(SystemRandom)), out)
    };
    assert_eq!(ask(&code, "missing/credential").0.unwrap_err().status, Status::InvalidSetting);
    let (refused, out) = ask("WRONG", "credential");
    assert!(refused.unwrap_err().status == Status::NotAllowed && !out.exists());
    let (enrolled, out) = ask(&code, "credential");
    assert_eq!(enrolled.unwrap(), HostCredential::read(&out).unwrap().host);
}

/// X-07: one code, one host, once, in its time, and not by guessing.
#[test]
fn x_07_a_code_enrols_its_host_once() {
    let place = Place::new();
    let serving = place.serve();
    let text = |code: &standin::credential::Secret| String::from_utf8(code.expose().to_vec()).unwrap();
    let (_, code) = place.store.create_host("test", "demo/1", true, 60_000).unwrap();
    place.store.create_host("test", "demo/2", true, 60_000).unwrap();
    let refused = |name: &str, code: &str| {
        let fault = place.enroll_by(&serving, name, code).unwrap_err();
        assert_eq!(fault.status, Status::NotAllowed, "{}", fault.text);
    };
    refused("demo/2", &text(&code));
    refused("demo/3", &text(&code));
    refused("demo/1", "");
    // As people write it.
    let file = place.enroll_by(&serving, "demo/1", &text(&code).to_lowercase().replace('-', " ")).unwrap();
    refused("demo/1", &text(&code));
    let first = place.remote(serving.port, &file);
    first.revision().unwrap();

    // Another key, by another code; the first is no longer believed.
    let (_, again) = place.store.invite_host("test", "host/demo/1", 60_000).unwrap();
    first.revision().unwrap();
    let second = place.remote(serving.port, &place.enroll_by(&serving, "demo/1", &text(&again)).unwrap());
    second.revision().unwrap();
    assert_eq!(first.revision().unwrap_err().kind(), Kind::Undecided);

    // Ended, and guessed at too often.
    let (_, short) = place.store.invite_host("test", "demo/1", 1).unwrap();
    crate::place::until("its end", || clock().wall().0 > place.store.host("demo/1").unwrap().code_ends.unwrap());
    refused("demo/1", &text(&short));
    let (_, guessed) = place.store.invite_host("test", "demo/1", 60_000).unwrap();
    for n in 0..10 {
        refused("demo/1", &format!("GUESS{n}"));
    }
    refused("demo/1", &text(&guessed));
    second.revision().unwrap();
    let acts = place.store.administration(standin::revision::Revision(0), 100).unwrap();
    let acts: Vec<(&str, &str)> = acts.iter().map(|a| (a.action.as_str(), a.actor.as_str())).collect();
    assert!(acts.contains(&("EnrollHost", "host/demo/1")) && acts.contains(&("CreateHost", "test")), "{acts:?}");
}

/// P1-23: whatever is changed of a request, or sent again, is not believed;
/// and nothing is said about clients for it.
#[test]
fn p1_23_only_a_hosts_own_fresh_request_is_believed() {
    let place = Place::new();
    let serving = place.serve();
    let credential = HostCredential::read(&place.enroll(&serving, "demo/1")).unwrap();
    let other = HostCredential::read(&place.enroll(&serving, "demo/2")).unwrap();
    let body = r#"{"limit":10,"wait":0}"#;
    let good = || Request::of(&credential, "/v1/changes", body);
    let request = good();
    assert_eq!(request.send(&place, serving.port).status, 200);
    let replayed = request.send(&place, serving.port);
    assert_eq!((replayed.status, replayed.status_number()), (401, Status::Replayed.number().into()));

    let wrong = |change: &dyn Fn(&mut Request), expected: Status| {
        let mut request = good();
        change(&mut request);
        let answer = request.send(&place, serving.port);
        assert_eq!((answer.status, answer.status_number()), (401, expected.number().into()), "{}", answer.body);
    };
    wrong(&|r| r.body = r#"{"limit":11,"wait":0}"#.into(), Status::SignatureMismatch);
    wrong(&|r| r.path = "/v1/changes?x=1".into(), Status::SignatureMismatch);
    wrong(&|r| r.nonce.push('x'), Status::SignatureMismatch);
    wrong(&|r| r.at.0 += 1, Status::SignatureMismatch);
    wrong(&|r| r.host = other.host.arn().to_owned(), Status::SignatureMismatch);
    wrong(&|r| r.sign(&other), Status::SignatureMismatch);
    wrong(&|r| r.signature = Some(Vec::new()), Status::SignatureMismatch);
    wrong(&|r| r.signature = None, Status::Malformed);
    wrong(&|r| r.nonce = "short".into(), Status::Malformed);
    for (host, expected) in [
        ("arn:aws:iam::123456789012:host/no", Status::UnknownKey),
        ("host/demo/1", Status::UnknownKey),
        ("demo/1", Status::UnknownKey),
    ] {
        wrong(
            &|r| {
                r.host = host.into();
                r.sign(&credential);
            },
            expected,
        );
    }
    for off in [-3_600_000, -46_000, 46_000, 3_600_000] {
        wrong(
            &|r| {
                r.at.0 += off;
                r.sign(&credential);
            },
            Status::ClockSkew,
        );
    }
    for off in [-40_000, 40_000] {
        let mut request = good();
        request.at.0 += off;
        request.sign(&credential);
        assert_eq!(request.send(&place, serving.port).status, 200);
    }
    // A host that was made and not enrolled has no key.
    let (row, _) = place.store.create_host("test", "demo/3", true, 60_000).unwrap();
    let unborn = HostCredential { host: row.identity, key: HostKey::generate(&SystemRandom).unwrap() };
    let answer = Request::of(&unborn, "/v1/changes", body).send(&place, serving.port);
    assert_eq!((answer.status, answer.status_number()), (401, Status::UnknownKey.number().into()));
    assert!(metric(&place, serving.port, "standin_serve_hosts_refused_total") > 15);
}

/// X-07: an impersonation credential that was stolen is of no use at another
/// host, however that host proves itself.
#[test]
fn x_07_a_stolen_impersonation_credential_is_refused_at_another_host() {
    let place = Place::new();
    let serving = place.serve();
    let own = place.remote(serving.port, &place.enroll(&serving, "demo/1"));
    let thief = place.remote(serving.port, &place.enroll(&serving, "demo/2"));
    let key = place.user("alice", &policy("Allow", &["kafka-cluster:WriteData"], "*"));
    let stolen = own.log_in(&evidence(&key, None), "host/demo/1", 600_000, soon()).unwrap().value.impersonation;
    let questions = Questions::new(&standin::channel::Channel::default(), None, "", Vec::new());
    for claimed in ["host/demo/1", "host/demo/2"] {
        let proof = stolen.prove(claimed, clock().wall(), RENEW, b"600000");
        assert_eq!(thief.renew(&proof, 600_000, soon()).err().unwrap().kind(), Kind::Refused, "{claimed}");
        let proof = stolen.prove(claimed, clock().wall(), DECIDE, &questions.body().unwrap());
        assert_eq!(thief.decide(&proof, &questions, soon()).err().unwrap().kind(), Kind::Refused, "{claimed}");
    }
    let proof = stolen.prove("host/demo/1", clock().wall(), RENEW, b"600000");
    own.renew(&proof, 600_000, soon()).unwrap();
}

/// A host that is revoked is not believed from its next request on, and its
/// clients are not refused for it.
#[test]
fn a_revoked_host_is_not_believed_and_its_clients_are_not_refused() {
    let place = Place::new();
    let serving = place.serve();
    let host = place.remote(serving.port, &place.enroll(&serving, "demo/1"));
    let key = place.user("alice", &policy("Allow", &["kafka-cluster:WriteData"], "*"));
    host.log_in(&evidence(&key, None), "host/demo/1", 600_000, soon()).unwrap();
    place.store.revoke_host("test", "demo/1").unwrap();
    for fault in [
        host.log_in(&evidence(&key, None), "host/demo/1", 600_000, soon()).err().unwrap(),
        host.revision().unwrap_err(),
        host.seal("forwarded-session", b"x").unwrap_err(),
    ] {
        assert_eq!(fault.kind(), Kind::Undecided);
        assert!(fault.text.contains("revoked"), "{}", fault.text);
    }
}

/// What a host may not do, though it is believed.
#[test]
fn a_host_opens_only_what_hosts_seal() {
    let place = Place::new();
    let serving = place.serve();
    let host = place.remote(serving.port, &place.enroll(&serving, "demo/1"));
    let key = place.user("alice", &policy("Allow", &["kafka-cluster:WriteData"], "*"));
    let issued = host.log_in(&evidence(&key, None), "host/demo/1", 600_000, soon()).unwrap();
    for purpose in ["impersonation-token", "session-token", "store-mark", ""] {
        assert_eq!(host.unseal(purpose, &issued.value.impersonation.token).unwrap_err().kind(), Kind::Misuse);
        assert_eq!(host.seal(purpose, b"forged").unwrap_err().kind(), Kind::Misuse);
    }
    let token = host.unseal("forwarded-session", &issued.value.impersonation.token);
    assert_eq!(token.unwrap_err().kind(), Kind::Refused);
    // Sessions of another boot are another host's.
    let report = standin::service::SessionReport { over: vec!["other/1".into()], ..Default::default() };
    assert_eq!(host.report("own", "host/demo/1", &report).unwrap_err().kind(), Kind::Misuse);
    let none = standin::service::SessionReport { whole: true, ..Default::default() };
    host.report("own", "host/demo/1", &none).unwrap();
    let thief = place.remote(serving.port, &place.enroll(&serving, "demo/2"));
    assert!(thief.report("own", "host/demo/2", &Default::default()).is_err());
    // Keys to verify with are not for every host.
    let (_, code) = place.store.create_host("test", "demo/3", false, 60_000).unwrap();
    let file = place.enroll_by(&serving, "demo/3", std::str::from_utf8(code.expose()).unwrap()).unwrap();
    let without = place.remote(serving.port, &file);
    let issued = without.log_in(&evidence(&key, None), "host/demo/3", 600_000, soon()).unwrap();
    assert!(issued.value.verification.is_none());
    assert_eq!(issued.value.client.principal.subject, Identity::parse("arn:aws:iam::123456789012:user/alice").unwrap());
}

/// When a host was heard is in the store soon after its first request, and not
/// written for each.
#[test]
fn a_host_that_is_heard_is_seen_in_the_list() {
    let place = Place::new();
    let serving = place.serve();
    let remote = place.remote(serving.port, &place.enroll(&serving, "demo/1"));
    place.enroll(&serving, "demo/2");
    let seen = |name: &str| place.store.host(name).unwrap().seen;
    assert_eq!(seen("demo/1"), None);
    let begun = clock().wall().0;
    remote.revision().unwrap();
    until("it to be noted", || seen("demo/1").is_some());
    let first = seen("demo/1").unwrap();
    assert!(first >= begun && first <= clock().wall().0);
    until("another moment", || {
        remote.revision().unwrap();
        clock().wall().0 > first
    });
    assert!(serving.terminate().success());
    // In good order what was heard last is written as well.
    assert!(seen("demo/1").unwrap() > first);
    assert_eq!(seen("demo/2"), None, "another was not heard");
    let before = place.store.revision().unwrap();
    place.store.hosts_seen(&[(place.store.host("demo/1").unwrap().identity.arn().to_owned(), 5)]).unwrap();
    assert!(seen("demo/1").unwrap() > first, "an earlier time does not replace a later one");
    assert_eq!(place.store.revision().unwrap(), before, "nobody follows this");
}

/// P1-24: a request that is sent again is refused where it came, and at another
/// replica brings nothing to who sent it: its secrets are for who asked.
#[test]
fn p1_24_a_login_sent_again_to_another_replica_gives_no_secret_away() {
    let place = Place::new();
    let (one, other) = (place.serve(), place.serve());
    let credential = HostCredential::read(&place.enroll(&one, "demo/1")).unwrap();
    let alice = place.user("alice", &policy("Allow", &["kafka-cluster:WriteData"], "*"));
    let ask = LoginAsk { evidence: EvidenceForm::of(&evidence(&alice, None)), lifetime: 600_000, known: Vec::new() };
    let body = String::from_utf8(write(&ask).unwrap().to_vec()).unwrap();
    let asker = Asker::new().unwrap();
    let mut request = Request::of(&credential, path::LOGIN, &body);
    request.nonce = asker.number().to_owned();
    request.sign(&credential);
    let answer = request.send(&place, one.port);
    assert_eq!((answer.status, answer.headers["content-type"].as_str()), (200, SEALED));
    let read = |bytes: &[u8]| -> serde_json::Value {
        serde_json::from_slice(&asker.open(path::LOGIN, bytes).unwrap()).unwrap()
    };
    let issued = read(&answer.bytes);
    assert!(issued["verification_key"].is_string() && issued["impersonation"]["secret"].is_string());

    let again = request.send(&place, one.port);
    assert_eq!((again.status, again.status_number()), (401, Status::Replayed.number().into()));
    let elsewhere = request.send(&place, other.port);
    assert_eq!((elsewhere.status, elsewhere.headers["content-type"].as_str()), (200, SEALED));
    assert!(Asker::new().unwrap().open(path::LOGIN, &elsewhere.bytes).is_err());
    let issued = read(&elsewhere.bytes);
    for secret in [&issued["verification_key"], &issued["impersonation"]["secret"], &issued["impersonation"]["id"]] {
        assert!(!elsewhere.body.contains(secret.as_str().unwrap()));
    }
    // It cannot be asked for in the open, or for another key.
    for number in ["0123456789abcdef0123456789abcdef", Asker::new().unwrap().number()] {
        request.nonce = number.to_owned();
        let answer = request.send(&place, other.port);
        assert_eq!((answer.status, answer.status_number()), (401, Status::SignatureMismatch.number().into()));
    }
    // What is no key is no reason to answer in the open.
    request.nonce = "k1.AAAAAAAAAAAAAAAA".to_owned();
    request.sign(&credential);
    assert_eq!(request.send(&place, other.port).status, 400);
}

/// P1-24: the library asks for what is secret in that way, and for nothing else.
#[test]
fn p1_24_hosts_ask_for_secrets_under_a_key_of_the_request() {
    let place = Place::new();
    let serving = place.serve();
    let file = place.enroll(&serving, "demo/1");
    let pretender = Pretender::new(&place.certificate);
    let numbers = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = std::sync::Arc::clone(&numbers);
    pretender.answers(move |head| {
        seen.lock().unwrap().push(head["standin-nonce"].clone());
        crate::raw::http("500 Internal Server Error", "", "")
    });
    let remote = place.remote(pretender.port, &file);
    let key = place.user("alice", &policy("Allow", &["kafka-cluster:WriteData"], "*"));
    let keyed = |ask: &dyn Fn() -> bool| {
        assert!(ask(), "nothing was answered");
        let mut numbers = numbers.lock().unwrap();
        let all = numbers.iter().all(|number: &String| number.starts_with("k1."));
        let none = numbers.iter().all(|number: &String| !number.starts_with("k1."));
        assert!(!numbers.is_empty() && (all || none));
        numbers.clear();
        all
    };
    assert!(keyed(&|| remote.log_in(&evidence(&key, None), "host/demo/1", 600_000, soon()).is_err()));
    assert!(keyed(&|| remote.unseal(FORWARDED, b"x").is_err()));
    assert!(!keyed(&|| remote.seal(FORWARDED, b"x").is_err()));
    assert!(!keyed(&|| remote.revision().is_err()));
    // And reads what it is answered.
    let remote = place.remote(serving.port, &file);
    let issued = remote.log_in(&evidence(&key, None), "host/demo/1", 600_000, soon()).unwrap();
    assert!(issued.value.verification.is_some());
    let sealed = remote.seal(FORWARDED, b"x").unwrap();
    assert_eq!(remote.unseal(FORWARDED, &sealed).unwrap(), b"x");
}
