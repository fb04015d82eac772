// SPDX-License-Identifier: Apache-2.0
//! Several services on one database: one history, which nobody sees in another
//! order or with a gap.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use standin::access_control::{ChangeKind, Owner, Store};
use standin::fault::Kind;
use standin::revision::Revision;

use crate::support::{ALLOW, home};

/// One write of a plan.
#[derive(Clone, Copy, Debug)]
enum Step {
    Tag,
    Policy,
    /// Fails in the middle, so its revision is given to another.
    Fail,
    /// Changes two identities under one revision.
    Group,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![Just(Step::Tag), Just(Step::Policy), Just(Step::Fail), Just(Step::Group)]
}

/// Writes a plan; how many changes it announced.
fn write(store: &Store, me: &str, plan: &[Step]) -> usize {
    let mut announced = 0;
    for step in plan {
        announced += match step {
            Step::Tag => store.tag_user(me, me, &[]).map(|()| 1).unwrap(),
            Step::Policy => store.put_inline(me, Owner::User(me), "p", ALLOW).map(|()| 1).unwrap(),
            Step::Group => store.put_inline(me, Owner::Group("all"), me, ALLOW).map(|()| 2).unwrap(),
            Step::Fail => {
                assert_eq!(store.attach(me, Owner::User(me), "none").unwrap_err().kind(), Kind::Misuse);
                0
            }
        };
    }
    announced
}

/// Follows by cursor until `done`, in pages of `page` rows.
fn follow(store: &Store, page: usize, done: &AtomicBool) -> Vec<(Revision, String)> {
    let (mut at, mut seen) = (Revision(0), Vec::new());
    loop {
        let last = done.load(Ordering::Acquire);
        let changes = store.changes(at, page).unwrap();
        assert!(changes.iter().all(|c| c.revision > at && c.kind != ChangeKind::Gap));
        if changes.is_empty() && last {
            return seen;
        }
        at = changes.last().map_or(at, |c| c.revision);
        seen.extend(changes.into_iter().map(|c| (c.revision, c.subject)));
    }
}

/// Whatever two services write at once: every change is seen by every follower,
/// in the order of revisions, each revision whole; each revision has its record.
#[test]
fn concurrent_writers_lose_and_reorder_nothing() {
    let mut runner = TestRunner::new(Config { cases: 12, failure_persistence: None, ..Config::default() });
    let plans = || proptest::collection::vec(step(), 1..12);
    runner
        .run(&(plans(), plans(), 1usize..5), |(one, other, page)| {
            let home = home();
            for name in ["one", "other"] {
                home.store.create_user("t", "/", name, &[]).unwrap();
            }
            home.store.create_group("t", "/", "all").unwrap();
            for name in ["one", "other"] {
                home.store.add_to_group("t", "all", name).unwrap();
            }
            let patient = || home.again().unwrap().patient(Duration::from_secs(30)).unwrap();
            let (left, right, third) = (patient(), patient(), patient());
            let done = AtomicBool::new(false);
            let (announced, seen) = std::thread::scope(|scope| {
                let follower = scope.spawn(|| follow(&third, page, &done));
                let writers =
                    [scope.spawn(|| write(&left, "one", &one)), scope.spawn(|| write(&right, "other", &other))];
                let announced = writers.map(std::thread::ScopedJoinHandle::join);
                done.store(true, Ordering::Release);
                (announced.into_iter().map(Result::unwrap).sum::<usize>(), follower.join().unwrap())
            });
            let all = home.store.changes(Revision(0), 10_000).unwrap();
            let all: Vec<_> = all.into_iter().map(|c| (c.revision, c.subject)).collect();
            prop_assert_eq!(&seen, &all);
            prop_assert_eq!(seen.len(), announced + 2);
            prop_assert!(seen.is_sorted_by_key(|(revision, _)| *revision));
            let records = home.store.administration(Revision(0), 10_000).unwrap();
            let newest = home.store.revision().unwrap();
            let numbers: Vec<u64> = records.iter().map(|r| r.revision.0).collect();
            prop_assert_eq!(numbers, (1..=newest.0).collect::<Vec<_>>());
            // Each service's own acts are recorded in the order it made them.
            let mut by: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
            for record in &records {
                by.entry(&record.actor).or_default().push(&record.action);
            }
            let names = |plan: &[Step]| -> Vec<&str> {
                let name = |s: &Step| match s {
                    Step::Tag => Some("TagUser"),
                    Step::Policy | Step::Group => Some("PutInlinePolicy"),
                    Step::Fail => None,
                };
                plan.iter().filter_map(name).collect()
            };
            prop_assert_eq!(by.get("one").cloned().unwrap_or_default(), names(&one));
            prop_assert_eq!(by.get("other").cloned().unwrap_or_default(), names(&other));
            Ok(())
        })
        .unwrap();
}

/// A second service works at once, and hears of a write without looking for it.
#[test]
fn a_second_service_works_at_once_and_hears_of_writes() {
    let home = home();
    let second = home.again().unwrap();
    home.store.create_user("t", "/", "ann", &[]).unwrap();
    assert_eq!(second.user("ann").unwrap(), home.store.user("ann").unwrap());
    let (key, secret) = second.create_key("t", "ann").unwrap();
    assert_eq!(home.store.login_key(&key.id).unwrap().value.unwrap().secret.expose(), secret.expose());
    let at = second.revision().unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| second.wait(at, Duration::from_secs(60)).unwrap());
        home.store.tag_user("t", "ann", &[]).unwrap();
        assert_eq!(waiting.join().unwrap(), Revision(at.0 + 1));
    });
    let begun = Instant::now();
    assert_eq!(second.wait(Revision(at.0 + 1), Duration::from_millis(300)).unwrap(), Revision(at.0 + 1));
    assert!(begun.elapsed() >= Duration::from_millis(300));
}

/// A write that waits for another's longer than its patience is busy, and reads
/// go on meanwhile.
#[test]
fn who_waits_too_long_for_a_lock_is_busy() {
    let home = home();
    home.store.create_user("t", "/", "ann", &[]).unwrap();
    let url = home.url.clone();
    let (held, release) = (std::sync::Barrier::new(2), std::sync::Barrier::new(2));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
                tokio::spawn(connection);
                client.batch_execute("BEGIN; UPDATE revision SET number = number").await.unwrap();
                held.wait();
                release.wait();
                client.batch_execute("ROLLBACK").await.unwrap();
            });
        });
        held.wait();
        let fault = home.store.create_user("t", "/", "bob", &[]).unwrap_err();
        assert_eq!(fault.status, standin::fault::Status::Busy, "{fault}");
        assert_eq!(home.store.users().unwrap().len(), 1);
        release.wait();
    });
    home.store.create_user("t", "/", "bob", &[]).unwrap();
    assert_eq!(home.store.revision().unwrap(), Revision(2));
}
