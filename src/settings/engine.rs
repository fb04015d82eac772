// SPDX-License-Identifier: Apache-2.0
//! What an engine is set to.

use std::path::{Path, PathBuf};

use super::agent::{AgentProcess, SOCKET};
use super::given::invalid;
use super::service::{CA, CREDENTIAL, URL};
use super::{Given, ServiceSettings};
use crate::acl::Principals;
use crate::fault::Fault;
use crate::policy::Namespace;

const DELIVER: &str = "standin.audit.deliver";

/// Where decisions are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decide {
    /// From local entitlements.
    Local,
    /// By the service, per operation.
    Remote,
}

/// The settings of an engine, validated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineSettings {
    /// Name of the engine.
    pub name: String,
    /// The agent's process, when it is one of its own.
    pub agent: Option<AgentProcess>,
    /// The service, when it is on another machine.
    pub service: Option<ServiceSettings>,
    /// The store's file; empty when the agent is a process of its own or the
    /// service is on another machine.
    pub store: PathBuf,
    /// The key file; empty as the store.
    pub key_file: PathBuf,
    /// Name of this host in audit records.
    pub host: String,
    /// The host's own and its aliases; empty when resources are asked about by
    /// their whole ARN.
    pub namespaces: Vec<Namespace>,
    /// Tags of the cluster.
    pub cluster_tags: Vec<(String, String)>,
    /// True for AWS's exact ARN matching.
    pub arn_match_aws: bool,
    /// Directory of the audit files.
    pub audit_dir: PathBuf,
    /// How often audit is flushed, milliseconds.
    pub audit_flush: i64,
    /// Counting window of audit, milliseconds.
    pub audit_window: i64,
    /// Size at which an audit file is rotated.
    pub audit_file_max: i64,
    /// True when the audit is delivered to the service.
    pub audit_deliver: bool,
    /// Where decisions are made.
    pub decide: Decide,
    /// How long remote answers are repeated, milliseconds.
    pub decide_ttl: i64,
    /// How often the feed is read, milliseconds.
    pub feed_interval: i64,
    /// Feed silence that stops local logins, milliseconds.
    pub stale_after: i64,
    /// Feed silence that stops decisions, milliseconds.
    pub stale_grace: i64,
    /// Lifetime of impersonation credentials, milliseconds.
    pub credential_lifetime: i64,
    /// Most cached decisions per context.
    pub cache_entries: usize,
    /// True when only WriteDataIdempotently permits idempotent producers.
    pub idempotent_strict: bool,
    /// True when clients that loop are answered late.
    pub denied_slow: bool,
    /// True when Kafka's ACLs decide and policies are only compared with them.
    pub shadow: bool,
    /// Which principal of ACLs is which identity.
    pub principals: Principals,
}

impl EngineSettings {
    /// Validates the engine's part of what was given.
    ///
    /// # Errors
    /// [`crate::fault::Status::InvalidSetting`] naming the setting, its value and what is
    /// accepted.
    pub fn of(given: &Given) -> Result<Self, Fault> {
        let agent = AgentProcess::of(given)?;
        let service = if agent.is_some() { None } else { ServiceSettings::of(given)? };
        let elsewhere = agent.is_some() || service.is_some();
        let (store, key_file) = if elsewhere { Default::default() } else { files(given)? };
        let beside = service.as_ref().map_or(&store, |s| &s.credential);
        let audit_dir = given
            .text("standin.audit.dir")
            .map_or_else(|| beside.parent().unwrap_or(Path::new(".")).join("audit"), PathBuf::from);
        let audit_deliver = given.one_of(DELIVER, &["false", "true"])? == "true";
        if audit_deliver && !elsewhere {
            return Err(invalid(format!("{DELIVER}=true: there is nowhere to deliver to without {URL} or {SOCKET}")));
        }
        let namespaces = namespaces(given)?;
        let cluster_tags = given
            .list("standin.cluster.tags")
            .iter()
            .map(|pair| match pair.split_once('=') {
                Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
                _ => Err(invalid(format!("standin.cluster.tags: {pair:?}: KEY=VALUE is accepted"))),
            })
            .collect::<Result<_, _>>()?;
        let stale_after = given.millis("standin.stale.after.ms", 1000, i64::from(i32::MAX))?;
        let host = given.or_default("standin.host").to_owned();
        if !host.starts_with("host/") {
            return Err(invalid(format!("standin.host={host}: host/<cluster>/<node> is accepted")));
        }
        let shadow = given.one_of("standin.mode", &["enforce", "shadow"])? == "shadow";
        if shadow && !namespaces.first().is_some_and(Namespace::is_cluster) {
            return Err(invalid(format!("standin.mode=shadow: only Kafka has ACLs to compare with; set {ARN} too")));
        }
        let principals =
            Principals::parse(given.or_default(PRINCIPALS)).map_err(|e| invalid(format!("{PRINCIPALS}: {e}")))?;
        Ok(Self {
            name: given.or_default("standin.engine").to_owned(),
            agent,
            service,
            store,
            key_file,
            host,
            namespaces,
            cluster_tags,
            arn_match_aws: given.one_of("standin.arn.match", &["fields", "aws"])? == "aws",
            audit_dir,
            audit_flush: given.millis("standin.audit.flush.ms", 100, 60_000)?,
            audit_window: given.millis("standin.audit.window.ms", 1000, 3_600_000)?,
            audit_file_max: given.millis("standin.audit.file.max.bytes", 1 << 20, i64::MAX)?,
            audit_deliver,
            decide: if given.one_of("standin.decide", &["local", "remote"])? == "local" {
                Decide::Local
            } else {
                Decide::Remote
            },
            decide_ttl: given.millis("standin.decide.ttl.ms", 0, 60_000)?,
            feed_interval: given.millis("standin.feed.interval.ms", 10, 10_000)?,
            stale_after,
            stale_grace: given.millis("standin.stale.grace.ms", stale_after, i64::from(i32::MAX))?,
            credential_lifetime: given.millis("standin.credential.lifetime.ms", 4000, 43_200_000)?,
            cache_entries: usize::try_from(given.millis("standin.cache.entries", 64, 1 << 20)?).unwrap_or(16_384),
            idempotent_strict: given.one_of("standin.idempotent", &["kafka", "strict"])? == "strict",
            denied_slow: given.one_of("standin.denied.slow", &["true", "false"])? == "true",
            shadow,
            principals,
        })
    }

