// SPDX-License-Identifier: Apache-2.0
//! AWS Signature Version 4: the query form, as MSK IAM clients use it to log
//! in, and signed HTTP requests.

mod claim;
mod key;
mod payload;
pub mod percent;
mod request;
mod sign;
mod token;

use percent::encode;

pub use claim::{Claim, ClaimForm, LoginRules};
pub use key::{KeyScope, LEASE, SigningKey};
pub use payload::{VERSION, read_msk_iam};
pub use request::{HttpParts, RequestClaim};
pub use sign::{Signing, sign_msk_iam};
pub use token::read_token;

/// The algorithm's name.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The action every login by `AWS_MSK_IAM` signs.
const ACTION: &str = "kafka-cluster:Connect";
/// The service every login by `AWS_MSK_IAM` signs for.
const SERVICE: &str = "kafka-cluster";
/// SHA-256 of nothing: the body's hash.
const EMPTY_HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Lower-case hexadecimal.
fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from(if half < 10 { b'0' + half } else { b'a' + half - 10 });
    let mut out = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        out.extend([digit(byte >> 4), digit(byte & 15)]);
    }
    out
}
