// SPDX-License-Identifier: Apache-2.0
//! The mechanism: the part that runs in the host's own threads. It
//! authenticates a connection, binds it to a session with a deadline, and
//! authorizes each operation of it.

mod authenticate;
mod authorize;
mod engine;
mod explain;
mod forward;
mod later;
mod login;
mod metrics;
mod profile;
mod registry;
mod repeat;
mod shadow;

pub use authorize::Batch;
pub use engine::{Engine, Outside, SessionInfo};
pub use login::{LoggedIn, Login, Refusal};
pub use metrics::METRICS;
pub use registry::{close, engine, engine_of, open, open_with, settings_of};
pub use repeat::{authorize_one, repeat};
pub use shadow::Enforced;
