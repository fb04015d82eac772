// SPDX-License-Identifier: Apache-2.0
//! The actions a host asks about, as small numbers.

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
}

/// The actions of one host.
#[derive(Clone, Debug, Default)]
pub struct ActionTable(Vec<Action>);

impl ActionTable {
    /// A table without actions.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of this action, made when it is new.
    pub fn intern(&mut self, name: &str, resource_type: &str) -> ActionId {
        self.find(name, resource_type).unwrap_or_else(|| {
            self.0.push(Action { name: name.into(), resource_type: resource_type.into() });
            Self::id(self.0.len() - 1)
        })
    }

    /// The number of this action, if it has one.
    #[must_use]
    pub fn find(&self, name: &str, resource_type: &str) -> Option<ActionId> {
        self.0
            .iter()
            .position(|a| a.name.eq_ignore_ascii_case(name) && *a.resource_type == *resource_type)
            .map(Self::id)
    }

    fn id(index: usize) -> ActionId {
        ActionId(u32::try_from(index + 1).unwrap_or(0))
    }

    /// The action of a number.
    #[must_use]
    pub fn get(&self, id: ActionId) -> Option<&Action> {
        self.0.get(usize::try_from(id.0).ok()?.checked_sub(1)?)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Action> {
        self.0.iter()
    }
}
