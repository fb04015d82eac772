// SPDX-License-Identifier: Apache-2.0
//! The context: what the operations of sessions are decided with. Immutable:
//! when anything it was made from changes, sessions get another one.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::Cache;
use arc_swap::ArcSwap;

use crate::audit::{Event, Operation, Record, Recorder, Who};
use crate::channel::Channel;
use crate::decision::{Inputs, Keys, Outcome, Reason, Verdict};
use crate::identity::Principal;
use crate::policy::{ActionId, ActionTable, Compiled, Facts};
use crate::revision::Revision;
use crate::time::{Clock, Steady, UnixMillis};

/// How fresh what an engine knows is: when its change feed was last heard.
#[derive(Debug, Default)]
pub struct Fresh {
    heard: AtomicI64,
}

impl Fresh {
    /// Notes that everything up to `now` is known.
    pub fn heard(&self, now: Steady) {
        self.heard.store(now.0, Ordering::Release);
    }

    /// Milliseconds of silence.
    #[must_use]
    pub fn silence(&self, now: Steady) -> i64 {
        now.since(Steady(self.heard.load(Ordering::Acquire)))
    }
}

/// One question about one resource.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    /// The action.
    pub action: ActionId,
    /// The resource's name (or whole ARN, for actions without a type).
    pub resource: &'a str,
    /// How many references it stands for in the audit counts.
    pub count: u32,
    /// True when an allow is to be logged.
    pub log_allow: bool,
    /// True when a deny is to be recorded as an event.
    pub log_deny: bool,
}

/// What all contexts of an engine share: the actions' names, the audit, and
/// counters of decisions.
pub struct Tally {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Names of actions.
    pub actions: ArcSwap<ActionTable>,
    /// Where records go.
    pub recorder: Arc<Recorder>,
    /// Number of the present counting window; never zero.
    pub window: AtomicU32,
    /// Begin of the present counting window.
    pub window_since: AtomicI64,
    /// Decisions answered from a cache.
    pub hits: AtomicU64,
    /// Decisions evaluated.
    pub misses: AtomicU64,
    /// Operations allowed, by count.
    pub allowed: AtomicU64,
    /// Operations denied, by count.
    pub denied: AtomicU64,
    /// Operations undecided, by count.
    pub undecided: AtomicU64,
}

impl Tally {
    /// Counters at zero.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, actions: Arc<ActionTable>, recorder: Arc<Recorder>) -> Self {
        let now = clock.wall();
        Self {
            clock,
            actions: ArcSwap::new(actions),
            recorder,
            window: AtomicU32::new(1),
            window_since: AtomicI64::new(now.0),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            allowed: AtomicU64::new(0),
            denied: AtomicU64::new(0),
            undecided: AtomicU64::new(0),
        }
    }

    /// Begins the next counting window.
    pub fn next_window(&self, now: UnixMillis) {
        self.window_since.store(now.0, Ordering::Relaxed);
        // Zero means "never recorded" in cache entries.
        if self.window.fetch_add(1, Ordering::Relaxed) == u32::MAX {
            self.window.store(1, Ordering::Relaxed);
        }
    }
}

/// Most different uncached operations counted apart in one window; further
/// ones are counted together.
const ASIDE: usize = 4096;

type Aside = HashMap<(ActionId, Box<str>, Outcome), (u64, Verdict)>;

/// See the module's page.
pub struct Context {
    principal: Arc<Principal>,
    compiled: Arc<Compiled>,
    depends: Facts,
    revision: Revision,
    resource_tags: Arc<[(String, String)]>,
    cache: Cache,
    /// Set when a kept decision has outlived its validity: worth a new cache.
    worn: AtomicBool,
    aside: Mutex<Aside>,
    tally: Arc<Tally>,
}

