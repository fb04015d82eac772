// SPDX-License-Identifier: Apache-2.0
//! How many of each kind there may be: the same on every database, also when
//! two services make the last one at once.

use std::sync::Barrier;
use std::time::Duration;

use standin::access_control::{NewPolicy, NewProvider, Owner, Quota, Quotas, SessionReport, SessionRow, Store, Tagged};
use standin::fault::{Fault, Status};

use crate::support::{ALLOW, Home, home};

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/ann"},"Action":"sts:AssumeRole"}}"#;

/// A service on the store that allows so many.
fn service(home: &Home, quotas: &[(Quota, i64)]) -> Store {
    let all = quotas.iter().fold(Quotas::service(), |all, (quota, most)| all.with(*quota, Some(*most)));
    home.again().unwrap().patient(Duration::from_secs(30)).unwrap().with_quotas(all)
}

#[track_caller]
fn reached<T>(result: Result<T, Fault>, label: &str) {
    let fault = result.map(drop).unwrap_err();
    assert_eq!(fault.status, Status::LimitReached, "{fault}");
    assert!(fault.text.contains(label), "{fault}");
}

fn policy<'a>(name: &'a str, document: &'a str) -> NewPolicy<'a> {
    NewPolicy { path: "/", name, document, description: "", tags: &[] }
}

#[test]
fn there_are_as_many_as_there_may_be() {
    use Quota::{Groups, Policies, Providers, Roles, Users};
    let home = home();
    let store = service(&home, &[(Users, 2), (Groups, 1), (Roles, 1), (Policies, 1), (Providers, 1)]);
    store.create_user("t", "/", "ann", &[]).unwrap();
    store.create_user("t", "/", "bob", &[]).unwrap();
    let before = store.revision().unwrap();
    reached(store.create_user("t", "/", "eve", &[]), "UsersPerAccount: 2");
    // A name that is taken is told as that.
    assert_eq!(store.create_user("t", "/", "bob", &[]).unwrap_err().status, Status::Conflict);
    assert_eq!((store.revision().unwrap(), store.user("eve").unwrap_err().status), (before, Status::NotFound));
    store.create_group("t", "/", "one").unwrap();
    reached(store.create_group("t", "/", "two"), "GroupsPerAccount: 1");
    // Roles are counted apart from users.
    store.create_role("t", "/", "one", TRUST, 3600, &[]).unwrap();
    reached(store.create_role("t", "/", "two", TRUST, 3600, &[]), "RolesPerAccount: 1");
    store.create_policy("t", &policy("one", ALLOW)).unwrap();
    reached(store.create_policy("t", &policy("two", ALLOW)), "PoliciesPerAccount: 1");
    reached(store.put_policy("t", "/", "two", ALLOW), "PoliciesPerAccount: 1");
    store.put_policy("t", "/", "one", ALLOW).unwrap();
    let provider = |arn| NewProvider { arn, issuer: "i", client_ids: &[], thumbprints: &[], tags: &[] };
    store.create_provider("t", &provider("arn:one")).unwrap();
    reached(store.create_provider("t", &provider("arn:two")), "ProvidersPerAccount: 1");
    // Whoever deletes one may make another; a command on the store any number.
    store.delete_user("t", "bob", false).unwrap();
    store.create_user("t", "/", "eve", &[]).unwrap();
    home.store.create_user("t", "/", "far", &[]).unwrap();
    reached(store.create_user("t", "/", "gus", &[]), "UsersPerAccount: 2");
    let usage = store.usage().unwrap();
    assert_eq!((usage.users, usage.groups, usage.roles, usage.policies, usage.providers), (3, 1, 1, 1, 1));
    assert_eq!((usage.versions, usage.hosts, usage.of(Users), usage.of(Quota::TrustSize)), (2, 0, Some(3), None));
}

