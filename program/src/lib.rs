// SPDX-License-Identifier: Apache-2.0
//! What the `standin` program is made of beside its commands: where stores
//! are, and the store on PostgreSQL. A library for the program and its tests.

pub mod postgres;
pub mod store;
