// SPDX-License-Identifier: Apache-2.0
//! Certificates of clients, verified by the host's TLS before they come here:
//! nothing in this room checks a chain or a signature.

use std::fmt;

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::CredentialKey;
use crate::fault::{Fault, Status};
use crate::time::UnixMillis;

/// Longest certificate, bytes.
const LONGEST: usize = 64 * 1024;

/// What a certificate says of its owner.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    fingerprint: [u8; 32],
    key: CredentialKey,
    not_before: UnixMillis,
    not_after: UnixMillis,
    /// The name a listener takes for the user's.
    user: String,
}

/// [`Certificate`] as it is written, for who is to look its owner up elsewhere.
#[derive(Serialize, Deserialize)]
pub struct CertificateForm {
    fingerprint: String,
    not_before: i64,
    not_after: i64,
    user: String,
}

impl CertificateForm {
    /// The form of a certificate.
    #[must_use]
    pub fn of(certificate: &Certificate) -> Self {
        Self {
            fingerprint: hex(&certificate.fingerprint),
            not_before: certificate.not_before.0,
            not_after: certificate.not_after.0,
            user: certificate.user.clone(),
        }
    }

    /// The certificate of a form.
    ///
    /// # Errors
    /// [`Status::Malformed`].
    pub fn certificate(self) -> Result<Certificate, Fault> {
        let mut fingerprint = [0; 32];
        let text = self.fingerprint.as_bytes();
        if text.len() != 64 || !text.iter().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(b)) {
            return Err(malformed("the fingerprint of a certificate has 64 lower-case hexadecimal digits"));
        }
        for (byte, digits) in fingerprint.iter_mut().zip(text.chunks_exact(2)) {
            let digits = std::str::from_utf8(digits).unwrap_or_default();
            *byte = u8::from_str_radix(digits, 16).unwrap_or_default();
        }
        Ok(Certificate {
            fingerprint,
            key: key(&fingerprint),
            not_before: UnixMillis(self.not_before),
            not_after: UnixMillis(self.not_after),
            user: self.user,
        })
    }
}

fn key(fingerprint: &[u8; 32]) -> CredentialKey {
    CredentialKey { access_key_id: format!("{PREFIX}{}", hex(fingerprint)), token: [0; 32] }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("id", &self.id()).field("user", &self.user).finish_non_exhaustive()
    }
}

fn malformed(text: impl Into<String>) -> Fault {
    Fault::new(Status::Malformed, text)
}

/// The one value among these; several leave open who it is.
fn only<'a>(what: &str, mut values: impl Iterator<Item = &'a str>) -> Result<&'a str, Fault> {
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value),
        (None, _) => Err(malformed(format!("the certificate has no {what}"))),
        (Some(_), Some(_)) => Err(malformed(format!("the certificate has more than one {what}"))),
    }
}

impl Certificate {
    /// Reads a certificate in DER. `template` is what
    /// `standin.certificate.identity` has behind `user/`.
    ///
    /// # Errors
    /// [`Status::Malformed`] when it is no certificate, or does not have exactly
    /// one of the name the template asks for.
    pub fn read(der: &[u8], template: &str) -> Result<Self, Fault> {
        if der.len() > LONGEST {
            return Err(malformed(format!("the certificate has {} bytes; at most {LONGEST} are accepted", der.len())));
        }
        let (rest, read) =
            X509Certificate::from_der(der).map_err(|_| malformed("the certificate is not X.509 in DER"))?;
        if !rest.is_empty() {
            return Err(malformed("bytes follow the certificate"));
        }
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(digest::digest(&digest::SHA256, der).as_ref());
        let millis = |at: x509_parser::time::ASN1Time| UnixMillis(at.timestamp().saturating_mul(1000));
        Ok(Self {
            fingerprint,
            key: key(&fingerprint),
            not_before: millis(read.validity().not_before),
            not_after: millis(read.validity().not_after),
            user: user(&read, template)?,
        })
    }

    /// Names the certificate where an access key id would stand.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.key.access_key_id
    }

    /// The same where credentials are told apart.
    #[must_use]
    pub fn key(&self) -> &CredentialKey {
        &self.key
    }

    /// The user it stands for.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// When it ends.
    #[must_use]
    pub fn not_after(&self) -> UnixMillis {
        self.not_after
    }

    /// Checks its time.
    ///
    /// # Errors
    /// [`Status::Expired`] or [`Status::ClockSkew`].
    pub fn check(&self, now: UnixMillis, skew_ms: i64) -> Result<(), Fault> {
        if now.plus(skew_ms) < self.not_before {
            return Err(Fault::new(Status::ClockSkew, "the certificate is not valid yet; set the clock"));
        }
        if now >= self.not_after {
            return Err(Fault::new(Status::Expired, "the certificate has expired"));
        }
        Ok(())
    }
}

/// When a certificate in DER ends, whoever it is for.
///
/// # Errors
/// [`Status::Malformed`] when it is no certificate.
pub fn end_of(der: &[u8]) -> Result<UnixMillis, Fault> {
    let (_, read) = X509Certificate::from_der(der).map_err(|_| malformed("the certificate is not X.509 in DER"))?;
    Ok(UnixMillis(read.validity().not_after.timestamp().saturating_mul(1000)))
}

/// What ids of certificates begin with. No access key id holds a colon.
pub const PREFIX: &str = "x509:";

fn user(certificate: &X509Certificate<'_>, template: &str) -> Result<String, Fault> {
    let fault = |_| malformed("the certificate's subject alternative names cannot be read");
    let names = certificate.subject_alternative_name().map_err(fault)?;
    let names = names.map(|n| n.value.general_names.as_slice()).unwrap_or_default();
    let (place, value) = if template.contains("${cn}") {
        let common = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
        ("${cn}", only("common name", common)?)
    } else if template.contains("${san.dns}") {
        let dns = names.iter().filter_map(|n| if let GeneralName::DNSName(text) = n { Some(*text) } else { None });
        ("${san.dns}", only("DNS name", dns)?)
    } else if template.contains("${san.uri}") {
        let uri = names.iter().filter_map(|n| if let GeneralName::URI(text) = n { Some(*text) } else { None });
        ("${san.uri}", only("URI", uri)?)
    } else {
        let mail = names.iter().filter_map(|n| if let GeneralName::RFC822Name(text) = n { Some(*text) } else { None });
        ("${san.email}", only("mail address", mail)?)
    };
    Ok(template.replace(place, value))
}
