// SPDX-License-Identifier: Apache-2.0
//! Policy documents: read, refused with a place, or compiled and asked.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use standin::channel::Channel;
use standin::decision::{Inputs, Keys};
use standin::identity::{Attributes, Identity, IdentityKind, Principal};
use standin::policy::simulate::Simulator;
use standin::policy::{ActionTable, ArnMatch, Compiled, Document, Named, PolicySet, Scope, TrustPolicy};
use standin::time::UnixMillis;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _trust = TrustPolicy::parse(text);
    let _case = Simulator::default().case(text);
    let Ok(document) = Document::parse(text) else { return };
    let set = PolicySet {
        identity: vec![Named { name: "p".into(), document: Arc::new(document) }],
        boundary: None,
        session: Vec::new(),
    };
    let mut actions = ActionTable::new();
    let read = actions.intern("shop:Read", "");
    let compiled = Compiled::new(&set, &actions, &Scope { namespaces: Vec::new(), arn_match: ArnMatch::Fields });
    let principal = Principal {
        subject: Identity::new("aws", "123456789012", IdentityKind::User, "/", "ann").expect("a user"),
        attributes: Attributes::default(),
        actors: Vec::new(),
        grant: None,
    };
    let channel = Channel::default();
    let inputs = Inputs {
        principal: &principal,
        channel: &channel,
        address: None,
        client_id: "c",
        now: UnixMillis(1_767_323_045_000),
        resource_tags: &[],
        keys: Keys::Host,
    };
    let _verdict = compiled.decide(read, "arn:aws:shop:::item/blue", &inputs);
    let _any = compiled.decide_any(read, &inputs);
});
