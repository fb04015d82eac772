// SPDX-License-Identifier: Apache-2.0
//! The documents against what they speak of: settings, metrics, reasons,
//! commands, actions, policies and links. Their commands are run by
//! `scripts/run-document`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use standin::mechanism::METRICS;
use standin::policy::catalogue::KNOWN;
use standin::policy::{Document, TrustPolicy};
use standin::settings::{Given, SETTINGS, Scope};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Every document by its path from the root.
fn documents() -> BTreeMap<String, String> {
    let mut paths: Vec<String> = ["README.md", "SECURITY.md", "CHANGELOG.md"].map(String::from).to_vec();
    for folder in ["docs", "docs/decisions"] {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".md") {
                paths.push(format!("{folder}/{name}"));
            }
        }
    }
    assert!(paths.len() > 20, "{paths:?}");
    paths.into_iter().map(|path| (path.clone(), read(&path))).collect()
}

/// Words that begin with `head`, are not part of a longer word, and go on with
/// the given characters.
fn words<'t>(text: &'t str, head: &str, more: &str) -> BTreeSet<&'t str> {
    let part = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    text.match_indices(head)
        .filter(|(at, _)| !text[..*at].chars().next_back().is_some_and(part))
        .map(|(at, _)| {
            let rest = &text[at..];
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || more.contains(c))).unwrap_or(rest.len());
            rest[..end].trim_end_matches(['.', '-'])
        })
        .collect()
}

/// First cells of the rows of a document's tables that are one code span.
fn rows(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |")).map(|(cell, _)| cell).collect()
}

/// Fenced blocks whose info string is `kind`.
fn blocks(text: &str, kind: &str) -> Vec<String> {
    let (mut out, mut inside) = (Vec::new(), None::<String>);
    let mut body = String::new();
    for line in text.lines() {
        match (line.trim_start().strip_prefix("```"), inside.clone()) {
            (Some(info), None) => inside = Some(info.to_owned()),
            (Some(_), Some(info)) => {
                if info == kind {
                    out.push(body.clone());
                }
                inside = None;
                body.clear();
            }
            (None, Some(_)) => body.extend([line, "\n"]),
            (None, None) => {}
        }
    }
    out
}

/// The table of settings as it has to stand in the document. Run with
/// STANDIN_UPDATE_DOCUMENTS=1 to write it there.
#[test]
fn the_reference_of_settings_is_the_table() {
    let mut table = String::from("| setting | scope | default | meaning |\n|---|---|---|---|\n");
    for s in SETTINGS {
        let scope = match s.scope {
            Scope::Engine => "engine",
            Scope::Profile => "profile",
            Scope::Binding => "binding",
        };
        let default = if s.default.is_empty() { String::new() } else { format!("`{}`", s.default) };
        table.push_str(&format!("| `{}` | {scope} | {default} | {} |\n", s.name, s.meaning));
    }
    let (begin, end) = ("<!-- settings: begin -->\n", "<!-- settings: end -->");
    let text = read("docs/settings.md");
    let (before, rest) = text.split_once(begin).expect("the table's begin is marked");
    let (present, after) = rest.split_once(end).expect("the table's end is marked");
    if std::env::var_os("STANDIN_UPDATE_DOCUMENTS").is_some() {
        std::fs::write(root().join("docs/settings.md"), format!("{before}{begin}{table}{end}{after}")).unwrap();
        return;
    }
    assert_eq!(present, table, "run with STANDIN_UPDATE_DOCUMENTS=1 to write the table into docs/settings.md");
}

#[test]
fn the_two_forms_of_a_file_of_settings_are_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("standin.toml");
    let read: Vec<Given> = blocks(&read("docs/settings.md"), "toml")
        .iter()
        .map(|block| {
            std::fs::write(&file, block).unwrap();
            Given::read([], Some(&file)).unwrap_or_else(|e| panic!("{e}: {block}"))
        })
        .collect();
    assert_eq!(read.len(), 2);
    assert!(read[0].iter().count() > 1);
    assert_eq!(read[0], read[1]);
}

