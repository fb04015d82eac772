// SPDX-License-Identifier: Apache-2.0
//! The house as its sources show it: dependencies run downward, unsafe code
//! stays in the doors, every export passes the boundary, files stay rooms.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Rooms from the ground up: each may use those before it.
const ROOMS: &[&str] = &[
    "fault",
    "time",
    "revision",
    "files",
    "identity",
    "channel",
    "connection",
    "decision",
    "policy",
    "acl",
    "settings",
    "credential",
    "audit",
    "access_control",
    "service",
    "session",
    "placement",
    "agent",
    "mechanism",
    "ffi",
];

/// Uses of a room above that are there for a reason.
const ALLOWED: [(&str, &str, &str); 1] = [
    // `Random` hands faults out, and faults are below it; `fault` uses nothing.
    ("time", "fault", "the error type of the generator"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files below a folder with one of these endings, without what is built.
fn files(folder: &str, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                if !["target", "build", ".git", "node_modules"].contains(&name.as_str()) {
                    open.push(path);
                }
            } else if endings.iter().any(|e| name.ends_with(e)) {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "nothing below {folder}");
    found
}

fn room_of(path: &Path) -> String {
    let below = path.strip_prefix(root().join("src")).unwrap();
    let first = below.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// The part of a source before its tests.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    text.split("#[cfg(test)]").next().unwrap().to_owned()
}

#[test]
fn dependencies_run_downward() {
    let level = |room: &str| ROOMS.iter().position(|r| *r == room);
    let mut wrong = Vec::new();
    let mut seen = 0;
    for path in files("src", &[".rs"]) {
        let room = room_of(&path);
        if room == "lib" {
            continue;
        }
        let own = level(&room).unwrap_or_else(|| panic!("{room} is not in the list of rooms"));
        for (at, _) in code(&path).match_indices("crate::") {
            let text = &code(&path)[at + 7..];
            let used: String = text.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
            let allowed = ALLOWED.iter().any(|(from, to, _)| *from == room && *to == used);
            if let Some(other) = level(&used) {
                seen += 1;
                if other > own && !allowed {
                    wrong.push(format!("{} uses crate::{used}", path.display()));
                }
            }
        }
    }
    assert!(seen > 100, "only {seen} uses were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The modules that a source names behind `from`, alone or in braces.
fn named(text: &str, from: &str) -> BTreeSet<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect::<String>();
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices(from) {
        let rest = &text[at + from.len()..];
        let Some(list) = rest.strip_prefix('{') else {
            found.insert(word(rest));
            continue;
        };
        let (mut depth, mut begins) = (0, true);
        for (at, c) in list.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => begins = true,
                c if c.is_whitespace() => {}
                _ if begins && depth == 0 => {
                    found.insert(word(&list[at..]));
                    begins = false;
                }
                _ => {}
            }
        }
    }
    found
}

/// Those of these modules that use each other in a circle, or use such.
fn in_circles(mut uses: BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    loop {
        let left: BTreeSet<String> = uses.keys().cloned().collect();
        uses.retain(|own, used| used.iter().any(|other| other != own && left.contains(other)));
        if uses.len() == left.len() {
            return left.into_iter().collect();
        }
    }
}

/// The program's modules, and those of its service, need no order written down:
/// it is enough that there is one.
#[test]
fn modules_of_the_program_run_one_way() {
    for (folder, from, roots) in
        [("program/src", "crate::", ["main", "lib"].as_slice()), ("program/src/serve", "super::", &["mod"])]
    {
        let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for path in files(folder, &[".rs"]) {
            let below = path.strip_prefix(root().join(folder)).unwrap();
            let first = below.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs");
            if !roots.contains(&first) {
                uses.entry(first.to_owned()).or_default().extend(named(&code(&path), from));
            }
        }
        let seen: usize = uses.values().map(|used| used.iter().filter(|u| uses.contains_key(*u)).count()).sum();
        assert!(seen > 10, "only {seen} uses were found below {folder}");
        assert_eq!(in_circles(uses), [""; 0], "{folder}");
    }
    let circle = |of: &[(&str, &str)]| {
        in_circles(of.iter().map(|(own, used)| ((*own).to_owned(), named(used, "super::"))).collect())
    };
    assert_eq!(circle(&[("a", "super::{B, b::{a, c}, c}"), ("b", "super::c::a"), ("c", "")]), [""; 0]);
    assert_eq!(circle(&[("a", "super::{X, b}"), ("b", "super::a::X"), ("c", "")]), ["a", "b"]);
}

