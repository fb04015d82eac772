// SPDX-License-Identifier: Apache-2.0
//! What stands behind one open connection: the session, the context it
//! decides with, and the decisions already made.

mod cache;
mod context;
pub mod kept;
mod seats;
mod slowing;
mod stripe;
mod table;
mod tally;

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use arc_swap::{ArcSwap, ArcSwapOption};

pub use cache::{Cache, Place};
pub use context::{Ask, Common, Context, Request};
pub use kept::{Kept, Wanted};
pub use seats::{Seat, Seats};
pub use slowing::After;
pub(crate) use slowing::Slowed;
pub use stripe::Striped;
pub use table::{SessionId, Table};
pub use tally::{Fresh, Tally};

use crate::audit::Who;
use crate::channel::{Channel, NOWHERE};
use crate::credential::CredentialKey;
use crate::identity::Principal;
use crate::policy::ActionId;
use crate::revision::Revision;
use crate::time::{Steady, UnixMillis};

/// How a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Standing {
    /// Logged in; whether policies allow to connect over this channel is not
    /// decided yet. Nothing is allowed.
    Binding = 0,
    /// Operations are decided.
    Live = 1,
    /// Ended by an administrator, or its credential or identity was.
    Ended = 2,
}

impl Standing {
    fn of(number: u8) -> Self {
        match number {
            0 => Self::Binding,
            1 => Self::Live,
            _ => Self::Ended,
        }
    }
}

/// How a session began. Holds no secret.
#[derive(Clone, Debug)]
pub struct Begin {
    /// Whose session it is; with the tags of the session only.
    pub principal: Arc<Principal>,
    /// The credential the client logged in with.
    pub credential: Arc<CredentialKey>,
    /// Both in the words of the audit.
    pub who: Arc<Who>,
    /// Names the signature it logged in with; none for forwarded sessions.
    pub signature: Option<[u8; 32]>,
    /// Id the client was given for this login.
    pub request_id: Arc<str>,
    /// The name the client dialled and signed.
    pub host: String,
    /// When the session began.
    pub since: UnixMillis,
    /// From then on nothing is allowed, by the steady clock.
    pub deadline: Steady,
    /// The same instant by the wall clock, as told to the client.
    pub deadline_wall: UnixMillis,
    /// True for sessions brought by a forwarded request.
    pub imported: bool,
    /// Number of the listener's profile.
    pub profile: u32,
    /// What connecting is, and to what; none when the login is all there is.
    pub connect: Option<(ActionId, String)>,
}

/// The binding of one connection to one verified identity, with its deadline.
///
/// Made only by the mechanism after a verified login.
pub struct Session {
    /// How it began.
    pub begin: Begin,
    /// Its name in the table, once it is there.
    id: OnceLock<SessionId>,
    channel: OnceLock<Arc<Channel>>,
    context: ArcSwap<Context>,
    standing: AtomicU8,
    retire_at: AtomicI64,
    /// Set by whoever writes the record of the login.
    recorded: AtomicBool,
    /// Decisions others may repeat. Whatever could end one takes all back.
    handed_out: kept::HandedOut,
    /// What it counts for on its listener, until its connection is closed.
    seat: Mutex<Option<Seat>>,
    /// Denials worth logging since somebody looked.
    denied: OnceLock<Arc<AtomicU32>>,
    /// What becomes of its connection while it is only denied.
    slowing: slowing::Slowing,
    /// Sealed for other hosts, with the revision it was sealed at.
    pub(crate) exported: ArcSwapOption<(Revision, Vec<u8>)>,
}

impl Session {
    /// A session. `context` decides its operations until replaced; without a
    /// channel it waits for [`Session::bind`].
    #[must_use]
    pub(crate) fn new(begin: Begin, channel: Option<Arc<Channel>>, context: Arc<Context>) -> Self {
        let standing = if channel.is_some() { Standing::Live } else { Standing::Binding };
        Self {
            begin,
            id: OnceLock::new(),
            channel: channel.map_or_else(OnceLock::new, OnceLock::from),
            context: ArcSwap::new(context),
            standing: AtomicU8::new(standing as u8),
            retire_at: AtomicI64::new(i64::MAX),
            recorded: AtomicBool::new(false),
            handed_out: kept::HandedOut::default(),
            seat: Mutex::default(),
            denied: OnceLock::new(),
            slowing: slowing::Slowing::default(),
            exported: ArcSwapOption::empty(),
        }
    }

    /// The connection, once it is known.
    #[must_use]
    pub fn channel(&self) -> Option<&Arc<Channel>> {
        self.channel.get()
    }

    /// The connection; one of which nothing is known until it is.
    pub(crate) fn channel_or_nowhere(&self) -> &Channel {
        self.channel.get().map_or(&NOWHERE, |channel| channel)
    }

    /// Tells the channel; the first one stays. Nothing is allowed before
    /// [`Session::admit`].
    pub(crate) fn bind(&self, channel: Arc<Channel>) -> &Arc<Channel> {
        self.channel.get_or_init(|| channel)
    }

