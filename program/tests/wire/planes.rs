// SPDX-License-Identifier: Apache-2.0
//! The control plane and the data plane: one service, one store, one policy.

use standin::access_control::Owner;
use standin::credential::Secret;
use standin::decision::Outcome;

use crate::host::Host;
use crate::place::Place;
use crate::raw::{Answer, iam};

/// A request to the service's IAM, without any host or agent.
fn list_users(place: &Place, port: u16, key: &(String, Secret)) -> Answer {
    iam(place, port, key, "Action=ListUsers&Version=2010-05-08")
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
