// SPDX-License-Identifier: Apache-2.0
//! Many at once: connections, clients that come back together, credentials
//! that end together. What is asked of the service is counted between the two.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use standin::credential::Secret;
use standin::decision::Outcome;
use standin::fault::Kind;
use standin::service::wire::path;
use standin::session::SessionId;

use crate::between::{Between, Weather};
use crate::host::Host;
use crate::place::{Place, policy, until};

const WRITE: &[&str] = &["kafka-cluster:WriteData"];
/// Threads of a host that log clients in.
const THREADS: usize = 32;

type Key = (String, Secret);

/// So many users, each of which may write to a topic of its own name.
fn users(place: &Place, count: usize) -> Vec<Key> {
    (0..count).map(|n| place.user(&format!("u{n}"), &policy("Allow", WRITE, &format!("t{n}")))).collect()
}

/// Has so many clients connect at once, each as one of these users and again
/// until it is in. Their sessions, by user; how often one was put off.
fn connect(host: &Host, keys: &[Key], clients: usize) -> (Vec<(usize, SessionId)>, u64) {
    let waiting: Mutex<VecDeque<usize>> = Mutex::new((0..clients).collect());
    let (inside, put_off) = (Mutex::new(Vec::with_capacity(clients)), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let Some(client) = waiting.lock().unwrap().pop_front() else { return };
                    let user = client % keys.len();
                    match host.try_login(&keys[user]) {
                        Ok(id) => inside.lock().unwrap().push((user, id)),
                        Err(fault) => {
                            assert_eq!(fault.kind(), Kind::Undecided, "refused for the crowd: {fault}");
                            put_off.fetch_add(1, Ordering::Relaxed);
                            waiting.lock().unwrap().push_back(client);
                            std::thread::sleep(Duration::from_millis(10));
                        }
                    }
                }
            });
        }
    });
    (inside.into_inner().unwrap(), put_off.into_inner())
}

/// Everybody may do what is theirs and nothing else.
fn check(host: &Host, inside: &[(usize, SessionId)]) {
    for (user, id) in inside {
        assert_eq!(host.decide(*id, &format!("t{user}")), Outcome::Allow);
        assert_eq!(host.decide(*id, "t"), Outcome::Deny);
    }
}

/// P1-05, X-14: the service is asked once for an identity, a host and the life
/// of a credential: not for a connection, and not for an operation.
#[test]
fn p1_05_the_service_is_asked_once_for_a_thousand_connections_and_a_million_operations() {
    let place = Place::new();
    let serving = place.serve();
    let between = Between::new(&place.certificate, &place.ca, serving.port);
    let host = Host::open(&place, between.port, &place.enroll(&serving, "demo/1"), &[]);
    let keys = users(&place, 10);
    let (inside, _) = connect(&host, &keys, 1000);
    for n in 0..1_000_000 {
        let (user, id) = inside[n % inside.len()];
        assert_eq!(host.decide(id, &format!("t{user}")), Outcome::Allow);
    }
    let asked = [path::LOGIN, path::RENEW, path::DECIDE].map(|path| between.asked(path));
    assert_eq!(asked, [10, 0, 0], "logins, renewals, decisions");
    // Actions that the host names after the first logins are compiled for once.
    assert!(between.asked(path::ENTITLEMENTS) <= 10);
}

/// clients of a host that comes back are let in as fast as the service
/// can be asked, a few at a time, each identity once; nobody is refused.
fn reconnect(identities: usize, clients: usize) {
    let place = Place::new();
    let serving = place.serve();
    let between = Between::new(&place.certificate, &place.ca, serving.port);
    let file = place.enroll(&serving, "demo/1");
    let keys = users(&place, identities);
    let host = Host::open(&place, between.port, &file, &[]);
    let begun = Instant::now();
    let (inside, put_off) = connect(&host, &keys, clients);
    let took = begun.elapsed();
    println!(
        "{clients} clients of {identities} identities were connected after {:.1} s; they were put off {put_off} times",
        took.as_secs_f64()
    );
    assert_eq!(inside.len(), clients);
    check(&host, &inside);
    assert_eq!(host.metric("logins-refused-total"), 0);
    let logins = between.asked(path::LOGIN);
    let identities = u64::try_from(identities).unwrap();
    // One that took too long is asked again.
    let late = host.count(|c| &c.undecided_timed_out);
    assert!((identities..=identities + late).contains(&logins), "{logins} for {identities}, {late} too late");
}

