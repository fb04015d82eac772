// SPDX-License-Identifier: Apache-2.0
//! The change table: what happened, in order, for those who follow.

use super::database::params;
use super::store::{Store, signed};
use crate::fault::{Fault, Status};
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
    /// Of [`Kind::SessionEnded`]: its connection is to be closed too.
    pub disconnect: bool,
}

impl Store {
    /// Changes after a revision, oldest first, of whole revisions only: about
    /// `limit` rows. One [`Kind::Gap`] when some of them are no longer kept.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn changes(&self, after: Revision, limit: usize) -> Result<Vec<ChangeRow>, Fault> {
        self.read(|c, newest| {
            let from: i64 = c.one("SELECT changes_from FROM revision", params![])?;
            if after.0.saturating_add(1) < from.unsigned_abs() {
                return Ok(vec![ChangeRow { revision: newest, kind: Kind::Gap, subject: String::new(), disconnect: false }]);
            }
            c.all(
                "SELECT revision, kind, subject, disconnect FROM change WHERE revision > ?1 AND revision <=
                   coalesce((SELECT max(revision) FROM (SELECT revision FROM change WHERE revision > ?1 ORDER BY revision LIMIT ?2) AS page), 0)
                 ORDER BY revision, position",
                params![signed(after.0), signed(limit as u64)],
                |row| {
                    let word: String = row.get(1)?;
                    // A kind this version does not know cannot be skipped safely.
                    let kind = WORDS.iter().find(|(_, w)| *w == word).map(|(k, _)| *k).ok_or_else(|| {
                        Fault::new(Status::NewerFormat, format!("change {word:?} is of a newer version"))
                    })?;
                    Ok(ChangeRow {
                        revision: Revision(row.get::<i64>(0)?.unsigned_abs()),
                        kind,
                        subject: row.get(2)?,
                        disconnect: row.get::<i64>(3)? != 0,
                    })
                },
            )
        })
    }
}
