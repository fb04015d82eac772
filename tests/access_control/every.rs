// SPDX-License-Identifier: Apache-2.0
//! Every operation of the store, once each with what it answers: what one
//! database understands otherwise than the other shows here.

use standin::access_control::{AssumeRole, Owner, SessionReport, SessionRow};
use standin::fault::Status;
use standin::identity::{Identity, IdentityKind};
use standin::revision::Revision;

use crate::support::{ALLOW, DENY, home};

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/ann"},"Action":"sts:AssumeRole"}}"#;

fn tags(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

#[test]
fn users_and_groups() {
    let home = home();
    let store = &home.store;
    // Names are ordered byte by byte, whatever the language of the database.
    for name in ["ann", "Zoe", "_x", "bob", "Änne"] {
        let made = store.create_user("t", "/team/", name, &tags(&[("a", "1")]));
        if name == "Änne" {
            assert_eq!(made.unwrap_err().status, Status::InvalidArgument);
        } else {
            assert_eq!(made.unwrap(), store.user(name).unwrap());
        }
    }
    let names: Vec<String> = store.users().unwrap().iter().map(|u| u.identity.name().to_owned()).collect();
    assert_eq!(names, ["Zoe", "_x", "ann", "bob"]);
    assert_eq!(store.create_user("t", "/", "ann", &[]).unwrap_err().status, Status::Conflict);
    assert_eq!(store.user("eve").unwrap_err().status, Status::NotFound);
    let arn = "arn:aws:iam::123456789012:user/team/ann";
    assert_eq!(store.user(arn).unwrap().identity.arn(), arn);
    store.tag_user("t", "ann", &tags(&[("tag \u{1F600}", "'quoted' \\ \"x\"")])).unwrap();
    assert_eq!(store.user("ann").unwrap().tags, tags(&[("tag \u{1F600}", "'quoted' \\ \"x\"")]));
    store.set_user_disabled("t", "ann", true).unwrap();
    assert!(store.user("ann").unwrap().disabled);
    assert_eq!(store.principal_of_user("ann").unwrap_err().status, Status::IdentityDisabled);
    store.set_user_disabled("t", "ann", false).unwrap();
    assert_eq!(store.principal_of_user("ann").unwrap().subject.arn(), arn);

    let group = store.create_group("t", "/", "ops").unwrap();
    assert_eq!(store.create_group("t", "/", "ops").unwrap_err().status, Status::Conflict);
    store.add_to_group("t", "ops", "ann").unwrap();
    store.add_to_group("t", "ops", "ann").unwrap();
    store.add_to_group("t", "ops", "bob").unwrap();
    assert_eq!(store.groups_of("ann").unwrap(), std::slice::from_ref(&group));
    assert_eq!(store.groups().unwrap()[0].1.len(), 2);
    store.remove_from_group("t", "ops", "bob").unwrap();
    assert_eq!(store.remove_from_group("t", "ops", "bob").unwrap_err().status, Status::NotFound);
    assert_eq!(store.delete_group("t", "ops", false).unwrap_err().status, Status::Conflict);
    store.delete_group("t", "ops", true).unwrap();
    assert_eq!(store.add_to_group("t", "ops", "ann").unwrap_err().status, Status::NotFound);
    assert!(store.groups().unwrap().is_empty());
}

#[test]
fn keys() {
    let home = home();
    let store = &home.store;
    store.create_user("t", "/", "ann", &[]).unwrap();
    store.create_user("t", "/", "bob", &[]).unwrap();
    let (key, secret) = store.create_key("t", "ann").unwrap();
    let (other, _) = store.create_key("t", "bob").unwrap();
    let at = store.login_key(&key.id).unwrap();
    assert_eq!(at.revision, Revision(4));
    let row = at.value.unwrap();
    assert!(row.active && !row.disabled && row.secret.expose() == secret.expose());
    assert_eq!((row.identity.name(), row.unique_id), ("ann", store.user("ann").unwrap().unique_id));
    assert!(store.login_key("AKIAUNKNOWN").unwrap().value.is_none());
    assert_eq!(store.keys(None).unwrap().len(), 2);
    assert_eq!(store.keys(Some("ann")).unwrap(), std::slice::from_ref(&key));
    assert_eq!(store.keys(Some("eve")).unwrap_err().status, Status::NotFound);
    store.keys_used(&[(key.id.clone(), 20), (key.id.clone(), 10), ("AKIAUNKNOWN".into(), 5)]).unwrap();
    assert_eq!(store.keys(Some("ann")).unwrap()[0].last_used, Some(20));
    assert!(store.key_stands(&key.id).unwrap().value);
    assert!(!store.key_stands("AKIAUNKNOWN").unwrap().value);
    store.set_key_active("t", &key.id, false).unwrap();
    assert!(!store.key_stands(&key.id).unwrap().value);
    assert!(!store.login_key(&key.id).unwrap().value.unwrap().active);
    store.set_key_active("t", &key.id, true).unwrap();
    store.set_user_disabled("t", "ann", true).unwrap();
    assert!(!store.key_stands(&key.id).unwrap().value);
    assert!(store.login_key(&key.id).unwrap().value.unwrap().disabled);
    store.delete_key("t", &other.id).unwrap();
    assert_eq!(store.delete_key("t", &other.id).unwrap_err().status, Status::NotFound);
    for _ in 1..10 {
        store.create_key("t", "ann").unwrap();
    }
    assert_eq!(store.create_key("t", "ann").unwrap_err().status, Status::LimitReached);
    assert_eq!(store.delete_user("t", "ann", false).unwrap_err().status, Status::Conflict);
    store.delete_user("t", "ann", true).unwrap();
    assert!(store.login_key(&key.id).unwrap().value.is_none());
}

#[test]
fn policies() {
    let home = home();
    let store = &home.store;
    store.create_user("t", "/", "ann", &tags(&[("team", "a")])).unwrap();
    store.create_role("t", "/", "app", TRUST, 3600, &[]).unwrap();
    store.create_group("t", "/", "ops").unwrap();
    store.add_to_group("t", "ops", "ann").unwrap();
    let arn = store.put_policy("t", "/", "p", ALLOW).unwrap();
    assert_eq!(store.put_policy("t", "/else/", "p", ALLOW).unwrap_err().status, Status::Conflict);
    for _ in 0..6 {
        store.put_policy("t", "/", "p", DENY).unwrap();
    }
    store.attach("t", Owner::Group("ops"), "p").unwrap();
    store.attach("t", Owner::Group("ops"), &arn).unwrap();
    store.attach("t", Owner::Role("app"), "p").unwrap();
    store.put_inline("t", Owner::User("ann"), "own", DENY).unwrap();
    store.put_inline("t", Owner::User("ann"), "own", ALLOW).unwrap();
    let row = &store.policies().unwrap()[0];
    assert_eq!((row.default_version, row.attached, row.document.as_str()), (7, 2, DENY));
    assert_eq!(store.policies_of(Owner::Group("ops")).unwrap().attached, std::slice::from_ref(&arn));
    assert_eq!(store.policies_of(Owner::User("ann")).unwrap().inline, [("own".to_owned(), ALLOW.to_owned())]);
    store.set_boundary("t", Owner::User("ann"), Some("p")).unwrap();
    assert_eq!(store.delete_policy("t", "p", true).unwrap_err().status, Status::Conflict);
    let ann = store.user("ann").unwrap();
    assert_eq!(ann.boundary, Some(arn.clone()));
    // Of the user and of a group of it, and once in force.
    store.attach("t", Owner::User("ann"), "p").unwrap();
    let effective = store.entitlements(&ann.identity).unwrap().value.unwrap();
    store.detach("t", Owner::User("ann"), "p").unwrap();
    let names: Vec<&str> = effective.policies.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, [arn.as_str(), "inline/arn:aws:iam::123456789012:user/ann/own"]);
    assert_eq!(effective.boundary.unwrap().document, DENY);
    assert_eq!(effective.tags, tags(&[("team", "a")]));
    store.set_boundary("t", Owner::User("ann"), None).unwrap();
    store.delete_inline("t", Owner::User("ann"), "own").unwrap();
    assert_eq!(store.delete_inline("t", Owner::User("ann"), "own").unwrap_err().status, Status::NotFound);
    store.detach("t", Owner::Role("app"), "p").unwrap();
    assert_eq!(store.detach("t", Owner::Role("app"), "p").unwrap_err().status, Status::NotFound);
    assert_eq!(store.delete_policy("t", "p", false).unwrap_err().status, Status::Conflict);
    store.delete_policy("t", "p", true).unwrap();
    assert!(store.entitlements(&ann.identity).unwrap().value.unwrap().policies.is_empty());
    let nobody = Identity::new("aws", "123456789012", IdentityKind::User, "/", "nobody").unwrap();
    assert!(store.entitlements(&nobody).unwrap().value.is_none());
}

