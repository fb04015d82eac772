// SPDX-License-Identifier: Apache-2.0
//! Copies of a store that is in use, and what they are good for.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use standin::access_control::{ChangeKind, Owner, Store, StoreFiles};
use standin::fault::{Fault, Status};
use standin::revision::Revision;
use standin::time::SystemRandom;

use crate::support::{ALLOW, Home, clock, files, home};

fn restore(home: &Home, to: &Path, copy: &Path) -> Result<Store, Fault> {
    let at = StoreFiles { store: to.join("store.db"), key_file: files(home.dir.path()).key_file };
    Store::restore(&at, copy, "t", clock(), Arc::new(SystemRandom))
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(dir).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A copy made while others write is the store as it was at one moment.
#[test]
fn a_copy_made_during_writes_is_whole() {
    let home = home();
    let copies = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let own = home.again().unwrap();
            for n in 0..200 {
                let name = format!("u{n}");
                own.create_user("t", "/", &name, &[]).unwrap();
                own.put_inline("t", Owner::User(&name), "own", ALLOW).unwrap();
            }
        });
        let mut n = 0;
        while !writer.is_finished() {
            home.store.back_up(&copies.path().join(format!("{n}"))).unwrap();
            n += 1;
        }
        assert!(n > 0);
    });
    for name in names(copies.path()) {
        let (copy, to) = (copies.path().join(name), tempfile::tempdir().unwrap());
        assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
        let store = restore(&home, to.path(), &copy).unwrap();
        let records = store.administration(Revision(0), 1000).unwrap();
        let made = records.iter().filter(|r| r.action == "CreateUser").count();
        assert_eq!(store.users().unwrap().len(), made);
        let users = store.users().unwrap();
        let given =
            users.iter().filter(|u| !store.entitlements(&u.identity).unwrap().value.unwrap().policies.is_empty());
        assert_eq!(given.count(), records.iter().filter(|r| r.action == "PutInlinePolicy").count());
    }
}

/// A restored store has its secrets, and goes on beyond every revision that was
/// answered: hosts take its answers, and read everything anew.
#[test]
fn a_restored_store_goes_on() {
    let home = home();
    home.store.create_user("t", "/", "ann", &[]).unwrap();
    let (key, secret) = home.store.create_key("t", "ann").unwrap();
    let copy = home.dir.path().join("copy");
    home.store.back_up(&copy).unwrap();
    home.store.create_user("t", "/", "bob", &[]).unwrap();
    let known = home.store.revision().unwrap();

    let to = tempfile::tempdir().unwrap();
    let store = restore(&home, to.path(), &copy).unwrap();
    assert_eq!(names(to.path()).first().map(String::as_str), Some("store.db"));
    assert!(!names(to.path()).iter().any(|n| n.contains("restoring")));
    assert_eq!(store.login_key(&key.id).unwrap().value.unwrap().secret.expose(), secret.expose());
    assert_eq!(store.users().unwrap().len(), 1);
    assert!(store.revision().unwrap() > known);
    let changes = store.changes(known, 10).unwrap();
    assert_eq!(changes.iter().map(|c| c.kind).collect::<Vec<_>>(), [ChangeKind::Gap]);
    let revision = store.revision().unwrap();
    store.tag_user("t", "ann", &[]).unwrap();
    assert_eq!(store.changes(revision, 10).unwrap().len(), 1);
    assert!(std::fs::metadata(&copy).is_ok(), "the copy stays");
}

#[test]
fn what_would_destroy_or_not_work_is_refused() {
    let home = home();
    home.store.create_user("t", "/", "ann", &[]).unwrap();
    let copy = home.dir.path().join("copy");
    home.store.back_up(&copy).unwrap();
    assert_eq!(home.store.back_up(&copy).unwrap_err().status, Status::Conflict);
    // A store that is there is not replaced, nor is its log taken over.
    assert_eq!(restore(&home, home.dir.path(), &copy).err().unwrap().status, Status::Conflict);
    let to = tempfile::tempdir().unwrap();
    std::fs::write(to.path().join("store.db-wal"), "x").unwrap();
    assert_eq!(restore(&home, to.path(), &copy).err().unwrap().status, Status::Conflict);
    std::fs::remove_file(to.path().join("store.db-wal")).unwrap();
    // Another store's key file.
    let other = crate::support::home();
    assert!(restore(&other, to.path(), &copy).err().unwrap().text.contains("does not belong"));
    // Half a copy, and something else.
    let bytes = std::fs::read(&copy).unwrap();
    for damaged in [&bytes[..bytes.len() / 2], &vec![b'x'; 9000][..]] {
        std::fs::write(&copy, damaged).unwrap();
        let fault = restore(&home, to.path(), &copy).err().unwrap();
        assert!([Status::InvalidDocument, Status::Unavailable].contains(&fault.status), "{fault}");
    }
    assert!(restore(&home, to.path(), &home.dir.path().join("none")).is_err());
    assert!(names(to.path()).is_empty(), "{:?}", names(to.path()));
}
