// SPDX-License-Identifier: Apache-2.0
//! Sessions and the credentials they are bound to: binding them, giving them the
//! policies in force, and ending them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::held::State;
use super::{Agent, Event, Happened, Held, interning};
use crate::channel::Channel;
use crate::fault::{Fault, Kind, Status};
use crate::revision::Revision;
use crate::service::Entitlements;
use crate::session::{Context, Session, SessionId};

impl Agent {
    pub(super) fn context_of(&self, state: &mut State, channel: &Channel) -> Result<Arc<Context>, Fault> {
        if let Some((seen, context)) = &state.recent
            && interning::is_seen_as(channel, seen, &state.set.compiled)
            && !context.is_worn()
        {
            return Ok(Arc::clone(context));
        }
        let context = self.interning.context(&state.principal, &state.set, state.revision, channel, &self.tally)?;
        state.recent = Some((interning::seen_of_channel(channel, &state.set.compiled), Arc::clone(&context)));
        Ok(context)
    }

    /// The context for a held credential over a channel.
    ///
    /// # Errors
    /// When shared state failed earlier.
    pub fn context(&self, held: &Held, channel: &Channel) -> Result<Arc<Context>, Fault> {
        self.context_of(&mut *held.state()?, channel)
    }

    /// Binds a session to a held credential. `made` gets the context in force.
    ///
    /// # Errors
    /// Revoked when the credential ended meanwhile; busy when there are too
    /// many sessions, or what is held was dropped meanwhile.
    pub fn bind(
        &self,
        held: &Held,
        channel: &Channel,
        made: impl FnOnce(Arc<Context>) -> Session,
    ) -> Result<(SessionId, Arc<Session>), Fault> {
        // Under the entry's lock: a change either finds the session in the
        // list or has put the new policies here before.
        let mut state = held.state()?;
        if held.is_ended() {
            return Err(held.why_ended());
        }
        let session = Arc::new(made(self.context_of(&mut state, channel)?));
        let id = self.sessions.add(Arc::clone(&session))?;
        self.events.expect(id, session.begin.deadline);
        state.sessions.push(id);
        held.use_at(self.parts.clock.steady());
        self.sessions_changed.store(true, Ordering::Relaxed);
        Ok((id, session))
    }

    /// Gives a session its channel, and with it the context for that channel.
    /// Nothing is allowed before the session is admitted.
    ///
    /// # Errors
    /// Revoked when the credential ended meanwhile.
    pub fn rebind(&self, session: &Session, channel: Arc<Channel>) -> Result<(Arc<Held>, Arc<Context>), Fault> {
        let held = self
            .held_for(&session.begin.credential)
            .filter(|held| !held.is_ended())
            .ok_or_else(|| Fault::new(Status::Revoked, "the access key or identity was disabled during the login"))?;
        // Under the entry's lock, so that no change falls between.
        let mut state = held.state()?;
        let context = self.context_of(&mut state, session.bind(channel))?;
        // Mostly it is the one it was made with.
        if !Arc::ptr_eq(&session.context(), &context) {
            session.install(Arc::clone(&context));
        }
        self.sessions_changed.store(true, Ordering::Relaxed);
        drop(state);
        Ok((held, context))
    }

    /// Ends the session of this id.
    pub fn end(&self, id: SessionId, reason: &str) {
        if let Some(session) = self.sessions.get(id) {
            self.end_session(id, &session, reason);
        }
    }

