// SPDX-License-Identifier: Apache-2.0
//! The service at work: what hosts that wait cost it, and a certificate that
//! is taken without a restart.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use standin::access_control::Owner;
use standin::decision::Outcome;

use crate::host::Host;
use crate::place::{Certificate, Place, policy, until};
use crate::raw::{certificate, metric};

const CHANGES: &str = "standin_serve_requests_total{route=\"changes\",status=\"200\"}";

/// while nothing happens a host asks for nothing but waits, and what
/// happens then is there long before the wait would have ended.
#[test]
fn x_09_a_host_waits_instead_of_asking_again_and_again() {
    let place = Place::new();
    let serving = place.serve();
    let alice = place.user("alice", &policy("Allow", &["kafka-cluster:WriteData"], "a"));
    // Its feed turns every 10 ms.
    let host = Host::open(&place, serving.port, &place.enroll(&serving, "demo/1"), &[]);
    let id = host.enter(&alice);
    let waiting = || metric(&place, serving.port, "standin_serve_following") == 1;
    until("the wait", waiting);
    let before = metric(&place, serving.port, CHANGES);
    std::thread::sleep(Duration::from_millis(1500));
    let asked = metric(&place, serving.port, CHANGES) - before;
    // A wait that ended here, and those that end with the change of a session.
    assert!(asked <= 2, "{asked} requests while nothing happened");
    let begun = Instant::now();
    for topic in ["b", "c", "d"] {
        until("the wait", waiting);
        let allowed = policy("Allow", &["kafka-cluster:WriteData"], topic);
        place.store.put_inline("test", Owner::User("alice"), "own", &allowed).unwrap();
        host.becomes(id, topic, Outcome::Allow);
    }
    // One wait lasts ten seconds.
    assert!(begun.elapsed() < Duration::from_secs(10), "three changes took {:?}", begun.elapsed());
    let asked = metric(&place, serving.port, CHANGES) - before;
    assert!(asked <= 12, "{asked} requests for three changes");
}

/// Puts a certificate in the place of the one that is served.
fn replace(place: &Place, with: &Certificate) {
    for (from, to) in [(&with.key, &place.certificate.key), (&with.chain, &place.certificate.chain)] {
        let beside = to.with_extension("new");
        std::fs::copy(from, &beside).unwrap();
        std::fs::rename(&beside, to).unwrap();
    }
}

/// a certificate is renewed under the hosts: the next connection sees the
/// new one; one that is not good changes nothing but a metric.
#[test]
fn x_09_a_new_certificate_is_taken_without_a_restart() {
    const TAKEN: &str = "standin_serve_certificates_taken_total";
    const REFUSED: &str = "standin_serve_certificates_refused_total";
    let place = Place::new();
    let serving = place.serve();
    let port = serving.port;
    let host = place.remote(port, &place.enroll(&serving, "demo/1"));
    let works = || standin::service::SecurityService::revision(&host).is_ok();
    let first = certificate(&place, port).unwrap();
    let ends = metric(&place, port, "standin_serve_certificate_ends_seconds");
    assert!(ends > 1_767_323_045, "{ends}");

    // Told by a signal.
    let issue = |name: &str, ended| place.authority.issue(place.dir.path(), name, "localhost", ended);
    replace(&place, &issue("second", None));
    serving.signal(Signal::HUP);
    until("the second certificate", || certificate(&place, port).is_some_and(|shown| shown != first));
    let second = certificate(&place, port).unwrap();
    until("its count", || metric(&place, port, TAKEN) >= 1);
    assert!(works());

    // Not good: another's key, nothing of a certificate, and one that is over.
    let bad = issue("bad", None);
    let other = issue("other", None);
    std::fs::copy(&other.key, &bad.key).unwrap();
    let garbage = issue("garbage", None);
    std::fs::write(&garbage.chain, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    for bad in [bad, garbage, issue("over", Some(1))] {
        let refused = metric(&place, port, REFUSED);
        replace(&place, &bad);
        serving.signal(Signal::HUP);
        until("the refusal", || metric(&place, port, REFUSED) > refused);
        assert_eq!(certificate(&place, port).unwrap(), second);
        assert!(works());
    }

    // Without a signal: the files are looked at.
    replace(&place, &issue("third", None));
    until("the third certificate", || certificate(&place, port).is_some_and(|shown| shown != second));
    assert!(works());
    assert!(serving.terminate().success());
}
