// SPDX-License-Identifier: Apache-2.0
//! `docs/api/standin-v1.json` against the routes of the program and real
//! answers.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use standin::credential::EvidenceForm;
use standin::credential::host::HostCredential;
use standin::service::wire::{self, path};
use standin::service::{DECIDE, Proof, Questions, RENEW};

use crate::place::{CLUSTER, Place, clock, evidence, policy};
use crate::raw::{Request, exchange};

fn document() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs/api/standin-v1.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// What is wrong with a value, by a schema of the few words the document uses.
fn wrong(document: &Value, schema: &Value, value: &Value, at: &str, out: &mut Vec<String>) {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.strip_prefix("#/components/schemas/").unwrap();
        let found = &document["components"]["schemas"][name];
        assert!(found.is_object(), "there is no schema {name}");
        return wrong(document, found, value, at, out);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let fits = choices.iter().filter(|choice| {
            let mut problems = Vec::new();
            wrong(document, choice, value, at, &mut problems);
            problems.is_empty()
        });
        if fits.count() != 1 {
            out.push(format!("{at}: not exactly one of the choices"));
        }
        return;
    }
    let is = |kind: &str| match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("type {other}"),
    };
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().map(|k| k.as_str().unwrap()).collect(),
        other => panic!("{at}: type {other}"),
    };
    if !kinds.into_iter().any(is) {
        out.push(format!("{at}: {value} is no {}", schema["type"]));
        return;
    }
    if let Some(accepted) = schema["enum"].as_array()
        && !accepted.contains(value)
    {
        out.push(format!("{at}: {value} is none of {accepted:?}"));
    }
    if let Some(map) = value.as_object() {
        let properties = schema["properties"].as_object().unwrap();
        for name in schema["required"].as_array().unwrap() {
            if !map.contains_key(name.as_str().unwrap()) {
                out.push(format!("{at}: {name} is missing"));
            }
        }
        for (name, value) in map {
            match properties.get(name) {
                Some(schema) => wrong(document, schema, value, &format!("{at}.{name}"), out),
                None => out.push(format!("{at}.{name} is not described")),
            }
        }
    }
    if let (Some(items), true) = (value.as_array(), schema["items"].is_object()) {
        for (n, item) in items.iter().enumerate() {
            wrong(document, &schema["items"], item, &format!("{at}[{n}]"), out);
        }
    }
}

fn check(document: &Value, schema: &Value, value: &Value, what: &str) {
    let mut problems = Vec::new();
    wrong(document, schema, value, what, &mut problems);
    assert!(problems.is_empty(), "{problems:#?}");
}

fn form(form: impl serde::Serialize) -> Value {
    serde_json::to_value(form).unwrap()
}

fn schema_of<'d>(document: &'d Value, path: &str, answer: Option<u16>) -> &'d Value {
    let operation = &document["paths"][path]["post"];
    let place = match answer {
        Some(code) => &operation["responses"][code.to_string()],
        None => &operation["requestBody"],
    };
    &place["content"]["application/json"]["schema"]
}

