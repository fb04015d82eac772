// SPDX-License-Identifier: Apache-2.0
//! What clients may show: the message of `AWS_MSK_IAM`, tokens, certificates;
//! and listeners that accept some of it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use rcgen::{CertificateParams, DnType, KeyPair, SanType};
use serde_json::Value;
use standin::access_control::Store;
use standin::channel::Channel;
use standin::credential::Secret;
use standin::credential::sigv4::{Signing, sign_msk_iam};
use standin::decision::Outcome;
use standin::fault::{Kind, Status};
use standin::mechanism::{self, LoggedIn, Login, Refusal};
use standin::settings::{EvidenceKind, Given};
use standin::time::{Clock, SystemClock};

use crate::house::{CLUSTER, House, channel, files, house, place, policy};
use crate::service::Stub;

const IOT: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:us-east-1:123456789012:client/${iot:ClientId}","Condition":{"StringLike":{"iot:ClientId":"sensor-*"}}},
    {"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:us-east-1:123456789012:topic/sensors/${iot:ClientId}/*"}]}"#;

const MQTT: [(&str, &str); 4] = [
    ("standin.cluster.arn", ""),
    ("standin.namespace", "arn:aws:iot:us-east-1:123456789012"),
    ("standin.evidence", "token,certificate"),
    ("standin.certificate.identity", "user/${cn}"),
];

/// What the MSK signers make.
fn token((id, secret): &(String, Secret)) -> String {
    let message = sign_msk_iam(&Signing {
        access_key_id: id,
        secret,
        session_token: None,
        host: "kafka.us-east-1.amazonaws.com",
        region: "us-east-1",
        date: SystemClock::new().wall(),
        expires: 900,
    });
    let message: Value = serde_json::from_str(&message.unwrap()).unwrap();
    let text = |name: &str| message[name].as_str().unwrap().replace('/', "%2F").replace(':', "%3A");
    let url = format!(
        "https://kafka.us-east-1.amazonaws.com/?Action={}&X-Amz-Algorithm={}&X-Amz-Credential={}&X-Amz-Date={}&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Signature={}&User-Agent=test",
        text("action"),
        text("x-amz-algorithm"),
        text("x-amz-credential"),
        text("x-amz-date"),
        text("x-amz-signature"),
    );
    base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, url)
}

