// SPDX-License-Identifier: Apache-2.0
//! Deciding, and what a session is.

use std::time::Duration;

use super::entry;
use super::memory::{self, Buffer, MOST_REQUESTS, Outcomes, Rows, Slot, invalid};
use super::types::{
    STANDIN_LOG_ALLOW, STANDIN_LOG_DENY, STANDIN_SESSION_BINDING, STANDIN_SESSION_ENDED, STANDIN_SESSION_EXPIRED,
    STANDIN_SESSION_LIVE, standin_batch, standin_buffer, standin_info, standin_outcome, standin_request,
    standin_session, standin_status,
};
use crate::decision::Outcome;
use crate::fault::{Fault, Status};
use crate::files;
use crate::mechanism::{self, Batch};
use crate::policy::ActionId;
use crate::session::{Ask, SessionId};

/// Questions that are decided without memory from the heap.
const FEW: usize = 64;
/// What a question may be marked with.
const FLAGS: u32 = STANDIN_LOG_ALLOW | STANDIN_LOG_DENY;
/// A question that nobody asked.
const NOTHING: Ask<'static> =
    Ask { action: ActionId(u32::MAX), resource: "", count: 0, log_allow: false, log_deny: false };

#[inline(always)]
fn known_form(session: standin_session) -> Option<SessionId> {
    i64::try_from(session).ok().and_then(SessionId::from_number)
}

#[inline(always)]
fn session_id(session: standin_session) -> Result<SessionId, Fault> {
    known_form(session).ok_or_else(|| Fault { status: Status::UnknownId, text: String::new(), subject: None })
}

#[inline(always)]
unsafe fn batch<'a>(batch: *const standin_batch) -> Result<Batch<'a>, Fault> {
    if batch.is_null() {
        return Ok(Batch::default());
    }
    // SAFETY: as the caller of the entry promises.
    unsafe {
        let batch = memory::read(batch, "batch")?;
        Ok(Batch {
            address: memory::address(batch.peer_address)?,
            client_id: memory::text(batch.client_id, "client_id")?,
            wait: Duration::from_millis(batch.wait_ms.into()),
        })
    }
}

#[inline(always)]
unsafe fn ask<'a>(request: standin_request) -> Result<Ask<'a>, Fault> {
    let standin_request { action, flags, resource, count, reserved } = request;
    if flags & !FLAGS != 0 || reserved != 0 {
        return Err(invalid("a request has flags that are not known"));
    }
    Ok(Ask {
        action: ActionId(action),
        // SAFETY: as the caller of the entry promises.
        resource: unsafe { memory::name(resource) }?,
        count: count.max(1),
        log_allow: flags & STANDIN_LOG_ALLOW != 0,
        log_deny: flags & STANDIN_LOG_DENY != 0,
    })
}

/// Decides questions about what a session's client may do: from local data,
/// without a lock, a system call or a wait, as long as `standin.decide` is
/// `local`. May be called from any thread.
///
/// `batch` may be null. `requests` are `n` structs, each `stride` bytes
/// (`sizeof(standin_request)`) from the next, at most 65,536. `out` has room
/// for `n` outcomes. It is filled with STANDIN_DENY before anything is looked
/// at; if one request is malformed, nothing is decided and all stay denied. More
/// requests than that are taken for a mistake: nothing is written then.
///
/// STANDIN_UNDECIDED is an outcome, not a status: the call has succeeded, and
/// the client should be told to try again. A session that has ended or expired
/// gets denials.
///
/// Returns STANDIN_OK; STANDIN_INVALID_ARGUMENT; STANDIN_UNKNOWN_ID when the
/// session is gone; STANDIN_FORKED. Whatever it is but STANDIN_OK, everything
/// is denied.
///
/// # Safety
/// Pointers are null or point to what the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn standin_authorize(
    session: standin_session,
    batch: *const standin_batch,
    requests: *const standin_request,
    stride: usize,
    n: usize,
    out: *mut standin_outcome,
) -> standin_status {
    // SAFETY: as the caller promises.
    let out = unsafe { Outcomes::deny(out, n) };
    let call = Call { session, batch, requests, stride, n, out };
    // SAFETY: as the caller promises.
    entry(|| unsafe { if repeat(&call) { Ok(()) } else { decide(&call) } })
}

/// What came through [`standin_authorize`]: in one place, so that no more than a
/// reference to it crosses the boundary, which every decision waits for.
struct Call {
    session: standin_session,
    batch: *const standin_batch,
    requests: *const standin_request,
    stride: usize,
    n: usize,
    out: Option<Outcomes>,
}

/// No outcomes to write, or too many.
#[cold]
fn nowhere() -> Fault {
    Fault { status: Status::InvalidArgument, text: String::new(), subject: None }
}

