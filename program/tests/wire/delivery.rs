// SPDX-License-Identifier: Apache-2.0
//! The audit of hosts, delivered to a service that collects it.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use standin::credential::host::HostCredential;
use standin::decision::Outcome;
use standin::service::wire::{self, path};
use standin::settings::Given;

use crate::host::Host;
use crate::place::{CLUSTER, Place, Serving, policy, until};
use crate::raw::{Request, metric};

/// Every line of the audit files in a directory.
fn written(dir: &Path) -> BTreeSet<String> {
    let files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let records = files.filter(|path| path.extension().is_some_and(|e| e == "jsonl"));
    records
        .flat_map(|path| std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

/// What the service has; each once.
fn collected(place: &Place) -> BTreeSet<String> {
    let rows = place.store.collected(0, 0, 10_000).unwrap();
    let known: BTreeSet<(String, i64)> = rows.iter().map(|row| (row.boot.clone(), row.sequence)).collect();
    assert_eq!(known.len(), rows.len(), "each is kept once");
    rows.into_iter().map(|row| row.record).collect()
}

/// An agent's process of this host; killed when dropped.
struct Agent(std::process::Child);

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Agent {
    /// Starts it in a directory that only this user can reach; it is ready.
    fn start(place: &Place, dir: &Path, port: u16, credential: &Path) -> Self {
        let config = dir.join("agent.toml");
        let socket = dir.join("agent.sock");
        let text = format!(
            "service.url = \"https://localhost:{port}\"\nservice.ca = {:?}\nhost.credential = {credential:?}\n\
             agent.socket = {socket:?}\nagent.host.users = \"{}\"\n",
            place.ca,
            rustix::process::geteuid().as_raw()
        );
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_standin"));
        command.args(["agent", "--config"]).arg(config).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("READY /"), "{line:?}");
        Self(child)
    }
}

/// where the agent is a process of its own, records reach the service
/// through it, once and without a gap, also when service and agent were gone.
#[test]
fn x_10_the_audit_reaches_the_service_through_the_agents_process() {
    let place = Place::new();
    let serving = place.serve();
    let port = serving.port;
    let credential = place.enroll(&serving, "demo/1");
    let dir = place.dir.path().join("apart");
    std::fs::create_dir(&dir).unwrap();
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o700)).unwrap();
    let agent = Agent::start(&place, &dir, port, &credential);
    let (socket, user) = (dir.join("agent.sock"), rustix::process::geteuid().as_raw().to_string());
    let audit = place.dir.path().join("audit-of-demo-1");
    let given = [
        ("standin.agent.placement", "process"),
        ("standin.agent.socket", socket.to_str().unwrap()),
        ("standin.agent.user", &user),
        ("standin.engine", "apart"),
        ("standin.host", "host/demo/1"),
        ("standin.cluster.arn", CLUSTER),
        ("standin.hosts", "localhost"),
        ("standin.feed.interval.ms", "10"),
        ("standin.audit.deliver", "true"),
        ("standin.audit.flush.ms", "100"),
        ("standin.audit.dir", audit.to_str().unwrap()),
    ];
    let alice = place.user("alice", &policy("Allow", &["kafka-cluster:WriteData"], "a"));
    let host = Host::with(&Given::read(given, None).unwrap());
    let id = host.enter(&alice);
    // This service collects nothing, and says so through the agent.
    until("a failure", || host.count(|c| &c.audit_delivery_failures) > 0);
    let log = host.log();
    assert!(log.contains("--collect-audit"), "{log}");
    drop(serving);
    let _serving = Serving::start_with(&place, port, &["--collect-audit", "1"]);
    until("the first records", || collected(&place).iter().any(|record| record.contains("Logon")));
    // No agent, and then another.
    drop(agent);
    let failures = host.count(|c| &c.audit_delivery_failures);
    assert_eq!(host.decide(id, "b"), Outcome::Deny);
    until("a failure without it", || host.count(|c| &c.audit_delivery_failures) > failures);
    let _agent = Agent::start(&place, &dir, port, &credential);
    until("all of them", || {
        let all = written(&audit);
        collected(&place) == all && host.metric("audit-bytes-undelivered") == 0
    });
    assert!(host.count(|c| &c.audit_delivered) >= collected(&place).len() as u64);
}

