// SPDX-License-Identifier: Apache-2.0
//! Hosts: servers on other machines that may ask this service. A host is made
//! with a one-time code, and becomes one that is believed when it shows that
//! code together with a key it made itself.

use aws_lc_rs::digest;
use subtle::ConstantTimeEq;

use super::changes::Kind;
use super::database::{Row, params};
use super::quotas::{self, Quota};
use super::store::{Store, Write};
use super::users;
use crate::credential::{Secret, access_key_id};
use crate::fault::{Fault, Status};
use crate::identity::{Identity, IdentityKind};

/// How often a code may be tried.
const ATTEMPTS: i64 = 10;
/// How many hosts may have an open code at once.
const CODES: i64 = 1000;
/// Groups of four characters in a code: 120 random bits.
const GROUPS: usize = 6;

/// One host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostRow {
    /// Who.
    pub identity: Identity,
    /// When made, milliseconds since the epoch.
    pub created: i64,
    /// True when revoked.
    pub disabled: bool,
    /// Its public key; none before it is enrolled and after it is revoked.
    pub public_key: Option<Vec<u8>>,
    /// When it was enrolled.
    pub enrolled: Option<i64>,
    /// Until when it may enrol; none without an open code.
    pub code_ends: Option<i64>,
    /// True when it is given keys to verify further logins with.
    pub verification_keys: bool,
    /// When it was last heard, about; none when never.
    pub seen: Option<i64>,
}

const HOST: &str =
    "SELECT i.arn, i.created, i.disabled, h.public_key, h.enrolled, h.code_ends, h.verification_keys, h.seen
  FROM identity i JOIN host h ON h.arn = i.arn WHERE i.account = ?1";

fn read_host(row: &dyn Row) -> Result<HostRow, Fault> {
    Ok(HostRow {
        identity: Identity::parse(&row.get::<String>(0)?)?,
        created: row.get(1)?,
        disabled: row.get(2)?,
        public_key: row.get(3)?,
        enrolled: row.get(4)?,
        code_ends: row.get(5)?,
        verification_keys: row.get(6)?,
        seen: row.get(7)?,
    })
}

fn hash(code: &[u8]) -> Vec<u8> {
    // As people type it: without what only groups it.
    let plain: Vec<u8> = code.iter().filter(|b| b.is_ascii_alphanumeric()).map(u8::to_ascii_uppercase).collect();
    digest::digest(&digest::SHA256, &plain).as_ref().to_vec()
}

/// Fails when more codes are open than there may be, now that one was made.
fn few_codes(w: &Write<'_>) -> Result<(), Fault> {
    let open = "SELECT count(*) FROM host WHERE account = ?1 AND code IS NOT NULL AND code_ends > ?2";
    let open: i64 = w.view().one(open, params![w.account, w.now])?;
    if open <= CODES {
        return Ok(());
    }
    let text = format!("{CODES} hosts have a code that is open; revoke some, or wait until they were used or ended");
    Err(Fault::new(Status::LimitReached, text))
}

fn not_valid() -> Fault {
    Fault::new(
        Status::NotAllowed,
        "the code is not the host's, was used, or has ended; `standin host invite` makes another",
    )
}

impl Store {
    /// A host's name without `host/` before it.
    fn plain(name: &str) -> &str {
        name.strip_prefix("host/").unwrap_or(name)
    }

    fn new_code(&self) -> Result<Secret, Fault> {
        // An id is as random as its characters; only they are of use here.
        let (first, second) = (access_key_id(&*self.random, "")?, access_key_id(&*self.random, "")?);
        let text: Vec<char> = first.chars().chain(second.chars()).take(GROUPS * 4).collect();
        let groups: Vec<String> = text.chunks(4).map(|c| c.iter().collect()).collect();
        Ok(Secret::new(groups.join("-").into_bytes()))
    }

    /// Makes a host with a code to enrol by, for `valid` milliseconds.
    ///
    /// # Errors
    /// [`Status::Conflict`] when it exists; [`Status::LimitReached`] when too
    /// many have a code.
    pub fn create_host(
        &self,
        actor: &str,
        name: &str,
        verification_keys: bool,
        valid: i64,
    ) -> Result<(HostRow, Secret), Fault> {
        let identity = Identity::new("aws", self.account(), IdentityKind::Host, "/", Self::plain(name))?;
        let unique_id = access_key_id(&*self.random, "AHST")?;
        let code = self.new_code()?;
        let row = self.write(actor, "CreateHost", identity.arn(), |w| {
            users::insert(w, &identity, &unique_id, "[]", None, None)?;
            let (arn, account, ends) = (identity.arn(), w.account, w.now.saturating_add(valid));
            w.run(
                "INSERT INTO host (arn, account, verification_keys, code, code_ends, code_attempts) VALUES (?1, ?2, ?3, ?4, ?5, 0)",
                params![arn, account, verification_keys, hash(code.expose()), ends],
            )?;
            few_codes(w)?;
            Ok(HostRow {
                identity: identity.clone(),
                created: w.now,
                disabled: false,
                public_key: None,
                enrolled: None,
                code_ends: Some(ends),
                verification_keys,
                seen: None,
            })
        })?;
        Ok((row, code))
    }

