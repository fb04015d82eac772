// SPDX-License-Identifier: Apache-2.0
//! Values of condition keys as text, without allocation.

use std::fmt;

/// A value as text: borrowed, or short text made on the stack.
pub(super) enum Text<'a> {
    Borrowed(&'a str),
    Made(Short),
}

impl Text<'_> {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Made(short) => short.as_str(),
        }
    }
}

/// Up to 64 bytes of text.
pub(super) struct Short {
    bytes: [u8; 64],
    len: usize,
}

impl Short {
    pub(super) fn of(value: impl fmt::Display) -> Self {
        use fmt::Write;
        let mut short = Self { bytes: [0; 64], len: 0 };
        // Addresses, dates and numbers are shorter than the buffer.
        let _ = write!(short, "{value}");
        short
    }

    fn as_str(&self) -> &str {
        self.bytes.get(..self.len).and_then(|b| std::str::from_utf8(b).ok()).unwrap_or_default()
    }
}

impl fmt::Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.bytes.get_mut(self.len..self.len + text.len()).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.len += text.len();
        Ok(())
    }
}

/// Seconds since the epoch, shown as `2026-01-02T03:04:05Z`.
pub(crate) struct Instant(pub(crate) i64);

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match time::OffsetDateTime::from_unix_timestamp(self.0) {
            Ok(t) => write!(
                f,
                "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
                t.year(),
                u8::from(t.month()),
                t.day(),
                t.hour(),
                t.minute(),
                t.second()
            ),
            Err(_) => write!(f, "{}", self.0),
        }
    }
}

/// True when two characters differ in nothing but case.
pub(super) fn same_char_without_case(a: char, b: char) -> bool {
    a == b || a.to_lowercase().eq(b.to_lowercase()) || a.to_uppercase().eq(b.to_uppercase())
}

/// True when two texts differ in nothing but case, character by character.
pub(super) fn same_without_case(a: &str, b: &str) -> bool {
    let (mut a, mut b) = (a.chars(), b.chars());
    loop {
        match (a.next(), b.next()) {
            (None, None) => return true,
            (Some(x), Some(y)) if same_char_without_case(x, y) => {}
            _ => return false,
        }
    }
}
