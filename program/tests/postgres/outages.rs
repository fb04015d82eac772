// SPDX-License-Identifier: Apache-2.0
//! `standin serve` on a database that goes away, with a host and its clients
//! behind it: they go on, nobody is refused, and what was revoked stays so.

use std::path::Path;
use std::time::{Duration, Instant};

use standin::access_control::{Owner, StoreFiles};
use standin::decision::Outcome;
use standin::fault::Kind;
use standin_program::store::{make_store, open_store};

use crate::host::Host;
use crate::load::{Load, Stop};
use crate::place::{Place, Serving, policy, until};
use crate::raw::exchange;
use crate::server::Server;
use crate::support::{place as schema, raw};

const WRITE: &[&str] = &["kafka-cluster:WriteData"];
const PATIENT: [(&str, &str); 2] = [("standin.stale.after.ms", "600000"), ("standin.stale.grace.ms", "600000")];

/// A place whose store is in a new schema of this server, opened by `open`.
fn on(server: &str, open: impl Fn(&str) -> String) -> Place {
    let url = schema(server);
    let dir = tempfile::tempdir().unwrap();
    let key_file = dir.path().join("store.key");
    drop(make_store(&url, Some(&key_file), "123456789012").unwrap());
    let url = open(&url);
    let store = open_store(&url, Some(&key_file)).unwrap();
    let files = StoreFiles { store: Path::new("/none").to_owned(), key_file };
    Place::on(dir, files, store, url)
}

fn status(place: &Place, serving: &Serving, page: &str) -> u16 {
    let request = format!("GET {page} HTTP/1.1\r\nhost: l\r\nconnection: close\r\n\r\n");
    exchange(place, serving.port, request.as_bytes()).status
}

/// Clients of a host go on while `outage` happens to the database and until
/// `back` brings it back. Somebody is revoked before it as the last write, and
/// somebody after it as the first.
fn survives(place: &Place, outage: &dyn Fn(), for_long: Duration, back: &dyn Fn()) {
    let serving = place.serve();
    let host = Host::open(place, serving.port, &place.enroll(&serving, "demo/1"), &PATIENT);
    let alice = place.user("alice", &policy("Allow", WRITE, "a"));
    let before = place.user("before", &policy("Allow", WRITE, "b"));
    let after = place.user("after", &policy("Allow", WRITE, "c"));
    let (session, gone, going) = (host.enter(&alice), host.enter(&before), host.enter(&after));
    let load = Load::default();
    std::thread::scope(|scope| {
        let _stop = Stop(&load);
        load.start(scope, &host, (session, "a"), &alice);
        load.goes_on("before", 10);
        place.store.set_key_active("test", &before.0, false).unwrap();
        let new = place.user("new", &policy("Allow", WRITE, "n"));
        host.becomes(gone, "b", Outcome::Deny);
        outage();
        let begun = Instant::now();
        until("not ready", || status(place, &serving, "/ready") == 503);
        assert_eq!(status(place, &serving, "/health"), 200, "the process lives");
        loop {
            let fault = host.try_login(&new).expect_err("nobody can be asked");
            assert_eq!(fault.kind(), Kind::Undecided, "{fault}");
            let fault = host.try_login(&before).expect_err("a revoked key was let in");
            assert!(fault.kind() == Kind::Undecided || fault.kind() == Kind::Refused, "{fault}");
            load.goes_on("meanwhile", 3);
            let writes = place.store.set_key_active("test", &after.0, false);
            assert_eq!(writes.expect_err("nothing can be written").kind(), Kind::Undecided);
            if begun.elapsed() >= for_long {
                break;
            }
        }
        assert_eq!(host.decide(going, "c"), Outcome::Allow);
        // The wait for changes that was under way when it went is answered first.
        if !for_long.is_zero() {
            until("the feed's fault", || host.metric("feed-fault") > 0);
        }
        back();
        until("ready", || status(place, &serving, "/ready") == 200);
        until("a write", || place.store.set_key_active("test", &after.0, false).is_ok());
        host.becomes(going, "c", Outcome::Deny);
        until("a login", || match host.try_login(&new) {
            Ok(_) => true,
            Err(fault) => {
                assert_eq!(fault.kind(), Kind::Undecided, "{fault}");
                false
            }
        });
        for key in [&before, &after] {
            assert_eq!(host.try_login(key).expect_err("revoked").kind(), Kind::Refused);
        }
        assert_eq!(host.decide(gone, "b"), Outcome::Deny);
        place.store.put_inline("test", Owner::User("alice"), "more", &policy("Allow", WRITE, "more")).unwrap();
        host.becomes(session, "more", Outcome::Allow);
        load.goes_on("after", 10);
    });
    assert_eq!(Load::get(&load.undecided), 0, "operations need no database");
}

/// the database is killed and comes back.
#[test]
fn x_06_a_database_that_is_gone_and_comes_back_refuses_nobody() {
    let server = Server::new();
    let place = on(&server.url, str::to_owned);
    survives(&place, &|| server.kill(), Duration::ZERO, &|| server.start());
}

#[test]
#[ignore = "takes long: scripts/test weather"]
fn long_x_06_a_database_that_is_gone_for_ten_seconds_refuses_nobody() {
    let server = Server::new();
    let place = on(&server.url, str::to_owned);
    survives(&place, &|| server.stop(), Duration::from_secs(10), &|| server.start());
}

/// the database is killed and its standby takes over.
#[test]
fn x_06_a_database_that_fails_over_refuses_nobody() {
    let primary = Server::new();
    let standby = primary.standby();
    let folder = |server: &Server| server.url.split_once("host=").unwrap().1.split('&').next().unwrap().to_owned();
    let (one, two) = (folder(&primary), folder(&standby));
    let place = on(&primary.url, |url| url.replace(&one, &format!("{one}&host={two}")));
    // From now on nothing is answered that the standby does not have.
    raw(&primary.url, "ALTER SYSTEM SET synchronous_standby_names = '*'").unwrap();
    raw(&primary.url, "SELECT pg_reload_conf()").unwrap();
    survives(&place, &|| primary.kill(), Duration::ZERO, &|| standby.promote());
}
