// SPDX-License-Identifier: Apache-2.0
//! Users, groups, roles, keys and policies: what is accepted, what is refused
//! and with which words.

use std::sync::Arc;

use standin::access_control::{AssumeRole, Owner, Store, TemporaryCredentials};
use standin::credential::Evidence;
use standin::credential::sigv4::{Signing, read_msk_iam, sign_msk_iam};
use standin::fault::Status;
use standin::identity::{Attributes, Identity, IdentityKind, Principal};
use standin::service::{Embedded, Issued, Proof, RENEW, SecurityService};
use standin::time::{Clock, Steady, SystemRandom, UnixMillis};

use crate::support::{ALLOW, DENY, Home, home};

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/ann"},"Action":"sts:AssumeRole"}}"#;

fn in_force(store: &Store, arn: &str) -> Option<Vec<String>> {
    let effective = store.entitlements(&Identity::parse(arn).unwrap()).unwrap().value?;
    let mut names: Vec<_> = effective.policies.into_iter().map(|p| p.name).collect();
    names.extend(effective.boundary.map(|b| format!("boundary {}", b.name)));
    Some(names)
}

/// P1-35: what is in force for a user: its own policies and its groups'.
#[test]
fn p1_35_policies_come_from_the_user_its_groups_and_its_boundary() {
    let home = home();
    let store = &home.store;
    let arn = "arn:aws:iam::123456789012:user/teams/ann";
    store.create_user("test", "/teams/", "ann", &[("team".into(), "red".into())]).unwrap();
    assert_eq!(in_force(store, arn), Some(vec![]));
    store.create_group("test", "/", "g").unwrap();
    store.add_to_group("test", "g", "ann").unwrap();
    let managed = store.put_policy("test", "/", "m", ALLOW).unwrap();
    store.put_inline("test", Owner::Group("g"), "gi", ALLOW).unwrap();
    store.put_inline("test", Owner::User("ann"), "own", DENY).unwrap();
    store.attach("test", Owner::Group("g"), "m").unwrap();
    store.attach("test", Owner::User("ann"), &managed).unwrap();
    store.set_boundary("test", Owner::User("ann"), Some("m")).unwrap();
    let expected = [
        managed.clone(),
        "inline/arn:aws:iam::123456789012:group/g/gi".into(),
        format!("inline/{arn}/own"),
        format!("boundary {managed}"),
    ];
    assert_eq!(in_force(store, arn).unwrap(), expected, "a policy attached twice is in force once");
    store.set_user_disabled("test", "ann", true).unwrap();
    assert_eq!(in_force(store, arn), None);
}

#[test]
fn versions_of_a_policy_are_kept_and_the_newest_is_in_force() {
    let home = home();
    let store = &home.store;
    store.create_user("test", "/", "ann", &[]).unwrap();
    let arn = store.put_policy("test", "/", "p", ALLOW).unwrap();
    store.attach("test", Owner::User("ann"), "p").unwrap();
    for n in 2..=8 {
        assert_eq!(store.put_policy("test", "/", "p", if n % 2 == 0 { DENY } else { ALLOW }).unwrap(), arn);
    }
    let policies = store.policies().unwrap();
    assert_eq!((policies[0].default_version, policies[0].attached, policies[0].document.as_str()), (8, 1, DENY));
}

#[test]
fn what_is_in_use_is_deleted_only_by_force_and_a_boundary_never() {
    let home = home();
    let store = &home.store;
    store.create_user("test", "/", "ann", &[]).unwrap();
    store.create_key("test", "ann").unwrap();
    store.put_policy("test", "/", "p", ALLOW).unwrap();
    store.attach("test", Owner::User("ann"), "p").unwrap();
    let fault = store.delete_user("test", "ann", false).unwrap_err();
    assert_eq!(fault.status, Status::Conflict);
    assert!(fault.text.contains("1 access keys, 1 attached policies") && fault.text.contains("--force"), "{fault}");
    assert_eq!(store.keys(Some("ann")).unwrap().len(), 1, "nothing was half deleted");
    let fault = store.delete_policy("test", "p", false).unwrap_err();
    assert!(fault.text.contains("attached 1 times"), "{fault}");
    store.set_boundary("test", Owner::User("ann"), Some("p")).unwrap();
    let fault = store.delete_policy("test", "p", true).unwrap_err();
    assert!(fault.text.contains("permissions boundary of 1"), "{fault}");
    store.delete_user("test", "ann", true).unwrap();
    store.delete_policy("test", "p", false).unwrap();
    assert!(store.users().unwrap().is_empty() && store.keys(None).unwrap().is_empty());
}

