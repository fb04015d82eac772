// SPDX-License-Identifier: Apache-2.0
//! The context: what the operations of sessions are decided with. Immutable:
//! when anything it was made from changes, sessions get another one.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use super::cache::{Entry, Found};
use super::{Begin, Cache, Place, Tally, Wanted};
use crate::audit::{Event, Operation, Record, Who};
use crate::channel::Channel;
use crate::decision::{Inputs, Keys, Outcome, Reason, Verdict};
use crate::identity::Principal;
use crate::policy::{ActionId, Compiled, Facts};
use crate::revision::Revision;
use crate::time::UnixMillis;

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

/// From where and when a request came.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The session it belongs to; none while its login is still going on.
    pub session: Option<&'a Begin>,
    /// The connection.
    pub channel: &'a Channel,
    /// The address of this request, where it has one of its own.
    pub address: Option<IpAddr>,
    /// The client id it carries.
    pub client_id: &'a str,
    /// When.
    pub now: UnixMillis,
}

/// Most different uncached operations counted apart in one window; further
/// ones are counted together.
const ASIDE: usize = 4096;

type Aside = HashMap<(ActionId, Box<str>, Outcome), (u64, Verdict)>;

/// See the module's page.
pub struct Context {
    principal: Principal,
    compiled: Arc<Compiled>,
    depends: Facts,
    /// True when the service decides what is not in the cache.
    remote: bool,
    revision: Revision,
    resource_tags: Arc<[(String, String)]>,
    cache: Cache,
    /// Whether an action is allowed on any resource of its type, by its number:
    /// one more than the outcome, or zero when it was not asked yet.
    any: Box<[AtomicU8]>,
    aside: Mutex<Aside>,
    tally: Arc<Tally>,
}

/// What every context of an engine has in common.
#[derive(Clone)]
pub struct Common {
    /// Tags of the cluster.
    pub resource_tags: Arc<[(String, String)]>,
    /// Most decisions a context keeps.
    pub entries: usize,
    /// True when the service decides what is not in a cache.
    pub remote: bool,
}

impl Context {
    /// A context of `principal`, with all its tags, under `compiled`, read at
    /// `revision`.
    #[must_use]
    pub fn new(
        principal: Principal,
        compiled: Arc<Compiled>,
        revision: Revision,
        common: &Common,
        tally: Arc<Tally>,
    ) -> Self {
        let depends = compiled.depends();
        let any = (0..=compiled.actions()).map(|_| AtomicU8::new(0)).collect();
        Self {
            principal,
            compiled,
            depends,
            remote: common.remote,
            revision,
            resource_tags: Arc::clone(&common.resource_tags),
            cache: Cache::new(common.entries),
            any,
            aside: Mutex::default(),
            tally,
        }
    }

    /// The revision its entitlements were read at.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Who its decisions are about.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The compiled policies.
    #[must_use]
    pub fn compiled(&self) -> &Arc<Compiled> {
        &self.compiled
    }

    /// True when its cache is full: worth another one.
    #[must_use]
    pub fn is_worn(&self) -> bool {
        self.cache.is_full()
    }

    fn inputs<'a>(&'a self, request: Request<'a>) -> Inputs<'a> {
        Inputs {
            principal: &self.principal,
            channel: request.channel,
            address: request.address,
            client_id: request.client_id,
            now: request.now,
            resource_tags: &self.resource_tags,
            keys: Keys::Host,
        }
    }

    /// True when a request has facts of its own that the policies look at: the
    /// cache was filled for the channel, so it is decided by itself.
    #[inline(always)]
    fn stands_alone(&self, request: Request<'_>) -> bool {
        self.depends.contains(Facts::CLIENT_ID)
            || self.depends.contains(Facts::SOURCE_IP)
                && request.address.is_some()
                && request.address != request.channel.address
    }

    /// Decides one question: from the cache where it may be, else by
    /// evaluating the policies. Takes no lock unless the decision cannot be
    /// kept. None when the service has to be asked; see [`Context::settle`].
    #[must_use]
    #[inline(always)]
    pub fn decide(&self, ask: Ask<'_>, request: Request<'_>) -> Option<Outcome> {
        if !self.stands_alone(request)
            && let Some(found) = self.cache.get(ask.action, ask.resource, request.now)
        {
            let verdict = &found.entry.verdict;
            if ask.log_deny && verdict.outcome == Outcome::Deny && self.first_in_window(&found.entry.window) {
                self.event(ask, request, verdict);
            } else {
                found.count(u64::from(ask.count));
            }
            return Some(verdict.outcome);
        }
        if self.remote {
            return None;
        }
        Some(self.settle(ask, request, self.compiled.decide(ask.action, ask.resource, &self.inputs(request))))
    }

