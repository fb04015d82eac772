// SPDX-License-Identifier: Apache-2.0
//! Settings as they were given, by a host and by a file, and reading values of
//! them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{SETTINGS, Scope};
use crate::fault::{Fault, Status, distance};

/// Names beginning so are accepted and ignored, so that a rolled-back version
/// starts with the settings of a newer one.
const FORWARD: &str = "standin.x.";

/// One setting as given.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Value {
    text: String,
    /// The file it stands in; none when the host gave it.
    file: Option<PathBuf>,
}

/// Settings as given: full name to text. Later sources never overwrite.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    values: BTreeMap<String, Value>,
    /// The file the environment named.
    environment: Option<PathBuf>,
}

impl Given {
    /// Reads name-value pairs and, when they (or the environment variable
    /// `STANDIN_CONFIG`) name a file, the file behind them.
    ///
    /// # Errors
    /// [`Status::InvalidSetting`]: unknown names (with the nearest known one)
    /// and unreadable or malformed files.
    pub fn read<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
        environment: Option<&Path>,
    ) -> Result<Self, Fault> {
        let mut given = Self { environment: environment.map(Path::to_path_buf), ..Self::default() };
        for (name, value) in pairs {
            known(name, "the host's configuration")?;
            given.values.insert(name.to_owned(), Value { text: value.trim().to_owned(), file: None });
        }
        let file = given.text("standin.config").map(PathBuf::from).or_else(|| given.environment.clone());
        if let Some(file) = file {
            given.read_file(&file)?;
        }
        Ok(given)
    }

    /// What the host gave, with `pairs` in the place of what has their names,
    /// and the file read anew.
    ///
    /// # Errors
    /// As [`Given::read`].
    pub fn renewed<'a>(&self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, Fault> {
        let hosts = self.values.iter().filter(|(_, v)| v.file.is_none());
        let mut merged: BTreeMap<&str, &str> = hosts.map(|(name, v)| (name.as_str(), v.text.as_str())).collect();
        let pairs: Vec<(&str, &str)> = pairs.into_iter().collect();
        merged.extend(pairs.iter().copied());
        Self::read(merged, self.environment.as_deref())
    }

    fn read_file(&mut self, file: &Path) -> Result<(), Fault> {
        let shown = file.display();
        let text = std::fs::read_to_string(file).map_err(|e| invalid(format!("{shown}: cannot be read: {e}")))?;
        let table: toml::Table = text.parse().map_err(|e: toml::de::Error| invalid(format!("{shown}: {e}")))?;
        // Both `[standin]` with keys below it and bare keys are accepted.
        let root = match table.get("standin") {
            Some(toml::Value::Table(inner)) if table.len() == 1 => inner.clone(),
            _ => table,
        };
        let mut flat = Vec::new();
        flatten("standin", &root, &mut flat).map_err(|text| invalid(format!("{shown}: {text}")))?;
        for (name, text) in flat {
            known(&name, &shown.to_string())?;
            self.values.entry(name).or_insert_with(|| Value { text, file: Some(file.to_owned()) });
        }
        Ok(())
    }

    /// Every setting that was given, by name: its text, and where it stands.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.values.iter().map(|(name, value)| {
            let file = value.file.as_deref().and_then(Path::to_str);
            (name.as_str(), value.text.as_str(), file.unwrap_or("the host's configuration"))
        })
    }

    /// Lines for the log: every given setting of this scope and its source.
    #[must_use]
    pub fn shown(&self, scope: Scope) -> Vec<String> {
        let within = |name: &str| SETTINGS.iter().any(|s| s.name == name && s.scope == scope);
        self.iter()
            .filter(|(name, ..)| within(name))
            .map(|(name, text, source)| format!("{name}={text} ({source})"))
            .collect()
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|v| v.text.as_str()).filter(|v| !v.is_empty())
    }

    pub(super) fn or_default(&self, name: &str) -> &str {
        self.text(name).unwrap_or_else(|| SETTINGS.iter().find(|s| s.name == name).map_or("", |s| s.default))
    }

    pub(super) fn millis(&self, name: &str, least: i64, most: i64) -> Result<i64, Fault> {
        let text = self.or_default(name);
        match text.parse::<i64>() {
            Ok(value) if (least..=most).contains(&value) => Ok(value),
            _ => Err(invalid(format!("{name}={text}: a whole number from {least} to {most} is accepted"))),
        }
    }

    pub(super) fn one_of(&self, name: &str, accepted: &[&'static str]) -> Result<&'static str, Fault> {
        let text = self.or_default(name);
        accepted
            .iter()
            .find(|a| **a == text)
            .copied()
            .ok_or_else(|| invalid(format!("{name}={text}: {} is accepted", accepted.join(" or "))))
    }

    pub(super) fn list(&self, name: &str) -> Vec<String> {
        self.or_default(name).split(',').map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned).collect()
    }

    pub(super) fn required(&self, name: &str) -> Result<&str, Fault> {
        self.text(name).ok_or_else(|| invalid(format!("{name} is missing; it is required")))
    }
}

pub(super) fn invalid(text: String) -> Fault {
    Fault::new(Status::InvalidSetting, text)
}

fn flatten(prefix: &str, table: &toml::Table, out: &mut Vec<(String, String)>) -> Result<(), String> {
    for (key, value) in table {
        let name = format!("{prefix}.{key}");
        match value {
            toml::Value::Table(inner) => flatten(&name, inner, out)?,
            toml::Value::String(text) => out.push((name, text.clone())),
            toml::Value::Integer(number) => out.push((name, number.to_string())),
            toml::Value::Boolean(yes) => out.push((name, yes.to_string())),
            toml::Value::Array(items) => {
                let texts: Option<Vec<&str>> = items.iter().map(toml::Value::as_str).collect();
                let texts = texts.ok_or_else(|| format!("{name}: a list of strings is accepted"))?;
                out.push((name, texts.join(",")));
            }
            _ => {
                return Err(format!(
                    "{name}: a string, a whole number, true or false, or a list of strings is accepted"
                ));
            }
        }
    }
    Ok(())
}

fn known(name: &str, source: &str) -> Result<(), Fault> {
    if name.starts_with(FORWARD) || SETTINGS.iter().any(|s| s.name == name) {
        return Ok(());
    }
    let nearest = SETTINGS.iter().min_by_key(|s| distance(s.name, name)).map_or("", |s| s.name);
    Err(invalid(format!("{source}: {name} is not a setting; did you mean {nearest}?")))
}
