// SPDX-License-Identifier: Apache-2.0
//! Live sessions, as the hosts report them.

use super::database::params;
use super::quotas::Quota;
use super::store::Store;
use crate::fault::{Fault, Status};

/// How long a host's sessions are shown after its last report, milliseconds.
const SHOWN: i64 = 45_000;
/// What is written down of an end that closes the connection too.
const DISCONNECT: &str = "disconnect";

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
    /// Takes a boot's report; one without changes shows that it lives. How many
    /// of its sessions there was no room for: they are not shown, and are as good
    /// as the others.
    ///
    /// # Errors
    /// Undecided when only what changed is told of a boot that is not known, or
    /// no longer: all its sessions are to be told then. Otherwise when the store
    /// cannot be written.
    pub fn report_sessions(&self, boot: &str, host: &str, report: &SessionReport) -> Result<usize, Fault> {
        let (account, now) = (self.account().to_owned(), self.clock.wall().0);
        self.note(|c| {
            c.execute("DELETE FROM boot WHERE seen < ?1", params![now - SHOWN])?;
            let known: bool = c.one("SELECT EXISTS (SELECT 1 FROM boot WHERE boot = ?1)", params![boot])?;
            if !known && !report.whole {
                return Err(Fault::unavailable(format!("boot {boot:?} is not known, or was not heard for long")));
            }
            let own = c.execute(
                "INSERT INTO boot (boot, account, host, seen) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (boot) DO UPDATE SET seen = ?4 WHERE boot.host = ?3",
                params![boot, account, host, now],
            )?;
            if own == 0 {
                return Err(Fault::new(Status::NotAllowed, format!("boot {boot:?} is another host's")));
            }
            if report.whole {
                c.execute("DELETE FROM live_session WHERE boot = ?1", params![boot])?;
            }
            for id in &report.over {
                c.execute("DELETE FROM live_session WHERE boot = ?1 AND id = ?2", params![boot, id])?;
            }
            let room = match self.quotas.most(Quota::SessionsPerHost) {
                Some(most) if !report.begun.is_empty() => {
                    // The boot's row is locked: its reports come one after the other.
                    let kept = "SELECT count(*) FROM live_session WHERE boot = ?1";
                    usize::try_from(most - c.one::<i64>(kept, params![boot])?).unwrap_or(0)
                }
                _ => usize::MAX,
            };
            for s in report.begun.iter().take(room) {
                c.execute(
                    "INSERT INTO live_session (boot, id, account, subject, access_key, session_name, address, listener, since, deadline)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
                     ON CONFLICT (boot, id) DO UPDATE SET subject = ?4, access_key = ?5, session_name = ?6, address = ?7, listener = ?8, since = ?9, deadline = ?10",
                    params![
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
                    ],
                )?;
            }
            Ok(report.begun.len().saturating_sub(room))
        })
    }

    /// Every live session, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn sessions(&self) -> Result<Vec<SessionRow>, Fault> {
        let now = self.clock.wall().0;
        self.read(|c, _| {
            c.all(
                "SELECT s.id, b.host, s.subject, s.access_key, s.session_name, s.address, s.listener, s.since, s.deadline
                 FROM live_session s JOIN boot b ON b.boot = s.boot
                 WHERE s.account = ?1 AND b.seen >= ?2 AND s.deadline > ?3 ORDER BY s.since, s.id",
                params![self.account(), now - SHOWN, now],
                |row| {
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
                },
            )
        })
    }

    /// Ends sessions by their public ids, with `disconnect` also their
    /// connections; those that are not live are left out. How many were.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn end_sessions(&self, actor: &str, ids: &[String], why: &str, disconnect: bool) -> Result<usize, Fault> {
        self.write(actor, "EndSession", &format!("{} sessions", ids.len()), |w| {
            let mut ended = 0;
            for id in ids {
                let known: bool =
                    w.view().one("SELECT EXISTS (SELECT 1 FROM live_session WHERE id = ?1)", params![id])?;
                if known {
                    w.announce_end(id, disconnect)?;
                    ended += 1;
                }
            }
            w.detail = if disconnect { format!("{why}, {DISCONNECT}") } else { why.to_owned() };
            Ok(ended)
        })
    }

    /// Ends a session by its public id, with `disconnect` also its connection.
    ///
    /// # Errors
    /// [`Status::NotFound`].
    pub fn end_session(&self, actor: &str, id: &str, disconnect: bool) -> Result<(), Fault> {
        self.write(actor, "EndSession", id, |w| {
            let known: bool = w.view().one("SELECT EXISTS (SELECT 1 FROM live_session WHERE id = ?1)", params![id])?;
            if !known {
                return Err(Fault::new(
                    Status::NotFound,
                    format!("there is no live session {id:?}; `standin session list` shows them"),
                ));
            }
            if disconnect {
                DISCONNECT.clone_into(&mut w.detail);
            }
            w.announce_end(id, disconnect)
        })
    }
}
