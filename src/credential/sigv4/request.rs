// SPDX-License-Identifier: Apache-2.0
//! A signed HTTP request, as SDKs send it to a web service: signed by its
//! `Authorization` header, or by parameters of its query.

use aws_lc_rs::digest;
use zeroize::Zeroizing;

use super::claim::{bounded, malformed, read_date, read_scope, read_signature, sha256};
use super::token::decode;
use super::{ALGORITHM, SigningKey, encode, hex};
use crate::fault::{Fault, Status};
use crate::time::UnixMillis;

/// Most parameters of a query.
const MOST: usize = 1024;
/// Most headers that are signed.
const HEADERS: usize = 64;
/// The longest life of a request signed by its query: seven days, as AWS has.
const LONGEST: i64 = 604_800;

/// A request as it came.
#[derive(Clone, Copy)]
pub struct HttpParts<'a> {
    /// `GET`, `POST`.
    pub method: &'a str,
    /// The path, percent-encoded as it came.
    pub path: &'a str,
    /// The query without its question mark, as it came.
    pub query: &'a str,
    /// Names in lower case, and values.
    pub headers: &'a [(String, String)],
    /// The body.
    pub body: &'a [u8],
}

impl HttpParts<'_> {
    /// The value of a header; none when it stands twice.
    fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(n, _)| n == name);
        let value = found.next().map(|(_, v)| v.as_str());
        value.filter(|_| found.next().is_none())
    }
}

/// What a request claims by its signature. Not yet verified.
pub struct RequestClaim {
    access_key_id: String,
    day: String,
    region: String,
    service: String,
    date: UnixMillis,
    /// For how long it was signed; none of a header's.
    expires_ms: Option<i64>,
    signature: [u8; 32],
    session_token: Option<Zeroizing<String>>,
    string_to_sign: String,
}

impl std::fmt::Debug for RequestClaim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RequestClaim").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// The fields a signature is made of, wherever they stood.
struct Fields {
    credential: String,
    date: String,
    signed_headers: String,
    signature: String,
    expires: Option<String>,
    token: Option<Zeroizing<String>>,
}

impl RequestClaim {
    /// Reads what a request claims. None when it is not signed at all.
    ///
    /// # Errors
    /// [`Status::Malformed`] naming what is accepted. No text holds a
    /// signature or token.
    pub fn read(parts: &HttpParts<'_>) -> Result<Option<Self>, Fault> {
        let pairs = pairs(parts.query)?;
        let Some(fields) = fields(parts, &pairs)? else { return Ok(None) };
        if let Some(token) = &fields.token {
            bounded("x-amz-security-token", token, 16 * 1024)?;
        }
        let [access_key_id, day, region, service] = read_scope(&fields.credential)?.map(str::to_owned);
        let date = read_date(&fields.date).ok_or_else(|| malformed("x-amz-date: yyyyMMddTHHmmssZ is accepted"))?;
        if fields.date.get(..8) != Some(day.as_str()) {
            return Err(malformed("x-amz-credential and x-amz-date name different days"));
        }
        let seconds = |text: &String| text.parse::<i64>().ok().filter(|s| (1..=LONGEST).contains(s));
        let expires_ms = match &fields.expires {
            None => None,
            Some(text) => Some(
                1000 * seconds(text)
                    .ok_or_else(|| malformed("x-amz-expires: seconds from 1 to 604800 are accepted"))?,
            ),
        };
        let signature = read_signature(&fields.signature)
            .ok_or_else(|| malformed("the signature: 64 lower-case hexadecimal digits are accepted"))?;
        let canonical = canonical(parts, &pairs, &fields)?;
        let string_to_sign = format!(
            "{ALGORITHM}\n{}\n{day}/{region}/{service}/aws4_request\n{}",
            fields.date,
            hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref())
        );
        let session_token = fields.token;
        Ok(Some(Self {
            access_key_id,
            day,
            region,
            service,
            date,
            expires_ms,
            signature,
            session_token,
            string_to_sign,
        }))
    }

    /// Checks the time.
    ///
    /// # Errors
    /// [`Status::ClockSkew`] or [`Status::Expired`] with what was found.
    pub fn check(&self, skew_ms: i64, now: UnixMillis) -> Result<(), Fault> {
        let age = now.0.saturating_sub(self.date.0);
        if age < -skew_ms {
            let text = format!("Signature not yet current: it is dated {} s in the future", -age / 1000);
            return Err(Fault::new(Status::ClockSkew, text));
        }
        let most = self.expires_ms.unwrap_or(skew_ms);
        if age > most {
            let text = format!("Signature expired: it is {} s old, at most {} s are accepted", age / 1000, most / 1000);
            return Err(Fault::new(Status::Expired, text));
        }
        Ok(())
    }

    /// Checks the signature, in constant time.
    ///
    /// # Errors
    /// [`Status::SignatureMismatch`].
    pub fn verify(&self, key: &SigningKey) -> Result<(), Fault> {
        if key.verifies(&self.string_to_sign, &self.signature) {
            return Ok(());
        }
        Err(Fault::new(Status::SignatureMismatch, format!("the signature of {} does not match", self.access_key_id)))
    }

    /// The key that verifies it, of this secret.
    #[must_use]
    pub fn key(&self, secret: &crate::credential::Secret) -> SigningKey {
        SigningKey::derive(secret, &self.day, &self.region, &self.service)
    }

    /// Id of the access key.
    #[must_use]
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// Service of the scope.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.service
    }

    /// Region of the scope.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The session token of temporary credentials.
    #[must_use]
    pub fn session_token(&self) -> Option<&str> {
        self.session_token.as_ref().map(|t| t.as_str())
    }
}

