// SPDX-License-Identifier: Apache-2.0
//! Every setting, once: name, scope, default and meaning. What a host passes,
//! what a file holds and what the reference documents all come from the one
//! table in here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::fault::{Fault, Status};
use crate::identity::check_account;

/// Where a setting applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The engine: shared by everything in the process that opens it.
    Engine,
    /// One listener.
    Profile,
    /// The binding that loads the library; the library only knows the name.
    Binding,
}

/// One row of the table of settings.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The full name, beginning with `standin.`.
    pub name: &'static str,
    /// Where it applies.
    pub scope: Scope,
    /// The value when it is not given; empty when there is none.
    pub default: &'static str,
    /// What it does and which values are accepted.
    pub meaning: &'static str,
}

const fn row(name: &'static str, scope: Scope, default: &'static str, meaning: &'static str) -> Setting {
    Setting { name, scope, default, meaning }
}

/// Every setting there is.
pub const SETTINGS: &[Setting] = &[
    row(
        "standin.store",
        Scope::Engine,
        "",
        "Path of the store: one SQLite file, shared by the processes of this machine. Required.",
    ),
    row(
        "standin.key.file",
        Scope::Engine,
        "<store>.key",
        "Path of the key file under which secrets in the store are sealed.",
    ),
    row(
        "standin.engine",
        Scope::Engine,
        "default",
        "Name of the engine. Everything in one process that opens the same name shares it.",
    ),
    row(
        "standin.host",
        Scope::Engine,
        "host/local",
        "Name of this host in audit records (`via`): `host/<cluster>/<node>`, letters, digits and +=,.@-_/.",
    ),
    row(
        "standin.cluster.arn",
        Scope::Engine,
        "",
        "ARN of the cluster: `arn:aws:kafka:REGION:ACCOUNT:cluster/NAME/UUID`. Required for Kafka.",
    ),
    row(
        "standin.cluster.aliases",
        Scope::Engine,
        "",
        "Further cluster ARNs, comma-separated, under which policies match too: the ARNs of a cluster that was moved here.",
    ),
    row(
        "standin.cluster.tags",
        Scope::Engine,
        "",
        "Tags of the cluster (`aws:ResourceTag/KEY`), comma-separated `KEY=VALUE`.",
    ),
    row(
        "standin.arn.match",
        Scope::Engine,
        "fields",
        "`fields`: an allow matches field by field, a deny by whole string, so that names holding `/` or `*` only narrow. `aws`: both by whole string, exactly as AWS.",
    ),
    row(
        "standin.audit.dir",
        Scope::Engine,
        "<directory of the store>/audit",
        "Directory of the audit files (JSON lines, one per boot and rotation).",
    ),
    row(
        "standin.audit.flush.ms",
        Scope::Engine,
        "1000",
        "How often audit records are written and synced, in milliseconds (100 to 60000). What SIGKILL may lose.",
    ),
    row(
        "standin.audit.window.ms",
        Scope::Engine,
        "60000",
        "Window over which allowed operations and repeated denials are counted, in milliseconds (1000 to 3600000).",
    ),
    row(
        "standin.audit.file.max.bytes",
        Scope::Engine,
        "104857600",
        "Size at which an audit file is closed and the next one begun (1 MiB or more).",
    ),
    row(
        "standin.decide",
        Scope::Engine,
        "local",
        "`local`: operations are decided from the client's entitlements. `remote`: the service decides each one that is not cached, proven by the impersonation credential.",
    ),
    row(
        "standin.decide.ttl.ms",
        Scope::Engine,
        "2000",
        "How long an answer of `standin.decide=remote` may be repeated from the cache, in milliseconds (0 to 60000).",
    ),
    row(
        "standin.feed.interval.ms",
        Scope::Engine,
        "50",
        "How often the change feed of the embedded store is read, in milliseconds (10 to 10000).",
    ),
    row(
        "standin.stale.after.ms",
        Scope::Engine,
        "30000",
        "Silence of the change feed after which local logins, renewals and administrative operations stop, in milliseconds (1000 or more).",
    ),
    row(
        "standin.stale.grace.ms",
        Scope::Engine,
        "300000",
        "Silence of the change feed after which nothing is decided any more, in milliseconds (at least standin.stale.after.ms).",
    ),
    row(
        "standin.credential.lifetime.ms",
        Scope::Engine,
        "3600000",
        "Lifetime of impersonation credentials, in milliseconds (1000 to 43200000). Bounds every session.",
    ),
    row("standin.cache.entries", Scope::Engine, "16384", "Most decisions one context keeps (64 to 1048576)."),
    row(
        "standin.delegation.tokens",
        Scope::Engine,
        "refuse",
        "`refuse`: start fails when Kafka delegation tokens are configured beside a Standin listener. `ignore`: it does not; such tokens never carry a Standin principal's rights.",
    ),
    row(
        "standin.idempotent",
        Scope::Engine,
        "kafka",
        "`kafka`: WriteData on any topic permits an idempotent producer, as Kafka does. `strict`: only WriteDataIdempotently does, as MSK does.",
    ),
    row(
        "standin.hosts",
        Scope::Profile,
        "",
        "Names clients dial for this listener, comma-separated, without port: advertised names and bootstrap aliases. Required.",
    ),
    row(
        "standin.regions",
        Scope::Profile,
        "",
        "Regions a signature may name, comma-separated. Default: the region of standin.cluster.arn.",
    ),
    row(
        "standin.session.max.ms",
        Scope::Profile,
        "43200000",
        "Longest session before the client must authenticate again, in milliseconds (1000 or more).",
    ),
    row(
        "standin.login.max.age.ms",
        Scope::Profile,
        "60000",
        "Greatest age of a signed login, in milliseconds (1000 to 900000); the clock skew is added.",
    ),
    row(
        "standin.login.clock.skew.ms",
        Scope::Profile,
        "300000",
        "Tolerated difference between the client's clock and this one, in milliseconds (0 to 900000).",
    ),
    row(
        "standin.login.wait.ms",
        Scope::Profile,
        "1000",
        "Longest wait of one login for the service, in milliseconds (10 to 30000).",
    ),
    row(
        "standin.login.waiting",
        Scope::Profile,
        "2",
        "Most logins that wait for the service at once (1 to 1024); further ones are told to retry. At most half the listener's network threads is right.",
    ),
    row(
        "standin.login.budget",
        Scope::Profile,
        "50",
        "Failed logins per second and client address before further ones are put off (1 to 100000).",
    ),
    row(
        "standin.replay",
        Scope::Profile,
        "audit",
        "`audit`: a repeated signature is counted and recorded. `refuse`: it is refused too (breaks clients that start together with one key).",
    ),
    row(
        "standin.allow.plaintext",
        Scope::Profile,
        "false",
        "`true`: logins over unencrypted channels are accepted. For tests on one machine only.",
    ),
    row(
        "standin.retire.grace.ms",
        Scope::Profile,
        "60000",
        "How long a closed connection's session still serves requests in flight, in milliseconds (0 to 600000).",
    ),
    row(
        "standin.config",
        Scope::Binding,
        "",
        "Path of a TOML file with settings; what the host sets itself wins. The environment variable STANDIN_CONFIG names it too.",
    ),
    row("standin.native.path", Scope::Binding, "", "Path of libstandin.so. When given, nothing else is tried."),
];

