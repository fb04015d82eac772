// SPDX-License-Identifier: Apache-2.0
//! Policies: managed with versions, inline, attached, boundaries; and the
//! effective ones of an identity.

use aws_lc_rs::digest;

use super::changes::Kind;
use super::database::{Connection, Row, params};
use super::quotas::{self, Quota, counted_size};
use super::store::{StoreIn, Transactions, Write};
use super::{groups, users};
use crate::credential::access_key_id;
use crate::fault::{Fault, Status};
use crate::identity::{Identity, IdentityKind};
use crate::policy::Document;
use crate::revision::At;

/// How many versions of a managed policy [`StoreIn::put_policy`] leaves.
const VERSIONS: i64 = 5;

/// Whose policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner<'a> {
    /// A user by name.
    User(&'a str),
    /// A group by name.
    Group(&'a str),
    /// A role by name.
    Role(&'a str),
}

impl Owner<'_> {
    /// How many managed policies it may have attached.
    fn attached(self) -> Quota {
        match self {
            Self::User(_) => Quota::AttachedPerUser,
            Self::Group(_) => Quota::AttachedPerGroup,
            Self::Role(_) => Quota::AttachedPerRole,
        }
    }

    /// How long its inline policies may be together.
    fn inline(self) -> Quota {
        match self {
            Self::User(_) => Quota::InlinePerUser,
            Self::Group(_) => Quota::InlinePerGroup,
            Self::Role(_) => Quota::InlinePerRole,
        }
    }
}

/// One managed policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRow {
    /// ARN.
    pub arn: String,
    /// Name.
    pub name: String,
    /// Version in force.
    pub default_version: i64,
    /// To how many owners it is attached.
    pub attached: i64,
    /// The document in force.
    pub document: String,
}

/// One policy that is in force for an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// ARN, or `inline/<owner>/<name>`.
    pub name: String,
    /// SHA-256 of the document.
    pub hash: [u8; 32],
    /// The document.
    pub document: String,
}

/// Everything that is in force for an identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effective {
    /// Its own policies and those of its groups, attached and inline.
    pub policies: Vec<Attached>,
    /// Its permissions boundary.
    pub boundary: Option<Attached>,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

/// The policies an owner has itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Own {
    /// ARNs of attached policies.
    pub attached: Vec<String>,
    /// Names and documents of inline policies.
    pub inline: Vec<(String, String)>,
}

pub(super) fn checked(document: &str) -> Result<[u8; 32], Fault> {
    Document::parse(document)
        .map_err(|e| Fault::new(Status::InvalidDocument, format!("the policy is not valid:\n{e}")))?;
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, document.as_bytes()).as_ref());
    Ok(hash)
}

fn owner_arn(c: &dyn Connection, account: &str, owner: Owner<'_>) -> Result<String, Fault> {
    match owner {
        Owner::User(name) => users::find(c, account, IdentityKind::User, name).map(|i| i.arn().to_owned()),
        Owner::Role(name) => users::find(c, account, IdentityKind::Role, name).map(|i| i.arn().to_owned()),
        Owner::Group(name) => groups::find(c, account, name),
    }
}

/// Announces a change of an owner's policies to every identity it concerns.
fn announce_owner(w: &mut Write<'_>, owner: &str) -> Result<(), Fault> {
    let is_group: bool = w.view().one("SELECT EXISTS (SELECT 1 FROM grouping WHERE arn = ?1)", params![owner])?;
    if is_group { groups::announce_members(w, owner) } else { w.announce(Kind::Entitlements, owner) }
}

pub(super) fn announce_policy(w: &mut Write<'_>, policy: &str) -> Result<(), Fault> {
    let owners: Vec<String> = w.view().all(
        "SELECT owner FROM attachment WHERE policy = ?1 UNION SELECT arn FROM identity WHERE boundary = ?1 ORDER BY 1",
        params![policy],
        |row| row.get(0),
    )?;
    owners.iter().try_for_each(|owner| announce_owner(w, owner))
}

