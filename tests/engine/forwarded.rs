// SPDX-License-Identifier: Apache-2.0
//! Sessions that travel with forwarded requests.

use std::sync::atomic::Ordering;
use std::time::Duration;

use standin::access_control::Owner;
use standin::decision::Outcome;
use standin::fault::{Kind, Status};

use crate::house::{decide_in, house, policy, still_house};

const SECOND: Duration = Duration::from_secs(1);

/// X-14: a session that travels is decided for the original client; altered
/// bytes are refused; what ends the original ends it too.
#[test]
fn x_14_forwarded_sessions_keep_the_client_and_refuse_alteration() {
    let house = house(&[]);
    let (id, secret) = house.user("writer", &policy("Allow", &["kafka-cluster:WriteData"], "*"));
    let session = house.log_in(&id, &secret, None).map_err(|r| r.fault).unwrap().id;
    let sealed = house.engine.export(session).unwrap();
    let imported = house.engine.import(&sealed, SECOND).unwrap();
    assert_ne!(imported, session);
    assert_eq!(house.decide(imported, house.write, "t"), Outcome::Allow);
    assert_eq!(house.decide(imported, house.read, "t"), Outcome::Deny);
    for n in [0, 1, 10, sealed.len() - 1] {
        let mut altered = sealed.clone();
        altered[n] ^= 1;
        let fault = house.engine.import(&altered, SECOND).unwrap_err();
        assert_ne!(fault.kind(), Kind::Internal, "byte {n}");
    }
    assert!(house.engine.import(&sealed[..sealed.len() / 2], SECOND).is_err());
    house.store.set_key_active("test", &id, false).unwrap();
    house.becomes(imported, house.write, "t", Outcome::Deny);
    assert_eq!(
        house.engine.import(&sealed, SECOND).map(|id| house.decide(id, house.write, "t")).unwrap_or_default(),
        Outcome::Deny
    );
}

/// The same session forwarded a hundred times is one session on the other
/// side; after a change of policy it is another.
#[test]
fn the_same_session_is_taken_in_once() {
    let house = house(&[]);
    let session = house.enter(&house.user("writer", &policy("Allow", &["kafka-cluster:WriteData"], "*")));
    let first = house.engine.import(&house.engine.export(session).unwrap(), SECOND).unwrap();
    for _ in 0..100 {
        let sealed = house.engine.export(session).unwrap();
        assert_eq!(house.engine.import(&sealed, SECOND).unwrap(), first);
    }
    assert_eq!(house.engine.agent().sessions().len(), 2);
    house.store.put_inline("test", Owner::User("writer"), "no", &policy("Deny", &["kafka-cluster:*"], "*")).unwrap();
    house.becomes(session, house.write, "t", Outcome::Deny);
    let later = house.engine.import(&house.engine.export(session).unwrap(), SECOND).unwrap();
    assert_eq!(house.decide(later, house.write, "t"), Outcome::Deny);
}

/// A controller whose feed is behind does not decide with older policies than
/// the broker knew: it reads them again. It follows changes by itself.
#[test]
fn a8_a_forwarded_session_is_never_decided_with_older_policies() {
    let broker = house(&[]);
    let controller = broker.neighbour();
    let user = broker.user("writer", &policy("Allow", &["kafka-cluster:WriteData"], "*"));
    let session = broker.enter(&user);
    let decide = |id| decide_in(&controller.engine, id, broker.write, "t", 0);
    let import = || controller.engine.import(&broker.engine.export(session).unwrap(), SECOND).unwrap();
    let first = import();
    assert_eq!(decide(first), Outcome::Allow);
    // The controller hears nothing any more; the broker learns of a deny.
    controller.service.deaf.store(true, Ordering::SeqCst);
    broker.store.put_inline("test", Owner::User("writer"), "no", &policy("Deny", &["kafka-cluster:*"], "*")).unwrap();
    broker.becomes(session, broker.write, "t", Outcome::Deny);
    assert_eq!(decide(first), Outcome::Allow, "what it knew");
    assert_eq!(decide(import()), Outcome::Deny, "what the broker knew");
    assert_eq!(decide(first), Outcome::Deny, "in force for every session of the client");
    controller.service.deaf.store(false, Ordering::SeqCst);
    broker.store.delete_inline("test", Owner::User("writer"), "no").unwrap();
    broker.until("the change", || decide(first) == Outcome::Allow);
}

/// Expired is refused; no answer is undecided; so is a newer format.
#[test]
fn x_14_a_forwarded_session_ends_with_the_original_and_is_undecided_without_an_answer() {
    let house = still_house(&[("standin.session.max.ms", "20000")]);
    let session = house.enter(&house.user("writer", &policy("Allow", &["kafka-cluster:WriteData"], "*")));
    let sealed = house.engine.export(session).unwrap();
    let imported = house.engine.import(&sealed, SECOND).unwrap();
    house.clock.pass(20_000);
    assert_eq!(house.decide(imported, house.write, "t"), Outcome::Deny);
    house.clock.pass(61_000);
    house.until("the sweep", || house.engine.info(imported).is_err());
    assert_eq!(house.engine.import(&sealed, SECOND).unwrap_err().status, Status::Expired);

    let house = crate::house::house(&[]);
    let user = house.user("writer", &policy("Allow", &["kafka-cluster:WriteData"], "*"));
    let session = house.enter(&user);
    let sealed = house.engine.export(session).unwrap();
    house.store.set_key_active("test", &user.0, false).unwrap();
    house.until("the end", || house.engine.agent().held() == 0);
    house.service.down.store(true, Ordering::SeqCst);
    let fault = house.engine.import(&sealed, SECOND).unwrap_err();
    assert_eq!(fault.kind(), Kind::Undecided, "{fault}");
    house.service.down.store(false, Ordering::SeqCst);
    let fault = house.engine.import(&sealed, SECOND).unwrap_err();
    assert_eq!(fault.status, Status::KeyDisabled, "{fault}");
    use standin::service::SecurityService;
    let newer = house.service.seal("forwarded-session", br#"{"v":2,"something":"new"}"#).unwrap();
    assert_eq!(house.engine.import(&newer, SECOND).unwrap_err().status, Status::NewerFormat);
}