fn audit(place: &Place, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_standin"));
    command.args(["--store", &place.url, "--output", "json", "audit", "--collected"]);
    command.args(more).output().unwrap()
}

/// records reach a service that collects them, once and without a gap,
/// whatever was in between: a service that does not, none at all, a host that
/// forgot how far it was. Nothing waits for it.
#[test]
fn x_10_the_audit_reaches_the_service_once_and_whole() {
    let place = Place::new();
    let serving = place.serve();
    let port = serving.port;
    let (file, other) = (place.enroll(&serving, "demo/1"), place.enroll(&serving, "demo/2"));
    let dir = place.dir.path().join("audit-of-demo-1");
    let more = [
        ("standin.audit.deliver", "true"),
        ("standin.audit.flush.ms", "100"),
        ("standin.audit.dir", dir.to_str().unwrap()),
    ];
    let alice = place.user("alice", &policy("Allow", &["kafka-cluster:WriteData"], "a"));
    let host = Host::open(&place, port, &file, &more);
    let id = host.enter(&alice);
    // This service collects nothing, and says what to do.
    until("a failure", || host.count(|c| &c.audit_delivery_failures) > 0);
    let log = host.log();
    assert!(log.contains("the audit is not delivered") && log.contains("--collect-audit"), "{log}");
    assert_eq!(host.decide(id, "a"), Outcome::Allow);
    // None is there at all.
    drop(serving);
    host.enter(&alice);
    assert_eq!(host.decide(id, "b"), Outcome::Deny);

    let _serving = Serving::start_with(&place, port, &["--collect-audit", "1"]);
    until("the first records", || collected(&place).iter().any(|record| record.contains("Logon")));
    drop(host);
    let first = written(&dir);
    assert!(first.len() >= 4, "{first:#?}");
    // What was written at the end comes with the next boot; what came before
    // comes again, and is known.
    std::fs::remove_file(dir.join("delivered-host-demo-1")).unwrap();
    let host = Host::open(&place, port, &file, &more);
    host.enter(&alice);
    until("all of them", || {
        let all = written(&dir);
        all.len() > first.len() && collected(&place) == all
    });
    assert!(metric(&place, port, "standin_serve_audit_records_again_total") >= 1);
    assert!(host.count(|c| &c.audit_delivered) >= first.len() as u64);

    // A host's records are its own.
    let other = HostCredential::read(&other).unwrap();
    let records: Vec<String> = vec![first.first().unwrap().clone(), "{}".into(), "nothing".into()];
    let body = serde_json::to_string(&wire::AuditAsk { records }).unwrap();
    let answer = Request::of(&other, path::AUDIT, &body).send(&place, port);
    assert_eq!(answer.json(), serde_json::json!({"new": 0, "known": 0, "unfit": 3}));

    let gaps = audit(&place, &["--gaps"]);
    assert!(gaps.status.success(), "{}", String::from_utf8_lossy(&gaps.stdout));
    let gaps: Vec<serde_json::Value> = serde_json::from_slice(&gaps.stdout).unwrap();
    assert_eq!(gaps.len(), 2, "two boots");
    let denied = String::from_utf8(audit(&place, &["--kind", "operation", "--outcome", "denied"]).stdout).unwrap();
    assert_eq!(denied.lines().count(), 1, "{denied}");
    // What is old is forgotten.
    assert!(place.store.forget_collected(i64::MAX).unwrap() >= first.len());
    assert!(place.store.collected(0, 0, 1).unwrap().is_empty());
}
