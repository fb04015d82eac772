// SPDX-License-Identifier: Apache-2.0
//! Requests as an independent signer makes them, against a real store.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http::Request;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use proptest::prelude::*;
use serde_json::{Value, json};
use standin::access_control::{NewProvider, Owner, Store, StoreFiles};
use standin::time::{ManualClock, SystemRandom, UnixMillis};

use super::operations::{Api, OPERATIONS, Run};
use super::sts::Fetcher;
use super::{Aws, Limits, Peer, xml};

const ACCOUNT: &str = "123456789012";
const START: i64 = 1_767_323_045_000;

#[derive(Clone)]
struct Keys {
    id: String,
    secret: String,
    token: Option<String>,
}

struct House {
    _dir: tempfile::TempDir,
    clock: Arc<ManualClock>,
    store: Arc<Store>,
    aws: Aws,
    admin: Keys,
}

/// An answer: its status, its code when it is an error, its text.
struct Answer {
    status: u16,
    code: String,
    text: String,
}

fn between<'t>(text: &'t str, name: &str) -> &'t str {
    let inside = text.split_once(&format!("<{name}>")).and_then(|(_, rest)| rest.split_once(&format!("</{name}>")));
    inside.map_or("", |(inside, _)| inside)
}

fn house_with(fetch: Fetcher) -> House {
    let dir = tempfile::tempdir().unwrap();
    let at = StoreFiles { store: dir.path().join("s.db"), key_file: dir.path().join("s.key") };
    let clock = Arc::new(ManualClock::at(UnixMillis(START)));
    let store = Store::create(&at, ACCOUNT, Arc::<ManualClock>::clone(&clock), Arc::new(SystemRandom)).unwrap();
    let store = Arc::new(store);
    let aws = Aws::new(
        Arc::clone(&store),
        Arc::<ManualClock>::clone(&clock),
        Arc::new(SystemRandom),
        fetch,
        Arc::new(Limits::none()),
    );
    let mut house =
        House { _dir: dir, clock, store, aws, admin: Keys { id: String::new(), secret: String::new(), token: None } };
    house.admin = house.user(
        "admin",
        Some(r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["iam:*","sts:*"],"Resource":"*"}}"#),
    );
    house
}

fn house() -> House {
    house_with(Arc::new(|_: &str| Err("nobody is asked here.".to_owned())))
}

impl House {
    fn user(&self, name: &str, policy: Option<&str>) -> Keys {
        self.store.create_user("test", "/", name, &[]).unwrap();
        if let Some(policy) = policy {
            self.store.put_inline("test", Owner::User(name), "p", policy).unwrap();
        }
        let (row, secret) = self.store.create_key("test", name).unwrap();
        Keys { id: row.id, secret: String::from_utf8(secret.expose().to_vec()).unwrap(), token: None }
    }

    /// A request signed at the clock's time, moved by `late` seconds.
    fn signed(&self, keys: &Keys, api: Api, body: &str, late: i64) -> Request<Bytes> {
        let credentials = Credentials::new(&keys.id, &keys.secret, keys.token.clone(), None, "test").into();
        let millis = u64::try_from(self.aws.now().0 + late * 1000).unwrap();
        let params = v4::SigningParams::builder()
            .identity(&credentials)
            .region("us-east-1")
            .name(api.word())
            .time(SystemTime::UNIX_EPOCH + Duration::from_millis(millis))
            .settings(SigningSettings::default())
            .build()
            .unwrap();
        let uri = "https://localhost:9900/";
        let kind = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");
        let headers = [("host", "localhost:9900"), kind];
        let signable =
            SignableRequest::new("POST", uri, headers.into_iter(), SignableBody::Bytes(body.as_bytes())).unwrap();
        let (instructions, _) = sign(signable, &params.into()).unwrap().into_parts();
        let mut request = Request::post("/").header("host", "localhost:9900").header(kind.0, kind.1);
        for (name, value) in instructions.headers() {
            request = request.header(name, value);
        }
        request.body(Bytes::from(body.to_owned())).unwrap()
    }

