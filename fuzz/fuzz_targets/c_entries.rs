// SPDX-License-Identifier: Apache-2.0
//! Calls of the C door in any order, with numbers, lengths, sizes and flags made
//! up. Memory is what it says it is, since that cannot be checked: whatever else
//! is wrong gives a status, denies, and leaves a good session as it was.
#![no_main]
#![allow(unsafe_code, reason = "a C host has no other way")]

use std::ptr;
use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use standin::access_control::{Owner, Store, StoreFiles};
use standin::credential::sigv4::{Signing, sign_msk_iam};
use standin::decision;
use standin::time::{Clock, SystemClock, SystemRandom};

#[path = "../../src/ffi/c/types.rs"]
mod types;
use types::*;

unsafe extern "C" {
    fn standin_open(o: *const standin_options, out: *mut u64, why: *mut standin_buffer) -> i32;
    fn standin_profile(
        e: u64,
        n: standin_bytes,
        s: *const standin_pair,
        c: usize,
        o: *mut u32,
        w: *mut standin_buffer,
    ) -> i32;
    fn standin_reload(e: u64, s: *const standin_pair, c: usize, w: *mut standin_buffer) -> i32;
    fn standin_action(e: u64, n: standin_bytes, t: standin_bytes, f: u32, o: *mut u32) -> i32;
    fn standin_login_now(
        e: u64,
        l: *const standin_login,
        w: u32,
        o: *mut standin_login_result,
        r: *mut standin_buffer,
    ) -> i32;
    fn standin_login_start(e: u64, l: *const standin_login, w: u32, tag: u64) -> i32;
    fn standin_events(e: u64, o: *mut standin_event, stride: usize, cap: usize, n: *mut usize) -> i32;
    fn standin_request_id(e: u64, r: u64, t: *mut standin_buffer) -> i32;
    fn standin_authorize(
        s: u64,
        b: *const standin_batch,
        r: *const standin_request,
        stride: usize,
        n: usize,
        o: *mut u8,
    ) -> i32;
    fn standin_authorize_any(s: u64, b: *const standin_batch, a: u32, o: *mut u8) -> i32;
    fn standin_explain(s: u64, b: *const standin_batch, r: *const standin_request, o: *mut standin_buffer) -> i32;
    fn standin_session_info(s: u64, o: *mut standin_info, n: *mut standin_buffer) -> i32;
    fn standin_session_retire(s: u64, grace: u32) -> i32;
    fn standin_session_import(e: u64, b: standin_bytes, w: u32, o: *mut u64) -> i32;
    fn standin_metrics(e: u64, o: *mut standin_metric, stride: usize, cap: usize, n: *mut usize) -> i32;
    fn standin_records(e: u64, kind: u32, o: *mut standin_buffer) -> i32;
}

const GOOD: &str = "arn:aws:shop:::item/blue";

struct Stage {
    engine: u64,
    profile: u32,
    read: u32,
    session: u64,
    _dir: tempfile::TempDir,
}

fn of(text: &str) -> standin_bytes {
    standin_bytes { data: text.as_ptr(), len: text.len() }
}

const NONE: standin_bytes = standin_bytes { data: ptr::null(), len: 0 };

