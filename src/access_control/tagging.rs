// SPDX-License-Identifier: Apache-2.0
//! Adding and removing single tags.

use super::changes::Kind;
use super::database::{Connection, params};
use super::policies::find_policy;
use super::store::{Store, Write};
use super::users::{self, read_tags, tags_text};
use crate::fault::{Fault, Status};
use crate::identity::IdentityKind;

/// Most tags of one thing.
const MOST: usize = 50;

/// What has tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tagged<'a> {
    /// A user by name.
    User(&'a str),
    /// A role by name.
    Role(&'a str),
    /// A managed policy by ARN.
    Policy(&'a str),
}

impl Tagged<'_> {
    fn action(self, add: bool) -> &'static str {
        match (self, add) {
            (Self::User(_), true) => "TagUser",
            (Self::User(_), false) => "UntagUser",
            (Self::Role(_), true) => "TagRole",
            (Self::Role(_), false) => "UntagRole",
            (Self::Policy(_), true) => "TagPolicy",
            (Self::Policy(_), false) => "UntagPolicy",
        }
    }

    fn name(&self) -> &str {
        let (Self::User(name) | Self::Role(name) | Self::Policy(name)) = self;
        name
    }

    /// The table it is in, and its ARN.
    fn find(self, c: &dyn Connection, account: &str) -> Result<(&'static str, String), Fault> {
        let identity = |kind, name| users::find(c, account, kind, name).map(|i| ("identity", i.arn().to_owned()));
        match self {
            Self::User(name) => identity(IdentityKind::User, name),
            Self::Role(name) => identity(IdentityKind::Role, name),
            Self::Policy(arn) => find_policy(c, account, arn).map(|arn| ("policy", arn)),
        }
    }
}

fn present(c: &dyn Connection, table: &str, arn: &str) -> Result<Vec<(String, String)>, Fault> {
    read_tags(&c.one::<String>(&format!("SELECT tags FROM {table} WHERE arn = ?1"), params![arn])?)
}

fn keep(w: &mut Write<'_>, table: &str, arn: &str, tags: &[(String, String)]) -> Result<(), Fault> {
    w.run(&format!("UPDATE {table} SET tags = ?2 WHERE arn = ?1"), params![arn, tags_text(tags)?])?;
    arn.clone_into(&mut w.target);
    // A policy's tags decide nothing but who may administer it.
    if table == "identity" { w.announce(Kind::Entitlements, arn) } else { Ok(()) }
}

impl Store {
    /// Adds tags; those of the same keys (without case) are replaced.
    ///
    /// # Errors
    /// [`Status::NotFound`]; [`Status::LimitReached`] when there would be more
    /// than fifty.
    pub fn tag(&self, actor: &str, of: Tagged<'_>, tags: &[(String, String)]) -> Result<(), Fault> {
        self.write(actor, of.action(true), of.name(), |w| {
            let (table, arn) = of.find(w.view(), w.account)?;
            let mut all = present(w.view(), table, &arn)?;
            all.retain(|(key, _)| !tags.iter().any(|(k, _)| k.eq_ignore_ascii_case(key)));
            all.extend_from_slice(tags);
            if all.len() > MOST {
                let text = format!("{arn} would have {} tags; at most {MOST} are accepted", all.len());
                return Err(Fault::new(Status::LimitReached, text));
            }
            keep(w, table, &arn, &all)
        })
    }

    /// Removes the tags of these keys (without case), where they are.
    ///
    /// # Errors
    /// [`Status::NotFound`].
    pub fn untag(&self, actor: &str, of: Tagged<'_>, keys: &[&str]) -> Result<(), Fault> {
        self.write(actor, of.action(false), of.name(), |w| {
            let (table, arn) = of.find(w.view(), w.account)?;
            let mut all = present(w.view(), table, &arn)?;
            all.retain(|(key, _)| !keys.iter().any(|k| k.eq_ignore_ascii_case(key)));
            keep(w, table, &arn, &all)
        })
    }

    /// The tags of something.
    ///
    /// # Errors
    /// [`Status::NotFound`].
    pub fn tags(&self, of: Tagged<'_>) -> Result<Vec<(String, String)>, Fault> {
        self.read(|c, _| {
            let (table, arn) = of.find(c, self.account())?;
            present(c, table, &arn)
        })
    }
}
