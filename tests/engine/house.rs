// SPDX-License-Identifier: Apache-2.0
//! A store, an engine on it, and people in it.

use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use standin::access_control::{Owner, Store, StoreFiles};
use standin::audit::Journal;
use standin::channel::Channel;
use standin::credential::Secret;
use standin::credential::sigv4::{Signing, sign_msk_iam};
use standin::decision::Outcome;
use standin::mechanism::{self, Batch, Engine, LoggedIn, Login, Outside, Refusal};
use standin::placement::{Keeper, Link, Server};
use standin::policy::ActionId;
use standin::service::Embedded;
use standin::session::{Ask, SessionId};
use standin::settings::{AgentProcess, EngineSettings, EvidenceKind, Given};
use standin::time::{Clock, ManualClock, SystemClock, SystemRandom, UnixMillis};

use crate::service::Stub;

pub(crate) const CLUSTER: &str = "arn:aws:kafka:us-east-1:123456789012:cluster/demo/u-1";

static HOUSES: AtomicU64 = AtomicU64::new(0);

/// See the module's page.
pub(crate) struct House {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) number: u8,
    pub(crate) engine: Arc<Engine>,
    pub(crate) profile: u32,
    pub(crate) store: Store,
    pub(crate) service: Arc<Stub>,
    #[allow(dead_code, reason = "only one of the two runs looks into it")]
    pub(crate) agent: Option<Agent>,
    /// Moves only when told, when the house was built on it.
    pub(crate) clock: Arc<ManualClock>,
    time: Arc<dyn Clock>,
    pub(crate) given: Given,
    pub(crate) write: ActionId,
    pub(crate) read: ActionId,
}

impl Drop for House {
    fn drop(&mut self) {
        mechanism::close(self.number, Duration::from_secs(5)).unwrap();
    }
}

pub(crate) fn files(dir: &Path) -> StoreFiles {
    StoreFiles { store: dir.join("store.db"), key_file: dir.join("store.db.key") }
}

/// Settings of a store in `dir`, and more.
pub(crate) fn given(dir: &Path, more: &[(&str, &str)]) -> Given {
    let store = files(dir).store;
    let engine = format!("house-{}", HOUSES.fetch_add(1, Ordering::SeqCst));
    let mut pairs = vec![
        ("standin.store", store.to_str().unwrap()),
        ("standin.engine", &engine),
        ("standin.cluster.arn", CLUSTER),
        ("standin.hosts", "localhost"),
        ("standin.feed.interval.ms", "10"),
    ];
    pairs.retain(|(name, _)| !more.iter().any(|(n, _)| n == name));
    pairs.extend_from_slice(more);
    Given::read(pairs, None).unwrap()
}

/// A directory in memory where there is one: these tests are not about disks.
pub(crate) fn place() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

fn start(dir: &Path, time: &Arc<dyn Clock>, given: &Given) -> (u8, Arc<Stub>, Option<Agent>) {
    let settings = EngineSettings::of(given).unwrap();
    assert!(settings.store.starts_with(dir));
    let (mut service, mut agent) = (None, None);
    let number = mechanism::open_with(settings, |settings| {
        let stub = Stub::new(Embedded::open(settings, Arc::clone(time), Arc::new(SystemRandom))?);
        service = Some(Arc::clone(&stub));
        let (clock, random) = (Arc::clone(time), Arc::new(SystemRandom));
        if !apart() {
            return Ok(Outside { service: Arc::clone(&stub) as _, decisions: stub, clock, random });
        }
        let socket = dir.join("agent").join(format!("{}.sock", settings.name));
        agent = Some(Agent::start(&socket, settings, &stub, &clock));
        let process = AgentProcess { socket, user: rustix::process::geteuid().as_raw() };
        let link = Arc::new(Link::open(&process, &settings.host, Arc::clone(&clock), Arc::new(SystemRandom))?);
        Ok(Outside { service: Arc::clone(&link) as _, decisions: link, clock, random })
    })
    .unwrap();
    (number, service.unwrap(), agent)
}

