// SPDX-License-Identifier: Apache-2.0
//! The store's one monotone counter, and values read at a point of it.

/// A point in the history of the store. Every commit has its own, larger than
/// every earlier one; every answer carries the one it was read at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Revision(pub u64);

/// A value together with the revision it was read at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At<T> {
    /// The revision the value was read at.
    pub revision: Revision,
    /// The value.
    pub value: T,
}
