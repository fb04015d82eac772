// SPDX-License-Identifier: Apache-2.0
//! A store with people in it, certificates, and a service on them.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use standin::access_control::{Owner, Store, StoreFiles};
use standin::credential::sigv4::{Signing, read_msk_iam, sign_msk_iam};
use standin::credential::{Evidence, Secret};
use standin::service::{Enrolment, Remote, enroll};
use standin::settings::{EngineSettings, Given};
use standin::time::{Clock, SystemClock, SystemRandom, UnixMillis};

pub(crate) const CLUSTER: &str = "arn:aws:kafka:us-east-1:123456789012:cluster/demo/u-1";

static ENGINES: AtomicU64 = AtomicU64::new(0);

/// An authority and certificates of it.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// Files of a certificate and its key.
pub(crate) struct Certificate {
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap() }
    }

    /// The authority's own certificate in a file.
    pub(crate) fn file(&self, dir: &Path, name: &str) -> PathBuf {
        let path = dir.join(name);
        std::fs::write(&path, self.issuer.pem()).unwrap();
        path
    }

    /// A certificate for `host` that ended `ended` days ago, or ends in a year.
    pub(crate) fn issue(&self, dir: &Path, name: &str, host: &str, ended: Option<i64>) -> Certificate {
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        let now = time::OffsetDateTime::now_utc();
        params.not_before = now - time::Duration::days(100);
        params.not_after = now + time::Duration::days(ended.map_or(365, |days| -days));
        let key = KeyPair::generate().unwrap();
        let chain = params.signed_by(&key, &self.issuer).unwrap();
        let made = Certificate { chain: dir.join(format!("{name}.pem")), key: dir.join(format!("{name}.key")) };
        std::fs::write(&made.chain, chain.pem()).unwrap();
        std::fs::write(&made.key, key.serialize_pem()).unwrap();
        made
    }
}

/// A process that serves; killed when dropped.
pub(crate) struct Serving {
    pub(crate) child: Child,
    pub(crate) port: u16,
}

impl Serving {
    pub(crate) fn start(place: &Place, port: u16) -> Self {
        Self::start_with(place, port, &[])
    }

    /// With more options.
    pub(crate) fn start_with(place: &Place, port: u16, more: &[&str]) -> Self {
        Self::start_on(&place.url, place, port, more)
    }

    /// On another store with the same key file.
    pub(crate) fn start_on(store: &str, place: &Place, port: u16, more: &[&str]) -> Self {
        Self::start_as(env!("CARGO_BIN_EXE_standin"), store, place, port, more)
    }

    /// Of another program than the one that was just built.
    pub(crate) fn start_as(program: &str, store: &str, place: &Place, port: u16, more: &[&str]) -> Self {
        let mut child = Command::new(program)
            .args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--store", store, "--key-file"])
            .arg(&place.files.key_file)
            .arg("--tls-cert")
            .arg(&place.certificate.chain)
            .arg("--tls-key")
            .arg(&place.certificate.key)
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().rsplit(':').next().unwrap().parse().unwrap_or_else(|_| panic!("{line:?}"));
        Self { child, port }
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.child.id()).unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// Ends it as an administrator does; how it ended.
    pub(crate) fn terminate(mut self) -> std::process::ExitStatus {
        self.signal(rustix::process::Signal::TERM);
        self.child.wait().unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// See the module's page.
pub(crate) struct Place {
    /// The store's.
    pub(crate) url: String,
    pub(crate) dir: tempfile::TempDir,
    pub(crate) files: StoreFiles,
    pub(crate) store: Arc<Store>,
    pub(crate) authority: Authority,
    pub(crate) certificate: Certificate,
    pub(crate) ca: PathBuf,
}

pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::new())
}

/// A policy that allows to connect, and one statement on topics.
pub(crate) fn policy(effect: &str, actions: &[&str], topic: &str) -> String {
    serde_json::json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "kafka-cluster:Connect", "Resource": CLUSTER},
        {"Sid": "Data", "Effect": effect, "Action": actions, "Resource": format!("arn:aws:kafka:us-east-1:123456789012:topic/demo/u-1/{topic}")},
    ]})
    .to_string()
}

