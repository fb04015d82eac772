// SPDX-License-Identifier: Apache-2.0
//! Lists in pages, by name, so that a list costs what is asked of it and not
//! what there is.

use super::database::{Row, params};
use super::groups;
use super::roles::{ROLE, RoleRow, read_role};
use super::store::{Store, signed};
use super::users::{USER, UserRow, read_user};
use crate::fault::{Fault, Status};

/// One page of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page<'a> {
    /// The last name of the page before; empty for the first.
    pub after: &'a str,
    /// How many to show. One more is read, to know whether there are more.
    pub most: usize,
}

impl Page<'_> {
    fn limit(&self) -> i64 {
        signed(self.most as u64).saturating_add(1)
    }
}

/// One group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRow {
    /// ARN.
    pub arn: String,
    /// Path.
    pub path: String,
    /// Name.
    pub name: String,
    /// Unique id (`AGPA…`).
    pub unique_id: String,
    /// When made, milliseconds since the epoch.
    pub created: i64,
}

fn read_group(row: &dyn Row) -> Result<GroupRow, Fault> {
    Ok(GroupRow {
        arn: row.get(0)?,
        path: row.get(1)?,
        name: row.get(2)?,
        unique_id: row.get(3)?,
        created: row.get(4)?,
    })
}

const GROUP: &str = "SELECT arn, path, name, unique_id, created FROM grouping WHERE account = ?1";
/// Whose path begins with `?2`, after the name `?3`.
const PAGE: &str = "AND substr(path, 1, length(?2)) = ?2 AND name > ?3 ORDER BY name LIMIT ?4";

impl Store {
    /// A page of the users whose path begins with `prefix`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn users_page(&self, prefix: &str, page: &Page<'_>) -> Result<Vec<UserRow>, Fault> {
        let sql = format!("{USER} {PAGE}");
        self.read(|c, _| c.all(&sql, params![self.account(), prefix, page.after, page.limit()], read_user))
    }

    /// A page of the roles whose path begins with `prefix`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn roles_page(&self, prefix: &str, page: &Page<'_>) -> Result<Vec<RoleRow>, Fault> {
        let sql = format!("{ROLE} {PAGE}");
        self.read(|c, _| c.all(&sql, params![self.account(), prefix, page.after, page.limit()], read_role))
    }

    /// A page of the groups whose path begins with `prefix`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn groups_page(&self, prefix: &str, page: &Page<'_>) -> Result<Vec<GroupRow>, Fault> {
        let sql = format!("{GROUP} {PAGE}");
        self.read(|c, _| c.all(&sql, params![self.account(), prefix, page.after, page.limit()], read_group))
    }

    /// One group by name or ARN.
    ///
    /// # Errors
    /// [`Status::NotFound`].
    pub fn group(&self, name: &str) -> Result<GroupRow, Fault> {
        let sql = format!("{GROUP} AND (name = ?2 OR arn = ?2)");
        self.read(|c, _| c.first(&sql, params![self.account(), name], read_group))?
            .ok_or_else(|| Fault::new(Status::NotFound, format!("there is no group {name:?}")))
    }

    /// A page of the users in a group.
    ///
    /// # Errors
    /// [`Status::NotFound`].
    pub fn members_page(&self, group: &str, page: &Page<'_>) -> Result<Vec<UserRow>, Fault> {
        let sql = format!(
            "{USER} AND arn IN (SELECT identity FROM membership WHERE grouping = ?2) AND name > ?3 ORDER BY name LIMIT ?4"
        );
        self.read(|c, _| {
            let arn = groups::find(c, self.account(), group)?;
            c.all(&sql, params![self.account(), arn, page.after, page.limit()], read_user)
        })
    }
}
