// SPDX-License-Identifier: Apache-2.0
//! `standin apply` and `standin export`: users, groups, roles and policies as
//! files, for people who keep them in Git.

mod export;
mod files;
mod plan;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};
use standin::access_control::{Owner, StoreIn, Transactions};
use standin::fault::Fault;

use crate::output::{self, Output};
use crate::{Desk, actor};

/// A managed policy.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Policy {
    path: String,
    document: String,
}

/// What groups, users and roles have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Holder {
    path: String,
    /// Names of managed policies.
    policies: BTreeSet<String>,
    /// Inline policies by name.
    inline: BTreeMap<String, String>,
}

/// A user or role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Person {
    holder: Holder,
    disabled: bool,
    tags: BTreeMap<String, String>,
    /// Name of the managed policy that is the permissions boundary.
    boundary: Option<String>,
    /// Of users: names of groups.
    groups: BTreeSet<String>,
    /// Of roles: the trust policy and the longest session in seconds.
    role: Option<(String, i64)>,
}

/// Everything that files declare, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct State {
    policies: BTreeMap<String, Policy>,
    groups: BTreeMap<String, Holder>,
    users: BTreeMap<String, Person>,
    roles: BTreeMap<String, Person>,
}

/// The last part of an ARN, which is the name.
fn name_of(arn: &str) -> String {
    arn.rsplit('/').next().unwrap_or_default().to_owned()
}

/// The path in an ARN of a group or policy.
fn path_of(arn: &str) -> String {
    let rest = arn.splitn(6, ':').nth(5).unwrap_or_default();
    let path = rest.find('/').and_then(|from| rest.get(from..=rest.rfind('/')?));
    path.unwrap_or("/").to_owned()
}

/// A document without the line end that files have and the store may not.
fn text_of(document: &str) -> String {
    document.trim_end().to_owned()
}

impl State {
    /// What is in a store.
    fn of<D: Transactions>(store: &StoreIn<D>) -> Result<Self, Fault> {
        let mut state = Self::default();
        for policy in store.policies()? {
            let path = path_of(&policy.arn);
            state.policies.insert(policy.name, Policy { path, document: text_of(&policy.document) });
        }
        let own = |owner: Owner<'_>, path: &str| -> Result<Holder, Fault> {
            let own = store.policies_of(owner)?;
            Ok(Holder {
                path: path.to_owned(),
                policies: own.attached.iter().map(|arn| name_of(arn)).collect(),
                inline: own.inline.into_iter().map(|(name, text)| (name, text_of(&text))).collect(),
            })
        };
        for (arn, _) in store.groups()? {
            state.groups.insert(name_of(&arn), own(Owner::Group(&arn), &path_of(&arn))?);
        }
        for user in store.users()? {
            let name = user.identity.name();
            let person = Person {
                holder: own(Owner::User(name), user.identity.path())?,
                disabled: user.disabled,
                tags: user.tags.into_iter().collect(),
                boundary: user.boundary.as_deref().map(name_of),
                groups: store.groups_of(name)?.iter().map(|arn| name_of(arn)).collect(),
                role: None,
            };
            state.users.insert(name.to_owned(), person);
        }
        for role in store.roles()? {
            let name = role.identity.name();
            let person = Person {
                holder: own(Owner::Role(name), role.identity.path())?,
                disabled: role.disabled,
                tags: role.tags.into_iter().collect(),
                boundary: store.boundary_of(&role.identity)?.as_deref().map(name_of),
                groups: BTreeSet::new(),
                role: Some((text_of(&role.trust), role.max_session)),
            };
            state.roles.insert(name.to_owned(), person);
        }
        Ok(state)
    }
}

/// `standin apply`.
#[derive(Args)]
pub(crate) struct Apply {
    /// Directory of the files.
    dir: PathBuf,
    /// Only print what would be done.
    #[arg(long)]
    dry_run: bool,
    /// Also delete what has no file, of each kind that has a folder.
    #[arg(long)]
    prune: bool,
}

/// `standin export`.
#[derive(Args)]
pub(crate) struct Export {
    /// Directory to write to.
    dir: PathBuf,
    /// Replace files that are there, and remove those of things that are gone.
    #[arg(long)]
    replace: bool,
}

impl Apply {
    pub(crate) fn run(self, desk: &Desk) -> Result<ExitCode, Fault> {
        let wanted = files::read(&self.dir)?;
        let store = desk.store()?;
        let plan = if self.dry_run {
            plan::Plan::new(&State::of(&store)?, &wanted, self.prune)?
        } else {
            let actor = actor();
            // Planned and carried out in one transaction: nobody comes between.
            store.together(|store| {
                let plan = plan::Plan::new(&State::of(store)?, &wanted, self.prune)?;
                plan.carry_out(store, &actor)?;
                Ok(plan)
            })?
        };
        let steps: Vec<String> = plan.steps.iter().map(ToString::to_string).collect();
        if desk.output == Output::Json {
            output::line(&json!({"applied": !self.dry_run, "steps": steps}).to_string());
        } else {
            steps.iter().for_each(|step| output::line(step));
            let done = if self.dry_run { "would change" } else { "changed" };
            output::line(&match steps.len() {
                0 => "nothing to change".to_owned(),
                n => format!("{n} {done}"),
            });
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Export {
    pub(crate) fn run(self, desk: &Desk) -> Result<ExitCode, Fault> {
        // One view of everything.
        #[allow(clippy::redundant_closure, reason = "the function alone is not general enough in its lifetime")]
        let state = desk.store()?.together(|store| State::of(store))?;
        let files = export::write(&self.dir, &state, self.replace)?;
        desk.output.one(&json!({"dir": self.dir.display().to_string(), "files": Value::from(files)}));
        Ok(ExitCode::SUCCESS)
    }
}
