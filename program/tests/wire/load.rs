// SPDX-License-Identifier: Apache-2.0
//! Clients that go on while the weather changes, and know of every answer
//! whether it may be.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::Scope;
use std::time::Duration;

use standin::credential::Secret;
use standin::decision::Outcome;
use standin::fault::{Kind, Status};
use standin::session::SessionId;

use crate::host::Host;
use crate::place::until;

type Key = (String, Secret);

/// What came out.
#[derive(Default)]
pub(crate) struct Load {
    pub(crate) allowed: AtomicU64,
    pub(crate) denied: AtomicU64,
    pub(crate) undecided: AtomicU64,
    pub(crate) logins: AtomicU64,
    pub(crate) put_off: AtomicU64,
    stop: AtomicBool,
}

/// Ends the clients, also when a test fails.
pub(crate) struct Stop<'a>(pub(crate) &'a Load);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::SeqCst);
    }
}

impl Load {
    pub(crate) fn get(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::SeqCst)
    }

    /// Starts clients: `session` may do everything with `own` and nothing with
    /// anything else, and `key` may log in.
    pub(crate) fn start<'s>(
        &'s self,
        scope: &'s Scope<'s, '_>,
        host: &'s Host,
        (session, own): (SessionId, &'s str),
        key: &'s Key,
    ) {
        scope.spawn(move || self.operate(host, session, own));
        scope.spawn(move || self.log_in(host, key));
        scope.spawn(move || self.intrude(host, key));
    }

    fn going(&self) -> bool {
        std::thread::sleep(Duration::from_millis(2));
        !self.stop.load(Ordering::SeqCst)
    }

    fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::SeqCst);
    }

    /// One operation that is allowed, one that is not.
    fn operate(&self, host: &Host, session: SessionId, own: &str) {
        while self.going() {
            match host.decide(session, own) {
                Outcome::Allow => Self::add(&self.allowed),
                Outcome::Undecided => Self::add(&self.undecided),
                Outcome::Deny => panic!("an operation was denied that is allowed"),
            }
            match host.decide(session, "another's") {
                Outcome::Allow => panic!("an operation was allowed that is not"),
                Outcome::Undecided => Self::add(&self.undecided),
                Outcome::Deny => Self::add(&self.denied),
            }
        }
    }

    fn log_in(&self, host: &Host, key: &Key) {
        while self.going() {
            match host.try_login(key) {
                Ok(id) => {
                    host.engine.agent().release(id);
                    Self::add(&self.logins);
                }
                Err(fault) => {
                    assert_eq!(fault.kind(), Kind::Undecided, "a login was refused: {fault}");
                    Self::add(&self.put_off);
                }
            }
        }
    }

    /// With a wrong secret, and with a key that nobody has.
    fn intrude(&self, host: &Host, key: &Key) {
        let forged = (key.0.clone(), Secret::new(b"wrong".to_vec()));
        let unknown = ("AKIANOBODYATALL00000".to_owned(), Secret::new(b"wrong".to_vec()));
        while self.going() {
            for (key, why) in [(&forged, Status::SignatureMismatch), (&unknown, Status::UnknownKey)] {
                let fault = host.login_from(key, None, "192.0.2.66").expect_err("somebody else was let in");
                assert!(fault.status == why || fault.kind() == Kind::Undecided, "for the wrong reason: {fault}");
            }
        }
    }

    /// Waits until operations are allowed and known clients log in, as often as
    /// this from now on.
    pub(crate) fn goes_on(&self, what: &str, times: u64) {
        let (allowed, logins) = (Self::get(&self.allowed), Self::get(&self.logins));
        until(&format!("{what}: operations"), || Self::get(&self.allowed) >= allowed + times);
        until(&format!("{what}: logins"), || Self::get(&self.logins) >= logins + times);
    }
}
