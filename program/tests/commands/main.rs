// SPDX-License-Identifier: Apache-2.0
//! The commands of the program, each run as a process.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod administration;
mod audit;
mod checking;
mod declared;
mod doctor;
mod explain;
mod place;
mod policies;
