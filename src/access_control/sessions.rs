// SPDX-License-Identifier: Apache-2.0
//! Live sessions, as the hosts report them.

use rusqlite::params;

use super::changes::Kind;
use super::store::{Store, failed};
use crate::fault::{Fault, Status};

/// How long a host's sessions are shown after its last report, milliseconds.
const SHOWN: i64 = 45_000;

/// One live session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionRow {
    /// Public id: `<boot>/<session>`.
    pub id: String,
    /// Host that holds it.
    pub host: String,
    /// ARN of the subject.
    pub subject: String,
    /// Access key id.
    pub access_key_id: String,
    /// Role session name, or empty.
    pub session_name: String,
    /// Client address, or empty.
    pub address: String,
    /// Listener.
    pub listener: String,
    /// When it began, milliseconds since the epoch.
    pub since: i64,
    /// When it ends.
    pub deadline: i64,
}

impl Store {
    /// Replaces what is known of one boot's sessions.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn publish_sessions(&self, boot: &str, sessions: &[SessionRow]) -> Result<(), Fault> {
        let (account, now) = (self.account().to_owned(), self.clock.wall().0);
        self.note(|t| {
            t.execute("DELETE FROM live_session WHERE boot = ?1 OR seen < ?2", params![boot, now - SHOWN])
                .map_err(failed)?;
            let mut statement = t
                .prepare_cached("INSERT INTO live_session VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)")
                .map_err(failed)?;
            for s in sessions {
                statement
                    .execute(params![
                        s.id,
                        account,
                        boot,
                        s.host,
                        s.subject,
                        s.access_key_id,
                        s.session_name,
                        s.address,
                        s.listener,
                        s.since,
                        s.deadline,
                        now
                    ])
                    .map_err(failed)?;
            }
            Ok(())
        })
    }

    /// Every live session, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn sessions(&self) -> Result<Vec<SessionRow>, Fault> {
        let now = self.clock.wall().0;
        self.read(|c, _| {
            let mut statement = c
                .prepare_cached(
                    "SELECT id, host, subject, access_key, session_name, address, listener, since, deadline FROM live_session
                     WHERE account = ?1 AND seen >= ?2 AND deadline > ?3 ORDER BY since, id",
                )
                .map_err(failed)?;
            let rows = statement
                .query_map(params![self.account(), now - SHOWN, now], |row| {
                    Ok(SessionRow {
                        id: row.get(0)?,
                        host: row.get(1)?,
                        subject: row.get(2)?,
                        access_key_id: row.get(3)?,
                        session_name: row.get(4)?,
                        address: row.get(5)?,
                        listener: row.get(6)?,
                        since: row.get(7)?,
                        deadline: row.get(8)?,
                    })
                })
                .map_err(failed)?;
            rows.collect::<Result<_, _>>().map_err(failed)
        })
    }

    /// Ends a session by its public id.
    ///
    /// # Errors
    /// [`Status::NotFound`].
    pub fn end_session(&self, actor: &str, id: &str) -> Result<(), Fault> {
        self.write(actor, "EndSession", id, |w| {
            let known: bool = w
                .view()
                .query_row("SELECT EXISTS (SELECT 1 FROM live_session WHERE id = ?1)", params![id], |row| row.get(0))
                .map_err(failed)?;
            if !known {
                return Err(Fault::new(
                    Status::NotFound,
                    format!("there is no live session {id:?}; `standin session list` shows them"),
                ));
            }
            w.announce(Kind::SessionEnded, id)
        })
    }
}
