// SPDX-License-Identifier: Apache-2.0
//! Standin: request-based security for connection-based servers.
//!
//! A server that checks its clients once, when they connect, loads this
//! library as its authenticator and authorizer. A credential that *stands in*
//! for each client is kept next to the server, and every operation on the open
//! connection is decided with it, from local data, under IAM policies.
//!
//! Rooms, from the ground up (each may use only what stands above it here):
//!
//! | room | holds |
//! |---|---|
//! | [`time`], [`fault`], [`revision`] | clock and randomness, the error taxonomy, the store's counter |
//! | [`files`] | whose open files these are: the host's or the library's own |
//! | [`identity`], [`channel`], [`decision`] | who, over which connection, what was asked and what came out |
//! | [`connection`] | the host's own TCP connections, found among its descriptors |
//! | [`policy`] | IAM policy documents: parse, compile, evaluate |
//! | [`acl`] | Kafka's access control lists, for moving from them and back |
//! | [`settings`] | every setting, once |
//! | [`credential`] | formats of credentials: SigV4, secrets, sealed tokens |
//! | [`audit`] | records, windows, queue, sinks |
//! | [`access_control`] | the security service: identities, keys, policies, issuing, changes |
//! | [`service`] | the traits between agent and security service, and their connectors |
//! | [`session`] | sessions, the contexts they decide with, decisions already made |
//! | [`placement`] | the agent as a process of its own, and the link to it |
//! | [`agent`] | credential table, change feed, worker |
//! | [`mechanism`] | engine, authenticate, authorize |
//! | `ffi` | the doors; the only `unsafe` code |

pub mod access_control;
pub mod acl;
pub mod agent;
pub mod audit;
pub mod channel;
pub mod connection;
pub mod credential;
pub mod decision;
pub mod fault;
mod ffi;
pub mod files;
pub mod identity;
pub mod mechanism;
pub mod placement;
pub mod policy;
pub mod revision;
pub mod service;
pub mod session;
pub mod settings;
pub mod time;