/// True when the call is the commonest one, a single question that this thread
/// remembers the answer to: that is written then. Whatever is wrong with a call
/// is left to [`decide`]. As little code as can be: a host that comes from the
/// kernel with each message finds none of it in the processor's nearest cache.
///
/// # Safety
/// As [`standin_authorize`].
#[inline(always)]
unsafe fn repeat(call: &Call) -> bool {
    if call.n != 1 || !call.batch.is_null() {
        return false;
    }
    let Some(out) = &call.out else { return false };
    // SAFETY: as the caller promises.
    let Some(request) = (unsafe { memory::single(call.requests, call.stride) }) else { return false };
    let standin_request { action, flags, resource, count, reserved } = request;
    if flags & !FLAGS != 0 || reserved != 0 {
        return false;
    }
    // SAFETY: as the caller promises.
    let (Some(id), Some(name)) = (known_form(call.session), unsafe { memory::unread_name(resource) }) else {
        return false;
    };
    let known = mechanism::repeat(id, ActionId(action), name, count.max(1));
    if known {
        out.put(&[Outcome::Allow]);
    }
    known
}

/// # Safety
/// As [`standin_authorize`].
#[inline(never)]
unsafe fn decide(call: &Call) -> Result<(), Fault> {
    let n = call.n;
    let out = call.out.as_ref().ok_or_else(nowhere)?;
    let id = session_id(call.session)?;
    // SAFETY: as the caller promises; nothing is written.
    let (batch, rows) = unsafe {
        let rows = Rows::new(call.requests.cast_mut(), call.stride, n, MOST_REQUESTS, "requests")?;
        (batch(call.batch)?, rows)
    };
    if n == 1 {
        // SAFETY: as the caller promises.
        let ask = unsafe { read(&rows, 0) }?;
        out.put(&[mechanism::authorize_one(id, batch, ask)?.0]);
        return Ok(());
    }
    // All are read before the first is decided.
    let mut few = [NOTHING; FEW];
    let many;
    let asks: &[Ask<'_>] = match few.get_mut(..n) {
        Some(few) => {
            for (n, ask) in few.iter_mut().enumerate() {
                // SAFETY: as the caller promises.
                *ask = unsafe { read(&rows, n) }?;
            }
            few
        }
        None => {
            // SAFETY: as the caller promises.
            many = (0..n).map(|n| unsafe { read(&rows, n) }).collect::<Result<Vec<_>, _>>()?;
            &many
        }
    };
    let mut few = [Outcome::Deny; FEW];
    let mut many;
    let outcomes: &mut [Outcome] = match few.get_mut(..n) {
        Some(few) => few,
        None => {
            many = vec![Outcome::Deny; n];
            &mut many
        }
    };
    mechanism::engine_of(id, |e| e.authorize(id, batch, asks.iter().copied(), outcomes))??;
    out.put(outcomes);
    Ok(())
}

/// # Safety
/// As [`standin_authorize`].
#[inline(always)]
unsafe fn read<'a>(rows: &Rows<standin_request>, n: usize) -> Result<Ask<'a>, Fault> {
    let request = rows.get(n).ok_or_else(|| invalid("requests"))?;
    // SAFETY: as the caller promises.
    unsafe { ask(request) }
}

/// Decides whether a session's client may do an action on at least one resource
/// of the action's type.
///
/// `batch` may be null. `out` is STANDIN_DENY before anything is looked at.
///
/// Returns as standin_authorize.
///
/// # Safety
/// Pointers are null or point to what the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn standin_authorize_any(
    session: standin_session,
    batch: *const standin_batch,
    action: u32,
    out: *mut standin_outcome,
) -> standin_status {
    // SAFETY: as the caller promises.
    let out = unsafe { Outcomes::deny(out, 1) };
    entry(|| {
        let (out, id) = (out.ok_or_else(nowhere)?, session_id(session)?);
        // SAFETY: as the caller promises.
        let batch = unsafe { self::batch(batch) }?;
        let outcome = mechanism::engine_of(id, |e| e.authorize_any(id, batch, ActionId(action)))??;
        out.put(&[outcome]);
        Ok(())
    })
}

/// Explains how a question is decided at this moment: outcome, reason, the
/// statement it comes from, principal, state of the session. One JSON object,
/// for the operator; it names policies, so it is not for clients. Nothing is
/// counted or recorded. Takes some microseconds.
///
/// `batch` may be null. `out` gets the text.
///
/// Returns STANDIN_OK; STANDIN_INVALID_ARGUMENT; STANDIN_BUFFER_TOO_SMALL;
/// STANDIN_UNKNOWN_ID; STANDIN_FORKED.
///
/// # Safety
/// Pointers are null or point to what the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn standin_explain(
    session: standin_session,
    batch: *const standin_batch,
    request: *const standin_request,
    out: *mut standin_buffer,
) -> standin_status {
    // SAFETY: as the caller promises.
    let out = unsafe { Buffer::new(out, "out") };
    entry(|| {
        let out = out?;
        // SAFETY: as the caller promises; nothing is written to the request.
        let (batch, ask) = unsafe {
            let request = Rows::new(request.cast_mut(), size_of::<standin_request>(), 1, 1, "request")?;
            let request = request.get(0).ok_or_else(|| invalid("request"))?;
            (self::batch(batch)?, ask(request)?)
        };
        let id = session_id(session)?;
        let explained = mechanism::engine_of(id, |engine| engine.explain(id, batch, ask))??;
        out.put(explained.to_string().as_bytes())
    })
}

