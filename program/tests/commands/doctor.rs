// SPDX-License-Identifier: Apache-2.0
//! `standin doctor`, through the program itself: a file for every rule that is
//! broken in just that, beside files in which nothing is wrong.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;
use standin::audit::{Event, Files, Record, Recorder, Who};
use standin::fault::Status;
use standin::time::{Clock, SystemClock, UnixMillis};

use crate::place::Place;

/// A broker's file in which nothing is wrong: that of `standin init`, with
/// what its head says, and the broker's own.
fn healthy(place: &Place) -> String {
    let own = std::fs::read_to_string(place.path("s/standin.properties")).unwrap();
    format!(
        "process.roles=broker,controller\n\
         node.id=1\n\
         listeners=INTERNAL://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093,CLIENT://:9098\n\
         advertised.listeners=INTERNAL://127.0.0.1:9092,CLIENT://localhost:9098\n\
         listener.security.protocol.map=INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT,CLIENT:SASL_SSL\n\
         inter.broker.listener.name=INTERNAL\n\
         controller.listener.names=CONTROLLER\n\
         super.users=User:ANONYMOUS\n{own}"
    )
}

/// What the doctor finds: each rule, level, line of the file and what to
/// change.
fn examine(place: &Place, files: &[&str], more: &[&str]) -> Vec<Value> {
    let mut arguments = vec!["doctor", "--output", "json"];
    files.iter().for_each(|f| arguments.extend(["--broker", f]));
    arguments.extend(more);
    let out = place.run(&arguments);
    let text = String::from_utf8(out.stdout).unwrap();
    let found: Vec<Value> =
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}{}", String::from_utf8_lossy(&out.stderr)));
    assert_eq!(out.status.code(), Some(i32::from(!found.is_empty())));
    found
}

fn rules(found: &[Value]) -> Vec<&str> {
    found.iter().map(|f| f["rule"].as_str().unwrap()).collect()
}

