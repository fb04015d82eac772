// SPDX-License-Identifier: Apache-2.0
//! Kafka's access control lists, for moving from them to policies and back:
//! which principal is which identity.

mod principals;

pub use principals::{Principals, Standing};
