// SPDX-License-Identifier: Apache-2.0
//! Formats of credentials: secrets, what is sealed, SigV4 logins, temporary
//! credentials, and what keeps bad ones cheap.

pub mod envelope;
pub mod negative;
pub mod replay;
mod secret;
pub mod session_token;
pub mod sigv4;

pub use secret::{Secret, access_key_id, secret_access_key};
