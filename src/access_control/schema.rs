// SPDX-License-Identifier: Apache-2.0
//! The tables, and how an older file becomes a newer one.

use rusqlite::Connection;

use crate::fault::{Fault, Status};

use super::sqlite::failed;

/// Each step brings a store from the version before it to its own. The words
/// are SQLite's; another database translates `INTEGER`, `TEXT`, `BLOB` and
/// `WITHOUT ROWID`, so nothing else that only SQLite knows may stand here.
pub const STEPS: [&str; 7] = [
    r"
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE revision (one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL, changes_from INTEGER NOT NULL);
INSERT INTO revision VALUES (1, 0, 0);
CREATE TABLE identity (
  arn TEXT PRIMARY KEY, account TEXT NOT NULL, kind TEXT NOT NULL CHECK (kind IN ('user','role','host')),
  path TEXT NOT NULL, name TEXT NOT NULL, unique_id TEXT NOT NULL UNIQUE, created INTEGER NOT NULL,
  disabled INTEGER NOT NULL DEFAULT 0, tags TEXT NOT NULL DEFAULT '[]', boundary TEXT,
  trust TEXT, max_session INTEGER,
  UNIQUE (account, kind, name)
) WITHOUT ROWID;
CREATE TABLE grouping (
  arn TEXT PRIMARY KEY, account TEXT NOT NULL, path TEXT NOT NULL, name TEXT NOT NULL, unique_id TEXT NOT NULL UNIQUE,
  created INTEGER NOT NULL, UNIQUE (account, name)
) WITHOUT ROWID;
CREATE TABLE membership (
  account TEXT NOT NULL, grouping TEXT NOT NULL REFERENCES grouping (arn), identity TEXT NOT NULL REFERENCES identity (arn),
  PRIMARY KEY (grouping, identity)
) WITHOUT ROWID;
CREATE INDEX membership_identity ON membership (identity);
CREATE TABLE access_key (
  id TEXT PRIMARY KEY, account TEXT NOT NULL, identity TEXT NOT NULL REFERENCES identity (arn), secret BLOB NOT NULL,
  active INTEGER NOT NULL, created INTEGER NOT NULL, last_used INTEGER
) WITHOUT ROWID;
CREATE INDEX access_key_identity ON access_key (identity);
CREATE TABLE policy (
  arn TEXT PRIMARY KEY, account TEXT NOT NULL, name TEXT NOT NULL, unique_id TEXT NOT NULL UNIQUE, created INTEGER NOT NULL,
  default_version INTEGER NOT NULL, UNIQUE (account, name)
) WITHOUT ROWID;
CREATE TABLE policy_version (
  policy TEXT NOT NULL REFERENCES policy (arn), account TEXT NOT NULL, version INTEGER NOT NULL, document TEXT NOT NULL,
  hash BLOB NOT NULL, created INTEGER NOT NULL, PRIMARY KEY (policy, version)
) WITHOUT ROWID;
CREATE TABLE inline_policy (
  owner TEXT NOT NULL, account TEXT NOT NULL, name TEXT NOT NULL, document TEXT NOT NULL, hash BLOB NOT NULL,
  created INTEGER NOT NULL, PRIMARY KEY (owner, name)
) WITHOUT ROWID;
CREATE TABLE attachment (
  owner TEXT NOT NULL, account TEXT NOT NULL, policy TEXT NOT NULL REFERENCES policy (arn), PRIMARY KEY (owner, policy)
) WITHOUT ROWID;
CREATE INDEX attachment_policy ON attachment (policy);
CREATE TABLE change (revision INTEGER NOT NULL, position INTEGER NOT NULL, account TEXT NOT NULL, kind TEXT NOT NULL,
  subject TEXT NOT NULL, PRIMARY KEY (revision, position)) WITHOUT ROWID;
CREATE TABLE administration (
  revision INTEGER PRIMARY KEY, account TEXT NOT NULL, time INTEGER NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL,
  target TEXT NOT NULL, detail TEXT NOT NULL
);
CREATE TABLE boot (
  boot TEXT PRIMARY KEY, account TEXT NOT NULL, host TEXT NOT NULL, seen INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE live_session (
  boot TEXT NOT NULL REFERENCES boot (boot) ON DELETE CASCADE, id TEXT NOT NULL, account TEXT NOT NULL,
  subject TEXT NOT NULL, access_key TEXT NOT NULL, session_name TEXT NOT NULL, address TEXT NOT NULL,
  listener TEXT NOT NULL, since INTEGER NOT NULL, deadline INTEGER NOT NULL, PRIMARY KEY (boot, id)
) WITHOUT ROWID;
",
    r"
ALTER TABLE identity ADD COLUMN description TEXT NOT NULL DEFAULT '';
ALTER TABLE policy ADD COLUMN description TEXT NOT NULL DEFAULT '';
ALTER TABLE policy ADD COLUMN tags TEXT NOT NULL DEFAULT '[]';
ALTER TABLE policy ADD COLUMN newest INTEGER NOT NULL DEFAULT 0;
CREATE TABLE identity_provider (
  arn TEXT PRIMARY KEY, account TEXT NOT NULL, issuer TEXT NOT NULL, client_ids TEXT NOT NULL, thumbprints TEXT NOT NULL,
  tags TEXT NOT NULL, created INTEGER NOT NULL
) WITHOUT ROWID;
",
    // Hosts of other machines.
    r"
CREATE TABLE host (
  arn TEXT PRIMARY KEY REFERENCES identity (arn) ON DELETE CASCADE, account TEXT NOT NULL, public_key BLOB,
  enrolled INTEGER, verification_keys INTEGER NOT NULL, code BLOB, code_ends INTEGER, code_attempts INTEGER NOT NULL
) WITHOUT ROWID;
",
    // Administration that was denied.
    r"
CREATE TABLE denial_last (one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL);
INSERT INTO denial_last VALUES (1, 0);
CREATE TABLE denial (
  number INTEGER PRIMARY KEY, account TEXT NOT NULL, time INTEGER NOT NULL, until INTEGER NOT NULL, count INTEGER NOT NULL,
  actor TEXT NOT NULL, access_key TEXT NOT NULL, action TEXT NOT NULL, target TEXT NOT NULL, address TEXT NOT NULL,
  reason TEXT NOT NULL
);
",
    // When hosts were last heard.
    "ALTER TABLE host ADD COLUMN seen INTEGER;",
    // Audit records that hosts delivered.
    r"
CREATE TABLE collected_last (one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL);
INSERT INTO collected_last VALUES (1, 0);
CREATE TABLE collected (
  number INTEGER PRIMARY KEY, account TEXT NOT NULL, host TEXT NOT NULL, boot TEXT NOT NULL, sequence INTEGER NOT NULL,
  time INTEGER NOT NULL, received INTEGER NOT NULL, record TEXT NOT NULL, UNIQUE (host, boot, sequence)
);
",
    // Whether the connection of a session that was ended is to be closed too.
    "ALTER TABLE change ADD COLUMN disconnect INTEGER NOT NULL DEFAULT 0;",
];

/// The oldest version of this program that can work with a store of the newest
/// format, by that version's own format. Raise it with a step that is more than
/// new tables and new columns that may be left out, or that brings a kind of
/// change older versions do not know.
pub const READABLE_FROM: u32 = 2;

/// Refuses a store that this version cannot work with: one of a newer format
/// whose makers did not say that older versions may.
///
/// # Errors
/// [`Status::NewerFormat`] with what to do.
pub fn check_format(format: u32, readable_from: u32) -> Result<(), Fault> {
    let newest = newest();
    if format <= newest || readable_from <= newest {
        return Ok(());
    }
    Err(Fault::new(
        Status::NewerFormat,
        format!(
            "the store has format {format}, this version reads up to {newest}; start the newer version of Standin, or restore the backup made before the upgrade"
        ),
    ))
}

/// The format of this version.
#[must_use]
pub fn newest() -> u32 {
    u32::try_from(STEPS.len()).unwrap_or(u32::MAX)
}

/// Which versions may work with a file of a newer format than this version's.
fn readable_from(connection: &Connection) -> u32 {
    let value = connection.query_row("SELECT value FROM meta WHERE name = 'readable-from'", [], |row| row.get(0));
    value.ok().and_then(|text: String| text.parse().ok()).unwrap_or(u32::MAX)
}

/// Brings an open file up to date.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), Fault> {
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed)?;
    if version > newest() {
        return check_format(version, readable_from(connection));
    }
    if version == newest() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(failed)?;
    // Another process may have been faster while this one waited for the lock,
    // also one of a newer version.
    let version: u32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed)?;
    if version >= newest() {
        return check_format(version, readable_from(&transaction));
    }
    for step in STEPS.iter().skip(usize::try_from(version).unwrap_or(usize::MAX)) {
        transaction.execute_batch(step).map_err(failed)?;
    }
    transaction
        .execute(
            "INSERT INTO meta (name, value) VALUES ('readable-from', ?1) ON CONFLICT (name) DO UPDATE SET value = ?1",
            [READABLE_FROM.to_string()],
        )
        .map_err(failed)?;
    transaction.pragma_update(None, "user_version", newest()).map_err(failed)?;
    transaction.commit().map_err(failed)
}
