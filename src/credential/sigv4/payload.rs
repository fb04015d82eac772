// SPDX-License-Identifier: Apache-2.0
//! The first message of the SASL mechanism `AWS_MSK_IAM`: one JSON object of
//! strings.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Error, MapAccess, Visitor};

use super::claim::{Claim, Fields, Form};
use crate::fault::{Fault, Status};

/// Version of the message and of its answer.
pub const VERSION: &str = "2020_10_22";
/// Longest message, bytes. A session token may have several thousand.
pub(super) const LONGEST: usize = 32 * 1024;

/// Field names that would carry a secret itself.
const SECRETS: [&str; 6] =
    ["secret", "secretaccesskey", "secret-access-key", "x-amz-secret-access-key", "aws_secret_access_key", "password"];

#[derive(Default)]
struct Message<'a> {
    fields: [Option<Cow<'a, str>>; NAMES.len()],
}

/// A string of the message, where it stands.
struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextReader)
    }
}

struct TextReader;

impl<'de> Visitor<'de> for TextReader {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(text.into()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(text.to_owned().into()))
    }
}

const NAMES: [&str; 11] = [
    "version",
    "host",
    "user-agent",
    "action",
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-security-token",
    "x-amz-signedheaders",
    "x-amz-expires",
    "x-amz-signature",
];

/// What clients may leave out.
const OPTIONAL: [&str; 2] = ["user-agent", "x-amz-security-token"];

impl<'de> Deserialize<'de> for Message<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Message<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Message<'de>, A::Error> {
        let mut message = Message::default();
        let mut unknown = std::collections::HashSet::new();
        while let Some(Text(name)) = map.next_key()? {
            if SECRETS.iter().any(|secret| name.eq_ignore_ascii_case(secret)) {
                return Err(A::Error::custom("the message carries a secret key; clients must only sign with it"));
            }
            let Text(value) =
                map.next_value().map_err(|_| A::Error::custom(format!("field {:?} is not a string", shown(&name))))?;
            let twice = match NAMES.iter().position(|n| *n == name) {
                Some(index) => message.fields.get_mut(index).is_some_and(|slot| slot.replace(value).is_some()),
                None => !unknown.insert(name.clone()),
            };
            if twice {
                return Err(A::Error::custom(format!("field {:?} stands twice", shown(&name))));
            }
        }
        Ok(message)
    }
}

/// A name from the message, cut to a length that is safe to show.
fn shown(name: &str) -> String {
    name.chars().take(40).collect()
}

/// Reads the first message. Checks its shape only; see [`Claim::check`] and
/// [`Claim::verify`].
///
/// # Errors
/// [`Status::Malformed`] naming the field and what is accepted. No text holds
/// a signature or token.
pub fn read_msk_iam(payload: &[u8]) -> Result<Claim, Fault> {
    let malformed = |text: String| Fault::new(Status::Malformed, text);
    if payload.len() > LONGEST {
        return Err(malformed(format!("the message has {} bytes; at most {LONGEST} are accepted", payload.len())));
    }
    let message: Message<'_> = serde_json::from_slice(payload)
        .map_err(|e| malformed(format!("the message is not a JSON object of strings: {e}")))?;
    let mut values = message.fields;
    let mut take = |name: &str| -> Result<Option<Cow<'_, str>>, Fault> {
        let slot = NAMES.iter().position(|n| *n == name).and_then(|i| values.get_mut(i));
        match slot.and_then(Option::take) {
            None if !OPTIONAL.contains(&name) => Err(malformed(format!("field {name:?} is missing"))),
            value => Ok(value),
        }
    };
    let mut required = |name: &str| take(name).map(Option::unwrap_or_default);
    let version = required("version")?;
    if version != VERSION {
        return Err(malformed(format!("version {:?}; {VERSION} is accepted", shown(&version))));
    }
    let action = required("action")?;
    if action != super::ACTION {
        return Err(malformed(format!("action {:?}; {} is accepted", shown(&action), super::ACTION)));
    }
    let algorithm = required("x-amz-algorithm")?;
    if algorithm != super::ALGORITHM {
        return Err(malformed(format!("x-amz-algorithm {:?}; {} is accepted", shown(&algorithm), super::ALGORITHM)));
    }
    Claim::new(Fields {
        host: required("host")?,
        credential: required("x-amz-credential")?,
        date: required("x-amz-date")?,
        signed_headers: required("x-amz-signedheaders")?,
        expires: required("x-amz-expires")?,
        signature: required("x-amz-signature")?,
        security_token: take("x-amz-security-token")?,
        user_agent: take("user-agent")?,
        form: Form::MskIam,
        action,
        others: Vec::new(),
    })
}