#[test]
fn unsafe_code_stays_in_the_doors() {
    for path in files("src", &[".rs"]).into_iter().chain(files("program/src", &[".rs"])) {
        let text = std::fs::read_to_string(&path).unwrap();
        let has = text.contains("unsafe {") || text.contains("unsafe fn") || text.contains("unsafe impl");
        let door = path.strip_prefix(root().join("src/ffi")).is_ok();
        assert!(door || !has, "{} has unsafe code", path.display());
        assert!(door || !text.contains("allow(unsafe_code"), "{} allows unsafe code", path.display());
    }
}

/// whatever is exported or registered goes through `guarded`, in the C
/// door by `entry`.
#[test]
fn x_05_every_entry_passes_the_boundary() {
    let entry = code(&root().join("src/ffi/c/mod.rs"));
    let entry = &entry[entry.find("fn entry(").unwrap()..];
    assert!(entry.contains("guarded_number(") && entry.contains("fork::check()?"), "{entry}");
    let natives = code(&root().join("src/ffi/jni/natives.rs"));
    assert!(natives.contains("guarded_number(body).into()"), "{natives}");
    let (mut registered, mut exported) = (0, Vec::new());
    for path in files("src", &[".rs"]) {
        let text = code(&path);
        let door = path.strip_prefix(root().join("src/ffi/c")).is_ok();
        for (at, _) in text.match_indices("extern \"system\" fn").chain(text.match_indices("extern \"C\" fn")) {
            let body = &text[at..];
            let body = &body[..body.find("\n}").unwrap()];
            let passes = body.contains("guarded(")
                || body.contains("register::<$result>(||")
                || door && body.contains("    entry(|| ");
            assert!(passes, "{}: an entry without boundary: {body}", path.display());
            if door {
                let name = body.split(" fn ").nth(1).unwrap().split('(').next().unwrap();
                exported.push(name.to_owned());
            } else {
                registered += 1;
            }
        }
        let named = text.matches("#[unsafe(no_mangle)]").count();
        assert_eq!(named, exported_here(&text), "{}: what is exported, and entries", path.display());
    }
    assert!(registered >= 2, "only {registered} entries of Java were found");
    exported.sort();
    let header = std::fs::read_to_string(root().join("include/standin.h")).unwrap();
    let prose = |line: &&str| line.starts_with(" *") || line.starts_with("/*");
    let mut declared: Vec<String> = header
        .lines()
        .filter(|line| !prose(line))
        .filter_map(|line| line.split_once('(')?.0.rsplit([' ', '*']).next())
        .filter(|name| name.starts_with("standin_"))
        .map(str::to_owned)
        .collect();
    declared.sort();
    assert_eq!(exported, declared, "functions of src/ffi/c and of include/standin.h");
    assert!(exported.len() > 20, "{exported:?}");
}

/// Functions that are exported by their names: those of the C door, and what
/// the JVM calls when it loads the library.
fn exported_here(text: &str) -> usize {
    text.matches("extern \"C\" fn standin_").count() + text.matches("extern \"system\" fn JNI_OnLoad").count()
}

