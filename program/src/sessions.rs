// SPDX-License-Identifier: Apache-2.0
//! `standin session`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use standin::access_control::SessionRow;
use standin::fault::{Fault, Status};

use crate::output::date;
use crate::{Desk, actor};

/// Which sessions.
#[derive(Args)]
pub(crate) struct Which {
    /// Only those of this identity: its ARN, or its name.
    #[arg(long)]
    identity: Option<String>,
    /// Only those begun with this access key.
    #[arg(long)]
    key: Option<String>,
    /// Only those from this address.
    #[arg(long)]
    address: Option<String>,
    /// Only those on this listener.
    #[arg(long)]
    listener: Option<String>,
}

impl Which {
    fn is_all(&self) -> bool {
        [&self.identity, &self.key, &self.address, &self.listener].iter().all(|f| f.is_none())
    }

    fn fits(&self, row: &SessionRow) -> bool {
        let is = |wanted: &Option<String>, value: &str| wanted.as_deref().is_none_or(|w| w == value);
        let named = |wanted: &str| row.subject == wanted || row.subject.rsplit('/').next() == Some(wanted);
        self.identity.as_deref().is_none_or(named)
            && is(&self.key, &row.access_key_id)
            && is(&self.address, &row.address)
            && is(&self.listener, &row.listener)
    }

    fn words(&self) -> String {
        let pair = |name: &str, value: &Option<String>| value.as_ref().map(|v| format!("{name} {v}"));
        let pairs = [
            pair("identity", &self.identity),
            pair("key", &self.key),
            pair("address", &self.address),
            pair("listener", &self.listener),
        ];
        pairs.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// Commands on live sessions.
#[derive(Subcommand)]
pub(crate) enum Session {
    /// List live sessions.
    List {
        #[command(flatten)]
        which: Which,
    },
    /// End sessions: everything on their connections is refused from then on.
    End {
        /// Id, as listed.
        #[arg(conflicts_with_all = ["identity", "key", "address", "listener"])]
        id: Option<String>,
        #[command(flatten)]
        which: Which,
        /// Close their connections too, at the next request on each.
        #[arg(long)]
        disconnect: bool,
    },
}

fn shown(s: SessionRow) -> Value {
    json!({"id": s.id, "subject": s.subject, "key": s.access_key_id, "session_name": s.session_name, "address": s.address,
        "listener": s.listener, "host": s.host, "since": date(s.since), "deadline": date(s.deadline)})
}

const COLUMNS: [&str; 7] = ["id", "subject", "key", "address", "listener", "since", "deadline"];

impl Session {
    pub(crate) fn run(self, desk: &Desk) -> Result<ExitCode, Fault> {
        let store = desk.store()?;
        match self {
            Self::List { which } => {
                let rows: Vec<Value> = store.sessions()?.into_iter().filter(|s| which.fits(s)).map(shown).collect();
                desk.output.list(&COLUMNS, &rows);
            }
            Self::End { id: Some(id), disconnect, .. } => store.end_session(&actor(), &id, disconnect)?,
            Self::End { id: None, which, disconnect } => {
                if which.is_all() {
                    return Err(Fault::new(
                        Status::InvalidArgument,
                        "which sessions? give an id, --identity, --key, --address or --listener",
                    ));
                }
                let rows: Vec<SessionRow> = store.sessions()?.into_iter().filter(|s| which.fits(s)).collect();
                let ids: Vec<String> = rows.iter().map(|s| s.id.clone()).collect();
                if !ids.is_empty() {
                    store.end_sessions(&actor(), &ids, &which.words(), disconnect)?;
                }
                let rows: Vec<Value> = rows.into_iter().map(shown).collect();
                desk.output.list(&COLUMNS, &rows);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