static STAGE: LazyLock<Stage> = LazyLock::new(|| {
    let dir = tempfile::tempdir().expect("a directory");
    let files = StoreFiles { store: dir.path().join("store.db"), key_file: dir.path().join("store.db.key") };
    let store =
        Store::create(&files, "123456789012", Arc::new(SystemClock::new()), Arc::new(SystemRandom)).expect("a store");
    store.create_user("fuzz", "/", "ann", &[]).expect("a user");
    let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"shop:*","Resource":"arn:aws:shop:::item/blue*"}}"#;
    store.put_inline("fuzz", Owner::User("ann"), "own", policy).expect("a policy");
    let (key, secret) = store.create_key("fuzz", "ann").expect("a key");
    let path = files.store.to_str().expect("a path").to_owned();
    let pairs = [
        ("standin.store", path.as_str()),
        ("standin.hosts", "localhost"),
        ("standin.regions", "eu-1"),
        ("standin.login.budget", "100000"),
    ]
    .map(|(key, value)| standin_pair { key: of(key), value: of(value) });
    let options =
        standin_options { size: 40, flags: 0, settings: pairs.as_ptr(), count: pairs.len(), config_file: NONE };
    let message = sign_msk_iam(&Signing {
        access_key_id: &key.id,
        secret: &secret,
        session_token: None,
        host: "localhost",
        region: "eu-1",
        date: SystemClock::new().wall(),
        expires: 900,
    })
    .expect("signed");
    let (mut engine, mut profile, mut read) = (0, 0, 0);
    let mut result = standin_login_result { size: 32, status: 0, session: 0, deadline_unix_ms: 0, request: 0 };
    // SAFETY: everything is what it says it is.
    unsafe {
        assert_eq!(standin_open(&options, &mut engine, ptr::null_mut()), 0);
        assert_eq!(standin_profile(engine, of("main"), ptr::null(), 0, &mut profile, ptr::null_mut()), 0);
        assert_eq!(standin_action(engine, of("shop:Read"), NONE, 0, &mut read), 0);
        let login = standin_login {
            size: 136,
            profile,
            evidence: 1,
            flags: 1,
            payload: of(&message),
            peer_address: NONE,
            peer_port: 0,
            action: STANDIN_NO_ACTION,
            resource: NONE,
            listener: NONE,
            protocol: NONE,
            connection: NONE,
            facts: ptr::null(),
            fact_count: 0,
        };
        assert_eq!(standin_login_now(engine, &login, 5000, &mut result, ptr::null_mut()), 0);
    }
    Stage { engine, profile, read, session: result.session, _dir: dir }
});

/// Takes made-up values off the front of the input.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn word(&mut self) -> u64 {
        (0..8).fold(0, |n, _| n << 8 | u64::from(self.byte()))
    }

    /// Mostly what is right.
    fn number(&mut self, right: u64) -> u64 {
        match self.byte() % 8 {
            0 => self.word(),
            1 => right ^ 1 << (self.byte() % 64),
            2 => 0,
            3 => u64::MAX,
            _ => right,
        }
    }

    fn small(&mut self, right: u32) -> u32 {
        self.number(right.into()) as u32
    }

    /// Bytes that are there; or a length that cannot be.
    fn bytes(&mut self) -> standin_bytes {
        match self.byte() % 8 {
            0 => standin_bytes { data: ptr::null(), len: self.word() as usize },
            1 => standin_bytes { data: self.0.as_ptr(), len: usize::MAX - usize::from(self.byte()) },
            2 => NONE,
            3 => of(GOOD),
            _ => {
                let (taken, rest) = self.0.split_at(usize::from(self.byte()).min(self.0.len()));
                self.0 = rest;
                standin_bytes { data: taken.as_ptr(), len: taken.len() }
            }
        }
    }

    /// One of a few names: what is made of them stays.
    fn few(&mut self) -> standin_bytes {
        match self.byte() % 8 {
            0 => self.bytes_or_nothing(),
            1 => of("\u{fffd}"),
            2 => standin_bytes { data: b"\xff".as_ptr(), len: 1 },
            3 => NONE,
            4 => of("topic"),
            _ => of("shop:Write"),
        }
    }

    fn bytes_or_nothing(&mut self) -> standin_bytes {
        let bytes = self.bytes();
        if bytes.data.is_null() || bytes.len > 1 << 20 { bytes } else { NONE }
    }

    /// The size of a struct that is as long, or shorter; or a wrong one.
    fn size(&mut self, right: u32) -> u32 {
        match self.byte() % 4 {
            0 => u32::from(self.byte()).min(right),
            1 => 5000,
            _ => right,
        }
    }
}

