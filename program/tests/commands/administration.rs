// SPDX-License-Identifier: Apache-2.0
//! The program as an administrator uses it: what each command prints, with
//! which code it ends, and what it leaves behind.

use std::process::Command;

use serde_json::Value;

use crate::place::{ALLOW, Place, TRUST, mode};

#[test]
fn init_makes_everything_once_and_prints_the_settings() {
    let place = Place { dir: tempfile::tempdir().unwrap() };
    let made = place.json(&["init", "--dir", "x/y", "--host", "broker-1", "--host", "10.0.0.1", "--port", "1234"]);
    let dir = place.path("x/y");
    assert_eq!(mode(&dir), 0o700);
    for (name, expected) in [
        ("store.db", 0o600),
        ("store.db.key", 0o600),
        ("ca.pem", 0o644),
        ("ca.key.pem", 0o600),
        ("broker.pem", 0o600),
        ("admin.credentials", 0o600),
        ("standin.properties", 0o600),
    ] {
        assert_eq!(mode(&dir.join(name)), expected, "{name}");
    }
    let credentials = std::fs::read_to_string(dir.join("admin.credentials")).unwrap();
    assert!(credentials.starts_with("[default]\naws_access_key_id = AKIA"), "a credentials file");
    let lines = made["properties"].as_str().unwrap();
    assert_eq!(std::fs::read_to_string(dir.join("standin.properties")).unwrap(), lines);
    assert!(lines.contains("standin.hosts=broker-1,10.0.0.1\n"), "{lines}");
    assert!(lines.contains(&format!("standin.cluster.arn={}\n", made["cluster"].as_str().unwrap())), "{lines}");
    assert!(lines.contains("CLIENT://broker-1:1234"), "{lines}");
    let text = place.fails(4, &["init", "--dir", "x/y"]);
    assert!(text.contains("store.db") && text.contains("nothing was changed"), "{text}");
}

#[test]
fn init_with_something_wrong_makes_nothing() {
    let place = Place { dir: tempfile::tempdir().unwrap() };
    for (arguments, part) in [
        (["--account", "12"], "twelve digits"),
        (["--cluster-name", "a/b"], "cluster/NAME/UUID"),
        (["--region", ""], "kafka:REGION"),
        (["--host", "broker:9092"], "without scheme and port"),
        (["--listener", "a b"], "listener"),
        (["--admin", "a b"], "user name"),
    ] {
        let text = place.fails(2, &["init", "--dir", "z", arguments[0], arguments[1]]);
        assert!(text.contains(part), "{arguments:?}: {text}");
        assert_eq!(std::fs::read_dir(place.path("z")).unwrap().count(), 0, "{arguments:?}");
    }
}

#[test]
fn users_groups_and_policies_are_made_shown_and_removed() {
    let place = Place::new();
    let ann = place.json(&["user", "create", "ann", "--path", "/team/", "--tag", "team=red"]);
    assert_eq!(ann["arn"], "arn:aws:iam::123456789012:user/team/ann");
    assert_eq!((&ann["state"], &ann["tags"]["team"]), (&"enabled".into(), &"red".into()));
    let policy = place.json(&["policy", "put", "p", "allow.json"]);
    assert_eq!(policy["arn"], "arn:aws:iam::123456789012:policy/p");
    place.ok(&["policy", "attach", "p", "--user", "ann"]);
    place.ok(&["policy", "put", "own", "allow.json", "--user", "ann"]);
    place.ok(&["group", "create", "g"]);
    place.ok(&["group", "add", "g", "ann"]);
    let key = place.json(&["key", "create", "ann"]);
    place.ok(&["key", "disable", key["id"].as_str().unwrap()]);
    let shown = place.json(&["user", "show", "ann"]);
    assert_eq!(shown["groups"], serde_json::json!(["arn:aws:iam::123456789012:group/g"]));
    assert_eq!(shown["policies"], serde_json::json!([policy["arn"]]));
    assert_eq!(shown["inline_policies"], serde_json::json!(["own"]));
    assert_eq!(shown["keys"][key["id"].as_str().unwrap()], "disabled");
    let policies = place.json(&["policy", "list"]);
    assert_eq!(policies.as_array().unwrap().iter().find(|p| p["name"] == "p").unwrap()["attached"], 1);
    let of_ann = place.json(&["policy", "list", "--user", "ann"]);
    assert_eq!(of_ann.as_array().unwrap().len(), 2);
    assert_eq!(place.ok(&["policy", "get", "p"]), format!("{ALLOW}\n"));
    assert_eq!(place.ok(&["policy", "get", "own", "--user", "ann"]), format!("{ALLOW}\n"));
    let table = place.ok(&["user", "list"]);
    let lines: Vec<&str> = table.lines().collect();
    // Behind the administrator whom init made.
    assert!(lines[0].starts_with("NAME") && lines[2].starts_with("ann") && lines.len() == 3, "{table}");

    assert!(place.fails(4, &["user", "delete", "ann"]).contains("--force"));
    assert!(place.fails(4, &["policy", "delete", "p"]).contains("attached 1 times"));
    place.ok(&["user", "delete", "ann", "--force"]);
    place.ok(&["policy", "delete", "p"]);
    assert_eq!(place.json(&["group", "show", "g"])["members"], serde_json::json!([]));
    place.ok(&["group", "delete", "g"]);
    for (what, name) in [("user", "ann"), ("group", "g"), ("role", "r")] {
        let text = place.fails(3, &[what, "show", name]);
        assert!(text.contains(&format!("there is no {what}")), "{text}");
    }
}

