// SPDX-License-Identifier: Apache-2.0
//! The security service itself, on one SQLite file: identities, keys,
//! policies, roles, issuing, changes, live sessions, and the durable record of
//! administration.
//!
//! Every write is one transaction that takes the next revision, writes its
//! rows, its change rows and its audit record, and is on the disk before it is
//! answered.

mod assume;
mod changes;
mod files;
mod groups;
mod hosts;
mod keys;
mod policies;
mod roles;
mod schema;
mod sessions;
mod store;
mod users;

pub use assume::{AssumeRole, TemporaryCredentials};
pub use changes::{ChangeRow, Kind as ChangeKind};
pub use hosts::HostRow;
pub use keys::{KeyRow, LoginRow};
pub use policies::{Attached, Effective, Own, Owner, PolicyRow};
pub use roles::RoleRow;
pub use sessions::{SessionReport, SessionRow};
pub use store::{AdminRow, Store, StoreFiles};
pub use users::UserRow;

/// Who acts when a host does something by itself.
fn host_actor(host: &crate::identity::Identity) -> String {
    crate::credential::host::host_name(host)
}
