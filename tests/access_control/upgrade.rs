// SPDX-License-Identifier: Apache-2.0
//! Stores of older formats, made by the very steps that made them then, are
//! brought forward with all that is in them; and what this version makes of
//! them, the versions it says so of can still work with.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rusqlite::Connection;
use standin::access_control::schema::{READABLE_FROM, STEPS, newest};
use standin::access_control::{NewProvider, Owner};
use standin::revision::Revision;

use crate::support::{ALLOW, Home, home, open};

/// A file as the version of this format made it.
fn made_by(format: u32, path: &Path) -> Connection {
    let file = Connection::open(path).unwrap();
    for step in STEPS.iter().take(format as usize) {
        file.execute_batch(step).unwrap();
    }
    file.pragma_update(None, "user_version", format).unwrap();
    file
}

fn tables(file: &Connection, schema: &str) -> Vec<String> {
    let sql = format!("SELECT name FROM {schema}.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'");
    let mut statement = file.prepare(&sql).unwrap();
    let names = statement.query_map([], |row| row.get(0)).unwrap();
    names.map(Result::unwrap).collect()
}

/// Name of each column, whether it must be given, and whether it has a default.
fn columns(file: &Connection, table: &str) -> Vec<(String, bool, bool)> {
    let mut statement =
        file.prepare("SELECT name, \"notnull\", dflt_value IS NOT NULL FROM pragma_table_info(?1)").unwrap();
    let columns = statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    columns.map(Result::unwrap).collect()
}

/// Puts what a store holds into a file of an older format, as far as that has
/// a place for it.
fn age(dir: &Path, format: u32) {
    let (present, old) = (dir.join("store.db"), dir.join("old.db"));
    let file = made_by(format, &old);
    file.execute("ATTACH ?1 AS present", [present.to_str().unwrap()]).unwrap();
    // In the order in which they were made: they refer to each other.
    for table in tables(&file, "main") {
        let names: Vec<String> = columns(&file, &table).into_iter().map(|(name, _, _)| name).collect();
        let names = names.join(", ");
        file.execute_batch(&format!(
            "DELETE FROM main.{table}; INSERT INTO main.{table} ({names}) SELECT {names} FROM present.{table};"
        ))
        .unwrap();
    }
    file.execute_batch("DETACH present").unwrap();
    file.execute("UPDATE meta SET value = ?1 WHERE name = 'readable-from'", [format.to_string()]).unwrap();
    drop(file);
    std::fs::rename(&old, &present).unwrap();
    std::fs::set_permissions(&present, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn stores_of_every_older_format_are_brought_forward_with_all_that_is_in_them() {
    for format in 1..newest() {
        let Home { dir, store, .. } = home();
        let dir = dir.path();
        store.create_user("t", "/team/", "ann", &[("a".into(), "b".into())]).unwrap();
        store.create_group("t", "/", "all").unwrap();
        store.add_to_group("t", "all", "ann").unwrap();
        store.put_inline("t", Owner::Group("all"), "p", ALLOW).unwrap();
        let (key, secret) = store.create_key("t", "ann").unwrap();
        if format >= 2 {
            let (arn, issuer) = ("arn:aws:iam::123456789012:oidc-provider/id.example.com", "https://id.example.com");
            let provider = NewProvider { arn, issuer, client_ids: &["c"], thumbprints: &[], tags: &[] };
            store.create_provider("t", &provider).unwrap();
        }
        if format >= 3 {
            store.create_host("t", "demo/1", true, 60_000).unwrap();
        }
        let before = (store.users().unwrap(), store.revision().unwrap(), store.changes(Revision(0), 100).unwrap());
        let administration = store.administration(Revision(0), 100).unwrap();
        let policies = store.entitlements(&before.0[0].identity).unwrap().value.unwrap().policies;
        drop(store);
        age(dir, format);
        let present = open(dir).unwrap_or_else(|f| panic!("format {format}: {f}"));
        let after = (present.users().unwrap(), present.revision().unwrap(), present.changes(Revision(0), 100).unwrap());
        assert_eq!(after, before, "format {format}");
        assert_eq!(present.administration(Revision(0), 100).unwrap(), administration);
        assert_eq!(present.entitlements(&before.0[0].identity).unwrap().value.unwrap().policies, policies);
        assert_eq!(present.login_key(&key.id).unwrap().value.unwrap().secret.expose(), secret.expose());
        assert_eq!(present.hosts().unwrap().len(), usize::from(format >= 3));
        assert_eq!(present.providers().unwrap().len(), usize::from(format >= 2));
        // What came since works, and a second opening has nothing left to do.
        present.create_host("t", "demo/2", true, 60_000).unwrap();
        present.record_denials(&[Default::default()]).unwrap();
        assert_eq!(present.denials(0, 10).unwrap().len(), 1);
        drop(present);
        let again = open(dir).unwrap();
        assert_eq!(again.revision().unwrap(), Revision(before.1.0 + 1));
        let raw = Connection::open(dir.join("store.db")).unwrap();
        let now: u32 = raw.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        let readable: String =
            raw.query_row("SELECT value FROM meta WHERE name = 'readable-from'", [], |row| row.get(0)).unwrap();
        assert_eq!((now, readable), (newest(), READABLE_FROM.to_string()));
    }
}

/// What an older version knows is still there under its name, and whatever
/// came to its tables it may leave out: its statements do what they did.
#[test]
fn the_versions_that_may_go_on_find_everything_where_it_was() {
    assert!(READABLE_FROM < newest(), "one version back is promised");
    let dir = tempfile::tempdir().unwrap();
    let present = made_by(newest(), &dir.path().join("present.db"));
    for format in READABLE_FROM..newest() {
        let old = made_by(format, &dir.path().join(format!("{format}.db")));
        for table in tables(&old, "main") {
            let (then, now) = (columns(&old, &table), columns(&present, &table));
            assert_eq!(now.get(..then.len()), Some(then.as_slice()), "{table} since format {format}");
            for (name, must_be_given, has_default) in now.iter().skip(then.len()) {
                assert!(!must_be_given || *has_default, "{table}.{name}: format {format} does not know to give it");
            }
        }
    }
}
