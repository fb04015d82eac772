// SPDX-License-Identifier: Apache-2.0
//! `standin user` and `standin group`.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Map, Value, json};
use standin::access_control::{Owner, UserRow};
use standin::fault::{Fault, Status};

use crate::input::tags;
use crate::output::{add_policies, date, tag_map};
use crate::{Desk, actor};

/// Commands on users.
#[derive(Subcommand)]
pub(crate) enum User {
    /// Make a user.
    Create {
        /// Name.
        name: String,
        /// Path, such as /teams/billing/.
        #[arg(long, default_value = "/")]
        path: String,
        /// Tag KEY=VALUE; may be given several times.
        #[arg(long = "tag")]
        tags: Vec<String>,
    },
    /// List users.
    List,
    /// Show one user.
    Show {
        /// Name.
        name: String,
    },
    /// Delete a user; its sessions end.
    Delete {
        /// Name.
        name: String,
        /// Delete its keys and policies too.
        #[arg(long)]
        force: bool,
    },
    /// Disable a user; its sessions end.
    Disable {
        /// Name.
        name: String,
    },
    /// Enable a user again.
    Enable {
        /// Name.
        name: String,
    },
    /// Replace a user's tags.
    Tag {
        /// Name.
        name: String,
        /// KEY=VALUE.
        tags: Vec<String>,
    },
}

fn shown(user: &UserRow) -> Value {
    json!({
        "name": user.identity.name(),
        "arn": user.identity.arn(),
        "id": user.unique_id,
        "created": date(user.created),
        "state": if user.disabled { "disabled" } else { "enabled" },
        "tags": tag_map(&user.tags),
        "boundary": user.boundary,
    })
}

impl User {
    pub(crate) fn run(self, desk: &Desk) -> Result<ExitCode, Fault> {
        let store = desk.store()?;
        match self {
            Self::Create { name, path, tags: given } => {
                desk.output.one(&shown(&store.create_user(&actor(), &path, &name, &tags(&given)?)?))
            }
            Self::List => {
                let rows: Vec<Value> = store.users()?.iter().map(shown).collect();
                desk.output.list(&["name", "state", "arn", "created"], &rows);
            }
            Self::Show { name } => {
                let user = store.user(&name)?;
                let name = user.identity.name();
                let mut out = shown(&user);
                out["groups"] = json!(store.groups_of(name)?);
                add_policies(&mut out, &store.policies_of(Owner::User(name))?);
                let state = |active| if active { "active" } else { "disabled" };
                let keys = store.keys(Some(name))?;
                out["keys"] = keys.iter().map(|k| (k.id.clone(), json!(state(k.active)))).collect::<Map<_, _>>().into();
                desk.output.one(&out);
            }
            Self::Delete { name, force } => store.delete_user(&actor(), &name, force)?,
            Self::Disable { name } => store.set_user_disabled(&actor(), &name, true)?,
            Self::Enable { name } => store.set_user_disabled(&actor(), &name, false)?,
            Self::Tag { name, tags: given } => store.tag_user(&actor(), &name, &tags(&given)?)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Commands on groups.
#[derive(Subcommand)]
pub(crate) enum Group {
    /// Make a group.
    Create {
        /// Name.
        name: String,
        /// Path.
        #[arg(long, default_value = "/")]
        path: String,
    },
    /// List groups with their members.
    List,
    /// Show one group.
    Show {
        /// Name.
        name: String,
    },
    /// Delete a group.
    Delete {
        /// Name.
        name: String,
        /// Also with members and policies.
        #[arg(long)]
        force: bool,
    },
    /// Add a user to a group.
    Add {
        /// Group.
        group: String,
        /// User.
        user: String,
    },
    /// Take a user out of a group.
    Remove {
        /// Group.
        group: String,
        /// User.
        user: String,
    },
}

impl Group {
    pub(crate) fn run(self, desk: &Desk) -> Result<ExitCode, Fault> {
        let store = desk.store()?;
        match self {
            Self::Create { name, path } => {
                desk.output.one(&json!({"arn": store.create_group(&actor(), &path, &name)?}))
            }
            Self::List => {
                let rows: Vec<Value> =
                    store.groups()?.into_iter().map(|(arn, members)| json!({"arn": arn, "members": members})).collect();
                desk.output.list(&["arn", "members"], &rows);
            }
            Self::Show { name } => {
                let found =
                    store.groups()?.into_iter().find(|(arn, _)| *arn == name || arn.ends_with(&format!("/{name}")));
                let (arn, members) =
                    found.ok_or_else(|| Fault::new(Status::NotFound, format!("there is no group {name:?}")))?;
                let mut out = json!({"arn": arn, "members": members});
                add_policies(&mut out, &store.policies_of(Owner::Group(&arn))?);
                desk.output.one(&out);
            }
            Self::Delete { name, force } => store.delete_group(&actor(), &name, force)?,
            Self::Add { group, user } => store.add_to_group(&actor(), &group, &user)?,
            Self::Remove { group, user } => store.remove_from_group(&actor(), &group, &user)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
