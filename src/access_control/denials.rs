// SPDX-License-Identifier: Apache-2.0
//! The durable record of what somebody wanted to administer and might not.

use super::database::params;
use super::store::{Store, signed};
use crate::fault::Fault;

/// How many records are kept.
const KEEP: i64 = 100_000;

/// An administrative request that was denied, once or several times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DenialRow {
    /// Its number; later ones have higher numbers. Given by the store.
    pub number: i64,
    /// Account it concerned. Given by the store.
    pub account: String,
    /// When, for the first time, milliseconds since the epoch.
    pub time: i64,
    /// For the last time.
    pub until: i64,
    /// How often.
    pub count: i64,
    /// ARN of who; empty when nobody proved to be anybody.
    pub actor: String,
    /// The access key it was signed with.
    pub access_key_id: String,
    /// What, such as `iam:CreateUser`.
    pub action: String,
    /// On what.
    pub target: String,
    /// From where; empty when it is not known.
    pub address: String,
    /// Why it was denied.
    pub reason: String,
}

impl Store {
    /// Records denied requests; on the disk when this returns.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn record_denials(&self, rows: &[DenialRow]) -> Result<(), Fault> {
        let account = self.account().to_owned();
        self.note(|c| {
            let mut last = 0;
            for row in rows {
                // The row is locked by the transaction, so numbers commit in order.
                last = c.one("UPDATE denial_last SET number = number + 1 RETURNING number", params![])?;
                c.execute(
                    "INSERT INTO denial (number, account, time, until, count, actor, access_key, action, target, address, reason)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                    params![
                        last,
                        account,
                        row.time,
                        row.until,
                        row.count,
                        row.actor,
                        row.access_key_id,
                        row.action,
                        row.target,
                        row.address,
                        row.reason
                    ],
                )?;
            }
            c.execute("DELETE FROM denial WHERE number <= ?1", params![last - KEEP]).map(drop)
        })
    }

    /// Denied requests after a number, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn denials(&self, after: i64, limit: usize) -> Result<Vec<DenialRow>, Fault> {
        self.read(|c, _| {
            c.all(
                "SELECT number, account, time, until, count, actor, access_key, action, target, address, reason
                 FROM denial WHERE number > ?1 ORDER BY number LIMIT ?2",
                params![after, signed(limit as u64)],
                |row| {
                    Ok(DenialRow {
                        number: row.get(0)?,
                        account: row.get(1)?,
                        time: row.get(2)?,
                        until: row.get(3)?,
                        count: row.get(4)?,
                        actor: row.get(5)?,
                        access_key_id: row.get(6)?,
                        action: row.get(7)?,
                        target: row.get(8)?,
                        address: row.get(9)?,
                        reason: row.get(10)?,
                    })
                },
            )
        })
    }
}
