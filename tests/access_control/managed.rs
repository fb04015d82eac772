// SPDX-License-Identifier: Apache-2.0
//! What the query protocols of IAM and STS keep: versions of policies, single
//! tags, pages, identity providers.

use standin::access_control::{
    AssumeRole, ChangeKind, NewPolicy, NewProvider, NewRole, NewUser, Owner, Page, Tagged, WebIdentity,
};
use standin::fault::Status;
use standin::identity::Identity;
use standin::revision::Revision;

use crate::support::{ALLOW, DENY, home};

fn policy<'a>(path: &'a str, name: &'a str) -> NewPolicy<'a> {
    NewPolicy { path, name, document: ALLOW, description: "d", tags: &[] }
}

#[test]
fn versions_are_counted_up_and_only_the_one_in_force_counts() {
    let home = home();
    let store = &home.store;
    store.create_user("test", "/", "ann", &[]).unwrap();
    let made = store.create_policy("test", &policy("/k/", "p")).unwrap();
    let arn = made.arn.as_str();
    assert_eq!((arn, made.path.as_str(), made.default_version), ("arn:aws:iam::123456789012:policy/k/p", "/k/", 1));
    assert_eq!(store.create_policy("test", &policy("/", "p")).unwrap_err().status, Status::Conflict);
    store.attach("test", Owner::User("ann"), arn).unwrap();
    let in_force = || {
        store
            .entitlements(&Identity::parse("arn:aws:iam::123456789012:user/ann").unwrap())
            .unwrap()
            .value
            .unwrap()
            .policies[0]
            .document
            .clone()
    };

    // A version that is not in force is no change for anybody.
    let before = store.changes(Revision(0), 1000).unwrap().len();
    let second = store.create_policy_version("test", arn, DENY, false).unwrap();
    assert_eq!((second.number, second.is_default), (2, false));
    assert_eq!((store.changes(Revision(0), 1000).unwrap().len(), in_force().as_str()), (before, ALLOW));
    store.set_default_policy_version("test", arn, 2).unwrap();
    let last = store.changes(Revision(0), 1000).unwrap().pop().unwrap();
    assert_eq!((last.kind, last.subject.as_str()), (ChangeKind::Entitlements, "arn:aws:iam::123456789012:user/ann"));
    assert_eq!(in_force(), DENY);

    assert_eq!(store.delete_policy_version("test", arn, 2).unwrap_err().status, Status::Conflict);
    assert_eq!(store.set_default_policy_version("test", arn, 7).unwrap_err().status, Status::NotFound);
    for number in 3..=5 {
        assert_eq!(store.create_policy_version("test", arn, ALLOW, true).unwrap().number, number);
    }
    assert_eq!(store.create_policy_version("test", arn, ALLOW, true).unwrap_err().status, Status::LimitReached);
    store.set_default_policy_version("test", arn, 1).unwrap();
    store.delete_policy_version("test", arn, 5).unwrap();
    // Also by the other way to a new version.
    store.put_policy("test", "/k/", "p", DENY).unwrap();
    let numbers: Vec<(i64, bool)> =
        store.policy_versions(arn).unwrap().iter().map(|v| (v.number, v.is_default)).collect();
    assert_eq!(numbers, [(2, false), (3, false), (4, false), (6, true)]);
    // A name is no ARN.
    assert_eq!(store.policy_versions("p").unwrap_err().status, Status::NotFound);
    assert_eq!(store.policy("p").unwrap_err().status, Status::NotFound);
}

#[test]
fn a_new_identity_is_never_there_without_its_boundary() {
    let home = home();
    let store = &home.store;
    let arn = store.create_policy("test", &policy("/", "bound")).unwrap().arn;
    let user = |name, boundary| NewUser { path: "/", name, tags: &[], boundary };
    assert_eq!(
        store.create_user_with("test", &user("ann", Some(&arn))).unwrap().boundary.as_deref(),
        Some(arn.as_str())
    );
    for wrong in ["bound", "arn:aws:iam::123456789012:policy/none"] {
        assert_eq!(store.create_user_with("test", &user("bob", Some(wrong))).unwrap_err().status, Status::NotFound);
        assert_eq!(store.user("bob").unwrap_err().status, Status::NotFound);
    }
    let trust = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}}"#;
    let role = NewRole {
        path: "/",
        name: "r",
        trust,
        max_session: 900,
        description: "for a test",
        tags: &[],
        boundary: Some(&arn),
    };
    let made = store.create_role_with("test", &role).unwrap();
    assert_eq!((made.boundary.as_deref(), made.description.as_str()), (Some(arn.as_str()), "for a test"));
    let entities = store.policy_entities(&arn).unwrap();
    let mut bounded: Vec<&str> = entities.iter().filter(|e| e.boundary).map(|e| e.name.as_str()).collect();
    bounded.sort_unstable();
    assert_eq!(bounded, ["ann", "r"]);
    assert_eq!(store.policy(&arn).unwrap().bounds, 2);
}

