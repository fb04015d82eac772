// SPDX-License-Identifier: Apache-2.0
//! Writing what a store holds as files that `standin apply` reads back.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use standin::fault::{Fault, Status};

use super::files::{KINDS, folder_of};
use super::{Holder, Person, State};

fn failed(path: &Path, e: &std::io::Error) -> Fault {
    Fault::new(Status::InvalidArgument, format!("{}: {e}", path.display()))
}

/// Text as a basic string of TOML: as in JSON, but for one control character.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007F")
}

fn list<'s>(key: &str, names: impl ExactSizeIterator<Item = &'s String>, out: &mut String) {
    if names.len() > 0 {
        let names: Vec<String> = names.map(|n| quoted(n)).collect();
        // Writing to text cannot fail.
        let _infallible = writeln!(out, "{key} = [{}]", names.join(", "));
    }
}

fn path(holder: &Holder, out: &mut String) {
    if holder.path != "/" {
        let _infallible = writeln!(out, "path = {}", quoted(&holder.path));
    }
}

fn person(person: &Person) -> String {
    let mut out = String::new();
    path(&person.holder, &mut out);
    if person.disabled {
        out.push_str("disabled = true\n");
    }
    if let Some((_, longest)) = &person.role {
        let _infallible = writeln!(out, "max_session = {longest}");
    }
    list("groups", person.groups.iter(), &mut out);
    list("policies", person.holder.policies.iter(), &mut out);
    if let Some(boundary) = &person.boundary {
        let _infallible = writeln!(out, "boundary = {}", quoted(boundary));
    }
    if !person.tags.is_empty() {
        out.push_str("\n[tags]\n");
        for (key, value) in &person.tags {
            let _infallible = writeln!(out, "{} = {}", quoted(key), quoted(value));
        }
    }
    out
}

/// Every file by its path from the directory.
fn files(state: &State) -> BTreeMap<PathBuf, String> {
    let mut files = BTreeMap::new();
    let mut put = |path: String, text: String| {
        files.insert(PathBuf::from(path), text);
    };
    let line = |document: &String| format!("{document}\n");
    for (name, policy) in &state.policies {
        put(format!("policies/{name}.json"), line(&policy.document));
        if policy.path != "/" {
            put(format!("policies/{name}.toml"), format!("path = {}\n", quoted(&policy.path)));
        }
    }
    for (name, group) in &state.groups {
        let mut out = String::new();
        path(group, &mut out);
        list("policies", group.policies.iter(), &mut out);
        put(format!("groups/{name}.toml"), out);
        for (policy, document) in &group.inline {
            put(format!("groups/{}/{policy}.json", folder_of(name)), line(document));
        }
    }
    for (kind, people) in [("users", &state.users), ("roles", &state.roles)] {
        for (name, one) in people {
            put(format!("{kind}/{name}.toml"), person(one));
            if let Some((trust, _)) = &one.role {
                put(format!("{kind}/{name}.trust.json"), line(trust));
            }
            for (policy, document) in &one.holder.inline {
                put(format!("{kind}/{}/{policy}.json", folder_of(name)), line(document));
            }
        }
    }
    files
}

/// Writes the files; how many.
///
/// # Errors
/// [`Status::Conflict`] when there are some already, unless `replace`.
pub(super) fn write(dir: &Path, state: &State, replace: bool) -> Result<usize, Fault> {
    let files = files(state);
    let mut present: Vec<PathBuf> = Vec::new();
    for kind in KINDS {
        collect(&dir.join(kind), &mut present)?;
    }
    if !present.is_empty() && !replace {
        let text = format!("{} holds {} files already; --replace replaces them", dir.display(), present.len());
        return Err(Fault::new(Status::Conflict, text));
    }
    for kind in KINDS {
        // Also empty ones: they say that there is nothing of the kind.
        let folder = dir.join(kind);
        std::fs::create_dir_all(&folder).map_err(|e| failed(&folder, &e))?;
    }
    for (path, text) in &files {
        let path = dir.join(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|e| failed(folder, &e))?;
        }
        // What is the same keeps its time.
        if std::fs::read_to_string(&path).is_ok_and(|old| old == *text) {
            continue;
        }
        std::fs::write(&path, text).map_err(|e| failed(&path, &e))?;
    }
    for path in present {
        let ours = path.extension().is_some_and(|e| e == "json" || e == "toml");
        if ours && !path.strip_prefix(dir).is_ok_and(|p| files.contains_key(p)) {
            std::fs::remove_file(&path).map_err(|e| failed(&path, &e))?;
        }
    }
    Ok(files.len())
}

/// Every file below a folder.
fn collect(folder: &Path, into: &mut Vec<PathBuf>) -> Result<(), Fault> {
    let listed = match std::fs::read_dir(folder) {
        Ok(listed) => listed,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(failed(folder, &e)),
    };
    for entry in listed {
        let path = entry.map_err(|e| failed(folder, &e))?.path();
        if path.is_dir() { collect(&path, into)? } else { into.push(path) }
    }
    Ok(())
}