/// True in the run in which the engine's secrets are with an agent behind a
/// socket; it is the same program under another name.
pub(crate) fn apart() -> bool {
    env!("CARGO_CRATE_NAME") == "engine_apart"
}

/// The other side of the socket.
#[allow(dead_code, reason = "only one of the two runs looks into it")]
pub(crate) struct Agent {
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) socket: std::path::PathBuf,
    _server: Server,
}

impl Agent {
    pub(crate) fn start(socket: &Path, settings: &EngineSettings, stub: &Arc<Stub>, clock: &Arc<dyn Clock>) -> Self {
        let ends = (Arc::clone(stub) as _, Arc::clone(stub) as _);
        let keeper = Keeper::new(ends, settings, Arc::clone(clock), Arc::new(SystemRandom));
        let keeper = Arc::new(keeper);
        let user = rustix::process::geteuid().as_raw();
        let server = Server::start(socket, &[user], Arc::clone(&keeper), Arc::new(Journal::default()), || ()).unwrap();
        Self { keeper, socket: socket.to_owned(), _server: server }
    }
}

fn build(time: Arc<dyn Clock>, clock: Arc<ManualClock>, more: &[(&str, &str)]) -> House {
    let dir = place();
    std::fs::DirBuilder::new().mode(0o700).create(dir.path().join("agent")).unwrap();
    let at = files(dir.path());
    let store = Store::create(&at, "123456789012", Arc::clone(&time), Arc::new(SystemRandom)).unwrap();
    let given = given(dir.path(), more);
    let (number, service, agent) = start(dir.path(), &time, &given);
    let engine = mechanism::engine(number).unwrap();
    let profile = engine.profile(&given).unwrap();
    let write = engine.agent().intern("kafka-cluster:WriteData", "topic").unwrap();
    let read = engine.agent().intern("kafka-cluster:ReadData", "topic").unwrap();
    House { dir, number, engine, profile, store, service, agent, clock, time, given, write, read }
}

/// Another engine on the same store: a controller beside the broker.
pub(crate) struct Neighbour {
    pub(crate) number: u8,
    pub(crate) engine: Arc<Engine>,
    pub(crate) service: Arc<Stub>,
    _agent: Option<Agent>,
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        mechanism::close(self.number, Duration::from_secs(5)).unwrap();
    }
}

/// A house in real time.
pub(crate) fn house(more: &[(&str, &str)]) -> House {
    build(Arc::new(SystemClock::new()), Arc::new(ManualClock::default()), more)
}

/// A house whose time stands still until it is moved. 2026-01-02T03:04:05Z.
pub(crate) fn still_house(more: &[(&str, &str)]) -> House {
    let clock = Arc::new(ManualClock::at(UnixMillis(1_767_323_045_000)));
    build(Arc::clone(&clock) as _, clock, more)
}

/// A policy that allows to connect, and one statement on topics.
pub(crate) fn policy(effect: &str, actions: &[&str], topic: &str) -> String {
    serde_json::json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "kafka-cluster:Connect", "Resource": CLUSTER},
        {"Sid": "Data", "Effect": effect, "Action": actions, "Resource": format!("arn:aws:kafka:us-east-1:123456789012:topic/demo/u-1/{topic}")},
    ]})
    .to_string()
}

/// The channel of a client at an address.
pub(crate) fn channel(address: &str) -> Channel {
    Channel {
        address: Some(address.parse().unwrap()),
        port: 5000,
        secure: true,
        listener: "CLIENT".into(),
        protocol: "SASL_SSL".into(),
        ..Channel::default()
    }
}

impl House {
    #[allow(dead_code, reason = "not every run looks at it")]
    pub(crate) fn time(&self) -> &dyn Clock {
        &*self.time
    }

