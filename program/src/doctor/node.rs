// SPDX-License-Identifier: Apache-2.0
//! A node as Kafka understands its file: roles, listeners, and which of them
//! offer logins to Standin.

use std::collections::BTreeMap;

use crate::broker::Broker;
use crate::broker::properties::{Entry, Properties};

/// What the JAAS line of a listener of Standin names.
pub(super) const MODULE: &str = "io.standin.kafka.StandinLoginModule";
/// The callback handler of such a listener.
pub(super) const HANDLER: &str = "io.standin.kafka.StandinServerCallbackHandler";
/// The mechanisms of Standin, as Kafka enables them.
pub(super) const MECHANISMS: [&str; 2] = ["AWS_MSK_IAM", "OAUTHBEARER"];

/// One listener.
pub(super) struct Listener {
    /// Name, in upper case as it is usually written.
    pub(super) name: String,
    /// Host it is bound to; empty for all addresses.
    pub(super) bound: String,
    /// Host that clients are told; none when it is not advertised.
    pub(super) told: Option<String>,
    /// Security protocol, if there is one for it.
    pub(super) protocol: Option<String>,
}

impl Listener {
    /// Where its own settings begin.
    pub(super) fn prefix(&self) -> String {
        format!("listener.name.{}.", self.name.to_lowercase())
    }

    /// True when only processes of this machine reach it.
    pub(super) fn is_local(&self) -> bool {
        let bound = self.bound.trim_matches(['[', ']']);
        bound == "localhost" || bound.parse::<std::net::IpAddr>().is_ok_and(|a| a.is_loopback())
    }
}

/// See the module's page.
pub(super) struct Node<'b> {
    pub(super) properties: &'b Properties,
    pub(super) listeners: Vec<Listener>,
    pub(super) is_broker: bool,
    pub(super) is_controller: bool,
    /// Names of controllers' listeners, upper case.
    pub(super) controllers: Vec<String>,
    /// Name of the listener between brokers, upper case.
    pub(super) inter_broker: String,
}

/// Listeners by name, upper case: the host of each.
fn hosts(list: &[&str]) -> BTreeMap<String, String> {
    list.iter()
        .filter_map(|item| {
            let (name, rest) = item.split_once("://")?;
            let host = rest.rsplit_once(':').map_or(rest, |(host, _)| host);
            Some((name.trim().to_uppercase(), host.trim_matches(['[', ']']).to_owned()))
        })
        .collect()
}

/// Protocols that names stand for where nothing maps them.
const PROTOCOLS: [&str; 4] = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"];

impl<'b> Node<'b> {
    pub(super) fn of(broker: &'b Broker) -> Self {
        let properties = &broker.properties;
        let roles = properties.list("process.roles");
        let map: BTreeMap<String, String> = match properties.get("listener.security.protocol.map") {
            Some(map) => map
                .split(',')
                .filter_map(|pair| pair.trim().split_once(':'))
                .map(|(name, protocol)| (name.trim().to_uppercase(), protocol.trim().to_uppercase()))
                .collect(),
            None => PROTOCOLS.iter().map(|p| ((*p).to_owned(), (*p).to_owned())).collect(),
        };
        let told = hosts(&properties.list("advertised.listeners"));
        let listeners = hosts(&properties.list("listeners"))
            .into_iter()
            .map(|(name, bound)| Listener {
                told: told.get(&name).cloned().or_else(|| {
                    // What is bound to one name is told to clients as that.
                    let one = properties.get("advertised.listeners").is_none();
                    (one && !bound.is_empty() && bound != "0.0.0.0" && bound != "::").then(|| bound.clone())
                }),
                protocol: map.get(&name).cloned(),
                bound,
                name,
            })
            .collect();
        let upper = |text: &str| text.to_uppercase();
        let inter_broker = properties.get("inter.broker.listener.name").map(upper);
        let by_protocol = || properties.get("security.inter.broker.protocol").map_or("PLAINTEXT".into(), upper);
        Self {
            is_broker: roles.contains(&"broker"),
            is_controller: roles.contains(&"controller"),
            controllers: properties.list("controller.listener.names").into_iter().map(upper).collect(),
            inter_broker: inter_broker.unwrap_or_else(by_protocol),
            properties,
            listeners,
        }
    }

    /// The JAAS line of a mechanism on a listener.
    pub(super) fn jaas(&self, listener: &Listener, mechanism: &str) -> Option<&'b Entry> {
        self.properties.entry(&format!("{}{}.sasl.jaas.config", listener.prefix(), mechanism.to_lowercase()))
    }

    /// The mechanisms whose JAAS line names Standin's module.
    pub(super) fn offered(&self, listener: &Listener) -> Vec<&'static str> {
        let ours = |m: &&str| self.jaas(listener, m).is_some_and(|e| e.value.contains(MODULE));
        MECHANISMS.into_iter().filter(ours).collect()
    }

    /// Listeners where clients log in to Standin.
    pub(super) fn logins(&self) -> impl Iterator<Item = &Listener> {
        self.listeners.iter().filter(|l| !self.offered(l).is_empty())
    }

    /// A setting of Standin as a listener has it: its own, or that of all.
    pub(super) fn setting(&self, listener: &Listener, name: &str) -> Option<&'b Entry> {
        let own = self.properties.entry(&format!("{}{name}", listener.prefix()));
        own.or_else(|| self.properties.entry(name))
    }

    /// What a listener enables.
    pub(super) fn enabled(&self, listener: &Listener) -> Vec<&'b str> {
        let entry = self.setting(listener, "sasl.enabled.mechanisms");
        entry.map_or(vec!["GSSAPI"], |e| e.value.split(',').map(str::trim).filter(|m| !m.is_empty()).collect())
    }
}
