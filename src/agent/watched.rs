// SPDX-License-Identifier: Apache-2.0
//! Identities whose policies are decided in shadow mode for clients that do
//! not log in here. Nobody waits for them: what is asked before they are read
//! is compared afterwards.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use super::{Agent, schedule};
use crate::channel::Channel;
use crate::fault::{Fault, Kind};
use crate::identity::Principal;
use crate::policy::ActionId;
use crate::revision::Revision;
use crate::service::Set;
use crate::session::Context;
use crate::time::Steady;

/// Most identities watched.
const IDENTITIES: usize = 16_384;
/// Most operations that wait for one identity.
const WAITING: usize = 256;
/// Contexts kept alive for one identity: it may come over several listeners
/// and from several addresses.
const CONTEXTS: usize = 16;

/// An operation, as it has to be remembered.
pub struct Waiting {
    /// The action.
    pub action: ActionId,
    /// The resource.
    pub resource: String,
    /// True when any resource of the action's type is asked about.
    pub any: bool,
    /// How many references.
    pub count: u32,
    /// What the lists say.
    pub acls_allow: bool,
}

/// Operations of one request.
pub struct Batch {
    /// The principal the lists speak of.
    pub principal: String,
    /// The connection.
    pub channel: Channel,
    /// Address of the request.
    pub address: Option<IpAddr>,
    /// Client id of the request.
    pub client_id: String,
    /// The operations.
    pub operations: Vec<Waiting>,
}

#[derive(Clone)]
enum State {
    /// Not read yet.
    New,
    /// Nobody has this name.
    Nobody,
    /// These policies.
    Policies(Arc<Principal>, Arc<Set>),
}

/// One identity.
pub struct Watched {
    /// Its name, such as `user/alice`.
    pub name: String,
    state: RwLock<(Revision, State)>,
    loading: AtomicBool,
    waiting: Mutex<Vec<Batch>>,
    contexts: Mutex<Vec<Arc<Context>>>,
}

/// Whom to compare with.
pub enum Compared {
    /// The policies in this context.
    With(Arc<Context>),
    /// There is no such identity.
    Nobody,
    /// Not known yet.
    Later(Arc<Watched>),
}

/// Failures in a row, and until when nobody is asked about after the last one.
#[derive(Clone, Copy, Default)]
struct Pause {
    failures: u32,
    until: Option<Steady>,
}

/// See the module's page.
#[derive(Default)]
pub(super) struct Watching {
    all: RwLock<HashMap<String, Arc<Watched>>>,
    pause: Mutex<Pause>,
}

impl Agent {
    fn watched(&self, name: &str) -> Option<Arc<Watched>> {
        if let Some(found) = self.watching.all.read().ok()?.get(name) {
            return Some(Arc::clone(found));
        }
        let mut all = self.watching.all.write().ok()?;
        if all.len() >= IDENTITIES && !all.contains_key(name) {
            return None;
        }
        let watched = all.entry(name.to_owned()).or_insert_with(|| {
            Arc::new(Watched {
                name: name.to_owned(),
                state: RwLock::new((Revision::default(), State::New)),
                loading: AtomicBool::new(false),
                waiting: Mutex::default(),
                contexts: Mutex::default(),
            })
        });
        Some(Arc::clone(watched))
    }

    /// Whom to compare an identity's operations with; none when too many are
    /// watched. Never waits for the service.
    ///
    /// # Errors
    /// When shared state failed earlier.
    pub fn compared(&self, name: &str, channel: &Channel) -> Result<Option<Compared>, Fault> {
        let Some(watched) = self.watched(name) else { return Ok(None) };
        let applied = self.applied();
        let (revision, state) = watched.state.read().map_err(|_| Fault::internal("a watched identity failed"))?.clone();
        if revision < applied {
            return Ok(Some(Compared::Later(watched)));
        }
        Ok(Some(match state {
            State::New => Compared::Later(watched),
            State::Nobody => Compared::Nobody,
            State::Policies(principal, set) => {
                let context = self.interning.context(&principal, &set, revision, channel, &self.tally)?;
                watched.keep(&context);
                Compared::With(context)
            }
        }))
    }