#[test]
fn each_has_as_much_as_it_may_have() {
    use Quota::{AttachedPerGroup, AttachedPerRole, AttachedPerUser, GroupsPerUser};
    let home = home();
    let store = service(
        &home,
        &[(AttachedPerUser, 1), (AttachedPerGroup, 1), (AttachedPerRole, 1), (GroupsPerUser, 1), (Quota::Users, 9)],
    );
    store.create_user("t", "/", "ann", &[]).unwrap();
    store.create_role("t", "/", "r", TRUST, 3600, &[]).unwrap();
    for name in ["g", "h"] {
        store.create_group("t", "/", name).unwrap();
        store.put_policy("t", "/", name, ALLOW).unwrap();
    }
    for owner in [Owner::User("ann"), Owner::Group("g"), Owner::Role("r")] {
        store.attach("t", owner, "g").unwrap();
        // What is there already is not one more.
        store.attach("t", owner, "g").unwrap();
        reached(store.attach("t", owner, "h"), "PoliciesPer");
        assert_eq!(store.policies_of(owner).unwrap().attached.len(), 1);
    }
    store.add_to_group("t", "g", "ann").unwrap();
    store.add_to_group("t", "g", "ann").unwrap();
    reached(store.add_to_group("t", "h", "ann"), "GroupsPerUser: 1");
    store.create_key("t", "ann").unwrap();
    store.create_key("t", "ann").unwrap();
    reached(store.create_key("t", "ann"), "AccessKeysPerUser: 2");
    // Commands on the store keep mistakes small.
    for _ in 2..10 {
        home.store.create_key("t", "ann").unwrap();
    }
    reached(home.store.create_key("t", "ann"), "AccessKeysPerUser: 10");
    let arn = store.create_policy("t", &policy("v", ALLOW)).unwrap().arn;
    for _ in 1..5 {
        store.create_policy_version("t", &arn, ALLOW, true).unwrap();
    }
    reached(store.create_policy_version("t", &arn, ALLOW, true), "VersionsPerPolicy: 5");
    assert_eq!(store.policy_versions(&arn).unwrap().len(), 5);
    let tags: Vec<_> = (0..50).map(|n| (format!("k{n}"), String::new())).collect();
    store.tag("t", Tagged::User("ann"), &tags).unwrap();
    reached(store.tag("t", Tagged::User("ann"), &[("one".into(), String::new())]), "50");
}

