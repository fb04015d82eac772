// SPDX-License-Identifier: Apache-2.0
//! Changing the keys under which secrets are sealed. Every step can be cut off
//! at any moment and done again: the mark of the store is sealed under a new
//! key last, so a mark under an old key shows that something is left to do.

use super::database::{Connection, params};
use super::store::{MARK, Store};
use crate::credential::envelope::key_of;
use crate::fault::{Fault, Status};

/// How many values are sealed anew in one transaction.
const BATCH: i64 = 500;
/// How long after it sealed last a key may still be needed by what is not in
/// the store: the longest session of a user, and an hour; milliseconds.
const NEEDED: i64 = (*super::issue::USER_DURATIONS.end() + 3600) * 1000;

/// One column that holds sealed values.
struct Sealed {
    page: &'static str,
    update: &'static str,
    context: fn(account: &str, id: &str) -> Vec<u8>,
}

/// Every column that holds sealed values.
const COLUMNS: [Sealed; 1] = [Sealed {
    page: "SELECT id, secret FROM access_key WHERE id > ?1 ORDER BY id LIMIT ?2",
    update: "UPDATE access_key SET secret = ?2 WHERE id = ?1",
    context: super::keys::context,
}];

/// What a change of keys did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    /// Id of the key that seals now.
    pub key: String,
    /// Ids of keys that are prepared and do not seal yet.
    pub prepared: Vec<String>,
    /// Ids of keys that only open what was sealed before.
    pub old: Vec<String>,
    /// Ids of keys that are in the file no longer.
    pub forgotten: Vec<String>,
    /// How many values were sealed anew.
    pub sealed: usize,
}

/// Where the store notes since when a key does not seal.
fn note_of(key: &str) -> String {
    format!("retired/{key}")
}

impl Store {
    /// Adds a key that does not seal yet, so that the key file can be given to
    /// every service first.
    ///
    /// # Errors
    /// When the key file or the store cannot be written.
    pub fn prepare_sealing(&self, actor: &str) -> Result<Rotation, Fault> {
        let _alone = self.ring.lock_file()?;
        self.ring.reload()?;
        if self.stand()?.prepared.is_empty() {
            let key = self.ring.prepare(&*self.random)?;
            self.write(actor, "PrepareSealingKey", &key, |_| Ok(()))?;
        }
        self.stand()
    }

    /// Seals everything under a new key: the one that was prepared, or one made
    /// now. Old keys stay in the file and open what is still under them.
    ///
    /// # Errors
    /// When the key file or the store cannot be written; doing it again goes on
    /// where it stopped.
    pub fn rotate_sealing(&self, actor: &str) -> Result<Rotation, Fault> {
        let _alone = self.ring.lock_file()?;
        self.ring.reload()?;
        let stand = self.stand()?;
        let marked = self.marked()?;
        // A key that seals while the mark is under another was put in force by
        // a rotation that did not end.
        let first = self.ring.first()?;
        if first == marked {
            match stand.prepared.first() {
                Some(key) => self.ring.put_in_force(key)?,
                None => self.ring.rotate_file(&*self.random)?,
            }
        }
        let sealed = self.seal_anew()?;
        let key = self.ring.first()?;
        let mark = self.ring.seal(&*self.random, MARK, self.account().as_bytes())?;
        self.write(actor, "RotateSealingKeys", &key, |w| {
            w.run("UPDATE meta SET value = ?1 WHERE name = 'mark'", params![mark])?;
            let now = w.now.to_string().into_bytes();
            for old in self.ring.ids().into_iter().filter(|id| *id != key && !stand.prepared.contains(id)) {
                w.run(
                    "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                    params![note_of(&old), now],
                )?;
            }
            w.detail = format!("{sealed} secrets sealed anew; before: {marked}");
            Ok(())
        })?;
        Ok(Rotation { sealed, ..self.stand()? })
    }

    /// Takes old keys out of the file that nothing needs any more: nothing in
    /// the store is sealed under them, and no temporary credentials that were
    /// can still be valid.
    ///
    /// # Errors
    /// When the key file or the store cannot be written.
    pub fn forget_sealing(&self, actor: &str) -> Result<Rotation, Fault> {
        let _alone = self.ring.lock_file()?;
        self.ring.reload()?;
        // A service that had not read the new file yet may have sealed since.
        let sealed = self.seal_anew()?;
        let now = self.clock.wall().0;
        let mut forgotten = Vec::new();
        for key in self.stand()?.old {
            let since: Option<i64> = self.retired(&key)?;
            if since.is_some_and(|since| now.saturating_sub(since) >= NEEDED) {
                forgotten.push(key);
            }
        }
        if !forgotten.is_empty() {
            // Recorded first: a key that is gone and not recorded would be worse.
            self.write(actor, "ForgetSealingKeys", &forgotten.join(" "), |_| Ok(()))?;
            self.ring.forget(&forgotten)?;
        }
        Ok(Rotation { sealed, forgotten, ..self.stand()? })
    }

    /// The keys of the file by what they are for.
    fn stand(&self) -> Result<Rotation, Fault> {
        let (key, marked) = (self.ring.first()?, self.marked()?);
        let (mut prepared, mut old) = (Vec::new(), Vec::new());
        for id in self.ring.ids().into_iter().filter(|id| *id != key) {
            let was = id == marked || self.retired(&id)?.is_some();
            if was { old.push(id) } else { prepared.push(id) }
        }
        Ok(Rotation { key, prepared, old, ..Rotation::default() })
    }

    /// The key the mark of the store is sealed under.
    fn marked(&self) -> Result<String, Fault> {
        let mark: Vec<u8> = self.read(|c, _| c.one("SELECT value FROM meta WHERE name = 'mark'", params![]))?;
        key_of(&mark).map(str::to_owned)
    }

    fn retired(&self, key: &str) -> Result<Option<i64>, Fault> {
        let name = note_of(key);
        let value: Option<Vec<u8>> =
            self.read(|c, _| c.first("SELECT value FROM meta WHERE name = ?1", params![name], |row| row.get(0)))?;
        Ok(value.and_then(|v| String::from_utf8(v).ok()?.parse().ok()))
    }

    /// Seals what is not under the first key, in transactions of bounded size;
    /// how many values.
    fn seal_anew(&self) -> Result<usize, Fault> {
        let first = self.ring.first()?;
        let mut sealed = 0;
        for column in &COLUMNS {
            let mut after = String::new();
            loop {
                let from = after.clone();
                let (last, done) = self.note(|c| self.seal_page(c, column, &from, &first))?;
                sealed += done;
                match last {
                    Some(last) => after = last,
                    None => break,
                }
            }
        }
        Ok(sealed)
    }

    fn seal_page(
        &self,
        c: &dyn Connection,
        column: &Sealed,
        after: &str,
        first: &str,
    ) -> Result<(Option<String>, usize), Fault> {
        let rows: Vec<(String, Vec<u8>)> =
            c.all(column.page, params![after, BATCH], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut done = 0;
        for (id, value) in &rows {
            if key_of(value)? == first {
                continue;
            }
            let context = (column.context)(self.account(), id);
            let plain = self
                .ring
                .open(&context, value)
                .map_err(|f| Fault::new(Status::InvalidSetting, format!("the secret of {id} does not open: {f}")))?;
            let anew = self.ring.seal(&*self.random, &context, plain.expose())?;
            c.execute(column.update, params![id, anew])?;
            done += 1;
        }
        Ok((rows.into_iter().next_back().map(|(id, _)| id), done))
    }
}
