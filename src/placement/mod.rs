// SPDX-License-Identifier: Apache-2.0
//! The agent as a process of its own: it holds what is secret, the host holds
//! sessions, contexts and caches. Between them is a Unix socket.
//!
//! In the agent's process the [`Keeper`] stands before the security service and
//! keeps back what it issues; the [`Server`] answers hosts. In the host the
//! [`Link`] takes the service's place. Everything else is the same in both
//! placements.

mod cache;
mod form;
mod frame;
mod keeper;
mod link;
mod message;
mod peer;
mod server;
mod table;

pub use cache::Cache;
pub use frame::{Frame, LONGEST, Line};
pub use keeper::Keeper;
pub use link::Link;
pub use message::{Hello, Reply, Request, VERSIONS};
pub use peer::{check_directory, check_socket};
pub use server::Server;