    fn answer(&self, request: &Request<Bytes>) -> Answer {
        let response = self.aws.handle(request, Peer { address: None, secure: true });
        let text = String::from_utf8(response.body().to_vec()).unwrap();
        Answer { status: response.status().as_u16(), code: between(&text, "Code").to_owned(), text }
    }

    fn ask(&self, keys: &Keys, api: Api, body: &str) -> Answer {
        self.answer(&self.signed(keys, api, body, 0))
    }
}

const CREATE: &str = "Action=CreateUser&Version=2010-05-08&UserName=new";
const WHO: &str = "Action=GetCallerIdentity&Version=2011-06-15";

#[test]
fn the_table_in_the_document_is_the_table_of_operations() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/aws-tools.md")).unwrap();
    let documented: Vec<(String, Vec<&str>)> = text
        .lines()
        .filter(|line| line.starts_with("| `iam:") || line.starts_with("| `sts:"))
        .map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let errors = cells[2].split(", ").map(|e| e.trim_matches('`')).filter(|e| !e.is_empty()).collect();
            (cells[1].trim_matches('`').to_owned(), errors)
        })
        .collect();
    let there: Vec<(String, Vec<&str>)> = OPERATIONS
        .iter()
        .map(|o| (format!("{}:{}", o.api.word(), o.name), o.errors.iter().map(|e| e.word()).collect()))
        .collect();
    assert_eq!(documented, there);
}

#[test]
fn a_signed_request_is_answered_and_recorded_under_its_callers_name() {
    let house = house();
    let answer = house.ask(&house.admin, Api::Iam, CREATE);
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(answer.text.starts_with(
        "<CreateUserResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><CreateUserResult><User>"
    ));
    assert_eq!(between(&answer.text, "Arn"), "arn:aws:iam::123456789012:user/new");
    let record = house.store.administration(standin::revision::Revision(0), 100).unwrap().pop().unwrap();
    assert_eq!((record.actor.as_str(), record.action.as_str()), ("arn:aws:iam::123456789012:user/admin", "CreateUser"));
    let answer = house.ask(&house.admin, Api::Iam, "Action=DeleteUser&Version=2010-05-08&UserName=new");
    assert!(answer.status == 200 && !answer.text.contains("Result"), "{}", answer.text);
}

/// Parameters that every operation finds what it needs in.
const PARAMETERS: &str = "UserName=admin&RoleName=role&GroupName=group&PolicyName=policy&PolicyArn=arn:aws:iam::123456789012:policy/policy\
&PolicyDocument={}&AssumeRolePolicyDocument={}&VersionId=v1&AccessKeyId=AKIAAAAAAAAAAAAAAAAA&Status=Active\
&PermissionsBoundary=arn:aws:iam::123456789012:policy/policy&PolicySourceArn=arn:aws:iam::123456789012:user/admin\
&Url=https://id.example.com&ClientID=c&OpenIDConnectProviderArn=arn:aws:iam::123456789012:oidc-provider/id.example.com\
&RoleArn=arn:aws:iam::123456789012:role/role&RoleSessionName=session&WebIdentityToken=a.b.c";

