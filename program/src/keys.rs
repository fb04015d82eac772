// SPDX-License-Identifier: Apache-2.0
//! `standin key`.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
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
        #[command(flatten)]
        file: ProfileFile,
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
    /// Seal all secrets of the store under a new sealing key.
    RotateSealing {
        /// Only add the new key to the key file, so that the file can be given to every service first.
        #[arg(long)]
        prepare: bool,
        /// Take keys out of the file that nothing needs any more, instead of a new one into it.
        #[arg(long, conflicts_with = "prepare")]
        forget: bool,
    },
}

/// Where the keys of a user go.
#[derive(Args)]
pub(crate) struct ProfileFile {
    /// Write the keys to this AWS credentials file (mode 0600) instead of showing the secret.
    #[arg(long)]
    profile_file: Option<PathBuf>,
    /// Name of the profile in the file; a file that is there gets one profile more.
    #[arg(long, default_value = "default", requires = "profile_file")]
    profile: String,
}

impl ProfileFile {
    /// Checks before anything is done that the profile can be added.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        let Some(path) = &self.profile_file else { return Ok(()) };
        let name_ok = !self.profile.is_empty()
            && self.profile.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.@+".contains(&b));
        if !name_ok {
            return Err(Fault::new(
                Status::InvalidArgument,
                format!("profile {:?}: letters, digits and _-.@+ are accepted", self.profile),
            ));
        }
        let text = match std::fs::read_to_string(path) {
            Ok(text) => zeroize::Zeroizing::new(text),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(Fault::new(Status::InvalidArgument, format!("{}: {e}", path.display()))),
        };
        let header = format!("[{}]", self.profile);
        if text.lines().any(|line| line.trim() == header) {
            return Err(Fault::new(
                Status::Conflict,
                format!("{} has a profile {} already; choose another by --profile", path.display(), self.profile),
            ));
        }
        Ok(())
    }

    /// Adds the profile, if a file was named: all of it or nothing.
    pub(crate) fn write(&self, id: &str, secret: &Secret, token: Option<&str>) -> Result<Option<&Path>, Fault> {
        let Some(path) = &self.profile_file else { return Ok(None) };
        let failed = |e: std::io::Error| Fault::new(Status::InvalidArgument, format!("{}: {e}", path.display()));
        let mut text = match std::fs::read_to_string(path) {
            Ok(text) => zeroize::Zeroizing::new(text),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => zeroize::Zeroizing::new(String::new()),
            Err(e) => return Err(failed(e)),
        };
        if !text.is_empty() {
            let ended = text.ends_with('\n');
            text.push_str(if ended { "\n" } else { "\n\n" });
        }
        let secret = String::from_utf8_lossy(secret.expose());
        text.push_str(&format!("[{}]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n", self.profile));
        if let Some(token) = token {
            text.push_str(&format!("aws_session_token = {token}\n"));
        }
        let mut beside = path.clone().into_os_string();
        beside.push(format!(".{}", std::process::id()));
        let beside = PathBuf::from(beside);
        let written = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&beside)
            .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
            .and_then(|()| std::fs::rename(&beside, path));
        if let Err(e) = written {
            // Whatever of it is there would be of no use.
            drop(std::fs::remove_file(&beside));
            return Err(failed(e));
        }
        Ok(Some(path))
    }
}

impl Key {
    pub(crate) fn run(self, desk: &Desk) -> Result<ExitCode, Fault> {
        let store = desk.store()?;
        match self {
            Self::Create { user, file } => {
                file.check()?;
                let (row, secret) = store.create_key(&actor(), &user)?;
                let mut shown = json!({"id": row.id, "user": row.identity.arn()});
                match file.write(&row.id, &secret, None) {
                    Ok(Some(path)) => shown["profile"] = json!(path.display().to_string()),
                    Ok(None) => shown["secret"] = json!(String::from_utf8_lossy(secret.expose())),
                    Err(fault) => {
                        // Nobody will ever know its secret.
                        store.delete_key(&actor(), &row.id)?;
                        return Err(fault);
                    }
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
            Self::RotateSealing { prepare, forget } => {
                let done = match (prepare, forget) {
                    (true, _) => store.prepare_sealing(&actor())?,
                    (_, true) => store.forget_sealing(&actor())?,
                    _ => store.rotate_sealing(&actor())?,
                };
                desk.output.one(&json!({
                    "seals": done.key,
                    "prepared": done.prepared,
                    "opens": done.old,
                    "forgotten": done.forgotten,
                    "sealed anew": done.sealed,
                }));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
