// SPDX-License-Identifier: Apache-2.0
//! Files of Java properties, read as `java.util.Properties.load` reads them,
//! with the line each entry stands on.

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Line it begins on, from 1.
    pub(crate) line: usize,
    pub(crate) key: String,
    pub(crate) value: String,
}

/// A file of properties.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Properties {
    /// Every entry in the order of the file, also those that are set again
    /// further down.
    pub(crate) entries: Vec<Entry>,
}

impl Properties {
    /// Reads the bytes of a file: ISO 8859-1, as Kafka reads its own.
    ///
    /// # Errors
    /// The line and what is wrong: an escape that is not one.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, (usize, String)> {
        let text: Vec<char> = bytes.iter().map(|b| char::from(*b)).collect();
        let mut entries = Vec::new();
        let mut lines = Lines { text: &text, at: 0, line: 1 };
        while let Some((line, logical)) = lines.next_logical() {
            let (key, value) = split(&logical);
            let key = unescape(key).map_err(|e| (line, e))?;
            let value = unescape(value).map_err(|e| (line, e))?;
            entries.push(Entry { line, key, value });
        }
        Ok(Self { entries })
    }

    /// The entry that counts: the last of this key.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().rev().find(|e| e.key == key)
    }

    /// Its value without the space around it, as Kafka's parsers take it.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.entry(key).map(|e| e.value.trim())
    }

    /// The entries that count, in the order of the file.
    pub(crate) fn effective(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().enumerate().filter_map(|(n, e)| {
            let again = self.entries.iter().skip(n + 1).any(|later| later.key == e.key);
            (!again).then_some(e)
        })
    }

    /// The items of a comma-separated value.
    pub(crate) fn list(&self, key: &str) -> Vec<&str> {
        self.get(key).unwrap_or_default().split(',').map(str::trim).filter(|s| !s.is_empty()).collect()
    }
}

const SPACE: [char; 3] = [' ', '\t', '\u{c}'];

struct Lines<'t> {
    text: &'t [char],
    at: usize,
    line: usize,
}

impl Lines<'_> {
    /// One natural line, without its end.
    fn next_natural(&mut self) -> Option<(usize, &[char])> {
        if self.at >= self.text.len() {
            return None;
        }
        let (from, line) = (self.at, self.line);
        let rest = self.text.get(from..).unwrap_or_default();
        let length = rest.iter().position(|c| *c == '\n' || *c == '\r').unwrap_or(rest.len());
        let end = match rest.get(length..length + 2) {
            Some(['\r', '\n']) => 2,
            _ => 1,
        };
        self.at += length + end;
        self.line += 1;
        Some((line, rest.get(..length).unwrap_or_default()))
    }

    /// One logical line: natural lines of which all but the last end in an odd
    /// number of backslashes. Comments and blank lines are left out.
    fn next_logical(&mut self) -> Option<(usize, Vec<char>)> {
        'next: loop {
            let (line, natural) = self.next_natural()?;
            let start = trimmed(natural);
            if start.is_empty() || matches!(start.first(), Some('#' | '!')) {
                continue;
            }
            let mut logical = start.to_vec();
            while logical.iter().rev().take_while(|c| **c == '\\').count() % 2 == 1 {
                logical.pop();
                let over = self.at >= self.text.len();
                // As long as there is nothing of it, a line has not begun; but
                // Java takes one backslash at the very end for the empty key.
                if logical.is_empty() && (!over || self.text.ends_with(&['\r', '\n'])) {
                    continue 'next;
                }
                if over {
                    break;
                }
                // A continuation may be blank and may look like a comment.
                logical.extend(self.next_natural().map_or(&[][..], |(_, more)| trimmed(more)));
            }
            return Some((line, logical));
        }
    }
}

fn trimmed(line: &[char]) -> &[char] {
    let n = line.iter().take_while(|c| SPACE.contains(c)).count();
    line.get(n..).unwrap_or_default()
}

/// Key and value: a key ends at the first `=`, `:` or space that no backslash
/// stands before.
fn split(line: &[char]) -> (&[char], &[char]) {
    let mut escaped = false;
    let end = line.iter().position(|c| {
        let ends = !escaped && (SPACE.contains(c) || matches!(c, '=' | ':'));
        escaped = !escaped && *c == '\\';
        ends
    });
    let end = end.unwrap_or(line.len());
    let (key, rest) = line.split_at(end);
    let rest = trimmed(rest);
    let rest = if matches!(rest.first(), Some('=' | ':')) { trimmed(rest.get(1..).unwrap_or_default()) } else { rest };
    (key, rest)
}

fn unescape(text: &[char]) -> Result<String, String> {
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut chars = text.iter();
    let mut buffer = [0; 2];
    while let Some(c) = chars.next() {
        if *c != '\\' {
            units.extend_from_slice(c.encode_utf16(&mut buffer));
            continue;
        }
        let unit = match chars.next() {
            None => break,
            Some('t') => u16::from(b'\t'),
            Some('n') => u16::from(b'\n'),
            Some('r') => u16::from(b'\r'),
            Some('f') => 0xc,
            Some('u') => {
                let digits: String = chars.by_ref().take(4).collect();
                let whole = digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_hexdigit());
                whole.then(|| u16::from_str_radix(&digits, 16).ok()).flatten().ok_or_else(|| {
                    format!("\\u{digits}: four hexadecimal digits are accepted behind \\u; write \\\\ for a backslash")
                })?
            }
            Some(other) => {
                units.extend_from_slice(other.encode_utf16(&mut buffer));
                continue;
            }
        };
        units.push(unit);
    }
    Ok(String::from_utf16_lossy(&units))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let text = if text == "-" { "" } else { text };
        (0..text.len()).step_by(2).map(|n| u8::from_str_radix(&text[n..n + 2], 16).unwrap()).collect()
    }

    fn utf16(text: &str) -> String {
        let units: Vec<u16> = hex(text).chunks(2).map(|c| u16::from_be_bytes([c[0], c[1]])).collect();
        String::from_utf16_lossy(&units)
    }

    /// What Java itself read from the same bytes; see Generate.java beside them.
    #[test]
    fn files_are_read_as_java_reads_them() {
        let cases = include_str!("../../../tests/data/properties/cases.txt");
        let (mut read, mut refused) = (0, 0);
        for line in cases.lines() {
            let fields: Vec<&str> = line.split(' ').collect();
            let found = Properties::read(&hex(fields[0]));
            if fields[1..] == ["error"] {
                refused += 1;
                assert!(found.is_err(), "{line}: {found:?}");
                continue;
            }
            let found = found.unwrap_or_else(|e| panic!("{line}: {e:?}"));
            let found: BTreeMap<String, String> = found.effective().map(|e| (e.key.clone(), e.value.clone())).collect();
            let expected: BTreeMap<String, String> =
                fields[1..].chunks(2).map(|pair| (utf16(pair[0]), utf16(pair[1]))).collect();
            assert_eq!(found, expected, "{:?}", String::from_utf8_lossy(&hex(fields[0])));
            read += 1;
        }
        assert!(read > 2000 && refused > 100, "{read} {refused}");
    }

    #[test]
    fn entries_know_their_lines() {
        let found = Properties::read(b"# c\r\na = 1\\\r\n  2\n\n! d\rb:3\na=4\n").unwrap();
        let told: Vec<(usize, &str, &str)> =
            found.entries.iter().map(|e| (e.line, e.key.as_str(), e.value.as_str())).collect();
        assert_eq!(told, [(2, "a", "12"), (6, "b", "3"), (7, "a", "4")]);
        assert_eq!(found.entry("a").map(|e| e.line), Some(7));
    }
}