#[test]
fn roles_and_sessions() {
    let home = home();
    let store = &home.store;
    store.create_user("t", "/", "ann", &[]).unwrap();
    let role = store.create_role("t", "/", "app", TRUST, 900, &tags(&[("x", "y")])).unwrap();
    assert_eq!(store.roles().unwrap(), std::slice::from_ref(&role));
    assert_eq!(store.role("app").unwrap(), role);
    assert_eq!(store.update_role("t", "app", None, Some(1800)).unwrap().max_session, 1800);
    assert_eq!(store.update_role("t", "app", Some(TRUST), None).unwrap().max_session, 1800);
    store.tag_role("t", "app", &[]).unwrap();
    store.set_role_disabled("t", "app", true).unwrap();
    assert!(store.role("app").unwrap().disabled);
    store.set_role_disabled("t", "app", false).unwrap();
    let caller = store.principal_of_user("ann").unwrap();
    let ask = AssumeRole { role: "app".into(), session_name: "s1".into(), ..AssumeRole::default() };
    assert_eq!(store.assume_role(&caller, &ask).unwrap().subject, role.identity);
    let acts = store.administration(Revision(2), 100).unwrap();
    assert_eq!(acts.last().unwrap().action, "AssumeRole");

    let begun = SessionRow {
        id: "b/1".into(),
        subject: role.identity.arn().to_owned(),
        deadline: i64::MAX,
        ..SessionRow::default()
    };
    let report = SessionReport { begun: vec![begun.clone(), begun], over: vec!["b/7".into()], whole: true };
    store.report_sessions("b", "host/c/1", &report).unwrap();
    assert_eq!(store.sessions().unwrap().len(), 1);
    store.end_session("t", "b/1", false).unwrap();
    assert_eq!(store.end_session("t", "b/2", false).unwrap_err().status, Status::NotFound);
    store.delete_role("t", "app", true).unwrap();
    assert_eq!(store.role("app").unwrap_err().status, Status::NotFound);
    assert_eq!(store.wait(Revision(0), std::time::Duration::ZERO).unwrap(), store.revision().unwrap());
}

#[test]
fn hosts() {
    let home = home();
    let store = &home.store;
    let (made, code) = store.create_host("t", "node-1", true, 60_000).unwrap();
    assert!(made.verification_keys && made.public_key.is_none());
    let code = String::from_utf8(code.expose().to_vec()).unwrap();
    // Of many attempts at once only as many count as are allowed.
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..4 {
                    assert!(store.enroll_host("node-1", "wrong", &[7; 32]).is_err());
                }
            });
        }
    });
    assert!(store.enroll_host("node-1", &code, &[7; 32]).is_err(), "the attempts are used up");
    let (_, code) = store.invite_host("t", "node-1", 60_000).unwrap();
    let code = String::from_utf8(code.expose().to_vec()).unwrap();
    assert_eq!(store.enroll_host("node-1", &code, &[7; 32]).unwrap().public_key, Some(vec![7; 32]));
    assert!(store.enroll_host("node-1", &code, &[8; 32]).is_err(), "a code is good once");
    assert_eq!(store.hosts().unwrap().len(), 1);
    store.revoke_host("t", "node-1").unwrap();
    assert!(store.host("node-1").unwrap().disabled);
}