pub(super) fn find_policy(c: &dyn Connection, account: &str, name: &str) -> Result<String, Fault> {
    let found = c.first(
        "SELECT arn FROM policy WHERE account = ?1 AND (name = ?2 OR arn = ?2)",
        params![account, name],
        |row| row.get(0),
    )?;
    found.ok_or_else(|| Fault::new(Status::NotFound, format!("there is no policy {name:?}")))
}

impl<D: Transactions> StoreIn<D> {
    /// Makes a managed policy, or a new version of it that is in force at
    /// once; its ARN.
    ///
    /// # Errors
    /// [`Status::InvalidDocument`] with every problem.
    pub fn put_policy(&self, actor: &str, path: &str, name: &str, document: &str) -> Result<String, Fault> {
        let hash = checked(document)?;
        self.quotas.fits(Quota::PolicySize, document)?;
        let like = Identity::new("aws", self.account(), IdentityKind::User, path, name)?;
        let arn = format!("arn:aws:iam::{}:policy{}{}", self.account(), like.path(), like.name());
        let unique_id = access_key_id(&*self.random, "ANPA")?;
        self.write(actor, "PutPolicy", &arn, |w| {
            let (account, now) = (w.account, w.now);
            let present: Option<String> = w.view().first(
                "SELECT arn FROM policy WHERE account = ?1 AND name = ?2",
                params![account, name],
                |row| row.get(0),
            )?;
            if present.as_ref().is_some_and(|p| *p != arn) {
                return Err(Fault::new(Status::Conflict, format!("policy {name:?} exists under another path")));
            }
            if present.is_none() {
                w.run(
                    "INSERT INTO policy (arn, account, name, unique_id, created, default_version) VALUES (?1, ?2, ?3, ?4, ?5, 0)",
                    params![arn, account, name, unique_id, now],
                )?;
                w.within(Quota::Policies, quotas::POLICIES, params![account])?;
            }
            let version = super::managed::insert_version(w, &arn, document, &hash)?;
            w.run("UPDATE policy SET default_version = ?2 WHERE arn = ?1", params![arn, version])?;
            w.run("DELETE FROM policy_version WHERE policy = ?1 AND version <= ?2", params![arn, version - VERSIONS])?;
            w.detail = format!("version {version}");
            announce_policy(w, &arn)?;
            Ok(arn.clone())
        })
    }