fn call(stage: &Stage, input: &mut Input<'_>) {
    let (engine, session) = (input.number(stage.engine), input.number(stage.session));
    let mut room = [0u8; 512];
    let cap = usize::from(input.byte()) * 2;
    let mut buffer = standin_buffer { data: room.as_mut_ptr(), cap, len: 0 };
    let batch = standin_batch {
        size: input.size(40),
        wait_ms: input.small(0) % 3,
        peer_address: input.bytes(),
        client_id: input.bytes(),
    };
    let requests = [0, 1, 2].map(|_| standin_request {
        action: input.small(stage.read),
        flags: input.small(0),
        resource: input.bytes(),
        count: input.small(1),
        reserved: input.small(0),
    });
    let pairs = [0, 1].map(|_| standin_pair { key: input.bytes(), value: input.bytes() });
    let count = usize::from(input.byte() % 3);
    let mut outcomes = [1u8; 3];
    // SAFETY: everything is as long as it says, or says what cannot be.
    let status = unsafe {
        match input.byte() % 15 {
            0 => standin_profile(engine, input.few(), pairs.as_ptr(), count, &mut 0, &mut buffer),
            1 => standin_action(engine, input.few(), input.few(), input.small(0), &mut 0),
            2 | 3 => {
                let login = standin_login {
                    size: input.size(136),
                    profile: input.small(stage.profile),
                    evidence: 1 + input.small(0) % 4,
                    flags: input.small(1),
                    payload: input.bytes(),
                    peer_address: input.bytes(),
                    peer_port: input.small(1),
                    action: input.small(stage.read),
                    resource: input.bytes(),
                    listener: input.bytes(),
                    protocol: input.bytes(),
                    connection: input.bytes(),
                    facts: pairs.as_ptr(),
                    fact_count: count,
                };
                if input.byte() % 2 == 0 {
                    standin_login_start(engine, &login, 1, input.word())
                } else {
                    let mut out = standin_login_result {
                        size: input.size(32),
                        status: 0,
                        session: 0,
                        deadline_unix_ms: 0,
                        request: 0,
                    };
                    standin_login_now(engine, &login, 1, &mut out, &mut buffer)
                }
            }
            4 => {
                let mut events = [const { unsafe { std::mem::zeroed::<standin_event>() } }; 4];
                standin_events(engine, events.as_mut_ptr(), 48, 4, &mut 0)
            }
            5 => standin_request_id(engine, input.number(1), &mut buffer),
            6 => {
                let status = standin_authorize_any(session, &batch, input.small(stage.read), &mut outcomes[0]);
                assert!(status == 0 || outcomes[0] == 0);
                status
            }
            7 => standin_explain(session, &batch, requests.as_ptr(), &mut buffer),
            8 => {
                let mut info = standin_info { size: input.size(16), state: 0, deadline_unix_ms: 0 };
                standin_session_info(session, &mut info, &mut buffer)
            }
            9 if session != stage.session => standin_session_retire(session, input.small(0)),
            10 => standin_session_import(engine, input.bytes(), 1, &mut 0),
            11 => {
                let mut metrics = [const { unsafe { std::mem::zeroed::<standin_metric>() } }; 64];
                standin_metrics(engine, metrics.as_mut_ptr(), 24, usize::from(input.byte() % 64), &mut 0)
            }
            12 => standin_records(engine, input.small(1), &mut buffer),
            13 => standin_reload(engine, pairs.as_ptr(), count, &mut buffer),
            _ => {
                let n = match input.byte() % 8 {
                    0 => usize::MAX - usize::from(input.byte()),
                    n => usize::from(n % 4),
                };
                let stride = if input.byte() % 8 == 0 { input.word() as usize % 32 } else { 32 };
                let status = standin_authorize(session, &batch, requests.as_ptr(), stride, n, outcomes.as_mut_ptr());
                assert!(status == 0 || n > 3 || outcomes[..n].iter().all(|o| *o == 0));
                status
            }
        }
    };
    assert!(status > -400, "a defect: {status}");
}

fuzz_target!(|data: &[u8]| {
    let stage = &*STAGE;
    let mut input = Input(data);
    for _ in 0..8 {
        call(stage, &mut input);
    }
    let good = standin_request { action: stage.read, flags: 0, resource: of(GOOD), count: 1, reserved: 0 };
    let mut outcome = 0;
    // SAFETY: everything is what it says it is.
    let status = unsafe { standin_authorize(stage.session, ptr::null(), &good, 32, 1, &mut outcome) };
    assert_eq!((status, outcome), (0, 1), "the good session is as it was");
});
