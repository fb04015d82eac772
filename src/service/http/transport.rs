// SPDX-License-Identifier: Apache-2.0
//! One signed request and its answer. Whatever is not exactly an answer of the
//! service to this very request is *undecided*: a page of a proxy, half a body,
//! a redirect, another certificate never refuse anybody.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ureq::tls::{PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::DefaultConnector;
use zeroize::Zeroizing;

use super::addresses::{Addresses, Known};
use crate::credential::answer::Asker;
use crate::credential::host::{HostKey, SignedRequest};
use crate::fault::{Fault, Kind, Status};
use crate::files::Kept;
use crate::service::wire::{
    HOST_HEADER, NONCE_HEADER, Problem, SEALED, SIGNATURE_HEADER, TIME_HEADER, VERSION_HEADER, VERSIONS, path,
};
use crate::time::{Clock, Random, Steady};

/// Longest answer, bytes.
const ANSWER: u64 = 16 << 20;
/// Longest head of an answer, bytes.
const HEAD: usize = 16 * 1024;
/// Longest time to connect, milliseconds.
const CONNECT: i64 = 3000;
/// Longest pause a service can ask for, milliseconds.
const PAUSE: i64 = 30_000;
/// How long an idle connection is kept; the service keeps it longer.
const IDLE: Duration = Duration::from_secs(30);
/// Most bytes of a file with certificates.
const CERTIFICATES: u64 = 8 << 20;

/// An answer of the service.
pub(super) struct Answered {
    /// The body.
    pub(super) body: Zeroizing<Vec<u8>>,
    /// How far this clock is before the service's, milliseconds.
    pub(super) ahead: i64,
}

/// Who signs.
pub(super) struct Signer<'a> {
    /// ARN or name of the host.
    pub(super) host: &'a str,
    /// Its key.
    pub(super) key: &'a HostKey,
}

