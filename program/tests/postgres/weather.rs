// SPDX-License-Identifier: Apache-2.0
//! The database is killed, restarted, frozen, and put back: what was answered
//! stays, what was not is whole or absent, and nothing is answered meanwhile.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};
use standin::access_control::{Owner, Store};
use standin::fault::{Kind, Status};
use standin::revision::Revision;
use standin::time::SystemClock;

use crate::server::Server;
use crate::support::{ALLOW, Home, home, home_at, open, raw};

/// Makes users with a policy until told to stop; the names that were answered.
fn write(store: &Store, me: usize, stop: &AtomicBool, answered: &Mutex<BTreeSet<String>>) {
    for n in 0.. {
        if stop.load(Ordering::Acquire) {
            return;
        }
        let name = format!("u{me}-{n}");
        let made = store.create_user("t", "/", &name, &[]);
        let given = made.and_then(|_| store.put_inline("t", Owner::User(&name), "own", ALLOW));
        match given {
            Ok(()) => drop(answered.lock().unwrap().insert(name)),
            // Nothing is ever decided by an outage.
            Err(fault) => {
                assert_eq!(fault.kind(), Kind::Undecided, "{fault}");
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

/// Logs in until told to stop; how often it worked. A key that exists is never
/// unknown.
fn read(store: &Store, id: &str, stop: &AtomicBool, worked: &AtomicUsize) {
    while !stop.load(Ordering::Acquire) {
        match store.login_key(id) {
            Ok(at) => {
                assert!(at.value.is_some(), "the key was not found");
                worked.fetch_add(1, Ordering::Relaxed);
            }
            Err(fault) => {
                assert_eq!(fault.kind(), Kind::Undecided, "{fault}");
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

fn check(home: &Home, answered: &BTreeSet<String>) {
    let store = home.again().unwrap();
    for name in answered {
        let identity = store.user(name).unwrap().identity;
        let effective = store.entitlements(&identity).unwrap().value.unwrap();
        assert_eq!(effective.policies.len(), 1, "the policy of {name}");
    }
    let newest = store.revision().unwrap();
    let records = store.administration(Revision(0), 1_000_000).unwrap();
    assert_eq!(records.iter().map(|r| r.revision.0).collect::<Vec<_>>(), (1..=newest.0).collect::<Vec<_>>());
    let users = store.users().unwrap().len();
    assert_eq!(records.iter().filter(|r| r.action == "CreateUser").count(), users, "each user has its record");
}

/// Stops the others also when a test fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let by = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < by, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Two services write and read while the server is killed and
/// restarted, again and again.
#[test]
fn a_server_killed_and_restarted_loses_nothing_that_was_answered() {
    let server = Server::new();
    let home = home_at(&server.url);
    home.store.create_user("t", "/", "ann", &[]).unwrap();
    let (key, _) = home.store.create_key("t", "ann").unwrap();
    let (stop, answered, worked) = (AtomicBool::new(false), Mutex::default(), AtomicUsize::new(0));
    let second = home.again().unwrap();
    std::thread::scope(|scope| {
        let _stop = Stop(&stop);
        scope.spawn(|| write(&home.store, 1, &stop, &answered));
        scope.spawn(|| write(&second, 2, &stop, &answered));
        scope.spawn(|| read(&second, &key.id, &stop, &worked));
        for round in 0..4 {
            let (before, reads) = (answered.lock().unwrap().len(), worked.load(Ordering::Relaxed));
            until("writes go on", || answered.lock().unwrap().len() > before + 3);
            until("reads go on", || worked.load(Ordering::Relaxed) > reads + 3);
            if round % 2 == 0 {
                server.kill();
            } else {
                server.stop();
            }
            let begun = Instant::now();
            let fault = home.store.login_key(&key.id).err().unwrap();
            assert_eq!(fault.kind(), Kind::Undecided, "{fault}");
            assert!(begun.elapsed() < Duration::from_secs(20), "nothing waits without a bound");
            server.start();
        }
    });
    // That it was away is believed for a moment longer.
    until("a read", || home.store.login_key(&key.id).is_ok_and(|at| at.value.is_some()));
    check(&home, &answered.lock().unwrap());
}

/// The server is killed and its standby takes over: writes and reads go on
/// there, and what was answered is there.
#[test]
fn a_standby_that_takes_over_has_what_was_answered() {
    let primary = Server::new();
    let standby = primary.standby();
    let folder = |server: &Server| server.url.split_once("host=").unwrap().1.split('&').next().unwrap().to_owned();
    let both = primary.url.replace(&folder(&primary), &format!("{}&host={}", folder(&primary), folder(&standby)));
    let mut home = home_at(&primary.url);
    home.store.create_user("t", "/", "ann", &[]).unwrap();
    let (key, _) = home.store.create_key("t", "ann").unwrap();
    // From now on nothing is answered that the standby does not have.
    raw(&primary.url, "ALTER SYSTEM SET synchronous_standby_names = '*'").unwrap();
    raw(&primary.url, "SELECT pg_reload_conf()").unwrap();
    home.url = home.url.replace(&primary.url, &both);
    let (store, second) = (home.again().unwrap(), home.again().unwrap());
    let (stop, answered, worked) = (AtomicBool::new(false), Mutex::default(), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let _stop = Stop(&stop);
        scope.spawn(|| write(&store, 1, &stop, &answered));
        scope.spawn(|| read(&second, &key.id, &stop, &worked));
        let go_on = |what: &str| {
            let (before, reads) = (answered.lock().unwrap().len(), worked.load(Ordering::Relaxed));
            until(what, || answered.lock().unwrap().len() > before + 3 && worked.load(Ordering::Relaxed) > reads + 3);
        };
        go_on("before");
        primary.kill();
        let fault = second.login_key(&key.id).err().unwrap();
        assert_eq!(fault.kind(), Kind::Undecided, "{fault}");
        standby.promote();
        go_on("after");
    });
    check(&home, &answered.lock().unwrap());
}

/// Connections that the server ends one by one are replaced without anybody
/// noticing, unless the end of a write was under way.
#[test]
fn connections_that_are_cut_are_replaced() {
    let home = home();
    home.store.create_user("t", "/", "ann", &[]).unwrap();
    let (key, _) = home.store.create_key("t", "ann").unwrap();
    for n in 0..5 {
        home.raw(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE application_name = current_setting('application_name') AND pid <> pg_backend_pid()",
        );
        assert!(home.store.login_key(&key.id).unwrap().value.is_some());
        home.store.create_user("t", "/", &format!("u{n}"), &[]).unwrap();
    }
}

/// A server that stands still, without closing anything: undecided within the
/// bound, and all well when it moves again.
#[test]
fn a_frozen_server_is_unavailable_within_the_bound() {
    let server = Server::new();
    let home = home_at(&server.url);
    home.store.create_user("t", "/", "ann", &[]).unwrap();
    let frozen = processes_of(&server);
    for pid in &frozen {
        kill_process(*pid, Signal::STOP).unwrap();
    }
    let begun = Instant::now();
    let fault = home.store.user("ann").unwrap_err();
    let took = begun.elapsed();
    for pid in &frozen {
        kill_process(*pid, Signal::CONT).unwrap();
    }
    assert_eq!(fault.status, Status::Unavailable, "{fault}");
    assert!(took < Duration::from_secs(30), "{took:?}");
    until("it works again", || home.store.user("ann").is_ok());
}

fn processes_of(server: &Server) -> Vec<rustix::process::Pid> {
    let main = server.process();
    let children =
        std::process::Command::new("pgrep").args(["-P", &main.as_raw_nonzero().to_string()]).output().unwrap();
    let children = String::from_utf8(children.stdout).unwrap();
    let mut all = vec![main];
    all.extend(children.lines().filter_map(|l| rustix::process::Pid::from_raw(l.parse().ok()?)));
    all
}

/// A failover to a copy that missed the last writes: what was answered is not
/// unsaid by this service, neither read nor written over.
#[test]
fn a_database_that_went_back_is_unavailable() {
    let server = Server::new();
    let home = home_at(&server.url);
    home.store.create_user("t", "/", "ann", &[]).unwrap();
    let (key, _) = home.store.create_key("t", "ann").unwrap();
    server.stop();
    let copy = |from: &str, to: &str| {
        let (from, to) = (server.path().join(from), server.path().join(to));
        drop(std::fs::remove_dir_all(&to));
        assert!(std::process::Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
    };
    copy("data", "older");
    server.start();
    home.store.set_key_active("t", &key.id, false).unwrap();
    server.stop();
    copy("older", "data");
    server.start();
    // The key is active again there, and this service knows that it is not.
    for _ in 0..3 {
        let fault = home.store.login_key(&key.id).err().unwrap();
        assert_eq!(fault.status, Status::Unavailable, "{fault}");
        assert!(fault.text.contains("lost writes"), "{fault}");
        assert_eq!(home.store.create_user("t", "/", "x", &[]).unwrap_err().status, Status::Unavailable);
    }
    // Who never knew better takes it as it is.
    let other = open(&home.url, home.dir.path(), std::sync::Arc::new(SystemClock::new())).unwrap();
    assert_eq!(other.revision().unwrap(), Revision(2));
    other.set_key_active("t", &key.id, false).unwrap();
    other.create_user("t", "/", "x", &[]).unwrap();
    until("history went on beyond what was known", || home.store.login_key(&key.id).is_ok());
    assert!(!home.store.login_key(&key.id).unwrap().value.unwrap().active);
}
