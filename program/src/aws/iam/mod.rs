// SPDX-License-Identifier: Apache-2.0
//! The operations of IAM, one file for each kind of thing.

pub(super) mod account;
pub(super) mod attached;
pub(super) mod boundaries;
pub(super) mod groups;
pub(super) mod inline;
pub(super) mod keys;
mod page;
pub(super) mod policies;
pub(super) mod providers;
pub(super) mod roles;
pub(super) mod simulation;
pub(super) mod tags;
pub(super) mod users;
pub(super) mod versions;
