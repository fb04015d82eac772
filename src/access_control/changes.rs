// SPDX-License-Identifier: Apache-2.0
//! The change table: what happened, in order, for those who follow.

use rusqlite::params;

use super::store::{Store, failed, signed};
use crate::fault::Fault;
use crate::revision::Revision;

/// What a change is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Policies, tags or groups of the identity changed.
    Entitlements,
    /// The identity was disabled or deleted.
    IdentityEnded,
    /// The access key was disabled or deleted.
    KeyEnded,
    /// The access key is new or enabled again.
    KeyAppeared,
    /// An administrator ended the session of this public id.
    SessionEnded,
    /// Changes after the asked-for revision are no longer kept: everything may
    /// have changed.
    Gap,
}

const WORDS: [(Kind, &str); 5] = [
    (Kind::Entitlements, "entitlements"),
    (Kind::IdentityEnded, "identity-ended"),
    (Kind::KeyEnded, "key-ended"),
    (Kind::KeyAppeared, "key-appeared"),
    (Kind::SessionEnded, "session-ended"),
];

impl Kind {
    pub(super) fn word(self) -> &'static str {
        WORDS.iter().find(|(k, _)| *k == self).map_or("", |(_, w)| w)
    }
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeRow {
    /// Its place in the history; several changes may share one.
    pub revision: Revision,
    /// What it is about.
    pub kind: Kind,
    /// Identity ARN, access key id or public session id.
    pub subject: String,
}

impl Store {
    /// Changes after a revision, oldest first, of whole revisions only: about
    /// `limit` rows. One [`Kind::Gap`] when some of them are no longer kept.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn changes(&self, after: Revision, limit: usize) -> Result<Vec<ChangeRow>, Fault> {
        self.read(|c, newest| {
            let from: i64 = c
                .prepare_cached("SELECT changes_from FROM revision")
                .and_then(|mut s| s.query_row([], |row| row.get(0)))
                .map_err(failed)?;
            if after.0.saturating_add(1) < from.unsigned_abs() {
                return Ok(vec![ChangeRow { revision: newest, kind: Kind::Gap, subject: String::new() }]);
            }
            let mut statement = c
                .prepare_cached(
                    "SELECT revision, kind, subject FROM change WHERE revision > ?1 AND revision <=
                       coalesce((SELECT max(revision) FROM (SELECT revision FROM change WHERE revision > ?1 ORDER BY revision LIMIT ?2)), 0)
                     ORDER BY revision, position",
                )
                .map_err(failed)?;
            let rows = statement
                .query_map(params![signed(after.0), signed(limit as u64)], |row| {
                    Ok((Revision(row.get::<_, i64>(0)?.unsigned_abs()), row.get::<_, String>(1)?, row.get::<_, String>(2)?))
                })
                .map_err(failed)?;
            let mut changes = Vec::new();
            for row in rows {
                let (revision, word, subject) = row.map_err(failed)?;
                // A kind this version does not know cannot be skipped safely.
                let kind = WORDS
                    .iter()
                    .find(|(_, w)| *w == word)
                    .map(|(k, _)| *k)
                    .ok_or_else(|| Fault::new(crate::fault::Status::NewerFormat, format!("change {word:?} is of a newer version")))?;
                changes.push(ChangeRow { revision, kind, subject });
            }
            Ok(changes)
        })
    }
}