#[test]
fn no_operation_but_who_am_i_is_done_without_an_explicit_allow() {
    let house = house();
    let nobody = house.user("nobody", None);
    // A boundary alone allows nothing either.
    let denied = house.user(
        "denied",
        Some(r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":["iam:*","sts:*"],"Resource":"*"}]}"#),
    );
    let before = house.store.revision().unwrap();
    for operation in OPERATIONS {
        if matches!(operation.name, "GetCallerIdentity" | "GetSessionToken") {
            continue;
        }
        let body = format!("Action={}&{PARAMETERS}", operation.name);
        for keys in [&nobody, &denied] {
            let answer = house.ask(keys, operation.api, &body);
            let expected = if matches!(operation.run, Run::Open(_)) { "InvalidIdentityToken" } else { "AccessDenied" };
            assert_eq!(answer.code, expected, "{}: {}", operation.name, answer.text);
        }
        let unsigned = Request::post("/").body(Bytes::from(body)).unwrap();
        let expected = if matches!(operation.run, Run::Open(_)) { 400 } else { 403 };
        assert_eq!(house.answer(&unsigned).status, expected, "{}", operation.name);
    }
    assert_eq!(house.store.revision().unwrap(), before);
}

#[test]
fn x_12_the_date_of_a_request_may_differ_by_five_minutes() {
    let house = house();
    for (late, code) in [(-299, ""), (299, ""), (-301, "SignatureDoesNotMatch"), (301, "SignatureDoesNotMatch")] {
        let answer = house.answer(&house.signed(&house.admin, Api::Sts, WHO, late));
        assert_eq!(answer.code, code, "{late}");
    }
}

#[test]
fn signatures_are_for_one_service() {
    let house = house();
    let answer = house.ask(&house.admin, Api::Iam, WHO);
    assert!(answer.code == "SignatureDoesNotMatch" && answer.text.contains("correct service"), "{}", answer.text);
    let answer = house.ask(&house.admin, Api::Iam, "Action=CreateUser&Version=2011-06-15&UserName=new");
    assert!(answer.code == "InvalidAction" && answer.text.contains("sts.amazonaws.com"), "{}", answer.text);
    assert_eq!(house.ask(&house.admin, Api::Iam, "Version=2010-05-08").code, "MissingAction");
    let answer = house.ask(&house.admin, Api::Iam, "Action=Fly%3C%01&Version=2010-05-08");
    assert!(answer.code == "InvalidAction" && answer.text.contains("operation Fly&lt; for"), "{}", answer.text);
    assert_eq!(house.answer(&Request::get("/?Action=%zz").body(Bytes::new()).unwrap()).code, "MalformedQueryString");
}

#[test]
fn temporary_credentials_end_when_they_say_and_with_their_user() {
    let house = house();
    let answer = house.ask(&house.admin, Api::Sts, "Action=GetSessionToken&Version=2011-06-15&DurationSeconds=900");
    let keys = Keys {
        id: between(&answer.text, "AccessKeyId").to_owned(),
        secret: between(&answer.text, "SecretAccessKey").to_owned(),
        token: Some(between(&answer.text, "SessionToken").to_owned()),
    };
    assert_eq!(house.ask(&keys, Api::Sts, WHO).status, 200);
    house.store.set_user_disabled("test", "admin", true).unwrap();
    assert_eq!(house.ask(&keys, Api::Sts, WHO).code, "InvalidClientTokenId");
    house.store.set_user_disabled("test", "admin", false).unwrap();
    house.clock.pass(899_000);
    assert_eq!(house.ask(&keys, Api::Sts, WHO).status, 200);
    house.clock.pass(1_000);
    assert_eq!(house.ask(&keys, Api::Sts, WHO).code, "ExpiredToken");
}

#[test]
fn an_answer_says_nothing_of_the_inside_of_the_service() {
    let house = house();
    let missing = house.ask(&house.admin, Api::Iam, "Action=GetUser&Version=2010-05-08&UserName=none");
    assert_eq!((missing.status, missing.code.as_str()), (404, "NoSuchEntity"));
    let secret = house.ask(&house.admin, Api::Iam, "Action=CreateAccessKey&Version=2010-05-08&UserName=admin");
    let secret = between(&secret.text, "SecretAccessKey").to_owned();
    assert_eq!(secret.len(), 40);
    let all = house.ask(&house.admin, Api::Iam, "Action=ListAccessKeys&Version=2010-05-08&UserName=admin").text;
    assert!(!all.contains(&xml::percent(&secret)) && !all.contains(&secret));
}

/// What is changed of a request after it was signed.
#[derive(Clone, Debug)]
enum Change {
    Body(usize, u8),
    Longer(u8),
    Signature(usize, u8),
    Header(&'static str, String),
    Query(String),
    Method,
    Unsigned,
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (0..CREATE.len(), any::<u8>()).prop_map(|(at, byte)| Change::Body(at, byte)),
        any::<u8>().prop_map(Change::Longer),
        (0..64usize, any::<u8>()).prop_map(|(at, byte)| Change::Signature(at, byte)),
        "[ -~]{0,40}".prop_map(|text| Change::Header("host", text)),
        "2026010[0-9]T0[0-9]0405Z".prop_map(|text| Change::Header("x-amz-date", text)),
        "[ -~]{0,200}".prop_map(|text| Change::Header("authorization", text)),
        "[ -~]{1,20}".prop_map(|text| Change::Header("x-amz-security-token", text)),
        "[A-Za-z]{1,8}=[a-z]{0,5}".prop_map(Change::Query),
        Just(Change::Method),
        Just(Change::Unsigned),
    ]
}

/// The request after the change.
fn changed(request: &Request<Bytes>, change: &Change) -> Request<Bytes> {
    let mut other = request.clone();
    match change {
        Change::Body(at, byte) => {
            let mut body = request.body().to_vec();
            body[*at] = *byte;
            *other.body_mut() = body.into();
        }
        Change::Longer(byte) => {
            let mut body = request.body().to_vec();
            body.push(*byte);
            *other.body_mut() = body.into();
        }
        Change::Signature(at, byte) => {
            // What another change left of the header may be short.
            let header = request.headers().get("authorization").map(|h| h.as_bytes().to_vec()).unwrap_or_default();
            let mut text = header.clone();
            if let Some(digit) = header.len().checked_sub(64).and_then(|from| text.get_mut(from + at)) {
                *digit = b"0123456789abcdef"[usize::from(byte & 15)];
                other.headers_mut().insert("authorization", text.try_into().unwrap());
            }
        }
        Change::Header(name, text) => {
            other.headers_mut().insert(*name, text.parse().unwrap());
        }
        Change::Query(query) => *other.uri_mut() = format!("/?{query}").parse().unwrap(),
        Change::Method => *other.method_mut() = http::Method::PUT,
        Change::Unsigned => {
            other.headers_mut().remove("authorization");
        }
    }
    other
}

fn same(a: &Request<Bytes>, b: &Request<Bytes>) -> bool {
    a.body() == b.body() && a.headers() == b.headers() && a.uri() == b.uri() && a.method() == b.method()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_request_without_a_valid_signature_changes_anything(changes in prop::collection::vec(change(), 1..3)) {
        thread_local!(static HOUSE: House = house());
        HOUSE.with(|house| {
            let request = house.signed(&house.admin, Api::Iam, CREATE, 0);
            let before = house.store.revision().unwrap();
            let mut other = request.clone();
            for change in &changes {
                other = changed(&other, change);
            }
            if !same(&request, &other) {
                let answer = house.answer(&other);
                prop_assert!(answer.status >= 400, "{:?}: {}", changes, answer.text);
                prop_assert!(!answer.text.contains(&house.admin.secret));
            }
            prop_assert_eq!(house.store.revision().unwrap(), before);
            Ok(())
        })?;
    }
}

/// A provider with one key of each kind that is accepted, and what it signs.
fn provider(keys: &'static str) -> (House, Issuer) {
    let pair = rcgen::KeyPair::generate().unwrap();
    let key = EncodingKey::from_ec_der(&pair.serialize_der());
    let mut jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap();
    jwk.common.key_id = Some("k1".into());
    let set = json!({"keys": [jwk]}).to_string();
    let fetch: Fetcher = Arc::new(move |url: &str| match url {
        "https://id.example.com/r/.well-known/openid-configuration" => {
            Ok(json!({"issuer": "https://id.example.com/r", "jwks_uri": keys}).to_string().into())
        }
        "https://id.example.com/keys" => Ok(set.clone().into()),
        _ => Err("HTTP status 404.".to_owned()),
    });
    let house = house_with(fetch);
    let arn = format!("arn:aws:iam::{ACCOUNT}:oidc-provider/id.example.com/r");
    let new =
        NewProvider { arn: &arn, issuer: "id.example.com/r", client_ids: &["kafka"], thumbprints: &[], tags: &[] };
    house.store.create_provider("test", &new).unwrap();
    let trust = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"Federated": arn}, "Action": "sts:AssumeRoleWithWebIdentity", "Condition": {"StringEquals": {"id.example.com/r:sub": "me"}}}});
    house.store.create_role("test", "/", "web", &trust.to_string(), 3600, &[]).unwrap();
    (house, Issuer(key))
}