    /// Compares a request's operations by `compare` once the identity is read.
    /// False when too many wait already.
    pub fn compare_later(
        self: &Arc<Self>,
        watched: &Arc<Watched>,
        batch: Batch,
        compare: impl Fn(Batch) + Send + 'static,
    ) -> bool {
        {
            let Ok(mut waiting) = watched.waiting.lock() else { return false };
            if waiting.iter().map(|b| b.operations.len()).sum::<usize>() >= WAITING {
                return false;
            }
            waiting.push(batch);
        }
        // Clients' operations are no reason to ask a service without pause that
        // does not answer, or is too old to know the question.
        if self.watching.pausing(self.parts.clock.steady()) || watched.loading.swap(true, Ordering::AcqRel) {
            return true;
        }
        let (agent, loading) = (Arc::clone(self), Arc::clone(watched));
        let submitted = self.pool.submit(Box::new(move || {
            let read = agent.read_watched(&loading);
            agent.note_reading(read.as_ref().err());
            // Cleared first: what is added from now on starts the next turn.
            loading.loading.store(false, Ordering::Release);
            if read.is_ok() {
                let batches = loading.waiting.lock().map(|mut w| std::mem::take(&mut *w)).unwrap_or_default();
                batches.into_iter().for_each(compare);
            }
        }));
        if submitted.is_err() {
            watched.loading.store(false, Ordering::Release);
        }
        true
    }

    fn read_watched(&self, watched: &Watched) -> Result<(), Fault> {
        let at = self.parts.service.known_as(&watched.name)?;
        let state = match at.value {
            None => State::Nobody,
            Some(known) => {
                let set = self.shelf.set(&known.entitlements, &[], &self.actions.load())?;
                let principal = known.principal.with_identity_tags(&known.entitlements.tags);
                State::Policies(Arc::new(principal), set)
            }
        };
        if let Ok(mut present) = watched.state.write()
            && (present.0 <= at.revision || matches!(present.1, State::New))
        {
            *present = (at.revision, state);
        }
        if let Ok(mut contexts) = watched.contexts.lock() {
            contexts.clear();
        }
        Ok(())
    }

    fn note_reading(&self, failed: Option<&Fault>) {
        let Ok(mut pause) = self.watching.pause.lock() else { return };
        // Another failure is that of one identity alone.
        let Some(fault) = failed.filter(|fault| fault.kind() == Kind::Undecided) else {
            *pause = Pause::default();
            return;
        };
        pause.failures = pause.failures.saturating_add(1);
        let wait = schedule::back_off(pause.failures, self.fraction());
        pause.until = Some(self.parts.clock.steady().plus(wait));
        if pause.failures == 1 && !self.is_stopping() {
            self.parts
                .journal
                .line("warn", &format!("shadow: policies of who does not log in cannot be read: {fault}"));
        }
    }

    /// Forgets all of them.
    pub(super) fn watch_nobody(&self) {
        if let Ok(mut all) = self.watching.all.write() {
            all.clear();
        }
    }
}

impl Watching {
    fn pausing(&self, now: Steady) -> bool {
        self.pause.lock().is_ok_and(|pause| pause.until.is_some_and(|until| now < until))
    }
}

impl Watched {
    /// Keeps a context alive, and with it the decisions made in it.
    fn keep(&self, context: &Arc<Context>) {
        let Ok(mut contexts) = self.contexts.lock() else { return };
        if !contexts.iter().any(|c| Arc::ptr_eq(c, context)) {
            contexts.truncate(CONTEXTS - 1);
            contexts.insert(0, Arc::clone(context));
        }
    }
}