/// The parameters of a query, decoded.
fn pairs(query: &str) -> Result<Vec<(String, String)>, Fault> {
    let mut pairs = Vec::new();
    for pair in query.split('&').filter(|p| !p.is_empty()) {
        if pairs.len() == MOST {
            return Err(malformed(format!("the query has too many parameters; at most {MOST} are accepted")));
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        pairs.push((decode(name)?, decode(value)?));
    }
    Ok(pairs)
}

fn fields(parts: &HttpParts<'_>, pairs: &[(String, String)]) -> Result<Option<Fields>, Fault> {
    let signed_query = pairs.iter().any(|(name, _)| name == "X-Amz-Algorithm" || name == "X-Amz-Signature");
    match (parts.headers.iter().any(|(n, _)| n == "authorization"), signed_query) {
        (false, false) => Ok(None),
        (true, true) => Err(malformed("the request is signed twice: by its header and by its query")),
        (true, false) => of_header(parts).map(Some),
        (false, true) => of_query(pairs).map(Some),
    }
}

fn of_header(parts: &HttpParts<'_>) -> Result<Fields, Fault> {
    let accepted = || {
        malformed(
            "Authorization: AWS4-HMAC-SHA256 Credential=KEY/yyyyMMdd/REGION/SERVICE/aws4_request, SignedHeaders=..., Signature=... is accepted",
        )
    };
    let value = parts.header("authorization").ok_or_else(accepted)?;
    let list = value.strip_prefix(ALGORITHM).filter(|rest| rest.starts_with(' ')).ok_or_else(accepted)?;
    let (mut credential, mut signed_headers, mut signature) = (None, None, None);
    for pair in list.split(',') {
        let (name, value) = pair.trim().split_once('=').ok_or_else(accepted)?;
        let slot = match name {
            "Credential" => &mut credential,
            "SignedHeaders" => &mut signed_headers,
            "Signature" => &mut signature,
            _ => return Err(accepted()),
        };
        if slot.replace(value.to_owned()).is_some() {
            return Err(accepted());
        }
    }
    let (Some(credential), Some(signed_headers), Some(signature)) = (credential, signed_headers, signature) else {
        return Err(accepted());
    };
    let date = parts.header("x-amz-date").ok_or_else(|| malformed("the header x-amz-date is missing"))?.to_owned();
    let token = parts.header("x-amz-security-token").map(|t| Zeroizing::new(t.to_owned()));
    Ok(Fields { credential, date, signed_headers, signature, expires: None, token })
}

fn of_query(pairs: &[(String, String)]) -> Result<Fields, Fault> {
    let take = |name: &str| {
        let mut found = pairs.iter().filter(|(n, _)| n == name);
        let value = found.next().map(|(_, v)| v.clone());
        match found.next() {
            Some(_) => Err(malformed(format!("the parameter {name} stands twice"))),
            None => Ok(value),
        }
    };
    let required = |name: &str| take(name)?.ok_or_else(|| malformed(format!("the parameter {name} is missing")));
    if required("X-Amz-Algorithm")? != ALGORITHM {
        return Err(malformed(format!("X-Amz-Algorithm is another one; {ALGORITHM} is accepted")));
    }
    Ok(Fields {
        credential: required("X-Amz-Credential")?,
        date: required("X-Amz-Date")?,
        signed_headers: required("X-Amz-SignedHeaders")?,
        signature: required("X-Amz-Signature")?,
        expires: Some(required("X-Amz-Expires")?),
        token: take("X-Amz-Security-Token")?.map(Zeroizing::new),
    })
}

/// The canonical request (AWS General Reference, "Create a canonical
/// request"). The body's hash is computed, whatever a header says of it.
fn canonical(parts: &HttpParts<'_>, pairs: &[(String, String)], fields: &Fields) -> Result<String, Fault> {
    let names: Vec<&str> = fields.signed_headers.split(';').collect();
    let sorted = names.windows(2).all(|w| matches!(w, [a, b] if a < b));
    if !sorted || names.len() > HEADERS {
        return Err(malformed("signed headers: different names in alphabetical order are accepted"));
    }
    // What the request means must be under the signature.
    let mut must = vec!["host"];
    if fields.expires.is_none() {
        must.push("x-amz-date");
        if fields.token.is_some() {
            must.push("x-amz-security-token");
        }
    }
    if let Some(missing) = must.iter().find(|m| !names.contains(m)) {
        return Err(malformed(format!("the header {missing} is not signed")));
    }
    let encoded = |text: &str| {
        let mut out = String::with_capacity(text.len() + 16);
        encode(text, &mut out);
        out
    };
    let mut query: Vec<(String, String)> = pairs
        .iter()
        .filter(|(name, _)| name != "X-Amz-Signature")
        .map(|(name, value)| (encoded(name), encoded(value)))
        .collect();
    query.sort_unstable();
    let mut out = format!("{}\n{}\n", parts.method, parts.path);
    for (n, (name, value)) in query.iter().enumerate() {
        out.extend([if n == 0 { "" } else { "&" }, name, "=", value]);
    }
    out.push('\n');
    for name in &names {
        let value = parts
            .header(name)
            .ok_or_else(|| malformed("a signed header is missing from the request or stands twice"))?;
        out.extend([*name, ":"]);
        for (n, word) in value.split(' ').filter(|w| !w.is_empty()).enumerate() {
            out.extend([if n == 0 { "" } else { " " }, word]);
        }
        out.push('\n');
    }
    out.extend(["\n", fields.signed_headers.as_str(), "\n", hex(&sha256(parts.body)).as_str()]);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::Secret;

    /// "post-vanilla" of AWS's test suite for signature version 4, and what
    /// may not be changed of it.
    #[test]
    fn a_documented_vector_verifies_and_nothing_beside_it() {
        let secret = Secret::new(b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_vec());
        let authorization = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b";
        let headers = |date: &str, host: &str| {
            vec![
                ("host".to_owned(), host.to_owned()),
                ("x-amz-date".to_owned(), date.to_owned()),
                ("authorization".to_owned(), authorization.to_owned()),
            ]
        };
        let good = headers("20150830T123600Z", "example.amazonaws.com");
        let parts = HttpParts { method: "POST", path: "/", query: "", headers: &good, body: b"" };
        let fits = |parts: &HttpParts<'_>| {
            RequestClaim::read(parts).is_ok_and(|c| c.is_some_and(|c| c.verify(&c.key(&secret)).is_ok()))
        };
        assert!(fits(&parts));
        assert!(!fits(&HttpParts { body: b"x", ..parts }));
        assert!(!fits(&HttpParts { method: "GET", ..parts }));
        assert!(!fits(&HttpParts { query: "a=b", ..parts }));
        assert!(!fits(&HttpParts { path: "/x", ..parts }));
        assert!(!fits(&HttpParts { headers: &headers("20150830T123601Z", "example.amazonaws.com"), ..parts }));
        assert!(!fits(&HttpParts { headers: &headers("20150830T123600Z", "other.amazonaws.com"), ..parts }));
        let claim = RequestClaim::read(&parts).unwrap().unwrap();
        let at = UnixMillis(1_440_938_160_000);
        assert!(claim.check(300_000, at).is_ok() && claim.check(300_000, at.plus(300_000)).is_ok());
        assert_eq!(claim.check(300_000, at.plus(301_000)).unwrap_err().status, Status::Expired);
        assert_eq!(claim.check(300_000, at.plus(-301_000)).unwrap_err().status, Status::ClockSkew);
    }

    #[test]
    fn what_is_not_signed_as_documented_is_refused_in_words() {
        let credential = "Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request";
        let signature = format!("Signature={}", "0".repeat(64));
        let read = |authorization: &str, query: &str| {
            let headers: Vec<(String, String)> = [
                ("host", "h"),
                ("x-amz-date", "20150830T123600Z"),
                ("x-amz-security-token", "token"),
                ("authorization", authorization),
            ]
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
            .collect();
            let parts = HttpParts { method: "POST", path: "/", query, headers: &headers, body: b"" };
            RequestClaim::read(&parts).map(|c| c.is_some())
        };
        let all = "SignedHeaders=host;x-amz-date;x-amz-security-token";
        assert_eq!(read("", ""), Ok(false));
        assert_eq!(read(&format!("AWS4-HMAC-SHA256 {credential}, {all}, {signature}"), ""), Ok(true));
        assert_eq!(read(&format!("AWS4-HMAC-SHA256 {credential},{all},{signature}"), ""), Ok(true));
        for (authorization, query, why) in [
            ("Bearer x".to_owned(), "", "AWS4-HMAC-SHA256"),
            (format!("AWS4-HMAC-SHA256 {credential}, {all}"), "", "Signature"),
            (format!("AWS4-HMAC-SHA256 {credential}, {credential}, {all}, {signature}"), "", "accepted"),
            (
                format!("AWS4-HMAC-SHA256 {credential}, SignedHeaders=host;x-amz-date, {signature}"),
                "",
                "x-amz-security-token is not signed",
            ),
            (
                format!("AWS4-HMAC-SHA256 {credential}, SignedHeaders=x-amz-date;x-amz-security-token, {signature}"),
                "",
                "host is not signed",
            ),
            (format!("AWS4-HMAC-SHA256 {credential}, SignedHeaders=x-amz-date;host, {signature}"), "", "alphabetical"),
            (format!("AWS4-HMAC-SHA256 {credential}, {all}, {signature}"), "X-Amz-Signature=0", "signed twice"),
            (String::new(), "X-Amz-Algorithm=AWS4-HMAC-SHA256", "X-Amz-Credential is missing"),
            (String::new(), "X-Amz-Algorithm=other", "AWS4-HMAC-SHA256 is accepted"),
            (String::new(), "X-Amz-Signature=%zz", "percent"),
        ] {
            let fault = read(&authorization, query).unwrap_err();
            assert!(fault.status == Status::Malformed && fault.text.contains(why), "{fault}: {why}");
        }
    }
}
