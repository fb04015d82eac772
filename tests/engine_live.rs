// SPDX-License-Identifier: Apache-2.0
//! The whole way on a real store: log in, decide, change, revoke, end.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use standin::access_control::{Owner, Store, StoreFiles};
use standin::channel::Channel;
use standin::credential::Secret;
use standin::credential::sigv4::{Signing, sign_msk_iam};
use standin::decision::Outcome;
use standin::fault::Status;
use standin::mechanism::{self, Batch, Engine, LoggedIn, Login, Refusal};
use standin::policy::ActionId;
use standin::session::{Ask, SessionId};
use standin::settings::Given;
use standin::time::{Clock, SystemClock, SystemRandom};

const CLUSTER: &str = "arn:aws:kafka:us-east-1:123456789012:cluster/demo/u-1";

struct House {
    _dir: tempfile::TempDir,
    number: u8,
    engine: Arc<Engine>,
    profile: u32,
    store: Store,
    write: ActionId,
    read: ActionId,
}

impl Drop for House {
    fn drop(&mut self) {
        mechanism::close(self.number, Duration::from_secs(5)).unwrap();
    }
}

fn files(dir: &Path) -> StoreFiles {
    StoreFiles { store: dir.join("store.db"), key_file: dir.join("store.db.key") }
}

fn house(name: &str, more: &[(&str, &str)]) -> House {
    let dir = tempfile::tempdir().unwrap();
    let at = files(dir.path());
    let store = Store::create(&at, "123456789012", Arc::new(SystemClock::new()), Arc::new(SystemRandom)).unwrap();
    let path = at.store.to_str().unwrap().to_owned();
    let mut pairs = vec![
        ("standin.store", path.as_str()),
        ("standin.engine", name),
        ("standin.cluster.arn", CLUSTER),
        ("standin.hosts", "localhost"),
    ];
    pairs.extend_from_slice(more);
    let given = Given::read(pairs, None).unwrap();
    let number = mechanism::open(&given).unwrap();
    let engine = mechanism::engine(number).unwrap();
    let profile = engine.profile(&given).unwrap();
    let write = engine.agent().intern("kafka-cluster:WriteData", "topic").unwrap();
    let read = engine.agent().intern("kafka-cluster:ReadData", "topic").unwrap();
    House { _dir: dir, number, engine, profile, store, write, read }
}

fn policy(effect: &str, actions: &[&str], topic: &str) -> String {
    serde_json::json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "kafka-cluster:Connect", "Resource": CLUSTER},
        {"Sid": "Data", "Effect": effect, "Action": actions, "Resource": format!("arn:aws:kafka:us-east-1:123456789012:topic/demo/u-1/{topic}")},
    ]})
    .to_string()
}

impl House {
    fn log_in(&self, id: &str, secret: &Secret, token: Option<&str>) -> Result<LoggedIn, Refusal> {
        let message = sign_msk_iam(&Signing {
            access_key_id: id,
            secret,
            session_token: token,
            host: "localhost",
            region: "us-east-1",
            date: SystemClock::new().wall(),
            expires: 900,
        })
        .unwrap();
        let channel = Channel {
            address: Some("192.0.2.7".parse().unwrap()),
            secure: true,
            listener: "CLIENT".into(),
            ..Channel::default()
        };
        let login = Login {
            profile: self.profile,
            payload: &mut message.into_bytes(),
            channel,
            channel_known: true,
            wait: Duration::from_secs(2),
        };
        self.engine.log_in(login)
    }

    fn decide(&self, id: SessionId, action: ActionId, topic: &str) -> Outcome {
        let ask = Ask { action, resource: topic, count: 1, log_allow: true, log_deny: true };
        let mut outcome = Outcome::Undecided;
        self.engine.authorize(id, Batch::default(), std::iter::once(ask), |o| outcome = o).unwrap();
        outcome
    }

    fn user(&self, name: &str, document: &str) -> (String, Secret) {
        self.store.create_user("test", "/", name, &[]).unwrap();
        self.store.put_inline("test", Owner::User(name), "own", document).unwrap();
        let (row, secret) = self.store.create_key("test", name).unwrap();
        (row.id, secret)
    }