/// One broken file: the rule, what is replaced by what (`^` for a line that is
/// added), and a part of the line to have instead. Nothing when no line is to
/// be told.
const BROKEN: &[(&str, &str, &str, &str)] = &[
    ("set-twice", "^", "node.id=1", ""),
    ("unknown-setting", "^", "standin.sesion.max.ms=60000", "standin.session.max.ms=60000"),
    ("unknown-setting", "^", "listener.name.client.standin.replai=audit", "listener.name.client.standin.replay=audit"),
    ("setting-value", "^", "standin.audit.flush.ms=5", "standin.audit.flush.ms=1000"),
    ("setting-value", "^", "listener.name.client.standin.replay=maybe", "listener.name.client.standin.replay=audit"),
    ("setting-value", "standin.cluster.arn=", "#", "standin.cluster.arn=arn:aws:kafka:"),
    ("setting-value", "standin.store=", "#", "standin.store="),
    ("setting-scope", "^", "listener.name.client.standin.decide=local", "standin.decide=local"),
    ("setting-of-no-login", "^", "listener.name.internal.standin.replay=refuse", ""),
    ("roles", "process.roles=broker,controller", "process.roles=", "process.roles=broker"),
    ("authorizer", "authorizer.class.name=", "#", "authorizer.class.name=io.standin.kafka.StandinAuthorizer"),
    (
        "authorizer",
        "io.standin.kafka.StandinAuthorizer",
        "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "authorizer.class.name=io.standin.kafka.StandinAuthorizer",
    ),
    (
        "principal-builder",
        "principal.builder.class=",
        "#",
        "principal.builder.class=io.standin.kafka.StandinPrincipalBuilder",
    ),
    ("principal-builder-of-listener", "^", "listener.name.controller.principal.builder.class=com.example.Builder", ""),
    (
        "super-users-separator",
        "User:ANONYMOUS",
        "User:ANONYMOUS;User:a,User:b",
        "super.users=User:ANONYMOUS;User:a;User:b",
    ),
    (
        "super-users-arn",
        "User:ANONYMOUS",
        "User:ANONYMOUS;User:arn:aws:iam::123456789012:user/ann",
        "super.users=User:ANONYMOUS",
    ),
    ("broker-principal", "super.users=", "#", "super.users=User:ANONYMOUS"),
    ("broker-principal", "User:ANONYMOUS", "User:CN=b", "super.users=User:CN=b;User:ANONYMOUS"),
    ("anonymous", "INTERNAL://127.0.0.1:9092,CONTROLLER", "INTERNAL://:9092,CONTROLLER", ""),
    ("allow-everyone", "^", "allow.everyone.if.no.acl.found=true", "allow.everyone.if.no.acl.found=false"),
    ("delegation-tokens", "^", "delegation.token.secret.key=secret", "standin.delegation.tokens=ignore"),
    ("early-start", "^", "early.start.listeners=INTERNAL", "early.start.listeners=INTERNAL,CONTROLLER"),
    ("early-start", "^", "early.start.listeners=CONTROLLER,CLIENT", "early.start.listeners=CONTROLLER"),
    (
        "inter-broker",
        "inter.broker.listener.name=INTERNAL",
        "inter.broker.listener.name=CLIENT",
        "inter.broker.listener.name=INTERNAL",
    ),
    (
        "key-case",
        "listener.name.client.oauthbearer.sasl.server",
        "listener.name.CLIENT.oauthbearer.sasl.server",
        "listener.name.client.oauthbearer.sasl.server",
    ),
    (
        "key-case",
        "client.aws_msk_iam.sasl.jaas",
        "client.AWS_MSK_IAM.sasl.jaas",
        "listener.name.client.aws_msk_iam.sasl.jaas.config=",
    ),
    (
        "jaas-without-prefix",
        "^",
        "sasl.jaas.config=io.standin.kafka.StandinLoginModule required;",
        "listener.name.client.aws_msk_iam.sasl.jaas.config=io.standin.kafka.StandinLoginModule required;",
    ),
    (
        "jaas-line",
        "aws_msk_iam.sasl.jaas.config=io.standin.kafka.StandinLoginModule required;",
        "aws_msk_iam.sasl.jaas.config=io.standin.kafka.StandinLoginModule required",
        "listener.name.client.aws_msk_iam.sasl.jaas.config=io.standin.kafka.StandinLoginModule required;",
    ),
    (
        "jaas-line",
        "oauthbearer.sasl.jaas.config=io.standin.kafka.StandinLoginModule",
        "oauthbearer.sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule",
        "listener.name.client.oauthbearer.sasl.jaas.config=io.standin.kafka.StandinLoginModule required;",
    ),
    (
        "callback-handler",
        "listener.name.client.aws_msk_iam.sasl.server.callback.handler.class=",
        "#",
        "listener.name.client.aws_msk_iam.sasl.server.callback.handler.class=io.standin.kafka.StandinServerCallbackHandler",
    ),
    (
        "mechanism",
        "sasl.enabled.mechanisms=AWS_MSK_IAM,OAUTHBEARER",
        "sasl.enabled.mechanisms=AWS_MSK_IAM",
        "listener.name.client.sasl.enabled.mechanisms=AWS_MSK_IAM,OAUTHBEARER",
    ),
    ("evidence", "^", "standin.evidence=msk-iam", "standin.evidence=msk-iam,token"),
    ("listener", "^", "listener.name.cliend.standin.replay=audit", "listener.name.client.standin.replay=audit"),
    ("protocol", ",CLIENT:SASL_SSL", "", "CONTROLLER:PLAINTEXT,CLIENT:SASL_SSL"),
    ("protocol", "CLIENT:SASL_SSL", "CLIENT:SSL", "CLIENT:SASL_SSL"),
    ("plaintext", "CLIENT:SASL_SSL", "CLIENT:SASL_PLAINTEXT", "CLIENT:SASL_SSL"),
    ("plaintext", "^", "standin.allow.plaintext=true", "standin.allow.plaintext=false"),
    ("keystore", "listener.name.client.ssl.keystore.location=", "#", "listener.name.client.ssl.keystore.location="),
    ("keystore", "broker.pem", "missing.pem", ""),
    ("keystore", "broker.pem", "ca.key.pem", "cat key.pem certificate.pem"),
    ("keystore", "listener.name.client.ssl.keystore.type=PEM", "", "ssl.keystore.type=PEM"),
    ("keystore-mode", "s/broker.pem", "open.pem", "chmod 600 "),
    (
        "hosts",
        "CLIENT://localhost:9098",
        "CLIENT://broker-1.example.com:9098",
        "standin.hosts=localhost,broker-1.example.com",
    ),
    ("hosts", "standin.hosts=", "#", "standin.hosts=localhost"),
    ("loopback", "standin.hosts=localhost", "standin.hosts=127.0.0.1", "standin.hosts=127.0.0.1,localhost"),
    ("reauthentication", "^", "connections.max.reauth.ms=5000", "connections.max.reauth.ms=3600000"),
    ("reauthentication", "^", "standin.session.max.ms=4000", "standin.session.max.ms=3600000"),
    ("login-waiting", "^", "standin.login.waiting=3", "standin.login.waiting=1"),
    ("store", "s/store.db\n", "nowhere.db\n", ""),
    ("audit-dir", "^", "standin.audit.dir=/proc/self/status", ""),
    ("shadow", "^", "standin.mode=shadow", "standin.mode=enforce"),
    ("native-library", "^", "standin.native.path=/no/such.so", ""),
    ("native-library", "^", "standin.native.path=HERE/text.so", ""),
    ("native-library", "^", "standin.native.path=HERE/other.so", ""),
    ("native-library", "^", "standin.native.path=HERE/newer.so", ""),
];

