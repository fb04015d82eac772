// SPDX-License-Identifier: Apache-2.0
//! Explaining what became of a request id that a client was shown.

use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};
use standin::access_control::Store;
use standin::channel::Channel;
use standin::fault::{Fault, Status};
use standin::identity::{Attributes, Identity};
use standin::policy::explain::Question;
use standin::time::UnixMillis;

use super::login::Login;
use super::{Scene, ask};
use crate::Desk;
use crate::audit::{self, Entry, Files, Kind};
use crate::house::House;
use crate::output::{self, Output, date};

/// What was found and made of it: text for people, and the same for programs.
struct Told {
    lines: Vec<String>,
    value: Value,
}

pub(super) fn run(desk: &Desk, store: &Store, house: &House, id: &str, dir: Option<&Path>) -> Result<ExitCode, Fault> {
    let dir = dir.map(Path::to_owned).or_else(|| house.audit_dir.clone());
    let dir = match dir {
        Some(dir) => dir,
        None => audit::beside(&desk.files()?.store),
    };
    let mut files = Files::new(dir);
    // Request ids begin with the boot's, which stands in the names of files.
    files.boot = id.rsplit_once('-').map(|(boot, _)| boot.to_owned());
    let mut entries = Vec::new();
    files.read(true, &mut |entry| {
        if entry.field("/metadata/correlation_uid") == id {
            entries.push(entry);
        }
    })?;
    if entries.is_empty() {
        return Err(not_found(&mut files, id)?);
    }
    entries.sort_by_key(|e| e.time);
    let told: Vec<Told> = entries.iter().map(|entry| tell(store, house, entry)).collect::<Result<_, _>>()?;
    if desk.output == Output::Json {
        let values: Vec<&Value> = told.iter().map(|t| &t.value).collect();
        output::line(&json!({"request": id, "records": values}).to_string());
    } else {
        for (n, told) in told.iter().enumerate() {
            if n > 0 {
                output::line("");
            }
            told.lines.iter().for_each(|l| output::line(l));
        }
    }
    let fine = entries.iter().all(|e| e.outcome == "success" || e.outcome == "allowed");
    Ok(if fine { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn not_found(files: &mut Files, id: &str) -> Result<Fault, Fault> {
    let of_boot = files.list()?.len();
    let dir = files.dir().display();
    let text = if of_boot > 0 {
        format!(
            "no record has the request id {id:?}, though {dir} has files of that boot: it is written after standin.audit.flush.ms, or was lost with a full queue"
        )
    } else {
        format!(
            "no record has the request id {id:?}: {dir} has no file of that boot. It is another broker's (--dir names its directory), or the file was shipped away"
        )
    };
    Ok(Fault::new(Status::NotFound, text))
}

/// The circumstances as the record knows them.
fn scene(entry: &Entry) -> Scene {
    let protocol = entry.field("/unmapped/protocol");
    let session_name = entry.field("/actor/session/uid");
    Scene {
        channel: Channel {
            address: entry.field("/src_endpoint/ip").parse().ok(),
            secure: protocol.ends_with("SSL"),
            protocol,
            listener: entry.field("/dst_endpoint/svc_name"),
            host: entry.field("/dst_endpoint/hostname"),
            ..Channel::default()
        },
        client_id: String::new(),
        now: UnixMillis(entry.time),
        attributes: Attributes {
            session_name: (!session_name.is_empty()).then_some(session_name),
            ..Attributes::default()
        },
        session: Vec::new(),
    }
}

fn tell(store: &Store, house: &House, entry: &Entry) -> Result<Told, Fault> {
    match entry.kind {
        Kind::Login => login(store, house, entry),
        Kind::Operation => operation(store, house, entry),
        _ => Ok(Told {
            lines: vec![format!("{}: {} of {}: {}", date(entry.time), entry.action, entry.who, entry.detail)],
            value: json!({"record": entry.record}),
        }),
    }
}

fn login(store: &Store, house: &House, entry: &Entry) -> Result<Told, Fault> {
    let status = entry.field("/status_code").parse().unwrap_or(0);
    let (reason, key, subject) =
        (entry.field("/status_detail"), entry.field("/actor/user/credential_uid"), entry.field("/actor/user/uid"));
    let login = Login { status, reason: &reason, key: &key, subject: &subject };
    let who = match (subject.as_str(), key.as_str()) {
        ("", "") => "a client whose key is not known".to_owned(),
        ("", key) => format!("the key {key}"),
        (subject, key) => format!("{subject} with the key {key}"),
    };
    let from = match entry.field("/src_endpoint/ip") {
        ip if ip.is_empty() => String::new(),
        ip => format!(" from {ip}"),
    };
    let mut lines = vec![format!("{}: login of {who}{from}: {}", date(entry.time), entry.outcome)];
    if !reason.is_empty() {
        lines.push(format!("because {reason}"));
    }
    let steps = login.steps();
    let shown: Vec<String> = steps.iter().map(|(step, state)| format!("{step} {state}")).collect();
    lines.push(format!("looked at: {}", shown.join(", ")));
    let advice = login.advice();
    if !advice.is_empty() {
        lines.push("what to do:".to_owned());
        lines.extend(advice.iter().map(|a| format!("  {a}")));
    }
    let checked: serde_json::Map<_, _> = steps.iter().map(|(step, state)| ((*step).into(), json!(state))).collect();
    let mut value = json!({"record": entry.record, "checked": checked, "advice": advice});
    if status == Status::ConnectNotAllowed.number() {
        let question = Question { action: "kafka-cluster:Connect", resource_type: "cluster", resource: "" };
        let now = decide(store, house, &subject, question, entry)?;
        lines.extend(now.lines);
        value["now"] = now.value;
    }
    Ok(Told { lines, value })
}

fn operation(store: &Store, house: &House, entry: &Entry) -> Result<Told, Fault> {
    let (action, kind, name) =
        (entry.field("/api/operation"), entry.field("/resources/0/type"), entry.field("/resources/0/name"));
    let mut lines = vec![
        format!("{}: {action} on {kind} {} by {}: {}", date(entry.time), name.escape_debug(), entry.who, entry.outcome),
        format!("because {}", entry.detail),
    ];
    let mut value = json!({"record": entry.record});
    if entry.outcome == "denied" {
        let question = Question { action: &action, resource_type: &kind, resource: &name };
        let now = decide(store, house, &entry.field("/actor/user/uid"), question, entry)?;
        lines.extend(now.lines);
        value["now"] = now.value;
    }
    Ok(Told { lines, value })
}

/// How the same is decided by the policies of now.
fn decide(store: &Store, house: &House, subject: &str, question: Question<'_>, entry: &Entry) -> Result<Told, Fault> {
    if house.scope.namespaces.is_empty() {
        let text = "for what is missing in the policies give --broker FILE or --cluster ARN";
        return Ok(Told { lines: vec![text.to_owned()], value: Value::Null });
    }
    let identity = Identity::parse(subject)?;
    let answered = match ask(store, house, &identity, question, &scene(entry)) {
        Ok(answered) => answered,
        Err(f) if matches!(f.status, Status::IdentityDisabled | Status::NotFound) => {
            return Ok(Told { lines: vec![format!("now: {f}")], value: json!({"error": f.text}) });
        }
        Err(f) => return Err(f),
    };
    let mut lines = vec!["by the policies of now, at that time and from there:".to_owned()];
    lines.extend(answered.lines(&identity, question).into_iter().map(|l| format!("  {l}")));
    if !entry.field("/actor/session/uid").is_empty() {
        lines.push("  note: tags and policies of the session itself are not in the audit".to_owned());
    }
    Ok(Told { lines, value: answered.json(&identity, question) })
}