    /// Waits until the decision is as expected; fails after two seconds.
    fn becomes(&self, id: SessionId, action: ActionId, topic: &str, expected: Outcome) {
        let by = Instant::now() + Duration::from_secs(2);
        while self.decide(id, action, topic) != expected {
            assert!(Instant::now() < by, "the decision did not become {expected:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// P1-01, P1-10, P1-35: one login, then every operation is decided.
#[test]
fn p1_01_operations_of_a_session_are_decided_by_policies() {
    let house = house("p1-01", &[]);
    let (id, secret) = house.user("writer", &policy("Allow", &["kafka-cluster:WriteData"], "orders-*"));
    let done = house.log_in(&id, &secret, None).map_err(|r| r.fault).unwrap();
    assert_eq!(done.session.principal.subject.arn(), "arn:aws:iam::123456789012:user/writer");
    assert!(done.reply.contains("2020_10_22"));
    for _ in 0..3 {
        assert_eq!(house.decide(done.id, house.write, "orders-1"), Outcome::Allow);
        assert_eq!(house.decide(done.id, house.write, "payments"), Outcome::Deny);
        assert_eq!(house.decide(done.id, house.read, "orders-1"), Outcome::Deny);
    }
}

/// X-09, P1-20: a change of policy reaches an open session with a warm cache,
/// both ways; a stale id is told apart from a denial.
#[test]
fn x_09_policy_changes_reach_open_sessions() {
    let house = house("x-09", &[]);
    let (id, secret) = house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*"));
    let session = house.log_in(&id, &secret, None).map_err(|r| r.fault).unwrap().id;
    assert_eq!(house.decide(session, house.write, "t"), Outcome::Allow);
    house.store.put_policy("test", "/", "stop", &policy("Deny", &["kafka-cluster:WriteData"], "*")).unwrap();
    house.store.attach("test", Owner::User("writer"), "stop").unwrap();
    house.becomes(session, house.write, "t", Outcome::Deny);
    assert_eq!(house.decide(session, house.read, "t"), Outcome::Allow);
    house.store.detach("test", Owner::User("writer"), "stop").unwrap();
    house.becomes(session, house.write, "t", Outcome::Allow);
    // Through a group as well.
    house.store.create_group("test", "/", "all").unwrap();
    house.store.attach("test", Owner::Group("all"), "stop").unwrap();
    house.store.add_to_group("test", "all", "writer").unwrap();
    house.becomes(session, house.write, "t", Outcome::Deny);
    house.engine.agent().release(session);
    let ask = Ask { action: house.write, resource: "t", count: 1, log_allow: false, log_deny: false };
    let fault = house
        .engine
        .authorize(session, Batch::default(), std::iter::once(ask), |_| panic!("nothing may be decided"))
        .unwrap_err();
    assert_eq!(fault.status, Status::UnknownId);
}

/// P1-17, P1-07: a disabled key ends its sessions and refuses the next login
/// with a reason for the operator; other refusals have theirs.
#[test]
fn p1_17_a_disabled_key_ends_its_sessions() {
    let house = house("p1-17", &[]);
    let (id, secret) = house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*"));
    let session = house.log_in(&id, &secret, None).map_err(|r| r.fault).unwrap().id;
    assert_eq!(house.decide(session, house.write, "t"), Outcome::Allow);
    house.store.set_key_active("test", &id, false).unwrap();
    house.becomes(session, house.write, "t", Outcome::Deny);
    let refusal = house.log_in(&id, &secret, None).err().unwrap();
    assert_eq!(refusal.fault.status, Status::KeyDisabled);
    assert!(refusal.client_text.contains("Access denied") && !refusal.client_text.contains("disabled"));
    house.store.set_key_active("test", &id, true).unwrap();
    let again = house.log_in(&id, &secret, None).map_err(|r| r.fault).unwrap().id;
    assert_eq!(house.decide(again, house.write, "t"), Outcome::Allow);
    assert_eq!(house.decide(session, house.write, "t"), Outcome::Deny, "what was ended stays ended");
    let wrong = Secret::new(b"wrong".to_vec());
    assert_eq!(house.log_in(&id, &wrong, None).err().unwrap().fault.status, Status::SignatureMismatch);
    assert_eq!(house.log_in("AKIAUNKNOWNUNKNOWN77", &secret, None).err().unwrap().fault.status, Status::UnknownKey);
}

/// P1-13, P1-14, P1-21: the deadline is the earliest end, and nothing is
/// allowed from then on, warm cache or not.
#[test]
fn p1_21_nothing_is_allowed_after_the_deadline() {
    let house = house("p1-21", &[("standin.session.max.ms", "1500")]);
    let (id, secret) = house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*"));
    let done = house.log_in(&id, &secret, None).map_err(|r| r.fault).unwrap();
    assert_eq!(house.decide(done.id, house.write, "t"), Outcome::Allow);
    assert!(done.session.deadline_wall.0 - SystemClock::new().wall().0 <= 1500);
    std::thread::sleep(Duration::from_millis(1600));
    assert_eq!(house.decide(done.id, house.write, "t"), Outcome::Deny);
    assert_eq!(house.engine.info(done.id).unwrap().state, "expired");
}

/// P1-35: an assumed role works, is limited by its session policy, and names
/// the role as its principal whatever the session is called.
#[test]
fn p1_35_temporary_credentials_of_a_role_work_within_their_limits() {
    use standin::access_control::AssumeRole;
    let house = house("p1-35", &[]);
    house.user("ann", &policy("Allow", &["sts:AssumeRole"], "*"));
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/ann"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"e-1"}}}]}"#;
    house.store.create_role("test", "/", "app", trust, 3600, &[]).unwrap();
    house.store.put_inline("test", Owner::Role("app"), "own", &policy("Allow", &["kafka-cluster:*"], "*")).unwrap();
    let ann = house.store.principal_of_user("ann").unwrap();
    let mut ask =
        AssumeRole { role: "app".into(), session_name: "pod-1".into(), duration: Some(900), ..AssumeRole::default() };
    assert_eq!(house.store.assume_role(&ann, &ask).err().unwrap().status, Status::NotAllowed);
    ask.external_id = Some("e-1".into());
    ask.policies = vec![policy("Allow", &["kafka-cluster:WriteData"], "*")];
    let issued = house.store.assume_role(&ann, &ask).unwrap();
    let done =
        house.log_in(&issued.access_key_id, &issued.secret, Some(&issued.session_token)).map_err(|r| r.fault).unwrap();
    assert_eq!(done.session.principal.subject.arn(), "arn:aws:iam::123456789012:role/app");
    assert_eq!(done.session.principal.attributes.session_name.as_deref(), Some("pod-1"));
    assert_eq!(house.decide(done.id, house.write, "t"), Outcome::Allow);
    assert_eq!(house.decide(done.id, house.read, "t"), Outcome::Deny, "the session policy narrows");
    let refused = house.log_in(&issued.access_key_id, &issued.secret, None).err().unwrap();
    assert_eq!(refused.fault.status, Status::UnknownKey, "the key does not work without its token");
}

/// X-14: a session that travels is decided for the original client; altered
/// bytes are refused.
#[test]
fn x_14_forwarded_sessions_keep_the_client_and_refuse_alteration() {
    let house = house("x-14", &[]);
    let (id, secret) = house.user("writer", &policy("Allow", &["kafka-cluster:WriteData"], "*"));
    let session = house.log_in(&id, &secret, None).map_err(|r| r.fault).unwrap().id;
    let sealed = house.engine.export(session).unwrap();
    let imported = house.engine.import(&sealed, Duration::from_secs(1)).unwrap();
    assert_ne!(imported, session);
    assert_eq!(house.decide(imported, house.write, "t"), Outcome::Allow);
    assert_eq!(house.decide(imported, house.read, "t"), Outcome::Deny);
    for n in [0, 1, 10, sealed.len() - 1] {
        let mut altered = sealed.clone();
        altered[n] ^= 1;
        assert!(house.engine.import(&altered, Duration::from_secs(1)).is_err(), "byte {n}");
    }
    house.store.set_key_active("test", &id, false).unwrap();
    house.becomes(imported, house.write, "t", Outcome::Deny);
}

/// A14 of the design review: one engine per name; other settings are an error
/// that names them; the last close stops it.
#[test]
fn engines_are_shared_by_name_and_differing_settings_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let at = files(dir.path());
    Store::create(&at, "123456789012", Arc::new(SystemClock::new()), Arc::new(SystemRandom)).unwrap();
    let path = at.store.to_str().unwrap();
    let pairs = [("standin.store", path), ("standin.engine", "shared")];
    let first = mechanism::open(&Given::read(pairs, None).unwrap()).unwrap();
    let second = mechanism::open(&Given::read(pairs, None).unwrap()).unwrap();
    assert_eq!(first, second);
    let other = [pairs[0], pairs[1], ("standin.audit.window.ms", "5000")];
    let fault = mechanism::open(&Given::read(other, None).unwrap()).unwrap_err();
    assert_eq!(fault.status, Status::SettingsDiffer);
    assert!(fault.text.contains("standin.audit.window.ms"), "{fault}");
    assert!(!mechanism::close(first, Duration::from_secs(5)).unwrap());
    assert!(mechanism::engine(first).is_ok());
    assert!(mechanism::close(first, Duration::from_secs(5)).unwrap());
    assert!(mechanism::engine(first).is_err());
}