    /// Every managed policy.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn policies(&self) -> Result<Vec<PolicyRow>, Fault> {
        self.read(|c, _| {
            c.all(
                "SELECT p.arn, p.name, p.default_version, (SELECT count(*) FROM attachment a WHERE a.policy = p.arn), v.document
                 FROM policy p JOIN policy_version v ON v.policy = p.arn AND v.version = p.default_version WHERE p.account = ?1 ORDER BY p.name",
                params![self.account()],
                |row| {
                    Ok(PolicyRow {
                        arn: row.get(0)?,
                        name: row.get(1)?,
                        default_version: row.get(2)?,
                        attached: row.get(3)?,
                        document: row.get(4)?,
                    })
                },
            )
        })
    }

    /// Deletes a managed policy.
    ///
    /// # Errors
    /// [`Status::Conflict`] while it is attached or a boundary, unless `force`.
    pub fn delete_policy(&self, actor: &str, name: &str, force: bool) -> Result<(), Fault> {
        self.write(actor, "DeletePolicy", name, |w| {
            let arn = find_policy(w.view(), w.account, name)?;
            w.target.clone_from(&arn);
            // A boundary is never loosened by deleting it.
            let bounds: i64 = w.view().one("SELECT count(*) FROM identity WHERE boundary = ?1", params![arn])?;
            if bounds > 0 {
                return Err(Fault::new(
                    Status::Conflict,
                    format!("{arn} is the permissions boundary of {bounds} identities; change those first"),
                ));
            }
            announce_policy(w, &arn)?;
            let attached = w.run("DELETE FROM attachment WHERE policy = ?1", params![arn])?;
            if attached > 0 && !force {
                return Err(Fault::new(
                    Status::Conflict,
                    format!("{arn} is attached {attached} times; detach it first, or use --force"),
                ));
            }
            w.run("DELETE FROM policy_version WHERE policy = ?1", params![arn])?;
            w.run("DELETE FROM policy WHERE arn = ?1", params![arn]).map(drop)
        })
    }

    /// Attaches a managed policy.
    ///
    /// # Errors
    /// [`Status::NotFound`].
    pub fn attach(&self, actor: &str, owner: Owner<'_>, policy: &str) -> Result<(), Fault> {
        self.write(actor, "AttachPolicy", policy, |w| {
            let arn = find_policy(w.view(), w.account, policy)?;
            w.target.clone_from(&arn);
            let quota = owner.attached();
            let owner = owner_arn(w.view(), w.account, owner)?;
            let account = w.account;
            let new = w.run(
                "INSERT INTO attachment (owner, account, policy) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                params![owner, account, arn],
            )?;
            if new > 0 {
                w.within(quota, "SELECT count(*) FROM attachment WHERE owner = ?1", params![owner])?;
            }
            w.detail.clone_from(&owner);
            announce_owner(w, &owner)
        })
    }

    /// Detaches a managed policy.
    ///
    /// # Errors
    /// [`Status::NotFound`] when it is not attached.
    pub fn detach(&self, actor: &str, owner: Owner<'_>, policy: &str) -> Result<(), Fault> {
        self.write(actor, "DetachPolicy", policy, |w| {
            let arn = find_policy(w.view(), w.account, policy)?;
            w.target.clone_from(&arn);
            let owner = owner_arn(w.view(), w.account, owner)?;
            if w.run("DELETE FROM attachment WHERE owner = ?1 AND policy = ?2", params![owner, arn])? == 0 {
                return Err(Fault::new(Status::NotFound, format!("{arn} is not attached to {owner}")));
            }
            w.detail.clone_from(&owner);
            announce_owner(w, &owner)
        })
    }

    /// Puts an inline policy; one of the same name is replaced.
    ///
    /// # Errors
    /// [`Status::InvalidDocument`]; [`Status::NotFound`].
    pub fn put_inline(&self, actor: &str, owner: Owner<'_>, name: &str, document: &str) -> Result<(), Fault> {
        let hash = checked(document)?;
        Identity::new("aws", self.account(), IdentityKind::User, "/", name)
            .map_err(|f| Fault::new(f.status, f.text.replace("user name", "policy name")))?;
        self.write(actor, "PutInlinePolicy", name, |w| {
            let quota = owner.inline();
            let owner = owner_arn(w.view(), w.account, owner)?;
            let (account, now) = (w.account, w.now);
            w.run(
                "INSERT INTO inline_policy (owner, account, name, document, hash, created) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (owner, name) DO UPDATE SET document = ?4, hash = ?5, created = ?6",
                params![owner, account, name, document, hash, now],
            )?;
            if let Some(most) = w.most(quota) {
                let mut size = 0;
                w.view().query("SELECT document FROM inline_policy WHERE owner = ?1", params![owner], &mut |row| {
                    size += counted_size(&row.get::<String>(0)?);
                    Ok(())
                })?;
                if size > most {
                    return Err(quota.reached(most));
                }
            }
            w.detail.clone_from(&owner);
            announce_owner(w, &owner)
        })
    }

    /// Deletes an inline policy.
    ///
    /// # Errors
    /// [`Status::NotFound`].
    pub fn delete_inline(&self, actor: &str, owner: Owner<'_>, name: &str) -> Result<(), Fault> {
        self.write(actor, "DeleteInlinePolicy", name, |w| {
            let owner = owner_arn(w.view(), w.account, owner)?;
            if w.run("DELETE FROM inline_policy WHERE owner = ?1 AND name = ?2", params![owner, name])? == 0 {
                return Err(Fault::new(Status::NotFound, format!("{owner} has no inline policy {name:?}")));
            }
            w.detail.clone_from(&owner);
            announce_owner(w, &owner)
        })
    }

    /// Sets or removes the permissions boundary of a user or role.
    ///
    /// # Errors
    /// [`Status::NotFound`]; groups have none.
    pub fn set_boundary(&self, actor: &str, owner: Owner<'_>, policy: Option<&str>) -> Result<(), Fault> {
        if matches!(owner, Owner::Group(_)) {
            return Err(Fault::new(Status::InvalidArgument, "groups have no permissions boundary; users and roles do"));
        }
        self.write(
            actor,
            if policy.is_some() { "PutPermissionsBoundary" } else { "DeletePermissionsBoundary" },
            policy.unwrap_or_default(),
            |w| {
                let arn = policy.map(|p| find_policy(w.view(), w.account, p)).transpose()?;
                let owner = owner_arn(w.view(), w.account, owner)?;
                w.run("UPDATE identity SET boundary = ?2 WHERE arn = ?1", params![owner, arn])?;
                w.detail.clone_from(&owner);
                w.announce(Kind::Entitlements, &owner)
            },
        )
    }

    /// ARN of the permissions boundary of a user or role, if it has one.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn boundary_of(&self, identity: &Identity) -> Result<Option<String>, Fault> {
        self.read(|c, _| {
            let boundary: Option<Option<String>> =
                c.first("SELECT boundary FROM identity WHERE arn = ?1", params![identity.arn()], |row| row.get(0))?;
            Ok(boundary.flatten())
        })
    }

    /// The policies an owner has itself.
    ///
    /// # Errors
    /// [`Status::NotFound`].
    pub fn policies_of(&self, owner: Owner<'_>) -> Result<Own, Fault> {
        self.read(|c, _| {
            let owner = owner_arn(c, self.account(), owner)?;
            let attached =
                c.all("SELECT policy FROM attachment WHERE owner = ?1 ORDER BY policy", params![owner], |row| {
                    row.get(0)
                })?;
            let inline = c.all(
                "SELECT name, document FROM inline_policy WHERE owner = ?1 ORDER BY name",
                params![owner],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?;
            Ok(Own { attached, inline })
        })
    }

    /// What is in force for an identity. None when it is gone or disabled.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn entitlements(&self, identity: &Identity) -> Result<At<Option<Effective>>, Fault> {
        self.read(|c, revision| {
            let row: Option<(bool, Option<String>, String)> = c.first(
                "SELECT disabled, boundary, tags FROM identity WHERE arn = ?1",
                params![identity.arn()],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )?;
            let Some((false, boundary, tags)) = row else { return Ok(At { revision, value: None }) };
            let read = |row: &dyn Row| Ok(Attached { name: row.get(0)?, hash: row.get(1)?, document: row.get(2)? });
            let mut policies = c.all(
                // SQLite joins in this order where CROSS stands; else it may
                // go through all policies there are for the few of an owner.
                // What UNION leaves out takes longer to find than to leave out below.
                "WITH owners (owner) AS (SELECT CAST(?1 AS TEXT) UNION ALL SELECT grouping FROM membership WHERE identity = ?1)
                 SELECT 'inline/' || i.owner || '/' || i.name, i.hash, i.document
                   FROM owners o CROSS JOIN inline_policy i WHERE i.owner = o.owner
                 UNION ALL
                 SELECT p.arn, v.hash, v.document FROM owners o CROSS JOIN attachment a
                   CROSS JOIN policy p CROSS JOIN policy_version v
                   WHERE a.owner = o.owner AND p.arn = a.policy AND v.policy = p.arn AND v.version = p.default_version
                 ORDER BY 1",
                params![identity.arn()],
                read,
            )?;
            // One that is attached twice, to the identity and to a group of it.
            policies.dedup_by(|one, other| one.name == other.name);
            let bound = |arn: String| {
                c.first(
                    "SELECT p.arn, v.hash, v.document FROM policy p JOIN policy_version v ON v.policy = p.arn AND v.version = p.default_version WHERE p.arn = ?1",
                    params![arn],
                    read,
                )?
                // Without its boundary nobody may be more than with it.
                .ok_or_else(|| Fault::unavailable(format!("the store failed: the boundary {arn} is missing")))
            };
            let boundary = boundary.map(bound).transpose()?;
            Ok(At { revision, value: Some(Effective { policies, boundary, tags: users::read_tags(&tags)? }) })
        })
    }
}
