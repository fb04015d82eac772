// SPDX-License-Identifier: Apache-2.0
//! The tables in PostgreSQL's words, and how an older store becomes a newer
//! one. The steps are those of the library: what a table holds is said once.

use standin::access_control::schema::{READABLE_FROM, STEPS, check_format, newest};
use standin::access_control::{Connection, Value};
use standin::fault::{Fault, Status};

use super::link::Link;

/// The number under which those who change tables wait for each other.
const LOCK: &str = "SELECT pg_advisory_xact_lock(x'5374616e64696e'::bigint)";

/// What PostgreSQL has beside the tables of the library: the format, and a
/// wake-up for those who follow.
const BESIDE: &str = "
CREATE TABLE store_format (one BIGINT PRIMARY KEY CHECK (one = 1), number BIGINT NOT NULL, readable_from BIGINT NOT NULL);
INSERT INTO store_format VALUES (1, 0, 0);
CREATE FUNCTION announce_revision() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN PERFORM pg_notify('standin', TG_TABLE_SCHEMA); RETURN NULL; END $$;
";
const WAKE: &str =
    "CREATE TRIGGER revision_announced AFTER UPDATE ON revision FOR EACH ROW EXECUTE FUNCTION announce_revision();";

/// A step of the library in PostgreSQL's words. Text is compared byte by byte
/// as in SQLite, not by the language of the database.
fn translated(step: &str) -> String {
    let (mut out, mut word) = (String::new(), String::new());
    let finish = |word: &mut String, out: &mut String| {
        out.push_str(match word.as_str() {
            "INTEGER" => "BIGINT",
            "TEXT" => "TEXT COLLATE \"C\"",
            "BLOB" => "BYTEA",
            other => other,
        });
        word.clear();
    };
    for c in step.replace("WITHOUT ROWID", "").chars() {
        if c.is_ascii_alphanumeric() || c == '_' {
            word.push(c);
        } else {
            finish(&mut word, &mut out);
            out.push(c);
        }
    }
    finish(&mut word, &mut out);
    out
}

/// The format of the store, and whose versions may work with it; none when
/// there is no store.
fn format(link: &Link) -> Result<Option<(u32, u32)>, Fault> {
    let c: &dyn Connection = link;
    // Read from the catalogue: `to_regclass` may answer from what this
    // connection knew before it waited for another that made the table.
    let there =
        "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relname = 'store_format' AND n.nspname = ANY (current_schemas(false)))";
    if !c.one::<bool>(there, &[])? {
        return Ok(None);
    }
    let narrow = |n: i64| u32::try_from(n).unwrap_or(u32::MAX);
    c.first("SELECT number, readable_from FROM store_format", &[], |row| Ok((narrow(row.get(0)?), narrow(row.get(1)?))))
}

/// Brings the tables of a store up to date.
pub(super) fn update(link: &Link) -> Result<(), Fault> {
    match format(link)? {
        None => Err(Fault::new(
            Status::InvalidSetting,
            "the database holds no store; `standin init --store postgres://…` makes one",
        )),
        Some((number, readable_from)) if number >= newest() => check_format(number, readable_from),
        Some(_) => change(link),
    }
}

/// Makes the tables of a store where there are none, and brings older ones up
/// to date.
pub(super) fn make(link: &Link) -> Result<(), Fault> {
    match format(link)? {
        None => change(link),
        Some(_) => update(link),
    }
}

fn change(link: &Link) -> Result<(), Fault> {
    link.batch("BEGIN")?;
    let done = steps(link).and_then(|()| link.batch("COMMIT"));
    if done.is_err() {
        link.roll_back();
    }
    done
}

fn steps(link: &Link) -> Result<(), Fault> {
    link.batch(LOCK)?;
    // Another may have been faster while this one waited.
    let present = match format(link)? {
        Some((number, readable_from)) if number >= newest() => return check_format(number, readable_from),
        Some((number, _)) => number,
        None => {
            link.batch(BESIDE)?;
            0
        }
    };
    for step in STEPS.iter().skip(usize::try_from(present).unwrap_or(usize::MAX)) {
        link.batch(&translated(step))?;
    }
    if present == 0 {
        link.batch(WAKE)?;
    }
    let values = [Value::Integer(i64::from(newest())), Value::Integer(i64::from(READABLE_FROM))];
    link.execute("UPDATE store_format SET number = ?1, readable_from = ?2", &values).map(drop)
}

#[cfg(test)]
mod tests {
    use super::translated;

    #[test]
    fn steps_are_translated_word_by_word() {
        let step = "CREATE TABLE a (b TEXT PRIMARY KEY, texts INTEGER, c BLOB NOT NULL) WITHOUT ROWID;";
        let expected = "CREATE TABLE a (b TEXT COLLATE \"C\" PRIMARY KEY, texts BIGINT, c BYTEA NOT NULL) ;";
        assert_eq!(translated(step), expected);
    }
}
