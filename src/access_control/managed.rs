// SPDX-License-Identifier: Apache-2.0
//! Managed policies with all that is known of them, their versions, and what
//! they are attached to.

use super::database::{Connection, Row, params};
use super::policies::{announce_policy, checked, find_policy};
use super::quotas::{self, Quota};
use super::store::{Store, Write};
use super::users::{read_tags, tags_text};
use crate::credential::access_key_id;
use crate::fault::{Fault, Status};
use crate::identity::{Identity, IdentityKind};

/// A managed policy, without its document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagedPolicy {
    /// ARN.
    pub arn: String,
    /// Path.
    pub path: String,
    /// Name.
    pub name: String,
    /// Unique id (`ANPA…`).
    pub unique_id: String,
    /// When made, milliseconds since the epoch.
    pub created: i64,
    /// When its newest version was made.
    pub updated: i64,
    /// Version in force.
    pub default_version: i64,
    /// To how many owners it is attached.
    pub attached: i64,
    /// Of how many identities it is the boundary.
    pub bounds: i64,
    /// For people.
    pub description: String,
    /// Tags.
    pub tags: Vec<(String, String)>,
}

/// One version of a managed policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyVersion {
    /// Its number, from 1.
    pub number: i64,
    /// When made, milliseconds since the epoch.
    pub created: i64,
    /// True when it is in force.
    pub is_default: bool,
    /// The document.
    pub document: String,
}

/// What a managed policy is attached to, or limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyEntity {
    /// `user`, `role` or `group`.
    pub kind: String,
    /// ARN.
    pub arn: String,
    /// Path.
    pub path: String,
    /// Name.
    pub name: String,
    /// Unique id.
    pub unique_id: String,
    /// True when the policy is its boundary.
    pub boundary: bool,
}

/// A managed policy to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewPolicy<'a> {
    /// Path.
    pub path: &'a str,
    /// Name.
    pub name: &'a str,
    /// The document of its first version.
    pub document: &'a str,
    /// For people.
    pub description: &'a str,
    /// Tags.
    pub tags: &'a [(String, String)],
}

const POLICY: &str = "SELECT p.arn, p.name, p.unique_id, p.created,
    (SELECT max(v.created) FROM policy_version v WHERE v.policy = p.arn), p.default_version,
    (SELECT count(*) FROM attachment a WHERE a.policy = p.arn),
    (SELECT count(*) FROM identity i WHERE i.boundary = p.arn), p.description, p.tags
  FROM policy p WHERE p.account = ?1";

fn read_policy(row: &dyn Row) -> Result<ManagedPolicy, Fault> {
    let (arn, name): (String, String) = (row.get(0)?, row.get(1)?);
    let created: i64 = row.get(3)?;
    // The path stands between the kind and the name.
    let path = arn.split_once(":policy").and_then(|(_, rest)| rest.strip_suffix(name.as_str())).unwrap_or("/");
    Ok(ManagedPolicy {
        path: path.to_owned(),
        arn,
        name,
        unique_id: row.get(2)?,
        created,
        updated: row.get::<Option<i64>>(4)?.unwrap_or(created),
        default_version: row.get(5)?,
        attached: row.get(6)?,
        bounds: row.get(7)?,
        description: row.get(8)?,
        tags: read_tags(&row.get::<String>(9)?)?,
    })
}

/// The policy of this ARN, never of this name.
pub(super) fn by_arn(c: &dyn Connection, account: &str, arn: &str) -> Result<String, Fault> {
    if arn.starts_with("arn:") { find_policy(c, account, arn) } else { Err(no_policy(arn)) }
}

fn no_policy(arn: &str) -> Fault {
    Fault::new(Status::NotFound, format!("there is no policy {arn:?}"))
}

/// The number of the next version: higher than any there ever was.
pub(super) fn next_version(c: &dyn Connection, arn: &str) -> Result<i64, Fault> {
    let present: Option<i64> = c.one("SELECT max(version) FROM policy_version WHERE policy = ?1", params![arn])?;
    let newest: i64 = c.one("SELECT newest FROM policy WHERE arn = ?1", params![arn])?;
    Ok(newest.max(present.unwrap_or(0)) + 1)
}