#[test]
fn tags_are_added_and_removed_one_by_one() {
    let home = home();
    let store = &home.store;
    let tag = |k: &str, v: &str| (k.to_owned(), v.to_owned());
    store.create_user("test", "/", "ann", &[tag("team", "red")]).unwrap();
    store.tag("test", Tagged::User("ann"), &[tag("Team", "blue"), tag("x", "1")]).unwrap();
    assert_eq!(store.tags(Tagged::User("ann")).unwrap(), [tag("Team", "blue"), tag("x", "1")]);
    store.untag("test", Tagged::User("ann"), &["TEAM", "absent"]).unwrap();
    assert_eq!(store.tags(Tagged::User("ann")).unwrap(), [tag("x", "1")]);
    let many: Vec<(String, String)> = (0..50).map(|n| tag(&format!("k{n}"), "")).collect();
    assert_eq!(store.tag("test", Tagged::User("ann"), &many).unwrap_err().status, Status::LimitReached);
    let arn = store.create_policy("test", &policy("/", "p")).unwrap().arn;
    store.tag("test", Tagged::Policy(&arn), &[tag("a", "b")]).unwrap();
    assert_eq!(store.policy(&arn).unwrap().tags, [tag("a", "b")]);
    assert_eq!(store.tags(Tagged::Role("none")).unwrap_err().status, Status::NotFound);
}

#[test]
fn pages_go_on_where_the_one_before_ended() {
    let home = home();
    let store = &home.store;
    for n in 0..5 {
        store.create_user("test", "/a/", &format!("u{n}"), &[]).unwrap();
    }
    store.create_user("test", "/b/", "u9", &[]).unwrap();
    store.create_group("test", "/a/", "g").unwrap();
    store.add_to_group("test", "g", "u1").unwrap();
    store.add_to_group("test", "g", "u3").unwrap();
    let names = |prefix: &str, after: &str, most| -> Vec<String> {
        let page = Page { after, most };
        store.users_page(prefix, &page).unwrap().iter().map(|u| u.identity.name().to_owned()).collect()
    };
    // One more than asked for, to know whether there are more.
    assert_eq!(names("/", "", 2), ["u0", "u1", "u2"]);
    assert_eq!(names("/a/", "u2", 2), ["u3", "u4"]);
    assert_eq!(names("/b/", "", 2), ["u9"]);
    let members = store.members_page("g", &Page { after: "u1", most: 5 }).unwrap();
    assert_eq!(members.len(), 1);
    assert_eq!(store.groups_page("/a/", &Page { after: "", most: 5 }).unwrap()[0].path, "/a/");
    assert_eq!(store.group("none").unwrap_err().status, Status::NotFound);
}

#[test]
fn a_provider_has_clients_and_its_tokens_assume_what_trusts_it() {
    let home = home();
    let store = &home.store;
    let arn = "arn:aws:iam::123456789012:oidc-provider/id.example.com";
    let new = NewProvider { arn, issuer: "id.example.com", client_ids: &["a"], thumbprints: &[], tags: &[] };
    store.create_provider("test", &new).unwrap();
    assert_eq!(store.create_provider("test", &new).unwrap_err().status, Status::Conflict);
    store.add_provider_client("test", arn, "b", 2).unwrap();
    store.add_provider_client("test", arn, "b", 2).unwrap();
    assert_eq!(store.add_provider_client("test", arn, "c", 2).unwrap_err().status, Status::LimitReached);
    store.remove_provider_client("test", arn, "a").unwrap();
    assert_eq!(store.provider(arn).unwrap().client_ids, ["b"]);

    let trust = |statement: &str| format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#);
    let allow = format!(
        r#"{{"Effect":"Allow","Principal":{{"Federated":"{arn}"}},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{{"StringEquals":{{"id.example.com:sub":"me"}}}}}}"#
    );
    let deny =
        r#"{"Effect":"Deny","Principal":"*","Action":"sts:*","Condition":{"StringEquals":{"id.example.com:aud":"b"}}}"#;
    let everyone = r#"{"Effect":"Allow","Principal":"*","Action":"sts:*"}"#;
    for (name, text) in
        [("trusts", trust(&allow)), ("denies", trust(&format!("{allow},{deny}"))), ("everyone", trust(everyone))]
    {
        store.create_role("test", "/", name, &text, 900, &[]).unwrap();
    }
    let who = |subject: &str| WebIdentity {
        provider: arn.into(),
        issuer: "id.example.com".into(),
        audience: "b".into(),
        subject: subject.into(),
        claims: Vec::new(),
    };
    let assume = |role: &str, subject: &str| {
        let ask = AssumeRole { role: role.into(), session_name: "web".into(), ..AssumeRole::default() };
        store
            .assume_role_with_web_identity(&who(subject), &ask)
            .map(|issued| issued.subject.name().to_owned())
            .map_err(|f| f.status)
    };
    assert_eq!(assume("trusts", "me"), Ok("trusts".into()));
    // Only a statement that names the provider allows; everyone may be denied.
    for (role, subject) in [("trusts", "you"), ("denies", "me"), ("everyone", "me"), ("none", "me")] {
        assert_eq!(assume(role, subject), Err(Status::NotAllowed), "{role} {subject}");
    }
    store.set_role_disabled("test", "trusts", true).unwrap();
    assert_eq!(assume("trusts", "me"), Err(Status::IdentityDisabled));
    store.delete_provider("test", arn).unwrap();
    assert!(store.providers().unwrap().is_empty());
}
