// SPDX-License-Identifier: Apache-2.0
//! Turning access control lists into policies that decide the same. Where that
//! is not possible the policies allow less, and a note says so.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde_json::{Value, json};

use super::actions::{ALL, Kind, implied};
use super::{Entry, Names, Principals, Standing};
use crate::identity::{Identity, IdentityKind};

/// Everybody, in a list.
const EVERYBODY: &str = "User:*";
/// Most resources of one statement.
const RESOURCES: usize = 500;
/// Longest document, bytes, roughly.
const LONGEST: usize = 96 * 1024;

/// The policies of one identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Converted {
    /// `user/NAME` or `role/NAME`.
    pub identity: String,
    /// The principals of the lists that it stands for.
    pub principals: BTreeSet<String>,
    /// Documents that belong together.
    pub documents: Vec<Value>,
}

/// What a list has become.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conversion {
    /// By identity.
    pub identities: Vec<Converted>,
    /// What lists give or forbid to everybody: for identities that none names.
    pub everybody: Vec<Value>,
    /// What has no counterpart, for people.
    pub notes: BTreeSet<String>,
}

/// Hosts an entry is for: every one, or one address or network.
type Host = Option<String>;

/// Texts of one kind: actions, addresses or resources.
type Texts = BTreeSet<String>;

/// Where somebody may create topics by a right on the cluster.
struct Creates {
    allowed: BTreeSet<Host>,
    denied: BTreeSet<Host>,
}

impl Creates {
    fn anywhere(&self) -> bool {
        self.allowed.contains(&None) && !self.denied.contains(&None)
    }
}

/// A statement in the making, without its resources.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Head {
    allows: bool,
    actions: BTreeSet<String>,
    /// `aws:SourceIp` is one of these; empty for any.
    from: BTreeSet<String>,
    /// And none of these.
    except: BTreeSet<String>,
}

/// Turns lists into policies of the cluster with this ARN.
#[must_use]
pub fn convert(entries: &BTreeSet<Entry>, principals: &Principals, cluster: &str) -> Conversion {
    let mut out = Conversion::default();
    let mut own: BTreeMap<String, (BTreeSet<String>, Vec<&Entry>)> = BTreeMap::new();
    let everybody: Vec<&Entry> = entries.iter().filter(|e| e.principal == EVERYBODY).collect();
    for entry in entries.iter().filter(|e| e.principal != EVERYBODY) {
        match principals.standing(&entry.principal) {
            Some(Standing::Identity(identity)) => {
                let (names, list) = own.entry(identity).or_default();
                names.insert(entry.principal.clone());
                list.push(entry);
            }
            Some(Standing::Nobody) => {
                out.notes.insert(format!("{}: left to ACLs, as the rules say", entry.principal));
            }
            None => {
                out.notes.insert(format!("{}: no rule says which identity it is; left out", entry.principal));
            }
        }
    }
    for (identity, (names, mut list)) in own {
        if let Err(why) = check(&identity) {
            out.notes.insert(format!("{}: {why}; left out", names.iter().cloned().collect::<Vec<_>>().join(", ")));
            continue;
        }
        if names.len() > 1 {
            let names = names.iter().cloned().collect::<Vec<_>>().join(", ");
            out.notes.insert(format!(
                "{identity}: has the rights of all of {names}, and what is denied to any of them is denied"
            ));
        }
        list.extend(&everybody);
        let documents = documents(&list, cluster, &mut out.notes);
        out.identities.push(Converted { identity, principals: names, documents });
    }
    if !everybody.is_empty() {
        out.everybody = documents(&everybody, cluster, &mut out.notes);
        out.notes.insert(
            "User:*: its entries are in every document; identities that no entry names get the document for everybody \
             only when it is attached to them"
                .into(),
        );
    }
    out
}

fn check(identity: &str) -> Result<(), String> {
    let (kind, name) = identity.split_once('/').unwrap_or(("", identity));
    let kind = if kind == "role" { IdentityKind::Role } else { IdentityKind::User };
    Identity::new("aws", "000000000000", kind, "/", name).map(drop).map_err(|fault| fault.text)
}

