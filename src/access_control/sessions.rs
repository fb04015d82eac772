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

/// What changed among the sessions of one boot since it last told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionReport {
    /// Sessions that began.
    pub begun: Vec<SessionRow>,
    /// Public ids of those that are over.
    pub over: Vec<String>,
    /// True when `begun` holds all there are.
    pub whole: bool,
}

impl Store {
    /// Takes a boot's report; one without changes shows that it lives.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn report_sessions(&self, boot: &str, host: &str, report: &SessionReport) -> Result<(), Fault> {
        let (account, now) = (self.account().to_owned(), self.clock.wall().0);
        self.note(|t| {
            t.execute("DELETE FROM boot WHERE seen < ?1", params![now - SHOWN]).map_err(failed)?;
            let own = t
                .execute(
                    "INSERT INTO boot VALUES (?1, ?2, ?3, ?4) ON CONFLICT (boot) DO UPDATE SET seen = ?4 WHERE host = ?3",
                    params![boot, account, host, now],
                )
                .map_err(failed)?;
            if own == 0 {
                return Err(Fault::new(Status::NotAllowed, format!("boot {boot:?} is another host's")));
            }
            if report.whole {
                t.execute("DELETE FROM live_session WHERE boot = ?1", params![boot]).map_err(failed)?;
            }
            let mut remove =
                t.prepare_cached("DELETE FROM live_session WHERE boot = ?1 AND id = ?2").map_err(failed)?;
            for id in &report.over {
                remove.execute(params![boot, id]).map_err(failed)?;
            }
            let mut add = t
                .prepare_cached("INSERT OR REPLACE INTO live_session VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")
                .map_err(failed)?;
            for s in &report.begun {
                let row = params![
                    boot,
                    s.id,
                    account,
                    s.subject,
                    s.access_key_id,
                    s.session_name,
                    s.address,
                    s.listener,
                    s.since,
                    s.deadline
                ];
                add.execute(row).map_err(failed)?;
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
                    "SELECT s.id, b.host, s.subject, s.access_key, s.session_name, s.address, s.listener, s.since, s.deadline
                     FROM live_session s JOIN boot b ON b.boot = s.boot
                     WHERE s.account = ?1 AND b.seen >= ?2 AND s.deadline > ?3 ORDER BY s.since, s.id",
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
