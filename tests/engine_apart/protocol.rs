// SPDX-License-Identifier: Apache-2.0
//! The socket between host and agent: what is sent over it, and what either
//! side does with what it should not get.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use standin::credential::Evidence;
use standin::credential::sigv4::{SigningKey, read_msk_iam};
use standin::decision::Outcome;
use standin::fault::{Fault, Kind, Status};
use standin::placement::{Frame, Hello, LONGEST, Line, Link, Reply, Request, VERSIONS};
use standin::service::{DECIDE, DecisionPoint, Question, Questions, RENEW, SecurityService, SessionReport};
use standin::settings::AgentProcess;
use standin::time::{Clock, SystemClock, SystemRandom};

use crate::house::{House, channel, house, policy};

fn socket(house: &House) -> PathBuf {
    house.agent.as_ref().unwrap().socket.clone()
}

fn link_to(socket: &Path) -> Link {
    let process = AgentProcess { socket: socket.to_owned(), user: rustix::process::geteuid().as_raw() };
    Link::open(&process, "host/local", Arc::new(SystemClock::new()), Arc::new(SystemRandom)).unwrap()
}

/// An agent that does with a connection what `act` says.
fn false_agent(house: &House, name: &str, act: impl Fn(UnixStream) + Send + 'static) -> PathBuf {
    let path = house.dir.path().join("agent").join(name);
    let listener = UnixListener::bind(&path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::thread::spawn(move || listener.incoming().for_each(|stream| act(stream.unwrap())));
    path
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

fn greet(line: &mut Line, hello: Hello) -> Reply {
    let (kind, body) = Request::Hello(hello).parts().unwrap();
    line.send(kind, &body, soon()).unwrap();
    let frame = line.receive(Some(soon()), Duration::ZERO).unwrap();
    Reply::read(frame.kind, &frame.body).unwrap()
}

fn hello() -> Hello {
    Hello { oldest: VERSIONS.0, newest: VERSIONS.1, host: "host/local".into() }
}

fn failed(reply: Reply) -> Fault {
    match reply {
        Reply::Failed(form) => form.fault(),
        _ => panic!("it was answered"),
    }
}

/// P1-09, P1-23: what a host sends names a credential and holds none: not the
/// impersonation secret, not its token, not a verification key, not the
/// client's secret; with an operation not even what the client signed.
#[test]
fn p1_09_what_a_host_sends_holds_no_secret() {
    let house = house(&[]);
    let (sent, answered) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
    let behind = socket(&house);
    let taps = (Arc::clone(&sent), Arc::clone(&answered));
    let tapped = false_agent(&house, "tapped.sock", move |host| {
        let agent = UnixStream::connect(&behind).unwrap();
        let pass = |mut from: UnixStream, mut to: UnixStream, tap: Arc<Mutex<Vec<u8>>>| {
            std::thread::spawn(move || {
                let mut part = [0; 4096];
                while let Ok(n) = from.read(&mut part) {
                    tap.lock().unwrap().extend_from_slice(&part[..n]);
                    if n == 0 || to.write_all(&part[..n]).is_err() {
                        break;
                    }
                }
                drop(to.shutdown(std::net::Shutdown::Both));
            })
        };
        pass(host.try_clone().unwrap(), agent.try_clone().unwrap(), Arc::clone(&taps.0));
        pass(agent, host, Arc::clone(&taps.1));
    });
    let link = link_to(&tapped);
    let (id, secret) = house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*"));
    let message = house.message(&id, &secret, None);
    let claim = read_msk_iam(message.as_bytes()).unwrap();
    let key = SigningKey::derive(&secret, claim.scope_date(), claim.region(), claim.service());
    let evidence = Evidence::Signature(claim.into());
    let by = || SystemClock::new().steady().plus(20_000);
    house.settled();
    link.revision().unwrap();
    let issued = link.log_in(&evidence, "", 60_000, by()).unwrap();
    assert!(issued.value.impersonation.secret.is_none() && issued.value.verification.is_none());
    assert!(link.verify(&evidence, &issued.value.impersonation.token, by()).unwrap());
    let logins = sent.lock().unwrap().len();
    let wall = SystemClock::new().wall();
    let kept = link.renew(&issued.value.impersonation.prove("", wall, RENEW, b""), 60_000, by()).unwrap();
    assert_eq!(kept.token, issued.value.impersonation.token, "the name stays");
    assert_ne!(kept.id, issued.value.impersonation.id);
    for n in 0..200 {
        let item = Question {
            action: "kafka-cluster:WriteData".into(),
            resource_type: "topic".into(),
            resource: Some(format!("t{n}")),
        };
        let questions = Questions::new(&channel("192.0.2.7"), None, "client", vec![item]);
        let answer = link.decide(&kept.prove("", wall, DECIDE, b""), &questions, by()).unwrap();
        assert_eq!(answer.value[0].outcome, Outcome::Allow);
    }
    let subject = &issued.value.client.principal.subject;
    link.entitlements(subject, &id).unwrap();
    let sealed = link.seal("forwarded-session", b"plain").unwrap();
    assert_eq!(link.unseal("forwarded-session", &sealed).unwrap(), b"plain");
    link.report("boot", "", &SessionReport { whole: true, ..SessionReport::default() }).unwrap();
    assert!(link.changes(issued.revision, 10).unwrap().is_empty());

    let mut never = house.service.secrets.lock().unwrap().clone();
    assert_eq!(never.len(), 2);
    never.push(secret.expose().to_vec());
    never.push(key.expose().expose().to_vec());
    never.extend(house.service.asked.lock().unwrap().iter().map(|asked| asked.token.clone()));
    let forms = |bytes: &[u8]| {
        use std::fmt::Write as _;
        let (mut hex, mut numbers) = (String::new(), String::new());
        bytes.iter().for_each(|b| write!(hex, "{b:02x}").unwrap());
        bytes.iter().for_each(|b| write!(numbers, "{b},").unwrap());
        [bytes.to_vec(), hex.into_bytes(), numbers.into_bytes(), base64_of(bytes)]
    };
    let (sent, answered) = (sent.lock().unwrap(), answered.lock().unwrap());
    assert!(sent.len() > 10_000 && answered.len() > 10_000);
    let holds = |all: &[u8], part: &[u8]| all.windows(part.len()).any(|w| w == part);
    for secret in &never {
        for form in forms(secret) {
            assert!(!holds(&sent, &form) && !holds(&answered, &form));
        }
    }
    let signature = &message.as_bytes()[message.find("x-amz-signature\":\"").unwrap() + 18..][..64];
    assert!(holds(&sent[..logins], signature), "this looks at what was sent");
    assert!(!holds(&sent[logins..], signature));
}

/// Base64 of a whole number of triples.
fn base64_of(bytes: &[u8]) -> Vec<u8> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letter = |n: u32| LETTERS[usize::try_from(n & 63).unwrap()];
    bytes
        .chunks_exact(3)
        .flat_map(|c| {
            let n = u32::from(c[0]) << 16 | u32::from(c[1]) << 8 | u32::from(c[2]);
            [letter(n >> 18), letter(n >> 12), letter(n >> 6), letter(n)]
        })
        .collect()
}

/// The agent survives whatever it is sent, and others are served meanwhile.
#[test]
fn an_agent_survives_garbage_and_answers_others() {
    let house = house(&[]);
    let user = house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*"));
    let path = socket(&house);
    let mut held = Vec::new();
    let mut garbage = vec![
        vec![0xff; 64],
        u32::try_from(LONGEST + 1).unwrap().to_be_bytes().to_vec(),
        vec![0, 0, 0, 0],
        vec![0, 0, 0, 9, 1, b'{'],
        Frame::bytes(1, b"{}").unwrap().to_vec(),
        Frame::bytes(9, b"{}").unwrap().to_vec(),
        Frame::bytes(77, b"\x00\xff").unwrap().to_vec(),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
    ];
    for n in 0..50u8 {
        garbage.push((0..200u8).map(|b| b.wrapping_mul(31).wrapping_add(n.wrapping_mul(77)) ^ (b >> 1)).collect());
    }
    for bytes in garbage {
        let mut stream = UnixStream::connect(&path).unwrap();
        drop(stream.write_all(&bytes));
        // Not closed: a frame that never ends must not hold anybody else up.
        held.push(stream);
        if held.len() > 20 {
            held.remove(0);
        }
    }
    house.enter(&user);
    // What it does not know it says so, and goes on.
    let mut line = Line::new(UnixStream::connect(&path).unwrap());
    assert!(matches!(greet(&mut line, hello()), Reply::Welcome(_)));
    for (kind, body, status) in [
        (200, b"{}".as_slice(), Status::NewerFormat),
        (2, b"{\"evidence\":1}", Status::Unavailable),
        (9, b"", Status::Unavailable),
    ] {
        line.send(kind, body, soon()).unwrap();
        let frame = line.receive(Some(soon()), Duration::ZERO).unwrap();
        let fault = failed(Reply::read(frame.kind, &frame.body).unwrap());
        assert_eq!(fault.status, status, "{fault}");
    }
    line.send(9, b"{\"new\":\"field\"}", soon()).unwrap();
    let frame = line.receive(Some(soon()), Duration::ZERO).unwrap();
    assert!(matches!(Reply::read(frame.kind, &frame.body), Ok(Reply::Revision(_))), "fields may be added");
}

/// Another version of the protocol, or another host, is undecided on both sides.
#[test]
fn another_version_or_host_is_undecided() {
    let house = house(&[]);
    let open = || Line::new(UnixStream::connect(socket(&house)).unwrap());
    let fault = failed(greet(&mut open(), Hello { oldest: 2, newest: 9, ..hello() }));
    assert_eq!(fault.status, Status::NewerFormat, "{fault}");
    assert!(matches!(greet(&mut open(), Hello { newest: 9, ..hello() }), Reply::Welcome(w) if w.version == 1));
    let fault = failed(greet(&mut open(), Hello { host: "host/other".into(), ..hello() }));
    assert_eq!(fault.kind(), Kind::Undecided);
    assert!(fault.text.contains("standin.host"), "{fault}");
    let newer = false_agent(&house, "newer.sock", |stream| {
        let mut line = Line::new(stream);
        let _hello = line.receive(Some(soon()), Duration::ZERO);
        drop(line.send(129, br#"{"version":7}"#, soon()));
    });
    let fault = link_to(&newer).revision().unwrap_err();
    assert_eq!(fault.kind(), Kind::Undecided, "{fault}");
}

/// Whatever stands in the agent's place answers: a host is undecided, soon.
#[test]
fn p1_43_a_host_survives_whatever_answers() {
    let house = house(&[]);
    let welcome = |stream: &UnixStream| {
        let mut line = Line::new(stream.try_clone().unwrap());
        drop(line.receive(Some(soon()), Duration::ZERO));
        drop(line.send(129, br#"{"version":1}"#, soon()));
        drop(line.receive(Some(soon()), Duration::ZERO));
    };
    type Act = Box<dyn Fn(UnixStream) + Send>;
    let says = |bytes: Vec<u8>| -> Act {
        Box::new(move |mut stream: UnixStream| {
            welcome(&stream);
            drop(stream.write_all(&bytes));
        })
    };
    let frame = |kind, body: &[u8]| Frame::bytes(kind, body).unwrap().to_vec();
    let cases: Vec<(&str, Act)> = vec![
        ("closes.sock", Box::new(drop)),
        ("garbage.sock", says(vec![0xee; 500])),
        ("half.sock", says(vec![0, 0, 0, 9, 137])),
        ("other.sock", says(frame(139, b"{}"))),
        ("unknown.sock", says(frame(222, b"{}"))),
        ("empty.sock", says(frame(137, b""))),
        ("refusal-of-tomorrow.sock", says(frame(255, br#"{"status":-298,"text":"t","subject":null}"#))),
        // Never answers; the connection stays open.
        ("silent.sock", Box::new(std::mem::forget)),
    ];
    for (name, act) in cases {
        let link = link_to(&false_agent(&house, name, act));
        let begun = Instant::now();
        let fault = link.revision().unwrap_err();
        assert_eq!(fault.kind(), Kind::Undecided, "{name}: {fault}");
        assert!(begun.elapsed() < Duration::from_secs(15), "{name}");
    }
}

/// P1-17: a key that was disabled is dropped by the agent with the verification
/// keys and credentials that came by it, whatever hosts do.
#[test]
fn p1_17_the_agent_drops_what_ended() {
    let house = house(&[]);
    let keeper = Arc::clone(&house.agent.as_ref().unwrap().keeper);
    let users: Vec<_> =
        ["one", "two", "three"].map(|name| house.user(name, &policy("Allow", &["kafka-cluster:*"], "*"))).into();
    for user in &users {
        house.enter(user);
    }
    assert_eq!(keeper.kept(), 3);
    house.store.set_key_active("test", &users[0].0, false).unwrap();
    house.until("the key", || keeper.kept() == 2);
    house.store.set_user_disabled("test", "two", true).unwrap();
    house.until("the user", || keeper.kept() == 1);
    // Without the feed nothing is verified here after the bound.
    house.service.deaf.store(true, Ordering::SeqCst);
    let message = house.message(&users[2].0, &users[2].1, None);
    let evidence = Evidence::Signature(read_msk_iam(message.as_bytes()).unwrap().into());
    assert!(!keeper.verify(&evidence, b"no such name", house.time().steady()).unwrap());
}

/// A host that was taken over cannot have the agent open or make what is not
/// for hosts, and gets no credential that outlives the agent's setting.
#[test]
fn p1_26_a_host_is_not_given_what_is_not_for_hosts() {
    let house = house(&[("standin.credential.lifetime.ms", "60000")]);
    let link = link_to(&socket(&house));
    for purpose in ["session-token", "impersonation-token", "agent-cache", ""] {
        assert_eq!(link.seal(purpose, b"forged").unwrap_err().status, Status::InvalidArgument);
        assert_eq!(link.unseal(purpose, b"stolen").unwrap_err().status, Status::InvalidArgument);
    }
    let (id, secret) = house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*"));
    let message = house.message(&id, &secret, None);
    let evidence = Evidence::Signature(read_msk_iam(message.as_bytes()).unwrap().into());
    let by = || SystemClock::new().steady().plus(20_000);
    let wall = SystemClock::new().wall();
    let issued = link.log_in(&evidence, "", i64::MAX, by()).unwrap().value.impersonation;
    let renewed = link.renew(&issued.prove("", wall, RENEW, b""), i64::MAX, by()).unwrap();
    for credential in [issued, renewed] {
        assert!(credential.expires.0 - wall.0 < 90_000);
    }
}
