// SPDX-License-Identifier: Apache-2.0
//! Repeating decisions without asking the engine: each thread remembers some
//! that were handed out to it. See [`crate::session::kept`] for how they end.

use std::cell::RefCell;
use std::sync::Arc;

use super::authorize::Ground;
use super::{Batch, Engine, registry};
use crate::decision::Outcome;
use crate::fault::Fault;
use crate::policy::ActionId;
use crate::session::{After, Ask, Context, Kept, Session, SessionId, Wanted};
use crate::time;

/// How long a decision may be repeated before it is asked for again,
/// milliseconds: so that those nobody repeats do not keep their place.
const LONGEST: i64 = 10_000;
/// Longest name that is remembered, bytes.
const NAME: usize = 93;
/// How often a pair is passed over after it had no room for a question, or that
/// was not handed out.
const PAUSE: u8 = 255;
/// Pairs of decisions a thread remembers.
const PAIRS: usize = 128;

/// A remembered decision. All zero is none: no session has that id.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line {
    session: i64,
    until: i64,
    cell: u32,
    generation: u32,
    action: u32,
    /// Of one of the last two questions of the pair that were not known.
    missed: u32,
    /// Of the first of a pair: how often nothing is remembered.
    pause: u8,
    /// It holds for requests from the session's own address only.
    own: bool,
    length: u8,
    name: [u8; NAME],
}

impl Line {
    const EMPTY: Self = Self {
        session: 0,
        until: 0,
        cell: 0,
        generation: 0,
        action: 0,
        missed: 0,
        pause: 0,
        own: false,
        length: 0,
        name: [0; NAME],
    };

    fn kept(&self) -> Kept {
        Kept { cell: self.cell, generation: self.generation, until: self.until }
    }

    #[inline(always)]
    fn is(&self, question: &Question<'_>) -> bool {
        self.session == question.session
            && self.action == question.action.0
            && usize::from(self.length) == question.name.len()
            && self.name.get(..question.name.len()) == Some(question.name)
    }
}

/// What a decision is remembered by.
#[derive(Clone, Copy)]
struct Question<'a> {
    session: i64,
    action: ActionId,
    name: &'a [u8],
}

impl<'a> Question<'a> {
    #[inline(always)]
    fn new(id: SessionId, ask: &Ask<'a>) -> Self {
        Self { session: id.number(), action: ask.action, name: ask.resource.as_bytes() }
    }

    /// Spreads questions over pairs. Whoever finds others for the same pair only
    /// makes them be asked again.
    #[inline(always)]
    fn spread(&self) -> u32 {
        let end = self.name.last_chunk::<8>().map_or_else(
            || self.name.iter().fold(0, |sum: u64, byte| sum << 8 | u64::from(*byte)),
            |end| u64::from_le_bytes(*end),
        );
        let mut sum = end ^ (self.name.len() as u64) << 56;
        sum = sum.wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ^ self.session.unsigned_abs().rotate_left(20)
            ^ u64::from(self.action.0);
        sum = sum.wrapping_mul(0xff51_afd7_ed55_8ccd);
        u32::try_from(sum >> 32).unwrap_or(0)
    }
}

/// What a thread remembers, in pairs. Not in the thread's own block: hosts may
/// have threads whose stacks would be too small for it.
type Lines = Option<Box<[[Line; 2]]>>;

thread_local! {
    static LINES: RefCell<Lines> = const { RefCell::new(None) };
}

/// True when the question was allowed before and that could be repeated.
#[inline(always)]
fn known(lines: &Lines, own: bool, question: &Question<'_>, count: u32) -> bool {
    let pair = usize::try_from(question.spread()).ok().and_then(|s| lines.as_deref()?.get(s % PAIRS));
    let Some(line) = pair.and_then(|pair| pair.iter().find(|line| line.is(question))) else { return false };
    (own || !line.own) && time::coarse() < line.until && line.kept().repeat(count)
}

/// After a question that was not known here was allowed: remembers it if it was
/// among the last two of its pair before, and displaces nothing that still holds.
fn remember(lines: &mut Lines, id: SessionId, own: bool, ask: &Ask<'_>) {
    let lines = lines.get_or_insert_with(|| vec![[Line::EMPTY; 2]; PAIRS].into_boxed_slice());
    let question = Question::new(id, ask);
    let spread = question.spread();
    let Some([first, second]) = usize::try_from(spread).ok().and_then(|s| lines.get_mut(s % PAIRS)) else { return };
    // Most things are asked once.
    let tag = spread | 1;
    if first.missed != tag && second.missed != tag {
        second.missed = first.missed;
        first.missed = tag;
        return;
    }
    if first.pause > 0 {
        first.pause -= 1;
        return;
    }
    first.pause = PAUSE;
    let now = time::coarse();
    let free = |line: &Line| line.is(&question) || line.until <= now || !line.kept().stands();
    let line = if free(first) {
        &mut *first
    } else if free(second) {
        second
    } else {
        return;
    };
    let (Ok(length), Some(name)) = (u8::try_from(ask.resource.len()), line.name.get_mut(..ask.resource.len())) else {
        return;
    };
    let wanted = |engine: &Engine| engine.hand_out(id, ask.action, Some(ask.resource), Wanted::Allow, own);
    let kept = registry::engine_of(id, |engine| wanted(engine));
    let Ok(Some(kept)) = kept else { return };
    name.copy_from_slice(ask.resource.as_bytes());
    line.length = length;
    line.own = own;
    line.session = question.session;
    line.action = question.action.0;
    (line.until, line.cell, line.generation) = (kept.until, kept.cell, kept.generation);
    first.pause = 0;
}