fn documents(entries: &[&Entry], cluster: &str, notes: &mut BTreeSet<String>) -> Vec<Value> {
    let mut statements: BTreeMap<Head, BTreeSet<String>> = BTreeMap::new();
    let connect = Head {
        allows: true,
        actions: BTreeSet::from(["kafka-cluster:Connect".to_owned()]),
        from: BTreeSet::new(),
        except: BTreeSet::new(),
    };
    statements.entry(connect).or_default().insert(cluster.to_owned());
    let creates = creates(entries);
    // Entries for the same resources from the same place are one statement.
    let mut merged: BTreeMap<(bool, Texts, Texts, String), Texts> = BTreeMap::new();
    let mut put = |head: Head, resource: String| {
        merged.entry((head.allows, head.from, head.except, resource)).or_default().extend(head.actions);
    };
    for entry in entries {
        let Some(kind) = Kind::of(&entry.resource_type) else {
            notes.insert(format!("{}: no such type of resource is known; left out", entry.resource_type));
            continue;
        };
        let Some(host) = host(entry, notes) else { continue };
        let Some(resource) = resource(entry, kind, cluster) else {
            notes.insert(format!(
                "{} {}: the cluster has another name, so the entry never counts; left out",
                entry.principal, entry.operation
            ));
            continue;
        };
        let from: BTreeSet<String> = host.iter().cloned().collect();
        let head = |allows, actions| Head { allows, actions, from: from.clone(), except: BTreeSet::new() };
        let actions = actions(entry, kind, notes);
        if entry.allows {
            if !actions.is_empty() {
                put(head(true, actions), resource);
            }
            continue;
        }
        // Kafka asks for the topic only where the cluster does not allow it.
        let (create, others): (BTreeSet<_>, BTreeSet<_>) =
            actions.into_iter().partition(|a| a == "kafka-cluster:CreateTopic");
        if !others.is_empty() {
            put(head(false, others), resource.clone());
        }
        if !create.is_empty() {
            for (from, except) in not_created(&host, &creates) {
                put(Head { allows: false, actions: create.clone(), from, except }, resource.clone());
            }
        }
    }
    let every_topic = format!("{}/*", cluster.replacen(":cluster/", ":topic/", 1));
    for allowed in creates.allowed.iter().filter(|h| !creates.denied.contains(*h) && !creates.denied.contains(&None)) {
        let head = Head {
            allows: true,
            actions: BTreeSet::from(["kafka-cluster:CreateTopic".to_owned()]),
            from: allowed.iter().cloned().collect(),
            except: creates.denied.iter().flatten().cloned().collect(),
        };
        put(head, every_topic.clone());
    }
    for ((allows, from, except, resource), actions) in merged {
        statements.entry(Head { allows, actions, from, except }).or_default().insert(resource);
    }
    // The same from several places is one statement, too.
    let mut together: BTreeMap<(bool, Texts, Texts, Texts), Texts> = BTreeMap::new();
    let mut out = Vec::new();
    for (head, resources) in statements {
        if head.from.is_empty() {
            out.push((head, resources));
        } else {
            together.entry((head.allows, head.actions, head.except, resources)).or_default().extend(head.from);
        }
    }
    for ((allows, actions, except, resources), from) in together {
        out.push((Head { allows, actions, from, except }, resources));
    }
    out.sort_by(|a, b| b.cmp(a));
    written(&out)
}

/// Where topics are created by a right on the cluster. Kafka asks for that
/// first, and for topics only where it is denied.
fn creates(entries: &[&Entry]) -> Creates {
    let mut ignored = BTreeSet::new();
    let hosts = |allows: bool, ignored: &mut BTreeSet<String>| {
        let of_cluster = |e: &&&Entry| {
            e.allows == allows
                && Kind::of(&e.resource_type) == Some(Kind::Cluster)
                && ["CREATE", ALL].contains(&&*e.operation)
                && names_cluster(&e.names)
        };
        entries.iter().filter(of_cluster).filter_map(|e| host(e, ignored)).collect()
    };
    let (allowed, denied) = (hosts(true, &mut ignored), hosts(false, &mut ignored));
    Creates { allowed, denied }
}

/// From where a denied creation of a topic counts: where the cluster does not
/// allow all of them.
fn not_created(host: &Host, creates: &Creates) -> Vec<(BTreeSet<String>, BTreeSet<String>)> {
    let own: BTreeSet<String> = host.iter().cloned().collect();
    if creates.denied.contains(&None) || creates.allowed.is_empty() {
        return vec![(own, BTreeSet::new())];
    }
    if creates.anywhere() {
        let denied: BTreeSet<String> = creates.denied.iter().flatten().cloned().collect();
        return match host {
            None if denied.is_empty() => Vec::new(),
            None => vec![(denied, BTreeSet::new())],
            // Where networks overlap the denial stays: less is allowed then.
            Some(host)
                if denied.iter().any(|d| d == host || d.contains('/')) || host.contains('/') && !denied.is_empty() =>
            {
                vec![(own, BTreeSet::new())]
            }
            Some(_) => Vec::new(),
        };
    }
    let mut both = creates.allowed.iter().chain(&creates.denied).flatten();
    if !creates.denied.is_empty() && both.any(|h| h.contains('/')) {
        return vec![(own, BTreeSet::new())];
    }
    let allowed = creates.allowed.difference(&creates.denied).flatten().cloned().collect();
    vec![(own, allowed)]
}

