// SPDX-License-Identifier: Apache-2.0
//! `standin`: administration of Standin from the command line.
//!
//! Exit codes: 0 done; 1 decided no or not valid; 2 usage; 3 not found;
//! 4 conflict; 5 could not decide, try again; 70 a defect.

mod acl;
mod agent;
mod audit;
mod aws;
mod broker;
mod checking;
mod credentials;
mod declared;
mod doctor;
mod explain;
mod hosts;
mod house;
mod init;
mod input;
mod keeping;
mod keys;
mod limits;
mod output;
mod people;
mod policies;
mod progress;
mod roles;
mod serve;
mod sessions;
mod simulation;
mod validation;
mod whoami;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, Subcommand};
use standin::access_control::{Quotas, Store, StoreFiles};
use standin::fault::{Fault, Kind, Status};
use standin_program::store;

use output::Output;

/// Administration of Standin: request-based security for connection-based servers.
#[derive(Parser)]
#[command(name = "standin", version)]
struct Arguments {
    /// The store: a path, `sqlite:FILE`, or `postgres://…`.
    #[arg(long, global = true, env = "STANDIN_STORE")]
    store: Option<String>,
    /// Path of the key file; by default the store's path and `.key`.
    #[arg(long, global = true, env = "STANDIN_KEY_FILE")]
    key_file: Option<PathBuf>,
    /// How results are printed.
    #[arg(long, global = true, value_enum, default_value = "table")]
    output: Output,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a store, keys and a development CA, and print the broker's settings.
    Init(init::Init),
    /// Users.
    #[command(subcommand)]
    User(people::User),
    /// Groups of users.
    #[command(subcommand)]
    Group(people::Group),
    /// Roles, and temporary credentials.
    #[command(subcommand)]
    Role(roles::Role),
    /// Access keys.
    #[command(subcommand)]
    Key(keys::Key),
    /// Policies.
    #[command(subcommand)]
    Policy(policies::Policy),
    /// Kafka's ACLs.
    #[command(subcommand)]
    Acl(acl::Acl),
    /// Live sessions.
    #[command(subcommand)]
    Session(sessions::Session),
    /// Hosts on other machines.
    #[command(subcommand)]
    Host(hosts::Host),
    /// Make users, groups, roles and policies as files declare them.
    Apply(declared::Apply),
    /// Write users, groups, roles and policies as files.
    Export(declared::Export),
    /// What is wrong with a broker's configuration, and which line to change.
    Doctor(doctor::Doctor),
    /// Why something is allowed or not, and what would allow it.
    Explain(explain::Explain),
    /// Whose keys these are, and whether they are good.
    Whoami(whoami::WhoAmI),
    /// Who did what.
    Audit(audit::Audit),
    /// Copy the store to a file, while it is in use.
    Backup(keeping::Backup),
    /// Make a store of a copy, or go on after a database was put back.
    Restore(keeping::Restore),
    /// Run a host's agent as a process of its own.
    Agent(agent::Agent),
    /// Run the security service for hosts on other machines.
    Serve(serve::Serve),
}

/// How long a command waits while other processes write.
const PATIENCE: Duration = Duration::from_secs(15);

/// How many of a service read the file of a store at once: as many as may read
/// a database on PostgreSQL by default.
const READERS: usize = 8;

/// What every command works with.
struct Desk {
    store: Option<String>,
    key_file: Option<PathBuf>,
    output: Output,
}

impl Desk {
    /// The open store, for a command.
    fn store(&self) -> Result<Store, Fault> {
        self.store_or(None)
    }

    /// The open store; where the command line names none, this one.
    fn store_or(&self, other: Option<&StoreFiles>) -> Result<Store, Fault> {
        let opened = match (&self.store, other) {
            (None, Some(other)) => store::open_files(other),
            _ => store::open_store(self.url()?, self.key_file.as_deref()),
        };
        opened?.patient(PATIENCE)
    }

    /// The open store, for threads that share it.
    fn shared_store(&self, quotas: Quotas) -> Result<Arc<Store>, Fault> {
        let store = store::open_store(self.url()?, self.key_file.as_deref())?;
        Ok(Arc::new(store.with_quotas(quotas).with_readers(READERS)))
    }

    fn url(&self) -> Result<&str, Fault> {
        self.store
            .as_deref()
            .ok_or_else(|| Fault::new(Status::InvalidSetting, "which store? give --store PATH or set STANDIN_STORE"))
    }

    fn files(&self) -> Result<StoreFiles, Fault> {
        store::files(self.url()?, self.key_file.as_deref())
    }
}

/// Who acts, as the audit names it: the machine's user, and behind `sudo` who
/// called it.
fn actor() -> String {
    let uid = rustix::process::getuid().as_raw();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let known = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    let name = std::env::var("SUDO_USER").ok().filter(|n| !n.is_empty()).or(known);
    format!("local/{}({uid})", name.unwrap_or_else(|| "unknown".into()))
}

fn run(arguments: Arguments) -> Result<ExitCode, Fault> {
    let desk = Desk { store: arguments.store, key_file: arguments.key_file, output: arguments.output };
    match arguments.command {
        Command::Init(init) => init.run(&desk),
        Command::User(user) => user.run(&desk),
        Command::Group(group) => group.run(&desk),
        Command::Role(role) => role.run(&desk),
        Command::Key(key) => key.run(&desk),
        Command::Policy(policy) => policy.run(&desk),
        Command::Acl(acl) => acl.run(&desk),
        Command::Session(session) => session.run(&desk),
        Command::Host(host) => host.run(&desk),
        Command::Apply(apply) => apply.run(&desk),
        Command::Export(export) => export.run(&desk),
        Command::Doctor(doctor) => doctor.run(&desk),
        Command::Explain(explain) => explain.run(&desk),
        Command::Whoami(whoami) => whoami.run(&desk),
        Command::Audit(audit) => audit.run(&desk),
        Command::Backup(backup) => backup.run(&desk),
        Command::Restore(restore) => restore.run(&desk),
        Command::Agent(agent) => agent.run(),
        Command::Serve(serve) => serve.run(&desk),
    }
}

fn code(fault: &Fault) -> u8 {
    match (fault.status, fault.kind()) {
        (Status::NotFound, _) => 3,
        (Status::Conflict | Status::LimitReached, _) => 4,
        (Status::InvalidDocument, _) | (_, Kind::Refused) => 1,
        (_, Kind::Misuse) => 2,
        (_, Kind::Undecided) => 5,
        (_, Kind::Internal) => 70,
    }
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(code) => code,
        Err(fault) => {
            output::complain(&fault.text);
            ExitCode::from(code(&fault))
        }
    }
}
