// SPDX-License-Identifier: Apache-2.0
//! The listeners where clients log in: whether they can.

use super::node::{HANDLER, Listener, MECHANISMS, MODULE, Node};
use super::rules::Findings;

pub(super) fn check(node: &Node<'_>, out: &mut Findings) {
    cases(node, out);
    strangers(node, out);
    if !node.is_broker {
        return;
    }
    if let Some(entry) = node.properties.entry("sasl.jaas.config").filter(|e| e.value.contains("io.standin.")) {
        let listener = node.listeners.iter().find(|l| l.protocol.as_deref().is_some_and(|p| p.starts_with("SASL")));
        let prefix = listener.map_or("listener.name.client.".into(), Listener::prefix);
        let lines = MECHANISMS.map(|m| jaas_line(&prefix, m));
        out.wrong(
            "jaas-without-prefix",
            Some(entry),
            "a broker reads JAAS lines only with listener and mechanism before them",
            &lines.each_ref().map(String::as_str),
        );
    }
    for listener in &node.listeners {
        let offered = node.offered(listener);
        enabled(node, listener, &offered, out);
        if !offered.is_empty() {
            for mechanism in &offered {
                mechanism_of(node, listener, mechanism, out);
            }
            protocol(node, listener, out);
            hosts(node, listener, out);
            lengths(node, listener, out);
        }
    }
    if node.logins().next().is_none() {
        none(node, out);
    }
}

fn jaas_line(prefix: &str, mechanism: &str) -> String {
    format!("{prefix}{}.sasl.jaas.config={MODULE} required;", mechanism.to_lowercase())
}

fn handler_line(prefix: &str, mechanism: &str) -> String {
    format!("{prefix}{}.sasl.server.callback.handler.class={HANDLER}", mechanism.to_lowercase())
}

/// No listener offers the logins: everything that one needs.
fn none(node: &Node<'_>, out: &mut Findings) {
    let open =
        |l: &&Listener| l.name != node.inter_broker && l.protocol.as_deref().is_some_and(|p| p.starts_with("SASL"));
    let prefix = node.listeners.iter().find(open).map_or("listener.name.client.".into(), Listener::prefix);
    let mut lines = vec![format!("{prefix}sasl.enabled.mechanisms={}", MECHANISMS.join(","))];
    for mechanism in MECHANISMS {
        lines.extend([jaas_line(&prefix, mechanism), handler_line(&prefix, mechanism)]);
    }
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    out.wrong(
        "no-login",
        None,
        "no listener has a JAAS line with Standin's login module: no client can log in",
        &lines,
    );
}

/// Keys that Kafka never looks up, because it looks for lower case.
fn cases(node: &Node<'_>, out: &mut Findings) {
    for entry in node.properties.effective() {
        let Some(rest) = entry.key.strip_prefix("listener.name.") else { continue };
        let about = rest.contains(".standin.") || rest.contains("sasl.") || rest.contains("principal.builder");
        let (name, rest) = rest.split_once('.').unwrap_or((rest, ""));
        let mechanism = MECHANISMS.iter().find(|m| {
            rest.split_once('.').is_some_and(|(found, _)| found.eq_ignore_ascii_case(m) && found != m.to_lowercase())
        });
        if !about || name == name.to_lowercase() && mechanism.is_none() {
            continue;
        }
        let rest = match mechanism {
            Some(m) => format!("{}{}", m.to_lowercase(), rest.get(m.len()..).unwrap_or_default()),
            None => rest.to_owned(),
        };
        let line = format!("listener.name.{}.{rest}={}", name.to_lowercase(), entry.value);
        out.wrong(
            "key-case",
            Some(entry),
            format!("{} is never read: Kafka looks for lower case", entry.key),
            &[&line],
        );
    }
}

