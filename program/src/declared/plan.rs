// SPDX-License-Identifier: Apache-2.0
//! From what is to what is wanted: steps, and carrying them out.

use std::collections::BTreeMap;
use std::fmt;

use standin::access_control::{Owner, StoreIn, Transactions};
use standin::fault::{Fault, Status};

use super::files::Declared;
use super::{Holder, Person, State};

/// What a step is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Group,
    User,
    Role,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::User => "user",
            Self::Role => "role",
        }
    }

    fn owner(self, name: &str) -> Owner<'_> {
        match self {
            Self::Group => Owner::Group(name),
            Self::User => Owner::User(name),
            Self::Role => Owner::Role(name),
        }
    }
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    PutPolicy { name: String, path: String, document: String, new: bool },
    Create { kind: Kind, name: String, path: String, tags: Vec<(String, String)>, role: Option<(String, i64)> },
    UpdateRole { name: String, trust: Option<String>, longest: Option<i64> },
    Tag { kind: Kind, name: String, tags: Vec<(String, String)> },
    SetDisabled { kind: Kind, name: String, disabled: bool },
    PutInline { kind: Kind, name: String, policy: String, document: String },
    DeleteInline { kind: Kind, name: String, policy: String },
    Attach { kind: Kind, name: String, policy: String },
    Detach { kind: Kind, name: String, policy: String },
    SetBoundary { kind: Kind, name: String, policy: Option<String> },
    Join { name: String, group: String },
    Leave { name: String, group: String },
    Delete { kind: Kind, name: String },
    DeletePolicy { name: String },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PutPolicy { name, new: true, .. } => write!(f, "+ policy {name}"),
            Self::PutPolicy { name, .. } => write!(f, "~ policy {name}: a new version"),
            Self::Create { kind, name, .. } => write!(f, "+ {} {name}", kind.word()),
            Self::UpdateRole { name, trust, longest } => {
                let what: Vec<&str> = [trust.as_ref().map(|_| "trust policy"), longest.map(|_| "longest session")]
                    .into_iter()
                    .flatten()
                    .collect();
                write!(f, "~ role {name}: {}", what.join(" and "))
            }
            Self::Tag { kind, name, .. } => write!(f, "~ {} {name}: tags", kind.word()),
            Self::SetDisabled { kind, name, disabled } => {
                write!(f, "~ {} {name}: {}", kind.word(), if *disabled { "disabled" } else { "enabled" })
            }
            Self::PutInline { kind, name, policy, .. } => write!(f, "~ {} {name}: inline policy {policy}", kind.word()),
            Self::DeleteInline { kind, name, policy } => {
                write!(f, "~ {} {name}: without inline policy {policy}", kind.word())
            }
            Self::Attach { kind, name, policy } => write!(f, "~ {} {name}: policy {policy}", kind.word()),
            Self::Detach { kind, name, policy } => write!(f, "~ {} {name}: without policy {policy}", kind.word()),
            Self::SetBoundary { kind, name, policy: Some(policy) } => {
                write!(f, "~ {} {name}: boundary {policy}", kind.word())
            }
            Self::SetBoundary { kind, name, policy: None } => write!(f, "~ {} {name}: without boundary", kind.word()),
            Self::Join { name, group } => write!(f, "~ user {name}: in group {group}"),
            Self::Leave { name, group } => write!(f, "~ user {name}: not in group {group}"),
            Self::Delete { kind: Kind::User, name } => write!(f, "- user {name}, with its keys"),
            Self::Delete { kind, name } => write!(f, "- {} {name}", kind.word()),
            Self::DeletePolicy { name } => write!(f, "- policy {name}"),
        }
    }
}

/// Steps in an order in which each can be done.
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
}

