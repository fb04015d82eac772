// SPDX-License-Identifier: Apache-2.0
//! What an engine is set to.

use std::path::{Path, PathBuf};

use super::Given;
use super::given::invalid;
use crate::fault::Fault;
use crate::identity::check_account;

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
    /// The store's file.
    pub store: PathBuf,
    /// The key file.
    pub key_file: PathBuf,
    /// Name of this host in audit records.
    pub host: String,
    /// Cluster ARN and aliases, canonical first; empty outside Kafka.
    pub clusters: Vec<String>,
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
}

impl EngineSettings {
    /// Validates the engine's part of what was given.
    ///
    /// # Errors
    /// [`crate::fault::Status::InvalidSetting`] naming the setting, its value and what is
    /// accepted.
    pub fn of(given: &Given) -> Result<Self, Fault> {
        let store = PathBuf::from(given.required("standin.store")?);
        let key_file = given.text("standin.key.file").map_or_else(
            || {
                let mut name = store.clone().into_os_string();
                name.push(".key");
                PathBuf::from(name)
            },
            PathBuf::from,
        );
        let audit_dir = given
            .text("standin.audit.dir")
            .map_or_else(|| store.parent().unwrap_or(Path::new(".")).join("audit"), PathBuf::from);
        let mut clusters: Vec<String> = given.text("standin.cluster.arn").map(str::to_owned).into_iter().collect();
        let aliases = given.list("standin.cluster.aliases");
        if clusters.is_empty() && !aliases.is_empty() {
            return Err(invalid(
                "standin.cluster.aliases is set, standin.cluster.arn is not; set the cluster's own ARN too".into(),
            ));
        }
        clusters.extend(aliases);
        for arn in &clusters {
            check_cluster(arn)?;
        }
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
        Ok(Self {
            name: given.or_default("standin.engine").to_owned(),
            store,
            key_file,
            host,
            clusters,
            cluster_tags,
            arn_match_aws: given.one_of("standin.arn.match", &["fields", "aws"])? == "aws",
            audit_dir,
            audit_flush: given.millis("standin.audit.flush.ms", 100, 60_000)?,
            audit_window: given.millis("standin.audit.window.ms", 1000, 3_600_000)?,
            audit_file_max: given.millis("standin.audit.file.max.bytes", 1 << 20, i64::MAX)?,
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
        note(self.store != other.store, "standin.store");
        note(self.key_file != other.key_file, "standin.key.file");
        note(self.host != other.host, "standin.host");
        note(self.clusters.first() != other.clusters.first(), "standin.cluster.arn");
        note(self.clusters.get(1..) != other.clusters.get(1..), "standin.cluster.aliases");
        note(self.cluster_tags != other.cluster_tags, "standin.cluster.tags");
        note(self.arn_match_aws != other.arn_match_aws, "standin.arn.match");
        note(self.audit_dir != other.audit_dir, "standin.audit.dir");
        note(self.audit_flush != other.audit_flush, "standin.audit.flush.ms");
        note(self.audit_window != other.audit_window, "standin.audit.window.ms");
        note(self.audit_file_max != other.audit_file_max, "standin.audit.file.max.bytes");
        note(self.decide != other.decide, "standin.decide");
        note(self.decide_ttl != other.decide_ttl, "standin.decide.ttl.ms");
        note(self.feed_interval != other.feed_interval, "standin.feed.interval.ms");
        note(self.stale_after != other.stale_after, "standin.stale.after.ms");
        note(self.stale_grace != other.stale_grace, "standin.stale.grace.ms");
        note(self.credential_lifetime != other.credential_lifetime, "standin.credential.lifetime.ms");
        note(self.cache_entries != other.cache_entries, "standin.cache.entries");
        note(self.idempotent_strict != other.idempotent_strict, "standin.idempotent");
        names
    }
}

fn check_cluster(arn: &str) -> Result<(), Fault> {
    let fields: Vec<&str> = arn.splitn(6, ':').collect();
    let ok = match fields.as_slice() {
        ["arn", partition, "kafka", region, account, rest] => {
            let parts: Vec<&str> = rest.split('/').collect();
            !partition.is_empty()
                && !region.is_empty()
                && check_account(account).is_ok()
                && matches!(parts.as_slice(), ["cluster", name, uuid] if !name.is_empty() && !uuid.is_empty())
                && !arn.contains(['*', '?', '$'])
        }
        _ => false,
    };
    if ok {
        return Ok(());
    }
    Err(invalid(format!(
        "standin.cluster.arn or standin.cluster.aliases: {arn:?}: arn:aws:kafka:REGION:ACCOUNT:cluster/NAME/UUID without wildcards is accepted"
    )))
}
