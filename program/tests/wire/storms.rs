// SPDX-License-Identifier: Apache-2.0
//! Bad weather under load: a real service, a real host, and clients that go on
//! all the time. Nothing is allowed that should not be, nothing is refused for
//! the weather, and everything is well again when it is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use standin::access_control::Owner;
use standin::decision::Outcome;
use standin::fault::{Kind, Status};
use standin::service::wire::path;
use standin::time::{Clock, Steady, SystemClock, UnixMillis};

use crate::between::{Between, Gate, Weather};
use crate::host::Host;
use crate::load::{Load, Stop};
use crate::place::{Authority, Place, Serving, policy, until};
use crate::raw::{Head, genuine, http};

const WRITE: &[&str] = &["kafka-cluster:WriteData"];
/// Bounds that are not reached.
const PATIENT: [(&str, &str); 2] = [("standin.stale.after.ms", "600000"), ("standin.stale.grace.ms", "600000")];

type Sky = Box<dyn Fn(&Head) -> Weather + Send + Sync>;

/// What proxies and broken services say, and what it is counted as.
fn answers() -> Vec<(&'static str, Status, Sky)> {
    let refusal = r#"{"status":-202,"text":"bad signature"}"#;
    let page = |status: &'static str, headers: &'static str, body: &'static str| -> Sky {
        Box::new(move |_| Weather::Answer(http(status, headers, body)))
    };
    vec![
        ("cut", Status::Unavailable, Box::new(|_: &Head| Weather::Cut) as Sky),
        (
            "garbage",
            Status::NotTheService,
            Box::new(|_| Weather::Answer(b"\x00\xff\x13\x37 nothing of HTTP\r\n\r\n".to_vec())),
        ),
        ("a page", Status::NotTheService, page("200 OK", "content-type: text/html\r\n", "<html>Sign in</html>")),
        (
            "a page that refuses",
            Status::NotTheService,
            page("403 Forbidden", "content-type: text/html\r\n", "<html>no</html>"),
        ),
        ("half an answer", Status::Unavailable, Box::new(|_| Weather::Half)),
        ("429", Status::NotTheService, page("429 Too Many Requests", "retry-after: 1\r\n", "slow down")),
        ("500", Status::NotTheService, page("500 Internal Server Error", "", "oops")),
        (
            "a redirect",
            Status::NotTheService,
            page("307 Temporary Redirect", "location: https://localhost:1/v1/login\r\n", ""),
        ),
        (
            "a refusal of somebody else",
            Status::NotTheService,
            Box::new(move |head| {
                let mut other = head.clone();
                other.insert("standin-nonce".into(), "another".into());
                Weather::Answer(genuine(&other, "403 Forbidden", refusal))
            }),
        ),
    ]
}

