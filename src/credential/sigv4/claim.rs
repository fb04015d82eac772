// SPDX-License-Identifier: Apache-2.0
//! What a client claims by a signed request: everything that can be checked
//! without a key, and the signature that is checked with one.

use std::borrow::Cow;

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};

use super::{ACTION, ALGORITHM, EMPTY_HASH, SERVICE, SigningKey, encode, hex};
use crate::credential::CredentialKey;
use crate::fault::{Fault, Status};
use crate::time::UnixMillis;

/// The fields of a login as they came.
pub(super) struct Fields<'a> {
    pub(super) host: Cow<'a, str>,
    pub(super) credential: Cow<'a, str>,
    pub(super) date: Cow<'a, str>,
    pub(super) signed_headers: Cow<'a, str>,
    pub(super) expires: Cow<'a, str>,
    pub(super) signature: Cow<'a, str>,
    pub(super) security_token: Option<Cow<'a, str>>,
    pub(super) user_agent: Option<Cow<'a, str>>,
    pub(super) form: Form,
    pub(super) action: Cow<'a, str>,
    /// Signed parameters that mean nothing here.
    pub(super) others: Vec<(String, String)>,
}

/// How a signed request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Form {
    /// The fields of `AWS_MSK_IAM`, signed for the name the client dialled.
    MskIam,
    /// A presigned URL, signed for a name all hosts of a region share.
    Token,
}

/// [`Claim`] as it is written, for who is to verify it elsewhere. Holds the
/// signature and no secret; it goes where the login itself would.
#[derive(Serialize, Deserialize)]
pub struct ClaimForm {
    host: String,
    credential: String,
    date: String,
    expires: String,
    signature: String,
    session_token: Option<String>,
    user_agent: String,
    form: Form,
    action: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    others: Vec<(String, String)>,
}

impl ClaimForm {
    /// The form of a claim.
    #[must_use]
    pub fn of(claim: &Claim) -> Self {
        Self {
            host: claim.host.clone(),
            credential: claim.credential.clone(),
            date: claim.date_text.clone(),
            expires: claim.expires_text.clone(),
            signature: claim.signature_hex(),
            session_token: claim.session_token.clone(),
            user_agent: claim.user_agent.clone(),
            form: claim.form,
            action: claim.action.clone().into_owned(),
            others: claim.others.clone(),
        }
    }

    /// The claim of a form, checked as if it had come from the client.
    ///
    /// # Errors
    /// [`Status::Malformed`].
    pub fn claim(self) -> Result<Claim, Fault> {
        Claim::new(Fields {
            host: self.host.into(),
            credential: self.credential.into(),
            date: self.date.into(),
            signed_headers: "host".into(),
            expires: self.expires.into(),
            signature: self.signature.into(),
            security_token: self.session_token.map(Cow::from),
            user_agent: Some(self.user_agent.into()),
            form: self.form,
            action: self.action.into(),
            others: self.others,
        })
    }
}

/// What a listener accepts.
#[derive(Clone, Debug)]
pub struct LoginRules {
    /// Names clients may have dialled, lower-case.
    pub hosts: Vec<String>,
    /// Names tokens may be signed for, lower-case.
    pub token_hosts: Vec<String>,
    /// Services tokens may be signed for.
    pub token_services: Vec<String>,
    /// Actions tokens may name.
    pub token_actions: Vec<String>,
    /// Regions they may have signed for.
    pub regions: Vec<String>,
    /// Greatest age, milliseconds.
    pub max_age_ms: i64,
    /// Tolerated clock difference, milliseconds.
    pub skew_ms: i64,
}

/// A login request of good shape. Not yet verified.
pub struct Claim {
    key: CredentialKey,
    /// Key and scope, as the request names them.
    credential: String,
    /// Where in that the scope's day, region and service begin.
    day_at: usize,
    region_at: usize,
    service_at: usize,
    host: String,
    date_text: String,
    date: UnixMillis,
    expires_text: String,
    expires_ms: i64,
    signature: [u8; 32],
    session_token: Option<String>,
    user_agent: String,
    form: Form,
    action: Cow<'static, str>,
    others: Vec<(String, String)>,
}