#[test]
fn settings_that_change_in_a_running_engine_are_listed() {
    let text = read("docs/settings.md");
    let section = text.split_once("## Changing settings").expect("the section is there").1;
    let section = section.split("\n## ").next().unwrap();
    let listed: BTreeSet<&str> = words(section, "standin.", "._").into_iter().collect();
    assert_eq!(listed, standin::settings::CHANGEABLE.into_iter().collect());
}

#[test]
fn settings_that_documents_name_exist() {
    // The prefix itself, that for settings of other versions, a table of the
    // example, and files.
    let others = [
        "standin",
        "standin.x",
        "standin.stale",
        "standin.toml",
        "standin.properties",
        "standin.h",
        "standin.hpp",
        "standin.pc",
    ];
    let mut seen = 0;
    for (path, text) in documents() {
        for name in words(&text, "standin.", "._") {
            seen += 1;
            assert!(others.contains(&name) || SETTINGS.iter().any(|s| s.name == name), "{path}: {name} is no setting");
        }
    }
    assert!(seen > 50, "{seen}");
}

#[test]
fn metrics_are_documented_and_those_documented_exist() {
    let text = read("docs/operations.md");
    let documented: Vec<&str> = rows(&text).into_iter().filter_map(|r| r.strip_prefix("standin-")).collect();
    assert_eq!(
        documented.iter().collect::<BTreeSet<_>>(),
        METRICS.iter().collect::<BTreeSet<_>>(),
        "the table of metrics in docs/operations.md"
    );
    // Jars, threads and packages.
    let others = [
        "core",
        "kafka",
        "core-0",
        "kafka-0",
        "worker",
        "audit",
        "deliver",
        "service-0",
        "service-1",
        "connections-0",
        "log",
        "files",
        "agent",
        "doctor",
    ];
    for (path, text) in documents() {
        for name in words(&text, "standin-", "-") {
            let name = name.trim_start_matches("standin-").trim_start_matches("standin");
            assert!(name.is_empty() || others.contains(&name) || METRICS.contains(&name), "{path}: standin-{name}");
        }
    }
}

#[test]
fn reasons_are_documented_with_their_numbers() {
    let listed: BTreeSet<(String, String)> = read("src/fault.rs")
        .lines()
        .filter_map(|line| line.trim().strip_suffix(',')?.split_once(" = -"))
        .map(|(name, number)| (format!("-{number}"), name.to_owned()))
        .collect();
    assert!(listed.len() > 25, "{listed:?}");
    let text = read("docs/operations.md");
    let documented: BTreeSet<(String, String)> = text
        .lines()
        .filter(|line| line.starts_with("| -"))
        .filter_map(|line| {
            let mut cells = line.split(" | ");
            Some((cells.next()?.strip_prefix("| ")?.to_owned(), cells.next()?.to_owned()))
        })
        .collect();
    assert_eq!(documented, listed);
}

/// The help of a command.
fn help(command: &[String]) -> String {
    let out = Command::new(env!("CARGO_BIN_EXE_standin")).args(command).arg("--help").output().unwrap();
    assert!(out.status.success(), "{command:?}");
    String::from_utf8(out.stdout).unwrap()
}

/// Every command that does something, with its help.
fn commands(command: Vec<String>, out: &mut BTreeMap<String, String>) {
    let text = help(&command);
    let Some((_, list)) = text.split_once("\nCommands:\n") else {
        out.insert(command.join(" "), text);
        return;
    };
    for line in list.lines().take_while(|l| !l.is_empty()) {
        let name = line.split_whitespace().next().unwrap();
        if name != "help" {
            commands(command.iter().cloned().chain([name.to_owned()]).collect(), out);
        }
    }
}

/// Long options in a text.
fn options(text: &str) -> BTreeSet<&str> {
    words(text, "--", "-").into_iter().filter(|o| o.len() > 2).collect()
}