    /// Makes a new code for a host that is there: to enrol again, with another
    /// key. The present key works until then.
    ///
    /// # Errors
    /// [`Status::NotFound`]; [`Status::LimitReached`] when too many have a
    /// code.
    pub fn invite_host(&self, actor: &str, name: &str, valid: i64) -> Result<(HostRow, Secret), Fault> {
        let mut row = self.host(name)?;
        let code = self.new_code()?;
        row.code_ends = self.write(actor, "InviteHost", row.identity.arn(), |w| {
            let ends = w.now.saturating_add(valid);
            w.run(
                "UPDATE host SET code = ?2, code_ends = ?3, code_attempts = 0 WHERE arn = ?1",
                params![row.identity.arn(), hash(code.expose()), ends],
            )?;
            few_codes(w)?;
            Ok(Some(ends))
        })?;
        Ok((row, code))
    }

    /// Enrols a host: from now on it is who signs with `public_key`.
    ///
    /// # Errors
    /// [`Status::NotAllowed`] when the code is not the host's, was used, has
    /// ended or was tried too often; [`Status::Busy`] when there are as many
    /// hosts as there may be. Then the code stays good.
    pub fn enroll_host(&self, name: &str, code: &str, public_key: &[u8]) -> Result<HostRow, Fault> {
        if public_key.len() != 32 {
            return Err(Fault::new(Status::InvalidArgument, "a public key of 32 bytes is accepted"));
        }
        let row = self.host(name).map_err(|f| if f.status == Status::NotFound { not_valid() } else { f })?;
        let (arn, now, given) = (row.identity.arn().to_owned(), self.clock.wall().0, hash(code.as_bytes()));
        // Anybody may try: where there is no code that costs no write.
        if row.code_ends.is_none_or(|ends| ends <= now) {
            return Err(not_valid());
        }
        let right = self.note(|c| {
            // Counted first, which locks the row: of many at once none gets
            // more attempts than there are.
            let count = "UPDATE host SET code_attempts = code_attempts + 1 WHERE arn = ?1 AND code_attempts <= ?2";
            c.execute(count, params![arn, ATTEMPTS])?;
            let open: Option<Vec<u8>> = c.first(
                "SELECT code FROM host WHERE arn = ?1 AND code IS NOT NULL AND code_ends > ?2 AND code_attempts <= ?3",
                params![arn, now, ATTEMPTS],
                |row| row.get(0),
            )?;
            let right = open.is_some_and(|open| open.ct_eq(&given).into());
            if right {
                // Who has the code does not guess.
                c.execute("UPDATE host SET code_attempts = code_attempts - 1 WHERE arn = ?1", params![arn])?;
            }
            Ok(right)
        })?;
        if !right {
            return Err(not_valid());
        }
        self.write(&super::host_actor(&row.identity), "EnrollHost", &arn, |w| {
            let now = w.now;
            let had: Option<Vec<u8>> = w.view().one("SELECT public_key FROM host WHERE arn = ?1", params![arn])?;
            let used = w.run(
                "UPDATE host SET public_key = ?2, enrolled = ?3, code = NULL, code_ends = NULL WHERE arn = ?1 AND code = ?4",
                params![arn, public_key.to_vec(), now, given],
            )?;
            // Somebody else was faster with the same code.
            if used != 1 {
                return Err(not_valid());
            }
            w.run("UPDATE identity SET disabled = 0 WHERE arn = ?1", params![arn])?;
            if had.is_none() {
                // Whoever comes is not wrong, only early.
                w.within(Quota::Hosts, quotas::HOSTS, params![w.account])
                    .map_err(|f| if f.status == Status::LimitReached { Fault { status: Status::Busy, ..f } } else { f })?;
            }
            w.detail = "with a new key".to_owned();
            Ok(())
        })?;
        self.host(&arn)
    }

    /// Revokes a host: its key is forgotten, and nothing it signs is believed.
    ///
    /// # Errors
    /// [`Status::NotFound`].
    pub fn revoke_host(&self, actor: &str, name: &str) -> Result<(), Fault> {
        let row = self.host(name)?;
        self.write(actor, "RevokeHost", row.identity.arn(), |w| {
            let arn = row.identity.arn();
            w.run("UPDATE host SET public_key = NULL, code = NULL, code_ends = NULL WHERE arn = ?1", params![arn])?;
            w.run("UPDATE identity SET disabled = 1 WHERE arn = ?1", params![arn])?;
            w.announce(Kind::IdentityEnded, arn)
        })
    }

    /// Notes when hosts, by ARN, were heard.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn hosts_seen(&self, seen: &[(String, i64)]) -> Result<(), Fault> {
        self.note(|c| {
            for (arn, at) in seen {
                // Another service may have heard it later.
                c.execute("UPDATE host SET seen = ?2 WHERE arn = ?1 AND coalesce(seen, 0) < ?2", params![arn, *at])?;
            }
            Ok(())
        })
    }

    /// One host by name, `host/<name>` or ARN.
    ///
    /// # Errors
    /// [`Status::NotFound`].
    pub fn host(&self, name: &str) -> Result<HostRow, Fault> {
        let sql = format!("{HOST} AND (i.arn = ?2 OR i.name = ?2)");
        let found = self.read(|c, _| c.first(&sql, params![self.account(), Self::plain(name)], read_host))?;
        found.ok_or_else(|| Fault::new(Status::NotFound, format!("there is no host {name:?}")))
    }

    /// Every host, by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn hosts(&self) -> Result<Vec<HostRow>, Fault> {
        self.read(|c, _| c.all(&format!("{HOST} ORDER BY i.name"), params![self.account()], read_host))
    }
}
