// SPDX-License-Identifier: Apache-2.0
//! kill -9, at random moments, of the service and of an agent in a process of
//! its own, while administrators write and clients go on.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::time::Duration;

use standin::credential::Secret;
use standin::decision::Outcome;
use standin::fault::Kind;
use standin::revision::Revision;
use standin::settings::Given;
use standin::time::{Random, SystemRandom};

use crate::host::Host;
use crate::load::{Load, Stop};
use crate::place::{CLUSTER, Place, Serving, policy, until};
use crate::raw::iam;

const WRITE: &[&str] = &["kafka-cluster:WriteData"];

type Key = (String, Secret);

/// `standin agent`, killed when dropped.
struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A place with room for an agent's socket.
struct Apart<'p> {
    place: &'p Place,
    user: String,
    settings: PathBuf,
    socket: PathBuf,
}

impl<'p> Apart<'p> {
    fn new(place: &'p Place, port: u16, credential: &std::path::Path) -> Self {
        let run = place.dir.path().join("run");
        std::fs::create_dir(&run).unwrap();
        std::fs::set_permissions(&run, std::fs::Permissions::from_mode(0o700)).unwrap();
        let (socket, settings) = (run.join("agent.sock"), run.join("agent.toml"));
        let user = rustix::process::geteuid().as_raw().to_string();
        let text = format!(
            "service.url = \"https://localhost:{port}\"\nservice.ca = {:?}\nhost.credential = {credential:?}\n\
             cluster.arn = {CLUSTER:?}\nagent.socket = {socket:?}\nagent.host.users = {user:?}\n",
            place.ca
        );
        std::fs::write(&settings, text).unwrap();
        Self { place, user, settings, socket }
    }

    fn start(&self) -> Agent {
        let mut child = Command::new(env!("CARGO_BIN_EXE_standin"))
            .args(["agent", "--config"])
            .arg(&self.settings)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let agent = Agent(child);
        assert!(line.starts_with("READY"), "{line:?}");
        agent
    }

    fn host(&self) -> Host {
        let audit = self.place.dir.path().join("audit");
        let pairs = [
            ("standin.agent.placement", "process"),
            ("standin.agent.socket", self.socket.to_str().unwrap()),
            ("standin.agent.user", self.user.as_str()),
            ("standin.engine", "killed-agent"),
            ("standin.audit.dir", audit.to_str().unwrap()),
            ("standin.host", "host/demo/1"),
            ("standin.cluster.arn", CLUSTER),
            ("standin.hosts", "localhost"),
            ("standin.feed.interval.ms", "10"),
            ("standin.stale.after.ms", "600000"),
            ("standin.stale.grace.ms", "600000"),
        ];
        Host::with(&Given::read(pairs, None).unwrap())
    }
}

/// Numbers of a seed.
struct Dice(u64);

impl Dice {
    /// The seed in the environment, else a new one; it is printed.
    fn new() -> Self {
        let given = std::env::var("STANDIN_TEST_SEED").ok().and_then(|s| s.parse().ok());
        let seed = given.unwrap_or_else(|| {
            let mut seed = [0; 8];
            SystemRandom.fill(&mut seed).unwrap();
            u64::from_le_bytes(seed)
        });
        println!("STANDIN_TEST_SEED={seed}");
        Self(seed)
    }

    fn below(&mut self, bound: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

/// Makes users until told to stop; the names that were answered.
fn administer(place: &Place, port: &AtomicU16, admin: &Key, answered: &Mutex<BTreeSet<String>>, stop: &AtomicBool) {
    for n in 0.. {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        let name = format!("made-{n}");
        let body = format!("Action=CreateUser&Version=2010-05-08&UserName={name}");
        let answer = iam(place, port.load(Ordering::SeqCst), admin, &body);
        match answer.status {
            200 => drop(answered.lock().unwrap().insert(name)),
            // Nothing came, or half of it, or it is told to try again.
            0 | 503 => std::thread::sleep(Duration::from_millis(5)),
            other => panic!("{other}: {}", answer.body),
        }
    }
}

fn check(place: &Place, host: &Host, answered: &BTreeSet<String>) {
    let users: BTreeSet<String> = place.store.users().unwrap().iter().map(|u| u.identity.name().to_owned()).collect();
    let lost: Vec<_> = answered.difference(&users).collect();
    assert!(lost.is_empty(), "answered and lost: {lost:?}");
    let newest = place.store.revision().unwrap();
    let records = place.store.administration(Revision(0), 1_000_000).unwrap();
    assert_eq!(records.iter().map(|r| r.revision.0).collect::<Vec<_>>(), (1..=newest.0).collect::<Vec<_>>());
    place.copy("whole.db");
    // The host was never killed: its audit has no gap.
    host.engine.recorder().flush(crate::place::clock().wall()).unwrap();
    let mut numbers = Vec::new();
    for file in std::fs::read_dir(place.dir.path().join("audit")).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        numbers.extend(text.lines().map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["unmapped"]["sequence"].as_u64().unwrap()
        }));
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (0..u64::try_from(numbers.len()).unwrap()).collect::<Vec<_>>());
}

