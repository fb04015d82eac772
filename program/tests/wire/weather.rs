// SPDX-License-Identifier: Apache-2.0
//! Bad weather between host and service: nothing that is not exactly an answer
//! of the service allows anything, and nothing refuses anybody.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use standin::credential::Secret;
use standin::credential::host::{HostCredential, HostKey};
use standin::fault::{Fault, Kind, Status};
use standin::identity::{Identity, IdentityKind};
use standin::service::DecisionPoint;
use standin::service::{Proof, Questions, Remote, SecurityService, SessionReport};
use standin::time::{Clock, ManualClock, SystemRandom};

use crate::place::{Authority, Place, clock, evidence, policy};
use crate::raw::{Head, Pretender, genuine, http};

/// A credential nobody enrolled: for services that do not look at it.
fn credential(place: &Place) -> PathBuf {
    let file = place.dir.path().join("some.credential");
    let host = Identity::new("aws", "123456789012", IdentityKind::Host, "/", "demo/1").unwrap();
    HostCredential { host, key: HostKey::generate(&SystemRandom).unwrap() }.create(&file).unwrap();
    file
}

fn key() -> (String, Secret) {
    ("AKIAIOSFODNN7EXAMPLE".to_owned(), Secret::new(b"secret".to_vec()))
}

/// Asks everything there is to ask; why there is no answer.
fn ask_all(remote: &Remote, wait: i64) -> Vec<Fault> {
    let by = || clock().steady().plus(wait);
    let proof = Proof::of(b"token".to_vec(), "host/demo/1", clock().wall(), [7; 32]);
    let questions = Questions::new(&standin::channel::Channel::default(), None, "", Vec::new());
    let who = Identity::parse("arn:aws:iam::123456789012:user/u").unwrap();
    vec![
        remote.log_in(&evidence(&key(), None), "host/demo/1", 60_000, by()).err().expect("no login"),
        remote.renew(&proof, 60_000, by()).err().expect("no renewal"),
        remote.decide(&proof, &questions, by()).expect_err("no decision"),
        remote.entitlements(&who, "AKIAIOSFODNN7EXAMPLE").expect_err("no policies"),
        remote.known_as("user/u").err().expect("nobody"),
        remote.seal("forwarded-session", b"x").expect_err("nothing sealed"),
        remote.unseal("forwarded-session", b"x").expect_err("nothing unsealed"),
        remote.revision().expect_err("no revision"),
        remote.follow(Some(standin::revision::Revision(1)), 10, 0).expect_err("no changes"),
        remote.report("boot", "host/demo/1", &SessionReport::default()).expect_err("no report"),
    ]
}

fn all_undecided(what: &str, faults: &[Fault]) {
    for fault in faults {
        assert_eq!(fault.kind(), Kind::Undecided, "{what}: {}: {}", fault.status.number(), fault.text);
    }
}

