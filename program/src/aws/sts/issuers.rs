// SPDX-License-Identifier: Apache-2.0
//! Asking identity providers over HTTPS, within bounds.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use standin::fault::{Fault, Status};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

use super::Fetcher;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest answer, bytes.
const LONGEST: u64 = 512 * 1024;

/// What fetches over HTTPS: from servers this machine trusts, and from those
/// whose CA is in the file. No redirects are followed: what is fetched decides
/// who is believed.
pub(crate) fn issuers(ca: Option<&Path>) -> Result<Fetcher, Fault> {
    let mut roots: Vec<Certificate<'static>> =
        rustls_native_certs::load_native_certs().certs.iter().map(|c| Certificate::from_der(c).to_owned()).collect();
    if let Some(path) = ca {
        let wrong = |text: String| Fault::new(Status::InvalidSetting, format!("{}: {text}", path.display()));
        let text = std::fs::read(path).map_err(|e| wrong(e.to_string()))?;
        let before = roots.len();
        for item in parse_pem(&text) {
            if let PemItem::Certificate(certificate) = item.map_err(|e| wrong(e.to_string()))? {
                roots.push(certificate);
            }
        }
        if roots.len() == before {
            return Err(wrong("it holds no certificate".to_owned()));
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(RootCerts::new_with_certs(&roots))
        .unversioned_rustls_crypto_provider(provider)
        .build();
    let agent = ureq::Agent::config_builder()
        .https_only(true)
        .max_redirects(0)
        .max_redirects_will_error(true)
        .timeout_global(Some(PATIENCE))
        .max_response_header_size(16 * 1024)
        .tls_config(tls)
        .user_agent(concat!("standin/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent();
    Ok(Arc::new(move |url: &str| {
        let failed = |e: ureq::Error| format!("{e}.");
        let mut response = agent.get(url).call().map_err(failed)?;
        if response.status() != 200 {
            return Err(format!("HTTP status {}.", response.status().as_u16()));
        }
        response.body_mut().with_config().limit(LONGEST).read_to_vec().map_err(failed)
    }))
}
