// SPDX-License-Identifier: Apache-2.0
//! What is wrong with a document, where, and what is accepted.

use std::fmt;

use super::reader::Member;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// JSON path, such as `$.Statement[1].Effect`.
    pub path: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What was found.
    pub found: String,
    /// What is accepted, and where known what to do.
    pub accepted: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (line {}, column {}): {}; {}", self.path, self.line, self.column, self.found, self.accepted)
    }
}

/// A document that is not a policy. Holds every problem found, in the order of
/// the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The problems; never empty.
    pub problems: Vec<Problem>,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.problems.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Invalid {}

/// A text in quotes, shortened.
pub(super) fn shown_text(text: &str) -> String {
    let short: String = text.chars().take(80).collect();
    if short.len() < text.len() { format!("{short:?}…") } else { format!("{short:?}") }
}

/// Most problems of one text that are told: whoever writes policies mends some
/// and looks again.
const MOST: usize = 100;

/// Gathers problems of one text.
pub(super) struct Problems<'t> {
    text: &'t str,
    found: Vec<Problem>,
}

impl<'t> Problems<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, found: Vec::new() }
    }

    pub(super) fn add(&mut self, path: &str, at: usize, found: impl Into<String>, accepted: impl Into<String>) {
        if self.found.len() >= MOST {
            return;
        }
        let before = self.text.get(..at).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        self.found.push(Problem {
            path: path.to_owned(),
            line,
            column,
            found: found.into(),
            accepted: accepted.into(),
        });
    }

    /// What was found, as it was added.
    pub(super) fn into_list(self) -> Vec<Problem> {
        self.found
    }

    pub(super) fn finish<T>(mut self, value: Option<T>) -> Result<T, Invalid> {
        match value {
            Some(value) if self.found.is_empty() => Ok(value),
            _ => {
                if self.found.is_empty() {
                    self.add("$", 0, "not a policy document", "a JSON object with Version and Statement is accepted");
                }
                self.found.sort_by_key(|p| (p.line, p.column));
                Err(Invalid { problems: self.found })
            }
        }
    }
}

/// A key that does not belong where it stands.
pub(super) fn unknown(member: &Member, path: &str, known: &[&str], problems: &mut Problems<'_>) {
    let nearest = known.iter().min_by_key(|k| crate::fault::distance(k, &member.name)).copied().unwrap_or_default();
    problems.add(
        path,
        member.at,
        format!("unknown key {}", shown_text(&member.name)),
        format!("{} are accepted; did you mean {nearest}?", known.join(", ")),
    );
}
