// SPDX-License-Identifier: Apache-2.0
//! A broker's configuration as it stands in its file.

pub(crate) mod properties;

use std::path::{Path, PathBuf};

use standin::fault::{Fault, Status};
use standin::settings::Given;

use properties::Properties;

/// The file of a broker's configuration.
pub(crate) struct Broker {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// What stands in it.
    pub(crate) properties: Properties,
}

impl Broker {
    /// Reads the file.
    ///
    /// # Errors
    /// When it cannot be read, or is not a file of properties.
    pub(crate) fn read(path: &Path) -> Result<Self, Fault> {
        let wrong = |text: String| Fault::new(Status::InvalidArgument, format!("{}{text}", path.display()));
        let bytes = std::fs::read(path).map_err(|e| wrong(format!(": {e}")))?;
        let properties = Properties::read(&bytes).map_err(|(line, text)| wrong(format!(", line {line}: {text}")))?;
        Ok(Self { path: path.to_owned(), properties })
    }

    /// What it sets for the engine, as the authorizer takes it.
    ///
    /// # Errors
    /// As [`Given::read`].
    pub(crate) fn given(&self) -> Result<Given, Fault> {
        let own = self.properties.effective().filter(|e| e.key.starts_with("standin."));
        Given::read(own.map(|e| (e.key.as_str(), e.value.trim())), None)
            .map_err(|f| Fault::new(f.status, format!("{}: {f}", self.path.display())))
    }
}
