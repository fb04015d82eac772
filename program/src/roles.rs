// SPDX-License-Identifier: Apache-2.0
//! `standin role`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use standin::access_control::{AssumeRole, Owner, RoleRow};
use standin::fault::Fault;

use crate::input::{read, tags};
use crate::keys::ProfileFile;
use crate::output::{add_policies, date, tag_map};
use crate::{Desk, actor};

/// Commands on roles.
#[derive(Subcommand)]
pub(crate) enum Role {
    /// Make a role.
    Create {
        /// Name.
        name: String,
        /// File with the trust policy.
        #[arg(long)]
        trust: PathBuf,
        /// Path.
        #[arg(long, default_value = "/")]
        path: String,
        /// Longest session, seconds.
        #[arg(long, default_value_t = 3600)]
        max_session: i64,
        /// Tag KEY=VALUE; may be given several times.
        #[arg(long = "tag")]
        tags: Vec<String>,
    },
    /// List roles.
    List,
    /// Show one role.
    Show {
        /// Name.
        name: String,
    },
    /// Change a role's trust policy or longest session.
    Update {
        /// Name.
        name: String,
        /// File with the trust policy.
        #[arg(long, required_unless_present = "max_session")]
        trust: Option<PathBuf>,
        /// Longest session, seconds.
        #[arg(long)]
        max_session: Option<i64>,
    },
    /// Replace a role's tags.
    Tag {
        /// Name.
        name: String,
        /// KEY=VALUE.
        tags: Vec<String>,
    },
    /// Disable a role; its sessions end.
    Disable {
        /// Name.
        name: String,
    },
    /// Enable a role again.
    Enable {
        /// Name.
        name: String,
    },
    /// Delete a role; its sessions end.
    Delete {
        /// Name.
        name: String,
        /// Delete its policies too.
        #[arg(long)]
        force: bool,
    },
    /// Issue temporary credentials of a role to a user.
    Assume(Assume),
}

/// `standin role assume`.
#[derive(Args)]
pub(crate) struct Assume {
    /// Name or ARN of the role.
    role: String,
    /// The user who assumes it.
    #[arg(long)]
    user: String,
    /// Name of the session.
    #[arg(long)]
    session_name: String,
    /// External id.
    #[arg(long)]
    external_id: Option<String>,
    /// Seconds.
    #[arg(long)]
    duration: Option<i64>,
    /// File with a session policy; may be given several times.
    #[arg(long)]
    session_policy: Vec<PathBuf>,
    /// Session tag KEY=VALUE; may be given several times.
    #[arg(long = "tag")]
    tags: Vec<String>,
    /// Source identity.
    #[arg(long)]
    source_identity: Option<String>,
    #[command(flatten)]
    file: ProfileFile,
}

fn shown(role: &RoleRow) -> Value {
    json!({
        "name": role.identity.name(),
        "arn": role.identity.arn(),
        "id": role.unique_id,
        "created": date(role.created),
        "state": if role.disabled { "disabled" } else { "enabled" },
        "max_session": role.max_session,
        "tags": tag_map(&role.tags),
        "trust": role.trust,
    })
}

impl Role {
    pub(crate) fn run(self, desk: &Desk) -> Result<ExitCode, Fault> {
        let store = desk.store()?;
        match self {
            Self::Create { name, trust, path, max_session, tags: given } => {
                let row = store.create_role(&actor(), &path, &name, &read(&trust)?, max_session, &tags(&given)?)?;
                desk.output.one(&shown(&row));
            }
            Self::List => {
                let rows: Vec<Value> = store.roles()?.iter().map(shown).collect();
                desk.output.list(&["name", "state", "arn", "max_session", "created"], &rows);
            }
            Self::Show { name } => {
                let role = store.role(&name)?;
                let mut out = shown(&role);
                add_policies(&mut out, &store.policies_of(Owner::Role(role.identity.name()))?);
                desk.output.one(&out);
            }
            Self::Update { name, trust, max_session } => {
                let trust = trust.map(|file| read(&file)).transpose()?;
                desk.output.one(&shown(&store.update_role(&actor(), &name, trust.as_deref(), max_session)?));
            }
            Self::Tag { name, tags: given } => store.tag_role(&actor(), &name, &tags(&given)?)?,
            Self::Disable { name } => store.set_role_disabled(&actor(), &name, true)?,
            Self::Enable { name } => store.set_role_disabled(&actor(), &name, false)?,
            Self::Delete { name, force } => store.delete_role(&actor(), &name, force)?,
            Self::Assume(assume) => assume.run(desk, &store)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Assume {
    fn run(self, desk: &Desk, store: &standin::access_control::Store) -> Result<(), Fault> {
        self.file.check()?;
        let caller = store.principal_of_user(&self.user)?;
        let issued = store.assume_role(
            &caller,
            &AssumeRole {
                role: self.role,
                session_name: self.session_name,
                external_id: self.external_id,
                duration: self.duration,
                policies: self.session_policy.iter().map(|p| read(p)).collect::<Result<_, _>>()?,
                tags: tags(&self.tags)?,
                source_identity: self.source_identity,
                ..AssumeRole::default()
            },
        )?;
        // As JSON this is what the AWS SDKs read from a credential_process.
        let mut out = json!({"Version": 1, "AccessKeyId": issued.access_key_id, "Expiration": date(issued.expires.0), "Role": issued.subject.arn()});
        match self.file.write(&issued.access_key_id, &issued.secret, Some(&issued.session_token))? {
            Some(path) => out["Profile"] = json!(path.display().to_string()),
            None => {
                out["SecretAccessKey"] = json!(String::from_utf8_lossy(issued.secret.expose()));
                out["SessionToken"] = json!(issued.session_token);
            }
        }
        desk.output.one(&out);
        Ok(())
    }
}
