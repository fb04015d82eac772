// SPDX-License-Identifier: Apache-2.0
//! Several who read at once: beside each other, beside who writes, each on one
//! view that has everything that was committed before it began.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use standin::access_control::Owner;
use standin::fault::{Fault, Status};
use standin::revision::At;

use crate::support::{ALLOW, DENY, home};

/// Longer than anything here takes; only a failure waits for it.
const LONG: Duration = Duration::from_secs(60);

/// A write that is under way holds nobody up who reads, and nobody who reads
/// holds up another: all of them are at work at the same moment.
#[test]
fn readers_run_beside_a_long_write_and_beside_each_other() {
    const READERS: usize = 4;
    let home = home();
    let again = home.again().unwrap();
    let store = home.store.with_readers(READERS).patient(LONG).unwrap();
    store.create_user("test", "/", "ann", &[]).unwrap();
    let before = store.revision().unwrap();
    for writing in [&store, &again] {
        let (arrived, arrivals) = channel();
        // Runs while the write does.
        let reading = || {
            std::thread::scope(|scope| {
                let readers: Vec<_> = (0..READERS)
                    .map(|_| {
                        let (arrived, store) = (arrived.clone(), &store);
                        let (go, start) = channel();
                        let run = move || {
                            store.view(|view| {
                                arrived.send(()).unwrap();
                                start.recv_timeout(LONG).expect("all readers at once");
                                view.users()
                            })
                        };
                        (go, scope.spawn(run))
                    })
                    .collect();
                for _ in 0..READERS {
                    arrivals.recv_timeout(LONG).expect("all readers at once");
                }
                readers.iter().for_each(|(go, _)| go.send(()).unwrap());
                readers.into_iter().map(|(_, reader)| reader.join().unwrap().unwrap()).collect::<Vec<_>>()
            })
        };
        writing
            .together(|store| {
                store.create_user("test", "/", "new", &[])?;
                for At { revision, value } in reading() {
                    assert_eq!((revision, value.len()), (before, 1), "nobody sees what is not committed");
                }
                Err::<(), _>(Fault::new(Status::Conflict, "nothing of it stays"))
            })
            .unwrap_err();
    }
}

/// Also on a connection that read before, also what another process wrote.
#[test]
fn a_reader_sees_what_was_committed_before_it_began_and_nothing_after() {
    let home = home();
    let again = home.again().unwrap();
    let store = home.store.with_readers(3).patient(LONG).unwrap();
    store.create_user("test", "/", "ann", &[]).unwrap();
    let ann = store.user("ann").unwrap().identity;
    // Three views, one in the other, each begun after a write: three connections,
    // which are the same ones each time.
    for round in 0..5 {
        let text = |n: usize| ALLOW.replace("kafka-cluster:*", &format!("kafka-cluster:A{round}{n}"));
        let write = |n: usize| match n {
            1 => again.put_inline("test", Owner::User("ann"), "own", &text(n)).unwrap(),
            _ => store.put_inline("test", Owner::User("ann"), "own", &text(n)).unwrap(),
        };
        write(0);
        let outer = store
            .view(|outer| {
                write(1);
                let middle = store.view(|middle| {
                    write(2);
                    let inner = store.view(|inner| inner.entitlements(&ann))?;
                    assert_eq!(inner.value.value.unwrap().policies[0].document, text(2));
                    let middle = middle.entitlements(&ann)?;
                    assert!(middle.revision < inner.revision);
                    Ok(middle)
                })?;
                assert_eq!(middle.value.value.unwrap().policies[0].document, text(1));
                let outer = outer.entitlements(&ann)?;
                assert!(outer.revision < middle.revision);
                Ok(outer)
            })
            .unwrap();
        assert_eq!(outer.value.value.unwrap().policies[0].document, text(0));
    }
}

/// Who gives a deny and is told that it is written finds it with the next read,
/// whoever reads beside it.
#[test]
fn what_was_answered_is_found_while_others_read() {
    let home = home();
    let store = &home.store.with_readers(4).patient(LONG).unwrap();
    store.create_user("test", "/", "ann", &[]).unwrap();
    let ann = &store.user("ann").unwrap().identity;
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut seen = store.revision().unwrap();
                while !over.load(Ordering::Relaxed) {
                    let At { revision, value } = store.view(|view| view.entitlements(ann)).unwrap();
                    assert!(revision >= seen && value.revision == revision);
                    seen = revision;
                }
            });
        }
        let answered = catch_unwind(AssertUnwindSafe(|| {
            for n in 0..200 {
                let text = if n % 2 == 0 { DENY } else { ALLOW };
                store.put_inline("test", Owner::User("ann"), "own", text).unwrap();
                let found = store.entitlements(ann).unwrap().value.unwrap().policies;
                assert_eq!(found[0].document, text);
            }
        }));
        // Also when it failed: the others run until then.
        over.store(true, Ordering::Relaxed);
        answered.unwrap();
    });
}

#[test]
fn a_view_is_only_read_and_one_that_fails_or_panics_leaves_the_next_alone() {
    let home = home();
    let store = home.store.with_readers(1).patient(LONG).unwrap();
    let fault = store.view(|view| view.create_user("test", "/", "ann", &[])).err().unwrap();
    assert!(fault.text.contains("only read"), "{fault}");
    store.view(|view| view.user("nobody").map(drop)).unwrap_err();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        drop(store.view(|_| -> Result<(), _> { panic!("of this test") }));
    }));
    assert!(panicked.is_err());
    store.create_user("test", "/", "ann", &[]).unwrap();
    assert_eq!(store.view(|view| view.users()).unwrap().value.len(), 1);
}
