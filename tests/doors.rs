// SPDX-License-Identifier: Apache-2.0
//! one library, several doors, the same answers. Here the table is asked
//! in Rust; `tests/c/doors.c` and `DoorsTest` ask the same one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(unsafe_code, reason = "C hosts have a door of their own")]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use standin::access_control::{Owner, Store, StoreFiles};
use standin::audit::{Event, Record};
use standin::channel::Channel;
use standin::credential::Secret;
use standin::credential::sigv4::{Signing, sign_msk_iam};
use standin::decision::Outcome;
use standin::files::{self, Kept};
use standin::mechanism::{self, Batch, Login};
use standin::session::Ask;
use standin::settings::{EvidenceKind, Given};
use standin::time::{Clock, SystemClock, SystemRandom};

const CLUSTER: &str = "arn:aws:kafka:us-east-1:000000000000:cluster/c/u-1";

#[test]
fn x_01_rust_gets_the_answers_that_all_doors_give() {
    let dir = tempfile::tempdir().unwrap();
    let files = StoreFiles { store: dir.path().join("store.db"), key_file: dir.path().join("store.db.key") };
    let clock = SystemClock::new();
    let store = Store::create(&files, "000000000000", Arc::new(SystemClock::new()), Arc::new(SystemRandom)).unwrap();
    let given = [
        ("standin.store", files.store.to_str().unwrap()),
        ("standin.engine", "doors"),
        ("standin.cluster.arn", CLUSTER),
        ("standin.hosts", "localhost"),
        ("standin.allow.plaintext", "true"),
    ];
    let given = Given::read(given, None).unwrap();
    let number = mechanism::open(&given).unwrap();
    let engine = mechanism::engine(number).unwrap();
    let profile = engine.profile(&given).unwrap();
    let connect = engine.agent().intern("kafka-cluster:Connect", "cluster").unwrap();

    let (mut keys, mut sessions) = (HashMap::<String, (String, Secret)>::new(), HashMap::new());
    let (mut asked, mut wrong) = (0, Vec::new());
    for line in include_str!("data/doors/cases.txt").lines().filter(|l| !l.starts_with('#')) {
        if let Some(user) = line.strip_prefix("user ") {
            let (name, policy) = user.split_once(": ").unwrap();
            store.create_user("test", "/", name, &[]).unwrap();
            store.put_inline("test", Owner::User(name), "own", policy).unwrap();
            let (row, secret) = store.create_key("test", name).unwrap();
            keys.insert(name.to_owned(), (row.id, secret));
            continue;
        }
        let (question, expected) = line.rsplit_once(" => ").unwrap();
        let [user, address, listener, tls, own, client_id, action, resource_type, resource] =
            question.split(" | ").collect::<Vec<_>>().try_into().unwrap();
        let id = *sessions.entry((user, address, listener, tls)).or_insert_with(|| {
            let (id, secret) = &keys[user];
            let message = sign_msk_iam(&Signing {
                access_key_id: id,
                secret,
                session_token: None,
                host: "localhost",
                region: "us-east-1",
                date: clock.wall(),
                expires: 900,
            });
            let login = Login {
                profile,
                kind: EvidenceKind::MskIam,
                payload: &mut message.unwrap().into_bytes(),
                channel: Channel {
                    address: Some(address.parse().unwrap()),
                    secure: tls == "1",
                    listener: listener.into(),
                    ..Channel::default()
                },
                channel_known: true,
                connect: Some((connect, String::new())),
                wait: Duration::from_secs(5),
            };
            engine.log_in(login).map_err(|refusal| refusal.fault).unwrap().id
        });
        let action = engine.agent().intern(action, resource_type).unwrap();
        let ask = Ask { action, resource, count: 1, log_allow: false, log_deny: false };
        let batch = Batch { address: own.parse().ok(), client_id, wait: Duration::ZERO };
        let mut outcome = [Outcome::Undecided];
        engine.authorize(id, batch, std::iter::once(ask), &mut outcome).unwrap();
        asked += 1;
        let came = if outcome == [Outcome::Allow] { "allow" } else { "deny" };
        if came != expected || outcome == [Outcome::Undecided] {
            wrong.push(format!("{line}: {outcome:?}"));
        }
    }
    mechanism::close(number, Duration::from_secs(5)).unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(asked, 200);
}

/// What a C host gives to `standin_open`, as the header has it.
#[repr(C)]
struct Options {
    size: u32,
    flags: u32,
    settings: *const u8,
    count: usize,
    file: *const u8,
    file_length: usize,
}

