// SPDX-License-Identifier: Apache-2.0
//! The engine on a real store: logins, operations, changes, bounds, and what
//! it does when the service does not answer. Time is moved by hand where a rule
//! is about time; between agent and service stands a stub that records every
//! call and can be told to fail.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod any;
mod audit;
mod binding;
mod changes;
mod connections;
mod deadlines;
mod events;
mod evidence;
mod faults;
mod forwarded;
mod house;
mod limits;
mod login;
mod remote;
mod repeats;
mod service;
mod shadow;
mod sharing;
