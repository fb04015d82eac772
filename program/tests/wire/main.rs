// SPDX-License-Identifier: Apache-2.0
//! The service on another machine: a real `standin serve` over TLS, asked by
//! the library as brokers ask it, in fair weather and in bad.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod api;
mod between;
mod conformance;
mod crowds;
mod delivery;
mod denied;
mod disks;
mod engine;
mod host;
mod hosts;
mod kills;
mod limits;
mod load;
mod monitoring;
mod place;
mod planes;
mod raw;
mod serving;
mod storms;
mod weather;