#[test]
fn commands_are_documented_with_their_options() {
    let mut all = BTreeMap::new();
    commands(Vec::new(), &mut all);
    assert!(all.len() > 30, "{:?}", all.keys());
    let everywhere = BTreeSet::from(["--store", "--key-file", "--output", "--help", "--version"]);
    let text = read("docs/cli.md");
    let mut sections: BTreeMap<&str, &str> = BTreeMap::new();
    for section in text.split("\n### `standin ").skip(1) {
        let (name, body) = section.split_once("`\n").unwrap();
        let end = body.find("\n#").unwrap_or(body.len());
        sections.insert(name, &body[..end]);
    }
    assert_eq!(
        sections.keys().map(ToString::to_string).collect::<BTreeSet<_>>(),
        all.keys().cloned().collect::<BTreeSet<_>>(),
        "headings of docs/cli.md and commands of the program"
    );
    for (name, body) in sections {
        // Examples may use what another section explains.
        let prose: String = body.split("```").step_by(2).collect();
        let known: BTreeSet<&str> = options(&all[name]).difference(&everywhere).copied().collect();
        let documented: BTreeSet<&str> = options(&prose).difference(&everywhere).copied().collect();
        assert_eq!(documented, known, "options of `standin {name}` in docs/cli.md");
    }
    let head = text.split("\n## Beginning").next().unwrap();
    for option in everywhere {
        assert!(head.contains(option), "{option} in docs/cli.md");
    }
}

#[test]
fn findings_in_policies_are_documented() {
    let listed: Vec<String> =
        standin::policy::check::RULES.iter().map(|(rule, about)| format!("| `{rule}` | {about} |")).collect();
    let text = read("docs/cli.md");
    let section = text.split("### `standin policy check`").nth(1).unwrap().split("\n### ").next().unwrap();
    let documented: Vec<&str> =
        section.split("| finding |").nth(1).unwrap().lines().filter(|l| l.starts_with("| `")).collect();
    assert_eq!(documented, listed, "the table of findings in docs/cli.md");
}

#[test]
fn rules_of_the_doctor_are_documented_with_what_they_are_about() {
    let out =
        Command::new(env!("CARGO_BIN_EXE_standin")).args(["doctor", "--rules", "--output", "json"]).output().unwrap();
    let listed: Vec<BTreeMap<String, String>> = serde_json::from_slice(&out.stdout).unwrap();
    let listed: Vec<String> = listed.iter().map(|r| format!("| `{}` | {} |", r["rule"], r["about"])).collect();
    let text = read("docs/cli.md");
    let section = text.split("### `standin doctor`").nth(1).unwrap().split("\n### ").next().unwrap();
    let documented: Vec<&str> =
        section.split("| rule |").nth(1).unwrap().lines().filter(|l| l.starts_with("| `")).collect();
    assert_eq!(documented, listed, "the table of rules in docs/cli.md");
}

#[test]
fn commands_that_documents_name_exist() {
    let mut all = BTreeMap::new();
    commands(Vec::new(), &mut all);
    let mut seen = 0;
    for (path, text) in documents() {
        for span in text.split('`').skip(1).step_by(2) {
            let Some(rest) = span.strip_prefix("standin ") else { continue };
            let named: Vec<&str> = rest
                .split_whitespace()
                .filter(|w| *w != "json" && !w.starts_with('-'))
                .take_while(|w| w.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'))
                .collect();
            let exists = (1..=named.len()).any(|n| all.keys().any(|c| *c == named[..n].join(" ")));
            seen += 1;
            assert!(exists, "{path}: `{span}` names no command");
        }
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn actions_of_kafka_are_documented_and_those_documented_exist() {
    let java = read("java-bindings/kafka/src/main/java/io/standin/kafka/KafkaActions.java");
    let mut actions: BTreeSet<String> = java
        .split('"')
        .skip(1)
        .step_by(2)
        .filter(|text| {
            text.starts_with(|c: char| c.is_ascii_uppercase()) && text.bytes().all(|b| b.is_ascii_alphabetic())
        })
        .map(|text| format!("kafka-cluster:{text}"))
        .collect();
    actions.insert("kafka-cluster:Connect".into());
    assert!(actions.len() > 20, "{actions:?}");
    let text = read("docs/policies.md");
    let documented: BTreeSet<String> =
        rows(&text).into_iter().filter(|r| r.starts_with("kafka-cluster:")).map(String::from).collect();
    assert_eq!(documented, actions, "the table of actions in docs/policies.md");
    // And those that are checked against.
    let types: BTreeMap<&str, &str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `kafka-cluster:")?.split_once("` | "))
        .map(|(name, rest)| (name, rest.split(" | ").next().unwrap()))
        .collect();
    let catalogue: BTreeMap<&str, &str> =
        KNOWN.iter().filter_map(|k| Some((k.action.strip_prefix("kafka-cluster:")?, k.resource_type))).collect();
    assert_eq!(catalogue, types, "the actions in src/policy/catalogue.rs");
    for (path, text) in documents() {
        for name in words(&text, "kafka-cluster:", ":-*") {
            let known = name.contains('*') || name == "kafka-cluster:" || actions.contains(name);
            assert!(known, "{path}: {name} is no action");
        }
    }
}

/// JSON in the documents is JSON, and policies in it are valid.
#[test]
fn examples_are_valid() {
    let mut policies = 0;
    for (path, text) in documents() {
        for block in blocks(&text, "json") {
            let value: serde_json::Value =
                serde_json::from_str(&block).unwrap_or_else(|e| panic!("{path}: {e}: {block}"));
            if value.get("Statement").is_some() {
                policies += 1;
                let trust = block.contains("\"Principal\"");
                let read = if trust { TrustPolicy::parse(&block).map(drop) } else { Document::parse(&block).map(drop) };
                if let Err(invalid) = read {
                    panic!("{path}: {invalid}: {block}");
                }
            }
        }
    }
    assert!(policies > 5, "{policies}");
}

/// The anchor of a heading, as GitHub makes it.
fn anchor(heading: &str) -> String {
    heading
        .trim()
        .chars()
        .filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c.to_ascii_lowercase()),
            _ => None,
        })
        .collect()
}