impl Plan {
    /// What has to be done.
    ///
    /// # Errors
    /// When a path differs, which nothing can change.
    pub(super) fn new(have: &State, wanted: &Declared, prune: bool) -> Result<Self, Fault> {
        let want = &wanted.state;
        let mut plan = Self { steps: Vec::new() };
        for (name, policy) in &want.policies {
            let present = have.policies.get(name);
            same_path("policy", name, present.map(|p| p.path.as_str()), &policy.path)?;
            if present != Some(policy) {
                plan.steps.push(Step::PutPolicy {
                    name: name.clone(),
                    path: policy.path.clone(),
                    document: policy.document.clone(),
                    new: present.is_none(),
                });
            }
        }
        for (name, group) in &want.groups {
            let present = have.groups.get(name);
            same_path("group", name, present.map(|g| g.path.as_str()), &group.path)?;
            if present.is_none() {
                plan.create(Kind::Group, name, &group.path, &Person::default());
            }
            plan.holder(Kind::Group, name, present.unwrap_or(&Holder::default()), group);
        }
        for (kind, want, have) in [(Kind::Role, &want.roles, &have.roles), (Kind::User, &want.users, &have.users)] {
            for (name, person) in want {
                plan.person(kind, name, have.get(name), person)?;
            }
        }
        if prune {
            plan.prune(have, wanted);
        }
        Ok(plan)
    }

    fn create(&mut self, kind: Kind, name: &str, path: &str, person: &Person) {
        self.steps.push(Step::Create {
            kind,
            name: name.to_owned(),
            path: path.to_owned(),
            tags: pairs(&person.tags),
            role: person.role.clone(),
        });
    }

    fn holder(&mut self, kind: Kind, name: &str, have: &Holder, want: &Holder) {
        let name = || name.to_owned();
        for (policy, document) in &want.inline {
            if have.inline.get(policy) != Some(document) {
                let (policy, document) = (policy.clone(), document.clone());
                self.steps.push(Step::PutInline { kind, name: name(), policy, document });
            }
        }
        for policy in have.inline.keys().filter(|p| !want.inline.contains_key(*p)) {
            self.steps.push(Step::DeleteInline { kind, name: name(), policy: policy.clone() });
        }
        for policy in want.policies.difference(&have.policies) {
            self.steps.push(Step::Attach { kind, name: name(), policy: policy.clone() });
        }
        for policy in have.policies.difference(&want.policies) {
            self.steps.push(Step::Detach { kind, name: name(), policy: policy.clone() });
        }
    }

    fn person(&mut self, kind: Kind, name: &str, have: Option<&Person>, want: &Person) -> Result<(), Fault> {
        same_path(kind.word(), name, have.map(|p| p.holder.path.as_str()), &want.holder.path)?;
        let fresh = Person { tags: want.tags.clone(), role: want.role.clone(), ..Person::default() };
        if have.is_none() {
            self.create(kind, name, &want.holder.path, want);
        }
        let have = have.unwrap_or(&fresh);
        if let (Some((trust, longest)), Some((old_trust, old_longest))) = (&want.role, &have.role) {
            let (trust, longest) =
                ((trust != old_trust).then(|| trust.clone()), (longest != old_longest).then_some(*longest));
            if trust.is_some() || longest.is_some() {
                self.steps.push(Step::UpdateRole { name: name.to_owned(), trust, longest });
            }
        }
        if have.tags != want.tags {
            self.steps.push(Step::Tag { kind, name: name.to_owned(), tags: pairs(&want.tags) });
        }
        // What bounds comes before what widens.
        if have.boundary != want.boundary {
            self.steps.push(Step::SetBoundary { kind, name: name.to_owned(), policy: want.boundary.clone() });
        }
        self.holder(kind, name, &have.holder, &want.holder);
        for group in want.groups.difference(&have.groups) {
            self.steps.push(Step::Join { name: name.to_owned(), group: group.clone() });
        }
        for group in have.groups.difference(&want.groups) {
            self.steps.push(Step::Leave { name: name.to_owned(), group: group.clone() });
        }
        if have.disabled != want.disabled {
            self.steps.push(Step::SetDisabled { kind, name: name.to_owned(), disabled: want.disabled });
        }
        Ok(())
    }