/// Kills so many times, each time the service, the agent or both.
fn kill(times: u64) {
    let mut dice = Dice::new();
    let place = Place::new();
    let mut serving = Some(place.serve());
    let port = AtomicU16::new(serving.as_ref().unwrap().port);
    let apart = Apart::new(&place, port.load(Ordering::SeqCst), &place.enroll(serving.as_ref().unwrap(), "demo/1"));
    let mut agent = Some(apart.start());
    let host = apart.host();
    let everything = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:*","Resource":"*"}}"#;
    let admin = place.user("admin", everything);
    let alice = place.user("alice", &policy("Allow", WRITE, "a"));
    let session = host.enter(&alice);
    // Nothing is decided before the changes were heard of once.
    host.becomes(session, "a", Outcome::Allow);
    let (load, answered) = (Load::default(), Mutex::default());
    let let_in = |key: &Key, what: &str| {
        let mut id = None;
        until(what, || match host.try_login(key) {
            Ok(entered) => {
                id = Some(entered);
                true
            }
            Err(fault) => {
                assert_eq!(fault.kind(), Kind::Undecided, "{fault}");
                false
            }
        });
        id.unwrap()
    };
    let stop = AtomicBool::new(false);
    let stopped = Stopped(&stop);
    std::thread::scope(|scope| {
        let _stop = (Stop(&load), stopped);
        load.start(scope, &host, (session, "a"), &alice);
        scope.spawn(|| administer(&place, &port, &admin, &answered, &stop));
        for round in 0..times {
            let name = format!("revoked-{round}");
            let revoked = place.user(&name, &policy("Allow", WRITE, "r"));
            let id = let_in(&revoked, "a login before");
            std::thread::sleep(Duration::from_millis(dice.below(100)));
            let (both, which) = (dice.below(3) == 0, dice.below(2) == 0);
            // Dropping is kill -9.
            if both || which {
                drop(serving.take());
            }
            if both || !which {
                drop(agent.take());
            }
            let body = format!(
                "Action=UpdateAccessKey&Version=2010-05-08&UserName={name}&AccessKeyId={}&Status=Inactive",
                revoked.0
            );
            assert_eq!(host.decide(session, "a"), Outcome::Allow, "it rides out the kill");
            std::thread::sleep(Duration::from_millis(dice.below(100)));
            if serving.is_none() {
                serving = Some(Serving::start(&place, port.load(Ordering::SeqCst)));
            }
            if agent.is_none() {
                agent = Some(apart.start());
            }
            until("a revocation", || iam(&place, port.load(Ordering::SeqCst), &admin, &body).status == 200);
            host.becomes(id, "r", Outcome::Deny);
        }
        load.goes_on("after all", 3);
    });
    let answered = answered.into_inner().unwrap();
    println!(
        "{times} kills: {} writes answered, {} operations allowed, {} logins, {} put off",
        answered.len(),
        Load::get(&load.allowed),
        Load::get(&load.logins),
        Load::get(&load.put_off)
    );
    assert_eq!(Load::get(&load.undecided), 0);
    check(&place, &host, &answered);
}

/// Ends the administrator, also when a test fails.
struct Stopped<'a>(&'a AtomicBool);

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// X-05, X-06: whatever is killed, and when: what was answered is there, what
/// was revoked stays revoked, nobody is refused or let in for it.
#[test]
fn x_06_kills_lose_nothing_that_was_answered() {
    kill(4);
}

#[test]
#[ignore = "takes long: scripts/test weather"]
fn long_x_06_fifty_kills_lose_nothing_that_was_answered() {
    kill(50);
}
