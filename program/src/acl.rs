// SPDX-License-Identifier: Apache-2.0
//! `standin acl`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use standin::access_control::{Owner, Store};
use standin::acl::{Conversion, Converted, Entry, Principals, convert};
use standin::fault::{Fault, Kind, Status};
use standin::policy::{Document, Namespace};

use crate::{Desk, actor, input, output};

/// Name of the inline policies that hold what was an identity's lists.
const NAME: &str = "acls";
/// Name of the managed policy that holds what lists give or forbid to everybody.
const EVERYBODY: &str = "acls-everybody";

/// Commands on Kafka's access control lists.
#[derive(Subcommand)]
pub(crate) enum Acl {
    /// Turn ACLs into policies that decide the same, and note what has no counterpart.
    Convert(Convert),
}

/// What to convert, and where to.
#[derive(Args)]
pub(crate) struct Convert {
    /// What kafka-acls.sh --list printed, or JSON objects, one a line; - for standard input.
    file: PathBuf,
    /// ARN of the cluster, as in standin.cluster.arn.
    #[arg(long)]
    cluster: String,
    /// Which principal is which identity, as in standin.shadow.principals.
    #[arg(long, default_value = "User:* -> user/*")]
    principals: String,
    /// Write the documents below this directory.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Put the documents into the store, and make users that are missing.
    #[arg(long)]
    put: bool,
}

fn invalid(text: String) -> Fault {
    Fault::new(Status::InvalidArgument, text)
}

impl Acl {
    pub(crate) fn run(self, desk: &Desk) -> Result<ExitCode, Fault> {
        let Self::Convert(convert) = self;
        convert.run(desk)
    }
}

/// Name of the inline policy of this number.
fn name(number: usize) -> String {
    if number == 0 { NAME.to_owned() } else { format!("{NAME}-{}", number + 1) }
}

impl Convert {
    fn run(self, desk: &Desk) -> Result<ExitCode, Fault> {
        if !Namespace::parse(&self.cluster).is_ok_and(|n| n.is_cluster()) {
            let accepted = "arn:PARTITION:kafka:REGION:ACCOUNT:cluster/NAME/UUID";
            return Err(invalid(format!("--cluster {}: {accepted} is accepted", self.cluster)));
        }
        let principals = Principals::parse(&self.principals).map_err(|e| invalid(format!("--principals: {e}")))?;
        let text = input::read(&self.file)?;
        let entries = Entry::read_all(&text).map_err(|e| invalid(format!("{}: {e}", self.file.display())))?;
        let conversion = convert(&entries, &principals, &self.cluster);
        for document in conversion.identities.iter().flat_map(|c| &c.documents).chain(&conversion.everybody) {
            Document::parse(&document.to_string())
                .map_err(|e| Fault::internal(format!("a converted document is not valid: {e}")))?;
        }
        conversion.notes.iter().for_each(|note| output::complain(&format!("note: {note}")));
        if let Some(dir) = &self.dir {
            write(dir, &conversion)?;
        }
        if self.put {
            put(&desk.store()?, &conversion)?;
        }
        let row = |c: &Converted| json!({"identity": c.identity, "principals": c.principals, "documents": c.documents});
        let mut rows: Vec<Value> = conversion.identities.iter().map(row).collect();
        if !conversion.everybody.is_empty() {
            rows.push(json!({"identity": null, "principals": ["User:*"], "documents": conversion.everybody}));
        }
        if desk.output == output::Output::Table {
            for row in &mut rows {
                let statements = row["documents"].as_array().into_iter().flatten();
                let statements: usize = statements.filter_map(|d| d["Statement"].as_array()).map(Vec::len).sum();
                row["statements"] = json!(statements);
            }
        }
        desk.output.list(&["identity", "principals", "statements"], &rows);
        Ok(ExitCode::SUCCESS)
    }
}

fn write(dir: &Path, conversion: &Conversion) -> Result<(), Fault> {
    let to = |path: PathBuf, document: &Value| {
        let failed = |e: std::io::Error| invalid(format!("{}: {e}", path.display()));
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(failed)?;
        }
        std::fs::write(&path, format!("{document:#}\n")).map_err(failed)
    };
    for converted in &conversion.identities {
        for (n, document) in converted.documents.iter().enumerate() {
            to(dir.join(&converted.identity).join(format!("{}.json", name(n))), document)?;
        }
    }
    for (n, document) in conversion.everybody.iter().enumerate() {
        to(dir.join(format!("{}.json", name(n).replacen(NAME, EVERYBODY, 1))), document)?;
    }
    Ok(())
}

/// Puts the documents in the place of those of an earlier conversion.
fn put(store: &Store, conversion: &Conversion) -> Result<(), Fault> {
    let actor = actor();
    for (n, document) in conversion.everybody.iter().enumerate() {
        store.put_policy(&actor, "/", &name(n).replacen(NAME, EVERYBODY, 1), &document.to_string())?;
    }
    for converted in &conversion.identities {
        let (kind, who) = converted.identity.split_once('/').unwrap_or(("user", &converted.identity));
        let found = if kind == "role" { store.role(who).map(drop) } else { store.user(who).map(drop) };
        match found {
            Ok(()) => {}
            Err(fault) if fault.kind() == Kind::Misuse && kind == "user" => {
                store.create_user(&actor, "/", who, &[])?;
            }
            Err(fault) if fault.kind() == Kind::Misuse => {
                output::complain(&format!(
                    "note: there is no role {who:?}; make it, with its trust policy, and run this again"
                ));
                continue;
            }
            Err(fault) => return Err(fault),
        }
        let owner = || if kind == "role" { Owner::Role(who) } else { Owner::User(who) };
        for (n, document) in converted.documents.iter().enumerate() {
            store.put_inline(&actor, owner(), &name(n), &document.to_string())?;
        }
        let kept: Vec<String> = (0..converted.documents.len()).map(name).collect();
        for (old, _) in store.policies_of(owner())?.inline {
            let numbered = old.strip_prefix("acls-").is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()));
            if numbered && !kept.contains(&old) {
                store.delete_inline(&actor, owner(), &old)?;
            }
        }
    }
    Ok(())
}