/// X-09, P1-05: whatever stands between host and service, and whatever
/// certificate it shows: who is known goes on, who is new is put off, nobody is
/// refused; and the end of it needs nobody's help.
#[test]
fn x_09_weather_under_load_refuses_nobody_and_allows_nothing() {
    let place = Place::new();
    let serving = place.serve();
    let between = Between::new(&place.certificate, &place.ca, serving.port);
    let host = Host::open(&place, between.port, &place.enroll(&serving, "demo/1"), &PATIENT);
    let alice = place.user("alice", &policy("Allow", WRITE, "a"));
    let bob = place.user("bob", &policy("Allow", WRITE, "b"));
    let (session, watched) = (host.enter(&alice), host.enter(&bob));
    let load = Load::default();
    std::thread::scope(|scope| {
        let _stop = Stop(&load);
        load.start(scope, &host, (session, "a"), &alice);
        let storm = |what: &str, fault: Status, n: usize, begin: &dyn Fn(), end: &dyn Fn()| {
            let failures = host.count(|c| &c.feed_failures);
            begin();
            until(&format!("{what}: word of it"), || host.count(|c| &c.feed_failures) > failures);
            // The connection on which it waited broke first.
            let number = i64::from(-fault.number());
            until(&format!("{what}: its number"), || host.metric("feed-fault") == number);
            until(&format!("{what}: its line"), || host.log().contains(&format!("cannot be read (-{number})")));
            let new = place.user(&format!("new-{n}"), &policy("Allow", WRITE, "n"));
            let fault = host.try_login(&new).expect_err("let in without being asked about");
            assert_eq!(fault.kind(), Kind::Undecided, "{what}: {fault}");
            // Made during it, heard of after it.
            let (topic, before) = (format!("b{n}"), if n == 0 { "b".to_owned() } else { format!("b{}", n - 1) });
            place.store.put_inline("test", Owner::User("bob"), "own", &policy("Allow", WRITE, &topic)).unwrap();
            load.goes_on(what, 5);
            assert_eq!(host.decide(watched, &topic), Outcome::Deny, "{what}: nobody has told it");
            end();
            until(&format!("{what}: a login of a new one"), || match host.try_login(&new) {
                Ok(_) => true,
                Err(fault) => {
                    assert_eq!(fault.kind(), Kind::Undecided, "{what}: {fault}");
                    false
                }
            });
            host.becomes(watched, &topic, Outcome::Allow);
            until(&format!("{what}: its end"), || host.metric("feed-fault") == 0);
            assert_eq!(host.decide(watched, &before), Outcome::Deny, "{what}");
        };
        let mut n = 0;
        for (what, fault, sky) in answers() {
            let sky: Arc<dyn Fn(&Head) -> Weather + Send + Sync> = Arc::from(sky);
            let begin = || {
                let sky = Arc::clone(&sky);
                between.becomes(move |head| sky(head));
            };
            storm(what, fault, n, &begin, &|| between.fair());
            n += 1;
        }
        let dir = place.dir.path();
        for (what, certificate) in [
            ("another authority", Authority::new().issue(dir, "stranger", "localhost", None)),
            ("an expired certificate", place.authority.issue(dir, "expired", "localhost", Some(1))),
            ("another name", place.authority.issue(dir, "other", "elsewhere.example", None)),
        ] {
            storm(what, Status::Certificate, n, &|| between.shows(&certificate), &|| between.shows(&place.certificate));
            n += 1;
        }
    });
    assert_eq!(Load::get(&load.undecided), 0, "operations do not depend on the service");
}

/// P1-05: answers that take five seconds keep nobody who is known waiting, and
/// nobody who is new for longer than was said.
#[test]
fn p1_05_a_slow_service_slows_nobody_who_is_known() {
    let place = Place::new();
    let serving = place.serve();
    let between = Between::new(&place.certificate, &place.ca, serving.port);
    let host = Host::open(&place, between.port, &place.enroll(&serving, "demo/1"), &PATIENT);
    let alice = place.user("alice", &policy("Allow", WRITE, "a"));
    let new = place.user("new", &policy("Allow", WRITE, "n"));
    let session = host.enter(&alice);
    let load = Load::default();
    std::thread::scope(|scope| {
        let _stop = Stop(&load);
        load.start(scope, &host, (session, "a"), &alice);
        between.becomes(|_| Weather::Late(Duration::from_secs(5)));
        let asked = between.asked(path::LOGIN);
        let fault = host.try_login(&new).expect_err("nobody has answered");
        assert_eq!(fault.status, Status::TimedOut, "{fault}");
        assert!(between.asked(path::LOGIN) > asked);
        load.goes_on("slow", 100);
        assert!(host.count(|c| &c.undecided_timed_out) >= 1);
        between.fair();
        until("a login", || host.try_login(&new).is_ok());
    });
    assert_eq!(Load::get(&load.undecided) + Load::get(&load.put_off), 0);
}

