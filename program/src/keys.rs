// SPDX-License-Identifier: Apache-2.0
//! `standin key`.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};
use standin::credential::Secret;
use standin::fault::{Fault, Status};

use crate::output::date;
use crate::{Desk, actor};

/// Commands on access keys.
#[derive(Subcommand)]
pub(crate) enum Key {
    /// Make an access key for a user. The secret is shown this once.
    Create {
        /// User.
        user: String,
        /// Write an AWS credentials file (mode 0600) instead of showing the secret.
        #[arg(long)]
        profile_file: Option<PathBuf>,
    },
    /// List access keys.
    List {
        /// Only those of this user.
        user: Option<String>,
    },
    /// Disable a key; its sessions end.
    Disable {
        /// Id.
        id: String,
    },
    /// Enable a key again.
    Enable {
        /// Id.
        id: String,
    },
    /// Delete a key; its sessions end.
    Delete {
        /// Id.
        id: String,
    },
}

/// Writes an AWS credentials file that others cannot read.
pub(crate) fn write_profile(path: &Path, id: &str, secret: &Secret, token: Option<&str>) -> Result<(), Fault> {
    let failed = |e: std::io::Error| Fault::new(Status::InvalidArgument, format!("{}: {e}", path.display()));
    let secret = String::from_utf8_lossy(secret.expose());
    let mut text =
        zeroize::Zeroizing::new(format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"));
    if let Some(token) = token {
        text.push_str(&format!("aws_session_token = {token}\n"));
    }
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}

impl Key {
    pub(crate) fn run(self, desk: &Desk) -> Result<ExitCode, Fault> {
        let store = desk.store()?;
        match self {
            Self::Create { user, profile_file } => {
                if let Some(path) = profile_file.as_ref().filter(|p| p.exists()) {
                    return Err(Fault::new(Status::Conflict, format!("{} exists already", path.display())));
                }
                let (row, secret) = store.create_key(&actor(), &user)?;
                let mut shown = json!({"id": row.id, "user": row.identity.arn()});
                match profile_file {
                    Some(path) => {
                        write_profile(&path, &row.id, &secret, None)?;
                        shown["profile"] = json!(path.display().to_string());
                    }
                    None => shown["secret"] = json!(String::from_utf8_lossy(secret.expose())),
                }
                desk.output.one(&shown);
            }
            Self::List { user } => {
                let rows: Vec<Value> = store
                    .keys(user.as_deref())?
                    .iter()
                    .map(|k| json!({"id": k.id, "user": k.identity.arn(), "state": if k.active { "active" } else { "disabled" }, "created": date(k.created), "last_used": k.last_used.map(date)}))
                    .collect();
                desk.output.list(&["id", "user", "state", "created", "last_used"], &rows);
            }
            Self::Disable { id } => store.set_key_active(&actor(), &id, false)?,
            Self::Enable { id } => store.set_key_active(&actor(), &id, true)?,
            Self::Delete { id } => store.delete_key(&actor(), &id)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