/// Where the library has a table of open files of its own, what holds a file for
/// longer than a call has to be `Kept`, and every thread has to be started by
/// `files::spawn`: all else would take one file for another.
#[test]
fn files_are_kept_and_threads_are_the_librarys() {
    // The agent's process has one table: its listening end and its cache are
    // there only. A line is kept by the link, and belongs to its thread there.
    const OWN: [&str; 4] =
        ["src/files.rs", "src/placement/server.rs", "src/placement/frame.rs", "src/placement/cache.rs"];
    const HOLDERS: [&str; 9] =
        ["File", "OwnedFd", "UnixStream", "UnixListener", "TcpStream", "Connection", "Agent", "UdpSocket", "Line"];
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let (mut kept, mut wrong) = (0, Vec::new());
    for path in files("src", &[".rs"]) {
        let shown = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        if OWN.contains(&shown.as_str()) {
            continue;
        }
        let text = code(&path);
        if text.contains("thread::Builder") || text.contains("thread::spawn") || text.contains("Builder::new().name(") {
            wrong.push(format!("{shown} starts a thread by itself"));
        }
        for line in text.lines().map(str::trim).filter(|line| line.ends_with(',') && !line.contains('&')) {
            let Some((name, held)) = line.split_once(": ") else { continue };
            let name = name.trim_start_matches("pub").trim_start_matches("(super)").trim();
            let field = name.chars().all(is_word) && !held.contains(['(', '{', '=', '"']) || held.contains("Kept<");
            // The agent of the library itself is no file; that of the HTTP client is.
            let ours =
                held.contains("Arc<Agent>") || held.contains("Weak<Agent>") || shown.starts_with("src/audit/line");
            let holds = held.split(|c| !is_word(c)).any(|word| HOLDERS.contains(&word));
            if field && holds && !ours {
                if held.contains("Kept<") { kept += 1 } else { wrong.push(format!("{shown}: {line}")) }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(kept >= 6, "only {kept} kept files were found");
}

#[test]
fn the_library_pulls_in_no_runtime_and_no_server() {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let mut graph = std::collections::HashMap::new();
    for package in lock.split("[[package]]").skip(1) {
        let value = |key: &str| {
            let line = package.lines().find(|l| l.starts_with(&format!("{key} = ")))?;
            Some(line.split('"').nth(1)?.to_owned())
        };
        let needs: Vec<String> = package
            .split_once("dependencies = [")
            .map(|(_, list)| list.split(']').next().unwrap_or_default())
            .unwrap_or_default()
            .split('"')
            .skip(1)
            .step_by(2)
            .map(|d| d.split(' ').next().unwrap().to_owned())
            .collect();
        graph.insert(value("name").unwrap(), needs);
    }
    // The lock file does not tell dependencies for tests apart: the manifest does.
    let manifest: toml::Table = std::fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    let mut open: Vec<String> = manifest["dependencies"].as_table().unwrap().keys().cloned().collect();
    let mut reached = std::collections::HashSet::new();
    while let Some(name) = open.pop() {
        if reached.insert(name.clone()) {
            open.extend(graph.get(&name).cloned().unwrap_or_default());
        }
    }
    assert!(reached.contains("rusqlite") && reached.len() > 20);
    for never in ["tokio", "async-std", "smol", "axum", "hyper", "openssl", "native-tls", "env_logger", "log4rs"] {
        assert!(!reached.contains(never), "the library depends on {never}");
    }
}

#[test]
fn every_source_names_its_licence_and_is_a_room() {
    let sources = ["src", "program", "tests", "java-bindings", "scripts", "include", "fuzz"]
        .into_iter()
        .flat_map(|folder| files(folder, &[".rs", ".java", ".py", ".sh", ".c", ".h", ".hpp", ".cc"]));
    for path in sources {
        let text = std::fs::read_to_string(&path).unwrap();
        let head: String = text.lines().take(3).collect();
        assert!(head.contains("SPDX-License-Identifier: Apache-2.0"), "{} has no licence line", path.display());
        if path.ends_with("include/standin.h") {
            continue; // Written from many sources.
        }
        let lines = text.lines().count();
        assert!(lines <= 600, "{} has {lines} lines", path.display());
    }
}

/// Paths of the machine it was written on, and work put off, do not belong in
/// a project.
#[test]
fn nothing_is_left_lying_about() {
    let here = root().to_str().unwrap();
    for folder in ["src", "program/src", "tests", "java-bindings", "scripts", "include", "fuzz"] {
        for path in files(folder, &[".rs", ".java", ".py", ".sh", ".xml", ".txt", ".c", ".cc", ".h", ".hpp"]) {
            if path.ends_with("tests/architecture.rs") {
                continue;
            }
            // What `mkstemp` puts a name in the place of is no such mark.
            let text = std::fs::read_to_string(&path).unwrap().replace("XXXXXX", "");
            for word in ["TODO", "FIXME", "XXX", "todo!(", "unimplemented!(", "dbg!(", here] {
                assert!(!text.contains(word), "{} holds {word:?}", path.display());
            }
        }
    }
}