/// P1-21, X-06: the service is away under load, for longer than the last bound.
/// Until the first bound nothing changes, then logins are put off, then
/// operations; what was revoked meanwhile ends when it is back, the rest goes
/// on. The bounds are those of ten minutes, divided by two hundred.
#[test]
fn x_06_an_outage_under_load_is_bounded_and_refuses_nobody() {
    let place = Place::new();
    let serving = place.serve();
    let port = serving.port;
    let bounds = [("standin.stale.after.ms", "1000"), ("standin.stale.grace.ms", "2000")];
    let host = Host::open(&place, port, &place.enroll(&serving, "demo/1"), &bounds);
    let alice = place.user("alice", &policy("Allow", WRITE, "a"));
    let mallory = place.user("mallory", &policy("Allow", WRITE, "m"));
    let (session, revoked) = (host.enter(&alice), host.enter(&mallory));
    let load = Load::default();
    std::thread::scope(|scope| {
        let _stop = Stop(&load);
        load.start(scope, &host, (session, "a"), &alice);
        load.goes_on("before", 20);
        drop(serving);
        place.store.set_key_active("test", &mallory.0, false).unwrap();
        until("logins are put off", || {
            assert_ne!(host.decide(revoked, "m"), Outcome::Deny, "nobody has told it");
            Load::get(&load.put_off) > 5
        });
        until("operations are put off", || {
            let undecided = Load::get(&load.undecided) > 5;
            undecided && host.decide(revoked, "m") == Outcome::Undecided
        });
        // The bound holds for as long as it lasts.
        let allowed = Load::get(&load.allowed);
        let undecided = Load::get(&load.undecided);
        until("more of it", || Load::get(&load.undecided) > undecided + 200);
        assert_eq!(Load::get(&load.allowed), allowed, "allowed though nothing is known");
        let _serving = Serving::start(&place, port);
        host.becomes(revoked, "m", Outcome::Deny);
        load.goes_on("after", 20);
        assert_eq!(host.try_login(&mallory).unwrap_err().kind(), Kind::Refused);
    });
}

/// X-09: only the change feed is cut, and all else works: clients log in, who
/// was revoked does not, and what is known ends with the silence.
#[test]
fn x_09_a_cut_feed_is_silence_though_requests_work() {
    let place = Place::new();
    let serving = place.serve();
    let between = Between::new(&place.certificate, &place.ca, serving.port);
    let bounds = [("standin.stale.after.ms", "1500"), ("standin.stale.grace.ms", "3000")];
    let host = Host::open(&place, between.port, &place.enroll(&serving, "demo/1"), &bounds);
    let alice = place.user("alice", &policy("Allow", WRITE, "a"));
    let mallory = place.user("mallory", &policy("Allow", WRITE, "m"));
    let (session, revoked) = (host.enter(&alice), host.enter(&mallory));
    let failures = host.count(|c| &c.feed_failures);
    between.becomes(|head| if head[":path"] == path::CHANGES { Weather::Cut } else { Weather::Fair });
    until("silence", || host.count(|c| &c.feed_failures) > failures);
    place.store.set_key_active("test", &mallory.0, false).unwrap();
    let new = place.user("new", &policy("Allow", WRITE, "n"));
    let entered = host.enter(&new);
    assert_eq!((host.decide(entered, "n"), host.decide(entered, "a")), (Outcome::Allow, Outcome::Deny));
    // What else is asked of the service may have told of the end of the key.
    until("the bound", || {
        host.decide(revoked, "m") != Outcome::Allow && host.decide(session, "a") == Outcome::Undecided
    });
    assert_ne!(host.decide(revoked, "m"), Outcome::Allow);
    // The service is asked, and says so.
    let fault = host.try_login(&mallory).unwrap_err();
    assert_eq!(fault.status, Status::KeyDisabled, "{fault}");
    between.fair();
    host.becomes(revoked, "m", Outcome::Deny);
    host.becomes(session, "a", Outcome::Allow);
    host.becomes(entered, "n", Outcome::Allow);
}

