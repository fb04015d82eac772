// SPDX-License-Identifier: Apache-2.0
//! `standin host`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Subcommand;
use serde_json::{Value, json};
use standin::access_control::HostRow;
use standin::credential::Secret;
use standin::credential::host::host_name;
use standin::fault::{Fault, Status};
use standin::service::{Enrolment, enroll};
use standin::time::{Clock, SystemClock, SystemRandom};

use crate::output::date;
use crate::{Desk, actor};

/// Longest life of a code, seconds.
const LONGEST: i64 = 7 * 24 * 3600;

/// Commands on hosts of other machines.
#[derive(Subcommand)]
pub(crate) enum Host {
    /// Make a host. The code to enrol it by is shown this once.
    Create {
        /// Name: `<cluster>/<node>`.
        name: String,
        /// How many seconds the code is good for.
        #[arg(long, default_value_t = 3600)]
        valid: i64,
        /// Give it no keys to verify further logins with: it asks the service for each one.
        #[arg(long)]
        no_verification_keys: bool,
    },
    /// Make another code for a host, to enrol it again with a new key.
    Invite {
        /// Name.
        name: String,
        /// How many seconds the code is good for.
        #[arg(long, default_value_t = 3600)]
        valid: i64,
    },
    /// On the host's machine: make its key and credential file. Needs no store.
    Enroll {
        /// Name, as it was created.
        name: String,
        /// Address of the service: `https://HOST:PORT`.
        #[arg(long)]
        service: String,
        /// Certificates of the authority of the service's certificate, PEM.
        #[arg(long)]
        ca: PathBuf,
        /// The code.
        #[arg(long, env = "STANDIN_ENROLMENT_CODE", hide_env_values = true)]
        code: String,
        /// File to write the credential to (mode 0600).
        #[arg(long)]
        out: PathBuf,
    },
    /// List hosts.
    List,
    /// Revoke a host: nothing it signs is believed any more.
    Revoke {
        /// Name.
        name: String,
    },
}

fn state(host: &HostRow) -> &'static str {
    match (host.disabled, host.public_key.is_some()) {
        (true, _) => "revoked",
        (false, true) => "enrolled",
        (false, false) => "invited",
    }
}

fn shown(host: &HostRow) -> Value {
    json!({
        "name": host_name(&host.identity),
        "state": state(host),
        "arn": host.identity.arn(),
        "created": date(host.created),
        "enrolled": host.enrolled.map(date),
        "heard": host.seen.map(date),
        "verification_keys": host.verification_keys,
    })
}

fn invited(host: &HostRow, code: &Secret) -> Value {
    json!({
        "name": host_name(&host.identity),
        "code": String::from_utf8_lossy(code.expose()),
        "valid_until": host.code_ends.map(date),
    })
}

fn check(valid: i64) -> Result<i64, Fault> {
    if (1..=LONGEST).contains(&valid) {
        return Ok(valid * 1000);
    }
    Err(Fault::new(Status::InvalidArgument, format!("--valid {valid}: 1 to {LONGEST} seconds are accepted")))
}

impl Host {
    pub(crate) fn run(self, desk: &Desk) -> Result<ExitCode, Fault> {
        match self {
            Self::Create { name, valid, no_verification_keys } => {
                let (host, code) = desk.store()?.create_host(&actor(), &name, !no_verification_keys, check(valid)?)?;
                desk.output.one(&invited(&host, &code));
            }
            Self::Invite { name, valid } => {
                let (host, code) = desk.store()?.invite_host(&actor(), &name, check(valid)?)?;
                desk.output.one(&invited(&host, &code));
            }
            Self::Enroll { name, service, ca, code, out } => {
                let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
                let enrolment = Enrolment { url: service, ca, host: name, code };
                let host = enroll(&enrolment, &out, clock, Arc::new(SystemRandom))?;
                desk.output.one(&json!({"name": host_name(&host), "credential": out.display().to_string()}));
            }
            Self::List => {
                let rows: Vec<Value> = desk.store()?.hosts()?.iter().map(shown).collect();
                desk.output.list(&["name", "state", "created", "enrolled", "heard", "verification_keys"], &rows);
            }
            Self::Revoke { name } => desk.store()?.revoke_host(&actor(), &name)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