/// Settings of listeners that are not there, or where nobody logs in.
fn strangers(node: &Node<'_>, out: &mut Findings) {
    for entry in node.properties.effective() {
        let Some((name, rest)) = entry.key.strip_prefix("listener.name.").and_then(|k| k.split_once('.')) else {
            continue;
        };
        let ours = rest.starts_with("standin.") || entry.value.contains("io.standin.");
        if !ours || name != name.to_lowercase() {
            continue;
        }
        match node.listeners.iter().find(|l| l.name.eq_ignore_ascii_case(name)) {
            None if node.is_broker => {
                let nearest = node.listeners.iter().min_by_key(|l| super::distance(&l.name.to_lowercase(), name));
                let line = nearest.map(|l| format!("{}{rest}={}", l.prefix(), entry.value));
                let text = format!("there is no listener {} in listeners", name.to_uppercase());
                out.wrong("listener", Some(entry), text, &line.iter().map(String::as_str).collect::<Vec<_>>());
            }
            Some(listener) if rest.starts_with("standin.") && node.offered(listener).is_empty() => {
                let text = format!(
                    "nobody logs in to Standin on {}: the setting has no meaning there, and the start is refused; remove the line",
                    listener.name
                );
                out.wrong("setting-of-no-login", Some(entry), text, &[]);
            }
            _ => {}
        }
    }
}

/// Mechanisms that are enabled but not set up.
fn enabled(node: &Node<'_>, listener: &Listener, offered: &[&str], out: &mut Findings) {
    let prefix = listener.prefix();
    let own = node.properties.entry(&format!("{prefix}sasl.enabled.mechanisms"));
    for mechanism in node.enabled(listener).into_iter().filter(|m| MECHANISMS.contains(m)) {
        let line = node.jaas(listener, mechanism);
        // Kafka's own OAUTHBEARER is not ours to judge.
        let meant = mechanism == "AWS_MSK_IAM"
            || !offered.is_empty()
            || line.is_some_and(|e| e.value.to_lowercase().contains("standin"));
        if meant && !offered.contains(&mechanism) {
            let text = match line {
                Some(_) => format!("the JAAS line of {mechanism} on {} does not name {MODULE}", listener.name),
                None => format!("{} enables {mechanism} without a JAAS line for it", listener.name),
            };
            out.wrong("jaas-line", line.or(own), text, &[&jaas_line(&prefix, mechanism)]);
        }
    }
}

/// One mechanism that a listener has a JAAS line of ours for.
fn mechanism_of(node: &Node<'_>, listener: &Listener, mechanism: &str, out: &mut Findings) {
    let (prefix, name) = (listener.prefix(), &listener.name);
    let Some(jaas) = node.jaas(listener, mechanism) else { return };
    let words: Vec<&str> = jaas.value.trim().trim_end_matches(';').split_whitespace().collect();
    if !jaas.value.trim_end().ends_with(';') || words != [MODULE, "required"] {
        let text = format!("the JAAS line is `{MODULE} required;`, with the semicolon and without options");
        out.wrong("jaas-line", Some(jaas), text, &[&jaas_line(&prefix, mechanism)]);
    }
    let key = format!("{prefix}{}.sasl.server.callback.handler.class", mechanism.to_lowercase());
    if node.properties.get(&key) != Some(HANDLER) {
        let text = format!("{name} has no callback handler of Standin for {mechanism}: logins have no engine to ask");
        out.wrong("callback-handler", node.properties.entry(&key), text, &[&handler_line(&prefix, mechanism)]);
    }
    let enabled = node.enabled(listener);
    if !enabled.contains(&mechanism) {
        let own = node.setting(listener, "sasl.enabled.mechanisms");
        let mut all: Vec<&str> = if own.is_some() { enabled } else { Vec::new() };
        all.push(mechanism);
        let line = format!("{prefix}sasl.enabled.mechanisms={}", all.join(","));
        out.wrong("mechanism", own, format!("{name} does not enable {mechanism}"), &[&line]);
    }
    let kind = if mechanism == "AWS_MSK_IAM" { "msk-iam" } else { "token" };
    if let Some(evidence) = node.setting(listener, "standin.evidence")
        && !evidence.value.split(',').any(|k| k.trim() == kind)
    {
        let line = format!("{}={},{kind}", evidence.key, evidence.value.trim());
        let text = format!("logins by {mechanism} on {name} are {kind}, which is not accepted");
        out.wrong("evidence", Some(evidence), text, &[&line]);
    }
}

