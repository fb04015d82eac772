// SPDX-License-Identifier: Apache-2.0
//! A real store with an engine on it, and rules to put into it.

use std::os::unix::fs::DirBuilderExt;
use std::sync::Arc;
use std::time::Duration;

use standin::access_control::{Owner, Store, StoreFiles};
use standin::audit::Journal;
use standin::channel::Channel;
use standin::credential::Secret;
use standin::credential::sigv4::{Signing, sign_msk_iam};
use standin::fault::Fault;
use standin::mechanism::{self, Engine, LoggedIn, Login, Outside};
use standin::placement::{Keeper, Link, Server};
use standin::policy::ActionId;
use standin::service;
use standin::settings::{AgentProcess, EngineSettings, EvidenceKind, Given};
use standin::time::{Clock, Random, SystemClock, SystemRandom};

/// The cluster rules are about.
pub(crate) const CLUSTER: &str = "arn:aws:kafka:us-east-1:123456789012:cluster/demo/u-1";
/// Longest policy document, bytes.
const LONGEST: usize = 120 * 1024;

/// A store, and an engine on it.
pub(crate) struct House {
    _dir: tempfile::TempDir,
    number: u8,
    profile: u32,
    /// The engine.
    pub(crate) engine: Arc<Engine>,
    /// The store.
    pub(crate) store: Store,
    /// May a topic be written?
    pub(crate) write: ActionId,
    _server: Option<Server>,
}

/// An agent that listens, and a host's link to it.
fn behind_a_socket(settings: &EngineSettings) -> Result<(Server, Outside), Fault> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let random: Arc<dyn Random> = Arc::new(SystemRandom);
    let ends = service::open(settings, &clock, &random)?;
    let keeper = Keeper::new(ends, settings, Arc::clone(&clock), Arc::clone(&random));
    let dir = settings.store.with_file_name("run");
    std::fs::DirBuilder::new().mode(0o700).create(&dir).unwrap();
    let process = AgentProcess { socket: dir.join("agent.sock"), user: rustix::process::geteuid().as_raw() };
    let server =
        Server::start(&process.socket, &[process.user], Arc::new(keeper), Arc::new(Journal::default()), || ())?;
    let link = Arc::new(Link::open(&process, &settings.host, Arc::clone(&clock), Arc::clone(&random))?);
    Ok((server, Outside { service: Arc::clone(&link) as _, decisions: link, clock, random }))
}

impl Drop for House {
    fn drop(&mut self) {
        mechanism::close(self.number, Duration::from_secs(5)).unwrap();
    }
}

/// An access key.
pub(crate) struct AccessKey {
    /// Its id.
    pub(crate) id: String,
    /// Its secret.
    pub(crate) secret: Secret,
    /// Session token, for temporary credentials.
    pub(crate) token: Option<String>,
}

impl AccessKey {
    /// The first message of a client, signed now.
    pub(crate) fn message(&self) -> Vec<u8> {
        sign_msk_iam(&Signing {
            access_key_id: &self.id,
            secret: &self.secret,
            session_token: self.token.as_deref(),
            host: "localhost",
            region: "us-east-1",
            date: SystemClock::new().wall(),
            expires: 900,
        })
        .unwrap()
        .into_bytes()
    }
}

/// The channel of a client.
pub(crate) fn channel() -> Channel {
    Channel {
        address: Some("192.0.2.7".parse().unwrap()),
        secure: true,
        listener: "CLIENT".into(),
        protocol: "SASL_SSL".into(),
        ..Channel::default()
    }
}

/// ARN of topics.
pub(crate) fn topic(name: &str) -> String {
    format!("{}/{name}", CLUSTER.replace(":cluster/", ":topic/"))
}

/// Documents with one statement for each resource, which may be written.
pub(crate) fn documents(resources: impl Iterator<Item = String>) -> Vec<String> {
    let begin = || {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"kafka-cluster:Connect","Resource":"{CLUSTER}"}}"#
        )
    };
    let mut documents = vec![begin()];
    for resource in resources {
        let statement = format!(
            r#",{{"Effect":"Allow","Action":["kafka-cluster:WriteData","kafka-cluster:DescribeTopic"],"Resource":"{resource}"}}"#
        );
        if documents.last().is_some_and(|d| d.len() + statement.len() > LONGEST) {
            documents.push(begin());
        }
        documents.last_mut().unwrap().push_str(&statement);
    }
    documents.iter().map(|d| format!("{d}]}}")).collect()
}

impl House {
    /// A store in a temporary directory, with an engine of this name.
    pub(crate) fn new(name: &str) -> Self {
        Self::build(name, false)
    }

    /// The same with the agent behind a socket, in a thread of its own here.
    pub(crate) fn apart(name: &str) -> Self {
        Self::build(name, true)
    }

    fn build(name: &str, apart: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = StoreFiles { store: dir.path().join("store.db"), key_file: dir.path().join("store.db.key") };
        let store = Store::create(&at, "123456789012", Arc::new(SystemClock::new()), Arc::new(SystemRandom)).unwrap();
        let path = at.store.to_str().unwrap();
        let pairs = [
            ("standin.store", path),
            ("standin.engine", name),
            ("standin.cluster.arn", CLUSTER),
            ("standin.hosts", "localhost"),
        ];
        let given = Given::read(pairs, None).unwrap();
        let mut server = None;
        let number = if apart {
            let settings = EngineSettings::of(&given).unwrap();
            mechanism::open_with(settings, |settings| {
                let (started, outside) = behind_a_socket(settings)?;
                server = Some(started);
                Ok(outside)
            })
            .unwrap()
        } else {
            mechanism::open(&given).unwrap()
        };
        let engine = mechanism::engine(number).unwrap();
        let profile = engine.profile(&given).unwrap();
        let write = engine.agent().intern("kafka-cluster:WriteData", "topic").unwrap();
        Self { _dir: dir, number, profile, engine, store, write, _server: server }
    }

    /// A user with these policies.
    pub(crate) fn user(&self, name: &str, documents: &[String]) -> AccessKey {
        self.store.create_user("bench", "/", name, &[]).unwrap();
        for (n, document) in documents.iter().enumerate() {
            self.store.put_inline("bench", Owner::User(name), &format!("p{n}"), document).unwrap();
        }
        let (row, secret) = self.store.create_key("bench", name).unwrap();
        AccessKey { id: row.id, secret, token: None }
    }

    /// Logs in with a message; `known` as hosts do that know the channel then,
    /// else by telling it afterwards, as Kafka does.
    pub(crate) fn log_in(&self, message: &[u8], known: bool) -> LoggedIn {
        let login = Login {
            profile: self.profile,
            kind: EvidenceKind::MskIam,
            payload: &mut message.to_vec(),
            channel: if known { channel() } else { Channel::default() },
            channel_known: known,
            connect: Some((self.engine.kafka_connect(), String::new())),
            wait: Duration::from_secs(2),
        };
        let done = self.engine.log_in(login).map_err(|r| r.fault).unwrap();
        if !known {
            self.engine.bind(done.id, channel()).map_err(|r| r.fault).unwrap();
        }
        done
    }
}
