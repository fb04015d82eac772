// SPDX-License-Identifier: Apache-2.0
//! `standin session`.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};
use standin::fault::Fault;

use crate::output::date;
use crate::{Desk, actor};

/// Commands on live sessions.
#[derive(Subcommand)]
pub(crate) enum Session {
    /// List live sessions.
    List,
    /// End a session: everything on its connection is refused from then on.
    End {
        /// Id, as listed.
        id: String,
    },
}

impl Session {
    pub(crate) fn run(self, desk: &Desk) -> Result<ExitCode, Fault> {
        let store = desk.store()?;
        match self {
            Self::List => {
                let rows: Vec<Value> = store
                    .sessions()?
                    .into_iter()
                    .map(|s| {
                        json!({"id": s.id, "subject": s.subject, "key": s.access_key_id, "session_name": s.session_name, "address": s.address,
                            "listener": s.listener, "host": s.host, "since": date(s.since), "deadline": date(s.deadline)})
                    })
                    .collect();
                desk.output.list(&["id", "subject", "key", "address", "listener", "since", "deadline"], &rows);
            }
            Self::End { id } => store.end_session(&actor(), &id)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
