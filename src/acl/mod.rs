// SPDX-License-Identifier: Apache-2.0
//! Kafka's access control lists, for moving from them to policies and back:
//! reading them, turning them into policies, and which principal is which
//! identity.

mod actions;
mod convert;
mod entry;
mod principals;

pub use convert::{Conversion, Converted, convert};
pub use entry::{Entry, Names};
pub use principals::{Principals, Standing};
