// SPDX-License-Identifier: Apache-2.0
//! Reading a directory of declarations: all of it, and every problem in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use standin::fault::{Fault, Status};
use standin::policy::{Document, TrustPolicy};
use toml::Spanned;

use super::{Holder, Person, Policy, State, text_of};

/// The folders there may be.
pub(super) const KINDS: [&str; 4] = ["policies", "groups", "users", "roles"];

fn root() -> String {
    "/".into()
}

fn longest() -> i64 {
    3600
}

/// `policies/NAME.toml`, beside the document; it may be missing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyFile {
    #[serde(default = "root")]
    path: String,
}

/// `groups/NAME.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupFile {
    #[serde(default = "root")]
    path: String,
    #[serde(default)]
    policies: Vec<Spanned<String>>,
}

/// `users/NAME.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserFile {
    #[serde(default = "root")]
    path: String,
    #[serde(default)]
    disabled: bool,
    #[serde(default)]
    groups: Vec<Spanned<String>>,
    #[serde(default)]
    policies: Vec<Spanned<String>>,
    boundary: Option<Spanned<String>>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

/// `roles/NAME.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleFile {
    #[serde(default = "root")]
    path: String,
    #[serde(default)]
    disabled: bool,
    #[serde(default = "longest")]
    max_session: i64,
    #[serde(default)]
    policies: Vec<Spanned<String>>,
    boundary: Option<Spanned<String>>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

/// A name that a file refers to, and where.
struct Reference {
    kind: &'static str,
    name: String,
    place: String,
}

/// What was read, and what is wrong with it.
#[derive(Default)]
struct Reading {
    state: State,
    references: Vec<Reference>,
    problems: Vec<String>,
}

/// What a directory declares. A kind without a folder is not spoken of.
pub(super) struct Declared {
    pub(super) state: State,
    /// The kinds that have a folder.
    pub(super) kinds: Vec<&'static str>,
}

/// Reads a directory.
///
/// # Errors
/// Every problem, with file, line and column.
pub(super) fn read(dir: &Path) -> Result<Declared, Fault> {
    let mut reading = Reading::default();
    let mut kinds = Vec::new();
    for path in list(dir)? {
        let name = name(&path);
        match KINDS.into_iter().find(|kind| *kind == name) {
            Some(kind) if path.is_dir() => {
                kinds.push(kind);
                reading.kind(kind, &path)?;
            }
            _ if is_other(&name) => {}
            _ => reading.problems.push(format!(
                "{}: the folders {} and *.md are accepted",
                path.display(),
                KINDS.join(", ")
            )),
        }
    }
    reading.finish(kinds)
}

/// What Git and people keep beside.
fn is_other(name: &str) -> bool {
    name.starts_with('.') || name.ends_with(".md") || name == "LICENSE"
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The name behind a folder's; folders cannot be called as some things are.
pub(super) fn folder_of(name: &str) -> String {
    if name.chars().all(|c| c == '.') { name.replace('.', "%2E") } else { name.to_owned() }
}

fn failed(path: &Path, e: &std::io::Error) -> Fault {
    Fault::new(Status::InvalidArgument, format!("{}: {e}", path.display()))
}

fn list(dir: &Path) -> Result<Vec<PathBuf>, Fault> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(dir)
        .map_err(|e| failed(dir, &e))?
        .map(|entry| entry.map(|e| e.path()))
        .collect::<Result<_, _>>()
        .map_err(|e| failed(dir, &e))?;
    paths.sort();
    Ok(paths)
}

fn text(path: &Path) -> Result<String, Fault> {
    std::fs::read_to_string(path).map_err(|e| failed(path, &e))
}

/// Line and column of a place in a text, both from 1.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or_default();
    (before.matches('\n').count() + 1, before.rsplit('\n').next().unwrap_or_default().chars().count() + 1)
}

impl Reading {
    fn kind(&mut self, kind: &'static str, dir: &Path) -> Result<(), Fault> {
        let mut inline: Vec<PathBuf> = Vec::new();
        for path in list(dir)? {
            let file = name(&path);
            let stem = |end: &str| file.strip_suffix(end).filter(|n| !n.is_empty()).map(str::to_owned);
            if path.is_dir() && kind != "policies" {
                inline.push(path);
            } else if let Some(name) = stem(".trust.json").filter(|_| kind == "roles") {
                // Read with the role itself.
                if !dir.join(format!("{name}.toml")).exists() {
                    self.problems.push(format!("{}: there is no {name}.toml beside it", path.display()));
                }
            } else if let Some(name) = stem(".json").filter(|_| kind == "policies") {
                self.policy(&path, name)?;
            } else if let Some(name) = stem(".toml") {
                self.thing(kind, &path, name)?;
            } else if !is_other(&file) {
                let accepted = match kind {
                    "policies" => "NAME.json, and NAME.toml beside it,",
                    "roles" => "NAME.toml, NAME.trust.json and NAME/POLICY.json",
                    _ => "NAME.toml and NAME/POLICY.json",
                };
                self.problems.push(format!("{}: {accepted} are accepted in {kind}", path.display()));
            }
        }
        for folder in inline {
            self.inline(kind, &folder)?;
        }
        Ok(())
    }

    /// Reads TOML; none when something is wrong with it.
    fn toml<T: DeserializeOwned>(&mut self, path: &Path) -> Result<Option<(String, T)>, Fault> {
        let text = text(path)?;
        match toml::from_str(&text) {
            Ok(value) => Ok(Some((text, value))),
            Err(e) => {
                let (line, column) = place(&text, e.span().map_or(0, |s| s.start));
                self.problems.push(format!("{}:{line}:{column}: {}", path.display(), e.message()));
                Ok(None)
            }
        }
    }