/// Names beginning so are accepted and ignored, so that a rolled-back version
/// starts with the settings of a newer one.
const FORWARD: &str = "standin.x.";

/// Settings as given: full name to text. Later sources never overwrite.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given(BTreeMap<String, String>);

impl Given {
    /// Reads name-value pairs and, when they (or the environment variable
    /// `STANDIN_CONFIG`) name a file, the file behind them.
    ///
    /// # Errors
    /// [`Status::InvalidSetting`]: unknown names (with the nearest known one)
    /// and unreadable or malformed files.
    pub fn read<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
        environment: Option<&Path>,
    ) -> Result<Self, Fault> {
        let mut given = Self::default();
        for (name, value) in pairs {
            known(name, "the host's configuration")?;
            given.0.insert(name.to_owned(), value.trim().to_owned());
        }
        let file = given.0.get("standin.config").map(PathBuf::from).or_else(|| environment.map(Path::to_path_buf));
        if let Some(file) = file {
            given.read_file(&file)?;
        }
        Ok(given)
    }

    fn read_file(&mut self, file: &Path) -> Result<(), Fault> {
        let shown = file.display();
        let text = std::fs::read_to_string(file).map_err(|e| invalid(format!("{shown}: cannot be read: {e}")))?;
        let table: toml::Table = text.parse().map_err(|e: toml::de::Error| invalid(format!("{shown}: {e}")))?;
        // Both `[standin]` with keys below it and bare keys are accepted.
        let root = match table.get("standin") {
            Some(toml::Value::Table(inner)) if table.len() == 1 => inner.clone(),
            _ => table,
        };
        let mut flat = Vec::new();
        flatten("standin", &root, &mut flat).map_err(|text| invalid(format!("{shown}: {text}")))?;
        for (name, value) in flat {
            known(&name, &shown.to_string())?;
            self.0.entry(name).or_insert(value);
        }
        Ok(())
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|v| !v.is_empty())
    }

    fn or_default(&self, name: &str) -> &str {
        self.text(name).unwrap_or_else(|| SETTINGS.iter().find(|s| s.name == name).map_or("", |s| s.default))
    }

    fn millis(&self, name: &str, least: i64, most: i64) -> Result<i64, Fault> {
        let text = self.or_default(name);
        match text.parse::<i64>() {
            Ok(value) if (least..=most).contains(&value) => Ok(value),
            _ => Err(invalid(format!("{name}={text}: a whole number from {least} to {most} is accepted"))),
        }
    }

    fn one_of(&self, name: &str, accepted: &[&'static str]) -> Result<&'static str, Fault> {
        let text = self.or_default(name);
        accepted
            .iter()
            .find(|a| **a == text)
            .copied()
            .ok_or_else(|| invalid(format!("{name}={text}: {} is accepted", accepted.join(" or "))))
    }

    fn list(&self, name: &str) -> Vec<String> {
        self.or_default(name).split(',').map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned).collect()
    }

    fn required(&self, name: &str) -> Result<&str, Fault> {
        self.text(name).ok_or_else(|| invalid(format!("{name} is missing; it is required")))
    }
}

