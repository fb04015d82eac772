// SPDX-License-Identifier: Apache-2.0
//! The first message of the SASL mechanism `OAUTHBEARER` (RFC 7628, section
//! 3.1): a GS2 header, and pairs of which one is the bearer token.

use crate::fault::{Fault, Status};

/// Longest message, bytes.
const LONGEST: usize = 48 * 1024;
/// Stands before, between and behind pairs.
const SEPARATOR: u8 = 0x01;
/// What precedes a token.
const SCHEME: &str = "Bearer ";

fn malformed(text: &str) -> Fault {
    Fault::new(Status::Malformed, text)
}

/// The token in a message.
///
/// # Errors
/// [`Status::Malformed`] naming what is accepted. No text holds a part of the
/// token.
pub fn bearer_token(message: &[u8]) -> Result<&[u8], Fault> {
    if message.len() > LONGEST {
        return Err(malformed("the bearer message is too long"));
    }
    let (header, pairs) = message
        .iter()
        .position(|b| *b == SEPARATOR)
        .and_then(|end| Some((message.get(..end)?, message.get(end + 1..)?)))
        .ok_or_else(|| malformed("the bearer message has no pairs behind its header"))?;
    // gs2-header = [ "n" / "y" ] "," [ "a=" saslname ] ","; names of others are
    // not acted for: who it is, the signature says.
    if !matches!(header, b"n,," | b"y,,") {
        return Err(malformed("the bearer message's header is not n,, : leave the authorization identity out"));
    }
    let pairs = pairs
        .strip_suffix(&[SEPARATOR, SEPARATOR])
        .ok_or_else(|| malformed("the bearer message does not end in two separators"))?;
    let mut found = None;
    for pair in pairs.split(|b| *b == SEPARATOR) {
        let value = pair
            .iter()
            .position(|b| *b == b'=')
            .and_then(|end| Some((pair.get(..end)?, pair.get(end + 1..)?)))
            .ok_or_else(|| malformed("a pair of the bearer message has no value"))?;
        if value.0 == b"auth" && found.replace(value.1).is_some() {
            return Err(malformed("the bearer message has two tokens"));
        }
    }
    let value = found.ok_or_else(|| malformed("the bearer message has no token"))?;
    value
        .split_at_checked(SCHEME.len())
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(SCHEME.as_bytes()))
        .map(|(_, token)| token)
        .ok_or_else(|| malformed("the bearer message's auth is not Bearer and a token"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_found_and_extensions_are_passed_over() {
        for message in ["n,,\x01auth=Bearer abc\x01\x01", "y,,\x01a=1\x01auth=bearer abc\x01traceId=2=3\x01\x01"] {
            assert_eq!(bearer_token(message.as_bytes()).unwrap(), b"abc", "{message:?}");
        }
    }

    #[test]
    fn x_05_other_shapes_are_refused_in_words() {
        for (message, why) in [
            ("", "no pairs"),
            ("n,,", "no pairs"),
            ("n,a=admin,\x01auth=Bearer abc\x01\x01", "authorization identity"),
            ("p=x,,\x01auth=Bearer abc\x01\x01", "header"),
            ("n,,\x01auth=Bearer abc\x01", "two separators"),
            ("n,,\x01auth=Bearer abc", "two separators"),
            ("n,,\x01auth=Bearer a\x01auth=Bearer b\x01\x01", "two tokens"),
            ("n,,\x01auth\x01\x01", "no value"),
            ("n,,\x01x=y\x01\x01", "no token"),
            ("n,,\x01auth=Basic abc\x01\x01", "Bearer"),
            ("n,,\x01auth=\x01\x01", "Bearer"),
        ] {
            let fault = bearer_token(message.as_bytes()).unwrap_err();
            assert!(fault.status == Status::Malformed && fault.text.contains(why), "{message:?}: {fault}");
        }
        assert!(bearer_token(&[b'n'; LONGEST + 1]).is_err());
    }
}