/// Adds a version.
pub(super) fn insert_version(w: &mut Write<'_>, arn: &str, document: &str, hash: &[u8; 32]) -> Result<i64, Fault> {
    let version = next_version(w.view(), arn)?;
    let (account, now) = (w.account, w.now);
    w.run(
        "INSERT INTO policy_version (policy, account, version, document, hash, created) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![arn, account, version, document, hash, now],
    )?;
    w.run("UPDATE policy SET newest = ?2 WHERE arn = ?1", params![arn, version])?;
    Ok(version)
}

fn versions(c: &dyn Connection, arn: &str) -> Result<Vec<PolicyVersion>, Fault> {
    let default: i64 = c.one("SELECT default_version FROM policy WHERE arn = ?1", params![arn])?;
    c.all(
        "SELECT version, created, document FROM policy_version WHERE policy = ?1 ORDER BY version",
        params![arn],
        |row| {
            let number = row.get(0)?;
            Ok(PolicyVersion { number, created: row.get(1)?, is_default: number == default, document: row.get(2)? })
        },
    )
}

impl Store {
    /// Makes a managed policy with its first version.
    ///
    /// # Errors
    /// [`Status::InvalidDocument`]; [`Status::Conflict`] when the name is
    /// taken.
    pub fn create_policy(&self, actor: &str, new: &NewPolicy<'_>) -> Result<ManagedPolicy, Fault> {
        let hash = checked(new.document)?;
        self.quotas.fits(Quota::PolicySize, new.document)?;
        let like = Identity::new("aws", self.account(), IdentityKind::User, new.path, new.name)?;
        let arn = format!("arn:aws:iam::{}:policy{}{}", self.account(), like.path(), like.name());
        let unique_id = access_key_id(&*self.random, "ANPA")?;
        let tags = tags_text(new.tags)?;
        self.write(actor, "CreatePolicy", &arn, |w| {
            let (account, now) = (w.account, w.now);
            w.run(
                "INSERT INTO policy (arn, account, name, unique_id, created, default_version, description, tags)
                 VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7)",
                params![arn, account, new.name, unique_id, now, new.description, tags],
            )
            .map_err(|fault| match fault.status {
                Status::Conflict => {
                    Fault::new(Status::Conflict, format!("a policy called {} exists already", new.name))
                }
                _ => fault,
            })?;
            w.within(Quota::Policies, quotas::POLICIES, params![account])?;
            insert_version(w, &arn, new.document, &hash).map(drop)
        })?;
        self.policy(&arn)
    }

    /// One managed policy by its ARN.
    ///
    /// # Errors
    /// [`Status::NotFound`].
    pub fn policy(&self, arn: &str) -> Result<ManagedPolicy, Fault> {
        let sql = format!("{POLICY} AND p.arn = ?2");
        self.read(|c, _| c.first(&sql, params![self.account(), arn], read_policy))?.ok_or_else(|| no_policy(arn))
    }

    /// Every managed policy whose path begins with `prefix`, by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn managed_policies(&self, prefix: &str) -> Result<Vec<ManagedPolicy>, Fault> {
        let mut all = self.read(|c, _| c.all(POLICY, params![self.account()], read_policy))?;
        all.retain(|policy| policy.path.starts_with(prefix));
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// The versions of a managed policy, oldest first.
    ///
    /// # Errors
    /// [`Status::NotFound`].
    pub fn policy_versions(&self, arn: &str) -> Result<Vec<PolicyVersion>, Fault> {
        self.read(|c, _| versions(c, &by_arn(c, self.account(), arn)?))
    }

    /// Adds a version to a managed policy, and puts it in force when it is to
    /// be the default.
    ///
    /// # Errors
    /// [`Status::InvalidDocument`]; [`Status::NotFound`];
    /// [`Status::LimitReached`] when it has as many as it may.
    pub fn create_policy_version(
        &self,
        actor: &str,
        arn: &str,
        document: &str,
        default: bool,
    ) -> Result<PolicyVersion, Fault> {
        let hash = checked(document)?;
        self.quotas.fits(Quota::PolicySize, document)?;
        self.write(actor, "CreatePolicyVersion", arn, |w| {
            let arn = by_arn(w.view(), w.account, arn)?;
            let number = insert_version(w, &arn, document, &hash)?;
            let counted = "SELECT count(*) FROM policy_version WHERE policy = ?1";
            w.within(Quota::VersionsPerPolicy, counted, params![arn])?;
            w.detail = format!("version {number}{}", if default { ", in force" } else { "" });
            if default {
                w.run("UPDATE policy SET default_version = ?2 WHERE arn = ?1", params![arn, number])?;
                announce_policy(w, &arn)?;
            }
            Ok(PolicyVersion { number, created: w.now, is_default: default, document: document.to_owned() })
        })
    }

    /// Puts a version of a managed policy in force.
    ///
    /// # Errors
    /// [`Status::NotFound`].
    pub fn set_default_policy_version(&self, actor: &str, arn: &str, number: i64) -> Result<(), Fault> {
        self.write(actor, "SetDefaultPolicyVersion", arn, |w| {
            let arn = by_arn(w.view(), w.account, arn)?;
            if !versions(w.view(), &arn)?.iter().any(|v| v.number == number) {
                return Err(Fault::new(Status::NotFound, format!("{arn} has no version v{number}")));
            }
            w.run("UPDATE policy SET default_version = ?2 WHERE arn = ?1", params![arn, number])?;
            w.detail = format!("version {number}");
            announce_policy(w, &arn)
        })
    }

    /// Deletes a version of a managed policy.
    ///
    /// # Errors
    /// [`Status::NotFound`]; [`Status::Conflict`] when it is in force.
    pub fn delete_policy_version(&self, actor: &str, arn: &str, number: i64) -> Result<(), Fault> {
        self.write(actor, "DeletePolicyVersion", arn, |w| {
            let arn = by_arn(w.view(), w.account, arn)?;
            let all = versions(w.view(), &arn)?;
            let version = all.iter().find(|v| v.number == number);
            let version =
                version.ok_or_else(|| Fault::new(Status::NotFound, format!("{arn} has no version v{number}")))?;
            if version.is_default {
                return Err(Fault::new(Status::Conflict, format!("version v{number} of {arn} is in force")));
            }
            w.detail = format!("version {number}");
            w.run("DELETE FROM policy_version WHERE policy = ?1 AND version = ?2", params![arn, number]).map(drop)
        })
    }

    /// What a managed policy is attached to, and what it limits.
    ///
    /// # Errors
    /// [`Status::NotFound`].
    pub fn policy_entities(&self, arn: &str) -> Result<Vec<PolicyEntity>, Fault> {
        let read = |boundary: bool| {
            move |row: &dyn Row| {
                Ok(PolicyEntity {
                    kind: row.get(0)?,
                    arn: row.get(1)?,
                    path: row.get(2)?,
                    name: row.get(3)?,
                    unique_id: row.get(4)?,
                    boundary,
                })
            }
        };
        self.read(|c, _| {
            let arn = by_arn(c, self.account(), arn)?;
            let mut all = c.all(
                "SELECT i.kind, i.arn, i.path, i.name, i.unique_id FROM attachment a JOIN identity i ON i.arn = a.owner WHERE a.policy = ?1
                 UNION ALL
                 SELECT 'group', g.arn, g.path, g.name, g.unique_id FROM attachment a JOIN grouping g ON g.arn = a.owner WHERE a.policy = ?1",
                params![arn],
                read(false),
            )?;
            all.extend(c.all(
                "SELECT kind, arn, path, name, unique_id FROM identity WHERE boundary = ?1",
                params![arn],
                read(true),
            )?);
            Ok(all)
        })
    }
}