/// Waits until the host has followed every change there is.
fn settled(place: &Place, host: &Host) {
    let newest = place.store.revision().unwrap();
    until("following", || host.engine.agent().applied() >= newest);
}

/// A5: an answer that was read before a revocation and arrives after the host
/// has heard of it is not put in force: neither a login nor a renewal.
#[test]
fn a5_an_answer_that_arrives_after_the_revocation_is_not_put_in_force() {
    let place = Place::new();
    let serving = place.serve();
    let between = Between::new(&place.certificate, &place.ca, serving.port);
    let more = [("standin.credential.lifetime.ms", "10000"), ("standin.login.wait.ms", "30000")];
    let host = Host::open(&place, between.port, &place.enroll(&serving, "demo/1"), &more);
    let mallory = place.user("mallory", &policy("Allow", WRITE, "m"));
    settled(&place, &host);
    let hold = |held: &'static str| {
        let gate = Arc::new(Gate::default());
        let waiting = Arc::clone(&gate);
        between.becomes(move |head| match head[":path"] == held {
            // Only the first; the question that follows is answered.
            true if waiting.reached.load(Ordering::SeqCst) == 0 => Weather::Held(Arc::clone(&waiting)),
            _ => Weather::Fair,
        });
        gate
    };
    let gate = hold(path::LOGIN);
    std::thread::scope(|scope| {
        let login = scope.spawn(|| host.try_login(&mallory));
        until("the answer", || gate.reached.load(Ordering::SeqCst) == 1);
        place.store.set_key_active("test", &mallory.0, false).unwrap();
        settled(&place, &host);
        gate.open();
        let fault = login.join().unwrap().expect_err("an answer from the past let somebody in");
        assert_eq!(fault.status, Status::KeyDisabled, "{fault}");
    });
    assert!(host.count(|c| &c.outdated_answers) >= 1, "asked again, and counted");
    assert_eq!(host.engine.agent().held(), 0);

    // A renewal on its way while the key ends.
    let eve = place.user("eve", &policy("Allow", WRITE, "e"));
    between.fair();
    let session = host.enter(&eve);
    assert_eq!(host.decide(session, "e"), Outcome::Allow);
    let gate = hold(path::RENEW);
    until("the renewal", || gate.reached.load(Ordering::SeqCst) == 1);
    place.store.set_key_active("test", &eve.0, false).unwrap();
    settled(&place, &host);
    host.becomes(session, "e", Outcome::Deny);
    gate.open();
    let renewals = host.count(|c| &c.renewals) + host.count(|c| &c.renewal_failures);
    until("its end", || {
        host.count(|c| &c.renewals) + host.count(|c| &c.renewal_failures) > renewals || host.engine.agent().held() == 0
    });
    assert_eq!(host.decide(session, "e"), Outcome::Deny);
    assert_eq!(host.try_login(&eve).unwrap_err().status, Status::KeyDisabled);
}

