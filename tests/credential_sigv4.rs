// SPDX-License-Identifier: Apache-2.0
//! SigV4 logins against vectors made with botocore's signer, against the
//! `aws-sigv4` crate as signer, and against every kind of damage.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use proptest::prelude::*;
use serde_json::{Value, json};
use standin::credential::Secret;
use standin::credential::sigv4::{LoginRules, SigningKey, read_msk_iam, read_token};
use standin::fault::{Fault, Status};
use standin::time::UnixMillis;

const HOST: &str = "b-1.demo.abc.c1.kafka.us-east-1.amazonaws.com";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// 2026-01-02T03:04:05Z.
const DATE: UnixMillis = UnixMillis(1_767_323_045_000);

fn message() -> Value {
    json!({
        "version": "2020_10_22",
        "host": HOST,
        "user-agent": "test",
        "action": "kafka-cluster:Connect",
        "x-amz-algorithm": "AWS4-HMAC-SHA256",
        "x-amz-credential": "AKIDEXAMPLE/20260102/us-east-1/kafka-cluster/aws4_request",
        "x-amz-date": "20260102T030405Z",
        "x-amz-signedheaders": "host",
        "x-amz-expires": "900",
        "x-amz-signature": "710004808039ff0b1ed0b2e097fb6acc177e68e4e2ff91b4857b2ac4c51194ad",
    })
}

fn key(secret: &str, region: &str) -> SigningKey {
    SigningKey::derive(&Secret::new(secret.as_bytes().to_vec()), "20260102", region, "kafka-cluster")
}

fn rules() -> LoginRules {
    LoginRules {
        hosts: vec![HOST.into()],
        token_hosts: vec!["kafka.us-east-1.amazonaws.com".into()],
        token_services: vec!["kafka-cluster".into()],
        token_actions: vec!["kafka-cluster:Connect".into()],
        regions: vec!["us-east-1".into()],
        max_age_ms: 60_000,
        skew_ms: 300_000,
    }
}

/// Everything a login goes through.
fn log_in(message: &Value, now: UnixMillis) -> Result<(), Fault> {
    let claim = read_msk_iam(message.to_string().as_bytes())?;
    claim.check(&rules(), now)?;
    claim.verify(&key(SECRET, "us-east-1"))
}

fn with(name: &str, value: Value) -> Value {
    let mut message = message();
    message[name] = value;
    message
}

/// P1-24: known answers for the canonical form.
#[test]
fn p1_24_botocore_vectors_verify() {
    log_in(&message(), DATE).unwrap();
    let claim = read_msk_iam(message().to_string().as_bytes()).unwrap();
    assert_eq!(claim.canonical_hash(), "181c13309ff279585cb6c5758a91d64bc4cdb6a86bec877cdc57a74f76558660");
    let mut token = with("x-amz-security-token", json!("AQoEXAMPLEH4aoAH0gNCAPy+/=="));
    token["x-amz-signature"] = json!("f63fbecc3b331289011c4d3d9d6d7a28ace1c01714b0660180fbdbd9a9598042");
    log_in(&token, DATE).unwrap();
    for (host, token, signature) in [
        ("kafka.us-east-1.amazonaws.com", None, "24ebada2ed545858377591fc84af1a1bff3c40c5e8ab0c1fc85eee156cfb42da"),
        (
            "kafka.us-east-1.amazonaws.com",
            Some("AQoEXAMPLEH4aoAH0gNCAPy+/=="),
            "e7a4ae9220c246c3679ccd16fb18d29863e3f8a9a615339ee8896ba05c82694d",
        ),
    ] {
        let mut message = with("host", json!(host));
        message["x-amz-signature"] = json!(signature);
        if let Some(token) = token {
            message["x-amz-security-token"] = json!(token);
        }
        read_msk_iam(message.to_string().as_bytes()).unwrap().verify(&key(SECRET, "us-east-1")).unwrap();
    }
}

/// A token is bound to the name it was signed for, to service and action.
#[test]
fn p1_24_a_token_names_host_service_and_action() {
    let url = |host: &str, service: &str, action: &str| {
        format!(
            "https://{host}/?Action={action}&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20260102%2Fus-east-1%2F{service}%2Faws4_request&X-Amz-Date=20260102T030405Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Signature={}",
            "0".repeat(64)
        )
    };
    let check = |url: String| read_token(url.as_bytes()).unwrap().check(&rules(), DATE);
    let regional = "kafka.us-east-1.amazonaws.com";
    check(url(regional, "kafka-cluster", "kafka-cluster%3AConnect")).unwrap();
    for (url, status, names) in [
        (url(HOST, "kafka-cluster", "kafka-cluster%3AConnect"), Status::WrongHost, "standin.token.hosts"),
        (url(regional, "s3", "kafka-cluster%3AConnect"), Status::Malformed, "standin.token.services"),
        (url(regional, "kafka-cluster", "GetObject"), Status::Malformed, "standin.token.actions"),
    ] {
        let fault = check(url).unwrap_err();
        assert_eq!(fault.status, status);
        assert!(fault.text.contains(names), "{fault}");
    }
}

