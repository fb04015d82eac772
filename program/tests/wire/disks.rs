// SPDX-License-Identifier: Apache-2.0
//! Disks that are full: under the store, and under the audit. They are real
//! file systems, a few megabytes in memory.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use standin::access_control::Owner;
use standin::decision::Outcome;
use standin::fault::Kind;
use standin::revision::Revision;

use crate::host::Host;
use crate::place::{Place, policy, until};
use crate::raw::iam;

const WRITE: &[&str] = &["kafka-cluster:WriteData"];

/// A small file system of its own.
struct Disk {
    dir: tempfile::TempDir,
}

impl Drop for Disk {
    fn drop(&mut self) {
        // What a failed test left open keeps it until the process ends.
        drop(Command::new("umount").arg("--lazy").arg(self.dir.path()).status());
    }
}

impl Disk {
    fn new(megabytes: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={megabytes}m,mode=700"), "tmpfs"])
            .arg(dir.path())
            .status()
            .unwrap();
        assert!(mounted.success(), "these tests mount small file systems: run them as root");
        Self { dir }
    }

    fn ballast(&self) -> PathBuf {
        self.dir.path().join("ballast")
    }

    /// Leaves room for nothing.
    fn fill(&self) {
        let mut file = File::options().append(true).create(true).open(self.ballast()).unwrap();
        for size in [1 << 16, 4096, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn free(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }
}

/// The disk under the store is full: nothing is lost that was answered, what
/// cannot be written is said to be so, clients go on, and when there is room
/// again everything does.
#[test]
fn x_10_a_full_disk_under_the_store_loses_nothing_and_refuses_nobody() {
    let disk = Disk::new(16);
    let audit = tempfile::tempdir().unwrap();
    let place = Place::within(tempfile::tempdir_in(disk.dir.path()).unwrap());
    let serving = place.serve();
    let file = place.enroll(&serving, "demo/1");
    let more = [("standin.audit.dir", audit.path().to_str().unwrap())];
    let host = Host::open(&place, serving.port, &file, &more);
    let alice = place.user("alice", &policy("Allow", WRITE, "a"));
    let new = place.user("new", &policy("Allow", WRITE, "n"));
    let everything = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:*","Resource":"*"}}"#;
    let admin = place.user("admin", everything);
    let session = host.enter(&alice);
    let create = |name: &str| {
        iam(&place, serving.port, &admin, &format!("Action=CreateUser&Version=2010-05-08&UserName={name}"))
    };
    assert_eq!(create("before").status, 200);
    let mut made = BTreeSet::from(["before".to_owned()]);

    disk.fill();
    // The log of the database may have room for a few more.
    let mut n = 0;
    loop {
        let name = format!("full-{n}");
        let answer = create(&name);
        if answer.status != 200 {
            assert!([500, 503].contains(&answer.status), "{}: {}", answer.status, answer.body);
            assert!(!answer.body.contains("AccessDenied") && !answer.body.contains("NoSuchEntity"), "{}", answer.body);
            break;
        }
        made.insert(name);
        n += 1;
        disk.fill();
    }
    let fault = place.store.create_user("test", "/", "full", &[]).expect_err("there is no room");
    assert_eq!(fault.kind(), Kind::Undecided, "{fault}");
    assert_eq!((host.decide(session, "a"), host.decide(session, "b")), (Outcome::Allow, Outcome::Deny));
    host.enter(&alice);
    // Logging in changes nothing in the store.
    let entered = host.enter(&new);
    assert_eq!(host.decide(entered, "n"), Outcome::Allow);

    disk.free();
    until("room to write", || create("after").status == 200);
    made.insert("after".to_owned());
    place.store.put_inline("test", Owner::User("alice"), "own", &policy("Allow", WRITE, "b")).unwrap();
    host.becomes(session, "b", Outcome::Allow);
    let users: BTreeSet<String> = place.store.users().unwrap().iter().map(|u| u.identity.name().to_owned()).collect();
    assert!(made.is_subset(&users), "answered: {made:?}, there: {users:?}");
    let newest = place.store.revision().unwrap();
    let records = place.store.administration(Revision(0), 10_000).unwrap();
    assert_eq!(records.iter().map(|r| r.revision.0).collect::<Vec<_>>(), (1..=newest.0).collect::<Vec<_>>());
    // Every page can be read.
    place.copy("copy.db");
}

/// Every record of a directory of audit files, line by line.
fn records(dir: &Path) -> Vec<serde_json::Value> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "jsonl"))
        .collect();
    files.sort();
    let text: String = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

/// The disk under a host's audit is full: operations go on, and logins that need no
/// record before they are answered; what was lost is counted and can be seen.
#[test]
fn x_10_a_full_disk_under_the_audit_stops_no_operation_and_shows_what_was_lost() {
    let disk = Disk::new(1);
    let place = Place::new();
    let serving = place.serve();
    let audit = disk.dir.path().join("audit");
    let more = [("standin.audit.dir", audit.to_str().unwrap()), ("standin.audit.flush.ms", "100")];
    let host = Host::open(&place, serving.port, &place.enroll(&serving, "demo/1"), &more);
    let alice = place.user("alice", &policy("Allow", WRITE, "a"));
    let new = place.user("new", &policy("Allow", WRITE, "n"));
    let session = host.enter(&alice);
    until("the records", || host.metric("audit-records-waiting") == 0);
    disk.fill();
    // Half a line may still fit.
    until("a loss", || {
        let forged = (alice.0.clone(), standin::credential::Secret::new(b"wrong".to_vec()));
        let fault = host.login_from(&forged, None, "192.0.2.66").expect_err("a wrong secret");
        assert_ne!(fault.kind(), Kind::Internal, "{}", fault.text);
        host.metric("audit-records-dropped-total") > 5
    });
    assert_eq!((host.decide(session, "a"), host.decide(session, "b")), (Outcome::Allow, Outcome::Deny));
    host.enter(&alice);
    // Its issue has to be on the disk before it is let in.
    let fault = host.try_login(&new).expect_err("its record cannot be written");
    assert_eq!(fault.kind(), Kind::Undecided, "{fault}");
    let mut log = host.log();
    until("word of it", || {
        log.push_str(&host.log());
        log.contains("audit")
    });

    disk.free();
    until("a login", || host.try_login(&new).is_ok());
    until("word of the loss in the file", || host.metric("audit-records-lost") == 0);
    host.engine.recorder().flush(crate::place::clock().wall()).unwrap();
    let dropped = host.metric("audit-records-dropped-total");
    let records = records(&audit);
    let numbers: BTreeSet<u64> = records.iter().map(|r| r["unmapped"]["sequence"].as_u64().unwrap()).collect();
    assert_eq!(numbers.len(), records.len(), "no number twice");
    let missing = numbers.iter().next_back().unwrap() + 1 - u64::try_from(numbers.len()).unwrap();
    let told: u64 = records.iter().filter_map(|r| r["count"].as_u64().filter(|_| r.to_string().contains("lost"))).sum();
    assert!(missing >= u64::try_from(dropped).unwrap(), "{missing} numbers are missing, {dropped} were dropped");
    assert!(told >= u64::try_from(dropped).unwrap(), "{told} losses are told, {dropped} were dropped");
}
