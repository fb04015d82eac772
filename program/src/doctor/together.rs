// SPDX-License-Identifier: Apache-2.0
//! Several files side by side: what only shows when they are compared.

use standin::settings::EngineSettings;

use super::node::Node;
use super::rules::{Finding, Findings};
use crate::broker::Broker;

/// Settings that nodes of one cluster may differ in.
const OWN: [&str; 5] =
    ["standin.store", "standin.key.file", "standin.host", "standin.audit.dir", "standin.cache.entries"];

pub(super) fn check(files: &[(&Broker, EngineSettings)]) -> Vec<Finding> {
    let mut found = Vec::new();
    for (n, (broker, engine)) in files.iter().enumerate() {
        let mut out = Findings::new(&broker.path);
        for (other, before) in files.iter().take(n) {
            let own = engine.namespaces.first();
            if own.is_some() && own == before.namespaces.first() {
                same_cluster((broker, engine), (other, before), &mut out);
            } else {
                regions(broker, other, &mut out);
            }
        }
        found.append(&mut out.list);
    }
    found
}

fn same_cluster(
    (broker, engine): (&Broker, &EngineSettings),
    (other, before): (&Broker, &EngineSettings),
    out: &mut Findings,
) {
    let shown = other.path.display();
    if engine.host == before.host {
        let entry = broker.properties.entry("standin.host");
        let node = broker.properties.get("node.id").unwrap_or("N");
        let text = format!("{shown} has the same name in the audit: {}", engine.host);
        out.warn("host-name", entry, text, &[&format!("standin.host=host/CLUSTER/{node}")]);
    }
    for name in engine.differing(before).into_iter().filter(|name| !OWN.contains(name)) {
        let theirs = other.properties.get(name).unwrap_or("not set");
        let line = other.properties.get(name).map(|value| format!("{name}={value}"));
        let text =
            format!("{name} is {theirs} in {shown}: a forwarded request is decided otherwise than on its broker");
        let line: Vec<&str> = line.iter().map(String::as_str).collect();
        out.warn("differs", broker.properties.entry(name), text, &line);
    }
}

/// The regions that logins of a broker may name, and where they are set.
fn accepted(broker: &Broker) -> Vec<String> {
    let node = Node::of(broker);
    let of_arn = || {
        let arn = broker.properties.get("standin.cluster.arn").unwrap_or_default();
        arn.split(':').nth(3).map(|r| vec![r.to_owned()]).unwrap_or_default()
    };
    let mut regions: Vec<String> = node
        .logins()
        .flat_map(|listener| match node.setting(listener, "standin.regions") {
            Some(entry) => entry.value.split(',').map(|r| r.trim().to_owned()).collect(),
            None => of_arn(),
        })
        .collect();
    regions.sort();
    regions.dedup();
    regions
}

fn regions(broker: &Broker, other: &Broker, out: &mut Findings) {
    let theirs = accepted(other);
    for region in accepted(broker).iter().filter(|r| theirs.contains(r)) {
        let text = format!(
            "the cluster of {} accepts the region {region} too: a token of the MSK signers names no broker, so one that is meant for there is good here",
            other.path.display()
        );
        let entry = broker.properties.entry("standin.regions").or(broker.properties.entry("standin.cluster.arn"));
        out.warn("region", entry, text, &[&format!("standin.regions={region}-b")]);
    }
}