/// Sizes are of what is not white space, and of all inline policies together.
#[test]
fn documents_are_as_long_as_they_may_be() {
    let home = home();
    let store = service(&home, &[]);
    store.create_user("t", "/", "ann", &[]).unwrap();
    store.create_group("t", "/", "g").unwrap();
    store.create_role("t", "/", "r", TRUST, 3600, &[]).unwrap();
    let of = |length: usize| {
        let rest = ALLOW.len() + r#""Sid":"","#.len();
        ALLOW.replace(r#""Effect""#, &format!(r#""Sid":"{}","Effect""#, "a".repeat(length - rest)))
    };
    assert_eq!(of(300).len(), 300);
    for (owner, most) in [(Owner::User("ann"), 2048), (Owner::Group("g"), 5120), (Owner::Role("r"), 10_240)] {
        store.put_inline("t", owner, "half", &of(most / 2)).unwrap();
        store.put_inline("t", owner, "rest", &format!("  {}\n", of(most / 2))).unwrap();
        reached(store.put_inline("t", owner, "more", ALLOW), &format!("PolicySize: {most}"));
        reached(store.put_inline("t", owner, "rest", &of(most / 2 + 1)), "PolicySize");
        // One that is replaced does not count twice.
        store.put_inline("t", owner, "rest", &of(most / 2 - 1)).unwrap();
        assert_eq!(store.policies_of(owner).unwrap().inline.len(), 2);
    }
    let arn = store.create_policy("t", &policy("p", &format!("{}\n", of(6144)))).unwrap().arn;
    reached(store.create_policy("t", &policy("q", &of(6145))), "PolicySize: 6144");
    reached(store.create_policy_version("t", &arn, &of(6145), false), "PolicySize: 6144");
    reached(store.put_policy("t", "/", "p", &of(6145)), "PolicySize: 6144");
    home.store.put_policy("t", "/", "p", &of(6145)).unwrap();
    let many: Vec<String> =
        (0..40).map(|n| format!("\"arn:aws:iam::123456789012:user/{}{n}\"", "a".repeat(50))).collect();
    let long = TRUST.replace("\"arn:aws:iam::123456789012:user/ann\"", &format!("[{}]", many.join(",")));
    reached(store.create_role("t", "/", "s", &long, 3600, &[]), "ACLSizePerRole: 2048");
    reached(store.update_role("t", "r", Some(&long), None), "ACLSizePerRole: 2048");
}

/// Two services make the last one at once: one does, the other is told.
#[test]
fn of_two_that_make_the_last_one_exactly_one_does() {
    let home = home();
    let (one, other) = (service(&home, &[(Quota::Users, 4)]), service(&home, &[(Quota::Users, 4)]));
    let start = Barrier::new(2);
    let make = |store: &Store, me: &str| -> usize {
        start.wait();
        let made = (0..4).map(|n| store.create_user("t", "/", &format!("{me}{n}"), &[]));
        made.filter(|result| match result {
            Ok(_) => true,
            Err(fault) => {
                assert_eq!(fault.status, Status::LimitReached, "{fault}");
                false
            }
        })
        .count()
    };
    let made = std::thread::scope(|scope| {
        let both = [scope.spawn(|| make(&one, "a")), scope.spawn(|| make(&other, "b"))];
        both.map(|thread| thread.join().unwrap())
    });
    assert_eq!(made.iter().sum::<usize>(), 4);
    assert_eq!(home.store.users().unwrap().len(), 4);
}

/// A host too many is put off: its code stays good, and is when there is room.
#[test]
fn a_host_too_many_comes_again() {
    let home = home();
    let store = service(&home, &[(Quota::Hosts, 1)]);
    let (_, first) = store.create_host("t", "c/1", true, 60_000).unwrap();
    let (_, second) = store.create_host("t", "c/2", true, 60_000).unwrap();
    let (first, second) = [first, second].map(|code| String::from_utf8(code.expose().to_vec()).unwrap()).into();
    store.enroll_host("c/1", &first, &[1; 32]).unwrap();
    for _ in 0..20 {
        let fault = store.enroll_host("c/2", &second, &[2; 32]).unwrap_err();
        assert_eq!(fault.status, Status::Busy, "{fault}");
    }
    assert_eq!((store.usage().unwrap().hosts, store.host("c/2").unwrap().public_key), (1, None));
    // Who is enrolled may be again, also when there are too many by now.
    let store = service(&home, &[(Quota::Hosts, 0)]);
    let (_, again) = store.invite_host("t", "c/1", 60_000).unwrap();
    store.enroll_host("c/1", std::str::from_utf8(again.expose()).unwrap(), &[3; 32]).unwrap();
    let store = service(&home, &[(Quota::Hosts, 1)]);
    store.revoke_host("t", "c/1").unwrap();
    store.enroll_host("c/2", &second, &[2; 32]).unwrap();
    // Guesses are counted as ever.
    let (_, third) = store.create_host("t", "c/3", true, 60_000).unwrap();
    for _ in 0..10 {
        assert_eq!(store.enroll_host("c/3", "AAAA", &[4; 32]).unwrap_err().status, Status::NotAllowed);
    }
    let third = std::str::from_utf8(third.expose()).unwrap().to_owned();
    assert_eq!(store.enroll_host("c/3", &third, &[4; 32]).unwrap_err().status, Status::NotAllowed);
}

/// A host with more sessions than are kept is not put off for it.
#[test]
fn sessions_there_is_no_room_for_are_counted() {
    let home = home();
    let store = service(&home, &[(Quota::SessionsPerHost, 2)]);
    let session = |n: i64| SessionRow { id: format!("b/{n}"), deadline: i64::MAX, ..SessionRow::default() };
    let report = |begun: &[i64], over: &[i64], whole| SessionReport {
        begun: begun.iter().copied().map(session).collect(),
        over: over.iter().map(|n| format!("b/{n}")).collect(),
        whole,
    };
    assert_eq!(store.report_sessions("b", "host/c/1", &report(&[1, 2, 3], &[], true)).unwrap(), 1);
    assert_eq!(store.report_sessions("b", "host/c/1", &report(&[4], &[], false)).unwrap(), 1);
    assert_eq!(store.report_sessions("b", "host/c/1", &report(&[5], &[1], false)).unwrap(), 0);
    assert_eq!(store.report_sessions("x", "host/c/2", &report(&[6], &[], true)).unwrap(), 0);
    let shown: Vec<_> = home.store.sessions().unwrap().into_iter().map(|s| s.id).collect();
    assert_eq!(shown, ["b/2", "b/5", "b/6"]);
}