    /// What the policies say to a question; neither kept nor counted.
    pub(crate) fn examine(&self, ask: Ask<'_>, request: Request<'_>) -> Operation {
        let verdict = self.compiled.decide(ask.action, ask.resource, &self.inputs(request));
        self.operation(ask.action, ask.resource, &verdict, 1, request.now)
    }

    /// What the policies say to a question, kept as any decision and not
    /// counted: for shadow mode.
    pub(crate) fn peek(&self, ask: Ask<'_>, any: bool, request: Request<'_>) -> Verdict {
        if any {
            return self.compiled.decide_any(ask.action, &self.inputs(request));
        }
        if !self.stands_alone(request)
            && let Some(found) = self.cache.get(ask.action, ask.resource, request.now)
        {
            return found.entry.verdict;
        }
        let verdict = self.compiled.decide(ask.action, ask.resource, &self.inputs(request));
        self.keep(ask.action, ask.resource, request, verdict);
        verdict
    }

    /// A verdict in words.
    pub(crate) fn in_words(&self, ask: Ask<'_>, verdict: &Verdict, now: UnixMillis) -> Operation {
        self.operation(ask.action, ask.resource, verdict, u64::from(ask.count), now)
    }

    /// Takes a decision in: keeps it where it may be repeated, and counts or
    /// records it. The outcome.
    pub fn settle(&self, ask: Ask<'_>, request: Request<'_>, verdict: Verdict) -> Outcome {
        self.tally.evaluated.add(u64::from(ask.count));
        let deny_event = verdict.outcome == Outcome::Deny && ask.log_deny;
        match self.keep(ask.action, ask.resource, request, verdict).filter(|found| found.entry.verdict == verdict) {
            Some(found) if deny_event && self.first_in_window(&found.entry.window) => {
                self.event(ask, request, &verdict);
            }
            Some(found) => found.count(u64::from(ask.count)),
            None => {
                let first = self.first_aside(ask, &verdict);
                if deny_event && first {
                    self.event(ask, request, &verdict);
                } else {
                    self.count_aside(ask, &verdict);
                }
            }
        }
        verdict.outcome
    }