    /// Puts policies read at `revision` in force for a held credential and its
    /// sessions, unless something newer is in force already.
    pub(super) fn install(&self, held: &Held, entitlements: &Entitlements, revision: Revision) -> Result<(), Fault> {
        let set = self.shelf.set(entitlements, &held.client.session_policies, &self.actions.load())?;
        let mut state = held.state()?;
        if revision < state.revision {
            self.counters.outdated_answers.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        state.revision = revision;
        state.set = set;
        state.principal = Arc::new(held.client.principal.with_identity_tags(&entitlements.tags));
        state.recent = None;
        self.reinstall(&mut state)
    }

    /// Gives every session of the entry a context of the policies in force.
    pub(super) fn reinstall(&self, state: &mut State) -> Result<(), Fault> {
        let mut failed = None;
        let mut sessions = std::mem::take(&mut state.sessions);
        sessions.retain(|id| {
            self.sessions
                .with(*id, |session| {
                    match self.context_of(state, session.channel_or_nowhere()) {
                        Ok(context) => session.install(context),
                        Err(fault) => {
                            // Rather no session than one under old policies.
                            session.end();
                            failed = Some(fault);
                        }
                    }
                })
                .is_some()
        });
        state.sessions = sessions;
        failed.map_or(Ok(()), Err)
    }

    /// Has decided anew what may have been decided by the time.
    pub(super) fn forget_timed(&self) {
        // First what is shared, so that nobody puts it in force again.
        self.interning.forget_timed();
        let held: Vec<Arc<Held>> = self.table().map(|t| t.held.values().cloned().collect()).unwrap_or_default();
        for held in held {
            if let Ok(mut state) = held.state()
                && self.interning.is_timed(&state.set.compiled)
            {
                state.recent = None;
                // One that fails has ended its sessions.
                drop(self.reinstall(&mut state));
            }
        }
    }

    /// Reads the entry's policies again and puts them in force.
    pub(super) fn refresh(&self, held: &Held) -> Result<(), Fault> {
        let answer = self.parts.service.entitlements(&held.client.principal.subject, &held.key.access_key_id);
        match answer {
            Ok(at) => self.install(held, &at.value, at.revision),
            Err(fault) if fault.kind() == Kind::Refused => {
                self.end_held(held, &fault.text);
                Ok(())
            }
            Err(fault) => Err(fault),
        }
    }

    /// Ends a held credential with all its sessions.
    pub(super) fn end_held(&self, held: &Held, reason: &str) {
        held.end();
        held.standby.store(None);
        if let Ok(mut table) = self.table()
            && table.held.get(&held.key).is_some_and(|h| std::ptr::eq(h.as_ref(), held))
        {
            table.held.remove(&held.key);
        }
        let ids = held.state().map(|s| s.sessions.clone()).unwrap_or_default();
        for id in ids {
            if let Some(session) = self.sessions.get(id) {
                self.end_session(id, &session, reason);
            }
        }
    }

    /// Ends one session.
    pub(super) fn end_session(&self, id: SessionId, session: &Session, reason: &str) {
        if session.end() {
            self.quicken(session);
            self.counters.sessions_ended.fetch_add(1, Ordering::Relaxed);
            if !session.is_retired() && !session.begin.imported {
                self.events.tell(Event::of(Happened::SessionEnded, id, session));
            }
            self.sessions_changed.store(true, Ordering::Relaxed);
            self.record_unbound(session);
            self.record_end(session, reason);
        }
    }

    /// The connection behind a session is closed: it serves requests in flight
    /// for `grace` milliseconds and is dropped then.
    pub fn retire(&self, id: SessionId, grace: i64) -> bool {
        let now = self.parts.clock.steady();
        let retire = |session: &Arc<Session>| {
            // After a login anew the connection is another session's.
            self.quicken(session);
            session.retire(now.plus(grace));
            self.record_unbound(session);
        };
        let found = self.sessions.with(id, retire).is_some();
        if found {
            self.sessions_changed.store(true, Ordering::Relaxed);
        }
        found
    }

    /// Nothing needs the session any more. Imported ones stay for the next
    /// forwarded request until their time is over.
    pub fn release(&self, id: SessionId) -> bool {
        if self.sessions.with(id, |s| s.begin.imported).unwrap_or(false) {
            return true;
        }
        self.remove(id)
    }

    pub(super) fn remove(&self, id: SessionId) -> bool {
        let Some(session) = self.sessions.remove(id) else { return false };
        self.quicken(&session);
        self.record_unbound(&session);
        self.sessions_changed.store(true, Ordering::Relaxed);
        true
    }
}