/// P1-02, P1-24: each check on its own, with its own reason.
#[test]
fn p1_02_every_field_is_required_once_and_checked() {
    for name in message().as_object().unwrap().keys() {
        let mut missing = message();
        missing.as_object_mut().unwrap().remove(name);
        let result = log_in(&missing, DATE);
        if name == "user-agent" {
            result.unwrap();
        } else {
            let fault = result.unwrap_err();
            assert_eq!(fault.status, Status::Malformed, "{name}");
            assert!(fault.text.contains(name.as_str()), "{fault}");
        }
        let twice = message().to_string().replacen('{', &format!("{{\"{name}\":\"x\","), 1);
        let fault = read_msk_iam(twice.as_bytes()).unwrap_err();
        assert!(fault.text.contains("twice"), "{name}: {fault}");
    }
    log_in(&with("x-something-new", json!("tolerated")), DATE).unwrap();
    for (name, value, status) in [
        ("version", json!("2021_10_22"), Status::Malformed),
        ("action", json!("kafka-cluster:ReadData"), Status::Malformed),
        ("x-amz-algorithm", json!("AWS4-HMAC-SHA1"), Status::Malformed),
        ("x-amz-credential", json!("AKIDEXAMPLE/20260102/us-east-1/s3/aws4_request"), Status::Malformed),
        ("x-amz-credential", json!("AKIDEXAMPLE/20260102//kafka-cluster/aws4_request"), Status::Malformed),
        ("x-amz-credential", json!("AKIDEXAMPLE/20260103/us-east-1/kafka-cluster/aws4_request"), Status::Malformed),
        ("x-amz-credential", json!("AKIDEXAMPLE/20260102/eu-west-1/kafka-cluster/aws4_request"), Status::WrongRegion),
        (
            "x-amz-credential",
            json!("AKIDEXAMPLF/20260102/us-east-1/kafka-cluster/aws4_request"),
            Status::SignatureMismatch,
        ),
        ("x-amz-date", json!("20260102T030406Z"), Status::SignatureMismatch),
        ("x-amz-date", json!("20260102T250405Z"), Status::Malformed),
        ("x-amz-signedheaders", json!("host;x-other"), Status::Malformed),
        ("x-amz-expires", json!("901"), Status::Malformed),
        ("x-amz-expires", json!("0"), Status::Malformed),
        ("x-amz-expires", json!("-5"), Status::Malformed),
        ("x-amz-expires", json!("899"), Status::SignatureMismatch),
        ("x-amz-expires", json!("613.482"), Status::SignatureMismatch),
        ("x-amz-signature", json!("7100"), Status::Malformed),
        (
            "x-amz-signature",
            json!("810004808039ff0b1ed0b2e097fb6acc177e68e4e2ff91b4857b2ac4c51194ad"),
            Status::SignatureMismatch,
        ),
        ("host", json!("elsewhere"), Status::WrongHost),
        ("x-amz-security-token", json!("t"), Status::SignatureMismatch),
        ("x-amz-date", json!(20260102), Status::Malformed),
    ] {
        let fault = log_in(&with(name, value.clone()), DATE).unwrap_err();
        assert_eq!(fault.status, status, "{name}={value}: {fault}");
    }
}

/// P1-24: bound to time, to the second.
#[test]
fn p1_24_age_is_bounded_on_both_sides() {
    let most = 60_000 + 300_000;
    log_in(&message(), DATE.plus(most)).unwrap();
    let fault = log_in(&message(), DATE.plus(most + 1000)).unwrap_err();
    assert_eq!(fault.status, Status::Expired);
    assert!(fault.text.contains("361 s old"), "{fault}");
    log_in(&message(), DATE.plus(-300_000)).unwrap();
    let fault = log_in(&message(), DATE.plus(-301_000)).unwrap_err();
    assert_eq!(fault.status, Status::ClockSkew);
    assert!(fault.text.contains("301 s in the future"), "{fault}");
}

/// P1-25: a message that carries the secret itself is refused, and the text
/// does not repeat it.
#[test]
fn p1_25_a_raw_secret_is_refused() {
    let fault = log_in(&with("secretAccessKey", json!("marker-secret")), DATE).unwrap_err();
    assert_eq!(fault.status, Status::Malformed);
    assert!(fault.text.contains("must only sign") && !fault.text.contains("marker"), "{fault}");
}

/// texts and `Debug` show neither signature nor token.
#[test]
fn x_11_texts_hold_no_signature_and_no_token() {
    let mut message = with("x-amz-security-token", json!("marker-token"));
    message["host"] = json!("elsewhere");
    let signature = message["x-amz-signature"].as_str().unwrap().to_owned();
    let claim = read_msk_iam(message.to_string().as_bytes()).unwrap();
    let texts = [
        format!("{claim:?}"),
        claim.check(&rules(), DATE).unwrap_err().text,
        claim.check(&rules(), DATE.plus(10_000_000)).unwrap_err().text,
        claim.verify(&key(SECRET, "us-east-1")).unwrap_err().text,
        format!("{:?}", key(SECRET, "us-east-1")),
        format!("{:?}", Secret::new(b"marker-token".to_vec())),
    ];
    for text in texts {
        assert!(!text.contains("marker") && !text.contains(&signature), "{text}");
    }
}

