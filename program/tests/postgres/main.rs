// SPDX-License-Identifier: Apache-2.0
//! The store on a real PostgreSQL server: the suite that SQLite passes too,
//! several services on one database, and what happens when it goes away.
//!
//! The server's URL is in `STANDIN_TEST_POSTGRES`; `scripts/test` starts one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../../../tests/access_control/every.rs"]
mod every;
#[path = "../../../tests/access_control/history.rs"]
mod history;
#[path = "../../../tests/access_control/managed.rs"]
mod managed;
#[path = "../../../tests/access_control/people.rs"]
mod people;
#[path = "../../../tests/access_control/quotas.rs"]
mod quotas;
#[path = "../../../tests/access_control/readers.rs"]
mod readers;
#[path = "../../../tests/access_control/sealing.rs"]
mod sealing;

#[path = "../wire/host.rs"]
#[allow(dead_code, reason = "each test uses what it needs")]
mod host;
#[path = "../wire/load.rs"]
#[allow(dead_code, reason = "each test uses what it needs")]
mod load;
#[path = "../wire/place.rs"]
#[allow(dead_code, reason = "each test uses what it needs")]
mod place;
#[path = "../wire/raw.rs"]
#[allow(dead_code, reason = "each test uses what it needs")]
mod raw;

mod opening;
mod outages;
mod replicas;
mod server;
mod serving;
mod support;
mod tls;
mod weather;
