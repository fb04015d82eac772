// SPDX-License-Identifier: Apache-2.0
//! Revisions, changes and the record of administration.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use standin::access_control::{ChangeKind, Owner, SessionReport, SessionRow};
use standin::fault::Status;
use standin::revision::Revision;

use crate::support::{ALLOW, DENY, home};

/// Two processes on one file: every write has its own revision, none is lost,
/// and who follows sees all of them in order.
#[test]
fn writers_of_two_processes_share_one_history() {
    let home = home();
    let store = &home.store;
    let seen = std::thread::scope(|scope| {
        for writer in 0..4 {
            let own = home.again().unwrap().patient(Duration::from_secs(60)).unwrap();
            scope.spawn(move || {
                for n in 0..25 {
                    let name = format!("u{writer}-{n}");
                    own.create_user("test", "/", &name, &[]).unwrap();
                    own.put_inline("test", Owner::User(&name), "own", ALLOW).unwrap();
                }
            });
        }
        let follower = store;
        scope
            .spawn(move || {
                let (mut at, mut seen) = (Revision(0), Vec::new());
                let by = Instant::now() + Duration::from_secs(60);
                while seen.len() < 100 && Instant::now() < by {
                    for change in follower.changes(at, 7).unwrap() {
                        assert!(change.revision >= at);
                        at = change.revision;
                        seen.push(change.subject);
                    }
                }
                seen
            })
            .join()
            .unwrap()
    });
    assert_eq!(seen.iter().collect::<HashSet<_>>().len(), 100);
    assert_eq!(store.revision().unwrap(), Revision(200));
    let rows = store.administration(Revision(0), 1000).unwrap();
    assert_eq!(rows.iter().map(|r| r.revision.0).collect::<Vec<_>>(), (1..=200).collect::<Vec<_>>());
}

/// Every act is recorded with who, what and on what, in the same transaction;
/// one that fails leaves neither change nor record.
#[test]
fn an_act_and_its_record_are_one() {
    let home = home();
    let store = &home.store;
    store.create_user("local/ops(0)", "/", "ann", &[]).unwrap();
    assert_eq!(store.create_user("local/ops(0)", "/", "ann", &[]).err().unwrap().status, Status::Conflict);
    let broken = r#"{"Statement":{"Effect":"Alow","Action":"a:b","Resource":"*"}}"#;
    assert_eq!(store.put_policy("x", "/", "p", broken).err().unwrap().status, Status::InvalidDocument);
    assert_eq!(store.attach("x", Owner::User("ann"), "p").err().unwrap().status, Status::NotFound);
    assert_eq!(store.revision().unwrap(), Revision(1));
    let rows = store.administration(Revision(0), 10).unwrap();
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!((row.actor.as_str(), row.action.as_str()), ("local/ops(0)", "CreateUser"));
    assert_eq!((row.target.as_str(), row.account.as_str()), ("arn:aws:iam::123456789012:user/ann", "123456789012"));
    assert_eq!(row.time, 1_767_323_045_000);
}

/// A change is announced to exactly those it concerns.
#[test]
fn changes_name_whom_they_concern() {
    let home = home();
    let store = &home.store;
    let arn = |name: &str| format!("arn:aws:iam::123456789012:user/{name}");
    for name in ["ann", "bob", "eve"] {
        store.create_user("test", "/", name, &[]).unwrap();
    }
    store.create_group("test", "/", "team").unwrap();
    store.add_to_group("test", "team", "ann").unwrap();
    store.add_to_group("test", "team", "bob").unwrap();
    store.put_policy("test", "/", "p", ALLOW).unwrap();
    store.attach("test", Owner::Group("team"), "p").unwrap();
    store.set_boundary("test", Owner::User("eve"), Some("p")).unwrap();
    let (key, _) = store.create_key("test", "ann").unwrap();
    let mut at = store.revision().unwrap();
    let mut next = |what: &str| {
        let changes = store.changes(at, 100).unwrap();
        assert!(changes.iter().all(|c| c.revision > at), "{what}");
        at = store.revision().unwrap();
        changes.into_iter().map(|c| (c.kind, c.subject)).collect::<Vec<_>>()
    };
    assert!(next("nothing").is_empty());
    store.put_policy("test", "/", "p", DENY).unwrap();
    let all = ["ann", "bob", "eve"].map(|n| (ChangeKind::Entitlements, arn(n)));
    let mut found = next("a policy in use");
    found.sort_by(|a, b| a.1.cmp(&b.1));
    assert_eq!(found, all);
    store.put_inline("test", Owner::User("bob"), "own", ALLOW).unwrap();
    assert_eq!(next("inline"), [(ChangeKind::Entitlements, arn("bob"))]);
    store.remove_from_group("test", "team", "bob").unwrap();
    assert_eq!(next("membership"), [(ChangeKind::Entitlements, arn("bob"))]);
    store.set_key_active("test", &key.id, false).unwrap();
    assert_eq!(next("a key"), [(ChangeKind::KeyEnded, key.id.clone())]);
    store.set_key_active("test", &key.id, true).unwrap();
    assert_eq!(next("a key again"), [(ChangeKind::KeyAppeared, key.id.clone())]);
    store.set_user_disabled("test", "eve", true).unwrap();
    assert_eq!(next("a user"), [(ChangeKind::IdentityEnded, arn("eve"))]);
    store.create_user("test", "/", "new", &[]).unwrap();
    assert!(next("who nobody knows yet").is_empty());
}

