// SPDX-License-Identifier: Apache-2.0
//! Who may assume a role: trust policies, the caller's own policies, and what
//! a request may hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::{Value, json};
use standin::access_control::{AssumeRole, Owner, Store, StoreFiles};
use standin::channel::Channel;
use standin::fault::{Fault, Status};
use standin::identity::{Attributes, Identity, Principal};
use standin::time::{Clock, Steady, SystemRandom, UnixMillis};

/// A clock that stands where it is put: 2026-01-02T03:04:05Z at first.
struct Standing(AtomicI64);

impl Clock for Standing {
    fn wall(&self) -> UnixMillis {
        UnixMillis(self.0.load(Ordering::Relaxed))
    }
    fn steady(&self) -> Steady {
        Steady(self.0.load(Ordering::Relaxed))
    }
}

const ANN: &str = "arn:aws:iam::123456789012:user/team/ann";
const ROOT: &str = "arn:aws:iam::123456789012:root";

struct House {
    _dir: tempfile::TempDir,
    clock: Arc<Standing>,
    store: Store,
    roles: std::cell::Cell<usize>,
}

/// A store with the user `ann`, tagged `team=red`, without policies.
fn house() -> House {
    let dir = tempfile::tempdir().unwrap();
    let at = StoreFiles { store: dir.path().join("s.db"), key_file: dir.path().join("s.key") };
    let clock = Arc::new(Standing(AtomicI64::new(1_767_323_045_000)));
    let store = Store::create(&at, "123456789012", Arc::<Standing>::clone(&clock), Arc::new(SystemRandom)).unwrap();
    store.create_user("test", "/team/", "ann", &[("team".into(), "red".into())]).unwrap();
    House { _dir: dir, clock, store, roles: std::cell::Cell::new(0) }
}

fn request() -> AssumeRole {
    AssumeRole { session_name: "pod-1".into(), ..AssumeRole::default() }
}

fn allow(principal: Value, action: &str, condition: Value) -> Value {
    json!({"Effect": "Allow", "Principal": principal, "Action": action, "Condition": condition})
}

fn deny(principal: Value, action: &str, condition: Value) -> Value {
    json!({"Effect": "Deny", "Principal": principal, "Action": action, "Condition": condition})
}

