// SPDX-License-Identifier: Apache-2.0
//! Which store: by its URL.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use standin::access_control::{Store, StoreFiles};
use standin::fault::{Fault, Status};
use standin::time::{SystemClock, SystemRandom};

/// The files of a store that is named by `sqlite:FILE` or by its path.
pub(crate) fn files(url: &str, key_file: Option<&Path>) -> Result<StoreFiles, Fault> {
    let path = url.strip_prefix("sqlite:").unwrap_or(url);
    if path.is_empty() || path.contains("://") {
        return Err(Fault::new(Status::InvalidSetting, format!("--store {url}: sqlite:FILE or a path is accepted")));
    }
    let store = PathBuf::from(path);
    let key_file = key_file.map_or_else(
        || {
            let mut name = store.clone().into_os_string();
            name.push(".key");
            name.into()
        },
        Path::to_path_buf,
    );
    Ok(StoreFiles { store, key_file })
}

/// Opens the store of this URL.
pub(crate) fn open_store(url: &str, key_file: Option<&Path>) -> Result<Store, Fault> {
    open_files(&files(url, key_file)?)
}

/// Opens the store in these files.
pub(crate) fn open_files(at: &StoreFiles) -> Result<Store, Fault> {
    Store::open(at, Arc::new(SystemClock::new()), Arc::new(SystemRandom))
}