    /// The names of the settings in which `self` and `other` differ.
    #[must_use]
    pub fn differing(&self, other: &Self) -> Vec<&'static str> {
        let mut names = Vec::new();
        let mut note = |differs: bool, name: &'static str| {
            if differs {
                names.push(name);
            }
        };
        note(self.agent.is_some() != other.agent.is_some(), "standin.agent.placement");
        if let (Some(one), Some(two)) = (&self.agent, &other.agent) {
            note(one.socket != two.socket, "standin.agent.socket");
            note(one.user != two.user, "standin.agent.user");
        }
        let (own, others) = (self.service.as_ref(), other.service.as_ref());
        note(own.map(|s| &s.urls) != others.map(|s| &s.urls), URL);
        note(own.map(|s| &s.ca) != others.map(|s| &s.ca), CA);
        note(own.map(|s| &s.credential) != others.map(|s| &s.credential), CREDENTIAL);
        note(self.store != other.store, "standin.store");
        note(self.key_file != other.key_file, "standin.key.file");
        note(self.host != other.host, "standin.host");
        let own = if self.namespaces.first().is_some_and(Namespace::is_cluster) { ARN } else { NAMESPACE };
        note(self.namespaces.first() != other.namespaces.first(), own);
        note(self.namespaces.get(1..) != other.namespaces.get(1..), ALIASES);
        note(self.cluster_tags != other.cluster_tags, "standin.cluster.tags");
        note(self.arn_match_aws != other.arn_match_aws, "standin.arn.match");
        note(self.audit_dir != other.audit_dir, "standin.audit.dir");
        note(self.audit_flush != other.audit_flush, "standin.audit.flush.ms");
        note(self.audit_window != other.audit_window, "standin.audit.window.ms");
        note(self.audit_file_max != other.audit_file_max, "standin.audit.file.max.bytes");
        note(self.audit_deliver != other.audit_deliver, DELIVER);
        note(self.decide != other.decide, "standin.decide");
        note(self.decide_ttl != other.decide_ttl, "standin.decide.ttl.ms");
        note(self.feed_interval != other.feed_interval, "standin.feed.interval.ms");
        note(self.stale_after != other.stale_after, "standin.stale.after.ms");
        note(self.stale_grace != other.stale_grace, "standin.stale.grace.ms");
        note(self.credential_lifetime != other.credential_lifetime, "standin.credential.lifetime.ms");
        note(self.cache_entries != other.cache_entries, "standin.cache.entries");
        note(self.idempotent_strict != other.idempotent_strict, "standin.idempotent");
        note(self.denied_slow != other.denied_slow, "standin.denied.slow");
        note(self.shadow != other.shadow, "standin.mode");
        note(self.principals != other.principals, PRINCIPALS);
        names
    }
}

/// The store's file and the key file.
fn files(given: &Given) -> Result<(PathBuf, PathBuf), Fault> {
    let store = given.required("standin.store")?;
    if store.contains("://") {
        // A URL may hold a password: it is not in the text.
        return Err(invalid(
            "standin.store names a database: the path of a file is accepted; hosts reach a store in a database through `standin serve`".into(),
        ));
    }
    let store = PathBuf::from(store.strip_prefix("sqlite:").unwrap_or(store));
    let key_file = given.text("standin.key.file").map_or_else(
        || {
            let mut name = store.clone().into_os_string();
            name.push(".key");
            PathBuf::from(name)
        },
        PathBuf::from,
    );
    Ok((store, key_file))
}

const PRINCIPALS: &str = "standin.shadow.principals";
const ARN: &str = "standin.cluster.arn";
const ALIASES: &str = "standin.cluster.aliases";
const NAMESPACE: &str = "standin.namespace";

fn namespaces(given: &Given) -> Result<Vec<Namespace>, Fault> {
    let read = |name: &str, text: &str, cluster: bool| {
        let accepted = if cluster {
            "arn:PARTITION:kafka:REGION:ACCOUNT:cluster/NAME/UUID"
        } else {
            "arn:PARTITION:SERVICE:REGION:ACCOUNT"
        };
        Namespace::parse(text)
            .ok()
            .filter(|n| n.is_cluster() == cluster)
            .ok_or_else(|| invalid(format!("{name}: {text:?}: {accepted} without wildcards is accepted")))
    };
    let aliases = given.list(ALIASES);
    let own = match (given.text(ARN), given.text(NAMESPACE)) {
        (Some(_), Some(_)) => {
            return Err(invalid(format!("{ARN} and {NAMESPACE} are both set; a host has one of them")));
        }
        (Some(arn), None) => read(ARN, arn, true)?,
        (None, _) if !aliases.is_empty() => {
            return Err(invalid(format!("{ALIASES} is set, {ARN} is not; set the cluster's own ARN too")));
        }
        (None, Some(service)) => read(NAMESPACE, service, false)?,
        (None, None) => return Ok(Vec::new()),
    };
    let aliases = aliases.iter().map(|arn| read(ALIASES, arn, true));
    std::iter::once(Ok(own)).chain(aliases).collect()
}
