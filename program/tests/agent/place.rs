// SPDX-License-Identifier: Apache-2.0
//! A place where an agent of its own user runs: a store, users in it, the
//! program, and the settings of agent and host.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use standin::access_control::{Owner, Store, StoreFiles};
use standin::credential::Secret;
use standin::credential::sigv4::{Signing, sign_msk_iam};
use standin::settings::Given;
use standin::time::{Clock, SystemClock, SystemRandom};

pub(crate) const CLUSTER: &str = "arn:aws:kafka:us-east-1:123456789012:cluster/demo/u-1";
/// `nobody`: the agent's user. The host, which runs these tests, is root.
pub(crate) const AGENT: u32 = 65_534;

/// See the module's page.
pub(crate) struct Place {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) store: Store,
}

/// An agent's process; killed when dropped.
pub(crate) struct Agent {
    pub(crate) child: Child,
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

impl Agent {
    /// What it wrote to its log; ends it, in good order so that all is written.
    pub(crate) fn log(mut self) -> String {
        let process = rustix::process::Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        // It may have ended by itself.
        let _gone = rustix::process::kill_process(process, rustix::process::Signal::TERM);
        let mut text = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        text
    }
}

/// Waits until `happened`; fails after half a minute.
pub(crate) fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let by = Instant::now() + Duration::from_secs(30);
    while !happened() {
        assert!(Instant::now() < by, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}

impl Place {
    pub(crate) fn new() -> Self {
        assert_eq!(
            rustix::process::geteuid().as_raw(),
            0,
            "these tests start processes of other users: run them as root"
        );
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        for sub in ["agent", "run"] {
            std::fs::create_dir(at(sub)).unwrap();
            std::fs::set_permissions(at(sub), std::fs::Permissions::from_mode(0o750)).unwrap();
        }
        // Where it was built may be closed to the agent's user.
        std::fs::copy(env!("CARGO_BIN_EXE_standin"), at("standin")).unwrap();
        let files = StoreFiles { store: at("agent/store.db"), key_file: at("agent/store.db.key") };
        let (clock, random) = (Arc::new(SystemClock::new()), Arc::new(SystemRandom));
        let store = Store::create(&files, "123456789012", clock, random).unwrap();
        let place = Self { dir, store };
        place.configure("");
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes the agent's settings, and gives it what is its own.
    pub(crate) fn configure(&self, more: &str) {
        let (store, socket) = (self.path("agent/store.db"), self.path("run/agent.sock"));
        let text = format!(
            "store = {store:?}\ncluster.arn = {CLUSTER:?}\nfeed.interval.ms = 10\nagent.socket = {socket:?}\n\
             agent.host.users = \"root\"\n{more}\n"
        );
        std::fs::write(self.path("agent/standin.toml"), text).unwrap();
        for dir in ["agent", "run"] {
            chown(self.path(dir), Some(AGENT), Some(AGENT)).unwrap();
            for file in std::fs::read_dir(self.path(dir)).unwrap() {
                chown(file.unwrap().path(), Some(AGENT), Some(AGENT)).unwrap();
            }
        }
    }

    /// Starts the agent as its user and waits until it is ready.
    pub(crate) fn start(&self) -> Agent {
        let child = self.command().spawn().unwrap();
        let mut agent = Agent { child };
        let mut line = String::new();
        BufReader::new(agent.child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("READY /"), "{line:?} {}", agent.log());
        agent
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid", &AGENT.to_string(), "--regid", &AGENT.to_string(), "--clear-groups"])
            .arg(self.path("standin"))
            .args(["agent", "--config"])
            .arg(self.path("agent/standin.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// A user that may do everything on topics of one name.
    pub(crate) fn user(&self, name: &str, topic: &str) -> (String, Secret) {
        self.store.create_user("test", "/", name, &[]).unwrap();
        self.allow(name, topic);
        let (row, secret) = self.store.create_key("test", name).unwrap();
        (row.id, secret)
    }

    /// Gives a user another policy.
    pub(crate) fn allow(&self, name: &str, topic: &str) {
        let document = serde_json::json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "kafka-cluster:Connect", "Resource": CLUSTER},
            {"Effect": "Allow", "Action": "kafka-cluster:*Data",
             "Resource": format!("arn:aws:kafka:us-east-1:123456789012:topic/demo/u-1/{topic}")},
        ]});
        self.store.put_inline("test", Owner::User(name), "own", &document.to_string()).unwrap();
    }
}

/// The host's settings for the agent at a socket.
pub(crate) fn host_settings(dir: &Path, more: &[(&str, &str)]) -> Given {
    static ENGINES: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let name = format!("host-{}", ENGINES.fetch_add(1, std::sync::atomic::Ordering::SeqCst));
    let (socket, audit, user) = (dir.join("run/agent.sock"), dir.join(&name), AGENT.to_string());
    let mut pairs = vec![
        ("standin.agent.placement", "process"),
        ("standin.agent.socket", socket.to_str().unwrap()),
        ("standin.agent.user", user.as_str()),
        ("standin.engine", name.as_str()),
        ("standin.audit.dir", audit.to_str().unwrap()),
        ("standin.cluster.arn", CLUSTER),
        ("standin.hosts", "localhost"),
        ("standin.feed.interval.ms", "10"),
    ];
    pairs.retain(|(name, _)| !more.iter().any(|(n, _)| n == name));
    pairs.extend_from_slice(more);
    Given::read(pairs, None).unwrap()
}

/// What a client signs.
pub(crate) fn message((id, secret): &(String, Secret)) -> String {
    sign_msk_iam(&Signing {
        access_key_id: id,
        secret,
        session_token: None,
        host: "localhost",
        region: "us-east-1",
        date: SystemClock::new().wall(),
        expires: 900,
    })
    .unwrap()
}
