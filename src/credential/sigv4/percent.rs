// SPDX-License-Identifier: Apache-2.0
//! Percent-encoding: how texts stand in queries and forms.

/// By byte: may it stand for itself (RFC 3986: unreserved characters)?
const UNRESERVED: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128_u8 {
        table[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        byte += 1;
    }
    table
};

/// Appends `text` percent-encoded (RFC 3986: all but unreserved characters).
pub fn encode(text: &str, out: &mut String) {
    let (bytes, mut from) = (text.as_bytes(), 0);
    for (at, byte) in bytes.iter().enumerate() {
        if UNRESERVED.get(usize::from(*byte)) == Some(&true) {
            continue;
        }
        // What lies between two encoded bytes is ASCII.
        out.push_str(text.get(from..at).unwrap_or_default());
        out.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        from = at + 1;
    }
    out.push_str(text.get(from..).unwrap_or_default());
}

fn digit(half: u8) -> char {
    char::from(if half < 10 { b'0' + half } else { b'A' + half - 10 })
}

/// What a percent-encoded text stands for; a plus is a blank, as in forms and
/// in the queries of the Go signer. None when it is not percent-encoded UTF-8.
#[must_use]
pub fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                u8::try_from(high * 16 + low).ok()?
            }
            b'+' => b' ',
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}
