// SPDX-License-Identifier: Apache-2.0
//! The security service itself, on a database: identities, keys,
//! policies, roles, issuing, changes, live sessions, and the durable record of
//! administration.
//!
//! Every write is one transaction that takes the next revision, writes its
//! rows, its change rows and its audit record, and is on the disk before it is
//! answered.

mod assume;
mod backup;
mod changes;
mod collected;
mod credentials;
mod database;
mod denials;
mod files;
mod groups;
mod hosts;
mod issue;
mod keys;
mod making;
mod managed;
mod pages;
mod policies;
mod pool;
mod providers;
mod quotas;
mod roles;
mod rulings;
pub mod schema;
mod sealing;
mod sessions;
mod sqlite;
mod store;
mod tagging;
mod users;
mod web;

pub use assume::AssumeRole;
pub use changes::{ChangeRow, Kind as ChangeKind};
pub use collected::Collected;
pub use credentials::Shown;
pub use database::{AsValue, Connection, Database, Each, FromValue, Row, Value, Work, forbidden};
pub use denials::DenialRow;
pub use hosts::HostRow;
pub use issue::TemporaryCredentials;
pub use keys::{KeyRow, LoginRow};
pub use making::{NewRole, NewUser};
pub use managed::{ManagedPolicy, NewPolicy, PolicyEntity, PolicyVersion};
pub use pages::{GroupRow, Page};
pub use policies::{Attached, Effective, Own, Owner, PolicyRow};
pub use pool::{Pool, Room};
pub use providers::{NewProvider, Provider};
pub use quotas::{QUOTAS, Quota, Quotas, Usage};
pub use roles::RoleRow;
pub use rulings::Ruling;
pub use sealing::Rotation;
pub use sessions::{SessionReport, SessionRow};
pub use store::{AdminRow, Joined, Store, StoreFiles, StoreIn, Transactions, View};
pub use tagging::Tagged;
pub use users::UserRow;
pub use web::WebIdentity;

/// Who acts when a host does something by itself.
fn host_actor(host: &crate::identity::Identity) -> String {
    crate::credential::host::host_name(host)
}
