// SPDX-License-Identifier: Apache-2.0
//! `standin policy`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use standin::access_control::{Owner, PolicyRow};
use standin::fault::{Fault, Status};

use crate::input::read;
use crate::{Desk, actor, checking, output, simulation, validation};

/// Whom a policy is for.
#[derive(Args)]
#[group(multiple = false)]
pub(crate) struct For {
    /// A user.
    #[arg(long)]
    user: Option<String>,
    /// A group.
    #[arg(long)]
    group: Option<String>,
    /// A role.
    #[arg(long)]
    role: Option<String>,
}

impl For {
    fn owner(&self) -> Option<Owner<'_>> {
        let user = self.user.as_deref().map(Owner::User);
        user.or_else(|| self.group.as_deref().map(Owner::Group)).or_else(|| self.role.as_deref().map(Owner::Role))
    }

    fn required(&self) -> Result<Owner<'_>, Fault> {
        self.owner().ok_or_else(|| Fault::new(Status::InvalidArgument, "whose? give --user, --group or --role"))
    }
}

/// Commands on policies.
#[derive(Subcommand)]
pub(crate) enum Policy {
    /// Put a policy: managed, or inline with --user, --group or --role.
    Put {
        /// Name.
        name: String,
        /// File with the document; - for standard input.
        file: PathBuf,
        #[command(flatten)]
        owner: For,
    },
    /// Show the document of a policy: managed, or inline with --user, --group or --role.
    Get {
        /// Name or ARN.
        name: String,
        #[command(flatten)]
        owner: For,
    },
    /// List managed policies, or with --user, --group or --role what that one has.
    List {
        #[command(flatten)]
        owner: For,
    },
    /// Delete a policy: managed, or inline with --user, --group or --role.
    Delete {
        /// Name.
        name: String,
        /// Also when attached.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        owner: For,
    },
    /// Attach a managed policy.
    Attach {
        /// Name or ARN.
        name: String,
        #[command(flatten)]
        owner: For,
    },
    /// Detach a managed policy.
    Detach {
        /// Name or ARN.
        name: String,
        #[command(flatten)]
        owner: For,
    },
    /// Set the permissions boundary of a user or role; without a name remove it.
    Boundary {
        /// Name or ARN of the policy.
        name: Option<String>,
        #[command(flatten)]
        owner: For,
    },
    /// Check documents; prints every problem.
    Validate {
        /// Files; - for standard input.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// They are trust policies of roles.
        #[arg(long)]
        trust: bool,
    },
    /// Look policies through for what matches nothing here, and what was not used.
    Check(checking::Check),
    /// Decide made-up questions, one JSON object a line.
    Simulate {
        /// File; - for standard input.
        #[arg(long)]
        input: PathBuf,
    },
}

impl Policy {
    pub(crate) fn run(self, desk: &Desk) -> Result<ExitCode, Fault> {
        match self {
            Self::Validate { files, trust } => return Ok(validation::run(desk, &files, trust)),
            Self::Check(check) => return check.run(desk),
            Self::Simulate { input } => return simulation::run(&input),
            Self::Put { name, file, owner } => {
                let text = read(&file)?;
                let store = desk.store()?;
                match owner.owner() {
                    Some(owner) => store.put_inline(&actor(), owner, &name, &text)?,
                    None => desk.output.one(&json!({"arn": store.put_policy(&actor(), "/", &name, &text)?})),
                }
            }
            Self::Get { name, owner } => {
                let store = desk.store()?;
                let document = match owner.owner() {
                    Some(owner) => {
                        store.policies_of(owner)?.inline.into_iter().find(|(n, _)| *n == name).map(|(_, text)| text)
                    }
                    None => store.policies()?.into_iter().find(|p| p.name == name || p.arn == name).map(|p| p.document),
                };
                let document =
                    document.ok_or_else(|| Fault::new(Status::NotFound, format!("there is no policy {name:?}")))?;
                output::line(document.trim_end_matches('\n'));
            }
            Self::List { owner } => {
                let store = desk.store()?;
                match owner.owner() {
                    Some(owner) => {
                        let own = store.policies_of(owner)?;
                        let mut rows: Vec<Value> =
                            own.attached.iter().map(|arn| json!({"policy": arn, "kind": "managed"})).collect();
                        rows.extend(own.inline.iter().map(|(name, _)| json!({"policy": name, "kind": "inline"})));
                        desk.output.list(&["policy", "kind"], &rows);
                    }
                    None => {
                        let row = |p: PolicyRow| json!({"name": p.name, "arn": p.arn, "version": p.default_version, "attached": p.attached});
                        let rows: Vec<Value> = store.policies()?.into_iter().map(row).collect();
                        desk.output.list(&["name", "arn", "version", "attached"], &rows);
                    }
                }
            }
            Self::Delete { name, force, owner } => match owner.owner() {
                Some(owner) => desk.store()?.delete_inline(&actor(), owner, &name)?,
                None => desk.store()?.delete_policy(&actor(), &name, force)?,
            },
            Self::Attach { name, owner } => desk.store()?.attach(&actor(), owner.required()?, &name)?,
            Self::Detach { name, owner } => desk.store()?.detach(&actor(), owner.required()?, &name)?,
            Self::Boundary { name, owner } => {
                desk.store()?.set_boundary(&actor(), owner.required()?, name.as_deref())?
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