struct Issuer(EncodingKey);

impl Issuer {
    fn token(&self, kid: &str, claims: &Value) -> String {
        let header = Header { kid: Some(kid.into()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, claims, &self.0).unwrap()
    }
}

fn assume(house: &House, token: &str) -> Answer {
    let body = format!(
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn:aws:iam::{ACCOUNT}:role/web&RoleSessionName=me&WebIdentityToken={token}"
    );
    house.answer(&Request::post("/").body(Bytes::from(body)).unwrap())
}

#[test]
fn a_token_signed_by_es256_is_verified_and_its_times_are_those_of_the_clock() {
    let (house, keys) = provider("https://id.example.com/keys");
    let now = START / 1000;
    let claims = json!({"iss": "https://id.example.com/r", "sub": "me", "aud": "kafka", "exp": now + 100, "nbf": now});
    let answer = assume(&house, &keys.token("k1", &claims));
    assert_eq!(answer.status, 200, "{}", answer.text);
    let other = json!({"iss": "https://id.example.com/r", "sub": "you", "aud": "kafka", "exp": now + 100});
    assert_eq!(assume(&house, &keys.token("k1", &other)).code, "AccessDenied");
    assert_eq!(assume(&house, &keys.token("k2", &claims)).code, "InvalidIdentityToken");
    house.clock.pass(161_000);
    assert_eq!(assume(&house, &keys.token("k1", &claims)).code, "ExpiredTokenException");
}

#[test]
fn keys_of_a_provider_are_taken_over_https_only() {
    let (house, keys) = provider("http://id.example.com/keys");
    let claims = json!({"iss": "https://id.example.com/r", "sub": "me", "aud": "kafka", "exp": START / 1000 + 100});
    let answer = assume(&house, &keys.token("k1", &claims));
    assert!(answer.code == "IDPCommunicationError" && answer.text.contains("https://"), "{}", answer.text);
}

/// Regression: whether a boundary may be put was asked of the present one, so
/// whoever might only give a certain boundary could replace it by any.
#[test]
fn putting_a_boundary_is_decided_by_the_new_one() {
    let house = house();
    let boundary = |name: &str| {
        let all = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
        house.store.put_policy("test", "/", name, all).unwrap()
    };
    let (red, wide) = (boundary("red"), boundary("wide"));
    let policy = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow",
        "Action": ["iam:PutUserPermissionsBoundary", "iam:PutRolePermissionsBoundary"], "Resource": "*",
        "Condition": {"StringEquals": {"iam:PermissionsBoundary": red}}}});
    let team = house.user("team", Some(&policy.to_string()));
    house.user("ann", None);
    let trust = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}});
    house.store.create_role("test", "/", "app", &trust.to_string(), 3600, &[]).unwrap();
    for (kind, name) in [("User", "ann"), ("Role", "app")] {
        let put = |arn: &str| {
            let body = format!("Action=Put{kind}PermissionsBoundary&{kind}Name={name}&PermissionsBoundary={arn}");
            house.ask(&team, Api::Iam, &body)
        };
        // First without a boundary, then with the right one.
        assert_eq!(put(&wide).code, "AccessDenied", "{kind}");
        let answer = put(&red);
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(put(&wide).code, "AccessDenied", "{kind}");
        assert_eq!(put(&red).status, 200, "{kind}");
    }
    assert_eq!(house.store.user("ann").unwrap().boundary, Some(red.clone()));
    assert_eq!(house.store.role("app").unwrap().boundary, Some(red));
}

