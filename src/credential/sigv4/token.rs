// SPDX-License-Identifier: Apache-2.0
//! A token: a presigned URL, as it is or in base64url. It is what the MSK
//! signers make for `OAUTHBEARER`, and fits wherever a client can send a
//! password.

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use super::claim::{Claim, Fields, Form};
use super::payload::LONGEST;
use super::percent;
use crate::fault::{Fault, Status};

const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What the text of a presigned URL begins with.
const SCHEME: &str = "https://";
/// Most parameters.
const MOST: usize = 32;

/// The parameters of a presigned URL that have a meaning, as they are written.
const NAMES: [&str; 9] = [
    "Action",
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Security-Token",
    "X-Amz-SignedHeaders",
    "X-Amz-Expires",
    "X-Amz-Signature",
    // Appended after signing.
    "User-Agent",
];

fn malformed(text: impl Into<String>) -> Fault {
    Fault::new(Status::Malformed, text)
}

/// Reads a token. Checks its shape only; see [`Claim::check`] and
/// [`Claim::verify`].
///
/// # Errors
/// [`Status::Malformed`] naming what is accepted. No text holds a part of the
/// token.
pub fn read_token(payload: &[u8]) -> Result<Claim, Fault> {
    if payload.len() > LONGEST {
        return Err(malformed(format!("the token has {} bytes; at most {LONGEST} are accepted", payload.len())));
    }
    let url = if payload.starts_with(SCHEME.as_bytes()) {
        Zeroizing::new(payload.to_vec())
    } else {
        let decoded = BASE64URL.decode(payload).map_err(|_| malformed(ACCEPTED))?;
        Zeroizing::new(decoded)
    };
    let url = std::str::from_utf8(&url).map_err(|_| malformed(ACCEPTED))?;
    let rest = url.strip_prefix(SCHEME).ok_or_else(|| malformed(ACCEPTED))?;
    let (place, query) = rest.split_once('?').ok_or_else(|| malformed("the token is a URL without parameters"))?;
    let host = place.strip_suffix('/').unwrap_or(place);
    if host.contains(['/', '@', '#']) || query.contains('#') {
        return Err(malformed(
            "the token's URL has a path, a user or a fragment; https://HOST/?PARAMETERS is accepted",
        ));
    }
    let mut values: [Option<String>; NAMES.len()] = Default::default();
    let mut others: Vec<(String, String)> = Vec::new();
    for (count, pair) in query.split('&').enumerate() {
        if count == MOST {
            return Err(malformed(format!("the token has too many parameters; at most {MOST} are accepted")));
        }
        let (name, value) = pair.split_once('=').ok_or_else(|| malformed("a parameter of the token has no value"))?;
        let (name, value) = (decode(name)?, decode(value)?);
        let twice = match NAMES.iter().position(|n| *n == name) {
            Some(index) => values.get_mut(index).is_some_and(|slot| slot.replace(value).is_some()),
            None => {
                let twice = others.iter().any(|(n, _)| *n == name);
                others.push((name, value));
                twice
            }
        };
        if twice {
            return Err(malformed("a parameter of the token stands twice"));
        }
    }
    let mut take = |name: &str| {
        let slot = NAMES.iter().position(|n| *n == name).and_then(|i| values.get_mut(i));
        slot.and_then(Option::take)
    };
    let (security_token, user_agent) = (take("X-Amz-Security-Token"), take("User-Agent"));
    let mut required =
        |name: &str| take(name).ok_or_else(|| malformed(format!("the token's parameter {name} is missing")));
    if required("X-Amz-Algorithm")? != super::ALGORITHM {
        return Err(malformed(format!("the token's X-Amz-Algorithm is another one; {} is accepted", super::ALGORITHM)));
    }
    Claim::new(Fields {
        host: host.into(),
        credential: required("X-Amz-Credential")?.into(),
        date: required("X-Amz-Date")?.into(),
        signed_headers: required("X-Amz-SignedHeaders")?.into(),
        expires: required("X-Amz-Expires")?.into(),
        signature: required("X-Amz-Signature")?.into(),
        security_token: security_token.map(Cow::from),
        user_agent: user_agent.map(Cow::from),
        form: Form::Token,
        action: required("Action")?.into(),
        others,
    })
}

const ACCEPTED: &str = "the token is neither a presigned URL (https://HOST/?Action=...) nor one in base64url";

/// A parameter's text.
pub(super) fn decode(text: &str) -> Result<String, Fault> {
    percent::decode(text).ok_or_else(|| malformed("a parameter of the token is not percent-encoded UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://kafka.us-east-1.amazonaws.com/?Action=kafka-cluster%3AConnect&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20260801%2Fus-east-1%2Fkafka-cluster%2Faws4_request&X-Amz-Date=20260801T120000Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Signature=0000000000000000000000000000000000000000000000000000000000000000&User-Agent=a+b%20c";

    #[test]
    fn a_url_is_accepted_raw_and_in_base64url() {
        let padded = base64::engine::general_purpose::URL_SAFE.encode(URL);
        let bare = padded.trim_end_matches('=');
        for text in [URL, &padded, bare] {
            let claim = read_token(text.as_bytes()).unwrap();
            assert_eq!(claim.access_key_id(), "AKIAIOSFODNN7EXAMPLE");
            assert_eq!(claim.host(), "kafka.us-east-1.amazonaws.com");
            assert_eq!(claim.user_agent(), "a b c");
        }
        // Java leaves the path out.
        assert!(read_token(URL.replace("com/?", "com?").as_bytes()).is_ok());
    }

    #[test]
    fn what_is_not_exactly_a_presigned_url_is_refused_in_words() {
        for (bad, why) in [
            (URL.replace("https", "http"), "presigned URL"),
            (URL.replace("com/?", "com/mqtt?"), "path"),
            (URL.replace("https://", "https://user@"), "user"),
            (URL.replace("Action=", "action="), "Action is missing"),
            (URL.replace("&X-Amz-Date=20260801T120000Z", ""), "X-Amz-Date is missing"),
            (format!("{URL}&Action=x"), "twice"),
            (format!("{URL}&x=1&x=2"), "twice"),
            (format!("{URL}&x"), "no value"),
            (format!("{URL}&x=%"), "percent-encoded"),
            (format!("{URL}&x=%ff"), "percent-encoded"),
            (format!("{URL}{}", (0..40).map(|n| format!("&p{n}=1")).collect::<String>()), "too many"),
            ("e".repeat(40_000), "at most"),
            ("eyJhbGciOiJub25lIn0.e30.".to_owned(), "presigned URL"),
            (String::new(), "presigned URL"),
        ] {
            let fault = read_token(bad.as_bytes()).unwrap_err();
            assert_eq!(fault.status, Status::Malformed);
            assert!(fault.text.contains(why), "{}: {why}", fault.text);
        }
    }
}