/// A library's head, for a machine, naming a version of glibc.
fn elf(machine: u8, glibc: &str) -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0".to_vec();
    bytes.extend([machine, 0]);
    bytes.extend(format!("\0GLIBC_2.2.5\0{glibc}\0").bytes());
    bytes
}

/// Files that broken ones name.
fn prepare(place: &Place) {
    let (here, other) = if cfg!(target_arch = "x86_64") { (62, 183) } else { (183, 62) };
    std::fs::write(place.path("text.so"), "not a library").unwrap();
    std::fs::write(place.path("other.so"), elf(other, "GLIBC_2.17")).unwrap();
    std::fs::write(place.path("newer.so"), elf(here, "GLIBC_2.999")).unwrap();
    std::fs::write(place.path("right.so"), elf(here, "GLIBC_2.17")).unwrap();
    std::fs::copy(place.path("s/broker.pem"), place.path("open.pem")).unwrap();
    std::fs::set_permissions(place.path("open.pem"), std::fs::Permissions::from_mode(0o644)).unwrap();
}

/// The healthy file with one thing broken.
fn broken(healthy: &str, from: &str, to: &str, dir: &Path) -> String {
    let to = to.replace("HERE", dir.to_str().unwrap());
    if from == "^" {
        return format!("{healthy}{to}\n");
    }
    assert!(healthy.contains(from), "{from}");
    // `#` takes the whole line out.
    if to == "#" {
        return healthy.lines().filter(|l| !l.starts_with(from)).map(|l| format!("{l}\n")).collect();
    }
    healthy.replacen(from, &to, 1)
}

#[test]
fn nothing_is_wrong_with_what_init_makes() {
    let place = Place::new();
    prepare(&place);
    let text = format!("{}standin.native.path={}\n", healthy(&place), place.path("right.so").display());
    std::fs::write(place.path("b"), &text).unwrap();
    assert_eq!(examine(&place, &["b"], &[]), Vec::<Value>::new());
    assert_eq!(place.ok(&["doctor", "--broker", "b"]), "nothing wrong was found\n");
    // A controller alone needs neither login nor names.
    let controller: String = text
        .replace("process.roles=broker,controller", "process.roles=controller")
        .replace(
            "listeners=INTERNAL://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093,CLIENT://:9098",
            "listeners=CONTROLLER://127.0.0.1:9093",
        )
        .lines()
        .filter(|l| !l.starts_with("listener.name.") && !l.starts_with("standin.hosts") && !l.starts_with("advertised"))
        .map(|l| format!("{l}\n"))
        .collect();
    std::fs::write(place.path("c"), controller).unwrap();
    assert_eq!(examine(&place, &["c"], &[]), Vec::<Value>::new());
}

