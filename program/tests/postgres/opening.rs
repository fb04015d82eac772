// SPDX-License-Identifier: Apache-2.0
//! What opens, what is refused, and what is said then.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use standin::access_control::{Store, schema};
use standin::fault::{Kind, Status};
use standin::time::SystemRandom;
use standin_program::postgres::{Place, Postgres};
use standin_program::store::{make_store, open_store};

use crate::support::{clock, home, place, server};

#[test]
fn a_database_without_a_store_says_how_to_make_one() {
    let url = place(&server());
    let fault = Postgres::open(&url).err().unwrap();
    assert_eq!(fault.status, Status::InvalidSetting);
    assert!(fault.text.contains("standin init --store"), "{fault}");
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("key");
    make_store(&url, Some(&key), "123456789012").unwrap().create_user("t", "/", "ann", &[]).unwrap();
    assert_eq!(open_store(&url, Some(&key)).unwrap().users().unwrap().len(), 1);
    assert!(open_store(&url, None).err().unwrap().text.contains("--key-file"));
    // A second one does not take its place, and makes no key file.
    let other = dir.path().join("other");
    assert_eq!(make_store(&url, Some(&other), "123456789012").err().unwrap().status, Status::Conflict);
    assert!(!other.exists());
}

#[test]
fn another_stores_key_file_does_not_open_it() {
    let (one, other) = (home(), home());
    let database = Box::new(Postgres::open(&one.url).unwrap());
    let key = other.dir.path().join("store.key");
    let fault = Store::open_in(database, &key, clock(), Arc::new(SystemRandom)).err().unwrap();
    assert!(fault.text.contains("does not belong"), "{fault}");
}

/// A password is never shown, whatever goes wrong.
#[test]
fn urls_are_read_and_their_passwords_kept() {
    for url in [
        "postgres://ann:hunter2@127.0.0.1:1/db",
        "postgres://ann:hunter2@127.0.0.1:1/db?sslmode=disable",
        "postgres://ann:hunter2@127.0.0.1:1/db?sslmode=prefer",
        "postgres://ann:hunter2@127.0.0.1:1/db?what=ever",
        "postgres://ann:hunter2@127.0.0.1:1x/db",
        "postgres://ann:hunter2@:1/db?sslrootcert=/none",
        "postgres://ann:hunter2@h/db?connections=0",
        "postgres://ann:hunter2@h/db?passfile=/none",
        "mysql://ann:hunter2@h/db",
    ] {
        let fault = open_store(url, Some("/none".as_ref())).err().unwrap();
        assert!(!fault.text.contains("hunter2"), "{fault}");
        assert!(!fault.text.is_empty() && fault.status != Status::NotFound, "{fault}");
    }
    assert!(Place::read("postgres://h/db?sslmode=prefer").err().unwrap().text.contains("verify-full"));
    let dir = tempfile::tempdir().unwrap();
    let pass = dir.path().join("pass");
    std::fs::write(&pass, "hunter2\n").unwrap();
    let url = format!("postgres://ann@h/db?sslmode=disable&passfile={}", pass.display());
    std::fs::set_permissions(&pass, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(Place::read(&url).err().unwrap().text.contains("chmod 600"));
    std::fs::set_permissions(&pass, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(Place::read(&url).unwrap().to_string(), "postgres://h/db");
}

/// Nobody listens: undecided at once, not refused and not "not found".
#[test]
fn a_database_that_is_not_there_is_unavailable() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("postgres:///db?host={}&user=x", dir.path().display());
    let fault = Postgres::open(&url).err().unwrap();
    assert_eq!((fault.status, fault.kind()), (Status::Unavailable, Kind::Undecided), "{fault}");
    let missing = server().replace("/postgres?", "/no-such-database?");
    assert_eq!(Postgres::open(&missing).err().unwrap().status, Status::InvalidSetting);
}

/// The next version's store opens when its makers say that this version may
/// work with it, and is left as it is; otherwise not.
#[test]
fn a_newer_format_is_opened_when_it_says_so() {
    let home = home();
    let newest = schema::newest();
    home.raw(&format!("UPDATE store_format SET number = {}, readable_from = {newest}", newest + 1));
    // What a newer version added.
    home.raw("ALTER TABLE identity ADD COLUMN later TEXT; ALTER TABLE access_key ADD COLUMN later BIGINT DEFAULT 7");
    let again = home.again().unwrap();
    again.create_user("t", "/", "ann", &[]).unwrap();
    let (key, _) = again.create_key("t", "ann").unwrap();
    assert!(again.login_key(&key.id).unwrap().value.is_some());
    home.raw(&format!("UPDATE store_format SET readable_from = {}", newest + 1));
    let fault = home.again().err().unwrap();
    assert_eq!(fault.status, Status::NewerFormat);
    assert!(fault.text.contains("backup"), "{fault}");
}

/// Services that start at once make the tables once.
#[test]
fn many_may_make_the_tables_at_once() {
    for _ in 0..5 {
        let url = place(&server());
        std::thread::scope(|scope| {
            let made: Vec<_> = (0..6).map(|_| scope.spawn(|| Postgres::make(&url).map(drop))).collect();
            for one in made {
                one.join().unwrap().unwrap();
            }
        });
    }
}

/// A store of an older format is brought forward where it is, by whoever opens
/// it first.
#[test]
fn an_older_format_is_brought_forward() {
    let home = home();
    home.store.create_user("t", "/", "ann", &[]).unwrap();
    home.store.create_host("t", "demo/1", true, 60_000).unwrap();
    // What came after format 3, taken away.
    home.raw("DROP TABLE denial, denial_last, collected, collected_last; ALTER TABLE host DROP COLUMN seen; ALTER TABLE change DROP COLUMN disconnect");
    home.raw("UPDATE store_format SET number = 3, readable_from = 2");
    std::thread::scope(|scope| {
        let opened: Vec<_> = (0..4).map(|_| scope.spawn(|| home.again().map(drop))).collect();
        opened.into_iter().for_each(|one| one.join().unwrap().unwrap());
    });
    let again = home.again().unwrap();
    assert_eq!((again.users().unwrap().len(), again.hosts().unwrap().len()), (1, 1));
    again.record_denials(&[Default::default(), Default::default()]).unwrap();
    let numbers: Vec<i64> = again.denials(0, 10).unwrap().iter().map(|d| d.number).collect();
    assert_eq!(numbers, [1, 2]);
}