/// True when the thread remembers that this question was allowed, for a request
/// that brings no facts of its own, and that may be repeated; it is counted then.
/// The name need not be looked at before: it is compared with one that was.
#[inline(always)]
pub fn repeat(id: SessionId, action: ActionId, name: &[u8], count: u32) -> bool {
    repeat_known(true, &Question { session: id.number(), action, name }, count)
}

#[inline(always)]
fn repeat_known(own: bool, question: &Question<'_>, count: u32) -> bool {
    // A thread that is being torn down remembers nothing. Nothing in here leaves
    // a line borrowed.
    LINES.try_with(|lines| lines.try_borrow().is_ok_and(|l| known(&l, own, question, count))) == Ok(true)
}

/// Decides one question as [`Engine::authorize`] of the session's engine does,
/// or repeats what that has decided. What is to be done with the connection
/// then, too.
///
/// # Errors
/// As [`Engine::authorize`], and when the engine is not open.
#[inline(always)]
pub fn authorize_one(id: SessionId, batch: Batch<'_>, ask: Ask<'_>) -> Result<(Outcome, After), Fault> {
    // An address that comes with the request may be another one.
    if repeat_known(batch.address.is_none(), &Question::new(id, &ask), ask.count) {
        Ok((Outcome::Allow, After::Nothing))
    } else {
        decide(id, batch, ask)
    }
}

#[inline(never)]
fn decide(id: SessionId, batch: Batch<'_>, ask: Ask<'_>) -> Result<(Outcome, After), Fault> {
    let mut outcome = [Outcome::Deny];
    let after = registry::engine_of(id, |engine| engine.authorize(id, batch, std::iter::once(ask), &mut outcome))??;
    let [outcome] = outcome;
    if outcome == Outcome::Allow {
        let _forgotten = LINES.try_with(|lines| {
            if let Ok(mut lines) = lines.try_borrow_mut() {
                remember(&mut lines, id, batch.address.is_none(), &ask);
            }
        });
    }
    Ok((outcome, after))
}

impl Engine {
    /// Hands out what was decided about a session's client doing the action on
    /// the resource, or (with none) on some resource of its type: whoever gets it
    /// may repeat it until it is taken back or over; with `own` for requests from
    /// the session's own address only.
    ///
    /// None when that is not known or not as `wanted`, or may change by itself:
    /// with the time of day, from request to request that it may be repeated for,
    /// by the service's answer, or
    /// because nothing was heard of the service for long.
    #[must_use]
    pub fn hand_out(
        &self,
        id: SessionId,
        action: ActionId,
        resource: Option<&str>,
        wanted: Wanted,
        own: bool,
    ) -> Option<Kept> {
        let window = self.agent().tally().window();
        let choose = |session: &Session, context: &Context| {
            let (coarse, now) = (self.clock().coarse()?, self.clock().steady());
            let Ground::Firm = self.ground(session) else { return None };
            if wanted == Wanted::RecordedDeny && session.is_looping() && self.tuning().denied_slow() {
                // Each denial of it is to be seen here.
                return None;
            }
            let silence = self.agent().fresh().silence(now);
            let left =
                session.begin.deadline.since(now).min(self.tuning().stale_after().saturating_sub(silence)).min(LONGEST);
            let place = match resource {
                Some(resource) => Some(context.lasting(action, resource, wanted, own)?),
                // Settings may deny what the policies allow.
                None if self.tuning().idempotent_strict() => return None,
                None if wanted != Wanted::Allow || !context.is_lasting_any(action, own) => return None,
                None => None,
            };
            (left > 0).then(|| (place, coarse.saturating_add(left)))
        };
        let hand_out = |session: &Arc<Session>| session.hand_out(wanted, |context| choose(session.as_ref(), context));
        let kept = self.agent().sessions().with(id, hand_out).flatten();
        // Else the window may have ended before this was there to be taken back.
        kept.filter(|_| wanted != Wanted::RecordedDeny || self.agent().tally().window() == window)
    }
}