/// How a session stands.
///
/// `out` gets state and deadline. `names` may be null; else it gets principal
/// (an ARN), session name, access key id and listener, each followed by a NUL.
///
/// Returns STANDIN_OK; STANDIN_INVALID_ARGUMENT; STANDIN_BUFFER_TOO_SMALL
/// (`out` is written, `names` says how much is needed); STANDIN_UNKNOWN_ID;
/// STANDIN_FORKED.
///
/// # Safety
/// Pointers are null or point to what the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn standin_session_info(
    session: standin_session,
    out: *mut standin_info,
    names: *mut standin_buffer,
) -> standin_status {
    // SAFETY: as the caller promises.
    let (out, names) = unsafe { (Slot::new(out, "out"), Buffer::wanted(names, "names")) };
    entry(|| {
        let (out, names) = (out?, names?);
        let id = session_id(session)?;
        let info = mechanism::engine_of(id, |engine| engine.info(id))??;
        let state = match info.state {
            "binding" => STANDIN_SESSION_BINDING,
            "live" => STANDIN_SESSION_LIVE,
            "expired" => STANDIN_SESSION_EXPIRED,
            _ => STANDIN_SESSION_ENDED,
        };
        out.put(&standin_info { size: 0, state, deadline_unix_ms: info.deadline });
        let Some(names) = names else { return Ok(()) };
        let mut text = Vec::new();
        for name in [&info.principal, &info.session_name, &info.access_key_id, &info.listener] {
            // A NUL in a listener's name would shift what follows it.
            text.extend(name.bytes().filter(|b| *b != 0));
            text.push(0);
        }
        names.put(&text)
    })
}

/// The connection is closed: the session serves what is still going on, for
/// `grace_ms` at most, and is gone then. Called twice, the earlier end counts.
///
/// Returns STANDIN_OK; STANDIN_UNKNOWN_ID; STANDIN_FORKED.
#[unsafe(no_mangle)]
pub extern "C" fn standin_session_retire(session: standin_session, grace_ms: u32) -> standin_status {
    entry(|| {
        let id = session_id(session)?;
        gone(mechanism::engine_of(id, |engine| engine.agent().retire(id, grace_ms.into()))?)
    })
}

/// The session is gone at once. Calls that other threads are in finish. One that
/// was brought in by standin_session_import stays, for when the same bytes come
/// again, until its deadline.
///
/// Returns STANDIN_OK; STANDIN_UNKNOWN_ID, also when called twice;
/// STANDIN_FORKED.
#[unsafe(no_mangle)]
pub extern "C" fn standin_session_release(session: standin_session) -> standin_status {
    entry(|| {
        let id = session_id(session)?;
        gone(mechanism::engine_of(id, |engine| engine.agent().release(id))?)
    })
}

fn gone(known: bool) -> Result<(), Fault> {
    if known { Ok(()) } else { Err(Fault::new(Status::UnknownId, "the session is not known or gone")) }
}

/// Seals a session for another host of the same service, which brings it in
/// with standin_session_import: for requests that one server passes to another.
/// The same bytes come out until something about it changes; they hold no
/// secret and cannot be altered. About 1 KiB, at most 16 KiB.
///
/// Returns STANDIN_OK; STANDIN_INVALID_ARGUMENT; STANDIN_BUFFER_TOO_SMALL;
/// STANDIN_UNKNOWN_ID; STANDIN_REVOKED when it was ended; a -3xx when it cannot
/// be sealed now; STANDIN_FORKED.
///
/// # Safety
/// Pointers are null or point to what the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn standin_session_export(session: standin_session, out: *mut standin_buffer) -> standin_status {
    // SAFETY: as the caller promises.
    let out = unsafe { Buffer::new(out, "out") };
    entry(|| {
        let out = out?;
        let id = session_id(session)?;
        out.put(&files::run(move || mechanism::engine_of(id, |engine| engine.export(id)))???)
    })
}

/// Brings in a session that another host has sealed. The same bytes give the
/// same session as long as it is there. Waits for the service up to `wait_ms`.
///
/// Returns STANDIN_OK; STANDIN_INVALID_ARGUMENT; STANDIN_UNKNOWN_ID;
/// STANDIN_CLOSED when the engine is being closed; a -2xx when it was altered,
/// has ended, or its client has no rights any more; a -3xx when it could not be
/// decided; STANDIN_FORKED.
///
/// # Safety
/// Pointers are null or point to what the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn standin_session_import(
    engine: super::types::standin_engine,
    sealed: super::types::standin_bytes,
    wait_ms: u32,
    out: *mut standin_session,
) -> standin_status {
    // SAFETY: as the caller promises.
    let out = unsafe { memory::Cell::new(out, "out") };
    entry(|| {
        // SAFETY: as the caller promises.
        let (out, sealed) = (out?, unsafe { memory::bytes(sealed, "sealed") }?);
        let (engine, sealed) = (super::handle::engine(engine)?, sealed.to_vec());
        let brought = files::run(move || engine.import(&sealed, Duration::from_millis(wait_ms.into())))??;
        out.put(brought.number().unsigned_abs());
        Ok(())
    })
}
