// SPDX-License-Identifier: Apache-2.0
//! `standin.decide=remote`: operations decided by the service, each proven by
//! the credential that stands in for the client.

use std::sync::atomic::Ordering;

use standin::access_control::Owner;
use standin::decision::{Inputs, Keys, Outcome};
use standin::fault::Status;
use standin::identity::{Attributes, Identity, Principal};
use standin::mechanism::Batch;
use standin::policy::ActionTable;
use standin::service::{Entitlements, PolicyText, Shelf};
use standin::settings::EngineSettings;
use standin::time::UnixMillis;

use crate::house::{House, channel, given, house, place, policy, still_house};

const REMOTE: (&str, &str) = ("standin.decide", "remote");

fn asked(house: &House) -> usize {
    house.service.asked.lock().unwrap().len()
}

/// P1-10: each client's questions are proven by its own credential; without a
/// credential nothing is asked and nothing allowed.
#[test]
fn p1_10_every_question_is_proven_by_the_clients_own_credential() {
    let house = house(&[REMOTE, ("standin.decide.ttl.ms", "0")]);
    let mut sessions = Vec::new();
    for n in 0..100 {
        let user = house.user(&format!("u{n}"), &policy("Allow", &["kafka-cluster:WriteData"], &format!("t{n}")));
        let id = house.enter(&user);
        let token = house.service.asked.lock().unwrap().last().unwrap().token.clone();
        sessions.push((id, token, user));
    }
    // Interleaved, in an order that repeats nobody twice in a row.
    for step in 0..300 {
        let n = (step * 37) % 100;
        let (id, token, _) = &sessions[n];
        assert_eq!(house.decide_waiting(*id, house.write, &format!("t{n}"), 2000), Outcome::Allow);
        assert_eq!(house.decide_waiting(*id, house.write, &format!("t{}", (n + 1) % 100), 2000), Outcome::Deny);
        assert_eq!(house.service.asked.lock().unwrap().last().unwrap().token, *token, "client {n}");
    }
    let (id, _, user) = &sessions[7];
    house.store.set_key_active("test", &user.0, false).unwrap();
    house.until("the end of the credential", || house.engine.agent().held() == 99);
    let before = asked(&house);
    assert_eq!(house.decide_waiting(*id, house.write, "t7", 2000), Outcome::Deny);
    assert_eq!(asked(&house), before);
}

/// P1-09, P1-23: what is sent holds no secret and no signature of the client,
/// and a request that is changed on the way is not believed.
#[test]
fn p1_23_requests_prove_possession_and_hold_no_secret() {
    let house = house(&[REMOTE, ("standin.decide.ttl.ms", "0")]);
    let (id, secret) = house.user("writer", &policy("Allow", &["kafka-cluster:WriteData"], "*"));
    let message = house.message(&id, &secret, None);
    let signature = message[message.find("x-amz-signature\":\"").unwrap() + 18..][..64].to_owned();
    let session = house.present(&message, channel("192.0.2.7"), true).map_err(|r| r.fault).unwrap().id;
    for n in 0..1000 {
        assert_eq!(house.decide_waiting(session, house.write, &format!("t{n}"), 2000), Outcome::Allow);
    }
    let mut never = house.service.secrets.lock().unwrap().clone();
    never.push(secret.expose().to_vec());
    never.push(signature.into_bytes());
    {
        let asked = house.service.asked.lock().unwrap();
        assert!(asked.len() > 1000);
        for request in asked.iter() {
            assert_eq!(request.questions, 1);
            for bytes in &never {
                assert!(!request.sent.windows(bytes.len()).any(|w| w == bytes.as_slice()));
            }
        }
    }
    house.service.tamper.store(true, Ordering::SeqCst);
    assert_eq!(house.decide_waiting(session, house.write, "t", 2000), Outcome::Deny, "bad signature");
    assert_eq!(house.decide_waiting(session, house.write, "t", 2000), Outcome::Allow);
}

/// P1-20: the same question costs the service one request within the time an
/// answer may be repeated, for an allow and for a deny.
#[test]
fn p1_20_answers_are_repeated_from_the_cache_for_their_time() {
    let house = still_house(&[REMOTE, ("standin.decide.ttl.ms", "2000")]);
    let id = house.enter(&house.user("writer", &policy("Allow", &["kafka-cluster:WriteData"], "*")));
    for (action, expected) in [(house.write, Outcome::Allow), (house.read, Outcome::Deny)] {
        let before = asked(&house);
        for _ in 0..1000 {
            assert_eq!(house.decide_waiting(id, action, "t", 2000), expected);
        }
        assert_eq!(asked(&house), before + 1);
        house.clock.pass(2000);
        for _ in 0..1000 {
            assert_eq!(house.decide_waiting(id, action, "t", 2000), expected);
        }
        assert_eq!(asked(&house), before + 2);
    }
}

