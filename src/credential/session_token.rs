// SPDX-License-Identifier: Apache-2.0
//! Temporary credentials issued by Standin: a session token that holds, sealed,
//! everything the service needs to know them again. Nothing is stored.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use super::envelope::KeyRing;
use crate::fault::{Fault, Status};
use crate::time::Random;

const VERSION: u32 = 1;
const CONTEXT: &[u8] = b"session-token";
/// Longest token, characters.
const LONGEST: usize = 16 * 1024;

/// What a session token says.
#[derive(Serialize, Deserialize)]
pub struct TokenBody {
    /// Version of the format.
    pub v: u32,
    /// The temporary access key id it goes with.
    pub access_key_id: String,
    /// The temporary secret.
    pub secret: String,
    /// ARN of the role; of the user for a session of its own.
    pub subject: String,
    /// Unique id of the role and session name, as `aws:userid` shows it.
    pub user_id: String,
    /// Role session name; empty in a user's own session.
    pub session_name: String,
    /// Source identity.
    pub source_identity: Option<String>,
    /// ARN of who assumed the role.
    pub assumed_by: String,
    /// Session policies, inline.
    pub session_policies: Vec<String>,
    /// Session tags.
    pub tags: Vec<(String, String)>,
    /// Keys of session tags that sessions of roles assumed with it inherit.
    #[serde(default)]
    pub transitive: Vec<String>,
    /// When it was issued, milliseconds since the epoch.
    pub issued: i64,
    /// When it expires, milliseconds since the epoch.
    pub expires: i64,
}

impl Drop for TokenBody {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

impl TokenBody {
    /// The version this code writes.
    pub const VERSION: u32 = VERSION;

    /// The token's text.
    ///
    /// # Errors
    /// When sealing fails or it would be too long.
    pub fn seal(&self, ring: &KeyRing, random: &dyn Random) -> Result<String, Fault> {
        let mut plain = serde_json::to_vec(self)
            .map_err(|e| Fault::internal(format!("a session token could not be written: {e}")))?;
        let sealed = ring.seal(random, CONTEXT, &plain);
        plain.zeroize();
        let token = STANDARD.encode(sealed?);
        if token.len() > LONGEST {
            return Err(Fault::new(
                Status::InvalidArgument,
                "session policies and tags are too long for a session token",
            ));
        }
        Ok(token)
    }

    /// Reads a token that was presented with `access_key_id`. Expiry is the
    /// caller's to check.
    ///
    /// # Errors
    /// [`Status::Malformed`] when it is not a token of this service or belongs
    /// to another key; [`Status::NewerFormat`].
    pub fn open(ring: &KeyRing, token: &str, access_key_id: &str) -> Result<Self, Fault> {
        let malformed =
            || Fault::new(Status::Malformed, "the session token was not issued by this service or is damaged");
        if token.len() > LONGEST {
            return Err(malformed());
        }
        let sealed = STANDARD.decode(token).map_err(|_| malformed())?;
        let plain =
            ring.open(CONTEXT, &sealed).map_err(|f| if f.status == Status::NewerFormat { f } else { malformed() })?;
        let body: Self = serde_json::from_slice(plain.expose()).map_err(|_| malformed())?;
        if body.v != VERSION {
            return Err(Fault::new(
                Status::NewerFormat,
                format!("the session token has format {}, this version reads {VERSION}", body.v),
            ));
        }
        if body.access_key_id != access_key_id {
            return Err(Fault::new(Status::Malformed, "the session token belongs to another access key"));
        }
        Ok(body)
    }
}
