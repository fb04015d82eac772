// SPDX-License-Identifier: Apache-2.0
//! What commands are given: files, pairs, the time.

use std::io::Read;
use std::path::Path;

use standin::fault::{Fault, Status};
use standin::time::UnixMillis;

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

/// Reads KEY=VALUE pairs.
pub(crate) fn tags(texts: &[String]) -> Result<Vec<(String, String)>, Fault> {
    texts
        .iter()
        .map(|t| {
            t.split_once('=')
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .ok_or_else(|| Fault::new(Status::InvalidArgument, format!("tag {t:?}: KEY=VALUE is accepted")))
        })
        .collect()
}

/// The wall clock.
pub(crate) fn now() -> UnixMillis {
    use standin::time::Clock as _;
    standin::time::SystemClock::new().wall()
}
