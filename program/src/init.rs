// SPDX-License-Identifier: Apache-2.0
//! `standin init`: everything a first broker needs, in one directory.

use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use serde_json::json;
use standin::access_control::{Owner, Store, StoreFiles};
use standin::fault::{Fault, Status};
use standin::identity::{Identity, IdentityKind, check_account};
use standin::settings::{EngineSettings, Given, ProfileSettings};
use standin::time::{Random, SystemClock, SystemRandom};
use standin_program::postgres::Place;
use standin_program::store::{is_postgres, make_store};

use crate::Desk;
use crate::output::{self, Output};

/// Options of `standin init`.
#[derive(Args)]
pub(crate) struct Init {
    /// Directory to make everything in.
    #[arg(long)]
    dir: PathBuf,
    /// Account of the identities: twelve digits.
    #[arg(long, default_value = "000000000000")]
    account: String,
    /// Name of the cluster in its ARN.
    #[arg(long, default_value = "demo")]
    cluster_name: String,
    /// Region in the cluster's ARN; the one clients sign for.
    #[arg(long, default_value = "us-east-1")]
    region: String,
    /// Host names clients dial; may be given several times.
    #[arg(long = "host", default_value = "localhost")]
    hosts: Vec<String>,
    /// Name of the broker's listener for Standin's clients.
    #[arg(long, default_value = "CLIENT")]
    listener: String,
    /// Port of that listener.
    #[arg(long, default_value_t = 9098)]
    port: u16,
    /// Name of the first administrator: a user who may call everything of IAM and STS.
    #[arg(long, default_value = "admin")]
    admin: String,
}

/// What administrators may do: everything there is to administer.
const ADMINISTRATOR: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"Everything","Effect":"Allow","Action":["iam:*","sts:*"],"Resource":"*"}]}"#;

/// Makes the first administrator, with its policy and a key; the credentials
/// file for the AWS tools.
fn administrator(store: &Store, name: &str) -> Result<zeroize::Zeroizing<String>, Fault> {
    let actor = crate::actor();
    store.create_user(&actor, "/", name, &[])?;
    let policy = store.put_policy(&actor, "/", "Administrator", ADMINISTRATOR)?;
    store.attach(&actor, Owner::User(name), &policy)?;
    let (key, secret) = store.create_key(&actor, name)?;
    let secret = zeroize::Zeroizing::new(String::from_utf8_lossy(secret.expose()).into_owned());
    let id = key.id;
    Ok(format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = {}\n", *secret).into())
}

fn failed(path: &Path, e: impl std::fmt::Display) -> Fault {
    Fault::new(Status::InvalidArgument, format!("{}: {e}", path.display()))
}

fn write(path: &Path, mode: u32, text: &str) -> Result<(), Fault> {
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(|e| failed(path, e))?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|e| failed(path, e))
}

