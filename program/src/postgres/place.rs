// SPDX-License-Identifier: Apache-2.0
//! Where a PostgreSQL database is: its URL, read.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use standin::fault::{Fault, Status};
use tokio_postgres::config::{Config, Host, SslMode, TargetSessionAttrs};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Connections that read, unless the URL says otherwise.
const CONNECTIONS: usize = 8;
/// Where Linux distributions keep the certificates the machine trusts.
const TRUSTED: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem"];

/// See the module's page.
#[derive(Clone)]
pub struct Place {
    pub(super) config: Config,
    pub(super) tls: MakeRustlsConnect,
    /// Most connections that read.
    pub(super) connections: usize,
}

fn wrong(text: impl fmt::Display) -> Fault {
    // The URL may hold a password: it is not in any text.
    Fault::new(Status::InvalidSetting, format!("the store's URL: {text}"))
}

impl Place {
    /// Reads a URL as `psql` takes it, `postgres://user@host/database`, with
    /// `sslrootcert`, `passfile` and `connections` beside the parameters of the
    /// client.
    ///
    /// # Errors
    /// With what is wrong with it, without what it holds.
    pub fn read(url: &str) -> Result<Self, Fault> {
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let (mut kept, mut mode, mut root, mut password) = (Vec::new(), None, None, None);
        let mut connections = CONNECTIONS;
        for pair in query.split('&').filter(|p| !p.is_empty()) {
            match pair.split_once('=') {
                Some(("sslmode", value)) => mode = Some(value),
                Some(("sslrootcert", value)) => root = Some(PathBuf::from(plain(value)?)),
                Some(("passfile", value)) => password = Some(PathBuf::from(plain(value)?)),
                Some(("connections", value)) => {
                    connections = value
                        .parse()
                        .ok()
                        .filter(|n| (1..=200).contains(n))
                        .ok_or_else(|| wrong("connections: 1 to 200 are accepted"))?;
                }
                _ => kept.push(pair),
            }
        }
        let base = if kept.is_empty() { base.to_owned() } else { format!("{base}?{}", kept.join("&")) };
        let mut config: Config = base.parse().map_err(|e| wrong(chain(&e)))?;
        if config.get_hosts().is_empty() {
            return Err(wrong("it names no host; for a socket give host=/the/folder"));
        }
        let remote = config.get_hosts().iter().any(|h| matches!(h, Host::Tcp(_)));
        config.ssl_mode(match mode {
            None if remote => SslMode::Require,
            None | Some("disable") => SslMode::Disable,
            // Certificates are always verified: the weaker modes become this one.
            Some("verify-full" | "verify-ca" | "require") => SslMode::Require,
            Some(other) => {
                return Err(wrong(format!(
                    "sslmode={other}: verify-full and disable are accepted; TLS without verification protects nothing"
                )));
            }
        });
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        if config.get_application_name().is_none() {
            config.application_name("standin");
        }
        if let Some(file) = password {
            config.password(secret(&file)?.as_str());
        }
        let tls = tls(config.get_ssl_mode() == SslMode::Require, root.as_deref())?;
        Ok(Self { config, tls, connections })
    }
}

/// The bytes a part of a URL stands for.
fn plain(text: &str) -> Result<String, Fault> {
    let (mut bytes, mut rest) = (Vec::new(), text.bytes());
    while let Some(b) = rest.next() {
        bytes.push(match b {
            b'%' => {
                let digits = [rest.next(), rest.next()].into_iter().flatten().collect::<Vec<u8>>();
                let byte = std::str::from_utf8(&digits).ok().filter(|d| d.len() == 2);
                byte.and_then(|d| u8::from_str_radix(d, 16).ok()).ok_or_else(|| wrong("a % without two digits"))?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| wrong("a part is not UTF-8"))
}

/// A password from a file that only its owner reads: in a URL on a command line
/// every user of the machine could read it.
fn secret(path: &Path) -> Result<zeroize::Zeroizing<String>, Fault> {
    use std::os::unix::fs::PermissionsExt;
    let shown = path.display();
    let failed = |e: std::io::Error| wrong(format!("passfile {shown}: {e}"));
    let mode = std::fs::metadata(path).map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(wrong(format!(
            "passfile {shown} has mode {mode:04o}: others may read it; run `chmod 600 {shown}`"
        )));
    }
    let text = zeroize::Zeroizing::new(std::fs::read_to_string(path).map_err(failed)?);
    Ok(zeroize::Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// A client that verifies who answers, against the given certificates or those
/// the machine trusts.
fn tls(wanted: bool, root: Option<&Path>) -> Result<MakeRustlsConnect, Fault> {
    let mut roots = rustls::RootCertStore::empty();
    if wanted {
        let found = TRUSTED.iter().map(Path::new).find(|p| p.exists());
        let path = root.or(found).ok_or_else(|| wrong("give sslrootcert=FILE, the CA of the database"))?;
        let shown = path.display();
        for certificate in CertificateDer::pem_file_iter(path).map_err(|e| wrong(format!("{shown}: {e}")))? {
            let certificate = certificate.map_err(|e| wrong(format!("{shown}: {e}")))?;
            // A bundle of the machine may hold one this version cannot use.
            if roots.add(certificate).is_err() && root.is_some() {
                return Err(wrong(format!("{shown} holds a certificate that is not valid")));
            }
        }
        if roots.is_empty() {
            return Err(wrong(format!("{shown} holds no certificate")));
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Fault::internal(format!("TLS: {e}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

/// An error with what caused it.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        for (n, host) in self.config.get_hosts().iter().enumerate() {
            f.write_str(if n == 0 { "" } else { "," })?;
            match host {
                Host::Tcp(name) => f.write_str(name)?,
                Host::Unix(path) => write!(f, "{}", path.display())?,
            }
        }
        write!(f, "/{}", self.config.get_dbname().unwrap_or_default())
    }
}
