// SPDX-License-Identifier: Apache-2.0
//! The file: who may read it, what it shows to who copies it, and which other
//! files are refused with what to do.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use standin::access_control::{Owner, Store};
use standin::fault::{Kind, Status};
use standin::time::SystemRandom;

use crate::support::{ALLOW, Home, clock, files, home, open};

fn mode(path: &std::path::Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn every_file_of_a_store_is_the_owners_alone() {
    let home = home();
    home.store.create_user("test", "/", "ann", &[]).unwrap();
    let mut seen = 0;
    for file in std::fs::read_dir(home.dir.path()).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        seen += 1;
    }
    assert!(seen >= 3, "store, key file and write-ahead log");
}

#[test]
fn files_others_may_read_are_refused_with_the_remedy() {
    let home = home();
    for name in ["store.db", "store.db.key"] {
        let path = home.dir.path().join(name);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let fault = open(home.dir.path()).err().unwrap();
        assert_eq!(fault.status, Status::InvalidSetting);
        assert!(fault.text.contains("0644") && fault.text.contains("chmod 600"), "{fault}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    open(home.dir.path()).map(drop).unwrap();
}

#[test]
fn a_second_store_in_the_same_place_is_a_conflict_and_changes_nothing() {
    let home = home();
    home.store.create_user("test", "/", "ann", &[]).unwrap();
    let again = Store::create(&files(home.dir.path()), "123456789012", clock(), Arc::new(SystemRandom));
    assert_eq!(again.err().unwrap().status, Status::Conflict);
    // Also when only the key file is there: it may be that of a lost store.
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::copy(home.dir.path().join("store.db.key"), elsewhere.path().join("store.db.key")).unwrap();
    let beside = Store::create(&files(elsewhere.path()), "123456789012", clock(), Arc::new(SystemRandom));
    assert_eq!(beside.err().unwrap().status, Status::Conflict);
    assert!(!elsewhere.path().join("store.db").exists());
    assert_eq!(open(home.dir.path()).unwrap().users().unwrap().len(), 1);
}

#[test]
fn what_is_missing_damaged_or_of_another_store_is_told_apart() {
    let empty = tempfile::tempdir().unwrap();
    let fault = open(empty.path()).err().unwrap();
    assert!(fault.text.contains("standin init"), "{fault}");

    let (one, other) = (home(), home());
    drop(one.store);
    std::fs::copy(other.dir.path().join("store.db.key"), one.dir.path().join("store.db.key")).unwrap();
    let fault = open(one.dir.path()).err().unwrap();
    assert!(fault.text.contains("does not belong to the store"), "{fault}");

    std::fs::write(one.dir.path().join("store.db.key"), "standin-keys 2\n").unwrap();
    assert_eq!(open(one.dir.path()).err().unwrap().status, Status::NewerFormat);

    let garbage = tempfile::tempdir().unwrap();
    std::fs::copy(other.dir.path().join("store.db.key"), garbage.path().join("store.db.key")).unwrap();
    std::fs::write(garbage.path().join("store.db"), vec![b'x'; 8192]).unwrap();
    std::fs::set_permissions(garbage.path().join("store.db"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let fault = open(garbage.path()).err().unwrap();
    assert!(fault.text.contains("not a database"), "{fault}");
}

#[test]
fn a_store_of_a_newer_version_is_refused_and_left_alone() {
    let home = home();
    let path = home.dir.path().join("store.db");
    drop(home.store);
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.pragma_update(None, "user_version", 999).unwrap();
    raw.execute("UPDATE meta SET value = '999' WHERE name = 'readable-from'", []).unwrap();
    drop(raw);
    let fault = open(home.dir.path()).err().unwrap();
    assert_eq!(fault.status, Status::NewerFormat);
    assert!(fault.text.contains("999") && fault.text.contains("backup"), "{fault}");
}

/// The next version's store works with this one when its makers say so.
#[test]
fn a_store_of_a_newer_version_is_opened_when_it_says_so() {
    let home = home();
    home.raw("ALTER TABLE identity ADD COLUMN later TEXT; CREATE TABLE later (a TEXT); PRAGMA user_version = 999");
    let again = home.again().unwrap();
    again.create_user("test", "/", "ann", &[]).unwrap();
    assert_eq!(again.users().unwrap().len(), 1);
    let raw = rusqlite::Connection::open(home.dir.path().join("store.db")).unwrap();
    let format: u32 = raw.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(format, 999, "it is left as it is");
}

/// a copied file shows no secret.
#[test]
fn x_11_secrets_are_not_in_the_file() {
    let home = home();
    home.store.create_user("test", "/", "ann", &[]).unwrap();
    let (_, secret) = home.store.create_key("test", "ann").unwrap();
    let secret = secret.expose();
    for file in std::fs::read_dir(home.dir.path()).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(secret.len()).any(|w| w == secret), "{}", path.display());
    }
}

/// Reading the policies of one identity went through those of everybody, so
/// that a login took a second among 100,000 identities.
#[test]
fn policies_of_one_are_read_as_fast_among_many() {
    let home = home();
    home.store.create_user("t", "/", "ann", &[]).unwrap();
    home.store.put_policy("t", "/", "read", ALLOW).unwrap();
    home.store.attach("t", Owner::User("ann"), "read").unwrap();
    let ann = home.store.user("ann").unwrap().identity;
    let median = || {
        let mut times: Vec<_> = (0..25)
            .map(|_| {
                let begun = std::time::Instant::now();
                assert_eq!(home.store.entitlements(&ann).unwrap().value.unwrap().policies.len(), 1);
                begun.elapsed()
            })
            .collect();
        times.sort_unstable();
        times[12]
    };
    let alone = median();
    let numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)";
    home.raw(&format!(
        "INSERT INTO policy (arn, account, name, unique_id, created, default_version)
           {numbers} SELECT 'p' || i, '123456789012', 'p' || i, 'id' || i, 0, 1 FROM n;
         INSERT INTO policy_version {numbers} SELECT 'p' || i, '123456789012', 1, '{{}}', x'00', 0 FROM n;
         INSERT INTO attachment {numbers} SELECT 'u' || i, '123456789012', 'p' || i FROM n"
    ));
    let among = median();
    assert!(among < alone * 20, "{among:?} among 20,000, {alone:?} alone");
}

/// Regression: whoever reached the port could have the store written with each
/// enrolment that was refused.
#[test]
fn an_enrolment_without_an_open_code_writes_nothing() {
    let home = home();
    let store = &home.store;
    let (_, code) = store.create_host("t", "c/1", true, 60_000).unwrap();
    let code = String::from_utf8(code.expose().to_vec()).unwrap();
    let forbid = "CREATE TRIGGER no_write BEFORE UPDATE ON host BEGIN SELECT RAISE(ABORT, 'written'); END;";
    let allow = "DROP TRIGGER no_write;";
    let refused = |code: &str| {
        let fault = store.enroll_host("c/1", code, &[1; 32]).unwrap_err();
        assert_eq!(fault.status, Status::NotAllowed, "{fault}");
    };
    for _ in 0..12 {
        refused("WRONG");
    }
    home.raw(forbid);
    // Tried too often: what is counted is counted.
    refused(&code);
    home.raw(allow);
    let (_, code) = store.invite_host("t", "c/1", 60_000).unwrap();
    let code = String::from_utf8(code.expose().to_vec()).unwrap();
    store.enroll_host("c/1", &code, &[1; 32]).unwrap();
    home.raw(forbid);
    refused(&code);
    home.raw(allow);
    store.invite_host("t", "c/1", 60_000).unwrap();
    home.clock.pass(60_001);
    home.raw(forbid);
    refused("WRONG");
}

/// Who finds no connection waits for a time and is told to come again: that is
/// not a denial.
#[test]
fn too_many_readers_are_put_off_not_refused() {
    let Home { store, dir: _dir, .. } = home();
    let store = store.patient(Duration::from_millis(10)).unwrap();
    store.create_user("test", "/", "ann", &[]).unwrap();
    let fault = store.view(|_| store.user("ann")).err().unwrap();
    assert_eq!((fault.status, fault.kind()), (Status::Busy, Kind::Undecided), "{fault}");
    assert_eq!(store.user("ann").unwrap().identity.name(), "ann");
}

/// A connection that is made later is to the file that is open, not to one that
/// took its name.
#[test]
fn a_new_reader_does_not_read_another_file() {
    let (home, other) = (home(), home());
    let store = home.store.with_readers(2);
    store.create_user("test", "/", "ann", &[]).unwrap();
    for n in 0..9 {
        other.store.create_user("test", "/", &format!("bob{n}"), &[]).unwrap();
    }
    let (at, aside) = (home.dir.path().join("store.db"), home.dir.path().join("aside"));
    store
        .view(|view| {
            std::fs::rename(&at, &aside).unwrap();
            other.store.back_up(&at).unwrap();
            let fault = store.users().err().unwrap();
            assert!(fault.kind() == Kind::Undecided && fault.text.contains("replaced"), "{fault}");
            std::fs::rename(&aside, &at).unwrap();
            view.users()
        })
        .unwrap();
    assert_eq!(store.users().unwrap().len(), 1);
}
