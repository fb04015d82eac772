// SPDX-License-Identifier: Apache-2.0
//! What stands behind one open connection: the session, the context it
//! decides with, and the decisions already made.

mod cache;
mod context;
mod table;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};

use arc_swap::ArcSwap;

pub use cache::Cache;
pub use context::{Ask, Context, Fresh, Tally};
pub use table::{SessionId, Table};

use crate::channel::Channel;
use crate::identity::Principal;
use crate::time::{Steady, UnixMillis};

/// How a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Standing {
    /// Operations are decided.
    Live = 0,
    /// Ended by an administrator, or its credential or identity was.
    Ended = 1,
}

/// The binding of one connection to one verified identity, with its deadline.
///
/// Made only by the mechanism after a verified login. Holds no secret.
pub struct Session {
    /// Whose session it is.
    pub principal: Arc<Principal>,
    /// Id of the access key the client signed with.
    pub access_key_id: String,
    /// The connection.
    pub channel: Channel,
    /// Id the client was given for this login.
    pub request_id: String,
    /// When the session began.
    pub since: UnixMillis,
    /// From then on nothing is allowed, by the steady clock.
    pub deadline: Steady,
    /// The same instant by the wall clock, as told to the client.
    pub deadline_wall: UnixMillis,
    /// True for sessions brought by a forwarded request.
    pub imported: bool,
    /// False until it is decided whether the policies allow to connect over
    /// this channel; nothing is allowed before.
    pub connected: bool,
    /// Number of the listener's profile.
    pub profile: u32,
    context: ArcSwap<Context>,
    standing: AtomicU8,
    retire_at: AtomicI64,
}

impl Session {
    /// A live session. `context` decides its operations until replaced.
    #[must_use]
    #[allow(clippy::too_many_arguments, reason = "one constructor, every field given by name at its single caller")]
    pub(crate) fn new(
        principal: Arc<Principal>,
        access_key_id: String,
        channel: Channel,
        request_id: String,
        since: UnixMillis,
        deadline: (Steady, UnixMillis),
        imported: bool,
        connected: bool,
        profile: u32,
        context: Arc<Context>,
    ) -> Self {
        Self {
            principal,
            access_key_id,
            channel,
            request_id,
            since,
            deadline: deadline.0,
            deadline_wall: deadline.1,
            imported,
            connected,
            profile,
            context: ArcSwap::new(context),
            standing: AtomicU8::new(Standing::Live as u8),
            retire_at: AtomicI64::new(i64::MAX),
        }
    }

    /// The same session over a channel that is known now.
    pub(crate) fn bound_to(&self, channel: Channel, context: Arc<Context>) -> Self {
        Self {
            principal: Arc::clone(&self.principal),
            access_key_id: self.access_key_id.clone(),
            channel,
            request_id: self.request_id.clone(),
            since: self.since,
            deadline: self.deadline,
            deadline_wall: self.deadline_wall,
            imported: self.imported,
            connected: true,
            profile: self.profile,
            context: ArcSwap::new(context),
            standing: AtomicU8::new(self.standing.load(Ordering::Acquire)),
            retire_at: AtomicI64::new(self.retire_at.load(Ordering::Acquire)),
        }
    }

    /// The context in force.
    pub(crate) fn context(&self) -> arc_swap::Guard<Arc<Context>> {
        self.context.load()
    }

    /// Puts another context in force. Requests that already hold the old one
    /// finish with it.
    pub(crate) fn install(&self, context: Arc<Context>) {
        self.context.store(context);
    }

    /// Ends the session: from now on everything is denied. False when it was
    /// ended before.
    pub(crate) fn end(&self) -> bool {
        self.standing.swap(Standing::Ended as u8, Ordering::AcqRel) == Standing::Live as u8
    }

    /// How it stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        if self.standing.load(Ordering::Acquire) == Standing::Live as u8 { Standing::Live } else { Standing::Ended }
    }

    /// Marks the session as belonging to a closed connection: it is dropped at
    /// `at` at the latest, and serves requests in flight until then.
    pub(crate) fn retire(&self, at: Steady) {
        self.retire_at.fetch_min(at.0, Ordering::AcqRel);
    }

    /// True when its connection is closed.
    #[must_use]
    pub fn is_retired(&self) -> bool {
        self.retire_at.load(Ordering::Acquire) != i64::MAX
    }

    /// True when nothing may need the session any more.
    pub(crate) fn is_over(&self, now: Steady, grace: i64) -> bool {
        now.0 >= self.retire_at.load(Ordering::Acquire) || now >= self.deadline.plus(grace)
    }
}