#[test]
fn x_06_clients_that_come_back_together_are_all_let_in() {
    reconnect(50, 1000);
}

#[test]
#[ignore = "takes long: scripts/test weather"]
fn long_x_06_ten_thousand_clients_that_come_back_together_are_all_let_in() {
    reconnect(1000, 10_000);
}

/// a thousand credentials that were issued together are renewed before
/// their end, each once, by few connections, over a stretch of time.
#[test]
#[ignore = "takes long: scripts/test weather"]
fn long_x_06_a_thousand_identities_that_end_together_are_asked_about_once_each() {
    let place = Place::new();
    let serving = place.serve();
    let between = Between::new(&place.certificate, &place.ca, serving.port);
    let more = [("standin.credential.lifetime.ms", "60000")];
    let host = Host::open(&place, between.port, &place.enroll(&serving, "demo/1"), &more);
    let keys = users(&place, 1000);
    let (inside, _) = connect(&host, &keys, 1000);
    let logins = between.asked(path::LOGIN);
    let mut seen = Vec::new();
    let begun = Instant::now();
    until("half of the renewals", || host.count(|c| &c.renewals) >= 500);
    until("all renewals", || {
        seen.push(between.asked(path::RENEW));
        host.count(|c| &c.renewals) >= 1000
    });
    check(&host, &inside);
    let failures = host.count(|c| &c.renewal_failures);
    println!("1000 credentials were renewed after {:.1} s, {failures} attempts failed", begun.elapsed().as_secs_f64());
    assert_eq!(between.asked(path::LOGIN), logins, "nobody had to log in again");
    let renewals = between.asked(path::RENEW);
    assert!((1000..=1000 + failures).contains(&renewals), "{renewals} renewals, {failures} failed");
    assert_eq!(host.metric("sessions"), 1000);
}

/// all credentials end in one outage. Sessions end at their deadline and
/// not before; when the service is back each identity is asked about once.
#[test]
fn x_06_what_ends_in_an_outage_is_asked_about_once_when_it_is_over() {
    let place = Place::new();
    let serving = place.serve();
    let between = Between::new(&place.certificate, &place.ca, serving.port);
    let more = [
        ("standin.credential.lifetime.ms", "6000"),
        ("standin.stale.after.ms", "600000"),
        ("standin.stale.grace.ms", "600000"),
    ];
    let host = Host::open(&place, between.port, &place.enroll(&serving, "demo/1"), &more);
    let keys = users(&place, 50);
    let (inside, _) = connect(&host, &keys, 50);
    between.becomes(|_| Weather::Cut);
    until("the end of all", || inside.iter().all(|(user, id)| host.decide(*id, &format!("t{user}")) == Outcome::Deny));
    for key in &keys {
        assert_eq!(host.try_login(key).expect_err("its credential ended").kind(), Kind::Undecided);
    }
    let asked = between.asked(path::LOGIN);
    between.fair();
    let (inside, _) = connect(&host, &keys, 500);
    check(&host, &inside);
    let logins = between.asked(path::LOGIN) - asked;
    let late = host.count(|c| &c.undecided_timed_out) + host.count(|c| &c.undecided_unavailable);
    // Halfway through its short life a login gets a new credential.
    assert!((50..=150 + late).contains(&logins), "{logins} questions, {late} of them in vain");
}