/// The address an entry is for; none when no client ever has it.
fn host(entry: &Entry, notes: &mut BTreeSet<String>) -> Option<Host> {
    if entry.host == "*" {
        return Some(None);
    }
    if let Some((address, _)) = entry.host.split_once('/')
        && address.parse::<IpAddr>().is_ok()
    {
        notes.insert(format!("{}: networks count in ACLs from Kafka 4.4 on, in policies always", entry.host));
        return Some(Some(entry.host.clone()));
    }
    // Kafka compares with Java's text of the address.
    let text = |address: IpAddr| match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => v6.segments().map(|s| format!("{s:x}")).join(":"),
    };
    match entry.host.parse::<IpAddr>() {
        Ok(address) if text(address) == entry.host && address.to_canonical() == address => {
            Some(Some(entry.host.clone()))
        }
        _ => {
            notes.insert(format!(
                "host {}: Kafka never sees a client under it, so the entry never counts; left out",
                entry.host
            ));
            None
        }
    }
}

fn names_cluster(names: &Names) -> bool {
    match names {
        Names::All => true,
        Names::One(name) => name == "kafka-cluster",
        Names::Beginning(begin) => "kafka-cluster".starts_with(&**begin),
    }
}

/// The resource's ARN; none when nothing has this name.
fn resource(entry: &Entry, kind: Kind, cluster: &str) -> Option<String> {
    if kind == Kind::Cluster {
        return names_cluster(&entry.names).then(|| cluster.to_owned());
    }
    let plain = |name: &str| name.replace('$', "${$}").replace('*', "${*}").replace('?', "${?}");
    let name = match &entry.names {
        Names::All => "*".to_owned(),
        Names::One(name) => plain(name),
        Names::Beginning(begin) => format!("{}*", plain(begin)),
    };
    Some(format!("{}/{name}", cluster.replacen(":cluster/", &format!(":{}/", kind.arn()), 1)))
}

/// The actions of an entry.
fn actions(entry: &Entry, kind: Kind, notes: &mut BTreeSet<String>) -> BTreeSet<String> {
    let full = |name: &&str| format!("kafka-cluster:{name}");
    let Entry { operation, allows, .. } = entry;
    if kind == Kind::Cluster {
        if ["DELETE", ALL].contains(&&**operation) && *allows {
            notes.insert(format!(
                "{}: {operation} on the cluster lets it delete every topic without seeing it; give DeleteTopic and DescribeTopic where that is meant",
                entry.principal
            ));
        }
        if operation == "CLUSTER_ACTION" && *allows {
            notes.insert(format!("{}: CLUSTER_ACTION is a right of brokers, who stay with ACLs", entry.principal));
        }
    }
    if operation == ALL {
        // A denial must not touch kafka-cluster:Connect, and creating has its own rule.
        return if *allows && kind != Kind::Cluster {
            BTreeSet::from(["kafka-cluster:*".to_owned()])
        } else {
            kind.actions().iter().map(|(_, action)| full(action)).collect()
        };
    }
    let mut found: BTreeSet<String> = kind.action(operation).iter().map(full).collect();
    if *allows {
        found.extend(implied(operation).and_then(|also| kind.action(also)).iter().map(full));
    }
    let elsewhere = kind == Kind::Cluster && ["CREATE", "DELETE"].contains(&&**operation);
    if found.is_empty() && !elsewhere {
        notes.insert(format!(
            "{}: Kafka never asks for {operation} on {}; left out",
            entry.principal, entry.resource_type
        ));
    }
    found
}

/// Documents of these statements, none longer than is accepted.
fn written(statements: &[(Head, BTreeSet<String>)]) -> Vec<Value> {
    let mut documents: Vec<Vec<Value>> = vec![Vec::new()];
    let mut length = 0;
    let mut number = 0;
    for (head, resources) in statements {
        let resources: Vec<&String> = resources.iter().collect();
        for resources in resources.chunks(RESOURCES) {
            number += 1;
            let effect = if head.allows { "Allow" } else { "Deny" };
            let mut statement = json!({"Sid": format!("{effect}{number}"), "Effect": effect, "Action": head.actions, "Resource": resources});
            let mut condition = serde_json::Map::new();
            if !head.from.is_empty() {
                condition.insert("IpAddress".into(), json!({"aws:SourceIp": head.from}));
            }
            if !head.except.is_empty() {
                condition.insert("NotIpAddress".into(), json!({"aws:SourceIp": head.except}));
            }
            if let (false, Some(statement)) = (condition.is_empty(), statement.as_object_mut()) {
                statement.insert("Condition".into(), Value::Object(condition));
            }
            let size = statement.to_string().len();
            if length + size > LONGEST && length > 0 {
                documents.push(Vec::new());
                length = 0;
            }
            length += size;
            if let Some(last) = documents.last_mut() {
                last.push(statement);
            }
        }
    }
    documents.into_iter().map(|statements| json!({"Version": "2012-10-17", "Statement": statements})).collect()
}