fn invalid(text: String) -> Fault {
    Fault::new(Status::InvalidSetting, text)
}

fn flatten(prefix: &str, table: &toml::Table, out: &mut Vec<(String, String)>) -> Result<(), String> {
    for (key, value) in table {
        let name = format!("{prefix}.{key}");
        match value {
            toml::Value::Table(inner) => flatten(&name, inner, out)?,
            toml::Value::String(text) => out.push((name, text.clone())),
            toml::Value::Integer(number) => out.push((name, number.to_string())),
            toml::Value::Boolean(yes) => out.push((name, yes.to_string())),
            toml::Value::Array(items) => {
                let texts: Option<Vec<&str>> = items.iter().map(toml::Value::as_str).collect();
                let texts = texts.ok_or_else(|| format!("{name}: a list of strings is accepted"))?;
                out.push((name, texts.join(",")));
            }
            _ => {
                return Err(format!(
                    "{name}: a string, a whole number, true or false, or a list of strings is accepted"
                ));
            }
        }
    }
    Ok(())
}

fn known(name: &str, source: &str) -> Result<(), Fault> {
    if name.starts_with(FORWARD) || SETTINGS.iter().any(|s| s.name == name) {
        return Ok(());
    }
    let nearest = SETTINGS.iter().min_by_key(|s| distance(s.name, name)).map_or("", |s| s.name);
    Err(invalid(format!("{source}: {name} is not a setting; did you mean {nearest}?")))
}

/// Edit distance (Levenshtein).
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut corner = i;
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
        for (j, cb) in b.iter().enumerate() {
            let left = row.get(j).copied().unwrap_or(0);
            let above = row.get(j + 1).copied().unwrap_or(0);
            let best = (corner + usize::from(ca != *cb)).min(left + 1).min(above + 1);
            if let Some(cell) = row.get_mut(j + 1) {
                *cell = best;
            }
            corner = above;
        }
    }
    row.last().copied().unwrap_or(0)
}

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
    /// [`Status::InvalidSetting`] naming the setting, its value and what is
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
            credential_lifetime: given.millis("standin.credential.lifetime.ms", 1000, 43_200_000)?,
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

/// The settings of one listener, validated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileSettings {
    /// Names clients dial, lower-case.
    pub hosts: Vec<String>,
    /// Accepted regions.
    pub regions: Vec<String>,
    /// Longest session, milliseconds.
    pub session_max: i64,
    /// Greatest age of a login, milliseconds.
    pub login_max_age: i64,
    /// Tolerated clock difference, milliseconds.
    pub clock_skew: i64,
    /// Longest wait for the service, milliseconds.
    pub login_wait: i64,
    /// Most logins waiting at once.
    pub login_waiting: usize,
    /// Failed logins per second and address.
    pub login_budget: u32,
    /// True when repeated signatures are refused.
    pub refuse_replay: bool,
    /// True when unencrypted channels are accepted.
    pub allow_plaintext: bool,
    /// How long a closed connection's session still serves, milliseconds.
    pub retire_grace: i64,
}