impl std::fmt::Debug for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Claim")
            .field("access_key_id", &self.key.access_key_id)
            .field("host", &self.host)
            .field("date", &self.date_text)
            .finish_non_exhaustive()
    }
}

pub(super) fn malformed(text: impl Into<String>) -> Fault {
    Fault::new(Status::Malformed, text)
}

pub(super) fn bounded(name: &str, text: &str, most: usize) -> Result<(), Fault> {
    if text.is_empty() || text.len() > most || text.bytes().any(|b| b < 0x20 || b == 0x7f) {
        return Err(malformed(format!("{name}: 1 to {most} printable characters are accepted, {} came", text.len())));
    }
    Ok(())
}

/// The parts of a credential scope: access key id, day, region, service.
pub(super) fn read_scope(credential: &str) -> Result<[&str; 4], Fault> {
    bounded("x-amz-credential", credential, 256)?;
    let mut parts = credential.split('/');
    let (Some(access_key_id), Some(scope_date), Some(region), Some(service), Some("aws4_request"), None) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(malformed("x-amz-credential: KEY/yyyyMMdd/REGION/SERVICE/aws4_request is accepted"));
    };
    let key_ok = (8..=128).contains(&access_key_id.len());
    if !key_ok || !access_key_id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Err(malformed("x-amz-credential: an access key id of 8 to 128 letters and digits is accepted"));
    }
    bounded("the service in x-amz-credential", service, 64)?;
    if region.is_empty() || region.len() > 64 || !region.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return Err(malformed("x-amz-credential: the region is empty or malformed; clients take it from AWS_REGION"));
    }
    Ok([access_key_id, scope_date, region, service])
}

impl Claim {
    pub(super) fn new(fields: Fields<'_>) -> Result<Self, Fault> {
        bounded("host", &fields.host, 255)?;
        if let Some(token) = &fields.security_token {
            bounded("x-amz-security-token", token, 16 * 1024)?;
        }
        let [access_key_id, scope_date, region, service] = read_scope(&fields.credential)?;
        bounded("action", &fields.action, 128)?;
        if fields.form == Form::MskIam && service != SERVICE {
            return Err(malformed(format!("x-amz-credential names another service; {SERVICE} is accepted")));
        }
        if fields.signed_headers != "host" {
            return Err(malformed("x-amz-signedheaders: host is accepted"));
        }
        let date = read_date(&fields.date).ok_or_else(|| malformed("x-amz-date: yyyyMMddTHHmmssZ is accepted"))?;
        if fields.date.get(..8) != Some(scope_date) {
            return Err(malformed("x-amz-credential and x-amz-date name different days"));
        }
        let expires_ms = read_expires(&fields.expires)
            .ok_or_else(|| malformed("x-amz-expires: seconds from 1 to 900 are accepted"))?;
        let signature = read_signature(&fields.signature)
            .ok_or_else(|| malformed("x-amz-signature: 64 lower-case hexadecimal digits are accepted"))?;
        let mut user_agent = fields.user_agent.unwrap_or_default();
        if user_agent.len() > 256 || !user_agent.bytes().all(|b| (0x20..0x7f).contains(&b)) {
            user_agent = user_agent.chars().filter(|c| !c.is_control()).take(256).collect();
        }
        let token = fields.security_token.as_ref().map_or([0; 32], |t| sha256(t.as_bytes()));
        let day_at = access_key_id.len() + 1;
        let region_at = day_at + scope_date.len() + 1;
        let service_at = region_at + region.len() + 1;
        Ok(Self {
            key: CredentialKey { access_key_id: access_key_id.to_owned(), token },
            credential: fields.credential.into_owned(),
            day_at,
            region_at,
            service_at,
            host: fields.host.into_owned(),
            date_text: fields.date.into_owned(),
            date,
            expires_text: fields.expires.into_owned(),
            expires_ms,
            signature,
            session_token: fields.security_token.map(Cow::into_owned),
            user_agent: user_agent.into_owned(),
            form: fields.form,
            action: if fields.action == ACTION { ACTION.into() } else { fields.action.into_owned().into() },
            others: fields.others,
        })
    }