/// P1-20, X-09: a change of policy empties the cache long before its time.
#[test]
fn x_09_a_change_reaches_a_warm_cache_of_remote_answers() {
    let house = house(&[REMOTE, ("standin.decide.ttl.ms", "60000")]);
    let id = house.enter(&house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*")));
    assert_eq!(house.decide_waiting(id, house.write, "t", 2000), Outcome::Allow);
    house.store.put_inline("test", Owner::User("writer"), "no", &policy("Deny", &["kafka-cluster:*"], "*")).unwrap();
    house.until("the deny", || house.decide_waiting(id, house.write, "t", 2000) == Outcome::Deny);
}

/// P1-43: a thread that may not wait gets *undecided*, and the answer is
/// fetched for the next time; a silent service is undecided, not a denial.
#[test]
fn p1_43_what_cannot_be_waited_for_is_undecided() {
    let house = house(&[REMOTE, ("standin.decide.ttl.ms", "60000")]);
    let id = house.enter(&house.user("writer", &policy("Allow", &["kafka-cluster:WriteData"], "*")));
    assert_eq!(house.decide(id, house.write, "t"), Outcome::Undecided);
    house.becomes(id, house.write, "t", Outcome::Allow);
    house.service.down.store(true, Ordering::SeqCst);
    assert_eq!(house.decide_waiting(id, house.write, "other", 200), Outcome::Undecided);
    assert_eq!(house.decide_waiting(id, house.write, "t", 200), Outcome::Allow, "from the cache");
    house.service.down.store(false, Ordering::SeqCst);
    house.service.slow.store(500, Ordering::SeqCst);
    assert_eq!(house.decide_waiting(id, house.write, "slow", 50), Outcome::Undecided);
}

/// The same 200 questions come out the same from local entitlements and from
/// the service.
#[test]
fn local_and_remote_decisions_are_identical() {
    let document = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":"kafka-cluster:Connect","Resource":"*"},
        {"Effect":"Allow","Action":"kafka-cluster:*Data","Resource":"arn:aws:kafka:us-east-1:123456789012:topic/demo/u-1/t*"},
        {"Effect":"Deny","Action":"kafka-cluster:WriteData","Resource":"arn:aws:kafka:*:*:*/t1?"},
        {"Effect":"Allow","Action":"kafka-cluster:DescribeTopic","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"},"StringEquals":{"aws:PrincipalTag/team":"red"}}},
        {"Effect":"Allow","Action":"kafka-cluster:*Group","Resource":"arn:aws:kafka:us-east-1:123456789012:group/demo/*/${aws:username}-*"}]}"#;
    let ask = |more: &[(&str, &str)]| {
        let house = house(more);
        let user = house.user("writer", document);
        house.store.tag_user("test", "writer", &[("team".into(), "red".into())]).unwrap();
        house.settled();
        let id = house.enter(&user);
        let mut outcomes = Vec::new();
        for (verb, kind) in
            [("ReadData", "topic"), ("WriteData", "topic"), ("DescribeTopic", "topic"), ("AlterGroup", "group")]
        {
            let action = house.engine.agent().intern(&format!("kafka-cluster:{verb}"), kind).unwrap();
            for n in 0..50 {
                let name = if kind == "group" && n % 2 == 0 { format!("writer-{n}") } else { format!("t{n}") };
                outcomes.push(house.decide_waiting(id, action, &name, 2000));
            }
            let batch = Batch { wait: std::time::Duration::from_secs(2), ..Batch::default() };
            outcomes.push(house.engine.authorize_any(id, batch, action).unwrap());
        }
        outcomes
    };
    let (local, remote) = (ask(&[]), ask(&[REMOTE]));
    assert_eq!(local, remote);
    assert!(local.contains(&Outcome::Allow) && local.contains(&Outcome::Deny) && !local.contains(&Outcome::Undecided));
}

/// Connect is decided by the service too; when it cannot answer, the login is
/// put off and not refused.
#[test]
fn a_login_whose_connect_cannot_be_decided_is_put_off() {
    let house = house(&[REMOTE]);
    let refused = house.user(
        "no",
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kafka-cluster:ReadData","Resource":"*"}}"#,
    );
    assert_eq!(house.log_in(&refused.0, &refused.1, None).err().unwrap().fault.status, Status::ConnectNotAllowed);
    let user = house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*"));
    house.enter(&user);
    house.service.down.store(true, Ordering::SeqCst);
    let before = asked(&house);
    house.log_in(&user.0, &user.1, None).map_err(|r| r.fault).unwrap();
    assert_eq!(asked(&house), before, "decided for this context a moment ago");
    let elsewhere = house.present(&house.message(&user.0, &user.1, None), channel("192.0.2.9"), true);
    elsewhere.map_err(|r| r.fault).unwrap();
}

/// Policies compiled for one numbering of actions are not used for another of
/// as many: the embedded service begins its numbering anew when there are too
/// many actions.
#[test]
fn a_compiled_set_belongs_to_one_numbering_of_actions() {
    let dir = place();
    let shelf = Shelf::new(&EngineSettings::of(&given(dir.path(), &[])).unwrap());
    let document = policy("Allow", &["kafka-cluster:ReadData"], "*");
    let entitled =
        Entitlements { policies: vec![PolicyText::new("inline/u/own", &document)], ..Entitlements::default() };
    let mut kept = Vec::new();
    for names in
        [["kafka-cluster:ReadData", "kafka-cluster:WriteData"], ["kafka-cluster:WriteData", "kafka-cluster:ReadData"]]
    {
        let mut table = ActionTable::new();
        let ids = names.map(|name| table.intern(name, "topic"));
        let set = shelf.set(&entitled, &[], &table).unwrap();
        let principal = Principal {
            subject: Identity::parse("arn:aws:iam::123456789012:user/u").unwrap(),
            attributes: Attributes::default(),
            actors: Vec::new(),
            grant: None,
        };
        let inputs = Inputs {
            principal: &principal,
            channel: &channel("192.0.2.7"),
            address: None,
            client_id: "",
            now: UnixMillis(0),
            resource_tags: &[],
            keys: Keys::Host,
        };
        for (name, id) in names.iter().zip(ids) {
            let expected = if name.ends_with("ReadData") { Outcome::Allow } else { Outcome::Deny };
            assert_eq!(set.compiled.decide(id, "t", &inputs).outcome, expected, "{name}");
        }
        kept.push(set);
    }
}
