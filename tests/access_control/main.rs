// SPDX-License-Identifier: Apache-2.0
//! The embedded security service: its file, its revisions, and what is kept in
//! it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod backup;
mod every;
mod file;
mod history;
mod managed;
mod people;
mod quotas;
mod readers;
mod sealing;
mod support;
mod upgrade;
