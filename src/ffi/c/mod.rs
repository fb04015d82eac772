// SPDX-License-Identifier: Apache-2.0
//! The C door: the functions of `include/standin.h`, which is written from
//! these files by cbindgen; a test compares them. The documentation in here is
//! the header's.
//!
//! Every function checks what it is given, runs behind the boundary, and
//! answers with a status. Outcomes are denied before anything else happens.

#![allow(unreachable_pub, reason = "cbindgen writes what is public into the header")]

mod apart;
mod engine;
mod events;
mod fork;
mod handle;
mod login;
mod memory;
mod records;
mod session;
mod signals;
mod status;
mod types;

use crate::fault::Fault;
use crate::ffi::boundary::guarded_number;

/// Runs an entry behind the boundary; never in a forked child.
#[inline(always)]
fn entry(body: impl FnOnce() -> Result<(), Fault>) -> types::standin_status {
    guarded_number(|| {
        fork::check()?;
        body().map(|()| 0)
    })
}
