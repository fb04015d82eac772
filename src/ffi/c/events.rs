// SPDX-License-Identifier: Apache-2.0
//! What happens behind the host's back.

use std::ffi::c_int;

use super::memory::{Buffer, Cell, Rows};
use super::types::{
    STANDIN_EVENT_LOGIN_DONE, STANDIN_EVENT_SESSION_ENDED, STANDIN_EVENT_SESSION_EXPIRED, standin_buffer,
    standin_engine, standin_event, standin_status,
};
use super::{entry, fork, handle};
use crate::agent::Happened;
use crate::fault::{Fault, Status};
use crate::ffi::boundary::guarded;

/// Most events taken at once.
const MOST_EVENTS: usize = 65_536;

/// A descriptor that is readable as long as standin_events has something, for
/// poll, epoll or the like. It is the engine's: do not read, write or close it.
/// It stays the same, and standin_close closes it.
///
/// The first call also turns the events about sessions on
/// (STANDIN_EVENT_SESSION_ENDED and _EXPIRED): without it only logins are told.
///
/// Returns the descriptor; -1 when the engine is not open, the process has no
/// descriptor left, or this is a forked child.
#[unsafe(no_mangle)]
pub extern "C" fn standin_event_fd(engine: standin_engine) -> c_int {
    let descriptor = guarded(|| {
        fork::check()?;
        let open = handle::engine(engine)?;
        let descriptor = open.agent().events().descriptor()?;
        open.agent().tell_of_sessions();
        Ok(descriptor)
    });
    descriptor.unwrap_or(-1)
}

/// Takes what has happened, oldest first, at most `cap` events, each `stride`
/// bytes (`sizeof(standin_event)`) from the next. `n` becomes how many; 0 when
/// there are none. Never waits.
///
/// Sessions deny from the moment they ended or expired, whether the event was
/// taken or not; it is there so that the host can disconnect the client. The
/// host still releases them. Ends of 65,536 sessions are kept; logins never get
/// lost.
///
/// Returns STANDIN_OK; STANDIN_INVALID_ARGUMENT; STANDIN_UNKNOWN_ID;
/// STANDIN_FORKED.
///
/// # Safety
/// Pointers are null or point to what the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn standin_events(
    engine: standin_engine,
    out: *mut standin_event,
    stride: usize,
    cap: usize,
    n: *mut usize,
) -> standin_status {
    // SAFETY: as the caller promises.
    let n = unsafe { Cell::new(n, "n") };
    entry(|| {
        // SAFETY: as the caller promises.
        let (n, rows) = (n?, unsafe { Rows::new(out, stride, cap, MOST_EVENTS, "out") }?);
        let open = handle::engine(engine)?;
        let events = open.agent().events().take(rows.count)?;
        for (place, event) in events.iter().enumerate() {
            let kind = match event.happened {
                Happened::LoginDone => STANDIN_EVENT_LOGIN_DONE,
                Happened::SessionEnded => STANDIN_EVENT_SESSION_ENDED,
                Happened::SessionExpired => STANDIN_EVENT_SESSION_EXPIRED,
            };
            let row = standin_event {
                size: 0,
                kind,
                status: event.status.map_or(0, Status::number),
                reserved: 0,
                tag: event.tag,
                session: event.session.map_or(0, |id| id.number().unsigned_abs()),
                deadline_unix_ms: event.deadline.0,
                request: open.request_number(&event.request_id),
            };
            rows.put(place, &row);
        }
        n.put(events.len());
        Ok(())
    })
}

/// The id of a login as it stands in log and audit (`standin audit --request`),
/// and in the text that its client was sent.
///
/// `request` is the number of a result or an event. `text` gets the id.
///
/// Returns STANDIN_OK; STANDIN_INVALID_ARGUMENT; STANDIN_BUFFER_TOO_SMALL;
/// STANDIN_NOT_FOUND when there was no such login; STANDIN_UNKNOWN_ID;
/// STANDIN_FORKED.
///
/// # Safety
/// Pointers are null or point to what the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn standin_request_id(
    engine: standin_engine,
    request: u64,
    text: *mut standin_buffer,
) -> standin_status {
    // SAFETY: as the caller promises.
    let text = unsafe { Buffer::new(text, "text") };
    entry(|| {
        let text = text?;
        let id = handle::engine(engine)?.request_text(request);
        text.put(id.ok_or_else(|| Fault::new(Status::NotFound, "there was no such login"))?.as_bytes())
    })
}
