// SPDX-License-Identifier: Apache-2.0
//! What a client shows to log in.

use serde::{Deserialize, Serialize};

use super::certificate::{Certificate, CertificateForm};
use super::sigv4::{Claim, ClaimForm};
use crate::fault::Fault;

/// See the module's page.
#[derive(Debug)]
pub enum Evidence {
    /// A request signed with an access key: to be verified.
    Signature(Box<Claim>),
    /// A certificate: the host has verified it.
    Certificate(Certificate),
}

impl Evidence {
    /// Names the credential: the access key id, or what stands for one.
    #[must_use]
    pub fn credential_id(&self) -> String {
        match self {
            Self::Signature(claim) => claim.access_key_id().to_owned(),
            Self::Certificate(certificate) => certificate.id(),
        }
    }

    /// SHA-256 of the session token; zero without one.
    #[must_use]
    pub fn token_hash(&self) -> [u8; 32] {
        match self {
            Self::Signature(claim) => claim.token_hash(),
            Self::Certificate(_) => [0; 32],
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