fn signed_by_the_crate(secret: &str, token: Option<&str>, host: &str, region: &str) -> Value {
    let identity = Credentials::new("AKIAABCDEFGHIJKLMNOP", secret, token.map(str::to_owned), None, "test").into();
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(Duration::from_secs(900));
    let time = SystemTime::UNIX_EPOCH + Duration::from_millis(DATE.0.unsigned_abs());
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("kafka-cluster")
        .time(time)
        .settings(settings)
        .build()
        .unwrap();
    let uri = format!("https://{host}/?Action=kafka-cluster%3AConnect");
    let request = SignableRequest::new("GET", &uri, std::iter::empty(), SignableBody::Bytes(b"")).unwrap();
    let (instructions, _) = sign(request, &params.into()).unwrap().into_parts();
    let mut message = json!({"version": "2020_10_22", "host": host, "action": "kafka-cluster:Connect"});
    for (name, value) in instructions.params() {
        message[name.to_ascii_lowercase()] = json!(value);
    }
    message
}

/// What botocore signed verifies, and nothing of it can be changed: kept cases,
/// and fresh ones where the environment names a file of them.
#[test]
fn p1_22_what_botocore_signs_verifies_and_nothing_else() {
    let fresh = std::env::var("STANDIN_BOTOCORE_CASES").map(|path| std::fs::read_to_string(path).unwrap());
    let kept = include_str!("data/sigv4/botocore.jsonl");
    let (mut checked, mut tokens) = (0, 0);
    for line in kept.lines().chain(fresh.as_deref().unwrap_or_default().lines()) {
        let case: Value = serde_json::from_str(line).unwrap();
        let text = |field: &str| case[field].as_str().unwrap();
        let secret = Secret::new(text("secret").as_bytes().to_vec());
        let key = SigningKey::derive(&secret, text("day"), text("region"), "kafka-cluster");
        let verify = |message: &Value| read_msk_iam(message.to_string().as_bytes()).unwrap().verify(&key);
        let message = &case["message"];
        verify(message).unwrap_or_else(|f| panic!("{f}: {line}"));
        if let Some(url) = case["url"].as_str() {
            // As the MSK signers send it: an agent appended, in base64url.
            let url = format!("{url}&User-Agent=some%2Fsigner+1");
            let token = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, &url);
            for form in [&url, &token] {
                read_token(form.as_bytes()).unwrap().verify(&key).unwrap_or_else(|f| panic!("{f}: {line}"));
            }
            for (from, to) in
                [("Connect", "Connecu"), ("&X-Amz-Expires=", "&more=1&X-Amz-Expires="), ("https://", "https://x")]
            {
                let claim = read_token(url.replacen(from, to, 1).as_bytes()).unwrap();
                assert_eq!(claim.verify(&key).unwrap_err().status, Status::SignatureMismatch, "{to} in {line}");
            }
            tokens += 1;
        }
        for field in ["host", "x-amz-security-token", "x-amz-expires"] {
            let Some(value) = message[field].as_str() else { continue };
            let mut other = message.clone();
            other[field] = match field {
                "x-amz-expires" => json!(if value == "60" { "61" } else { "60" }),
                _ => json!(format!("{value}x")),
            };
            assert_eq!(verify(&other).unwrap_err().status, Status::SignatureMismatch, "{field} of {line}");
        }
        checked += 1;
    }
    let expected = kept.lines().count() + fresh.map_or(0, |f| f.lines().count());
    assert!(checked == expected && checked >= 40 && tokens >= 40, "{checked} cases, {tokens} tokens");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What an independent signer signs verifies; with one character changed
    /// it does not.
    #[test]
    fn p1_22_what_the_aws_crate_signs_verifies_and_nothing_else(
        secret in "[A-Za-z0-9/+]{40}",
        token in prop::option::of("[A-Za-z0-9/+]{20,200}={0,2}"),
        label in "[a-z][a-z0-9-]{0,20}",
        damage in 0usize..64,
    ) {
        let host = format!("{label}.example.test");
        let message = signed_by_the_crate(&secret, token.as_deref(), &host, "eu-central-1");
        let claim = read_msk_iam(message.to_string().as_bytes()).unwrap();
        prop_assert!(claim.verify(&key(&secret, "eu-central-1")).is_ok());
        let mut damaged = message.clone();
        let signature = damaged["x-amz-signature"].as_str().unwrap().to_owned();
        let digit = if &signature[damage..=damage] == "0" { "1" } else { "0" };
        damaged["x-amz-signature"] = json!(format!("{}{digit}{}", &signature[..damage], &signature[damage + 1..]));
        let claim = read_msk_iam(damaged.to_string().as_bytes()).unwrap();
        prop_assert_eq!(claim.verify(&key(&secret, "eu-central-1")).unwrap_err().status, Status::SignatureMismatch);
    }

    /// no bytes from the network make the reader panic.
    #[test]
    fn x_05_arbitrary_bytes_are_refused_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(read_msk_iam(&bytes).unwrap_err().status, Status::Malformed);
    }
}