    /// Deletes what has no file, of the kinds that have a folder.
    fn prune(&mut self, have: &State, wanted: &Declared) {
        let want = &wanted.state;
        let mut gone = |kind: Kind, folder: &str, have: Vec<&String>, has: &dyn Fn(&str) -> bool| {
            for name in have.into_iter().filter(|name| wanted.kinds.contains(&folder) && !has(name)) {
                self.steps.push(Step::Delete { kind, name: name.clone() });
            }
        };
        gone(Kind::User, "users", have.users.keys().collect(), &|n| want.users.contains_key(n));
        gone(Kind::Role, "roles", have.roles.keys().collect(), &|n| want.roles.contains_key(n));
        gone(Kind::Group, "groups", have.groups.keys().collect(), &|n| want.groups.contains_key(n));
        if wanted.kinds.contains(&"policies") {
            let gone = have.policies.keys().filter(|name| !want.policies.contains_key(*name));
            self.steps.extend(gone.map(|name| Step::DeletePolicy { name: name.clone() }));
        }
    }

    /// Does all of it.
    ///
    /// # Errors
    /// At the first step that fails, naming it.
    pub(super) fn carry_out<D: Transactions>(&self, store: &StoreIn<D>, actor: &str) -> Result<(), Fault> {
        self.steps.iter().try_for_each(|step| {
            step.carry_out(store, actor).map_err(|f| Fault::new(f.status, format!("{step}: {f}; nothing was changed")))
        })
    }
}

impl Step {
    fn carry_out<D: Transactions>(&self, store: &StoreIn<D>, actor: &str) -> Result<(), Fault> {
        match self {
            Self::PutPolicy { name, path, document, .. } => store.put_policy(actor, path, name, document).map(drop),
            Self::Create { kind: Kind::Group, name, path, .. } => store.create_group(actor, path, name).map(drop),
            Self::Create { name, path, tags, role: Some((trust, longest)), .. } => {
                store.create_role(actor, path, name, trust, *longest, tags).map(drop)
            }
            Self::Create { name, path, tags, .. } => store.create_user(actor, path, name, tags).map(drop),
            Self::UpdateRole { name, trust, longest } => {
                store.update_role(actor, name, trust.as_deref(), *longest).map(drop)
            }
            Self::Tag { kind: Kind::Role, name, tags } => store.tag_role(actor, name, tags),
            Self::Tag { name, tags, .. } => store.tag_user(actor, name, tags),
            Self::SetDisabled { kind: Kind::Role, name, disabled } => store.set_role_disabled(actor, name, *disabled),
            Self::SetDisabled { name, disabled, .. } => store.set_user_disabled(actor, name, *disabled),
            Self::PutInline { kind, name, policy, document } => {
                store.put_inline(actor, kind.owner(name), policy, document)
            }
            Self::DeleteInline { kind, name, policy } => store.delete_inline(actor, kind.owner(name), policy),
            Self::Attach { kind, name, policy } => store.attach(actor, kind.owner(name), policy),
            Self::Detach { kind, name, policy } => store.detach(actor, kind.owner(name), policy),
            Self::SetBoundary { kind, name, policy } => store.set_boundary(actor, kind.owner(name), policy.as_deref()),
            Self::Join { name, group } => store.add_to_group(actor, group, name),
            Self::Leave { name, group } => store.remove_from_group(actor, group, name),
            Self::Delete { kind: Kind::Group, name } => store.delete_group(actor, name, true),
            Self::Delete { kind: Kind::Role, name } => store.delete_role(actor, name, true),
            Self::Delete { kind: Kind::User, name } => store.delete_user(actor, name, true),
            Self::DeletePolicy { name } => store.delete_policy(actor, name, true),
        }
    }
}

fn pairs(tags: &BTreeMap<String, String>) -> Vec<(String, String)> {
    tags.iter().map(|(k, v)| (k.clone(), v.clone())).collect()
}

fn same_path(kind: &str, name: &str, have: Option<&str>, want: &str) -> Result<(), Fault> {
    match have.filter(|have| *have != want) {
        None => Ok(()),
        Some(have) => Err(Fault::new(
            Status::Conflict,
            format!("{kind} {name} has the path {have}, not {want}; a path cannot be changed: delete it first"),
        )),
    }
}