#[test]
fn every_broken_file_is_told_with_the_line_to_change() {
    let place = Place::new();
    prepare(&place);
    let healthy = healthy(&place);
    for (rule, from, to, line) in BROKEN {
        let text = broken(&healthy, from, to, place.dir.path());
        std::fs::write(place.path("b"), &text).unwrap();
        let found = examine(&place, &["b"], &[]);
        let about = format!("{rule}: {from:?} -> {to:?}: {found:#?}");
        let of_rule: Vec<&Value> = found.iter().filter(|f| f["rule"] == *rule).collect();
        assert_eq!(of_rule.len(), 1, "{about}");
        let change: Vec<&str> = of_rule[0]["change"].as_array().unwrap().iter().map(|c| c.as_str().unwrap()).collect();
        assert!(line.is_empty() && change.is_empty() || change.iter().any(|c| c.contains(line)), "{about}");
        // Where it stands: what was put in is in that line.
        if let Some(at) = of_rule[0]["line"].as_u64() {
            let shown = text.lines().nth(usize::try_from(at).unwrap() - 1).unwrap();
            assert!(!shown.is_empty() && !shown.starts_with('#'), "{about}: {shown}");
        }
    }
}

/// What is told to change is enough: with it nothing, or nothing new, is wrong.
#[test]
fn the_line_that_is_told_cures() {
    let place = Place::new();
    prepare(&place);
    let healthy = healthy(&place);
    let mut cured = 0;
    for (rule, from, to, _) in BROKEN {
        let text = broken(&healthy, from, to, place.dir.path());
        std::fs::write(place.path("b"), &text).unwrap();
        let found = examine(&place, &["b"], &[]);
        let one = found.iter().find(|f| f["rule"] == *rule).unwrap();
        let change: Vec<&str> = one["change"].as_array().unwrap().iter().map(|c| c.as_str().unwrap()).collect();
        // A value only the operator knows, and commands.
        let told =
            |c: &&str| c.contains('=') && !c.contains("REGION") && !c.contains("/path/") && !c.contains("/var/lib");
        if change.is_empty() || !change.iter().all(told) {
            continue;
        }
        let line = one["line"].as_u64().map(|n| usize::try_from(n).unwrap());
        let keys: Vec<&str> = change.iter().filter_map(|c| c.split('=').next()).collect();
        let kept = text.lines().enumerate().filter(|(n, l)| {
            let same = keys.iter().any(|key| l.split('=').next() == Some(key));
            // A line whose place the new one takes.
            !same && (line != Some(n + 1) || one["rule"] == "delegation-tokens")
        });
        let mended: String = kept.map(|(_, l)| l).chain(change.iter().copied()).map(|l| format!("{l}\n")).collect();
        std::fs::write(place.path("b"), mended).unwrap();
        let left = examine(&place, &["b"], &[]);
        assert!(!rules(&left).contains(rule), "{rule}: {from} -> {to}: {change:?} leaves {left:#?}");
        cured += 1;
    }
    assert!(cured > 25, "{cured}");
}

#[test]
fn files_of_the_store_that_others_may_read_are_told() {
    let place = Place::new();
    std::fs::write(place.path("b"), healthy(&place)).unwrap();
    let set =
        |name: &str, mode| std::fs::set_permissions(place.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
    for (name, right, wrong) in [("s/store.db", 0o600, 0o640), ("s/store.db.key", 0o600, 0o604), ("s", 0o700, 0o770)] {
        set(name, wrong);
        let found = examine(&place, &["b"], &[]);
        assert_eq!(rules(&found), ["store-mode"], "{name}: {found:#?}");
        assert!(found[0]["change"][0].as_str().unwrap().starts_with("chmod "), "{found:#?}");
        set(name, right);
    }
    assert_eq!(examine(&place, &["b"], &[]), Vec::<Value>::new());
    place.ok(&["init", "--dir", "t"]);
    std::fs::copy(place.path("t/store.db.key"), place.path("s/store.db.key")).unwrap();
    let found = examine(&place, &["b"], &[]);
    assert_eq!(rules(&found), ["store"]);
    assert!(found[0]["text"].as_str().unwrap().contains("does not belong"), "{found:#?}");
}

/// The doctor does not bring a store up to date: an older broker may run.
#[test]
fn a_store_of_an_older_format_is_told_and_left_as_it_is() {
    let place = Place::new();
    std::fs::write(place.path("b"), healthy(&place)).unwrap();
    let path = place.path("s/store.db");
    let mut bytes = std::fs::read(&path).unwrap();
    // The user version in the header of a SQLite file.
    bytes[60..64].copy_from_slice(&0u32.to_be_bytes());
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(rules(&examine(&place, &["b"], &[])), ["store-format"]);
    assert!(std::fs::read(&path).unwrap() == bytes, "it was changed");
}

#[test]
fn an_agent_of_its_own_is_looked_for_at_its_socket() {
    let place = Place::new();
    let dir = place.path("run");
    std::fs::create_dir(&dir).unwrap();
    let set = |mode| std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(mode)).unwrap();
    set(0o750);
    let own = rustix::process::getuid().as_raw();
    let file = |user: u32| {
        let text = healthy(&place);
        let kept: String =
            text.lines().filter(|l| !l.starts_with("standin.store=")).map(|l| format!("{l}\n")).collect();
        let dir = place.dir.path().display();
        std::fs::write(
            place.path("b"),
            format!(
                "{kept}standin.agent.placement=process\nstandin.agent.socket={dir}/run/agent.sock\n\
                 standin.agent.user={user}\nstandin.audit.dir={dir}/s/audit\n"
            ),
        )
        .unwrap();
        examine(&place, &["b"], &[])
    };
    let found = file(own);
    assert_eq!(rules(&found), ["agent"], "{found:#?}");
    assert!(found[0]["text"].as_str().unwrap().contains("standin agent"), "{found:#?}");
    let _listener = std::os::unix::net::UnixListener::bind(dir.join("agent.sock")).unwrap();
    assert_eq!(file(own), Vec::<Value>::new());
    assert!(file(own + 1)[0]["text"].as_str().unwrap().contains("belongs to the user"));
    set(0o755);
    assert!(file(own)[0]["change"][0].as_str().unwrap().starts_with("chmod 750 "));
}

