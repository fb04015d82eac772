// SPDX-License-Identifier: Apache-2.0
//! The actions a host asks about, as small numbers.

use aws_lc_rs::digest;

/// Number of an action in its [`ActionTable`]. Zero is never given out and is
/// always denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ActionId(pub u32);

/// One action on one type of resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// `service:Name`, such as `kafka-cluster:ReadData`.
    pub name: Box<str>,
    /// Type of the resource, such as `topic`, when resources are asked about
    /// by name; empty when they are asked about by their whole ARN.
    pub resource_type: Box<str>,
    /// True when an outage of the service must not stop it at once.
    pub rides_out: bool,
}

/// The actions of one host.
#[derive(Clone, Debug, Default)]
pub struct ActionTable {
    actions: Vec<Action>,
    fingerprint: [u8; 32],
}

impl ActionTable {
    /// A table without actions.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of this action, made when it is new.
    pub fn intern(&mut self, name: &str, resource_type: &str) -> ActionId {
        self.find(name, resource_type).unwrap_or_else(|| {
            self.actions.push(Action { name: name.into(), resource_type: resource_type.into(), rides_out: false });
            let mut hash = digest::Context::new(&digest::SHA256);
            hash.update(&self.fingerprint);
            for text in [name, resource_type] {
                hash.update(&(text.len() as u64).to_le_bytes());
                hash.update(text.as_bytes());
            }
            self.fingerprint.copy_from_slice(hash.finish().as_ref());
            Self::id(self.actions.len() - 1)
        })
    }

    /// Marks an action as one that an outage of the service must not stop at
    /// once.
    pub fn let_ride(&mut self, id: ActionId) {
        let index = usize::try_from(id.0).ok().and_then(|n| n.checked_sub(1));
        if let Some(action) = index.and_then(|n| self.actions.get_mut(n)) {
            action.rides_out = true;
        }
    }

    /// The number of this action, if it has one.
    #[must_use]
    pub fn find(&self, name: &str, resource_type: &str) -> Option<ActionId> {
        self.actions
            .iter()
            .position(|a| a.name.eq_ignore_ascii_case(name) && *a.resource_type == *resource_type)
            .map(Self::id)
    }

    /// Equal only for tables that give the same numbers to the same actions.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }

    fn id(index: usize) -> ActionId {
        ActionId(u32::try_from(index + 1).unwrap_or(0))
    }

    /// The action of a number.
    #[must_use]
    pub fn get(&self, id: ActionId) -> Option<&Action> {
        self.actions.get(usize::try_from(id.0).ok()?.checked_sub(1)?)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.actions.len()
    }

    /// True when there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Action> {
        self.actions.iter()
    }
}
