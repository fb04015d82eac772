// SPDX-License-Identifier: Apache-2.0
//! The policy language: tables, what holds for all policies, who may assume a
//! role, and the work of a decision.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod hostile;
mod oracle;
mod properties;
mod tables;
mod trust;
mod work;
