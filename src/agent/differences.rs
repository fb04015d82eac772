// SPDX-License-Identifier: Apache-2.0
//! Where policies decide otherwise than Kafka's access control lists: each
//! difference is told once, and counted from then on, in bounded memory.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::audit::{Event, Journal, Operation, Record, Recorder, Who};
use crate::channel::Channel;
use crate::session::Striped;
use crate::time::UnixMillis;

/// Most kinds of differences: identity, action and direction.
const GROUPS: usize = 4096;
/// Most resources told apart in each.
const RESOURCES: usize = 128;
/// What is beyond.
const OTHERS: &str = "(others)";

/// How a decision of the policies differs from that of the lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Differs {
    /// The lists allow, the policies do not.
    Denied,
    /// The policies allow, the lists do not.
    Allowed,
    /// The policies could not be decided.
    Undecided,
    /// There is no such identity.
    Unknown,
}

impl Differs {
    fn outcome(self) -> &'static str {
        match self {
            Self::Denied => "shadow-denied",
            Self::Allowed => "shadow-allowed",
            Self::Undecided => "shadow-undecided",
            Self::Unknown => "shadow-unknown",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Denied => "ACLs allow and policies deny",
            Self::Allowed => "ACLs deny and policies allow",
            Self::Undecided => "policies do not decide",
            Self::Unknown => "there is no identity",
        }
    }
}

/// One difference, as it is found.
pub struct Difference {
    /// How it differs.
    pub how: Differs,
    /// Whose.
    pub who: Arc<Who>,
    /// The principal the lists speak of.
    pub principal: String,
    /// Over which connection it was found.
    pub channel: Arc<Channel>,
    /// What was asked, and what the policies say; once.
    pub operation: Operation,
}

#[derive(PartialEq, Eq, Hash)]
struct Group {
    how: Differs,
    subject: String,
    action: String,
    resource_type: String,
}

struct Seen {
    known: Difference,
    /// How often since it was last written down.
    count: u64,
}

/// See the module's page.
#[derive(Default)]
pub struct Differences {
    known: Mutex<HashMap<Group, HashMap<Box<str>, Seen>>>,
    /// Operations that were compared.
    pub compared: Striped,
    /// Operations that could not be compared: too many wait for an identity,
    /// or it has no text as a name.
    pub uncompared: Striped,
    denied: AtomicU64,
    allowed: AtomicU64,
    undecided: AtomicU64,
    unknown: AtomicU64,
}

impl Differences {
    fn counter(&self, how: Differs) -> &AtomicU64 {
        match how {
            Differs::Denied => &self.denied,
            Differs::Allowed => &self.allowed,
            Differs::Undecided => &self.undecided,
            Differs::Unknown => &self.unknown,
        }
    }

    /// How often operations differed in this way.
    #[must_use]
    pub fn count(&self, how: Differs) -> u64 {
        self.counter(how).load(Ordering::Relaxed)
    }

    /// How many differences are told apart at present.
    #[must_use]
    pub fn known(&self) -> usize {
        self.known.lock().map(|known| known.values().map(HashMap::len).sum()).unwrap_or(0)
    }

    /// Counts a difference; the first of its kind is written down at once.
    /// `make` is called only for that.
    pub(super) fn note(
        &self,
        (how, subject): (Differs, &str),
        (action, resource_type, resource): (&str, &str, &str),
        count: u64,
        make: impl FnOnce() -> Difference,
        (recorder, journal): (&Recorder, &Journal),
    ) {
        self.counter(how).fetch_add(count, Ordering::Relaxed);
        let Ok(mut known) = self.known.lock() else { return };
        let group = Group {
            how,
            subject: subject.to_owned(),
            action: action.to_owned(),
            resource_type: resource_type.to_owned(),
        };
        if known.len() >= GROUPS && !known.contains_key(&group) {
            return;
        }
        let resources = known.entry(group).or_default();
        let name = if resources.len() < RESOURCES || resources.contains_key(resource) { resource } else { OTHERS };
        if let Some(seen) = resources.get_mut(name) {
            seen.count += count;
            return;
        }
        let mut first = make();
        first.operation.outcome = how.outcome();
        name.clone_into(&mut first.operation.resource);
        first.operation.count = count;
        journal.line("warn", &told(&first));
        recorder.record(record(&first, first.operation.clone(), Some(Arc::clone(&first.channel))));
        resources.insert(name.into(), Seen { known: first, count: 0 });
    }

    /// Writes down how often each difference was found since the last time.
    pub(super) fn drain(&self, since: UnixMillis, now: UnixMillis, recorder: &Recorder) {
        let Ok(mut known) = self.known.lock() else { return };
        for seen in known.values_mut().flat_map(HashMap::values_mut).filter(|seen| seen.count > 0) {
            let count = std::mem::take(&mut seen.count);
            let operation = Operation { count, since, ..seen.known.operation.clone() };
            recorder.record(Record { time: now, ..record(&seen.known, operation, None) });
        }
    }

    /// Forgets what was told, so that it is told again.
    pub(super) fn forget(&self) {
        if let Ok(mut known) = self.known.lock() {
            known.clear();
        }
    }
}

fn told(difference: &Difference) -> String {
    let Difference { how, who, principal, operation, .. } = difference;
    if *how == Differs::Unknown {
        return format!("shadow: {} {} for {principal}", how.words(), who.subject);
    }
    let statement = operation.statement.as_ref().map(|s| format!(" ({s})")).unwrap_or_default();
    format!(
        "shadow: {} {} on {} {:?} for {} ({principal}): {}{statement}",
        how.words(),
        operation.action,
        operation.resource_type,
        operation.resource,
        who.subject,
        operation.reason
    )
}

fn record(difference: &Difference, operation: Operation, channel: Option<Arc<Channel>>) -> Record {
    Record {
        time: operation.since,
        who: Arc::clone(&difference.who),
        channel,
        request_id: Arc::default(),
        event: Event::Difference { operation, principal: difference.principal.clone() },
    }
}