/// Regression: a group was found by the last part of an ARN, and permitted was
/// the ARN that was given.
#[test]
fn a_group_is_simulated_by_its_own_arn_only() {
    let house = house();
    let policy = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow",
        "Action": ["iam:SimulatePrincipalPolicy", "iam:GetContextKeysForPrincipalPolicy"],
        "Resource": [format!("arn:aws:iam::{ACCOUNT}:group/dev/*"), format!("arn:aws:iam::{ACCOUNT}:user/*")]}});
    let spy = house.user("spy", Some(&policy.to_string()));
    house.store.create_group("test", "/", "admins").unwrap();
    house.store.create_group("test", "/dev/", "team").unwrap();
    let ask = |operation: &str, source: &str| {
        let body =
            format!("Action={operation}&PolicySourceArn=arn:aws:iam::{ACCOUNT}:{source}&ActionNames.member.1=a:B");
        house.ask(&spy, Api::Iam, &body)
    };
    for operation in ["SimulatePrincipalPolicy", "GetContextKeysForPrincipalPolicy"] {
        assert_eq!(ask(operation, "group/dev/team").status, 200, "{operation}");
        assert_eq!(ask(operation, "group/admins").code, "AccessDenied", "{operation}");
        for source in ["group/dev/admins", "user/x:group/admins", "group/dev/x/admins"] {
            assert_eq!(ask(operation, source).code, "NoSuchEntity", "{operation} {source}");
        }
    }
}

