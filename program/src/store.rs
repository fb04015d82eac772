// SPDX-License-Identifier: Apache-2.0
//! Which store: by its URL.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use standin::access_control::{Store, StoreFiles};
use standin::fault::{Fault, Status};
use standin::time::{SystemClock, SystemRandom};

use crate::postgres::Postgres;

/// True when a URL names a PostgreSQL database.
#[must_use]
pub fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

/// The files of a store that is named by `sqlite:FILE` or by its path.
///
/// # Errors
/// When the URL names something else.
pub fn files(url: &str, key_file: Option<&Path>) -> Result<StoreFiles, Fault> {
    let path = url.strip_prefix("sqlite:").unwrap_or(url);
    if is_postgres(url) {
        return Err(Fault::new(
            Status::InvalidSetting,
            "this needs the file of a store: sqlite:FILE or a path is accepted",
        ));
    }
    if path.is_empty() || path.contains("://") {
        // A URL may hold a password.
        let scheme = path.split_once("://").map_or("", |(scheme, _)| scheme);
        return Err(Fault::new(
            Status::InvalidSetting,
            format!("--store {scheme}…: postgres://…, sqlite:FILE or a path is accepted"),
        ));
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

/// The key file of a store in a database, which cannot lie beside it.
///
/// # Errors
/// When none was named.
pub fn key_file_of(url: &str, key_file: Option<&Path>) -> Result<PathBuf, Fault> {
    if !is_postgres(url) {
        return files(url, key_file).map(|f| f.key_file);
    }
    key_file.map(Path::to_path_buf).ok_or_else(|| {
        Fault::new(
            Status::InvalidSetting,
            "a store on PostgreSQL needs --key-file FILE or STANDIN_KEY_FILE: its sealing keys are not in the database",
        )
    })
}

/// Opens the store of this URL: `postgres://…`, `sqlite:FILE` or a path. Every
/// command and service does it here. Must not be called on a thread that
/// drives asynchronous tasks, and neither must the store's functions.
///
/// # Errors
/// With what to do.
pub fn open_store(url: &str, key_file: Option<&Path>) -> Result<Store, Fault> {
    if !is_postgres(url) {
        return open_files(&files(url, key_file)?);
    }
    let key_file = key_file_of(url, key_file)?;
    let database = Box::new(Postgres::open(url)?);
    Store::open_in(database, &key_file, Arc::new(SystemClock::new()), Arc::new(SystemRandom))
}

/// Opens the store in these files.
///
/// # Errors
/// As [`Store::open`].
pub fn open_files(at: &StoreFiles) -> Result<Store, Fault> {
    Store::open(at, Arc::new(SystemClock::new()), Arc::new(SystemRandom))
}

/// Makes the store of this URL, for one account, with a new key file.
///
/// # Errors
/// [`Status::Conflict`] when there is one; nothing is changed then.
pub fn make_store(url: &str, key_file: Option<&Path>, account: &str) -> Result<Store, Fault> {
    let (clock, random) = (Arc::new(SystemClock::new()), Arc::new(SystemRandom));
    if !is_postgres(url) {
        return Store::create(&files(url, key_file)?, account, clock, random);
    }
    let key_file = key_file_of(url, key_file)?;
    Store::create_in(Box::new(Postgres::make(url)?), &key_file, account, clock, random)
}