#[test]
fn names_paths_and_tags_are_checked_with_words() {
    let home = home();
    let store = &home.store;
    for (path, name, part) in [
        ("/", "", "1 to 128"),
        ("/", "with space", "1 to 128"),
        ("/", "a/b", "1 to 128"),
        ("/", "n\u{e9}e", "1 to 128"),
        ("teams", "ann", "begin and end with '/'"),
        ("/te ams/", "ann", "printable"),
    ] {
        let fault = store.create_user("test", path, name, &[]).unwrap_err();
        assert_eq!(fault.status, Status::InvalidArgument);
        assert!(fault.text.contains(part), "{path} {name}: {fault}");
    }
    let twice = [("Team".to_owned(), "a".to_owned()), ("team".to_owned(), "b".to_owned())];
    assert!(store.create_user("test", "/", "ann", &twice).unwrap_err().text.contains("twice"));
    let many: Vec<_> = (0..51).map(|n| (format!("k{n}"), String::new())).collect();
    assert!(store.create_user("test", "/", "ann", &many).unwrap_err().text.contains("at most 50"));
    store.create_user("test", "/", "ann", &[]).unwrap();
    let fault = store.create_user("test", "/other/", "ann", &[]).unwrap_err();
    assert!(fault.text.contains("exists already"), "{fault}");
    assert_eq!(store.set_user_disabled("test", "bob", true).unwrap_err().text, "there is no user \"bob\"");
    for _ in 0..10 {
        store.create_key("test", "ann").unwrap();
    }
    assert!(store.create_key("test", "ann").err().unwrap().text.contains("AccessKeysPerUser: 10"));
}

/// Keys and secrets look as clients expect them, and no two are alike.
#[test]
fn keys_have_the_shape_clients_expect() {
    let home = home();
    home.store.create_user("test", "/", "ann", &[]).unwrap();
    let mut seen = std::collections::HashSet::new();
    for _ in 0..10 {
        let (row, secret) = home.store.create_key("test", "ann").unwrap();
        assert!(row.id.len() == 20 && row.id.starts_with("AKIA"), "{}", row.id);
        assert!(row.id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()));
        assert_eq!(secret.expose().len(), 40);
        assert!(seen.insert(row.id.clone()) && seen.insert(String::from_utf8(secret.expose().to_vec()).unwrap()));
        let known = home.store.login_key(&row.id).unwrap().value.unwrap();
        assert_eq!(known.secret.expose(), secret.expose());
    }
}

fn principal(name: &str) -> Principal {
    let subject = Identity::new("aws", "123456789012", IdentityKind::User, "/", name).unwrap();
    Principal { subject, attributes: Attributes::default(), actors: Vec::new(), grant: None }
}

/// Assuming a role: who may, for how long, under which name.
#[test]
fn p1_35_assuming_a_role_is_decided_by_trust_and_policies() {
    let home = home();
    let store = &home.store;
    for name in ["ann", "bob"] {
        store.create_user("test", "/", name, &[]).unwrap();
    }
    store.create_role("test", "/", "app", TRUST, 3600, &[]).unwrap();
    let ask = |name: &str, seconds| AssumeRole {
        role: "app".into(),
        session_name: name.into(),
        duration: Some(seconds),
        ..AssumeRole::default()
    };
    let issued = store.assume_role(&principal("ann"), &ask("pod-1", 900)).unwrap();
    assert!(issued.access_key_id.starts_with("ASIA"));
    assert_eq!(issued.expires.0, 1_767_323_045_000 + 900_000);
    let refused = |who: &str, ask: &AssumeRole| store.assume_role(&principal(who), ask).err().unwrap();
    assert_eq!(refused("bob", &ask("pod-1", 900)).status, Status::NotAllowed);
    assert!(refused("ann", &ask("p", 900)).text.contains("2 to 64"));
    assert!(refused("ann", &ask("with space", 900)).text.contains("2 to 64"));
    assert!(refused("ann", &ask("pod-1", 3601)).text.contains("15 to 3600"));
    assert!(refused("ann", &ask("pod-1", 5)).text.contains("15 to 3600"));
    // The trust names the account: then the caller's own policies must allow it.
    let account = TRUST.replace("arn:aws:iam::123456789012:user/ann", "123456789012");
    store.create_role("test", "/", "open", &account, 3600, &[]).unwrap();
    let open = AssumeRole { role: "open".into(), ..ask("pod-1", 900) };
    assert!(refused("bob", &open).text.contains("no policy of"));
    let may = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"arn:aws:iam::123456789012:role/open"}}"#;
    store.put_inline("test", Owner::User("bob"), "may", may).unwrap();
    store.assume_role(&principal("bob"), &open).map(drop).unwrap();
    // A deny of the caller wins over a trust that names it.
    let deny = may.replace("Allow", "Deny").replace("role/open", "role/app");
    store.put_inline("test", Owner::User("ann"), "no", &deny).unwrap();
    assert!(refused("ann", &ask("pod-1", 900)).text.contains("denies"));
    store.set_user_disabled("test", "bob", true).unwrap();
    assert_eq!(refused("bob", &open).status, Status::IdentityDisabled);
}

