// SPDX-License-Identifier: Apache-2.0
//! `standin backup` and `standin restore`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde_json::json;
use standin::access_control::Store;
use standin::fault::{Fault, Status};
use standin::time::{SystemClock, SystemRandom};
use standin_program::store::is_postgres;

use crate::{Desk, actor};

/// Options of `standin backup`.
#[derive(Args)]
pub(crate) struct Backup {
    /// New file for the copy.
    file: PathBuf,
}

impl Backup {
    pub(crate) fn run(self, desk: &Desk) -> Result<ExitCode, Fault> {
        let store = desk.store()?;
        store.back_up(&self.file)?;
        desk.output.one(&json!({
            "file": self.file.display().to_string(),
            "revision": store.revision()?.0,
            "keys": "not in the copy; keep the key file too, in another place",
        }));
        Ok(ExitCode::SUCCESS)
    }
}

/// Options of `standin restore`.
#[derive(Args)]
pub(crate) struct Restore {
    /// Copy made by `standin backup`. Without it the store on PostgreSQL goes on after its database was put back.
    file: Option<PathBuf>,
}

impl Restore {
    pub(crate) fn run(self, desk: &Desk) -> Result<ExitCode, Fault> {
        let url = desk.url()?;
        let revision = match (self.file, is_postgres(url)) {
            (Some(file), false) => {
                let (clock, random) = (Arc::new(SystemClock::new()), Arc::new(SystemRandom));
                Store::restore(&desk.files()?, &file, &actor(), clock, random)?.revision()?
            }
            (None, true) => desk.store()?.begin_anew(&actor())?,
            (None, false) => return Err(Fault::new(Status::InvalidArgument, "which copy? give its FILE")),
            (Some(_), true) => {
                let text = "a PostgreSQL database is put back with pg_restore; then run `standin restore` without FILE";
                return Err(Fault::new(Status::InvalidArgument, text));
            }
        };
        desk.output.one(&json!({"revision": revision.0}));
        Ok(ExitCode::SUCCESS)
    }
}
