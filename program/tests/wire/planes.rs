// SPDX-License-Identifier: Apache-2.0
//! The control plane and the data plane: one service, one store, one policy.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use standin::access_control::Owner;
use standin::credential::Secret;
use standin::decision::Outcome;

use crate::engine::Host;
use crate::place::Place;
use crate::raw::{Answer, exchange};

fn list_users(place: &Place, port: u16, key: &(String, Secret)) -> Answer {
    iam(place, port, key, "Action=ListUsers&Version=2010-05-08")
}

/// A request to the service's IAM, signed by an independent signer, without
/// any host or agent.
pub(crate) fn iam(place: &Place, port: u16, (id, secret): &(String, Secret), body: &str) -> Answer {
    let secret = std::str::from_utf8(secret.expose()).unwrap();
    let credentials = Credentials::new(id, secret, None, None, "test").into();
    let params = v4::SigningParams::builder()
        .identity(&credentials)
        .region("us-east-1")
        .name("iam")
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .unwrap();
    let host = format!("localhost:{port}");
    let kind = "application/x-www-form-urlencoded";
    let headers = [("host", host.as_str()), ("content-type", kind)];
    let signable = SignableBody::Bytes(body.as_bytes());
    let signable = SignableRequest::new("POST", format!("https://{host}/"), headers.into_iter(), signable).unwrap();
    let (signed, _) = sign(signable, &params.into()).unwrap().into_parts();
    let mut text = format!("POST / HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    let signed: Vec<(String, String)> = signed.headers().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
    for (name, value) in headers.map(|(n, v)| (n.to_owned(), v.to_owned())).into_iter().chain(signed) {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    exchange(place, port, format!("{text}\r\n{body}").as_bytes())
}

fn statement(effect: &str) -> String {
    let actions = ["kafka-cluster:Connect", "kafka-cluster:WriteData", "iam:ListUsers"];
    serde_json::json!({"Version": "2012-10-17", "Statement": {"Effect": effect, "Action": actions, "Resource": "*"}})
        .to_string()
}

/// P1-37, P1-38: one policy rules administration and operations, and a change
/// of it changes both; administration needs no agent.
#[test]
fn p1_38_one_policy_rules_both_planes_and_p1_37_only_operations_need_an_agent() {
    let place = Place::new();
    let serving = place.serve();
    let host = Host::open(&place, serving.port, &place.enroll(&serving, "demo/1"), &[]);
    let alice = place.user("alice", &statement("Allow"));
    let id = host.enter(&alice);
    let listed = list_users(&place, serving.port, &alice);
    assert!(listed.status == 200 && listed.body.contains("<UserName>alice</UserName>"), "{}", listed.body);
    assert_eq!(host.decide(id, "orders"), Outcome::Allow);

    place.store.put_inline("test", Owner::User("alice"), "no", &statement("Deny")).unwrap();
    let refused = list_users(&place, serving.port, &alice);
    assert!(refused.status == 403 && refused.body.contains("explicit deny"), "{}", refused.body);
    host.becomes(id, "orders", Outcome::Deny);
    place.store.delete_inline("test", Owner::User("alice"), "no").unwrap();
    host.becomes(id, "orders", Outcome::Allow);

    assert_ne!(host.without_agent(id, "orders"), Outcome::Allow);
    assert_eq!(list_users(&place, serving.port, &alice).status, 200);
}