/// Who has fallen behind what is kept is told so, not given a part.
#[test]
fn a_gap_in_the_history_is_named() {
    let home = home();
    home.store.create_user("test", "/", "ann", &[]).unwrap();
    for _ in 0..4 {
        home.store.put_inline("test", Owner::User("ann"), "own", ALLOW).unwrap();
    }
    home.raw("DELETE FROM change WHERE revision < 4; UPDATE revision SET changes_from = 4;");
    let kinds = |after| home.store.changes(Revision(after), 10).unwrap().iter().map(|c| c.kind).collect::<Vec<_>>();
    assert_eq!(kinds(2), [ChangeKind::Gap]);
    assert_eq!(kinds(3), [ChangeKind::Entitlements; 2]);
    assert_eq!(home.store.changes(Revision(0), 10).unwrap()[0].revision, Revision(5));
}

/// A kind of change that this version does not know stops it: it may revoke.
#[test]
fn an_unknown_kind_of_change_is_not_skipped() {
    let home = home();
    home.store.create_user("test", "/", "ann", &[]).unwrap();
    home.raw("INSERT INTO change (revision, position, account, kind, subject) VALUES (1, 99, '123456789012', 'grant-revoked', 'x')");
    assert_eq!(home.store.changes(Revision(0), 10).unwrap_err().status, Status::NewerFormat);
}

/// Live sessions are told by difference, and disappear with a host that no
/// longer reports.
#[test]
fn live_sessions_come_and_go() {
    let home = home();
    let row = |n: u32| SessionRow {
        id: format!("b/{n}"),
        host: "host/c/1".into(),
        subject: "arn:aws:iam::123456789012:user/ann".into(),
        deadline: 1_767_330_000_000,
        since: i64::from(n),
        ..SessionRow::default()
    };
    let report = |begun: &[u32], over: &[u32], whole| {
        let over = over.iter().map(|n| format!("b/{n}")).collect();
        let report = SessionReport { begun: begun.iter().map(|n| row(*n)).collect(), over, whole };
        home.store.report_sessions("b", "host/c/1", &report).unwrap();
    };
    let ids = || home.store.sessions().unwrap().into_iter().map(|s| s.id).collect::<Vec<_>>();
    report(&[1, 2, 3], &[], true);
    report(&[4], &[2], false);
    assert_eq!(ids(), ["b/1", "b/3", "b/4"]);
    report(&[7], &[], true);
    assert_eq!(ids(), ["b/7"]);
    assert_eq!(home.store.end_session("test", "b/1", false).unwrap_err().status, Status::NotFound);
    home.store.end_session("test", "b/7", false).unwrap();
    home.clock.pass(44_000);
    assert_eq!(ids(), ["b/7"]);
    report(&[], &[], false);
    home.clock.pass(44_000);
    assert_eq!(ids(), ["b/7"]);
    home.clock.pass(2_000);
    assert!(ids().is_empty(), "the host is gone");
}

/// Regression: what was done together was not remembered as answered, so a
/// database that lost it was not noticed.
#[test]
fn what_was_done_together_cannot_be_unsaid() {
    let home = home();
    home.store.together(|store| store.create_user("test", "/", "ann", &[])).unwrap();
    home.raw("UPDATE revision SET number = 0");
    assert_eq!(home.store.revision().unwrap_err().status, Status::Unavailable);
}

/// Regression: a host that was not heard for a while, because its machine had
/// been suspended, told only what had changed since; its other sessions were
/// neither shown nor could they be ended.
#[test]
fn a_host_that_comes_back_tells_all_its_sessions() {
    let home = home();
    let row = |n: u32| SessionRow { id: format!("b/{n}"), deadline: i64::MAX, ..SessionRow::default() };
    let report = |begun: &[u32], whole| {
        let begun = begun.iter().map(|n| row(*n)).collect();
        home.store.report_sessions("b", "host/c/1", &SessionReport { begun, over: Vec::new(), whole })
    };
    report(&[1], true).unwrap();
    home.clock.pass(46_000);
    assert_eq!(report(&[2], false).unwrap_err().status, Status::Unavailable);
    assert!(home.store.sessions().unwrap().is_empty());
    report(&[1, 2], true).unwrap();
    assert_eq!(home.store.sessions().unwrap().len(), 2);
}