impl ProfileSettings {
    /// Validates the listener's part of what was given. `cluster` is the
    /// cluster's ARN, whose region is the default of accepted regions.
    ///
    /// # Errors
    /// [`Status::InvalidSetting`] naming the setting, its value and what is
    /// accepted.
    pub fn of(given: &Given, cluster: Option<&str>) -> Result<Self, Fault> {
        let hosts: Vec<String> = given.list("standin.hosts").iter().map(|h| h.to_ascii_lowercase()).collect();
        if hosts.is_empty() {
            return Err(invalid(
                "standin.hosts is missing; list the names clients dial for this listener, without port".into(),
            ));
        }
        if let Some(bad) = hosts.iter().find(|h| h.contains([':', '/']) && h.parse::<std::net::Ipv6Addr>().is_err()) {
            return Err(invalid(format!("standin.hosts: {bad:?}: names without scheme and port are accepted")));
        }
        let mut regions = given.list("standin.regions");
        if regions.is_empty() {
            regions.extend(cluster.and_then(|arn| arn.split(':').nth(3)).map(str::to_owned));
        }
        if regions.is_empty() {
            return Err(invalid("standin.regions is missing; list the regions clients sign for".into()));
        }
        Ok(Self {
            hosts,
            regions,
            session_max: given.millis("standin.session.max.ms", 1000, i64::from(i32::MAX))?,
            login_max_age: given.millis("standin.login.max.age.ms", 1000, 900_000)?,
            clock_skew: given.millis("standin.login.clock.skew.ms", 0, 900_000)?,
            login_wait: given.millis("standin.login.wait.ms", 10, 30_000)?,
            login_waiting: usize::try_from(given.millis("standin.login.waiting", 1, 1024)?).unwrap_or(2),
            login_budget: u32::try_from(given.millis("standin.login.budget", 1, 100_000)?).unwrap_or(50),
            refuse_replay: given.one_of("standin.replay", &["audit", "refuse"])? == "refuse",
            allow_plaintext: given.one_of("standin.allow.plaintext", &["false", "true"])? == "true",
            retire_grace: given.millis("standin.retire.grace.ms", 0, 600_000)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(pairs: &[(&str, &str)]) -> Result<Given, Fault> {
        Given::read(pairs.iter().copied(), None)
    }

    #[test]
    fn unknown_setting_names_the_nearest() {
        let fault = given(&[("standin.sotre", "/x")]).unwrap_err();
        assert_eq!(fault.status, Status::InvalidSetting);
        assert!(fault.text.contains("did you mean standin.store?"), "{fault}");
    }

    #[test]
    fn settings_of_a_newer_version_are_ignored_under_x() {
        given(&[("standin.x.future", "1")]).unwrap();
    }

    #[test]
    fn file_stands_behind_the_host_and_is_checked_as_strictly() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("standin.toml");
        std::fs::write(&file, "[standin]\nstore = \"/from/file\"\n[standin.stale]\nafter.ms = 2000\n").unwrap();
        let path = file.to_str().unwrap();
        let both = given(&[("standin.config", path), ("standin.store", "/from/host")]).unwrap();
        let settings = EngineSettings::of(&both).unwrap();
        assert_eq!(settings.store, Path::new("/from/host"));
        assert_eq!(settings.stale_after, 2000);
        std::fs::write(&file, "stroe = \"/x\"\n").unwrap();
        let fault = given(&[("standin.config", path)]).unwrap_err();
        assert!(fault.text.contains("standin.store"), "{fault}");
    }

    #[test]
    fn values_outside_what_is_accepted_are_refused_with_the_range() {
        for (name, value, part) in [
            ("standin.audit.flush.ms", "5", "100 to 60000"),
            ("standin.decide", "elsewhere", "local or remote"),
            ("standin.cluster.arn", "arn:aws:kafka:us-east-1:1:cluster/a/b", "without wildcards"),
            ("standin.cluster.tags", "novalue", "KEY=VALUE"),
        ] {
            let fault = EngineSettings::of(&given(&[("standin.store", "/s"), (name, value)]).unwrap()).unwrap_err();
            assert!(fault.text.contains(part) && fault.text.contains("standin."), "{name}: {fault}");
        }
    }

    #[test]
    fn profile_needs_hosts_and_takes_the_clusters_region() {
        let cluster = "arn:aws:kafka:eu-west-1:123456789012:cluster/c/u";
        assert!(ProfileSettings::of(&given(&[]).unwrap(), Some(cluster)).unwrap_err().text.contains("standin.hosts"));
        let profile =
            ProfileSettings::of(&given(&[("standin.hosts", "Broker-1.Example.test")]).unwrap(), Some(cluster)).unwrap();
        assert_eq!(profile.regions, ["eu-west-1"]);
        assert_eq!(profile.hosts, ["broker-1.example.test"]);
        let fault = ProfileSettings::of(&given(&[("standin.hosts", "b:9092")]).unwrap(), Some(cluster)).unwrap_err();
        assert!(fault.text.contains("without scheme and port"), "{fault}");
    }

    #[test]
    fn differing_settings_are_named() {
        let a = EngineSettings::of(&given(&[("standin.store", "/a")]).unwrap()).unwrap();
        let b = EngineSettings::of(&given(&[("standin.store", "/b"), ("standin.decide", "remote")]).unwrap()).unwrap();
        assert_eq!(a.differing(&b), ["standin.store", "standin.key.file", "standin.decide"]);
    }
}