/// X-09: a second service on a copy of the store that lags behind answers with
/// keys and policies that were revoked. Nothing of it is put in force; who is
/// known goes on until the silence is too long, and all is well when it has
/// caught up.
#[test]
fn x_09_a_replica_that_lags_behind_is_not_believed() {
    let place = Place::new();
    let serving = place.serve();
    let mallory = place.user("mallory", &policy("Allow", WRITE, "m"));
    let alice = place.user("alice", &policy("Allow", WRITE, "old"));
    let file = place.enroll(&serving, "demo/1");
    // The copy of this moment, with the same keys.
    let lagging = place.copy("lagging.db");
    let second = Serving::start_on(&lagging, &place, 0, &[]);
    let urls = format!("https://localhost:{}, https://localhost:{}", serving.port, second.port);
    let port = second.port;
    let more = [("standin.service.url", urls.as_str()), PATIENT[0], PATIENT[1]];
    let host = Host::open(&place, serving.port, &file, &more);
    let (revoked, session) = (host.enter(&mallory), host.enter(&alice));
    place.store.put_inline("test", Owner::User("alice"), "own", &policy("Allow", WRITE, "new")).unwrap();
    place.store.set_key_active("test", &mallory.0, false).unwrap();
    settled(&place, &host);
    host.becomes(session, "new", Outcome::Allow);
    assert_eq!(host.decide(session, "old"), Outcome::Deny);
    drop(serving);
    let mut log = String::new();
    until("word of it", || {
        log.push_str(&host.log());
        log.contains("went back from revision")
    });
    for _ in 0..3 {
        let fault = host.try_login(&mallory).expect_err("a revoked key was let in");
        assert_eq!(fault.kind(), Kind::Undecided, "{fault}");
        assert_eq!(host.decide(revoked, "m"), Outcome::Deny);
        assert_eq!((host.decide(session, "old"), host.decide(session, "new")), (Outcome::Deny, Outcome::Allow));
    }
    assert!(host.count(|c| &c.outdated_answers) > 0);
    // It catches up: the same file as the first one's.
    drop(second);
    let _second = Serving::start(&place, port);
    until("a refusal", || match host.try_login(&mallory) {
        Ok(_) => panic!("a revoked key was let in"),
        Err(fault) => fault.status == Status::KeyDisabled,
    });
    assert_eq!((host.decide(session, "old"), host.decide(session, "new")), (Outcome::Deny, Outcome::Allow));
}

/// A clock that is off the machine's.
struct Shifted {
    right: SystemClock,
    off: AtomicI64,
}

impl Clock for Shifted {
    fn wall(&self) -> UnixMillis {
        self.right.wall().plus(self.off.load(Ordering::SeqCst))
    }

    fn steady(&self) -> Steady {
        self.right.steady()
    }

    fn tick(&self) {
        self.right.tick();
    }
}

/// A host whose clock is an hour off, either way: its clients are not refused
/// for a date that is right, operators are told, and it ends when the clock is
/// set. A host beside it is not concerned.
#[test]
fn x_12_a_clock_off_by_an_hour_refuses_nobody_for_a_date() {
    let place = Place::new();
    let serving = place.serve();
    let (file, beside) = (place.enroll(&serving, "demo/1"), place.enroll(&serving, "demo/2"));
    let alice = place.user("alice", &policy("Allow", WRITE, "a"));
    let right = Host::open(&place, serving.port, &beside, &[]);
    for off in [-3_600_000, 3_600_000] {
        let clock = Arc::new(Shifted { right: SystemClock::new(), off: AtomicI64::new(off) });
        let host = Host::on(&place.given(serving.port, &file, &[]), Arc::clone(&clock) as Arc<dyn Clock>);
        let number = i64::from(-Status::HostClock.number());
        until("the number of it", || host.metric("feed-fault") == number);
        let fault = host.try_login(&alice).expect_err("nobody can be asked");
        assert_eq!((fault.status, fault.kind()), (Status::HostClock, Kind::Undecided), "{fault}");
        assert_eq!(host.metric("logins-refused-total"), 0);
        let log = host.log();
        assert!(log.contains(&format!("cannot be read (-{number})")) && log.contains("s off"), "{log}");
        right.enter(&alice);
        clock.off.store(0, Ordering::SeqCst);
        until("a login", || match host.try_login(&alice) {
            Ok(_) => true,
            Err(fault) => {
                assert_eq!(fault.kind(), Kind::Undecided, "{fault}");
                false
            }
        });
        until("the feed", || host.metric("feed-fault") == 0);
    }
    // With a clock that is right, a date that is not is refused as ever.
    let mut old = alice.clone();
    old.0.push('X');
    assert_eq!(right.try_login(&old).unwrap_err().kind(), Kind::Refused);
    assert_eq!(right.metric("logins-refused-unknown-key-total"), 1);
}