#[test]
fn the_document_describes_what_is_said() {
    let document = document();
    let place = Place::new();
    let serving = place.serve();
    let host = HostCredential::read(&place.enroll(&serving, "demo/1")).unwrap();
    let mut seen = BTreeSet::new();
    let mut say = |path: &str, ask: Value, expected: u16| -> Value {
        check(&document, schema_of(&document, path, None), &ask, &format!("{path} asked"));
        let answer = Request::of(&host, path, &ask.to_string()).send(&place, serving.port);
        assert_eq!(answer.status, expected, "{path}: {}", answer.body);
        assert_eq!(answer.headers["content-type"], "application/json");
        assert!(answer.headers.contains_key("standin-time") && answer.headers.contains_key("standin-nonce"));
        check(&document, schema_of(&document, path, Some(expected)), &answer.json(), &format!("{path} answered"));
        seen.insert(path.to_owned());
        answer.json()
    };
    let alice = place.user("alice", &policy("Allow", &["kafka-cluster:WriteData"], "a"));
    let login = |key| {
        form(wire::LoginAsk { evidence: EvidenceForm::of(&evidence(key, None)), lifetime: 60_000, known: Vec::new() })
    };
    let issued = say(path::LOGIN, login(&alice), 200);
    assert!(issued["verification_key"].is_string());
    let forged = (alice.0.clone(), standin::credential::Secret::new(b"no".to_vec()));
    let refused = say(path::LOGIN, login(&forged), 403);
    assert_eq!(refused["subject"], "arn:aws:iam::123456789012:user/alice");
    say(
        path::LOGIN,
        json!({"evidence": {"certificate": {"fingerprint": "x", "not_before": 0, "not_after": 0, "user": "u"}}, "lifetime": 1}),
        403,
    );

    let impersonation = Impersonated::of(&issued["impersonation"]);
    let proof = |purpose: &str, body: &[u8]| wire::ProofForm::of(&impersonation.prove(purpose, body));
    say(path::RENEW, form(wire::RenewAsk { proof: proof(RENEW, b"60000"), lifetime: 60_000 }), 200);
    say(path::RENEW, form(wire::RenewAsk { proof: proof(RENEW, b"60001"), lifetime: 60_000 }), 403);
    say(path::RENEW, form(wire::RenewAsk { proof: proof(RENEW, b"1"), lifetime: 1 }), 400);
    say(path::ENTITLEMENTS, json!({"subject": "arn:aws:iam::123456789012:user/alice", "access_key_id": alice.0}), 200);
    say(path::ENTITLEMENTS, json!({"subject": "nobody", "access_key_id": "x"}), 400);
    let known = say(path::KNOWN, json!({"name": "user/alice"}), 200);
    assert_eq!(known["client"]["subject"], "arn:aws:iam::123456789012:user/alice");
    assert_eq!(say(path::KNOWN, json!({"name": "user/nobody"}), 200).get("client"), None);
    let changes = say(path::CHANGES, json!({"after": 0, "limit": 100, "wait": 0}), 200);
    assert!(changes["changes"].as_array().unwrap().len() > 1);
    let sealed = say(path::SEAL, json!({"purpose": "forwarded-session", "bytes": "AAAA"}), 200);
    let plain = say(path::UNSEAL, json!({"purpose": "forwarded-session", "bytes": sealed["bytes"]}), 200);
    assert_eq!(plain["bytes"], "AAAA");
    let session = json!({"id": "b/1", "subject": "", "access_key_id": "", "session_name": "", "address": "", "listener": "", "since": 1, "deadline": 2});
    say(path::REPORT, json!({"boot": "b", "begun": [session], "over": ["b/2"], "whole": true}), 200);
    let item = standin::service::Question {
        action: "kafka-cluster:WriteData".into(),
        resource_type: "topic".into(),
        resource: Some("a".into()),
    };
    let questions = Questions::new(&standin::channel::Channel::default(), None, "", vec![item]);
    let body = questions.body().unwrap();
    let scope = wire::ScopeForm { namespaces: vec![CLUSTER.into()], arn_match_aws: false, tags: Vec::new() };
    let ask = wire::DecideAsk { proof: proof(DECIDE, &body), questions: String::from_utf8(body).unwrap(), scope };
    let answers = say(path::DECIDE, form(ask), 200);
    assert_eq!(answers["answers"][0]["outcome"], "allow");
    say(path::AUDIT, form(wire::AuditAsk { records: vec!["{}".into()] }), 503);
    say(path::ENROLL, json!({"host": "host/demo/9", "code": "x", "public_key": "AAAA"}), 403);

    let described: BTreeSet<String> = document["paths"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(described, seen, "paths of the document, and those that were tried");
    for path in &described {
        // There is such a route: it says more than that there is none.
        let request = format!("GET {path} HTTP/1.1\r\nhost: l\r\nconnection: close\r\n\r\n");
        assert_eq!(exchange(&place, serving.port, request.as_bytes()).status, 400, "{path}");
    }
    let unknown = exchange(
        &place,
        serving.port,
        b"POST /v1/other HTTP/1.1\r\nhost: l\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
    );
    assert_eq!(unknown.status, 404);
}

/// what is too long, or arrives too slowly, is put off.
#[test]
fn x_10_bodies_and_heads_have_bounds() {
    let place = Place::new();
    let serving = place.serve();
    let host = HostCredential::read(&place.enroll(&serving, "demo/1")).unwrap();
    let long = Request::of(&host, path::SEAL, &"x".repeat((1 << 20) + 1)).send(&place, serving.port);
    // Nothing came when the connection was reset before the answer was read.
    assert!([413, 0].contains(&long.status), "{}", long.status);
    let mut request = Request::of(&host, path::SEAL, "{}");
    request.host = "h".repeat(300_000);
    let status = request.send(&place, serving.port).status;
    assert!([431, 0].contains(&status), "{status}");
    assert_eq!(Request::of(&host, path::SEAL, "{}").send(&place, serving.port).status, 400);
    assert_eq!(Request::of(&host, path::SEAL, "[").send(&place, serving.port).status, 400);
}

/// An impersonation credential as it came.
struct Impersonated {
    credential: standin::service::Impersonation,
}

impl Impersonated {
    fn of(form: &Value) -> Self {
        use base64::Engine as _;
        let bytes =
            |name: &str| base64::engine::general_purpose::STANDARD.decode(form[name].as_str().unwrap()).unwrap();
        let credential = standin::service::Impersonation {
            id: form["id"].as_str().unwrap().to_owned(),
            secret: Some(standin::credential::Secret::new(bytes("secret"))),
            token: bytes("token"),
            expires: standin::time::UnixMillis(form["expires"].as_i64().unwrap()),
        };
        Self { credential }
    }

    fn prove(&self, purpose: &str, body: &[u8]) -> Proof {
        self.credential.prove("host/demo/1", clock().wall(), purpose, body)
    }
}

/// What `/metrics` says, and the table of it.
#[test]
fn metrics_are_those_of_the_document() {
    let place = Place::new();
    let serving = place.serve();
    let request = b"GET /metrics HTTP/1.1\r\nhost: l\r\nconnection: close\r\n\r\n";
    let text = exchange(&place, serving.port, request).body;
    let served: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs/service.md");
    let document = std::fs::read_to_string(path).unwrap();
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `standin_")?.split_once("` |"));
    let documented: BTreeSet<String> = rows.map(|(name, _)| format!("standin_{name}")).collect();
    assert_eq!(documented.iter().map(String::as_str).collect::<BTreeSet<_>>(), served);
}