#[test]
fn a_key_goes_into_a_profile_or_is_not_made() {
    let place = Place::new();
    place.ok(&["user", "create", "ann"]);
    let file = place.path("credentials");
    let made = place.json(&["key", "create", "ann", "--profile-file", "credentials"]);
    assert!(made.get("secret").is_none() && made["profile"] == "credentials");
    assert_eq!(mode(&file), 0o600);
    place.ok(&["key", "create", "ann", "--profile-file", "credentials", "--profile", "second"]);
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text.matches("aws_secret_access_key = ").count(), 2);
    assert!(text.starts_with("[default]\n") && text.contains("\n\n[second]\n"), "{text}");
    for (code, arguments, part) in [
        (4, &["--profile-file", "credentials"][..], "--profile"),
        (2, &["--profile-file", "no/such/dir"], "No such file"),
        (2, &["--profile-file", "credentials", "--profile", "a]b"], "letters"),
        (2, &["--profile", "third"], "--profile-file"),
    ] {
        let mut all = vec!["key", "create", "ann"];
        all.extend(arguments);
        assert!(place.fails(code, &all).contains(part), "{arguments:?}");
    }
    assert_eq!(place.json(&["key", "list", "ann"]).as_array().unwrap().len(), 2, "no key without its secret");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}

#[test]
fn roles_are_assumed_in_the_form_sdks_read() {
    let place = Place::new();
    place.ok(&["user", "create", "ann"]);
    place.ok(&["role", "create", "app", "--trust", "trust.json"]);
    let assume = ["role", "assume", "app", "--user", "ann", "--session-name", "pod-1"];
    let issued = place.json(&assume);
    assert_eq!(issued["Version"], 1);
    for field in ["AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"] {
        assert!(issued[field].as_str().is_some_and(|t| !t.is_empty()), "{field}");
    }
    place.ok(&["role", "update", "app", "--max-session", "100"]);
    let mut longer = assume.to_vec();
    longer.extend(["--duration", "101"]);
    assert!(place.fails(2, &longer).contains("15 to 100"));
    place.ok(&["role", "disable", "app"]);
    assert!(place.fails(1, &assume).contains("disabled"));
    place.ok(&["role", "enable", "app"]);
    std::fs::write(place.path("other.json"), TRUST.replace("user/ann", "user/bob")).unwrap();
    place.ok(&["role", "update", "app", "--trust", "other.json"]);
    assert!(place.fails(1, &assume).contains("trust policy"));
    std::fs::write(place.path("bad.json"), TRUST.replace("Principal", "Principle")).unwrap();
    let text = place.fails(1, &["role", "update", "app", "--trust", "bad.json"]);
    assert!(text.contains("$.Statement.Principle (line 1, column"), "{text}");
}

#[test]
fn usage_and_missing_stores_say_what_to_do() {
    let place = Place::new();
    assert!(place.fails(2, &["user", "creat", "ann"]).contains("create"));
    assert!(place.fails(2, &["user", "create"]).contains("<NAME>"));
    let nowhere = Command::new(env!("CARGO_BIN_EXE_standin"))
        .args(["user", "list"])
        .env_remove("STANDIN_STORE")
        .output()
        .unwrap();
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("--store PATH or set STANDIN_STORE"));
    let text = place.fails(2, &["user", "list", "--store", "missing.db"]);
    assert!(text.contains("standin init"), "{text}");
    assert!(place.fails(2, &["policy", "attach", "p"]).contains("--user, --group or --role"));
    assert!(place.fails(3, &["session", "end", "nobody/1"]).contains("standin session list"));
}

/// Every act is in the audit, with who and on what.
#[test]
fn the_audit_shows_who_did_what() {
    let place = Place::new();
    place.ok(&["user", "create", "ann"]);
    place.ok(&["key", "create", "ann"]);
    place.ok(&["user", "disable", "ann"]);
    let lines = place.ok(&["audit", "--output", "json", "--identity", "user/ann"]);
    let records: Vec<Value> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let acts: Vec<(&str, &str)> =
        records.iter().map(|r| (r["activity_name"].as_str().unwrap(), r["entity"]["uid"].as_str().unwrap())).collect();
    let ann = "arn:aws:iam::123456789012:user/ann";
    assert_eq!(acts, [("CreateUser", ann), ("CreateAccessKey", ann), ("DisableUser", ann)]);
    let actor = records[0]["actor"]["user"]["uid"].as_str().unwrap();
    assert!(actor.starts_with("local/") && actor.ends_with(')') && !actor.contains("unknown"), "{actor}");
    let only = place.ok(&["audit", "--action", "CreateAccessKey", "--identity", "user/ann"]);
    assert_eq!(only.lines().count(), 2, "a head and one line: {only}");
}
