// SPDX-License-Identifier: Apache-2.0
//! Audit records that hosts delivered. Each is known by host, boot and number,
//! so that one that comes again is recognized and one that is missing shows.

use super::database::params;
use super::store::{Store, signed};
use crate::fault::Fault;

/// Most that are deleted at a time, so that no transaction takes long.
const DELETED: i64 = 10_000;

/// A record that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collected {
    /// Its place among all that came. Given by the store.
    pub number: i64,
    /// The boot of the host that made it.
    pub boot: String,
    /// Its number in that boot.
    pub sequence: i64,
    /// When it was made, milliseconds since the epoch.
    pub time: i64,
    /// The record, one line of JSON.
    pub record: String,
}

impl Store {
    /// Keeps records of a host; how many of them were not there yet. On the
    /// disk when this returns.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn collect(&self, host: &str, records: &[Collected]) -> Result<usize, Fault> {
        let (account, now) = (self.account().to_owned(), self.clock.wall().0);
        self.note(|c| {
            // The row is locked by the transaction, so numbers commit in order.
            let many = signed(records.len() as u64);
            let last: i64 = c.one("UPDATE collected_last SET number = number + ?1 RETURNING number", params![many])?;
            let mut new = 0;
            for (n, record) in (1..).zip(records) {
                new += c.execute(
                    "INSERT INTO collected (number, account, host, boot, sequence, time, received, record)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (host, boot, sequence) DO NOTHING",
                    params![
                        last - many + n,
                        account,
                        host,
                        record.boot,
                        record.sequence,
                        record.time,
                        now,
                        record.record
                    ],
                )?;
            }
            Ok(new)
        })
    }

    /// Records that came after a number and are not older than `since`, in the
    /// order in which they came.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn collected(&self, after: i64, since: i64, limit: usize) -> Result<Vec<Collected>, Fault> {
        self.read(|c, _| {
            c.all(
                "SELECT number, boot, sequence, time, record FROM collected WHERE number > ?1 AND time >= ?2
                 ORDER BY number LIMIT ?3",
                params![after, since, signed(limit as u64)],
                |row| {
                    Ok(Collected {
                        number: row.get(0)?,
                        boot: row.get(1)?,
                        sequence: row.get(2)?,
                        time: row.get(3)?,
                        record: row.get(4)?,
                    })
                },
            )
        })
    }

    /// Deletes some records that came before a time; how many. Called again
    /// until there are none.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn forget_collected(&self, before: i64) -> Result<usize, Fault> {
        self.note(|c| {
            c.execute(
                "DELETE FROM collected WHERE received < ?1 AND number <= (SELECT coalesce(min(number), 0) + ?2 FROM collected)",
                params![before, DELETED],
            )
        })
    }
}
