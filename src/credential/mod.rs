// SPDX-License-Identifier: Apache-2.0
//! Formats of credentials: secrets, what is sealed, SigV4 logins, certificates,
//! temporary credentials, hosts' keys, and what keeps bad ones cheap.

pub mod answer;
mod bearer;
pub mod certificate;
pub mod envelope;
mod evidence;
pub mod host;
mod key_file;
pub mod negative;
pub mod replay;
mod secret;
pub mod session_token;
pub mod sigv4;

pub use bearer::bearer_token;
pub use evidence::{CredentialKey, Evidence, EvidenceForm};
pub use secret::{Secret, access_key_id, secret_access_key};