/// P1-05, X-09: a page of a proxy, an error, half a body, a redirect, an
/// answer to somebody else: all *undecided*.
#[test]
fn x_09_whatever_is_not_an_answer_of_the_service_decides_nothing() {
    let place = Place::new();
    let pretender = Pretender::new(&place.certificate);
    let remote = place.remote(pretender.port, &credential(&place));
    let refusal = r#"{"status":-202,"text":"bad signature"}"#;
    type Answering = Box<dyn Fn(&Head) -> Vec<u8> + Send + Sync>;
    let weather: Vec<(&str, Answering)> = vec![
        ("nothing", Box::new(|_| Vec::new())),
        ("garbage", Box::new(|_| b"\x00\xff\x13\x37 nothing of HTTP\r\n\r\n".to_vec())),
        ("another protocol", Box::new(|_| b"220 mail.example.com ESMTP\r\n".to_vec())),
        ("a page with 200", Box::new(|_| http("200 OK", "content-type: text/html\r\n", "<html>Sign in</html>"))),
        ("a page with 403", Box::new(|_| http("403 Forbidden", "content-type: text/html\r\n", "<html>no</html>"))),
        (
            "JSON of a proxy with 403",
            Box::new(move |_| http("403 Forbidden", "content-type: application/json\r\n", refusal)),
        ),
        (
            "a refusal of another request",
            Box::new(move |head| {
                let mut other = head.clone();
                other.insert("standin-nonce".into(), "another".into());
                genuine(&other, "403 Forbidden", refusal)
            }),
        ),
        ("a refusal as 200", Box::new(move |head| genuine(head, "200 OK", refusal))),
        ("a refusal as 500", Box::new(move |head| genuine(head, "500 Internal Server Error", refusal))),
        ("a refusal as 401", Box::new(move |head| genuine(head, "401 Unauthorized", refusal))),
        (
            "a refusal of no known number",
            Box::new(|head| genuine(head, "403 Forbidden", r#"{"status":-299,"text":""}"#)),
        ),
        ("undecided as 403", Box::new(|head| genuine(head, "403 Forbidden", r#"{"status":-300,"text":""}"#))),
        ("a refusal without reason", Box::new(|head| genuine(head, "403 Forbidden", "{}"))),
        (
            "half a body",
            Box::new(move |head| {
                let mut whole = genuine(head, "403 Forbidden", refusal);
                whole.truncate(whole.len() - 5);
                whole.extend_from_slice(b"");
                let text = String::from_utf8(whole).unwrap();
                text.replacen("HTTP/1.1 403 Forbidden\r\n", "HTTP/1.1 403 Forbidden\r\nconnection: close\r\n", 1)
                    .into_bytes()
            }),
        ),
        (
            "half a body in chunks",
            Box::new(|head| {
                let nonce = &head["standin-nonce"];
                format!("HTTP/1.1 403 Forbidden\r\nconnection: close\r\ntransfer-encoding: chunked\r\ncontent-type: application/json\r\nstandin-time: 1\r\nstandin-nonce: {nonce}\r\n\r\n40\r\n{{\"status\":-202,").into_bytes()
            }),
        ),
        ("429", Box::new(|_| http("429 Too Many Requests", "retry-after: 1\r\n", "slow down"))),
        ("500", Box::new(|_| http("500 Internal Server Error", "", "oops"))),
        ("502", Box::new(|_| http("502 Bad Gateway", "content-type: text/html\r\n", "<html></html>"))),
        ("503", Box::new(|head| genuine(head, "503 Service Unavailable", r#"{"status":-300,"text":"busy"}"#))),
        ("204", Box::new(|_| b"HTTP/1.1 204 No Content\r\n\r\n".to_vec())),
        ("redirect", Box::new(|_| http("307 Temporary Redirect", "location: https://localhost:1/v1/login\r\n", ""))),
        ("redirect to itself", Box::new(|_| http("302 Found", "location: /v1/login\r\n", ""))),
        (
            "an answer of another kind",
            Box::new(|head| genuine(head, "200 OK", r#"{"answers":7,"revision":"x","bytes":5,"changes":{}}"#)),
        ),
        ("an answer that is no JSON", Box::new(|head| genuine(head, "200 OK", "{"))),
        ("a long answer", Box::new(|head| genuine(head, "200 OK", &format!("\"{}\"", "x".repeat(17 << 20))))),
        ("a long head", Box::new(|_| http("200 OK", &format!("x: {}\r\n", "y".repeat(100_000)), "{}"))),
    ];
    for (what, answer) in weather {
        pretender.answers(answer);
        let faults =
            if what == "an answer that is no JSON" || what.starts_with("an answer of") || what == "a refusal as 200" {
                // Nobody reads what a report is answered.
                let by = clock().steady().plus(20_000);
                vec![
                    remote.log_in(&evidence(&key(), None), "host/demo/1", 60_000, by).err().expect("no login"),
                    remote.revision().expect_err("no revision"),
                    remote.seal("forwarded-session", b"x").expect_err("nothing sealed"),
                ]
            } else {
                ask_all(&remote, 20_000)
            };
        all_undecided(what, &faults);
    }
    // The same refusal, as the service gives it, is one.
    pretender.answers(move |head| genuine(head, "403 Forbidden", refusal));
    for fault in &ask_all(&remote, 20_000)[..6] {
        assert_eq!(fault.status, Status::SignatureMismatch, "{}", fault.text);
    }
}

/// X-09: a service that is not there, or not the one that is meant.
#[test]
fn x_09_another_certificate_or_none_decides_nothing() {
    let place = Place::new();
    let file = credential(&place);
    let dir = place.dir.path();
    // Nobody listens there any more.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    all_undecided("down", &ask_all(&place.remote(closed, &file), 20_000));
    let stranger = Authority::new();
    for (what, certificate, why) in [
        ("another authority", stranger.issue(dir, "stranger", "localhost", None), "UnknownIssuer"),
        ("an expired certificate", place.authority.issue(dir, "expired", "localhost", Some(1)), "Expired"),
        ("another name", place.authority.issue(dir, "other", "elsewhere.example", None), "NotValidForName"),
    ] {
        let pretender = Pretender::new(&certificate);
        pretender.answers(|head| genuine(head, "403 Forbidden", r#"{"status":-202,"text":""}"#));
        let faults = ask_all(&place.remote(pretender.port, &file), 20_000);
        all_undecided(what, &faults);
        assert!(
            faults.iter().all(|f| f.text.contains(why) || f.text.to_lowercase().contains("certificate")),
            "{what}: {}",
            faults[0].text
        );
        assert_eq!(pretender.requests.load(std::sync::atomic::Ordering::SeqCst), 0, "{what}");
    }
    // Not TLS at all: it listens and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let remote = place.remote(silent.local_addr().unwrap().port(), &file);
    let begun = Instant::now();
    let fault =
        remote.log_in(&evidence(&key(), None), "host/demo/1", 60_000, clock().steady().plus(300)).err().unwrap();
    assert_eq!(fault.kind(), Kind::Undecided);
    assert!(begun.elapsed() < Duration::from_secs(20), "the wait has a bound");
}

/// P1-05: a slow service costs a caller the time it gave, and no more.
#[test]
fn p1_05_a_slow_service_is_waited_for_no_longer_than_said() {
    let place = Place::new();
    let pretender = Pretender::new(&place.certificate);
    let remote = place.remote(pretender.port, &credential(&place));
    pretender.answers(|head| {
        std::thread::sleep(Duration::from_secs(20));
        genuine(head, "403 Forbidden", r#"{"status":-202,"text":""}"#)
    });
    let begun = Instant::now();
    let fault =
        remote.log_in(&evidence(&key(), None), "host/demo/1", 60_000, clock().steady().plus(200)).err().unwrap();
    assert_eq!(fault.status, Status::TimedOut, "{}", fault.text);
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    // No time, no question.
    let before = pretender.requests.load(std::sync::atomic::Ordering::SeqCst);
    let fault = remote.log_in(&evidence(&key(), None), "host/demo/1", 60_000, clock().steady()).err().unwrap();
    assert_eq!(fault.kind(), Kind::Undecided);
    assert_eq!(pretender.requests.load(std::sync::atomic::Ordering::SeqCst), before);
    // A wait for changes is ended when the host ends.
    let remote = Arc::new(remote);
    let waiting = Arc::clone(&remote);
    let waiter = std::thread::spawn(move || waiting.follow(Some(standin::revision::Revision(1)), 10, 20_000));
    crate::place::until("the question", || pretender.requests.load(std::sync::atomic::Ordering::SeqCst) > before);
    let begun = Instant::now();
    remote.interrupt();
    assert_eq!(waiter.join().unwrap().unwrap_err().kind(), Kind::Undecided);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

/// A connection the service closed meanwhile costs nothing.
#[test]
fn a_connection_that_was_closed_is_opened_again() {
    let place = Place::new();
    let pretender = Pretender::new(&place.certificate);
    let remote = place.remote(pretender.port, &credential(&place));
    pretender.answers(|head| {
        let answer = genuine(head, "200 OK", r#"{"newest":5,"waited":0,"changes":[]}"#);
        // Kept by what is said, closed all the same: the text makes it so.
        String::from_utf8(answer).unwrap().replacen("\r\n", "\r\nx-note: connection: close\r\n", 1).into_bytes()
    });
    for _ in 0..5 {
        assert_eq!(remote.revision().unwrap().0, 5);
    }
}

/// A host whose clock is an hour off is told so, and its clients are not
/// refused.
#[test]
fn a_clock_off_by_an_hour_is_named_and_refuses_nobody() {
    let place = Place::new();
    let serving = place.serve();
    let file = place.enroll(&serving, "demo/1");
    let alice = place.user("alice", &policy("Allow", &["kafka-cluster:WriteData"], "*"));
    for off in [-3_600_000, 3_600_000] {
        let manual = Arc::new(ManualClock::at(clock().wall().plus(off)));
        let remote = place.remote_on(serving.port, &file, &place.ca, Arc::clone(&manual) as Arc<dyn Clock>);
        let by = manual.steady().plus(20_000);
        let fault = remote.log_in(&evidence(&alice, None), "host/demo/1", 60_000, by).err().unwrap();
        assert_eq!(fault.kind(), Kind::Undecided);
        assert!(
            fault.text.contains("clock")
                && (fault.text.contains("3600 s") || fault.text.contains("3599 s") || fault.text.contains("3601 s")),
            "{}",
            fault.text
        );
    }
}

/// An old host at a new service, and the reverse: they say which versions they
/// speak, and nobody is refused.
#[test]
fn versions_that_do_not_fit_are_named_and_refuse_nobody() {
    let place = Place::new();
    let serving = place.serve();
    let file = place.enroll(&serving, "demo/1");
    let host = HostCredential::read(&file).unwrap();
    for version in ["0", "2", "x", ""] {
        let mut request = crate::raw::Request::of(&host, "/v1/changes", r#"{"limit":1,"wait":0}"#);
        request.version = version.into();
        let answer = request.send(&place, serving.port);
        assert_eq!(answer.status, 400, "{}", answer.body);
        assert_eq!(answer.json()["speaks"], serde_json::json!([1]));
        assert_eq!(answer.status_number(), i64::from(Status::NewerFormat.number()));
    }
    let pretender = Pretender::new(&place.certificate);
    pretender.answers(|head| genuine(head, "400 Bad Request", r#"{"status":-304,"text":"","speaks":[2,3]}"#));
    let faults = ask_all(&place.remote(pretender.port, &file), 20_000);
    all_undecided("a newer service", &faults);
    assert!(faults[0].text.contains("[2, 3]") && faults[0].text.contains("[1]"), "{}", faults[0].text);
    // Fields of a later version are left out of account.
    pretender.answers(|head| genuine(head, "200 OK", r#"{"newest":5,"waited":0,"changes":[],"later":{"x":1}}"#));
    let remote = place.remote(pretender.port, &file);
    assert_eq!(remote.revision().unwrap().0, 5);
    // A change of a kind that is not known cannot be skipped.
    pretender.answers(|head| {
        genuine(head, "200 OK", r#"{"newest":5,"waited":0,"changes":[{"revision":5,"kind":"later"}]}"#)
    });
    assert_eq!(remote.follow(Some(standin::revision::Revision(4)), 10, 0).unwrap_err().status, Status::NewerFormat);
    // More may be asked than this service knows.
    let request = crate::raw::Request::of(&host, "/v1/changes", r#"{"limit":1,"wait":0,"later":true}"#);
    assert_eq!(request.send(&place, serving.port).status, 200);
}

/// A service that does not know a question yet: nothing is decided, and it
/// says why; what it knows goes on.
#[test]
fn a_service_without_the_question_for_names_is_said_to_be_older() {
    let place = Place::new();
    let pretender = Pretender::new(&place.certificate);
    let remote = place.remote(pretender.port, &credential(&place));
    pretender.answers(|_| http("404 Not Found", "content-type: text/plain\r\n", "no such page\n"));
    let fault = remote.known_as("user/alice").err().expect("no answer");
    assert_eq!(fault.kind(), Kind::Undecided);
    assert!(fault.text.contains("/v1/known") && fault.text.contains("older version"), "{}", fault.text);
    pretender.answers(|head| genuine(head, "200 OK", r#"{"newest":5,"waited":0,"changes":[]}"#));
    assert_eq!(remote.revision().unwrap().0, 5);
    // Half an identity is none, and not nobody either.
    pretender
        .answers(|head| genuine(head, "200 OK", r#"{"revision":5,"entitlements":{"policies":[]},"later":{"x":1}}"#));
    assert_eq!(remote.known_as("user/alice").err().map(|f| f.kind()), Some(Kind::Undecided));
    pretender.answers(|head| genuine(head, "200 OK", r#"{"revision":5,"later":{"x":1}}"#));
    assert!(remote.known_as("user/alice").unwrap().value.is_none());
}

/// Of several addresses one that answers is used, and the outage of one is
/// nobody's.
#[test]
fn another_replica_answers_when_one_is_down() {
    let place = Place::new();
    let (one, two) = (place.serve(), place.serve());
    let file = place.enroll(&one, "demo/1");
    let urls = format!("https://localhost:{}, https://localhost:{}/", one.port, two.port);
    let given = place.given(one.port, &file, &[("standin.service.url", &urls)]);
    let settings = standin::settings::EngineSettings::of(&given).unwrap();
    let service = settings.service.as_ref().unwrap();
    let remote = Remote::open(&settings, service, clock(), Arc::new(SystemRandom)).unwrap();
    remote.revision().unwrap();
    assert!(one.terminate().success());
    for _ in 0..3 {
        remote.revision().unwrap();
    }
    assert!(two.terminate().success());
    assert_eq!(remote.revision().unwrap_err().kind(), Kind::Undecided);
}
