// SPDX-License-Identifier: Apache-2.0
//! Logging in without waiting, for hosts whose only thread must never wait.
//! What is held decides at once; the rest is decided by threads of the engine's
//! own. Either way the host is told by an event.

use std::sync::Arc;
use std::time::Duration;

use super::authenticate::{Entering, Shown};
use super::{Engine, LoggedIn, Login, Refusal};
use crate::agent::{Event, Happened};
use crate::fault::{Fault, Status};
use crate::settings::Decide;
use crate::time::{Steady, UnixMillis};

/// A login that is decided aside. However that ends, the host is told.
struct Aside {
    engine: Arc<Engine>,
    tag: u64,
    request_id: Arc<str>,
    by: Steady,
    told: bool,
}

impl Aside {
    fn decide(mut self, mut entering: Entering, shown: &Shown) {
        let engine = &self.engine;
        let result = if engine.clock().steady() >= self.by {
            Err(Fault::new(Status::TimedOut, "the login waited too long for its turn"))
        } else {
            engine.enter(&mut entering, shown, engine.agent().aside())
        };
        engine.tell(self.tag, engine.conclude(entering, result));
        self.told = true;
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if !self.told {
            let fault = Fault::new(Status::Busy, "the login was not decided: too many wait, or the engine is closing");
            self.engine.tell(self.tag, Err(Refusal::new(fault, Arc::clone(&self.request_id))));
        }
    }
}

impl Engine {
    /// Begins a login and returns at once. Its end is one event with this
    /// `tag`, which may wait to be fetched already.
    ///
    /// # Errors
    /// Busy when too many are under way; then there is no event.
    pub fn log_in_later(self: &Arc<Self>, login: Login<'_>, tag: u64) -> Result<(), Fault> {
        self.agent().events().login_begins()?;
        let wait = i64::try_from(login.wait.as_millis()).unwrap_or(i64::MAX);
        let (mut entering, shown) = self.look_at(login);
        let shown = match shown {
            Ok(shown) => shown,
            Err(fault) => {
                self.tell(tag, self.conclude(entering, Err(fault)));
                return Ok(());
            }
        };
        // A decision made elsewhere may have to be waited for.
        if self.settings().decide == Decide::Local {
            let entered = match self.agent().at_hand(shown.evidence()) {
                Ok(None) => None,
                Ok(Some(held)) => Some(self.begin(&mut entering, &shown, &held, Duration::ZERO)),
                Err(fault) => Some(Err(fault)),
            };
            if let Some(result) = entered {
                self.tell(tag, self.conclude(entering, result));
                return Ok(());
            }
        }
        let aside = Aside {
            engine: Arc::clone(self),
            tag,
            request_id: Arc::clone(entering.request_id()),
            by: self.clock().steady().plus(wait),
            told: false,
        };
        // Turned away by the queue, it is dropped, and tells so itself.
        let _queued = self.agent().run_aside(Box::new(move || aside.decide(entering, &shown)));
        Ok(())
    }

    fn tell(&self, tag: u64, result: Result<LoggedIn, Refusal>) {
        let event = match result {
            Ok(done) => Event {
                happened: Happened::LoginDone,
                tag,
                session: Some(done.id),
                status: None,
                deadline: done.session.begin.deadline_wall,
                request_id: Arc::clone(&done.session.begin.request_id),
            },
            Err(refusal) => Event {
                happened: Happened::LoginDone,
                tag,
                session: None,
                status: Some(refusal.fault.status),
                deadline: UnixMillis::default(),
                request_id: refusal.request_id,
            },
        };
        self.agent().events().login_done(event);
    }
}