/// See the module's page.
pub(super) struct Transport {
    /// Addresses of the service, without slash at the end.
    urls: Vec<String>,
    /// The one that answered last.
    preferred: AtomicUsize,
    /// Keeps connections.
    agent: Kept<ureq::Agent>,
    known: Arc<Known>,
    /// Nothing is asked before this, on the steady clock: the service said so.
    not_before: AtomicI64,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

/// What brings secrets, or what only hosts may read.
fn brings_secrets(to: &str) -> bool {
    [path::LOGIN, path::RENEW, path::UNSEAL].contains(&to)
}

/// What waits in a pause: not what the host needs to go on with what it has.
fn pauses(to: &str) -> bool {
    ![path::RENEW, path::ENTITLEMENTS, path::REPORT, path::CHANGES, path::AUDIT].contains(&to)
}

fn invalid(text: String) -> Fault {
    Fault::new(Status::InvalidSetting, text)
}

/// The certificates of a PEM file.
fn certificates(ca: &Path) -> Result<RootCerts, Fault> {
    let shown = ca.display();
    let unreadable = |e: std::io::Error| invalid(format!("standin.service.ca={shown}: {e}"));
    if std::fs::metadata(ca).map_err(unreadable)?.len() > CERTIFICATES {
        return Err(invalid(format!("standin.service.ca={shown}: it is too long for certificates in PEM")));
    }
    let pem = std::fs::read(ca).map_err(unreadable)?;
    let mut found = Vec::new();
    for item in parse_pem(&pem) {
        let item = item.map_err(|e| invalid(format!("standin.service.ca={shown}: certificates in PEM: {e}")))?;
        if let PemItem::Certificate(certificate) = item {
            found.push(certificate);
        }
    }
    if found.is_empty() {
        return Err(invalid(format!("standin.service.ca={shown}: no certificate is in it; PEM is accepted")));
    }
    Ok(RootCerts::from(found))
}

impl Transport {
    /// Connections to the service at one of `urls`, whose certificate is of an
    /// authority in the file `ca`.
    pub(super) fn new(
        urls: &[String],
        ca: &Path,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, Fault> {
        // Never the process's own: a host may have installed another.
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(certificates(ca)?)
            .unversioned_rustls_crypto_provider(provider)
            .build();
        let known = Arc::new(Known::default());
        let addresses = Addresses::new(DefaultResolver::default(), Arc::clone(&known));
        let config = ureq::Agent::config_builder()
            .https_only(true)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .no_delay(true)
            .max_response_header_size(HEAD)
            .max_idle_age(IDLE)
            .max_idle_connections(16)
            .max_idle_connections_per_host(8)
            .user_agent(concat!("standin/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls)
            .build();
        let agent = ureq::Agent::with_parts(config, DefaultConnector::default(), addresses);
        Ok(Self {
            urls: urls.to_vec(),
            preferred: AtomicUsize::new(0),
            agent: Kept::new(agent),
            known,
            not_before: AtomicI64::new(i64::MIN),
            clock,
            random,
        })
    }

    /// Ends requests under way; later ones fail.
    pub(super) fn shut_down(&self) {
        if let Ok(agent) = self.agent.get() {
            agent.clone().shutdown();
        }
    }

    /// Sends a request, signed, and reads its answer by `by`. A service that
    /// cannot be reached gives way to the next address.
    pub(super) fn post(&self, signer: &Signer<'_>, path: &str, body: &[u8], by: Steady) -> Result<Answered, Fault> {
        if pauses(path) && self.clock.steady().0 < self.not_before.load(Ordering::Relaxed) {
            return Err(Fault::new(Status::Busy, "the service asked this host to pause: too many requests"));
        }
        let first = self.preferred.load(Ordering::Relaxed);
        let count = self.urls.len();
        let whole = by.since(self.clock.steady());
        let mut failed = Fault::unavailable("there is no address of the service");
        // A connection that was kept may have been closed meanwhile: even one
        // address is tried twice then.
        for n in 0..count.max(2) {
            let index = (first + n) % count.max(1);
            let Some(url) = self.urls.get(index) else { break };
            let alone = count == 1;
            let left = by.since(self.clock.steady());
            match self.once(signer, url, path, body, by) {
                Err(Failed::Broken(fault)) => failed = fault,
                // That little time was not enough says nothing: the reason is what
                // took the rest of it.
                Err(Failed::Unreached(fault)) if n > 0 && fault.status == Status::TimedOut && left < whole / 2 => {}
                Err(Failed::Unreached(fault)) if alone => {
                    self.known.doubt();
                    return Err(fault);
                }
                Err(Failed::Unreached(fault)) => failed = fault,
                Err(Failed::Answered(fault)) => return Err(fault),
                Ok(answered) => {
                    self.preferred.store(index, Ordering::Relaxed);
                    return Ok(answered);
                }
            }
            if self.clock.steady() >= by {
                break;
            }
        }
        self.known.doubt();
        // Slow is no reason to stay: the next request tries another one first.
        self.preferred.store((first + 1) % count.max(1), Ordering::Relaxed);
        Err(failed)
    }

    fn once(&self, signer: &Signer<'_>, url: &str, path: &str, body: &[u8], by: Steady) -> Result<Answered, Failed> {
        let left = by.since(self.clock.steady());
        if left <= 0 {
            return Err(Failed::Unreached(Fault::new(Status::TimedOut, "there was no time left to ask the service")));
        }
        let mut random = [0; 16];
        self.random.fill(&mut random)?;
        let asker = brings_secrets(path).then(Asker::new).transpose()?;
        let nonce = asker.as_ref().map_or_else(|| URL_SAFE_NO_PAD.encode(random), |asker| asker.number().to_owned());
        let (at, host) = (self.clock.wall(), signer.host);
        let signature = signer.key.sign(&SignedRequest { method: "POST", path, host, at, nonce: &nonce, body });
        let [version] = VERSIONS;
        let millis = |n: i64| Some(Duration::from_millis(n.unsigned_abs()));
        let sent = self
            .agent
            .get()?
            .post(format!("{url}{path}"))
            .config()
            .timeout_global(millis(left))
            .timeout_connect(millis(left.min(CONNECT)))
            .build()
            .header("content-type", "application/json")
            .header(VERSION_HEADER, version.to_string())
            .header(HOST_HEADER, host)
            .header(TIME_HEADER, at.0.to_string())
            .header(NONCE_HEADER, &nonce)
            .header(SIGNATURE_HEADER, STANDARD.encode(signature))
            .send(body);
        let mut answer = sent.map_err(|e| Failed::of(url, e))?;
        let (head, own) = (answer.headers(), |name: &str| name.to_owned());
        let header = |name: &str| head.get(name).and_then(|v| v.to_str().ok()).map(own);
        let (echo, time, kind) = (header(NONCE_HEADER), header(TIME_HEADER), header("content-type"));
        let retry = header("retry-after");
        let code = answer.status().as_u16();
        let read = answer.body_mut().with_config().limit(ANSWER).read_to_vec();
        let body = Zeroizing::new(read.map_err(|e| Failed::of(url, e))?);
        let time = time.and_then(|text| text.parse::<i64>().ok());
        let sealed = asker.filter(|_| code == 200 && kind.as_deref() == Some(SEALED));
        let json = sealed.is_some() || kind.as_deref() == Some("application/json");
        let (Some(time), true, true) = (time, echo.as_deref() == Some(nonce.as_str()), json) else {
            let what = match code {
                300..400 => "a redirect is in between",
                404 => "it is of an older version, or something else is in between",
                _ => "something else is in between",
            };
            return Err(Failed::Unreached(Fault::new(
                Status::NotTheService,
                format!("{url}{path} answered {code}, but not as the service does: {what}"),
            )));
        };
        match code {
            200 => {
                Ok(Answered { body: opened(url, path, sealed, body)?, ahead: self.clock.wall().0.saturating_sub(time) })
            }
            429 => Err(self.put_off(url, &body, retry.and_then(|text| text.parse().ok()))),
            _ => Err(problem(url, code, &body)),
        }
    }

    /// What too many requests mean: nothing is decided. When they are too many
    /// of this host or of all, it pauses, for once or twice the time that the
    /// service says, so that hosts do not come back together.
    fn put_off(&self, url: &str, body: &[u8], seconds: Option<i64>) -> Failed {
        let Ok(problem) = serde_json::from_slice::<Problem>(body) else {
            return Failed::Unreached(Fault::unavailable(format!("{url} answered 429 without a reason")));
        };
        if problem.limit.as_deref().is_some_and(|of| of != "identity") {
            let pause = seconds.unwrap_or(1).saturating_mul(1000).clamp(0, PAUSE);
            let mut random = [0; 8];
            // Without it all come back at the same time, which is no harm to one.
            drop(self.random.fill(&mut random));
            let jitter = u64::from_le_bytes(random) % (pause.unsigned_abs() + 1);
            let until = self.clock.steady().plus(pause).plus(i64::try_from(jitter).unwrap_or(0));
            self.not_before.fetch_max(until.0, Ordering::Relaxed);
        }
        Failed::Answered(Fault::new(Status::Busy, problem.text))
    }
}

/// The answer as who asked reads it. A service of the version before does not
/// seal.
fn opened(url: &str, path: &str, asker: Option<Asker>, body: Zeroizing<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, Failed> {
    let Some(asker) = asker else { return Ok(body) };
    asker.open(path, &body).map_err(|fault| Failed::Unreached(Fault::unavailable(format!("{url}: {}", fault.text))))
}

/// Why there is no answer.
enum Failed {
    /// The connection broke; a new one may do better.
    Broken(Fault),
    /// Another address may do better.
    Unreached(Fault),
    /// The service said so.
    Answered(Fault),
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self::Answered(fault)
    }
}

impl Failed {
    fn of(url: &str, e: ureq::Error) -> Self {
        match e {
            ureq::Error::Timeout(_) => {
                Self::Unreached(Fault::new(Status::TimedOut, format!("{url}: no answer in time")))
            }
            ureq::Error::Io(e) => match e.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>()) {
                Some(tls) => Self::Unreached(tls_fault(url, tls)),
                None => Self::Broken(Fault::unavailable(format!("{url}: {e}"))),
            },
            ureq::Error::Rustls(e) => Self::Unreached(tls_fault(url, &e)),
            ureq::Error::Protocol(e) => {
                Self::Unreached(Fault::new(Status::NotTheService, format!("{url} answered what is no answer: {e}")))
            }
            other => Self::Unreached(Fault::unavailable(format!("{url}: {other}"))),
        }
    }
}

/// What is wrong with the other end's TLS.
fn tls_fault(url: &str, e: &rustls::Error) -> Fault {
    let status = match e {
        rustls::Error::InvalidCertificate(_) => Status::Certificate,
        rustls::Error::InvalidMessage(_) => Status::NotTheService,
        _ => Status::Unavailable,
    };
    Fault::new(status, format!("{url}: TLS: {e}"))
}

/// What a problem means. Only what the service decided about a client is
/// passed on as decided.
fn problem(url: &str, code: u16, body: &[u8]) -> Failed {
    let Ok(problem) = serde_json::from_slice::<Problem>(body) else {
        return Failed::Unreached(Fault::unavailable(format!("{url} answered {code} without a reason")));
    };
    // About this host, not about the client: nothing is decided.
    let host = |problem: &Problem| {
        let clock = problem.status == Status::ClockSkew.number();
        let status = if clock { Status::HostClock } else { Status::HostNotBelieved };
        Failed::Answered(Fault::new(status, format!("the service does not believe this host: {}", problem.text)))
    };
    if !problem.speaks.is_empty() {
        let text = format!("the service speaks versions {:?} of the protocol, this host {VERSIONS:?}", problem.speaks);
        return Failed::Answered(Fault::new(Status::NewerFormat, text));
    }
    match (code, problem.fault()) {
        (403, Some(fault)) if fault.kind() == Kind::Refused => Failed::Answered(fault),
        (401, _) => host(&problem),
        (400, Some(fault)) if fault.kind() == Kind::Misuse => Failed::Answered(fault),
        (503, Some(fault)) if fault.kind() == Kind::Undecided => Failed::Unreached(fault),
        _ => Failed::Unreached(Fault::unavailable(format!("{url} answered {code}: {}", problem.text))),
    }
}
