// SPDX-License-Identifier: Apache-2.0
//! What is looked for, and what was found.

use std::path::Path;

use serde_json::{Value, json};

use crate::broker::properties::Entry;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// The broker does not start, clients cannot work, or somebody gets in.
    Wrong,
    /// It works, but probably not as it is meant.
    Warning,
}

/// Every rule: its name and what it is about.
pub(crate) const RULES: &[(&str, &str)] = &[
    ("set-twice", "a key stands twice; the last one counts"),
    ("unknown-setting", "a `standin.` key that does not exist"),
    ("setting-value", "a value that is not accepted, or a required setting that is missing"),
    ("setting-scope", "a setting of the engine behind a listener's prefix"),
    ("setting-of-no-login", "a setting of Standin for a listener where nobody logs in to it"),
    ("roles", "neither a broker nor a controller of KRaft"),
    ("authorizer", "`authorizer.class.name` is not Standin's"),
    (
        "principal-builder",
        "`principal.builder.class` is not Standin's: sessions, and the serde with which controllers read them",
    ),
    ("principal-builder-of-listener", "another principal builder for a listener that needs Standin's"),
    ("super-users-separator", "`super.users` is separated by commas; Kafka wants semicolons"),
    ("super-users-arn", "`super.users` names a principal of Standin, to no effect"),
    ("broker-principal", "the brokers' own principal is not in `super.users`"),
    ("anonymous", "everybody who reaches a listener without authentication is a super user"),
    ("allow-everyone", "`allow.everyone.if.no.acl.found` lets principals of other listeners in"),
    ("delegation-tokens", "delegation tokens beside Standin"),
    ("early-start", "`early.start.listeners` leaves controllers out, or lets clients in before there are ACLs"),
    ("inter-broker", "brokers speak to each other over a listener where clients log in to Standin"),
    ("no-login", "no listener offers Standin's logins"),
    ("key-case", "a key whose listener or mechanism is not in lower case is never read"),
    ("jaas-without-prefix", "`sasl.jaas.config` without a listener's prefix is never read"),
    ("jaas-line", "a JAAS line that is missing or malformed"),
    ("callback-handler", "the callback handler is missing or not Standin's"),
    ("mechanism", "a mechanism with a JAAS line that is not enabled"),
    ("evidence", "an enabled mechanism whose logins `standin.evidence` does not accept"),
    ("listener", "settings for a listener that is not in `listeners`"),
    ("protocol", "a listener without a protocol, or one on which SASL is not spoken"),
    ("plaintext", "logins without TLS"),
    ("keystore", "a listener with TLS without certificate, or with a file that cannot be read"),
    ("keystore-mode", "others may read the private key"),
    ("hosts", "an advertised name that `standin.hosts` does not list"),
    ("loopback", "`127.0.0.1` in `standin.hosts` without `localhost`, which Java clients sign"),
    ("region", "two clusters accept the same region"),
    ("host-name", "two brokers have the same `standin.host` in the audit"),
    ("differs", "broker and controller of one cluster are set differently"),
    ("reauthentication", "sessions so short that clients authenticate before every request"),
    ("login-waiting", "more logins may wait than half of the listener's network threads"),
    ("shadow", "ACLs decide and policies are only compared with them"),
    ("agent", "the agent's socket is not there, not the agent's, or open to others"),
    ("store", "the store cannot be opened"),
    ("store-format", "the store is of an older format than the program's"),
    ("store-mode", "others may get at the files of the store"),
    ("audit-dir", "the audit directory cannot be written"),
    ("native-library", "the native library does not fit this machine"),
    ("jars", "the jars are missing, or of different versions"),
    ("clock", "the clock went back, or logins of late were refused for their time"),
];

/// One thing that was found.
pub(crate) struct Finding {
    pub(crate) rule: &'static str,
    pub(crate) level: Level,
    /// File and line, where it stands in one.
    pub(crate) file: String,
    pub(crate) line: Option<usize>,
    pub(crate) text: String,
    /// The lines to have instead, or to add.
    pub(crate) change: Vec<String>,
}

impl Finding {
    pub(crate) fn json(&self) -> Value {
        let level = if self.level == Level::Wrong { "wrong" } else { "warning" };
        json!({"rule": self.rule, "level": level, "file": self.file, "line": self.line, "text": self.text, "change": self.change})
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        let level = if self.level == Level::Wrong { "wrong" } else { "warning" };
        let line = self.line.map(|n| format!(":{n}")).unwrap_or_default();
        let mut lines = vec![format!("{}{line}: {level} ({}): {}", self.file, self.rule, self.text)];
        lines.extend(self.change.iter().map(|c| format!("    {c}")));
        lines
    }
}

/// Gathers what is found in one file.
pub(crate) struct Findings {
    file: String,
    pub(crate) list: Vec<Finding>,
}

impl Findings {
    pub(crate) fn new(file: &Path) -> Self {
        Self { file: file.display().to_string(), list: Vec::new() }
    }

    pub(crate) fn add(
        &mut self,
        rule: &'static str,
        level: Level,
        entry: Option<&Entry>,
        text: impl Into<String>,
        change: Vec<String>,
    ) {
        debug_assert!(RULES.iter().any(|(name, _)| *name == rule), "{rule}");
        let (file, line) = (self.file.clone(), entry.map(|e| e.line));
        self.list.push(Finding { rule, level, file, line, text: text.into(), change });
    }

    pub(crate) fn wrong(
        &mut self,
        rule: &'static str,
        entry: Option<&Entry>,
        text: impl Into<String>,
        change: &[&str],
    ) {
        self.add(rule, Level::Wrong, entry, text, change.iter().map(ToString::to_string).collect());
    }

    pub(crate) fn warn(&mut self, rule: &'static str, entry: Option<&Entry>, text: impl Into<String>, change: &[&str]) {
        self.add(rule, Level::Warning, entry, text, change.iter().map(ToString::to_string).collect());
    }
}
