// SPDX-License-Identifier: Apache-2.0
//! Who decides, for whom, and who is let through without.

use super::node::Node;
use super::rules::Findings;

const AUTHORIZER: &str = "io.standin.kafka.StandinAuthorizer";
const BUILDER: &str = "io.standin.kafka.StandinPrincipalBuilder";

pub(super) fn check(node: &Node<'_>, out: &mut Findings) {
    classes(node, out);
    super_users(node, out);
    others(node, out);
    early(node, out);
}

fn classes(node: &Node<'_>, out: &mut Findings) {
    let properties = node.properties;
    if !node.is_broker && !node.is_controller {
        out.wrong(
            "roles",
            properties.entry("process.roles"),
            "process.roles names neither broker nor controller; Standin needs Kafka in KRaft mode",
            &["process.roles=broker"],
        );
    }
    let line = format!("authorizer.class.name={AUTHORIZER}");
    if properties.get("authorizer.class.name") != Some(AUTHORIZER) {
        let text = if properties.entry("authorizer.class.name").is_some() {
            "another authorizer decides: policies have no effect"
        } else if node.is_broker {
            "there is no authorizer: every client may do everything"
        } else {
            "there is no authorizer: every forwarded request is allowed"
        };
        out.wrong("authorizer", properties.entry("authorizer.class.name"), text, &[&line]);
    }
    let line = format!("principal.builder.class={BUILDER}");
    if properties.get("principal.builder.class") != Some(BUILDER) {
        let text = if node.is_broker {
            "principals carry no session: every operation of Standin's clients is denied"
        } else {
            "this controller cannot read the principals that brokers forward: creating topics and the like fails for Standin's clients"
        };
        out.wrong("principal-builder", properties.entry("principal.builder.class"), text, &[&line]);
    }
    for listener in &node.listeners {
        let own = properties.entry(&format!("{}principal.builder.class", listener.prefix()));
        let needs = !node.offered(listener).is_empty() || node.controllers.contains(&listener.name);
        if let Some(own) = own.filter(|own| needs && own.value.trim() != BUILDER) {
            out.wrong(
                "principal-builder-of-listener",
                Some(own),
                format!("listener {} has a principal builder of its own; remove the line", listener.name),
                &[],
            );
        }
    }
}

fn super_users(node: &Node<'_>, out: &mut Findings) {
    let properties = node.properties;
    let entry = properties.entry("super.users");
    let value = properties.get("super.users").unwrap_or_default();
    let users: Vec<&str> = value.split(';').map(str::trim).filter(|u| !u.is_empty()).collect();
    if users.iter().any(|u| u.contains(",User:")) {
        out.wrong(
            "super-users-separator",
            entry,
            "Kafka separates super users by semicolons; with commas this is one user, who does not exist",
            &[&format!("super.users={}", value.replace(",User:", ";User:"))],
        );
    }
    let (ours, rest): (Vec<&str>, Vec<&str>) = users.iter().partition(|u| u.to_lowercase().contains("user:arn:"));
    if !ours.is_empty() {
        out.warn(
            "super-users-arn",
            entry,
            "names beginning with arn: are Standin's, and their policies decide; give the identity a policy with kafka-cluster:*",
            &[&format!("super.users={}", rest.join(";"))],
        );
    }
    let mut anonymous = false;
    for listener in &node.listeners {
        let between = node.controllers.contains(&listener.name) || listener.name == node.inter_broker;
        let open = matches!(listener.protocol.as_deref(), Some("PLAINTEXT"));
        anonymous |= between && open;
        if open && !listener.is_local() && users.contains(&"User:ANONYMOUS") {
            let text = format!(
                "User:ANONYMOUS is a super user, and everybody who reaches {} (PLAINTEXT, {}) is that; bind it to where only brokers are, or use SSL and name the brokers' certificates",
                listener.name,
                if listener.bound.is_empty() { "all addresses" } else { &listener.bound }
            );
            out.warn("anonymous", entry, text, &[]);
        }
    }
    let with = |user: &str| {
        let mut all = users.clone();
        all.push(user);
        format!("super.users={}", all.join(";"))
    };
    if anonymous && !users.contains(&"User:ANONYMOUS") {
        out.wrong(
            "broker-principal",
            entry,
            "brokers are User:ANONYMOUS over PLAINTEXT, which is not a super user: they cannot register, and the start never ends",
            &[&with("User:ANONYMOUS")],
        );
    } else if users.iter().all(|u| u.to_lowercase().contains("user:arn:")) {
        out.wrong(
            "broker-principal",
            entry,
            "no super user: the brokers' own principal (over SSL the subject of their certificate) has to be one, or has to have ACLs",
            &[&with("User:CN=broker")],
        );
    }
}

fn others(node: &Node<'_>, out: &mut Findings) {
    let properties = node.properties;
    if properties.get("allow.everyone.if.no.acl.found") == Some("true") {
        out.warn(
            "allow-everyone",
            properties.entry("allow.everyone.if.no.acl.found"),
            "principals of other listeners may do everything for which there is no ACL",
            &["allow.everyone.if.no.acl.found=false"],
        );
    }
    let secret = ["delegation.token.secret.key", "delegation.token.master.key"];
    let ignored = properties.get("standin.delegation.tokens") == Some("ignore");
    if let Some(entry) = secret.iter().find_map(|key| properties.entry(key)).filter(|_| !ignored) {
        out.wrong(
            "delegation-tokens",
            Some(entry),
            "every client could make itself a delegation token without being asked, so the start is refused; remove the line, or say that such tokens are to carry no rights",
            &["standin.delegation.tokens=ignore"],
        );
    }
    if let Some(listener) = node.logins().find(|l| l.name == node.inter_broker).filter(|_| node.is_broker) {
        out.wrong(
            "inter-broker",
            properties.entry("inter.broker.listener.name"),
            format!(
                "brokers would have to log in to {} as clients do; give them a listener of their own",
                listener.name
            ),
            &["inter.broker.listener.name=INTERNAL"],
        );
    }
}

fn early(node: &Node<'_>, out: &mut Findings) {
    let Some(entry) = node.properties.entry("early.start.listeners") else { return };
    let early: Vec<String> =
        entry.value.split(',').map(|n| n.trim().to_uppercase()).filter(|n| !n.is_empty()).collect();
    let mut right: Vec<String> = early.iter().filter(|n| !node.logins().any(|l| l.name == **n)).cloned().collect();
    let missing: Vec<&String> = node.controllers.iter().filter(|c| node.is_controller && !early.contains(c)).collect();
    right.extend(missing.iter().map(ToString::to_string));
    let line = format!("early.start.listeners={}", right.join(","));
    if !missing.is_empty() {
        out.wrong(
            "early-start",
            Some(entry),
            "the controllers' listener is left out: the quorum cannot form, because authorizers wait for it",
            &[&line],
        );
    } else if right != early {
        out.warn(
            "early-start",
            Some(entry),
            "a listener of clients begins before Kafka has read its ACLs; until then only super users are decided for",
            &[&line],
        );
    }
}