    /// Keeps a decision where it may be repeated.
    pub(crate) fn keep(
        &self,
        action: ActionId,
        resource: &str,
        request: Request<'_>,
        verdict: Verdict,
    ) -> Option<Found<'_>> {
        let over = verdict.valid_until.is_some_and(|end| end <= request.now);
        if !verdict.cacheable || over || self.stands_alone(request) {
            return None;
        }
        self.cache.add(action, resource, verdict, request.now)
    }

    /// True for the first of all callers in the present counting window.
    fn first_in_window(&self, last: &AtomicU32) -> bool {
        let window = self.tally.window();
        last.load(Ordering::Relaxed) != window && last.swap(window, Ordering::Relaxed) != window
    }

    /// Decides whether the action is allowed on any resource of its type.
    /// Never kept as a decision about a resource. None when the service has to
    /// be asked.
    #[must_use]
    pub fn decide_any(&self, action: ActionId, request: Request<'_>) -> Option<Outcome> {
        if self.remote {
            return None;
        }
        // What else it depends on is equal for everybody who has this context.
        let lasting = !self.stands_alone(request) && !self.depends.contains(Facts::TIME);
        let kept = usize::try_from(action.0).ok().and_then(|n| self.any.get(n)).filter(|_| lasting);
        let known = kept.map_or(0, |k| k.load(Ordering::Relaxed));
        if let Some(outcome) = [Outcome::Deny, Outcome::Allow].into_iter().find(|o| *o as u8 + 1 == known) {
            return Some(outcome);
        }
        let outcome = self.compiled.decide_any(action, &self.inputs(request)).outcome;
        if let Some(kept) = kept {
            kept.store(outcome as u8 + 1, Ordering::Relaxed);
        }
        Some(outcome)
    }

    /// True when decisions are the same for every request of a session, or with
    /// `own` for every one that comes from the session's own address.
    fn is_same_for_all_requests(&self, own: bool) -> bool {
        !self.depends.contains(Facts::CLIENT_ID) && (own || !self.depends.contains(Facts::SOURCE_IP))
    }

    /// Where the decision about this action on this resource stands, if it is
    /// known, is the `wanted` one, and holds as long as the context, for every
    /// request; with `own`, for every one from the session's own address. A
    /// denial that is to be recorded only if it was, in this window.
    pub(crate) fn lasting(&self, action: ActionId, resource: &str, wanted: Wanted, own: bool) -> Option<Place> {
        let found = self.cache.lasting(action, resource).filter(|_| self.is_same_for_all_requests(own))?;
        let Entry { verdict, window, .. } = found.entry;
        let is_wanted = match (wanted, verdict.outcome) {
            (Wanted::Allow, outcome) => outcome == Outcome::Allow,
            (Wanted::Deny, outcome) => outcome == Outcome::Deny,
            (Wanted::RecordedDeny, outcome) => {
                outcome == Outcome::Deny && window.load(Ordering::Relaxed) == self.tally.window()
            }
        };
        self.cache.place(&found).filter(|_| is_wanted)
    }

    /// True when it is known that the action is allowed on some resource of its
    /// type, as long as the context holds, and for every request as above.
    pub(crate) fn is_lasting_any(&self, action: ActionId, own: bool) -> bool {
        let known = usize::try_from(action.0).ok().and_then(|n| self.any.get(n));
        // Written only for what does not look at the time.
        known.is_some_and(|k| k.load(Ordering::Relaxed) == Outcome::Allow as u8 + 1)
            && self.is_same_for_all_requests(own)
    }

    /// Notes that a decision that was handed out was repeated for `n` references.
    pub(crate) fn repeated(&self, place: Place, n: u64) {
        self.cache.count(place, n);
    }

    /// Notes an uncached operation; true when it is the first of its kind in
    /// the window.
    fn first_aside(&self, ask: Ask<'_>, verdict: &Verdict) -> bool {
        let Ok(mut aside) = self.aside.lock() else { return false };
        let known = aside.contains_key(&(ask.action, ask.resource.into(), verdict.outcome));
        if known || aside.len() >= ASIDE {
            return false;
        }
        aside.insert((ask.action, ask.resource.into(), verdict.outcome), (0, *verdict));
        true
    }

    fn count_aside(&self, ask: Ask<'_>, verdict: &Verdict) {
        let Ok(mut aside) = self.aside.lock() else { return };
        let room = aside.len() < ASIDE || aside.contains_key(&(ask.action, ask.resource.into(), verdict.outcome));
        let name = if room { ask.resource } else { "(others)" };
        aside.entry((ask.action, name.into(), verdict.outcome)).or_insert((0, *verdict)).0 += u64::from(ask.count);
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

    fn event(&self, ask: Ask<'_>, request: Request<'_>, verdict: &Verdict) {
        self.tally.denied.add(u64::from(ask.count));
        let operation = self.operation(ask.action, ask.resource, verdict, u64::from(ask.count), request.now);
        // The context is shared: which session it was stands with the request.
        let (who, request_id) = match request.session {
            Some(begin) => (Arc::clone(&begin.who), Arc::clone(&begin.request_id)),
            None => (Arc::new(Who::of(&self.principal, "")), Arc::default()),
        };
        self.tally.recorder.record(Record {
            time: request.now,
            who,
            channel: Some(Arc::new(request.channel.clone())),
            request_id,
            event: Event::Operation(operation),
        });
    }

    /// Operations allowed and denied that were counted here and not taken yet.
    #[must_use]
    pub fn counted(&self) -> (u64, u64) {
        let (mut allowed, mut denied) = (0, 0);
        let mut add = |outcome, count| match outcome {
            Outcome::Allow => allowed += count,
            _ => denied += count,
        };
        self.cache.counted(false, |entry, count| add(entry.verdict.outcome, count));
        if let Ok(aside) = self.aside.lock() {
            aside.iter().for_each(|((_, _, outcome), (count, _))| add(*outcome, *count));
        }
        (allowed, denied)
    }

    /// Takes the counts gathered since the last call and records them, one
    /// record per action, resource and outcome.
    pub fn drain(&self, now: UnixMillis) {
        let since = self.tally.window_since();
        self.cache.counted(true, |entry, count| {
            if count > 0 {
                self.record(self.operation(entry.action, &entry.name, &entry.verdict, count, since), now);
            }
        });
        let aside = self.aside.lock().map(|mut aside| std::mem::take(&mut *aside)).unwrap_or_default();
        for ((action, name, _), (count, verdict)) in aside {
            if count > 0 {
                self.record(self.operation(action, &name, &verdict, count, since), now);
            }
        }
    }

    fn record(&self, operation: Operation, now: UnixMillis) {
        match operation.outcome {
            "allowed" => self.tally.allowed.add(operation.count),
            _ => self.tally.denied.add(operation.count),
        }
        let mut who = Who::of(&self.principal, "");
        // A context is shared by sessions that differ in their session name.
        who.session_name = None;
        self.tally.recorder.record(Record {
            time: now,
            who: Arc::new(who),
            channel: None,
            request_id: Arc::default(),
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