    /// Checks everything that needs no key.
    ///
    /// # Errors
    /// [`Status::ClockSkew`], [`Status::Expired`], [`Status::WrongHost`],
    /// [`Status::WrongRegion`], each with what was found and what is accepted.
    pub fn check(&self, rules: &LoginRules, now: UnixMillis) -> Result<(), Fault> {
        let age = now.0 - self.date.0;
        if age < -rules.skew_ms {
            return Err(Fault::new(
                Status::ClockSkew,
                format!(
                    "the request is dated {} s in the future; set the clock of client or broker (tolerated: {} s, standin.login.clock.skew.ms)",
                    -age / 1000,
                    rules.skew_ms / 1000
                ),
            ));
        }
        let most = rules.max_age_ms.min(self.expires_ms) + rules.skew_ms;
        if age > most {
            return Err(Fault::new(
                Status::Expired,
                format!(
                    "the request is {} s old; at most {} s are accepted: it was kept too long, or a clock is off by about {} s (standin.login.max.age.ms, standin.login.clock.skew.ms)",
                    age / 1000,
                    most / 1000,
                    age / 1000
                ),
            ));
        }
        let (hosts, setting) = match self.form {
            Form::MskIam => (&rules.hosts, "standin.hosts"),
            Form::Token => (&rules.token_hosts, "standin.token.hosts"),
        };
        if !hosts.iter().any(|h| h.eq_ignore_ascii_case(&self.host)) {
            return Err(Fault::new(
                Status::WrongHost,
                format!(
                    "the request was signed for host {:?}, which is none of this listener's names: {} ({setting})",
                    self.host,
                    hosts.join(", ")
                ),
            ));
        }
        if self.form == Form::Token {
            let among = |name: &str, found: &str, accepted: &[String], setting: &str| {
                if accepted.iter().any(|a| a == found) {
                    return Ok(());
                }
                Err(malformed(format!("{name} {found:?}; {} is accepted ({setting})", accepted.join(" or "))))
            };
            among("the token's service is", self.service(), &rules.token_services, "standin.token.services")?;
            among("the token's action is", &self.action, &rules.token_actions, "standin.token.actions")?;
        }
        if !rules.regions.iter().any(|r| r == self.region()) {
            return Err(Fault::new(
                Status::WrongRegion,
                format!(
                    "the request was signed for region {:?}; {} is accepted (standin.regions)",
                    self.region(),
                    rules.regions.join(", ")
                ),
            ));
        }
        Ok(())
    }

    /// The canonical request (AWS General Reference, "Create a canonical
    /// request"), rebuilt from the fields.
    fn canonical(&self) -> String {
        // In the order of their names.
        let own = [
            Some(("Action", &*self.action)),
            Some(("X-Amz-Algorithm", ALGORITHM)),
            Some(("X-Amz-Credential", &self.credential)),
            Some(("X-Amz-Date", &self.date_text)),
            Some(("X-Amz-Expires", &self.expires_text)),
            self.session_token.as_ref().map(|t| ("X-Amz-Security-Token", t.as_str())),
            Some(("X-Amz-SignedHeaders", "host")),
        ];
        let token = self.session_token.as_ref().map_or(0, String::len);
        let mut out = String::with_capacity(768 + token + token / 8);
        out.push_str("GET\n/\n");
        if self.others.is_empty() {
            for (n, (name, value)) in own.into_iter().flatten().enumerate() {
                out.extend([if n == 0 { "" } else { "&" }, name, "="]);
                encode(value, &mut out);
            }
        } else {
            let others = self.others.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let encoded = |text: &str| {
                let mut out = String::with_capacity(text.len() + 16);
                encode(text, &mut out);
                out
            };
            let pairs = own.into_iter().flatten().chain(others);
            let mut pairs: Vec<_> = pairs.map(|(name, value)| (encoded(name), encoded(value))).collect();
            pairs.sort_unstable();
            for (n, (name, value)) in pairs.iter().enumerate() {
                out.extend([if n == 0 { "" } else { "&" }, name, "=", value]);
            }
        }
        out.extend(["\nhost:", &self.host, "\n\nhost\n", EMPTY_HASH]);
        out
    }

    /// Hash of the canonical request, as clients log it too.
    #[must_use]
    pub fn canonical_hash(&self) -> String {
        hex(digest::digest(&digest::SHA256, self.canonical().as_bytes()).as_ref())
    }

