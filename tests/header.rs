// SPDX-License-Identifier: Apache-2.0
//! The committed header against the one that the source gives.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;

/// In the order in which the header has them.
const SOURCES: [&str; 7] = ["status", "types", "engine", "login", "events", "session", "records"];

fn written() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).unwrap();
    let mut builder = cbindgen::Builder::new().with_config(config);
    for name in SOURCES {
        builder = builder.with_src(root.join(format!("src/ffi/c/{name}.rs")));
    }
    let mut out = Vec::new();
    builder.generate().unwrap().write(&mut out);
    // What is for those who read the source.
    let text = String::from_utf8(out).unwrap();
    text.replace(" *\n * # Safety\n * Pointers are null or point to what the header says.\n", "")
}

/// Run with STANDIN_UPDATE_HEADER=1 to write the header.
#[test]
fn the_header_is_what_the_source_gives() {
    let at = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/standin.h");
    let written = written();
    assert!(written.contains("standin_authorize("), "{written}");
    if std::env::var_os("STANDIN_UPDATE_HEADER").is_some() {
        std::fs::write(at, written).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(at).unwrap();
    assert!(committed == written, "include/standin.h differs; run with STANDIN_UPDATE_HEADER=1 to write it");
}
