// SPDX-License-Identifier: Apache-2.0
//! The tests of the engine once more, with everything secret held by an agent
//! behind a socket: the same outcomes in both placements.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../engine/any.rs"]
mod any;
#[path = "../engine/audit.rs"]
mod audit;
#[path = "../engine/binding.rs"]
mod binding;
#[path = "../engine/changes.rs"]
mod changes;
#[path = "../engine/deadlines.rs"]
mod deadlines;
#[path = "../engine/events.rs"]
mod events;
#[path = "../engine/evidence.rs"]
mod evidence;
#[path = "../engine/faults.rs"]
mod faults;
#[path = "../engine/forwarded.rs"]
mod forwarded;
#[path = "../engine/house.rs"]
mod house;
#[path = "../engine/limits.rs"]
mod limits;
#[path = "../engine/login.rs"]
mod login;
mod protocol;
#[path = "../engine/remote.rs"]
mod remote;
#[path = "../engine/repeats.rs"]
mod repeats;
#[path = "../engine/service.rs"]
mod service;
#[path = "../engine/shadow.rs"]
mod shadow;
#[path = "../engine/sharing.rs"]
mod sharing;
