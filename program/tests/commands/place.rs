// SPDX-License-Identifier: Apache-2.0
//! A directory with a store, and the program run in it.

#![allow(dead_code, unreachable_pub, reason = "each test uses what it needs")]

use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use serde_json::Value;
use standin::access_control::{Store, StoreFiles};
use standin::time::{SystemClock, SystemRandom};

pub const ALLOW: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kafka-cluster:*","Resource":"*"}}"#;
pub const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/ann"},"Action":"sts:AssumeRole"}}"#;

pub struct Place {
    pub dir: tempfile::TempDir,
}

impl Place {
    /// A directory with a store, made by the program.
    pub fn new() -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap() };
        let path = place.path("s");
        place.ok(&["init", "--dir", path.to_str().unwrap(), "--account", "123456789012"]);
        for (name, text) in [("allow.json", ALLOW), ("trust.json", TRUST)] {
            std::fs::write(place.path(name), text).unwrap();
        }
        place
    }

    /// A directory with a store in which there is nothing.
    pub fn bare() -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap() };
        place.store("s");
        place
    }

    /// Makes a store in which there is nothing.
    pub fn store(&self, dir: &str) {
        let path = self.path(dir);
        std::fs::DirBuilder::new().mode(0o700).create(&path).unwrap();
        let files = StoreFiles { store: path.join("store.db"), key_file: path.join("store.db.key") };
        Store::create(&files, "123456789012", Arc::new(SystemClock::new()), Arc::new(SystemRandom)).unwrap();
    }

    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// The program with these arguments and this place's store.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_standin"));
        command.args(arguments).current_dir(self.dir.path()).env("STANDIN_STORE", self.path("s/store.db"));
        for name in ["SUDO_USER", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"] {
            command.env_remove(name);
        }
        command
    }

    pub fn ok(&self, arguments: &[&str]) -> String {
        let out = self.run(arguments);
        assert!(out.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&out.stderr));
        assert!(out.stderr.is_empty(), "{arguments:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    }

    pub fn json(&self, arguments: &[&str]) -> Value {
        let mut all = arguments.to_vec();
        all.extend(["--output", "json"]);
        serde_json::from_str(&self.ok(&all)).unwrap()
    }

    /// Runs what must fail with this code; its text.
    pub fn fails(&self, code: i32, arguments: &[&str]) -> String {
        let out = self.run(arguments);
        let text = String::from_utf8(out.stderr).unwrap();
        assert_eq!(out.status.code(), Some(code), "{arguments:?}: {text}");
        text
    }
}

pub fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}
