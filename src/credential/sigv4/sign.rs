// SPDX-License-Identifier: Apache-2.0
//! Making a login message, for our own tools and measurements.

use super::claim::{Claim, Fields, Form};
use super::{ACTION, ALGORITHM, SERVICE, SigningKey, VERSION};
use crate::credential::Secret;
use crate::fault::Fault;
use crate::time::UnixMillis;

/// What a login is made from.
pub struct Signing<'a> {
    /// Access key id.
    pub access_key_id: &'a str,
    /// Secret access key.
    pub secret: &'a Secret,
    /// Session token of temporary credentials.
    pub session_token: Option<&'a str>,
    /// Host to log in to.
    pub host: &'a str,
    /// Region.
    pub region: &'a str,
    /// When.
    pub date: UnixMillis,
    /// For how many seconds.
    pub expires: u32,
}

/// The first message of `AWS_MSK_IAM` for these credentials.
///
/// # Errors
/// [`crate::fault::Status::Malformed`] when a field is outside what servers
/// accept.
pub fn sign_msk_iam(signing: &Signing<'_>) -> Result<String, Fault> {
    let at = time::OffsetDateTime::from_unix_timestamp(signing.date.seconds())
        .map_err(|e| Fault::internal(format!("date: {e}")))?;
    let day = format!("{:04}{:02}{:02}", at.year(), u8::from(at.month()), at.day());
    let date = format!("{day}T{:02}{:02}{:02}Z", at.hour(), at.minute(), at.second());
    let credential = format!("{}/{day}/{}/{SERVICE}/aws4_request", signing.access_key_id, signing.region);
    let mut claim = Claim::new(Fields {
        host: signing.host.into(),
        credential: credential.as_str().into(),
        date: date.as_str().into(),
        signed_headers: "host".into(),
        expires: signing.expires.to_string().into(),
        signature: "0".repeat(64).into(),
        security_token: signing.session_token.map(Into::into),
        user_agent: None,
        form: Form::MskIam,
        action: ACTION.into(),
        others: Vec::new(),
    })?;
    claim.sign(&SigningKey::derive(signing.secret, &day, signing.region, SERVICE));
    let mut message = serde_json::json!({
        "version": VERSION,
        "host": signing.host,
        "user-agent": concat!("standin/", env!("CARGO_PKG_VERSION")),
        "action": ACTION,
        "x-amz-algorithm": ALGORITHM,
        "x-amz-credential": credential,
        "x-amz-date": date,
        "x-amz-signedheaders": "host",
        "x-amz-expires": signing.expires.to_string(),
        "x-amz-signature": claim.signature_hex(),
    });
    if let (Some(token), Some(object)) = (signing.session_token, message.as_object_mut()) {
        object.insert("x-amz-security-token".into(), token.into());
    }
    Ok(message.to_string())
}