    fn document(&mut self, path: &Path, trust: bool) -> Result<String, Fault> {
        let text = text(path)?;
        let parsed = if trust { TrustPolicy::parse(&text).map(drop) } else { Document::parse(&text).map(drop) };
        for problem in parsed.err().iter().flat_map(|invalid| &invalid.problems) {
            let (line, column) = (problem.line, problem.column);
            self.problems.push(format!(
                "{}:{line}:{column}: {}: {}; {}",
                path.display(),
                problem.path,
                problem.found,
                problem.accepted
            ));
        }
        Ok(text_of(&text))
    }

    fn policy(&mut self, path: &Path, name: String) -> Result<(), Fault> {
        let document = self.document(path, false)?;
        let entry = self.state.policies.entry(name).or_insert_with(|| Policy { path: root(), document: String::new() });
        entry.document = document;
        Ok(())
    }

    fn refer(&mut self, kind: &'static str, names: &[Spanned<String>], file: &Path, text: &str) {
        for name in names {
            let (line, column) = place(text, name.span().start);
            let place = format!("{}:{line}:{column}", file.display());
            self.references.push(Reference { kind, name: name.get_ref().clone(), place });
        }
    }

    fn thing(&mut self, kind: &'static str, path: &Path, name: String) -> Result<(), Fault> {
        let names = |list: Vec<Spanned<String>>| list.into_iter().map(Spanned::into_inner).collect();
        match kind {
            "policies" => {
                if !path.with_file_name(format!("{name}.json")).exists() {
                    self.problems.push(format!("{}: there is no {name}.json beside it", path.display()));
                }
                let Some((_, file)) = self.toml::<PolicyFile>(path)? else { return Ok(()) };
                let entry =
                    self.state.policies.entry(name).or_insert_with(|| Policy { path: root(), document: String::new() });
                entry.path = file.path;
            }
            "groups" => {
                let Some((text, file)) = self.toml::<GroupFile>(path)? else { return Ok(()) };
                self.refer("policies", &file.policies, path, &text);
                let holder = Holder { path: file.path, policies: names(file.policies), inline: BTreeMap::new() };
                self.state.groups.insert(name, holder);
            }
            "users" => {
                let Some((text, file)) = self.toml::<UserFile>(path)? else { return Ok(()) };
                self.refer("policies", &file.policies, path, &text);
                self.refer("policies", file.boundary.as_slice(), path, &text);
                self.refer("groups", &file.groups, path, &text);
                let person = Person {
                    holder: Holder { path: file.path, policies: names(file.policies), inline: BTreeMap::new() },
                    disabled: file.disabled,
                    tags: file.tags,
                    boundary: file.boundary.map(Spanned::into_inner),
                    groups: names(file.groups),
                    role: None,
                };
                self.state.users.insert(name, person);
            }
            _ => {
                let Some((text, file)) = self.toml::<RoleFile>(path)? else { return Ok(()) };
                self.refer("policies", &file.policies, path, &text);
                self.refer("policies", file.boundary.as_slice(), path, &text);
                let trust = path.with_file_name(format!("{name}.trust.json"));
                if !trust.exists() {
                    self.problems.push(format!("{}: the trust policy {name}.trust.json is missing", path.display()));
                    return Ok(());
                }
                let trust = self.document(&trust, true)?;
                let person = Person {
                    holder: Holder { path: file.path, policies: names(file.policies), inline: BTreeMap::new() },
                    disabled: file.disabled,
                    tags: file.tags,
                    boundary: file.boundary.map(Spanned::into_inner),
                    role: Some((trust, file.max_session)),
                    ..Person::default()
                };
                self.state.roles.insert(name, person);
            }
        }
        Ok(())
    }

    fn inline(&mut self, kind: &str, folder: &Path) -> Result<(), Fault> {
        let owner = name(folder).replace("%2E", ".");
        for path in list(folder)? {
            let file = name(&path);
            let Some(policy) = file.strip_suffix(".json").filter(|n| !n.is_empty() && path.is_file()) else {
                if !is_other(&file) {
                    self.problems.push(format!("{}: POLICY.json is accepted", path.display()));
                }
                continue;
            };
            let document = self.document(&path, false)?;
            let holder = match kind {
                "groups" => self.state.groups.get_mut(&owner),
                "users" => self.state.users.get_mut(&owner).map(|p| &mut p.holder),
                _ => self.state.roles.get_mut(&owner).map(|p| &mut p.holder),
            };
            match holder {
                Some(holder) => drop(holder.inline.insert(policy.to_owned(), document)),
                None => self.problems.push(format!("{}: there is no {owner}.toml for it", path.display())),
            }
        }
        Ok(())
    }

    fn finish(mut self, kinds: Vec<&'static str>) -> Result<Declared, Fault> {
        for reference in &self.references {
            // What has no folder may be in the store already.
            let known = match reference.kind {
                kind if !kinds.contains(&kind) => true,
                "groups" => self.state.groups.contains_key(&reference.name),
                _ => self.state.policies.contains_key(&reference.name),
            };
            if !known {
                let Reference { kind, name, place } = reference;
                self.problems.push(format!("{place}: {name:?} is not in {kind}"));
            }
        }
        if self.problems.is_empty() {
            return Ok(Declared { state: self.state, kinds });
        }
        Err(Fault::new(Status::InvalidDocument, self.problems.join("\n")))
    }
}