    /// Lets operations be decided from now on. False when the session was
    /// ended meanwhile.
    pub(crate) fn admit(&self) -> bool {
        let (binding, live) = (Standing::Binding as u8, Standing::Live as u8);
        match self.standing.compare_exchange(binding, live, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => true,
            Err(now) => now == live,
        }
    }

    /// The context in force.
    pub(crate) fn context(&self) -> arc_swap::Guard<Arc<Context>> {
        self.context.load()
    }

    /// Puts another context in force. Requests that already hold the old one
    /// finish with it.
    pub(crate) fn install(&self, context: Arc<Context>) {
        // The old one is dropped without the lock.
        drop(self.handed_out.take_back(false, || self.context.swap(context)));
    }

    /// Ends the session: from now on everything is denied. False when it was
    /// ended before.
    pub(crate) fn end(&self) -> bool {
        self.leave();
        let end = || self.standing.swap(Standing::Ended as u8, Ordering::AcqRel);
        self.handed_out.take_back(true, end) != Standing::Ended as u8
    }

    /// Hands the `wanted` decision out, for others to repeat until it is taken
    /// back. Where it is counted and until when it holds, `choose` says of the
    /// context in force; it has to look at the session and at everything else a
    /// decision rests on.
    pub(crate) fn hand_out(
        &self,
        wanted: Wanted,
        choose: impl FnOnce(&Context) -> Option<(Option<Place>, i64)>,
    ) -> Option<Kept> {
        self.handed_out.hand_out(|| {
            let context = self.context.load_full();
            let (place, until) = choose(&context)?;
            let denied = (wanted == Wanted::RecordedDeny).then(|| Arc::clone(self.denied()));
            Some(kept::Behind { wanted, context, place, until, denied })
        })
    }

    /// Takes back what was handed out, after something changed that decisions
    /// rest on.
    pub(crate) fn take_back(&self) {
        self.handed_out.take_back(false, || ());
    }

    /// Takes back what was handed out, for good, and has the id find nothing
    /// any more.
    pub(super) fn forget(&self, remove: impl FnOnce()) {
        self.handed_out.take_back(true, remove);
    }

    /// How it stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        Standing::of(self.standing.load(Ordering::Acquire))
    }

    /// True for the first caller, who then writes the record of the login.
    pub(crate) fn claim_record(&self) -> bool {
        !self.recorded.swap(true, Ordering::AcqRel)
    }

    /// Marks the session as belonging to a closed connection: it is dropped at
    /// `at` at the latest, and serves requests in flight until then.
    pub(crate) fn retire(&self, at: Steady) {
        self.leave();
        self.retire_at.fetch_min(at.0, Ordering::AcqRel);
    }

    /// Keeps its seat on the listener.
    pub(crate) fn sit(&self, seat: Option<Seat>) {
        if let Ok(mut own) = self.seat.lock() {
            *own = seat;
        }
    }

    fn leave(&self) {
        if let Ok(mut own) = self.seat.lock() {
            drop(own.take());
        }
    }

    /// Made for the first: most sessions are never denied anything.
    fn denied(&self) -> &Arc<AtomicU32> {
        self.denied.get_or_init(Arc::default)
    }

    /// Notes a denial worth logging.
    pub(crate) fn note_denied(&self) {
        self.denied().fetch_add(1, Ordering::Relaxed);
    }

    /// How many there were since the last call.
    pub(crate) fn take_denied(&self) -> u32 {
        self.denied.get().map_or(0, |denied| denied.swap(0, Ordering::Relaxed))
    }

    /// True while its client goes on asking for what it is denied.
    pub(crate) fn is_looping(&self) -> bool {
        self.slowing.is_looping()
    }

    /// Says whether it does. Denials are not handed out to one that does, so
    /// those that were are taken back.
    pub(crate) fn set_looping(&self, looping: bool) {
        if !self.slowing.set_looping(looping) && looping {
            self.take_back();
        }
    }

    /// Its connection is to be shut down.
    pub(crate) fn want_shut(&self) {
        self.slowing.want_shut();
    }

    /// True until somebody does that.
    pub(crate) fn shut_wanted(&self) -> bool {
        self.slowing.shut_wanted()
    }

    /// True for the one who then does it.
    pub(crate) fn claim_shut(&self) -> bool {
        self.slowing.claim_shut()
    }

    /// How its connection is slowed.
    pub(crate) fn slowed(&self) -> MutexGuard<'_, Option<Box<Slowed>>> {
        self.slowing.slowed()
    }

    /// True when its connection is closed.
    #[must_use]
    pub fn is_retired(&self) -> bool {
        self.retire_at.load(Ordering::Acquire) != i64::MAX
    }

    /// True when nothing may need the session any more.
    pub(crate) fn is_over(&self, now: Steady, grace: i64) -> bool {
        now.0 >= self.retire_at.load(Ordering::Acquire) || now >= self.begin.deadline.plus(grace)
    }
}
