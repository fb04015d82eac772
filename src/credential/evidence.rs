// SPDX-License-Identifier: Apache-2.0
//! What a client shows to log in.

use serde::{Deserialize, Serialize};

use super::certificate::{Certificate, CertificateForm};
use super::sigv4::{Claim, ClaimForm};
use crate::fault::Fault;

/// Names a client credential: access key and the exact session token bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CredentialKey {
    /// Id of the access key, or what stands for one.
    pub access_key_id: String,
    /// SHA-256 of the session token; zero without one.
    pub token: [u8; 32],
}

/// See the module's page.
#[derive(Debug)]
pub enum Evidence {
    /// A request signed with an access key: to be verified.
    Signature(Box<Claim>),
    /// A certificate: the host has verified it.
    Certificate(Certificate),
}

impl Evidence {
    /// Names the credential.
    #[must_use]
    pub fn key(&self) -> &CredentialKey {
        match self {
            Self::Signature(claim) => claim.key(),
            Self::Certificate(certificate) => certificate.key(),
        }
    }

    /// The signed request, if it is one.
    #[must_use]
    pub fn claim(&self) -> Option<&Claim> {
        match self {
            Self::Signature(claim) => Some(claim),
            Self::Certificate(_) => None,
        }
    }
}

/// [`Evidence`] as it is written, for who is to check it elsewhere.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EvidenceForm {
    /// A signed request.
    Signature(ClaimForm),
    /// A certificate that the host's TLS has verified.
    Certificate(CertificateForm),
}

impl EvidenceForm {
    /// The form of evidence.
    #[must_use]
    pub fn of(evidence: &Evidence) -> Self {
        match evidence {
            Evidence::Signature(claim) => Self::Signature(ClaimForm::of(claim)),
            Evidence::Certificate(certificate) => Self::Certificate(CertificateForm::of(certificate)),
        }
    }

    /// The evidence of a form, of good shape.
    ///
    /// # Errors
    /// [`crate::fault::Status::Malformed`].
    pub fn evidence(self) -> Result<Evidence, Fault> {
        Ok(match self {
            Self::Signature(form) => Evidence::Signature(form.claim()?.into()),
            Self::Certificate(form) => Evidence::Certificate(form.certificate()?),
        })
    }
}