/// A file to be made: name, mode, content.
type Planned = (&'static str, u32, zeroize::Zeroizing<String>);

/// A CA of this installation's own, and a certificate for the broker.
fn certificates(hosts: &[String]) -> Result<[Planned; 3], Fault> {
    let wrong = |e: rcgen::Error| Fault::new(Status::InvalidArgument, format!("certificate: {e}"));
    let mut ca = CertificateParams::new(Vec::<String>::new()).map_err(wrong)?;
    ca.distinguished_name.push(DnType::CommonName, "Standin development CA");
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let now = time::OffsetDateTime::now_utc();
    ca.not_before = now - time::Duration::hours(1);
    ca.not_after = now + time::Duration::days(3650);
    let issuer = CertifiedIssuer::self_signed(ca, KeyPair::generate().map_err(wrong)?).map_err(wrong)?;
    let mut broker = CertificateParams::new(hosts.to_vec()).map_err(wrong)?;
    broker.distinguished_name.push(DnType::CommonName, hosts.first().map_or("broker", String::as_str));
    broker.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    broker.not_before = now - time::Duration::hours(1);
    broker.not_after = now + time::Duration::days(397);
    let key = KeyPair::generate().map_err(wrong)?;
    let certificate = broker.signed_by(&key, &issuer).map_err(wrong)?;
    // Kafka reads key and chain from one file.
    let keystore = format!("{}{}{}", key.serialize_pem(), certificate.pem(), issuer.pem());
    Ok([
        ("ca.pem", 0o644, issuer.pem().into()),
        ("ca.key.pem", 0o600, issuer.key().serialize_pem().into()),
        ("broker.pem", 0o600, keystore.into()),
    ])
}

impl Init {
    pub(crate) fn run(self, desk: &Desk) -> Result<ExitCode, Fault> {
        let dir = std::path::absolute(&self.dir).map_err(|e| failed(&self.dir, e))?;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(|e| failed(&dir, e))?;
        let database = desk.store.as_deref().filter(|url| is_postgres(url));
        let kept: &[&str] = if database.is_some() { &["store.key"] } else { &["store.db", "store.db.key"] };
        let names = kept.iter().copied().chain([
            "ca.pem",
            "ca.key.pem",
            "broker.pem",
            "admin.credentials",
            "standin.properties",
        ]);
        let present: Vec<&str> = names.clone().filter(|n| dir.join(n).exists()).collect();
        if !present.is_empty() {
            return Err(Fault::new(
                Status::Conflict,
                format!("{} holds {} already; nothing was changed", dir.display(), present.join(", ")),
            ));
        }
        let files = StoreFiles { store: dir.join("store.db"), key_file: dir.join("store.db.key") };
        let mut uuid = [0; 16];
        SystemRandom.fill(&mut uuid)?;
        let hex: String = uuid.iter().map(|b| format!("{b:02x}")).collect();
        let parts: Vec<&str> =
            [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)].into_iter().filter_map(|(a, b)| hex.get(a..b)).collect();
        let arn = format!(
            "arn:aws:kafka:{}:{}:cluster/{}/{}-1",
            self.region,
            self.account,
            self.cluster_name,
            parts.join("-")
        );
        let lines = self.properties(&dir, &arn, database.is_some());
        // Whatever can be wrong with what was asked for is found before.
        self.check(&files.store, &arn)?;
        let certificates = certificates(&self.hosts)?;
        let key_file = desk.key_file.clone().unwrap_or_else(|| dir.join("store.key"));
        let make = || {
            for (name, mode, content) in &certificates {
                write(&dir.join(name), *mode, content)?;
            }
            write(&dir.join("standin.properties"), 0o600, &lines)?;
            // Last: tables of a database that others use cannot be taken back.
            let store = match database {
                Some(url) => make_store(url, Some(&key_file), &self.account)?,
                None => Store::create(&files, &self.account, Arc::new(SystemClock::new()), Arc::new(SystemRandom))?,
            };
            write(&dir.join("admin.credentials"), 0o600, &administrator(&store, &self.admin)?)
        };
        make().inspect_err(|_| {
            // The key file of a database stays: the tables may be there, and
            // would be of no use without it.
            for name in names.clone().chain(["store.db-wal", "store.db-shm"]).filter(|n| *n != "store.key") {
                // None of them was there before; those never made are not there now.
                drop(std::fs::remove_file(dir.join(name)));
            }
        })?;
        let store = match database {
            Some(url) => Place::read(url)?.to_string(),
            None => files.store.display().to_string(),
        };
        if desk.output == Output::Json {
            output::line(
                &json!({"dir": dir.display().to_string(), "store": store, "cluster": arn, "properties": lines})
                    .to_string(),
            );
        } else {
            output::line(&format!("# made in {}: {}", dir.display(), names.collect::<Vec<_>>().join(", ")));
            output::line("# lines for server.properties:");
            output::line(lines.trim_end());
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Reads what will be printed as a broker would.
    fn check(&self, store: &Path, arn: &str) -> Result<(), Fault> {
        check_account(&self.account)?;
        Identity::new("aws", &self.account, IdentityKind::User, "/", &self.admin)?;
        let (store, hosts) = (store.display().to_string(), self.hosts.join(","));
        let pairs =
            [("standin.store", store.as_str()), ("standin.cluster.arn", arn), ("standin.hosts", hosts.as_str())];
        let given = Given::read(pairs, None)?;
        EngineSettings::of(&given)?;
        ProfileSettings::of(&given, Some(arn))?;
        let listener = !self.listener.is_empty()
            && self.listener.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if !listener {
            return Err(Fault::new(
                Status::InvalidArgument,
                format!("listener {:?}: letters, digits, '_' and '-' are accepted", self.listener),
            ));
        }
        Ok(())
    }

    fn properties(&self, dir: &Path, arn: &str, remote: bool) -> String {
        let listener = &self.listener;
        let prefix = format!("listener.name.{}", listener.to_lowercase());
        let dir = dir.display();
        let mechanisms: String = ["aws_msk_iam", "oauthbearer"]
            .iter()
            .map(|mechanism| {
                format!(
                    "{prefix}.{mechanism}.sasl.jaas.config=io.standin.kafka.StandinLoginModule required;\n\
                     {prefix}.{mechanism}.sasl.server.callback.handler.class=io.standin.kafka.StandinServerCallbackHandler\n"
                )
            })
            .collect();
        format!(
            "# add {listener}://0.0.0.0:{port} to listeners, {listener}://{host}:{port} to advertised.listeners,\n\
             # and {listener}:SASL_SSL to listener.security.protocol.map\n\
             {prefix}.sasl.enabled.mechanisms=AWS_MSK_IAM,OAUTHBEARER\n\
             {mechanisms}\
             {prefix}.ssl.keystore.type=PEM\n\
             {prefix}.ssl.keystore.location={dir}/broker.pem\n\
             principal.builder.class=io.standin.kafka.StandinPrincipalBuilder\n\
             authorizer.class.name=io.standin.kafka.StandinAuthorizer\n\
             {store}\n\
             standin.cluster.arn={arn}\n\
             standin.hosts={hosts}\n",
            store = if remote {
                "# standin.service.url=https://…, where `standin serve` with this store listens".to_owned()
            } else {
                format!("standin.store={dir}/store.db")
            },
            port = self.port,
            host = self.hosts.first().map_or("localhost", String::as_str),
            hosts = self.hosts.join(","),
        )
    }
}