#[test]
fn a_service_on_another_machine_needs_its_files() {
    let place = Place::new();
    let text = healthy(&place);
    let kept: String = text.lines().filter(|l| !l.starts_with("standin.store=")).map(|l| format!("{l}\n")).collect();
    let dir = place.dir.path().display();
    let service = format!(
        "{kept}standin.service.url=https://localhost:1\nstandin.service.ca={dir}/s/ca.pem\n\
         standin.host.credential={dir}/host.credential\nstandin.audit.dir={dir}/s/audit\n"
    );
    std::fs::write(place.path("b"), service).unwrap();
    let found = examine(&place, &["b"], &[]);
    assert_eq!(rules(&found), ["service"], "{found:#?}");
    assert!(found[0]["text"].as_str().unwrap().contains("host.credential"), "{found:#?}");
    std::fs::write(place.path("host.credential"), "").unwrap();
    let set = |mode| {
        std::fs::set_permissions(place.path("host.credential"), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    set(0o640);
    assert!(examine(&place, &["b"], &[])[0]["change"][0].as_str().unwrap().starts_with("chmod 600 "));
    set(0o600);
    assert_eq!(examine(&place, &["b"], &[]), Vec::<Value>::new());
}

/// Records as a broker writes them, of logins refused for their time.
fn logins(place: &Place, at: i64, status: Status, reason: &str) {
    let files = Files::new(place.path("s/audit"), format!("{}-b00t", at / 1000), 1 << 20).unwrap();
    let recorder = Recorder::new("b00t".into(), "host/demo/1".into(), files);
    for _ in 0..3 {
        recorder.record(Record {
            time: UnixMillis(at),
            who: Who::default().into(),
            channel: None,
            request_id: "b00t-1".into(),
            event: Event::Login {
                outcome: "refused",
                reason: reason.into(),
                status: status.number(),
                seen: 1,
                sources: 1,
            },
        });
    }
    recorder.flush(UnixMillis(1)).unwrap();
}

#[test]
fn a_clock_that_is_off_shows_in_what_was_written() {
    let place = Place::new();
    std::fs::write(place.path("b"), healthy(&place)).unwrap();
    let now = SystemClock::new().wall().0;
    logins(&place, now - 1000, Status::ClockSkew, "the request is dated 400 s in the future; set the clock");
    logins(&place, now - 7_200_000, Status::Expired, "the request is 900 s old; at most 360 s are accepted");
    let found = examine(&place, &["b"], &[]);
    assert_eq!(rules(&found), ["clock"], "{found:#?}");
    let text = found[0]["text"].as_str().unwrap();
    assert!(text.contains("3 logins") && text.contains("400 s ahead"), "{text}");

    let place = Place::new();
    std::fs::write(place.path("b"), healthy(&place)).unwrap();
    logins(&place, now + 3_600_000, Status::Malformed, "x");
    let found = examine(&place, &["b"], &[]);
    assert_eq!(rules(&found), ["clock"], "{found:#?}");
    assert!(found[0]["text"].as_str().unwrap().contains("went back"), "{found:#?}");
}

#[test]
fn several_files_are_compared() {
    let place = Place::new();
    let one = healthy(&place);
    std::fs::write(place.path("a"), format!("{one}standin.host=host/demo/1\n")).unwrap();
    std::fs::write(place.path("b"), format!("{one}standin.host=host/demo/2\n")).unwrap();
    assert_eq!(examine(&place, &["a", "b"], &[]), Vec::<Value>::new());
    std::fs::write(place.path("b"), format!("{one}standin.host=host/demo/1\nstandin.arn.match=aws\n")).unwrap();
    let found = examine(&place, &["a", "b"], &[]);
    assert_eq!(rules(&found), ["host-name", "differs"], "{found:#?}");
    assert!(found[1]["text"].as_str().unwrap().contains("standin.arn.match"), "{found:#?}");
    // Another cluster that accepts the same region.
    std::fs::write(place.path("b"), one.replace("cluster/demo/", "cluster/other/")).unwrap();
    let found = examine(&place, &["a", "b"], &[]);
    assert_eq!(rules(&found), ["region"], "{found:#?}");
    std::fs::write(place.path("b"), one.replace("cluster/demo/", "cluster/other/") + "standin.regions=us-east-1-b\n")
        .unwrap();
    assert_eq!(examine(&place, &["a", "b"], &[]), Vec::<Value>::new());
}

#[test]
fn jars_are_of_the_version_of_the_program() {
    let place = Place::new();
    std::fs::write(place.path("b"), healthy(&place)).unwrap();
    std::fs::create_dir(place.path("libs")).unwrap();
    let jar = |name: &str| std::fs::write(place.path("libs").join(name), "").unwrap();
    let version = env!("CARGO_PKG_VERSION");
    jar(&format!("standin-core-{version}.jar"));
    let found = examine(&place, &["b"], &["--libs", "libs"]);
    assert_eq!(rules(&found), ["jars"]);
    assert!(found[0]["text"].as_str().unwrap().contains("has no standin-kafka"), "{found:#?}");
    jar(&format!("standin-kafka-{version}.jar"));
    assert_eq!(examine(&place, &["b"], &["--libs", "libs"]), Vec::<Value>::new());
    jar("standin-core-0.0.9.jar");
    assert_eq!(rules(&examine(&place, &["b"], &["--libs", "libs"])), ["jars"]);
}

/// No rule is without a test: those of the table above, and those of the other
/// tests here.
#[test]
fn every_rule_has_a_broken_file_and_is_listed() {
    let place = Place::new();
    let listed = place.json(&["doctor", "--rules"]);
    let listed: BTreeSet<String> =
        listed.as_array().unwrap().iter().map(|r| r["rule"].as_str().unwrap().to_owned()).collect();
    let elsewhere = [
        "agent",
        "service",
        "store-format",
        "store-mode",
        "clock",
        "host-name",
        "differs",
        "region",
        "jars",
        "no-login",
    ];
    let tested: BTreeSet<String> = BROKEN.iter().map(|(rule, ..)| *rule).chain(elsewhere).map(str::to_owned).collect();
    assert_eq!(listed, tested);
}

#[test]
fn a_broker_without_any_of_it_is_told_every_line() {
    let place = Place::new();
    let bare = "process.roles=broker,controller\nlisteners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093\n\
        controller.listener.names=CONTROLLER\nlistener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\n";
    std::fs::write(place.path("b"), bare).unwrap();
    let found = examine(&place, &["b"], &[]);
    let mut told = rules(&found);
    told.sort_unstable();
    assert_eq!(told, ["authorizer", "broker-principal", "no-login", "principal-builder", "setting-value"]);
    let login = found.iter().find(|f| f["rule"] == "no-login").unwrap();
    assert_eq!(login["change"].as_array().unwrap().len(), 5, "{login:#?}");
    let text = place.fails(2, &["doctor", "--broker", "missing"]);
    assert!(text.contains("missing"), "{text}");
    std::fs::write(place.path("b"), "a=\\u12\n").unwrap();
    assert!(place.fails(2, &["doctor", "--broker", "b"]).contains("b, line 1"));
}