fn document(statements: &[Value]) -> String {
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

fn own(effect: &str, action: &str, resource: &str) -> String {
    document(&[json!({"Effect": effect, "Action": action, "Resource": resource})])
}

impl House {
    /// Assumes a new role with this trust policy as ann.
    fn assume(&self, trust: &[Value], ask: AssumeRole) -> Result<(), Fault> {
        let ann = self.store.principal_of_user("ann").unwrap();
        self.assume_as(&ann, trust, ask)
    }

    fn assume_as(&self, caller: &Principal, trust: &[Value], ask: AssumeRole) -> Result<(), Fault> {
        let n = self.roles.get();
        self.roles.set(n + 1);
        let name = format!("role{n}");
        let tags = [("env".to_owned(), "prod".to_owned())];
        self.store.create_role("test", "/", &name, &document(trust), 3600, &tags)?;
        self.store.assume_role(caller, &AssumeRole { role: name, ..ask }).map(drop)
    }

    #[track_caller]
    fn admits(&self, trust: &[Value], ask: AssumeRole) {
        if let Err(fault) = self.assume(trust, ask) {
            panic!("refused: {}", fault.text);
        }
    }

    #[track_caller]
    fn refuses(&self, trust: &[Value], ask: AssumeRole, part: &str) {
        let fault = self.assume(trust, ask).expect_err("it was admitted");
        assert_eq!(fault.status, Status::NotAllowed, "{}", fault.text);
        assert!(fault.text.contains(part), "{}", fault.text);
    }
}

#[test]
fn a_trust_policy_that_names_the_user_is_enough_and_one_that_names_the_account_is_not() {
    let house = house();
    let assume = "sts:AssumeRole";
    house.admits(&[allow(json!({"AWS": ANN}), assume, json!({}))], request());
    house.admits(&[allow(json!({"AWS": ["999999999999", ANN]}), assume, json!({}))], request());
    house.admits(&[allow(json!("*"), assume, json!({}))], request());
    house.admits(&[allow(json!({"AWS": "*"}), "sts:*", json!({}))], request());
    let bob = json!({"AWS": "arn:aws:iam::123456789012:user/team/bob"});
    for other in [
        bob,
        json!({"AWS": "arn:aws:iam::123456789012:user/ann"}),
        json!({"AWS": "999999999999"}),
        json!({"AWS": "arn:aws:sts::123456789012:federated-user/ann"}),
        json!({"Service": "ec2.amazonaws.com"}),
        json!({"Federated": "accounts.google.com"}),
    ] {
        house.refuses(&[allow(other, assume, json!({}))], request(), "does not allow sts:AssumeRole");
    }
    house.refuses(
        &[allow(json!({"AWS": ANN}), "sts:TagSession", json!({}))],
        request(),
        "does not allow sts:AssumeRole",
    );
    for account in ["123456789012", ROOT] {
        let trust = [allow(json!({"AWS": account}), assume, json!({}))];
        house.refuses(&trust, request(), "no policy of");
        house.store.put_inline("test", Owner::User("ann"), "own", &own("Allow", "sts:Assume*", "*")).unwrap();
        house.admits(&trust, request());
        house.store.delete_inline("test", Owner::User("ann"), "own").unwrap();
    }
}

#[test]
fn a_deny_wins_wherever_it_stands() {
    let house = house();
    let named = allow(json!({"AWS": ANN}), "sts:AssumeRole", json!({}));
    for against in [json!("*"), json!({"AWS": ANN}), json!({"AWS": ROOT})] {
        let no = deny(against, "sts:AssumeRole", json!({}));
        house.refuses(&[no.clone(), named.clone()], request(), "denies sts:AssumeRole");
        house.refuses(&[named.clone(), no], request(), "denies sts:AssumeRole");
    }
    let elsewhere = deny(json!({"AWS": "999999999999"}), "sts:*", json!({}));
    let later = deny(json!("*"), "sts:*", json!({"StringEquals": {"aws:PrincipalTag/team": "blue"}}));
    house.admits(&[elsewhere, named.clone(), later], request());
    house
        .store
        .put_inline("test", Owner::User("ann"), "own", &own("Deny", "sts:*", "arn:aws:iam::123456789012:role/*"))
        .unwrap();
    house.refuses(&[named], request(), "a policy of");
}

#[test]
fn a_boundary_limits_what_the_users_own_policies_allow() {
    let house = house();
    house.store.put_policy("test", "/", "limit", &own("Allow", "s3:*", "*")).unwrap();
    house.store.put_inline("test", Owner::User("ann"), "own", &own("Allow", "sts:*", "*")).unwrap();
    let by_account = [allow(json!({"AWS": ROOT}), "sts:AssumeRole", json!({}))];
    house.admits(&by_account, request());
    house.store.set_boundary("test", Owner::User("ann"), Some("limit")).unwrap();
    house.refuses(&by_account, request(), "no policy of");
    // What names the user itself is not limited by a boundary.
    house.admits(&[allow(json!({"AWS": ANN}), "sts:AssumeRole", json!({}))], request());
}

#[test]
fn a_role_that_assumes_a_role_is_limited_by_its_boundary_and_named_by_role_or_session() {
    let house = house();
    let trust = document(&[allow(json!("*"), "sts:AssumeRole", json!({}))]);
    house.store.create_role("test", "/", "first", &trust, 3600, &[]).unwrap();
    let role = "arn:aws:iam::123456789012:role/first";
    let caller = Principal {
        subject: Identity::parse(role).unwrap(),
        attributes: Attributes { session_name: Some("s1".into()), ..Attributes::default() },
        actors: Vec::new(),
        grant: None,
    };
    let by = |arn: &str| [allow(json!({"AWS": arn}), "sts:AssumeRole", json!({}))];
    house.assume_as(&caller, &by(role), request()).unwrap();
    house.assume_as(&caller, &by("arn:aws:sts::123456789012:assumed-role/first/s1"), request()).unwrap();
    let other = house.assume_as(&caller, &by("arn:aws:sts::123456789012:assumed-role/first/s2"), request());
    assert_eq!(other.unwrap_err().status, Status::NotAllowed);
    house.store.put_policy("test", "/", "limit", &own("Allow", "s3:*", "*")).unwrap();
    house.store.set_boundary("test", Owner::Role("first"), Some("limit")).unwrap();
    assert_eq!(house.assume_as(&caller, &by(role), request()).unwrap_err().status, Status::NotAllowed);
}

#[test]
fn conditions_see_the_caller_the_clock_the_address_and_the_request() {
    let house = house();
    let when = |condition: Value| [allow(json!("*"), "sts:*", condition)];
    let channel = Channel { address: Some("192.0.2.7".parse().unwrap()), secure: true, ..Channel::default() };
    let ask = AssumeRole {
        external_id: Some("e-1:/=".into()),
        source_identity: Some("ann@example.com".into()),
        tags: vec![("Team".into(), "red".into()), ("cost".into(), "7".into())],
        channel,
        ..request()
    };
    for met in [
        json!({"StringEquals": {"aws:PrincipalArn": ANN, "aws:username": "ann", "aws:PrincipalAccount": "123456789012"}}),
        json!({"StringEquals": {"aws:PrincipalTag/TEAM": "red", "aws:PrincipalType": "User"}}),
        json!({"StringLike": {"aws:userid": "AIDA*"}}),
        json!({"StringEquals": {"sts:ExternalId": "e-1:/=", "STS:RoleSessionName": "pod-1", "sts:SourceIdentity": "ann@example.com"}}),
        json!({"StringEquals": {"aws:RequestTag/team": "red", "aws:RequestTag/Cost": "7", "aws:ResourceTag/env": "prod"}}),
        json!({"ForAllValues:StringEquals": {"aws:TagKeys": ["Team", "cost"]}, "Null": {"aws:TagKeys": "false"}}),
        json!({"ForAnyValue:StringEquals": {"aws:TagKeys": ["cost"]}}),
        json!({"DateGreaterThan": {"aws:CurrentTime": "2026-01-02T03:04:04Z"}, "DateLessThan": {"aws:CurrentTime": "2026-01-02T03:04:06Z"}}),
        json!({"NumericEquals": {"aws:EpochTime": "1767323045"}}),
        json!({"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}, "Bool": {"aws:SecureTransport": "true"}}),
        json!({"StringEquals": {"sts:RoleSessionName": "pod-1", "aws:RequestTag/team": "${aws:PrincipalTag/team}"}}),
        json!({"Null": {"aws:TokenIssueTime": "true", "x:other": "true"}}),
    ] {
        house.admits(&when(met), ask.clone());
    }
    for unmet in [
        json!({"StringEquals": {"aws:PrincipalArn": ROOT}}),
        json!({"StringEquals": {"sts:ExternalId": "e-2"}}),
        json!({"StringEquals": {"sts:RoleSessionName": "pod-2"}}),
        json!({"StringEquals": {"sts:SourceIdentity": "bob"}}),
        json!({"StringEquals": {"aws:RequestTag/team": "blue"}}),
        json!({"StringEquals": {"aws:ResourceTag/env": "test"}}),
        json!({"ForAllValues:StringEquals": {"aws:TagKeys": ["Team"]}}),
        json!({"DateGreaterThan": {"aws:CurrentTime": "2026-01-02T03:04:05Z"}}),
        json!({"IpAddress": {"aws:SourceIp": "198.51.100.0/24"}}),
        json!({"Bool": {"aws:SecureTransport": "false"}}),
    ] {
        house.refuses(&when(unmet), ask.clone(), "does not allow");
    }
    // What was not asked for is missing.
    for missing in ["sts:ExternalId", "sts:SourceIdentity", "aws:RequestTag/team", "aws:TagKeys", "aws:SourceIp"] {
        house.admits(&when(json!({"Null": {missing: "true"}})), request());
    }
    // A request cannot bring what the host knows.
    let forged = AssumeRole { tags: vec![("x".into(), "y".into())], ..request() };
    house.refuses(&when(json!({"StringEquals": {"aws:PrincipalTag/x": "y"}})), forged, "does not allow");
    let later = [allow(json!("*"), "sts:*", json!({"DateGreaterThan": {"aws:CurrentTime": "2026-06-01T00:00:00Z"}}))];
    house.refuses(&later, request(), "does not allow");
    house.clock.0.store(1_780_272_001_000, Ordering::Relaxed);
    house.admits(&later, request());
}

#[test]
fn tags_and_source_identities_need_actions_of_their_own() {
    let house = house();
    let only = |actions: &[&str]| [json!({"Effect": "Allow", "Principal": {"AWS": ANN}, "Action": actions})];
    let tagged = AssumeRole { tags: vec![("team".into(), "red".into())], ..request() };
    house.refuses(&only(&["sts:AssumeRole"]), tagged.clone(), "sts:TagSession");
    house.admits(&only(&["sts:AssumeRole", "sts:TagSession"]), tagged);
    let sourced = AssumeRole { source_identity: Some("ann".into()), ..request() };
    house.refuses(&only(&["sts:AssumeRole", "sts:TagSession"]), sourced.clone(), "sts:SetSourceIdentity");
    house.admits(&only(&["sts:AssumeRole", "sts:SetSourceIdentity"]), sourced);
}

#[test]
fn requests_keep_to_the_documented_shapes() {
    let house = house();
    let all = [allow(json!("*"), "sts:*", json!({}))];
    let tags = |pairs: &[(&str, &str)]| AssumeRole {
        tags: pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        ..request()
    };
    let many = |n: usize| AssumeRole { tags: (0..n).map(|n| (format!("k{n}"), String::new())).collect(), ..request() };
    let external = |id: &str| AssumeRole { external_id: Some(id.into()), ..request() };
    let source = |id: &str| AssumeRole { source_identity: Some(id.into()), ..request() };
    let session = |name: &str| AssumeRole { session_name: name.into(), ..request() };
    let (key, value) = ("ß".repeat(128), "ü".repeat(256));
    for fine in [
        tags(&[(&key, &value)]),
        tags(&[("Cost Center_.:/=+-@", "a b_.:/=+-@"), ("empty", "")]),
        many(50),
        external("ab"),
        external(&"x".repeat(1224)),
        external("aZ09_+=,.@:/-"),
        source("ab"),
        source(&"x".repeat(64)),
        source("a_,+=@-."),
        session("a_+=,.@-Z9"),
        session(&"x".repeat(64)),
    ] {
        house.admits(&all, fine);
    }
    let (key, value) = ("k".repeat(129), "v".repeat(257));
    for (wrong, part) in [
        (many(51), "at most 50"),
        (tags(&[(&key, "v")]), "1 to 128"),
        (tags(&[("k", &value)]), "0 to 256"),
        (tags(&[("", "v")]), "1 to 128"),
        (tags(&[("k*", "v")]), "letters, digits"),
        (tags(&[("k", "v\n")]), "letters, digits"),
        (tags(&[("AWS:team", "v")]), "reserved"),
        (tags(&[("team", "a"), ("Team", "b")]), "twice"),
        (external("a"), "2 to 1224"),
        (external(&"x".repeat(1225)), "2 to 1224"),
        (external("a b"), "letters, digits"),
        (external("é1"), "letters, digits"),
        (source("a"), "2 to 64"),
        (source("aws:ann"), "letters, digits"),
        (source(&"x".repeat(65)), "2 to 64"),
        (session("a"), "2 to 64"),
        (session("a/b"), "letters, digits"),
    ] {
        let fault = house.assume(&all, wrong).unwrap_err();
        assert_eq!(fault.status, Status::InvalidArgument, "{}", fault.text);
        assert!(fault.text.contains(part), "{part}: {}", fault.text);
    }
}

#[test]
fn an_invalid_trust_policy_is_refused_with_every_problem() {
    let house = house();
    let trust = "{\"Statement\":\n {\"Effect\":\"allow\",\"Principal\":{\"User\":\"x\"},\"Action\":\"sts:AssumeRole\",\"Resource\":\"*\"}}";
    let fault = house.store.create_role("test", "/", "r", trust, 3600, &[]).unwrap_err();
    assert_eq!(fault.status, Status::InvalidDocument);
    for part in [
        "$.Statement.Effect (line 2, column 12)",
        "$.Statement.Principal.User (line 2, column 33)",
        "$.Statement.Resource (line 2",
    ] {
        assert!(fault.text.contains(part), "{part}: {}", fault.text);
    }
}