/// Regression: how long a session may be, and that there is such a role, was
/// told to whoever asked.
#[test]
fn of_a_role_only_who_may_assume_it_learns() {
    let house = house();
    let nobody = house.user("nobody", None);
    let trust = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}});
    house.store.create_role("test", "/", "there", &trust.to_string(), 3600, &[]).unwrap();
    house.store.create_role("test", "/", "off", &trust.to_string(), 3600, &[]).unwrap();
    house.store.set_role_disabled("test", "off", true).unwrap();
    for more in ["", "&DurationSeconds=43200", "&RoleSessionName=x", "&RoleSessionName=me&TransitiveTagKeys.member.1=a"]
    {
        let ask = |role: &str| {
            let name = if more.contains("RoleSessionName") { "" } else { "&RoleSessionName=me" };
            let body = format!("Action=AssumeRole&RoleArn=arn:aws:iam::{ACCOUNT}:role/{role}{name}{more}");
            let answer = house.ask(&nobody, Api::Sts, &body);
            (answer.code, between(&answer.text, "Message").replace(role, "ROLE"))
        };
        let none = ask("none");
        assert_eq!((ask("there"), ask("off")), (none.clone(), none), "{more}");
    }
    let body =
        format!("Action=AssumeRole&RoleArn=arn:aws:iam::{ACCOUNT}:role/there&RoleSessionName=me&DurationSeconds=43200");
    assert_eq!(house.ask(&house.admin, Api::Sts, &body).code, "ValidationError");
}

/// Regression: who had no token at all was told which policies there are.
#[test]
fn who_has_no_token_learns_of_no_policy() {
    let (house, _) = provider("https://id.example.com/keys");
    let all = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    let there = house.store.put_policy("test", "/", "there", all).unwrap();
    let ask = |policy: &str| assume(&house, &format!("none&PolicyArns.member.1.arn={policy}"));
    let none = format!("arn:aws:iam::{ACCOUNT}:policy/none");
    for policy in [there, none] {
        assert_eq!(ask(&policy).code, "InvalidIdentityToken", "{policy}");
    }
}

/// Regression: whoever has a key, or a token for another role, was told which
/// policies there are.
#[test]
fn who_may_not_assume_a_role_learns_of_no_policy() {
    let (house, keys) = provider("https://id.example.com/keys");
    let nobody = house.user("nobody", None);
    let all = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    let there = house.store.put_policy("test", "/", "there", all).unwrap();
    let none = format!("arn:aws:iam::{ACCOUNT}:policy/none");
    let token = |sub: &str| {
        let claims = json!({"iss": "https://id.example.com/r", "sub": sub, "aud": "kafka", "exp": START / 1000 + 100});
        keys.token("k1", &claims)
    };
    for policy in [&there, &none] {
        let body = format!(
            "Action=AssumeRole&RoleArn=arn:aws:iam::{ACCOUNT}:role/web&RoleSessionName=me&PolicyArns.member.1.arn={policy}"
        );
        assert_eq!(house.ask(&nobody, Api::Sts, &body).code, "AccessDenied", "{policy}");
        let ask = |sub: &str| assume(&house, &format!("{}&PolicyArns.member.1.arn={policy}", token(sub)));
        assert_eq!(ask("you").code, "AccessDenied", "{policy}");
        let expected = if *policy == none { "MalformedPolicyDocument" } else { "" };
        assert_eq!(ask("me").code, expected, "{policy}");
    }
}