fn protocol(node: &Node<'_>, listener: &Listener, out: &mut Findings) {
    let name = &listener.name;
    let map = node.properties.entry("listener.security.protocol.map");
    let value = map.map_or("", |e| e.value.trim());
    let set_to_tls = || {
        let mut pairs: Vec<String> = value
            .split(',')
            .map(|pair| match pair.trim().split_once(':') {
                Some((l, _)) if l.trim().eq_ignore_ascii_case(name) => format!("{}:SASL_SSL", l.trim()),
                _ => pair.trim().to_owned(),
            })
            .filter(|pair| !pair.is_empty())
            .collect();
        if !pairs.iter().any(|p| p.to_uppercase().starts_with(&format!("{name}:"))) {
            pairs.push(format!("{name}:SASL_SSL"));
        }
        format!("listener.security.protocol.map={}", pairs.join(","))
    };
    match listener.protocol.as_deref() {
        Some("SASL_SSL") => {
            if let Some(entry) = node.setting(listener, "standin.allow.plaintext").filter(|e| e.value.trim() == "true")
            {
                let line = format!("{}=false", entry.key);
                out.warn(
                    "plaintext",
                    Some(entry),
                    format!("{name} has TLS; a later change would go unnoticed"),
                    &[&line],
                );
            }
            super::files::keystore(node, listener, out);
        }
        Some("SASL_PLAINTEXT") => match node.setting(listener, "standin.allow.plaintext") {
            Some(entry) if entry.value.trim() == "true" => {
                let text =
                    format!("logins on {name} are not encrypted and can be replayed; this is for tests on one machine");
                out.warn("plaintext", Some(entry), text, &[&set_to_tls()]);
            }
            _ => {
                let text =
                    format!("logins on {name} would not be encrypted and could be replayed: the start is refused");
                out.wrong("plaintext", map, text, &[&set_to_tls()]);
            }
        },
        Some(other) => {
            let text = format!("{name} has {other}, where no SASL is spoken: clients are never asked who they are");
            out.wrong("protocol", map, text, &[&set_to_tls()]);
        }
        None => {
            let text = format!("{name} has no protocol in listener.security.protocol.map");
            out.wrong("protocol", map, text, &[&set_to_tls()]);
        }
    }
}

fn hosts(node: &Node<'_>, listener: &Listener, out: &mut Findings) {
    if !node.enabled(listener).contains(&"AWS_MSK_IAM") {
        return;
    }
    let entry = node.setting(listener, "standin.hosts");
    let value = entry.map_or("", |e| e.value.trim());
    let names: Vec<String> = value.split(',').map(|h| h.trim().to_lowercase()).filter(|h| !h.is_empty()).collect();
    let key = entry.map_or("standin.hosts", |e| e.key.as_str());
    let with = |name: &str| if value.is_empty() { format!("{key}={name}") } else { format!("{key}={value},{name}") };
    if let Some(told) = listener.told.as_deref().filter(|t| !names.contains(&t.to_lowercase())) {
        let text = format!(
            "clients of {} are told to dial {told}, sign that name, and are refused: it is not in standin.hosts",
            listener.name
        );
        out.wrong("hosts", entry, text, &[&with(told)]);
    }
    let has = |name: &str| names.iter().any(|n| n == name);
    if has("127.0.0.1") && !has("localhost") {
        let text = "Java clients that dial 127.0.0.1 sign localhost, which is not listed";
        out.warn("loopback", entry, text, &[&with("localhost")]);
    }
}

/// Below this, milliseconds, some clients authenticate before every request.
const SHORT: i64 = 10_000;

fn lengths(node: &Node<'_>, listener: &Listener, out: &mut Findings) {
    let number =
        |entry: Option<&crate::broker::properties::Entry>| entry.and_then(|e| e.value.trim().parse::<i64>().ok());
    let mechanism = node.offered(listener).first().map_or("", |m| m).to_lowercase();
    let own = node.properties.entry(&format!("{}{mechanism}.connections.max.reauth.ms", listener.prefix()));
    let kafka = own.or_else(|| node.setting(listener, "connections.max.reauth.ms"));
    for entry in [kafka, node.setting(listener, "standin.session.max.ms")] {
        if let Some(entry) = entry.filter(|e| number(Some(e)).is_some_and(|n| n > 0 && n < SHORT)) {
            let text = "kafkajs authenticates before every request when less than 10 s are left of a session";
            out.warn("reauthentication", Some(entry), text, &[&format!("{}=3600000", entry.key)]);
        }
    }
    let threads = number(node.setting(listener, "num.network.threads")).unwrap_or(3);
    if let Some(entry) = node.setting(listener, "standin.login.waiting")
        && let Some(waiting) = number(Some(entry)).filter(|w| *w > (threads + 1) / 2)
    {
        let text =
            format!("{waiting} of the {threads} network threads of {} may wait for logins at once", listener.name);
        out.warn("login-waiting", Some(entry), text, &[&format!("{}={}", entry.key, (threads / 2).max(1))]);
    }
}
