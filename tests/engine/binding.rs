// SPDX-License-Identifier: Apache-2.0
//! Hosts that tell the channel only after the login, as Kafka does.

use standin::decision::Outcome;
use standin::fault::Status;

use crate::house::{channel, house, policy};

const NEAR: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Action":"kafka-cluster:*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/28"}}}]}"#;

/// Nothing is allowed before the channel is told and found allowed; the first
/// channel counts.
#[test]
fn a_session_waits_for_its_channel() {
    let house = house(&[]);
    let (id, secret) = house.user("writer", NEAR);
    let message = house.message(&id, &secret, None);
    let begin = || house.present(&message, channel("0.0.0.0"), false).map_err(|r| r.fault).unwrap().id;
    let near = begin();
    assert_eq!(house.engine.info(near).unwrap().state, "binding");
    assert_eq!(house.decide(near, house.write, "t"), Outcome::Deny);
    house.engine.bind(near, channel("192.0.2.7")).map_err(|r| r.fault).unwrap();
    assert_eq!(house.decide(near, house.write, "t"), Outcome::Allow);
    house.engine.bind(near, channel("198.51.100.1")).map_err(|r| r.fault).unwrap();
    assert_eq!(house.decide(near, house.write, "t"), Outcome::Allow);

    let far = begin();
    let refusal = house.engine.bind(far, channel("198.51.100.1")).err().unwrap();
    assert_eq!(refusal.fault.status, Status::ConnectNotAllowed);
    assert_eq!(refusal.client_text, format!("[{}]: Access denied", refusal.request_id));
    assert_eq!(house.decide(far, house.write, "t"), Outcome::Deny);
    assert_eq!(house.engine.info(far).unwrap().state, "ended");

    let plain = begin();
    let mut open = channel("192.0.2.7");
    open.secure = false;
    assert_eq!(house.engine.bind(plain, open).err().unwrap().fault.status, Status::PlaintextChannel);
    assert_eq!(house.decide(plain, house.write, "t"), Outcome::Deny);
}

/// A login is one record, with the address once it is known, and is recorded
/// though the channel is never told.
#[test]
fn x_10_a_login_is_recorded_once_with_its_address() {
    let house = house(&[]);
    let (id, secret) = house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*"));
    let message = house.message(&id, &secret, None);
    let begin = || house.present(&message, channel("0.0.0.0"), false).map_err(|r| r.fault).unwrap();
    let logins = || -> Vec<_> {
        let mut records = house.records();
        records.retain(|r| r["activity_name"] == "Logon");
        records.iter().map(|r| (r["metadata"]["correlation_uid"].clone(), r["src_endpoint"]["ip"].clone())).collect()
    };
    let told = begin();
    assert!(logins().is_empty());
    house.engine.bind(told.id, channel("192.0.2.7")).map_err(|r| r.fault).unwrap();
    house.engine.bind(told.id, channel("192.0.2.8")).map_err(|r| r.fault).unwrap();
    let closed = begin();
    house.engine.agent().retire(closed.id, 0);
    let ended = begin();
    house.engine.agent().end(ended.id, "test");
    house.engine.agent().release(ended.id);
    let expected: Vec<_> = [(&told, "192.0.2.7".into()), (&closed, ().into()), (&ended, ().into())]
        .into_iter()
        .map(|(done, ip): (_, serde_json::Value)| (done.session.begin.request_id.to_string().into(), ip))
        .collect();
    assert_eq!(logins(), expected);
}

/// An administrator who ends a session between login and channel is not
/// overruled by the channel.
#[test]
fn a_session_ended_before_its_channel_stays_ended() {
    let house = house(&[]);
    let (id, secret) = house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*"));
    let session = house.present(&house.message(&id, &secret, None), channel("0.0.0.0"), false);
    let session = session.map_err(|r| r.fault).unwrap().id;
    house.engine.agent().end(session, "ended by an administrator");
    house.engine.bind(session, channel("192.0.2.7")).map_err(|r| r.fault).unwrap();
    assert_eq!(house.decide(session, house.write, "t"), Outcome::Deny);
}

/// One who ends a session while the service still ponders whether it may
/// connect is not overruled by its answer.
#[test]
fn a_session_ended_while_its_connect_is_decided_stays_ended() {
    let house = house(&[("standin.decide", "remote")]);
    let (id, secret) = house.user("writer", NEAR);
    let session = house.present(&house.message(&id, &secret, None), channel("0.0.0.0"), false);
    let session = session.map_err(|r| r.fault).unwrap().id;
    let agent = std::sync::Arc::clone(house.engine.agent());
    *house.service.while_deciding.lock().unwrap() = Some(Box::new(move || agent.end(session, "test")));
    let refusal = house.engine.bind(session, channel("192.0.2.7")).err().unwrap();
    assert_eq!(refusal.fault.status, Status::Revoked);
    assert_eq!(house.decide_waiting(session, house.write, "t", 2000), Outcome::Deny);
}

/// P1-17: a key disabled while it is decided whether its client may connect.
#[test]
fn p1_17_a_key_disabled_during_the_login_is_refused() {
    let house = house(&[("standin.decide", "remote")]);
    let (id, secret) = house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*"));
    let other = standin::access_control::Store::open(
        &crate::house::files(house.dir.path()),
        std::sync::Arc::new(standin::time::SystemClock::new()),
        std::sync::Arc::new(standin::time::SystemRandom),
    );
    let (store, key, agent) = (other.unwrap(), id.clone(), std::sync::Arc::clone(house.engine.agent()));
    *house.service.while_deciding.lock().unwrap() = Some(Box::new(move || {
        store.set_key_active("test", &key, false).unwrap();
        while agent.held() > 0 {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }));
    let fault = house.log_in(&id, &secret, None).err().unwrap().fault;
    assert!(matches!(fault.status, Status::Revoked | Status::ConnectNotAllowed), "{fault}");
    assert_eq!(house.engine.agent().sessions().len(), 0);
}

/// P1-17: a key disabled between login and channel.
#[test]
fn p1_17_a_key_disabled_before_the_channel_is_told_is_refused() {
    let house = house(&[]);
    let (id, secret) = house.user("writer", &policy("Allow", &["kafka-cluster:*"], "*"));
    let session = house.present(&house.message(&id, &secret, None), channel("0.0.0.0"), false);
    let session = session.map_err(|r| r.fault).unwrap().id;
    house.store.set_key_active("test", &id, false).unwrap();
    house.until("the end", || house.engine.agent().held() == 0);
    house.engine.bind(session, channel("192.0.2.7")).map_err(|r| r.fault).ok();
    assert_eq!(house.decide(session, house.write, "t"), Outcome::Deny);
}