impl Place {
    pub(crate) fn new() -> Self {
        let memory = Path::new("/dev/shm");
        Self::within(if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() })
    }

    /// In a directory that is not important beyond the test.
    pub(crate) fn within(dir: tempfile::TempDir) -> Self {
        let files = StoreFiles { store: dir.path().join("store.db"), key_file: dir.path().join("store.db.key") };
        let store = Store::create(&files, "123456789012", clock(), Arc::new(SystemRandom)).unwrap();
        let url = format!("sqlite:{}", files.store.display());
        Self::on(dir, files, store, url)
    }

    /// A service on a store that is there.
    pub(crate) fn on(dir: tempfile::TempDir, files: StoreFiles, store: Store, url: String) -> Self {
        let store = Arc::new(store);
        let authority = Authority::new();
        let certificate = authority.issue(dir.path(), "service", "localhost", None);
        let ca = authority.file(dir.path(), "ca.pem");
        Self { url, dir, files, store, authority, certificate, ca }
    }

    pub(crate) fn serve(&self) -> Serving {
        Serving::start(self, 0)
    }

    /// A copy of the store of this moment; its URL.
    pub(crate) fn copy(&self, name: &str) -> String {
        let to = self.dir.path().join(name);
        self.store.back_up(&to).unwrap();
        format!("sqlite:{}", to.display())
    }

    /// Enrols a host at a service; its credential's file.
    pub(crate) fn enroll(&self, serving: &Serving, name: &str) -> PathBuf {
        let (_, code) = self.store.create_host("test", name, true, 60_000).unwrap();
        self.enroll_by(serving, name, std::str::from_utf8(code.expose()).unwrap()).unwrap()
    }

    pub(crate) fn enroll_by(
        &self,
        serving: &Serving,
        name: &str,
        code: &str,
    ) -> Result<PathBuf, standin::fault::Fault> {
        let file = format!("{}-{}.credential", name.replace('/', "-"), ENGINES.fetch_add(1, Ordering::SeqCst));
        let out = self.dir.path().join(file);
        let enrolment = Enrolment {
            url: format!("https://localhost:{}", serving.port),
            ca: self.ca.clone(),
            host: format!("host/{name}"),
            code: code.to_owned(),
        };
        enroll(&enrolment, &out, clock(), Arc::new(SystemRandom)).map(|_| out)
    }

    /// Settings of a host with this credential at a service on `port`.
    pub(crate) fn given(&self, port: u16, credential: &Path, more: &[(&str, &str)]) -> Given {
        let url = format!("https://localhost:{port}");
        let engine = format!("wire-{}", ENGINES.fetch_add(1, Ordering::SeqCst));
        let audit = self.dir.path().join(&engine);
        let mut pairs = vec![
            ("standin.service.url", url.as_str()),
            ("standin.service.ca", self.ca.to_str().unwrap()),
            ("standin.host.credential", credential.to_str().unwrap()),
            ("standin.audit.dir", audit.to_str().unwrap()),
            ("standin.engine", engine.as_str()),
            ("standin.cluster.arn", CLUSTER),
            ("standin.hosts", "localhost"),
            ("standin.feed.interval.ms", "10"),
        ];
        pairs.retain(|(name, _)| !more.iter().any(|(n, _)| n == name));
        pairs.extend_from_slice(more);
        Given::read(pairs, None).unwrap()
    }

    /// The library's connector for a host, on this clock.
    pub(crate) fn remote_on(&self, port: u16, credential: &Path, ca: &Path, clock: Arc<dyn Clock>) -> Remote {
        let given = self.given(port, credential, &[("standin.service.ca", ca.to_str().unwrap())]);
        let settings = EngineSettings::of(&given).unwrap();
        Remote::open(&settings, settings.service.as_ref().unwrap(), clock, Arc::new(SystemRandom)).unwrap()
    }

    pub(crate) fn remote(&self, port: u16, credential: &Path) -> Remote {
        self.remote_on(port, credential, &self.ca, clock())
    }

    /// A user with a policy of its own; its key.
    pub(crate) fn user(&self, name: &str, document: &str) -> (String, Secret) {
        self.store.create_user("test", "/", name, &[]).unwrap();
        self.store.put_inline("test", Owner::User(name), "own", document).unwrap();
        let (row, secret) = self.store.create_key("test", name).unwrap();
        (row.id, secret)
    }
}

/// What a client signs now.
pub(crate) fn message((id, secret): &(String, Secret), token: Option<&str>, at: UnixMillis) -> String {
    sign_msk_iam(&Signing {
        access_key_id: id,
        secret,
        session_token: token,
        host: "localhost",
        region: "us-east-1",
        date: at,
        expires: 900,
    })
    .unwrap()
}

/// The evidence of a login.
pub(crate) fn evidence(key: &(String, Secret), token: Option<&str>) -> Evidence {
    let text = message(key, token, clock().wall());
    Evidence::Signature(Box::new(read_msk_iam(text.as_bytes()).unwrap()))
}

/// Waits until `happened`; fails after a while.
pub(crate) fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let by = Instant::now() + Duration::from_secs(60);
    while !happened() {
        assert!(Instant::now() < by, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}
