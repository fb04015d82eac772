// SPDX-License-Identifier: Apache-2.0
//! `standin agent` as a process of its own user, and hosts that talk to it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod host;
mod isolation;
mod memory;
mod outage;
mod place;
