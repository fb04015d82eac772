// SPDX-License-Identifier: Apache-2.0
//! The credential that stands in for a client at one host, and proving to have
//! it: what goes to the service is the sealed token and a signature over the
//! request, never the secret.

use aws_lc_rs::{digest, hmac};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::{Client, ClientForm};
use crate::credential::Secret;
use crate::credential::envelope::KeyRing;
use crate::fault::{Fault, Status};
use crate::time::{Random, UnixMillis};

const VERSION: u32 = 2;
const CONTEXT: &[u8] = b"impersonation-token";
/// How far a proof's time may be from the service's, milliseconds.
const PROOF_AGE: i64 = 60_000;

/// What an agent holds for one client: the credential that stands in.
pub struct Impersonation {
    /// Its id; not secret.
    pub id: String,
    /// Signs proofs; none when the agent is another process and keeps it.
    pub secret: Option<Secret>,
    /// The sealed token that goes with it, useless without the secret; or the
    /// name under which the agent's process keeps the credential.
    pub token: Vec<u8>,
    /// When it expires.
    pub expires: UnixMillis,
}

/// Shows that the sender holds an impersonation credential, for one request.
#[derive(Clone, PartialEq, Eq)]
pub struct Proof {
    /// The sealed token, or the name of a credential that the agent's process
    /// keeps and will prove to have.
    pub token: Vec<u8>,
    /// The host that sends.
    pub host: String,
    /// When it was made.
    pub at: UnixMillis,
    signature: Option<[u8; 32]>,
}

impl Proof {
    /// A proof as it came over the wire.
    #[must_use]
    pub fn of(token: Vec<u8>, host: &str, at: UnixMillis, signature: [u8; 32]) -> Self {
        Self { token, host: host.to_owned(), at, signature: Some(signature) }
    }

    /// The signature; none when this only names a credential.
    #[must_use]
    pub fn signature(&self) -> Option<&[u8; 32]> {
        self.signature.as_ref()
    }
}

fn text(host: &str, at: UnixMillis, purpose: &str, body: &[u8]) -> String {
    let hash = digest::digest(&digest::SHA256, body);
    let hex: String = hash.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    format!("standin-proof-1\n{host}\n{}\n{purpose}\n{hex}", at.0)
}

impl Impersonation {
    /// A proof for a request of this purpose with this body. Without the
    /// secret it only names the credential; who keeps it makes the proof.
    #[must_use]
    pub fn prove(&self, host: &str, at: UnixMillis, purpose: &str, body: &[u8]) -> Proof {
        let signature = self.secret.as_ref().map(|secret| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose());
            let tag = hmac::sign(&key, text(host, at, purpose, body).as_bytes());
            let mut signature = [0; 32];
            signature.copy_from_slice(tag.as_ref());
            signature
        });
        Proof { token: self.token.clone(), host: host.to_owned(), at, signature }
    }
}

/// What the token holds, sealed by the service for itself.
#[derive(Serialize, Deserialize)]
struct Token {
    v: u32,
    id: String,
    secret: Zeroizing<Vec<u8>>,
    host: String,
    issued: i64,
    expires: i64,
    /// When what the client showed ends. What stands in for the client may be
    /// replaced until then, and proves nothing afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ends: Option<i64>,
    client: ClientForm,
}

/// A client that a proof speaks for, and when what it showed ends.
pub(super) struct Proven {
    pub(super) client: Client,
    pub(super) ends: Option<UnixMillis>,
}

/// Issues a credential that stands in for `client` on `host` until `expires`,
/// and can be replaced until `ends`.
///
/// # Errors
/// When the generator or the cipher fails.
pub(super) fn issue(
    ring: &KeyRing,
    random: &dyn Random,
    client: &Client,
    host: &str,
    (issued, expires): (UnixMillis, UnixMillis),
    ends: Option<UnixMillis>,
) -> Result<Impersonation, Fault> {
    let id = crate::credential::access_key_id(random, "SIMP")?;
    let secret = Secret::random(random, 32)?;
    let token = Token {
        v: VERSION,
        id: id.clone(),
        secret: Zeroizing::new(secret.expose().to_vec()),
        host: host.to_owned(),
        issued: issued.0,
        expires: expires.0,
        ends: ends.map(|at| at.0),
        client: ClientForm::of(client),
    };
    let mut plain =
        serde_json::to_vec(&token).map_err(|e| Fault::internal(format!("a token could not be written: {e}")))?;
    let sealed = ring.seal(random, CONTEXT, &plain);
    plain.zeroize();
    Ok(Impersonation { id, secret: Some(secret), token: sealed?, expires })
}

/// Checks a proof for a request of this purpose with this body; the client its
/// credential stands in for.
///
/// # Errors
/// Refused: not a token of this service, another host's, expired, or not
/// signed with its secret for this very request; undecided: of a newer format.
pub(super) fn check(
    ring: &KeyRing,
    proof: &Proof,
    now: UnixMillis,
    purpose: &str,
    body: &[u8],
) -> Result<Proven, Fault> {
    let plain = ring.open(CONTEXT, &proof.token)?;
    let token: Token = serde_json::from_slice(plain.expose())
        .map_err(|_| Fault::new(Status::Malformed, "an impersonation token cannot be read"))?;
    if token.v != VERSION {
        return Err(Fault::new(
            Status::NewerFormat,
            format!("an impersonation token has format {}, this version reads {VERSION}", token.v),
        ));
    }
    let key = hmac::Key::new(hmac::HMAC_SHA256, &token.secret);
    let signed = text(&proof.host, proof.at, purpose, body);
    let signature = proof.signature.unwrap_or_default();
    hmac::verify(&key, signed.as_bytes(), &signature).map_err(|_| {
        Fault::new(
            Status::SignatureMismatch,
            format!("bad signature: the request was not made with impersonation credential {}", token.id),
        )
    })?;
    if token.host != proof.host {
        return Err(Fault::new(
            Status::NotAllowed,
            format!("impersonation credential {} was issued to {}, not to {}", token.id, token.host, proof.host),
        ));
    }
    let off = now.0.saturating_sub(proof.at.0);
    if off.unsigned_abs() > PROOF_AGE.unsigned_abs() {
        return Err(Fault::new(
            Status::ClockSkew,
            format!("the host's clock is off by {} s; {} s are tolerated", off / 1000, PROOF_AGE / 1000),
        ));
    }
    if token.expires <= now.0 {
        return Err(Fault::new(Status::Expired, format!("impersonation credential {} has expired", token.id)));
    }
    if token.ends.is_some_and(|ends| ends <= now.0) {
        let text = format!("what the client of impersonation credential {} showed has expired", token.id);
        return Err(Fault::new(Status::Expired, text));
    }
    Ok(Proven { ends: token.ends.map(UnixMillis), client: token.client.client()? })
}
