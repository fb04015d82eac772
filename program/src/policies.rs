// SPDX-License-Identifier: Apache-2.0
//! `standin policy`.

use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use standin::access_control::Owner;
use standin::fault::{Fault, Status};
use standin::policy::{Document, simulate};

use crate::{Desk, actor, output};

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
    /// Show the document of a managed policy.
    Get {
        /// Name or ARN.
        name: String,
    },
    /// List managed policies.
    List,
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
    /// Check a document; prints every problem.
    Validate {
        /// File; - for standard input.
        file: PathBuf,
    },
    /// Decide made-up questions, one JSON object a line.
    Simulate {
        /// File; - for standard input.
        #[arg(long)]
        input: PathBuf,
    },
}

/// The text of a file, or of standard input for `-`.
pub(crate) fn read(path: &Path) -> Result<String, Fault> {
    let failed = |e: std::io::Error| Fault::new(Status::InvalidArgument, format!("{}: {e}", path.display()));
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(failed)?;
        return Ok(text);
    }
    std::fs::read_to_string(path).map_err(failed)
}

fn simulate_lines(input: &Path) -> Result<ExitCode, Fault> {
    let failed = |e: std::io::Error| Fault::new(Status::InvalidArgument, format!("{}: {e}", input.display()));
    let lines: Box<dyn BufRead> = if input == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::io::BufReader::new(std::fs::File::open(input).map_err(failed)?))
    };
    let mut wrong = false;
    for (n, line) in lines.lines().enumerate() {
        let line = line.map_err(failed)?;
        if line.trim().is_empty() {
            continue;
        }
        match simulate::case(&line) {
            Ok(answer) => output::line(&answer.to_string()),
            Err(fault) => {
                wrong = true;
                output::complain(&format!("{}, line {}: {fault}", input.display(), n + 1));
                let id = serde_json::from_str::<Value>(&line).ok().and_then(|v| v.get("id").cloned());
                output::line(&json!({"id": id, "error": fault.text}).to_string());
            }
        }
    }
    Ok(if wrong { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

impl Policy {
    pub(crate) fn run(self, desk: &Desk) -> Result<ExitCode, Fault> {
        match self {
            Self::Validate { file } => {
                let text = read(&file)?;
                if let Err(invalid) = Document::parse(&text) {
                    let problems: Vec<Value> = invalid
                        .problems
                        .iter()
                        .map(|p| json!({"path": p.path, "line": p.line, "column": p.column, "found": p.found, "accepted": p.accepted}))
                        .collect();
                    if desk.output == output::Output::Json {
                        output::line(&json!({"valid": false, "problems": problems}).to_string());
                    }
                    return Err(Fault::new(Status::InvalidDocument, format!("{}:\n{invalid}", file.display())));
                }
                desk.output.one(&json!({"valid": true}));
            }
            Self::Simulate { input } => return simulate_lines(&input),
            Self::Put { name, file, owner } => {
                let text = read(&file)?;
                let store = desk.store()?;
                match owner.owner() {
                    Some(owner) => store.put_inline(&actor(), owner, &name, &text)?,
                    None => desk.output.one(&json!({"arn": store.put_policy(&actor(), "/", &name, &text)?})),
                }
            }
            Self::Get { name } => {
                let policies = desk.store()?.policies()?;
                let found = policies.into_iter().find(|p| p.name == name || p.arn == name);
                output::line(
                    &found
                        .ok_or_else(|| Fault::new(Status::NotFound, format!("there is no policy {name:?}")))?
                        .document,
                );
            }
            Self::List => {
                let rows: Vec<Value> = desk
                    .store()?
                    .policies()?
                    .into_iter()
                    .map(
                        |p| json!({"name": p.name, "arn": p.arn, "version": p.default_version, "attached": p.attached}),
                    )
                    .collect();
                desk.output.list(&["name", "arn", "version", "attached"], &rows);
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