impl Context {
    /// A context of `principal` under `compiled`, read at `revision`.
    #[must_use]
    pub fn new(
        principal: Arc<Principal>,
        compiled: Arc<Compiled>,
        revision: Revision,
        resource_tags: Arc<[(String, String)]>,
        entries: usize,
        tally: Arc<Tally>,
    ) -> Self {
        let depends = compiled.depends();
        Self {
            principal,
            compiled,
            depends,
            revision,
            resource_tags,
            cache: Cache::new(entries),
            worn: AtomicBool::new(false),
            aside: Mutex::default(),
            tally,
        }
    }

    /// The revision its entitlements were read at.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The compiled policies.
    #[must_use]
    pub fn compiled(&self) -> &Arc<Compiled> {
        &self.compiled
    }

    /// True when its cache is full or holds outlived decisions.
    #[must_use]
    pub fn is_worn(&self) -> bool {
        self.cache.is_full() || self.worn.load(Ordering::Relaxed)
    }

    fn inputs<'a>(
        &'a self,
        channel: &'a Channel,
        address: Option<IpAddr>,
        client_id: &'a str,
        now: UnixMillis,
    ) -> Inputs<'a> {
        Inputs {
            principal: &self.principal,
            channel,
            address,
            client_id,
            now,
            resource_tags: &self.resource_tags,
            keys: Keys::Host,
        }
    }

    /// Decides one question. From the cache where it may be, else by
    /// evaluating the policies. Takes no lock unless the decision cannot be
    /// kept.
    #[must_use]
    pub fn decide(
        &self,
        ask: Ask<'_>,
        channel: &Channel,
        address: Option<IpAddr>,
        client_id: &str,
        now: UnixMillis,
    ) -> Outcome {
        // The cache was filled for this channel; a request with facts of its
        // own is decided by itself when the policies look at them.
        let own_facts = (self.depends.contains(Facts::SOURCE_IP) && address.is_some() && address != channel.address)
            || self.depends.contains(Facts::CLIENT_ID);
        if !own_facts && let Some(entry) = self.cache.get(ask.action, ask.resource) {
            if entry.verdict.valid_until.is_none_or(|end| now < end) {
                self.tally.hits.fetch_add(1, Ordering::Relaxed);
                let outcome = entry.verdict.outcome;
                if outcome == Outcome::Deny && ask.log_deny && self.first_in_window(&entry.window) {
                    self.event(ask, channel, &entry.verdict, now);
                } else {
                    entry.count.fetch_add(u64::from(ask.count), Ordering::Relaxed);
                }
                return outcome;
            }
            self.worn.store(true, Ordering::Relaxed);
        }
        self.tally.misses.fetch_add(1, Ordering::Relaxed);
        let verdict = self.compiled.decide(ask.action, ask.resource, &self.inputs(channel, address, client_id, now));
        let deny_event = verdict.outcome == Outcome::Deny && ask.log_deny;
        let kept =
            if verdict.cacheable && !own_facts { self.cache.add(ask.action, ask.resource, verdict) } else { None };
        match kept.filter(|entry| entry.verdict == verdict) {
            Some(entry) => {
                if deny_event && self.first_in_window(&entry.window) {
                    self.event(ask, channel, &verdict, now);
                } else {
                    entry.count.fetch_add(u64::from(ask.count), Ordering::Relaxed);
                }
            }
            None => {
                let first = self.count_aside(ask, &verdict);
                if deny_event && first {
                    self.event(ask, channel, &verdict, now);
                }
            }
        }
        verdict.outcome
    }

    /// True for the first of all callers in the present counting window.
    fn first_in_window(&self, last: &AtomicU32) -> bool {
        let window = self.tally.window.load(Ordering::Relaxed);
        last.load(Ordering::Relaxed) != window && last.swap(window, Ordering::Relaxed) != window
    }

    /// Decides whether the action is allowed on any resource of its type.
    /// Never kept as a decision about a resource.
    #[must_use]
    pub fn decide_any(
        &self,
        action: ActionId,
        channel: &Channel,
        address: Option<IpAddr>,
        client_id: &str,
        now: UnixMillis,
    ) -> Outcome {
        self.compiled.decide_any(action, &self.inputs(channel, address, client_id, now)).outcome
    }

    /// Evaluates without cache and without counting; for explanation.
    #[must_use]
    pub fn evaluate(&self, action: ActionId, resource: &str, channel: &Channel, now: UnixMillis) -> Verdict {
        self.compiled.decide(action, resource, &self.inputs(channel, None, "", now))
    }

    /// Counts an operation that is not in the cache; true when it is the first
    /// of its kind in the window.
    fn count_aside(&self, ask: Ask<'_>, verdict: &Verdict) -> bool {
        let Ok(mut aside) = self.aside.lock() else { return false };
        let room = aside.len() < ASIDE;
        let name = if room { ask.resource } else { "(others)" };
        let entry = aside.entry((ask.action, name.into(), verdict.outcome)).or_insert((0, *verdict));
        entry.0 += u64::from(ask.count);
        entry.0 == u64::from(ask.count)
    }

    fn operation(
        &self,
        action: ActionId,
        resource: &str,
        verdict: &Verdict,
        count: u64,
        since: UnixMillis,
    ) -> Operation {
        let (action, resource_type) = self
            .tally
            .actions
            .load()
            .get(action)
            .map_or_else(Default::default, |a| (a.name.to_string(), a.resource_type.to_string()));
        let outcome = match verdict.outcome {
            Outcome::Allow => "allowed",
            Outcome::Deny => "denied",
            Outcome::Undecided => "undecided",
        };
        Operation {
            action,
            resource_type,
            resource: resource.to_owned(),
            outcome,
            reason: reason_text(verdict.reason).to_owned(),
            statement: verdict.statement.map(|s| self.compiled.statement(s).to_string()),
            count,
            since,
        }
    }

    fn event(&self, ask: Ask<'_>, channel: &Channel, verdict: &Verdict, now: UnixMillis) {
        let operation = self.operation(ask.action, ask.resource, verdict, u64::from(ask.count), now);
        self.tally.recorder.record(Record {
            time: now,
            who: Who::of(&self.principal, ""),
            channel: Some(channel.clone()),
            request_id: String::new(),
            event: Event::Operation(operation),
        });
    }

    /// Takes the counts gathered since the last call and records them, one
    /// record per action, resource and outcome.
    pub fn drain(&self, now: UnixMillis) {
        let since = UnixMillis(self.tally.window_since.load(Ordering::Relaxed));
        for entry in self.cache.entries() {
            let count = entry.count.swap(0, Ordering::Relaxed);
            if count > 0 {
                self.counted(self.operation(entry.action, &entry.name, &entry.verdict, count, since), now);
            }
        }
        let aside = self.aside.lock().map(|mut aside| std::mem::take(&mut *aside)).unwrap_or_default();
        for ((action, name, _), (count, verdict)) in aside {
            self.counted(self.operation(action, &name, &verdict, count, since), now);
        }
    }

    fn counted(&self, operation: Operation, now: UnixMillis) {
        match operation.outcome {
            "allowed" => self.tally.allowed.fetch_add(operation.count, Ordering::Relaxed),
            _ => self.tally.denied.fetch_add(operation.count, Ordering::Relaxed),
        };
        let mut who = Who::of(&self.principal, "");
        // A context is shared by sessions that differ in their session name.
        who.session_name = None;
        self.tally.recorder.record(Record {
            time: now,
            who,
            channel: None,
            request_id: String::new(),
            event: Event::Operation(operation),
        });
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        self.drain(self.tally.clock.wall());
    }
}

fn reason_text(reason: Reason) -> &'static str {
    match reason {
        Reason::Allowed => "allowed by policy",
        Reason::ExplicitDeny => "explicit deny",
        Reason::ImplicitDeny => "no statement allows it",
        Reason::BoundaryLimits => "the permissions boundary does not allow it",
        Reason::SessionPolicyLimits => "the session policy does not allow it",
    }
}
