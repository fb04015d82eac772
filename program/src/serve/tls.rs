// SPDX-License-Identifier: Apache-2.0
//! TLS of the service: version 1.2 and 1.3, no certificates of clients. Hosts
//! prove who they are by signing their requests.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use standin::credential::certificate::end_of;
use standin::fault::{Fault, Status};
use standin::time::UnixMillis;

fn wrong(path: &Path, e: impl std::fmt::Display) -> Fault {
    Fault::new(Status::InvalidArgument, format!("{}: {e}", path.display()))
}

/// The configuration with this certificate chain and key, and when the
/// service's certificate ends.
pub(super) fn configuration(chain: &Path, key: &Path) -> Result<(Arc<ServerConfig>, UnixMillis), Fault> {
    let certificates = CertificateDer::pem_file_iter(chain)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| wrong(chain, format!("a certificate chain in PEM is accepted: {e}")))?;
    let own = certificates.first().ok_or_else(|| wrong(chain, "no certificate is in it"))?;
    let ends = end_of(own).map_err(|fault| wrong(chain, fault.text))?;
    let key_der =
        PrivateKeyDer::from_pem_file(key).map_err(|e| wrong(key, format!("a private key in PEM is accepted: {e}")))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut configuration = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Fault::internal(format!("TLS: {e}")))?
        .with_no_client_auth()
        .with_single_cert(certificates, key_der)
        .map_err(|e| wrong(key, format!("it does not fit {}: {e}", chain.display())))?;
    configuration.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((Arc::new(configuration), ends))
}