fn anchors(text: &str) -> BTreeSet<String> {
    let mut fenced = false;
    text.lines()
        .filter(|line| {
            fenced ^= line.trim_start().starts_with("```");
            !fenced && line.starts_with('#')
        })
        .map(|line| anchor(line.trim_start_matches('#')))
        .collect()
}

#[test]
fn links_lead_somewhere() {
    let all = documents();
    let mut seen = 0;
    for (path, text) in &all {
        let prose: String = text.split("```").step_by(2).collect();
        for (at, _) in prose.match_indices("](") {
            let target = prose[at + 2..].split(')').next().unwrap();
            if target.starts_with("https://") {
                continue;
            }
            seen += 1;
            let (file, place) = target.split_once('#').unwrap_or((target, ""));
            let from = Path::new(path).parent().unwrap();
            let to = if file.is_empty() { PathBuf::from(path) } else { from.join(file) };
            let found = root().join(&to);
            assert!(found.exists(), "{path}: {target} leads nowhere");
            if !place.is_empty() {
                let text = std::fs::read_to_string(&found).unwrap();
                assert!(anchors(&text).contains(place), "{path}: {target} has no such place");
            }
        }
    }
    assert!(seen > 40, "{seen}");
}

#[test]
fn decisions_are_listed() {
    let index = read("docs/decisions/README.md");
    for path in documents().keys() {
        if let Some(name) = path.strip_prefix("docs/decisions/").filter(|n| *n != "README.md") {
            assert!(index.contains(name), "{name} is not in docs/decisions/README.md");
        }
    }
}

/// The table of versions has to name those of `scripts/versions`, whose ends are
/// what everything else is tested with.
#[test]
fn versions_of_kafka_are_documented_that_are_tested() {
    let script = read("scripts/versions");
    let list = |name: &str| -> Vec<String> {
        let line = script.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix("=(")).expect(name);
        line.trim_end_matches(')').split(' ').map(str::to_owned).collect()
    };
    let (kafka, msk) = (list("kafka_versions"), list("msk_versions"));
    let text = read("docs/kafka.md");
    let table = text.split("\n## Versions\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let head = msk.iter().map(|v| format!(" with `aws-msk-iam-auth` {v} |")).collect::<String>();
    assert!(table.contains(&format!("| Kafka |{head}\n")), "the table's head is not | Kafka |{head}");
    let rows: Vec<&str> = table.lines().filter(|l| l.starts_with("| ") && !l.starts_with("| Kafka")).collect();
    let expected: Vec<String> = kafka.iter().map(|v| format!("| {v} |{}", " passes |".repeat(msk.len()))).collect();
    assert_eq!(rows, expected);
    let pom = read("java-bindings/pom.xml");
    for (property, version) in [
        ("kafka.api.version", kafka.first().unwrap()),
        ("kafka.version", kafka.last().unwrap()),
        ("msk.iam.oldest.version", msk.first().unwrap()),
        ("msk.iam.version", msk.last().unwrap()),
    ] {
        assert!(pom.contains(&format!("<{property}>{version}</{property}>")), "{property} is not {version}");
    }
}