fn certificate(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
    let mut params = CertificateParams::default();
    change(&mut params);
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

fn of_sensor(name: &str) -> Vec<u8> {
    certificate(|params| params.distinguished_name.push(DnType::CommonName, name))
}

fn connect(house: &House, kind: EvidenceKind, shown: &[u8], client: &str) -> Result<LoggedIn, Refusal> {
    let action = house.engine.agent().intern("iot:Connect", "client").unwrap();
    let mut payload = shown.to_vec();
    house.engine.log_in(Login {
        profile: house.profile,
        kind,
        payload: &mut payload,
        channel: Channel { facts: vec![("iot:clientid".into(), client.into())], ..channel("192.0.2.7") },
        channel_known: true,
        connect: Some((action, client.into())),
        wait: Duration::from_secs(2),
    })
}

/// CX-04: the same key logs in by message and by token; a token stands for one
/// client whose own facts its policies look at.
#[test]
fn a_token_logs_in_and_the_hosts_own_facts_decide() {
    let house = house(&MQTT);
    let user = house.user("sensors", IOT);
    let publish = house.engine.agent().intern("iot:Publish", "topic").unwrap();
    let enter = |client: &str| connect(&house, EvidenceKind::Token, token(&user).as_bytes(), client);
    let one = enter("sensor-1").map_err(|r| r.fault).unwrap();
    let two = enter("sensor-2").map_err(|r| r.fault).unwrap();
    assert!(one.reply.is_empty());
    for _ in 0..2 {
        assert_eq!(house.decide(one.id, publish, "sensors/sensor-1/t"), Outcome::Allow);
        assert_eq!(house.decide(one.id, publish, "sensors/sensor-2/t"), Outcome::Deny);
        assert_eq!(house.decide(two.id, publish, "sensors/sensor-2/t"), Outcome::Allow);
        assert_eq!(house.decide(two.id, publish, "sensors/sensor-1/t"), Outcome::Deny);
    }
    let fault = enter("other").err().unwrap().fault;
    assert_eq!(fault.status, Status::ConnectNotAllowed);
    assert!(fault.text.contains("iot:Connect"), "{fault}");
    let message = house.message(&user.0, &user.1, None);
    let fault = house.present(&message, channel("192.0.2.7"), true).err().unwrap().fault;
    assert_eq!(fault.status, Status::KindNotAccepted);
}

/// Those who are logged in get their policies for it once they can be read.
#[test]
fn an_action_that_is_new_while_the_store_is_away_is_decided_afterwards() {
    let house = house(&MQTT);
    let user = house.user("sensors", IOT);
    let session =
        connect(&house, EvidenceKind::Token, token(&user).as_bytes(), "sensor-1").map_err(|r| r.fault).unwrap();
    house.service.down.store(true, Ordering::SeqCst);
    let publish = house.engine.agent().intern("iot:Publish", "topic").unwrap();
    assert_ne!(house.decide(session.id, publish, "sensors/sensor-1/t"), Outcome::Allow);
    house.service.down.store(false, Ordering::SeqCst);
    house.until("the policies", || house.decide(session.id, publish, "sensors/sensor-1/t") == Outcome::Allow);
    assert_eq!(house.decide(session.id, publish, "sensors/sensor-2/t"), Outcome::Deny);
}

/// A certificate stands for the user of its name, until it ends or the user
/// is disabled; nobody else's.
#[test]
fn a_certificate_stands_for_the_user_of_its_name() {
    let house = house(&MQTT);
    house.user("sensor-1", IOT);
    let publish = house.engine.agent().intern("iot:Publish", "topic").unwrap();
    let der = of_sensor("sensor-1");
    let enter = |der: &[u8]| connect(&house, EvidenceKind::Certificate, der, "sensor-1");
    let session = enter(&der).map_err(|r| r.fault).unwrap();
    let info = house.engine.info(session.id).unwrap();
    assert_eq!(info.principal, "arn:aws:iam::123456789012:user/sensor-1");
    assert!(info.access_key_id.starts_with("x509:"), "{}", info.access_key_id);
    assert_eq!(house.decide(session.id, publish, "sensors/sensor-1/t"), Outcome::Allow);
    // Known by now: the service is not asked again.
    enter(&der).map_err(|r| r.fault).unwrap();
    assert_eq!(Stub::count(&house.service.logins), 1);

    assert_eq!(enter(&of_sensor("nobody")).err().unwrap().fault.status, Status::UnknownKey);
    for (bad, why) in [
        (certificate(|p| p.distinguished_name = rcgen::DistinguishedName::new()), "common name"),
        (certificate(|p| p.subject_alt_names.push(SanType::DnsName("x".try_into().unwrap()))), "no user"),
        (der[..der.len() - 1].to_vec(), "X.509"),
        ([der.as_slice(), b"x"].concat(), "follow"),
        (Vec::new(), "X.509"),
    ] {
        let fault = enter(&bad).err().unwrap().fault;
        assert_eq!(fault.kind(), Kind::Refused, "{fault}");
        assert!(fault.text.contains(why), "{fault}: {why}");
    }
    let past = certificate(|params| {
        params.distinguished_name.push(DnType::CommonName, "sensor-1");
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    });
    assert_eq!(enter(&past).err().unwrap().fault.status, Status::Expired);

    house.store.set_user_disabled("test", "sensor-1", true).unwrap();
    house.until("the end of the session", || house.engine.info(session.id).unwrap().state == "ended");
    assert_eq!(house.decide(session.id, publish, "sensors/sensor-1/t"), Outcome::Deny);
    assert_eq!(enter(&der).err().unwrap().fault.status, Status::IdentityDisabled);
}

/// A listener's settings can be changed while it runs; bad ones change nothing.
#[test]
fn a_named_profile_changes_for_the_next_login() {
    let house = house(&[]);
    let user = house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*"));
    let with = |hosts: &str| Given::read([("standin.hosts", hosts)], None).unwrap();
    let number = house.engine.named_profile("client", &with("localhost")).unwrap();
    assert_ne!(number, house.profile);
    let log_in = || {
        let mut payload = house.message(&user.0, &user.1, None).into_bytes();
        let login = Login {
            profile: number,
            kind: EvidenceKind::MskIam,
            payload: &mut payload,
            channel: channel("192.0.2.7"),
            channel_known: true,
            connect: None,
            wait: Duration::from_secs(2),
        };
        house.engine.log_in(login).map(|done| done.id).map_err(|r| r.fault.status)
    };
    let before = log_in().unwrap();
    assert_eq!(house.engine.named_profile("client", &with("elsewhere")).unwrap(), number);
    assert_eq!(log_in(), Err(Status::WrongHost));
    assert_eq!(house.decide(before, house.write, "t"), Outcome::Allow);
    let bad = house.engine.named_profile("client", &with("https://elsewhere")).unwrap_err();
    assert_eq!(bad.status, Status::InvalidSetting);
    assert_eq!(log_in(), Err(Status::WrongHost));
    house.engine.named_profile("client", &with("localhost")).unwrap();
    log_in().unwrap();
}

/// Settings change in a running engine, all or none; what cannot change is
/// named.
#[test]
fn a_running_engine_takes_changed_settings_whole() {
    let dir = place();
    let files = files(dir.path());
    let clock: std::sync::Arc<dyn Clock> = std::sync::Arc::new(SystemClock::new());
    Store::create(&files, "123456789012", clock, std::sync::Arc::new(standin::time::SystemRandom)).unwrap();
    let config = dir.path().join("standin.toml");
    let write = |text: &str| std::fs::write(&config, text).unwrap();
    write("stale.after.ms = 20000\n");
    let (store, config) = (files.store.to_str().unwrap(), config.to_str().unwrap().to_owned());
    let pairs = [
        ("standin.store", store),
        ("standin.engine", "reloaded"),
        ("standin.cluster.arn", CLUSTER),
        ("standin.config", &config),
    ];
    let number = mechanism::open(&Given::read(pairs, None).unwrap()).unwrap();
    let engine = mechanism::engine(number).unwrap();
    assert_eq!(engine.settings().stale_after, 20_000);
    write("stale.after.ms = 25000\n");
    engine.reload([("standin.idempotent", "strict")]).unwrap();
    assert_eq!((engine.settings().stale_after, engine.settings().idempotent_strict), (25_000, true));
    for (bad, names) in [
        ([("standin.stale.after.ms", "9000"), ("standin.decide", "remote")], "standin.decide"),
        ([("standin.stale.after.ms", "9000"), ("standin.feed.interval.ms", "1")], "10 to 10000"),
        ([("standin.stale.after.ms", "9000"), ("standin.idempotnt", "x")], "standin.idempotent"),
    ] {
        let fault = engine.reload(bad).unwrap_err();
        assert_eq!(fault.status, Status::InvalidSetting);
        assert!(fault.text.contains(names), "{fault}");
        assert_eq!((engine.settings().stale_after, engine.settings().idempotent_strict), (25_000, true));
    }
    // What was changed stays changed, and another opener sees it.
    engine.reload([]).unwrap();
    assert!(engine.settings().idempotent_strict);
    let same = Given::read(pairs.into_iter().chain([("standin.idempotent", "strict")]), None).unwrap();
    assert_eq!(mechanism::open(&same).unwrap(), number);
    let differs = mechanism::open(&Given::read(pairs, None).unwrap()).unwrap_err();
    assert!(differs.text.contains("standin.idempotent"), "{differs}");
    for _ in 0..2 {
        mechanism::close(number, Duration::from_secs(5)).unwrap();
    }
}
