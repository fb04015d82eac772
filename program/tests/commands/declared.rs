// SPDX-License-Identifier: Apache-2.0
//! `standin apply` and `standin export`, through the program itself.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use standin::access_control::{Owner, Store, StoreFiles};
use standin::revision::Revision;
use standin::time::{SystemClock, SystemRandom};

use crate::place::{ALLOW, Place, TRUST};

fn store(place: &Place, dir: &str) -> Store {
    let files = StoreFiles { store: place.path(dir).join("store.db"), key_file: place.path(dir).join("store.db.key") };
    Store::open(&files, Arc::new(SystemClock::new()), Arc::new(SystemRandom)).unwrap()
}

/// Every file below a folder with its text.
fn tree(dir: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(dir).unwrap().display().to_string();
                found.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

/// Small numbers that look random, the same for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

const NAMES: [&str; 6] = ["ann", "b.o+b", "=x@y", "..", "trust", "a-b_c,d"];

/// Fills a store with things that are hard to write down.
fn fill(store: &Store, dice: &mut Dice) {
    let tags = |dice: &mut Dice| -> Vec<(String, String)> {
        let all = [("team", "re\"d\\"), ("a b", ""), ("ümlaut", "line\nbreak\u{7f}"), ("x.y", "[z]")];
        all.iter().filter(|_| dice.roll(2) == 0).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    };
    let path = |dice: &mut Dice| ["/", "/teams/a/", "/x=\"y\"/"][dice.roll(3)].to_owned();
    let documents = [ALLOW.to_owned(), format!("{}\n", ALLOW.replace(',', ",\n  ")), ALLOW.replace('*', "\u{e9}*")];
    let document = |dice: &mut Dice| documents[dice.roll(2)].clone();
    let maybe = |dice: &mut Dice| dice.roll(3) > 0;
    let policies: Vec<&str> = NAMES.into_iter().filter(|_| maybe(dice)).collect();
    for name in &policies {
        store.put_policy("t", &path(dice), name, &document(dice)).unwrap();
    }
    let groups: Vec<&str> = NAMES.into_iter().filter(|_| maybe(dice)).collect();
    for name in &groups {
        store.create_group("t", &path(dice), name).unwrap();
    }
    let users: Vec<&str> = NAMES.into_iter().filter(|_| maybe(dice)).collect();
    for name in &users {
        store.create_user("t", &path(dice), name, &tags(dice)).unwrap();
        for group in &groups {
            if dice.roll(2) == 0 {
                store.add_to_group("t", group, name).unwrap();
            }
        }
        store.set_user_disabled("t", name, dice.roll(3) == 0).unwrap();
    }
    let roles: Vec<&str> = NAMES.into_iter().filter(|_| maybe(dice)).collect();
    for name in &roles {
        let longest = 900 + i64::try_from(dice.roll(3000)).unwrap();
        store.create_role("t", &path(dice), name, TRUST, longest, &tags(dice)).unwrap();
        store.set_role_disabled("t", name, dice.roll(3) == 0).unwrap();
    }
    let owners = users.iter().map(|n| Owner::User(n)).chain(roles.iter().map(|n| Owner::Role(n)));
    for owner in owners.chain(groups.iter().map(|n| Owner::Group(n))) {
        for policy in &policies {
            if dice.roll(3) == 0 {
                store.attach("t", owner, policy).unwrap();
            }
            if dice.roll(4) == 0 && !matches!(owner, Owner::Group(_)) {
                store.set_boundary("t", owner, Some(policy)).unwrap();
            }
        }
        for name in NAMES {
            if dice.roll(4) == 0 {
                store.put_inline("t", owner, name, &document(dice)).unwrap();
            }
        }
    }
}

/// What is exported is what there is: applied to the same store it changes
/// nothing, applied to an empty one it makes the same, and pruning takes away
/// what was not there.
#[test]
fn what_is_exported_applies_to_nothing_and_makes_the_same_elsewhere() {
    for seed in 0..6 {
        let place = Place::bare();
        place.store("t");
        let other = place.path("t/store.db");
        let other = other.to_str().unwrap();
        let mut dice = Dice(seed);
        fill(&store(&place, "s"), &mut dice);
        place.ok(&["export", "out"]);
        let before = store(&place, "s").revision().unwrap();
        assert_eq!(place.ok(&["apply", "out"]), "nothing to change\n", "seed {seed}");
        assert_eq!(place.ok(&["apply", "out", "--prune"]), "nothing to change\n", "seed {seed}");
        assert_eq!(store(&place, "s").revision().unwrap(), before, "seed {seed}");
        // Elsewhere, where there is something else.
        fill(&store(&place, "t"), &mut Dice(seed + 1000));
        // A path that differs cannot be changed; what has one is deleted before.
        std::fs::create_dir_all(place.path("empty/users")).unwrap();
        for kind in ["groups", "roles", "policies"] {
            std::fs::create_dir_all(place.path("empty").join(kind)).unwrap();
        }
        place.ok(&["--store", other, "apply", "empty", "--prune"]);
        let planned = place.ok(&["--store", other, "apply", "out", "--prune", "--dry-run"]);
        let done = place.ok(&["--store", other, "apply", "out", "--prune"]);
        assert_eq!(planned.replace("would change", "changed"), done, "seed {seed}");
        place.ok(&["--store", other, "export", "again"]);
        assert_eq!(tree(&place.path("again")), tree(&place.path("out")), "seed {seed}");
    }
}

fn write(place: &Place, path: &str, text: &str) {
    let path = place.path(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[test]
fn files_are_made_so_step_by_step_and_keys_stay() {
    let place = Place::bare();
    write(&place, "d/policies/read.json", ALLOW);
    write(&place, "d/groups/readers.toml", "policies = [\"read\"]\n");
    write(&place, "d/users/ann.toml", "groups = [\"readers\"]\n[tags]\nteam = \"red\"\n");
    write(&place, "d/users/ann/own.json", ALLOW);
    write(&place, "d/roles/app.toml", "max_session = 7200\npolicies = [\"read\"]\nboundary = \"read\"\n");
    write(&place, "d/roles/app.trust.json", TRUST);
    write(&place, "d/README.md", "about");
    let plan = place.ok(&["apply", "d", "--dry-run"]);
    assert!(plan.contains("+ user ann\n") && plan.ends_with("9 would change\n"), "{plan}");
    assert_eq!(place.json(&["user", "list"]), json!([]), "a dry run does nothing");
    assert_eq!(place.ok(&["apply", "d"]), plan.replace("would change", "changed"));
    let key = place.json(&["key", "create", "ann"]);
    let ann = place.json(&["user", "show", "ann"]);
    assert_eq!((&ann["tags"]["team"], &ann["inline_policies"]), (&json!("red"), &json!(["own"])));

    write(&place, "d/users/ann.toml", "disabled = true\n");
    std::fs::remove_file(place.path("d/users/ann/own.json")).unwrap();
    write(&place, "d/policies/read.json", &ALLOW.replace("kafka-cluster:*", "kafka-cluster:ReadData"));
    let done = place.json(&["apply", "d"]);
    assert_eq!(
        done["steps"],
        json!([
            "~ policy read: a new version",
            "~ user ann: tags",
            "~ user ann: without inline policy own",
            "~ user ann: not in group readers",
            "~ user ann: disabled"
        ])
    );
    assert_eq!(place.json(&["key", "list"])[0]["id"], key["id"]);
    // Things without a file stay, unless they are pruned.
    place.ok(&["user", "create", "bob"]);
    assert_eq!(place.ok(&["apply", "d"]), "nothing to change\n");
    assert!(place.ok(&["apply", "d", "--prune"]).contains("- user bob"));
    std::fs::remove_dir_all(place.path("d/users")).unwrap();
    assert_eq!(place.ok(&["apply", "d", "--prune"]), "nothing to change\n", "a kind without a folder is left alone");
    assert!(place.fails(4, &["export", "d"]).contains("--replace"));
    place.ok(&["export", "d", "--replace"]);
    assert!(tree(&place.path("d")).contains_key("users/ann.toml"));
    // Each change is in the audit.
    let audit = place.ok(&["audit", "--action", "DisableUser", "--output", "json"]);
    assert_eq!(audit.lines().count(), 1, "{audit}");
}

#[test]
fn a_step_that_fails_leaves_nothing_of_the_others() {
    let place = Place::bare();
    write(&place, "d/policies/read.json", ALLOW);
    write(&place, "d/users/ann.toml", "");
    // Groups are not among the files, so the store is asked; it has none.
    write(&place, "d/users/bob.toml", "groups = [\"nobody\"]\n");
    let before = store(&place, "s").revision().unwrap();
    let text = place.fails(3, &["apply", "d"]);
    assert!(text.contains("in group nobody") && text.contains("nothing was changed"), "{text}");
    assert_eq!(place.json(&["user", "list"]), json!([]));
    assert_eq!(place.json(&["policy", "list"]), json!([]));
    let store = store(&place, "s");
    assert_eq!(store.revision().unwrap(), before);
    assert!(store.administration(Revision(0), 10).unwrap().is_empty());
    place.ok(&["user", "create", "ann", "--path", "/x/"]);
    assert!(place.fails(4, &["apply", "d"]).contains("a path cannot be changed"));
}

/// Every problem of all files, with file, line and column; nothing is done.
#[test]
fn problems_are_all_told_with_their_place() {
    let place = Place::bare();
    for kind in ["policies", "groups", "users", "roles"] {
        std::fs::create_dir_all(place.path("d").join(kind)).unwrap();
    }
    for (path, text, part) in [
        ("d/users/a.toml", "\ndisabeld = true\n", "d/users/a.toml:2:1: unknown field `disabeld`"),
        ("d/users/b.toml", "groups = [\"g\",\n  \"h\"]\n", "d/users/b.toml:2:3: \"h\" is not in groups"),
        ("d/users/c.toml", "tags = 1\n", "d/users/c.toml:1:8: "),
        ("d/users/d.tml", "", "d/users/d.tml: NAME.toml and NAME/POLICY.json are accepted"),
        ("d/users/e/p.json", ALLOW, "there is no e.toml"),
        ("d/groups/g.toml", "policies = [\"p\"]", "d/groups/g.toml:1:13: \"p\" is not in policies"),
        ("d/policies/q.json", "{\n \"Statement\": {}}", "d/policies/q.json:2:"),
        ("d/policies/r.toml", "", "there is no r.json"),
        ("d/roles/x.toml", "", "x.trust.json is missing"),
        ("d/roles/y.trust.json", TRUST, "there is no y.toml"),
        ("d/polices/p.json", ALLOW, "d/polices: the folders policies, groups, users, roles"),
    ] {
        write(&place, path, text);
        let told = place.fails(1, &["apply", "d"]);
        assert!(told.contains(part), "{path}: {told}");
    }
    let told = place.fails(1, &["apply", "d"]);
    assert!(told.lines().count() > 11, "{told}");
    assert!(place.fails(2, &["apply", "missing"]).contains("missing"));
    assert_eq!(store(&place, "s").revision().unwrap(), Revision(0));
}