/// What `scripts/test` runs is pinned in these files; the table of clients has to
/// name the same versions.
#[test]
fn clients_are_documented_with_the_versions_tested() {
    let text = read("docs/kafka.md");
    let table = text.split("\n## Clients\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let mut pinned = BTreeMap::new();
    for line in read("tests/clients/requirements.txt").lines() {
        if let Some((name, version)) = line.split_once("==") {
            pinned.insert(name.to_owned(), version.to_owned());
        }
    }
    for line in read("tests/clients/kafkajs/package.json").lines() {
        if let [_, name, _, version, ..] = line.split('"').collect::<Vec<_>>()[..] {
            pinned.insert(name.to_owned(), version.to_owned());
        }
    }
    for line in read("tests/clients/franz-go/go.mod").lines() {
        if let Some((module, version)) = line.trim().split_once(" v") {
            pinned.insert(module.rsplit('/').next().unwrap().to_owned(), version.to_owned());
        }
    }
    for line in read("tests/clients/rust-signer/Cargo.toml").lines() {
        if let Some((name, version)) = line.split_once(" = \"=") {
            pinned.insert(name.to_owned(), version.trim_end_matches('"').to_owned());
        }
    }
    let pom = read("java-bindings/pom.xml");
    let property = |name: &str| pom.split(&format!("<{name}>")).nth(1).unwrap().split('<').next().unwrap().to_owned();
    pinned.insert("kafka-clients".to_owned(), property("kafka.version"));
    pinned.insert("aws-msk-iam-auth".to_owned(), property("msk.iam.version"));
    let mut tested = BTreeSet::new();
    for row in table.lines().filter(|line| line.starts_with("| ")).filter_map(|line| line.split(" | ").nth(2)) {
        // The other table of that section has prose in this column.
        tested.extend(row.split(", ").filter(|word| word.ends_with(|c: char| c.is_ascii_digit())).map(str::to_owned));
    }
    assert!(tested.len() > 8, "{tested:?}");
    for client in tested {
        let (name, version) = client.split_once(' ').unwrap_or_else(|| panic!("{client}"));
        assert_eq!(pinned.get(name).map(String::as_str), Some(version), "{name}");
    }
}

/// What the documents say of the C door: names exist, and code is that of
/// programs which are compiled and run.
#[test]
fn names_and_code_of_the_c_door_exist() {
    let header = read("include/standin.h");
    let mut seen = 0;
    for (path, text) in documents() {
        for name in words(&text, "standin_", "_").into_iter().chain(words(&text, "STANDIN_", "_")) {
            // Variables of the environment and of make, a node, the plugin.
            let others = ["STANDIN_CONFIG", "STANDIN_STORE", "STANDIN_KEY_FILE", "STANDIN_ENROLMENT_CODE", "STANDIN_0"];
            let of_plugin = ["STANDIN_CFLAGS", "STANDIN_LIBS", "standin_mosquitto"];
            // Metrics of the service are compared with what it serves.
            let metric = name.starts_with("standin_serve_");
            let other = others.contains(&name) || of_plugin.contains(&name) || metric;
            seen += 1;
            assert!(other || header.contains(name), "{path}: {name} is not in include/standin.h");
        }
    }
    assert!(seen > 20, "{seen}");
    let code = blocks(&read("docs/c.md"), "c");
    let licence = "/* SPDX-License-Identifier: Apache-2.0 */\n";
    let in_readme = blocks(&read("README.md"), "c");
    for (example, place) in [(&code[0], "docs/c.md"), (&in_readme[0], "README.md")] {
        assert_eq!(format!("{licence}{example}"), read("tests/c/example.c"), "the example in {place}");
    }
    let server = read("tests/c/loop.c");
    for part in code[1].split("\n\n") {
        assert!(server.contains(part.trim_end()), "not in tests/c/loop.c: {part}");
    }
}
