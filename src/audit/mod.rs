// SPDX-License-Identifier: Apache-2.0
//! Who did what: records, the queue between the deciding threads and the
//! writer, and the files they end in.
//!
//! What is promised: logins, issuance, administration and flagged denials are
//! records of their own; allowed operations and repeated denials are counted
//! per (subject, actors, action, resource, outcome, window). Numbers run per
//! boot without gaps, so a lost record shows. A kill of the process loses at
//! most one flush interval.

mod delivery;
mod file;
mod line;
mod queue;
mod record;

pub(crate) use delivery::{Batch, Delivery, RECORDS};
pub use file::Files;
pub use queue::{Journal, Recorder};
pub use record::{Event, Operation, Record, Who, one_line};
