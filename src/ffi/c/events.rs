// SPDX-License-Identifier: Apache-2.0
//! Logging in without waiting, and what happens behind the host's back.

use super::memory::{Buffer, invalid};
use super::types::{standin_buffer, standin_engine, standin_event, standin_login, standin_status};
use super::{entry, handle};
use crate::ffi::boundary::guarded;

/// Starts a login and returns at once: for hosts with an event loop.
///
/// Returns STANDIN_OK; STANDIN_INVALID_ARGUMENT; STANDIN_UNKNOWN_ID;
/// STANDIN_BUSY; STANDIN_FORKED.
///
/// # Safety
/// Pointers are null or point to what the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn standin_login_start(
    engine: standin_engine,
    _login: *const standin_login,
    _wait_ms: u32,
    _tag: u64,
) -> standin_status {
    entry(|| {
        handle::engine(engine)?;
        Err(invalid("not yet"))
    })
}

/// A descriptor to poll.
#[unsafe(no_mangle)]
pub extern "C" fn standin_event_fd(engine: standin_engine) -> core::ffi::c_int {
    guarded(|| {
        handle::engine(engine)?;
        Ok(-1)
    })
    .unwrap_or(-1)
}

/// Takes events.
///
/// # Safety
/// Pointers are null or point to what the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn standin_events(
    engine: standin_engine,
    _out: *mut standin_event,
    _stride: usize,
    _cap: usize,
    _n: *mut usize,
) -> standin_status {
    entry(|| {
        handle::engine(engine)?;
        Err(invalid("not yet"))
    })
}

/// Writes the id of a login.
///
/// # Safety
/// Pointers are null or point to what the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn standin_request_id(
    engine: standin_engine,
    _request: u64,
    text: *mut standin_buffer,
) -> standin_status {
    entry(|| {
        // SAFETY: as the caller promises.
        let _text = unsafe { Buffer::new(text, "text") }?;
        handle::engine(engine)?;
        Err(invalid("not yet"))
    })
}
