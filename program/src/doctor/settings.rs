// SPDX-License-Identifier: Apache-2.0
//! Standin's own settings in the file of a broker.

use standin::fault::Fault;
use standin::settings::{EngineSettings, Given, ProfileSettings, SETTINGS, Scope};

use super::node::Node;
use super::rules::Findings;
use crate::broker::properties::Entry;

fn scope(name: &str) -> Option<Scope> {
    SETTINGS.iter().find(|s| s.name == name).map(|s| s.scope)
}

/// The engine's settings, as far as they are right.
pub(super) fn check(node: &Node<'_>, out: &mut Findings) -> Option<EngineSettings> {
    let properties = node.properties;
    for (n, entry) in properties.entries.iter().enumerate() {
        if let Some(later) = properties.entries.iter().skip(n + 1).find(|later| later.key == entry.key) {
            let text = format!("{} is set again in line {}, which counts; remove this line", entry.key, later.line);
            out.warn("set-twice", Some(entry), text, &[]);
        }
    }
    let mut right: Vec<&Entry> = Vec::new();
    for entry in properties.effective() {
        let (prefix, name) = match entry.key.find("standin.") {
            Some(0) => ("", entry.key.as_str()),
            Some(at) if entry.key.starts_with("listener.name.") => entry.key.split_at(at),
            _ => continue,
        };
        if name.starts_with("standin.x.") {
            continue;
        }
        match scope(name) {
            None => {
                let nearest = SETTINGS.iter().min_by_key(|s| super::distance(s.name, name)).map_or("", |s| s.name);
                let text = format!("{name} is not a setting; the start is refused");
                out.wrong("unknown-setting", Some(entry), text, &[&format!("{prefix}{nearest}={}", entry.value)]);
            }
            Some(Scope::Engine | Scope::Binding) if !prefix.is_empty() => {
                let text = format!("{name} belongs to the whole process and has no listener's prefix");
                out.wrong("setting-scope", Some(entry), text, &[&format!("{name}={}", entry.value)]);
            }
            Some(_) if prefix.is_empty() => right.push(entry),
            Some(_) => {}
        }
    }
    let given = Given::read(right.iter().map(|e| (e.key.as_str(), e.value.trim())), None);
    let given = given.map_err(|f| wrong(node, &f, out)).ok()?;
    let engine = EngineSettings::of(&given).map_err(|f| wrong(node, &f, out)).ok();
    if engine.as_ref().is_some_and(|e| e.namespaces.is_empty()) {
        let text = "standin.cluster.arn is missing: no policy names a resource of this cluster";
        let line = "standin.cluster.arn=arn:aws:kafka:REGION:ACCOUNT:cluster/NAME/UUID";
        out.wrong("setting-value", None, text, &[line]);
    }
    if engine.as_ref().is_some_and(|e| e.shadow) {
        let text = "Kafka's ACLs decide for clients of Standin too; policies are only compared with them";
        out.warn("shadow", properties.entry("standin.mode"), text, &["standin.mode=enforce"]);
    }
    // Where the engine's own are wrong, the region is not another fault.
    let known = engine.as_ref().and_then(|e| e.namespaces.first()).map(|n| n.region().to_owned());
    let region = known.unwrap_or_else(|| "unknown".to_owned());
    for listener in node.logins().filter(|_| node.is_broker) {
        let prefix = listener.prefix();
        let own = properties.effective().filter_map(|e| {
            let name = e.key.strip_prefix(&prefix).filter(|n| scope(n) == Some(Scope::Profile))?;
            Some((name, e.value.trim()))
        });
        let renewed = given.renewed(own).map_err(|f| wrong(node, &f, out));
        // A missing name is told with the line to add.
        let hosts = node.setting(listener, "standin.hosts").is_none() && listener.told.is_some();
        if let Ok(renewed) = renewed
            && !hosts
            && let Err(fault) = ProfileSettings::of(&renewed, Some(&region))
        {
            wrong(node, &fault, out);
        }
    }
    engine
}

/// A fault of reading settings begins with the setting's name.
fn wrong(node: &Node<'_>, fault: &Fault, out: &mut Findings) {
    let name = fault.text.split([' ', '=', ':']).next().unwrap_or_default();
    let entry = node.properties.effective().filter(|e| e.key.ends_with(name)).last();
    let known = SETTINGS.iter().find(|s| s.name == name);
    let line = known.map(|s| {
        let value = match (s.default, s.name) {
            ("", "standin.store") => "/var/lib/standin/store.db",
            ("", _) => "VALUE",
            (default, _) => default,
        };
        format!("{}={value}", entry.map_or(s.name, |e| e.key.as_str()))
    });
    let line: Vec<&str> = line.iter().map(String::as_str).collect();
    if !out.list.iter().any(|f| f.text == fault.text) {
        out.wrong("setting-value", entry, fault.text.clone(), &line);
    }
}