    fn string_to_sign(&self) -> String {
        let scope = self.credential.get(self.day_at..).unwrap_or_default();
        [ALGORITHM, "\n", &self.date_text, "\n", scope, "\n", &self.canonical_hash()].concat()
    }

    /// Checks the signature, in constant time.
    ///
    /// # Errors
    /// [`Status::SignatureMismatch`] with the hash of the canonical request.
    pub fn verify(&self, key: &SigningKey) -> Result<(), Fault> {
        if key.verifies(&self.string_to_sign(), &self.signature) {
            return Ok(());
        }
        Err(Fault::new(
            Status::SignatureMismatch,
            format!(
                "the signature of {} does not match: wrong secret key, or fields altered on the way (hash of the canonical request: {})",
                self.key.access_key_id,
                self.canonical_hash()
            ),
        ))
    }

    /// Signs the claim anew; see [`super::sign_msk_iam`].
    pub(super) fn sign(&mut self, key: &SigningKey) {
        let tag = key.sign(&self.string_to_sign());
        if let Ok(signature) = tag.as_ref().try_into() {
            self.signature = signature;
        }
    }

    pub(super) fn signature_hex(&self) -> String {
        hex(&self.signature)
    }

    /// Id of the access key.
    #[must_use]
    pub fn access_key_id(&self) -> &str {
        &self.key.access_key_id
    }

    /// Access key and session token.
    #[must_use]
    pub fn key(&self) -> &CredentialKey {
        &self.key
    }

    /// Day of the scope, `yyyyMMdd`.
    #[must_use]
    pub fn scope_date(&self) -> &str {
        self.credential.get(self.day_at..self.region_at - 1).unwrap_or_default()
    }

    /// Region of the scope.
    #[must_use]
    pub fn region(&self) -> &str {
        self.credential.get(self.region_at..self.service_at - 1).unwrap_or_default()
    }

    /// Service of the scope.
    #[must_use]
    pub fn service(&self) -> &str {
        let scope = self.credential.get(self.service_at..).unwrap_or_default();
        scope.strip_suffix("/aws4_request").unwrap_or_default()
    }

    /// The host name that was signed.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// When it was signed.
    #[must_use]
    pub fn date(&self) -> UnixMillis {
        self.date
    }

    /// The session token of temporary credentials.
    #[must_use]
    pub fn session_token(&self) -> Option<&str> {
        self.session_token.as_deref()
    }

    /// What the client calls itself; not signed.
    #[must_use]
    pub fn user_agent(&self) -> &str {
        &self.user_agent
    }

    /// Names this signature without being it.
    #[must_use]
    pub fn signature_id(&self) -> [u8; 32] {
        sha256(&self.signature)
    }
}

pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

pub(super) fn read_date(text: &str) -> Option<UnixMillis> {
    let bytes = text.as_bytes();
    if bytes.len() != 16 || bytes.get(8) != Some(&b'T') || bytes.get(15) != Some(&b'Z') {
        return None;
    }
    let number = |from: usize, to: usize| -> Option<u32> {
        let part = text.get(from..to)?;
        part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok())?
    };
    let small = |from, to| number(from, to).and_then(|n| u8::try_from(n).ok());
    let month = time::Month::try_from(small(4, 6)?).ok()?;
    let date = time::Date::from_calendar_date(i32::try_from(number(0, 4)?).ok()?, month, small(6, 8)?).ok()?;
    let at = date.with_hms(small(9, 11)?, small(11, 13)?, small(13, 15)?).ok()?.assume_utc();
    Some(UnixMillis(at.unix_timestamp() * 1000))
}

/// Milliseconds of a number of seconds; fractions come from the JavaScript
/// signer.
fn read_expires(text: &str) -> Option<i64> {
    let shaped = text.len() <= 24
        && text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && text.bytes().next().is_some_and(|b| b.is_ascii_digit());
    let seconds: f64 = text.parse().ok().filter(|_| shaped)?;
    (1.0..=900.0).contains(&seconds).then_some((seconds * 1000.0) as i64)
}

pub(super) fn read_signature(text: &str) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != out.len() || !rest.is_empty() {
        return None;
    }
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    };
    for (byte, [high, low]) in out.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(out)
}
