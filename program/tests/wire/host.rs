// SPDX-License-Identifier: Apache-2.0
//! A host: an engine in this process, at a service on another machine.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use standin::channel::Channel;
use standin::credential::Secret;
use standin::decision::Outcome;
use standin::mechanism::{self, Batch, Engine, Login, Outside};
use standin::policy::ActionId;
use standin::service::Remote;
use standin::session::{Ask, SessionId};
use standin::settings::{EvidenceKind, Given};
use standin::time::{Clock, SystemRandom};

use crate::place::{Place, clock, message, until};

/// A host with an open engine.
pub(crate) struct Host {
    number: u8,
    pub(crate) engine: Arc<Engine>,
    profile: u32,
    pub(crate) write: ActionId,
}

impl Drop for Host {
    fn drop(&mut self) {
        mechanism::close(self.number, Duration::from_secs(5)).unwrap();
    }
}

impl Host {
    pub(crate) fn open(place: &Place, port: u16, credential: &Path, more: &[(&str, &str)]) -> Self {
        Self::with(&place.given(port, credential, more))
    }

    /// With all of its settings.
    pub(crate) fn with(given: &Given) -> Self {
        Self::opened(mechanism::open(given).unwrap(), given)
    }

    /// On a clock of its own.
    pub(crate) fn on(given: &Given, clock: Arc<dyn Clock>) -> Self {
        let settings = mechanism::settings_of(given).unwrap();
        let number = mechanism::open_with(settings, |settings| {
            let random = Arc::new(SystemRandom);
            let service = settings.service.as_ref().unwrap();
            let remote = Arc::new(Remote::open(settings, service, Arc::clone(&clock), Arc::new(SystemRandom))?);
            Ok(Outside { service: Arc::clone(&remote) as _, decisions: remote, clock, random })
        });
        Self::opened(number.unwrap(), given)
    }

    fn opened(number: u8, given: &Given) -> Self {
        let engine = mechanism::engine(number).unwrap();
        let profile = engine.profile(given).unwrap();
        let write = engine.agent().intern("kafka-cluster:WriteData", "topic").unwrap();
        engine.agent().let_ride(write).unwrap();
        Self { number, engine, profile, write }
    }

    pub(crate) fn try_login(&self, key: &(String, Secret)) -> Result<SessionId, standin::fault::Fault> {
        self.login_from(key, None, "192.0.2.7")
    }

    /// A login with a session token, or from another address.
    pub(crate) fn login_from(
        &self,
        key: &(String, Secret),
        token: Option<&str>,
        address: &str,
    ) -> Result<SessionId, standin::fault::Fault> {
        let mut payload = message(key, token, clock().wall()).into_bytes();
        let channel = Channel {
            address: Some(address.parse().unwrap()),
            port: 5000,
            secure: true,
            listener: "CLIENT".into(),
            protocol: "SASL_SSL".into(),
            ..Channel::default()
        };
        let login = Login {
            profile: self.profile,
            kind: EvidenceKind::MskIam,
            payload: &mut payload,
            channel,
            channel_known: true,
            connect: Some((self.engine.kafka_connect(), String::new())),
            wait: Duration::from_secs(20),
        };
        self.engine.log_in(login).map(|done| done.id).map_err(|refusal| refusal.fault)
    }

    pub(crate) fn enter(&self, key: &(String, Secret)) -> SessionId {
        self.try_login(key).unwrap_or_else(|f| panic!("{f}"))
    }

    pub(crate) fn decide(&self, id: SessionId, topic: &str) -> Outcome {
        let ask = Ask { action: self.write, resource: topic, count: 1, log_allow: true, log_deny: true };
        let batch = Batch { wait: Duration::from_secs(5), ..Batch::default() };
        let mut outcome = [Outcome::Undecided];
        self.engine.authorize(id, batch, std::iter::once(ask), &mut outcome).unwrap();
        outcome[0]
    }

    /// Ends the agent; what is decided afterwards.
    pub(crate) fn without_agent(self, id: SessionId, topic: &str) -> Outcome {
        let (engine, write) = (Arc::clone(&self.engine), self.write);
        drop(self);
        let ask = Ask { action: write, resource: topic, count: 1, log_allow: true, log_deny: true };
        let mut outcome = [Outcome::Allow];
        // That the session is gone is told as an error, too.
        drop(engine.authorize(id, Batch::default(), std::iter::once(ask), &mut outcome));
        outcome[0]
    }

    pub(crate) fn becomes(&self, id: SessionId, topic: &str, expected: Outcome) {
        until(&format!("{expected:?}"), || self.decide(id, topic) == expected);
    }

    pub(crate) fn count(&self, counter: impl Fn(&standin::agent::Counters) -> &std::sync::atomic::AtomicU64) -> u64 {
        counter(self.engine.agent().counters()).load(std::sync::atomic::Ordering::SeqCst)
    }

    /// What a metric says.
    pub(crate) fn metric(&self, name: &str) -> i64 {
        let place = mechanism::METRICS.iter().position(|m| *m == name).unwrap();
        self.engine.metrics()[place]
    }

    pub(crate) fn log(&self) -> String {
        self.engine.journal().take(1000).join("\n")
    }
}