/// What a host sends when a client logs in with temporary credentials.
fn evidence(made: &TemporaryCredentials, date: UnixMillis) -> Evidence {
    let message = sign_msk_iam(&Signing {
        access_key_id: &made.access_key_id,
        secret: &made.secret,
        session_token: Some(&made.session_token),
        host: "broker",
        region: "us-east-1",
        date,
        expires: 900,
    });
    Evidence::Signature(Box::new(read_msk_iam(message.unwrap().as_bytes()).unwrap()))
}

/// The store of a home as the service behind hosts.
fn service(home: &Home) -> (Arc<Store>, Embedded) {
    let (store, clock) = (Arc::new(home.again().unwrap()), Arc::clone(&home.clock));
    (Arc::clone(&store), Embedded::over(store, clock, Arc::new(SystemRandom)))
}

const LIFETIME: i64 = 3_600_000;

/// A proof for a renewal.
fn renewal(issued: &Issued, at: UnixMillis) -> Proof {
    issued.impersonation.prove("host/c/1", at, RENEW, LIFETIME.to_string().as_bytes())
}

fn assumed(store: &Store, seconds: i64) -> TemporaryCredentials {
    let (role, session_name, duration) = ("app".into(), "s1".into(), Some(seconds));
    let ask = AssumeRole { role, session_name, duration, ..AssumeRole::default() };
    store.assume_role(&store.principal_of_user("ann").unwrap(), &ask).unwrap()
}

/// Regression: what was issued to a role or user that was deleted was good again
/// for another one of its name.
#[test]
fn a_name_that_is_given_again_brings_no_credential_back() {
    let home = home();
    let (store, service) = service(&home);
    let make = || {
        store.create_user("test", "/", "ann", &[]).unwrap();
        store.create_role("test", "/", "app", TRUST, 3600, &[]).unwrap();
    };
    make();
    let of_role = assumed(&store, 3600);
    let of_user = store.session_token(&store.principal_of_user("ann").unwrap(), None).unwrap();
    let now = home.clock.wall();
    let log_in = |made: &TemporaryCredentials| {
        service.log_in(&evidence(made, now), "host/c/1", LIFETIME, Steady(i64::MAX)).map(|at| at.value)
    };
    let held = [log_in(&of_role).unwrap(), log_in(&of_user).unwrap()];
    for issued in &held {
        service.renew(&renewal(issued, now), LIFETIME, Steady(i64::MAX)).map(drop).unwrap();
    }
    store.delete_user("test", "ann", false).unwrap();
    store.delete_role("test", "app", false).unwrap();
    make();
    for made in [&of_role, &of_user] {
        let shown = store.shown_credential(&made.access_key_id, Some(&made.session_token));
        assert_eq!(shown.err().unwrap().status, Status::IdentityDisabled, "{}", made.subject);
        assert_eq!(log_in(made).err().unwrap().status, Status::IdentityDisabled, "{}", made.subject);
    }
    for issued in &held {
        let renewed = service.renew(&renewal(issued, now), LIFETIME, Steady(i64::MAX));
        assert_eq!(renewed.err().unwrap().status, Status::IdentityDisabled);
    }
    log_in(&assumed(&store, 3600)).map(drop).unwrap();
}

/// Regression: a host could go on for a client whose temporary credentials had
/// expired, by having replaced what stands in for it again and again.
#[test]
fn what_stands_in_for_a_client_ends_with_what_the_client_showed() {
    let home = home();
    let (store, service) = service(&home);
    store.create_user("test", "/", "ann", &[]).unwrap();
    store.create_role("test", "/", "app", TRUST, 3600, &[]).unwrap();
    let made = assumed(&store, 900);
    // The store of a home that is opened again may have a clock of its own.
    home.clock.pass(made.expires.0 - 900_000 - home.clock.wall().0);
    let shown = evidence(&made, home.clock.wall());
    let mut issued = service.log_in(&shown, "host/c/1", LIFETIME, Steady(i64::MAX)).unwrap().value;
    home.clock.pass(899_000);
    issued.impersonation = service.renew(&renewal(&issued, home.clock.wall()), LIFETIME, Steady(i64::MAX)).unwrap();
    home.clock.pass(1000);
    let renewed = service.renew(&renewal(&issued, home.clock.wall()), LIFETIME, Steady(i64::MAX));
    assert_eq!(renewed.err().unwrap().status, Status::Expired);
}
