// SPDX-License-Identifier: Apache-2.0
//! A host: an engine in this process.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use standin::channel::Channel;
use standin::decision::Outcome;
use standin::fault::Fault;
use standin::mechanism::{self, Batch, Engine, Login};
use standin::policy::ActionId;
use standin::session::{Ask, SessionId};
use standin::settings::{EvidenceKind, Given};

/// See the module's page.
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
    pub(crate) fn open(given: &Given) -> Result<Self, Fault> {
        let number = mechanism::open(given)?;
        let engine = mechanism::engine(number)?;
        let profile = engine.profile(given)?;
        let write = engine.agent().intern("kafka-cluster:WriteData", "topic")?;
        Ok(Self { number, engine, profile, write })
    }

    pub(crate) fn log_in(&self, message: &str) -> Result<SessionId, Fault> {
        let mut payload = message.as_bytes().to_vec();
        let channel = Channel {
            address: Some("192.0.2.7".parse().unwrap()),
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
            wait: Duration::from_secs(5),
        };
        self.engine.log_in(login).map(|done| done.id).map_err(|refusal| refusal.fault)
    }

    pub(crate) fn decide(&self, id: SessionId, topic: &str, wait: Duration) -> Outcome {
        let ask = Ask { action: self.write, resource: topic, count: 1, log_allow: false, log_deny: false };
        let mut outcome = [Outcome::Deny];
        let batch = Batch { wait, ..Batch::default() };
        self.engine.authorize(id, batch, std::iter::once(ask), &mut outcome).unwrap();
        outcome[0]
    }

    pub(crate) fn service_logins(&self) -> u64 {
        self.engine.agent().counters().service_logins.load(Ordering::SeqCst)
    }

    pub(crate) fn local_logins(&self) -> u64 {
        self.engine.agent().counters().local_logins.load(Ordering::SeqCst)
    }

    /// Milliseconds since the service was heard.
    pub(crate) fn silence(&self) -> i64 {
        let names = standin::mechanism::METRICS;
        let n = names.iter().position(|n| *n == "feed-silence-ms").unwrap();
        self.engine.metrics()[n]
    }
}
