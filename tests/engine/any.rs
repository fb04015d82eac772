// SPDX-License-Identifier: Apache-2.0
//! Whether something is allowed on any resource at all, as Kafka asks for
//! idempotent producers.

use std::sync::atomic::Ordering;

use standin::access_control::Owner;
use standin::decision::Outcome;
use standin::mechanism::{Batch, METRICS};
use standin::session::SessionId;
use standin::time::Clock;

use crate::house::{House, policy, still_house};

/// Asks twice: the answer that is kept is the one that was found.
fn any(house: &House, id: SessionId, batch: Batch<'_>) -> Outcome {
    let first = house.engine.authorize_any(id, batch, house.write).unwrap();
    assert_eq!(house.engine.authorize_any(id, batch, house.write).unwrap(), first);
    first
}

#[test]
fn x_09_a_kept_answer_goes_with_the_policies_it_came_from() {
    let house = still_house(&[]);
    let user = house.user("writer", &policy("Allow", &["kafka-cluster:WriteData"], "t*"));
    let other = house.user("reader", &policy("Allow", &["kafka-cluster:ReadData"], "*"));
    let (writer, reader) = (house.enter(&user), house.enter(&other));
    assert_eq!(any(&house, writer, Batch::default()), Outcome::Allow);
    assert_eq!(any(&house, reader, Batch::default()), Outcome::Deny);
    let denied = policy("Deny", &["kafka-cluster:WriteData"], "*");
    house.store.put_inline("test", Owner::User("writer"), "more", &denied).unwrap();
    house.until("the change", || any(&house, writer, Batch::default()) == Outcome::Deny);
    house.store.put_inline("test", Owner::User("reader"), "more", &policy("Allow", &["kafka-cluster:*"], "x")).unwrap();
    house.until("the change", || any(&house, reader, Batch::default()) == Outcome::Allow);
}

#[test]
fn an_answer_that_depends_on_time_address_or_client_is_not_kept() {
    let house = still_house(&[]);
    let on = |condition: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[
            {{"Effect":"Allow","Action":"kafka-cluster:Connect","Resource":"*"}},
            {{"Effect":"Allow","Action":"kafka-cluster:WriteData","Resource":"*","Condition":{condition}}}]}}"#
        )
    };
    let until = house.clock.wall().seconds() + 60;
    let timed =
        house.enter(&house.user("timed", &on(&format!(r#"{{"NumericLessThan":{{"aws:EpochTime":"{until}"}}}}"#))));
    let near = house.enter(&house.user("near", &on(r#"{"IpAddress":{"aws:SourceIp":"192.0.2.0/28"}}"#)));
    let named = house.enter(&house.user("named", &on(r#"{"StringEquals":{"standin:ClientId":"app"}}"#)));
    assert_eq!(any(&house, timed, Batch::default()), Outcome::Allow);
    let far = Batch { address: Some("198.51.100.1".parse().unwrap()), ..Batch::default() };
    assert_eq!(any(&house, near, Batch::default()), Outcome::Allow);
    assert_eq!(any(&house, near, far), Outcome::Deny);
    assert_eq!(any(&house, near, Batch::default()), Outcome::Allow);
    assert_eq!(any(&house, named, Batch { client_id: "app", ..Batch::default() }), Outcome::Allow);
    assert_eq!(any(&house, named, Batch { client_id: "other", ..Batch::default() }), Outcome::Deny);
    house.clock.pass(60_000);
    assert_eq!(any(&house, timed, Batch::default()), Outcome::Deny);
}

/// Bug: what was undecided here was in no count, of which operators are told to
/// alarm on one.
#[test]
fn what_is_undecided_about_any_resource_is_counted() {
    let house = still_house(&[]);
    let id = house.enter(&house.user("writer", &policy("Allow", &["kafka-cluster:WriteData"], "*")));
    let counted = || {
        let names = ["operations-undecided-total", "operations-undecided-stale-total"];
        let values = house.engine.metrics();
        names.map(|name| values[METRICS.iter().position(|m| *m == name).unwrap()])
    };
    let before = counted();
    house.service.deaf.store(true, Ordering::SeqCst);
    house.until("the silence", || {
        house.clock.pass(1000);
        house.engine.authorize_any(id, Batch::default(), house.write).unwrap() == Outcome::Undecided
    });
    let after = counted();
    assert!(after.iter().zip(before).all(|(after, before)| *after > before), "{before:?} {after:?}");
}