    /// Starts another engine on this store, with the same actions.
    pub(crate) fn neighbour(&self) -> Neighbour {
        let (number, service, agent) = start(self.dir.path(), &self.time, &given(self.dir.path(), &[]));
        let engine = mechanism::engine(number).unwrap();
        engine.agent().intern("kafka-cluster:WriteData", "topic").unwrap();
        engine.agent().intern("kafka-cluster:ReadData", "topic").unwrap();
        Neighbour { number, engine, service, _agent: agent }
    }

    /// What a client signs.
    pub(crate) fn message(&self, id: &str, secret: &Secret, token: Option<&str>) -> String {
        sign_msk_iam(&Signing {
            access_key_id: id,
            secret,
            session_token: token,
            host: "localhost",
            region: "us-east-1",
            date: self.time.wall(),
            expires: 900,
        })
        .unwrap()
    }

    pub(crate) fn present(&self, message: &str, channel: Channel, channel_known: bool) -> Result<LoggedIn, Refusal> {
        let wait = Duration::from_secs(2);
        let mut payload = message.as_bytes().to_vec();
        self.engine.log_in(Login {
            profile: self.profile,
            kind: EvidenceKind::MskIam,
            payload: &mut payload,
            channel,
            channel_known,
            connect: Some((self.engine.kafka_connect(), String::new())),
            wait,
        })
    }

    pub(crate) fn log_in(&self, id: &str, secret: &Secret, token: Option<&str>) -> Result<LoggedIn, Refusal> {
        self.present(&self.message(id, secret, token), channel("192.0.2.7"), true)
    }

    /// Logs in; the session.
    pub(crate) fn enter(&self, (id, secret): &(String, Secret)) -> SessionId {
        self.log_in(id, secret, None).map_err(|r| r.fault).unwrap().id
    }

    pub(crate) fn decide_waiting(&self, id: SessionId, action: ActionId, topic: &str, wait: u64) -> Outcome {
        decide_in(&self.engine, id, action, topic, wait)
    }

    pub(crate) fn decide(&self, id: SessionId, action: ActionId, topic: &str) -> Outcome {
        self.decide_waiting(id, action, topic, 0)
    }

    pub(crate) fn user(&self, name: &str, document: &str) -> (String, Secret) {
        self.store.create_user("test", "/", name, &[]).unwrap();
        self.store.put_inline("test", Owner::User(name), "own", document).unwrap();
        let (row, secret) = self.store.create_key("test", name).unwrap();
        (row.id, secret)
    }

    /// Waits until `happened`; fails after some seconds.
    pub(crate) fn until(&self, what: &str, mut happened: impl FnMut() -> bool) {
        let by = Instant::now() + Duration::from_secs(30);
        while !happened() {
            assert!(Instant::now() < by, "{what} did not happen");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits until the decision is as expected.
    pub(crate) fn becomes(&self, id: SessionId, action: ActionId, topic: &str, expected: Outcome) {
        self.until(&format!("{expected:?}"), || self.decide(id, action, topic) == expected);
    }

    /// Waits until the worker has followed every change up to now.
    pub(crate) fn settled(&self) {
        let newest = self.store.revision().unwrap();
        self.until("following", || self.engine.agent().applied() >= newest);
    }

    /// Every record of the audit, flushed first.
    pub(crate) fn records(&self) -> Vec<serde_json::Value> {
        self.engine.recorder().flush(self.time.wall()).unwrap();
        let mut records = Vec::new();
        for file in std::fs::read_dir(self.dir.path().join("audit")).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            records.extend(text.lines().map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap()));
        }
        records
    }
}

/// One decision of an engine.
pub(crate) fn decide_in(engine: &Engine, id: SessionId, action: ActionId, topic: &str, wait: u64) -> Outcome {
    let ask = Ask { action, resource: topic, count: 1, log_allow: true, log_deny: true };
    let batch = Batch { wait: Duration::from_millis(wait), ..Batch::default() };
    let mut outcome = [Outcome::Allow];
    engine.authorize(id, batch, std::iter::once(ask), &mut outcome).unwrap();
    outcome[0]
}