unsafe extern "C" {
    fn standin_open(options: *const Options, out: *mut u64, why: *mut u8) -> i32;
    fn standin_close(engine: u64, wait_ms: u32) -> i32;
}

/// A table of open files of the library's own, in a process that has nothing
/// else to do: what takes a file for another one gets none, and is counted.
#[test]
fn a_file_of_another_table_is_refused_and_counted() {
    const NAME: &str = "a_file_of_another_table_is_refused_and_counted";
    const MARK: &str = "STANDIN_TEST_OWN_FILES";
    if std::env::var_os(MARK).is_some() {
        return own_files();
    }
    let mut alone = std::process::Command::new(std::env::current_exe().unwrap());
    let ran = alone.args(["--exact", NAME, "--nocapture"]).env(MARK, "1").output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success() && said.contains("all was refused"), "{said}");
}

fn own_files() {
    let dir = tempfile::tempdir().unwrap();
    let store = StoreFiles { store: dir.path().join("store.db"), key_file: dir.path().join("store.db.key") };
    drop(Store::create(&store, "000000000000", Arc::new(SystemClock::new()), Arc::new(SystemRandom)).unwrap());
    let file = dir.path().join("standin.toml");
    std::fs::write(&file, format!("[standin]\nstore = {:?}\n", store.store)).unwrap();
    let file = file.to_str().unwrap();
    let options = Options {
        size: u32::try_from(size_of::<Options>()).unwrap(),
        flags: 1,
        settings: std::ptr::null(),
        count: 0,
        file: file.as_ptr(),
        file_length: file.len(),
    };
    let mut id = 0;
    // SAFETY: as the header wants it; `file` outlives the call.
    assert_eq!(unsafe { standin_open(&raw const options, &raw mut id, std::ptr::null_mut()) }, 0);
    assert!(files::apart() && files::refused() == 0);
    let engine = mechanism::engine(u8::try_from(id >> 16 & 0xffff).unwrap()).unwrap();

    // The audit, written on the host's thread: not into the file that has its
    // number here. By the library's thread it is.
    let record = || {
        engine.recorder().record(Record {
            time: SystemClock::new().wall(),
            who: Arc::default(),
            channel: None,
            request_id: "here".into(),
            event: Event::SessionEnded { reason: "a test".into() },
        });
    };
    record();
    let written = engine.recorder().written();
    let now = SystemClock::new().wall();
    assert_eq!(engine.recorder().flush(now).unwrap_err().status, standin::fault::Status::Internal);
    assert_eq!((files::refused(), engine.recorder().written()), (1, written));
    record();
    let recorder = Arc::clone(engine.recorder());
    files::run(move || recorder.flush(now)).unwrap().unwrap();
    assert!(engine.recorder().written() > written);
    assert!(engine.metrics().contains(&1), "the metric");

    // Kept by the library: closed there, whoever drops it. Kept by the host:
    // never closed by the library, whose number it may be.
    let path = dir.path().join("kept");
    let made = path.clone();
    let kept = files::run(move || Kept::new(std::fs::File::create(made).unwrap())).unwrap();
    assert!(kept.get().is_err() && files::refused() == 2);
    let number_of = |kept: &Kept<std::fs::File>| std::os::fd::AsRawFd::as_raw_fd(kept.get().unwrap());
    let readable = |number: i32| std::fs::read_link(format!("/proc/thread-self/fd/{number}")).ok();
    let (number, kept) = files::run(move || (number_of(&kept), kept)).unwrap();
    assert_eq!(files::run(move || readable(number)).unwrap(), Some(path.clone()));
    // It is of no file at all here.
    assert_eq!(readable(number), None);
    drop(kept);
    files::run(move || {
        while readable(number).is_some() {
            std::thread::yield_now()
        }
    })
    .unwrap();

    let here = Kept::new(std::fs::File::create(&path).unwrap());
    let number = number_of(&here);
    files::run(move || drop(here)).unwrap();
    assert_eq!((readable(number), files::refused()), (Some(path.clone()), 3));
    // Written there by its number, it is not written.
    let wrote = files::run(move || {
        // SAFETY: only written to, and nothing has this number there.
        rustix::io::write(unsafe { std::os::fd::BorrowedFd::borrow_raw(number) }, b"wrong")
    });
    assert_eq!(wrote.unwrap(), Err(rustix::io::Errno::BADF));
    assert_eq!(std::fs::read(&path).unwrap(), b"");

    drop(engine);
    // SAFETY: no pointers.
    assert_eq!(unsafe { standin_close(id, 3000) }, 0);
    println!("all was refused");
}
