// SPDX-License-Identifier: Apache-2.0
//! What a decision costs by the number of rules: by the compiled policies
//! alone, and by an engine whose cache knows it already.

#![allow(clippy::unwrap_used, reason = "a measurement that fails stops")]

mod common;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::house::{CLUSTER, House, channel, documents, topic};
use common::{Contestant, Run, Table, Time, grouped};
use standin::decision::{Inputs, Keys, Outcome};
use standin::identity::{Attributes, Identity, Principal};
use standin::mechanism::Batch;
use standin::policy::{ActionId, ActionTable, ArnMatch, Compiled, Document, Named, Namespace, PolicySet, Scope};
use standin::session::{Ask, SessionId};
use standin::time::UnixMillis;

const DECIDE: Table = Table { name: "one decision by the compiled policies", unit: "ns", base: "10 rules" };
const COMPILE: Table = Table { name: "reading and compiling policies, a rule", unit: "ns", base: "" };
const ENGINE: Table = Table { name: "one decision of the engine, known already", unit: "ns", base: "10 rules" };
const SCALING: Table = Table { name: "decisions by two threads, times those by one", unit: "x", base: "" };

/// Names asked about in turn.
const NAMES: usize = 512;

/// Where rules apply.
#[derive(Clone, Copy)]
enum Shape {
    Name,
    Begin,
}

impl Shape {
    fn resources(self, count: usize) -> impl Iterator<Item = String> {
        (0..count).map(move |i| match self {
            Self::Name => topic(&format!("bench-topic-{i}")),
            Self::Begin => topic(&format!("bench-{i}-*")),
        })
    }

    fn known(self, i: usize) -> String {
        match self {
            Self::Name => format!("bench-topic-{i}"),
            Self::Begin => format!("bench-{i}-orders"),
        }
    }
}

struct Policies {
    compiled: Compiled,
    read: f64,
    compile: f64,
}

fn actions() -> (ActionTable, ActionId) {
    let mut actions = ActionTable::new();
    let write = actions.intern("kafka-cluster:WriteData", "topic");
    for name in ["ReadData", "DescribeTopic", "CreateTopic", "DeleteTopic", "AlterTopic"] {
        actions.intern(&format!("kafka-cluster:{name}"), "topic");
    }
    (actions, write)
}

fn compile(shape: Shape, count: usize) -> Policies {
    let texts = documents(shape.resources(count));
    let before = Instant::now();
    let identity = texts
        .iter()
        .map(|text| Named { name: "bench".into(), document: Arc::new(Document::parse(text).unwrap()) })
        .collect();
    let read = before.elapsed().as_nanos() as f64 / count as f64;
    let set = PolicySet { identity, boundary: None, session: Vec::new() };
    let scope = Scope { namespaces: vec![Namespace::parse(CLUSTER).unwrap()], arn_match: ArnMatch::Fields };
    let before = Instant::now();
    let compiled = Compiled::new(&set, &actions().0, &scope);
    let compile = before.elapsed().as_nanos() as f64 / count as f64;
    Policies { compiled, read, compile }
}

fn principal() -> Principal {
    Principal {
        subject: Identity::parse("arn:aws:iam::123456789012:user/bench").unwrap(),
        attributes: Attributes {
            user_id: String::new(),
            session_name: None,
            source_identity: None,
            tags: Vec::new(),
            token_issued: None,
        },
        actors: Vec::new(),
        grant: None,
    }
}

fn by_policies(run: &Run, counts: &[usize]) {
    let (_, write) = actions();
    let (principal, channel) = (principal(), channel());
    let inputs = Inputs {
        principal: &principal,
        channel: &channel,
        address: channel.address,
        client_id: "bench",
        now: UnixMillis(1_800_000_000_000),
        resource_tags: &[],
        keys: Keys::Host,
    };
    for (shape, how) in [(Shape::Name, "by name"), (Shape::Begin, "by its begin")] {
        let policies: Vec<(usize, Policies)> = counts.iter().map(|n| (*n, compile(shape, *n))).collect();
        for (count, policies) in &policies {
            let row = format!("rules {how}, {} of them", grouped(*count));
            run.add(&COMPILE, &row, "reading", &[policies.read]);
            run.add(&COMPILE, &row, "compiling", &[policies.compile]);
        }
        let ask = |row: &str, expected: Outcome, name: &dyn Fn(usize, usize) -> String| {
            let contestants = policies
                .iter()
                .map(|(count, policies)| {
                    let names: Vec<String> = (0..NAMES).map(|i| name(i, *count)).collect();
                    let mut asked = names.into_iter().cycle();
                    let body = move |calls: u64| {
                        for _ in 0..calls {
                            let name = asked.next().unwrap();
                            assert_eq!(policies.compiled.decide(write, black_box(&name), &inputs).outcome, expected);
                        }
                    };
                    (format!("{} rules", grouped(*count)), Box::new(body) as Box<dyn FnMut(u64)>)
                })
                .collect();
            run.measure(&DECIDE, row, Time::Thread, contestants);
        };
        ask(&format!("allowed {how}"), Outcome::Allow, &|i, count| shape.known(i * count / NAMES));
        ask(&format!("denied, rules {how}"), Outcome::Deny, &|i, _| format!("other-topic-{i}"));
        let any = policies
            .iter()
            .map(|(count, policies)| {
                let body = move |calls: u64| {
                    for _ in 0..calls {
                        let verdict = policies.compiled.decide_any(black_box(write), &inputs);
                        assert_eq!(verdict.outcome, Outcome::Allow);
                    }
                };
                (format!("{} rules", grouped(*count)), Box::new(body) as Box<dyn FnMut(u64)>)
            })
            .collect();
        run.measure(&DECIDE, &format!("any topic, rules {how}"), Time::Thread, any);
    }
}

/// Asks for the names in turn, a batch at a time; fails on an unexpected answer.
fn decide(house: &House, session: SessionId, names: &[String], batch: usize, calls: u64) {
    let mut from = 0;
    let mut outcomes = vec![Outcome::Deny; batch];
    let facts = Batch { address: channel().address, client_id: "bench", wait: Duration::ZERO };
    for _ in 0..calls {
        let asks = names[from..from + batch].iter().map(|name| Ask {
            action: house.write,
            resource: name,
            count: 1,
            log_allow: true,
            log_deny: true,
        });
        house.engine.authorize(session, facts, asks, &mut outcomes).unwrap();
        assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Allow));
        from = if from + 2 * batch > names.len() { 0 } else { from + batch };
    }
}

fn by_engine(run: &Run, counts: &[usize]) {
    let house = House::new("decide");
    let sessions: Vec<(usize, SessionId)> = counts
        .iter()
        .map(|count| {
            let user = house.user(&format!("user-{count}"), &documents(Shape::Name.resources(*count)));
            (*count, house.log_in(&user.message(), true).id)
        })
        .collect();
    for (row, distinct, batch) in
        [("one name", 1, 1), ("8 names in turn", 8, 1), ("500 names in turn", 500, 1), ("500 names at once", 500, 500)]
    {
        let contestants: Vec<Contestant<'_>> = sessions
            .iter()
            .map(|(count, session)| {
                let names: Vec<String> = (0..distinct).map(|i| Shape::Name.known(i * count / distinct)).collect();
                let house = &house;
                let body = move |calls| decide(house, *session, &names, batch, calls);
                (format!("{} rules", grouped(*count)), Box::new(body) as Box<dyn FnMut(u64)>)
            })
            .collect();
        run.measure(&ENGINE, row, Time::Thread, contestants);
    }
    let other = house.user("other", &documents(Shape::Name.resources(100)));
    let (first, second) = (sessions[0].1, house.log_in(&other.message(), true).id);
    let names: Vec<String> = (0..8).map(|i| Shape::Name.known(i)).collect();
    let one = |calls| decide(&house, first, &names, 1, calls);
    let two = |calls| decide(&house, second, &names, 1, calls);
    run.scaling(&SCALING, "one session", "Standin", [&one, &one]);
    run.scaling(&SCALING, "an identity each", "Standin", [&one, &two]);
}

fn main() {
    let run = Run::from_arguments();
    let counts: &[usize] = run.pick(&[10, 1000, 10_000], &[10, 1000, 10_000, 100_000], &[10, 1000, 10_000, 1_000_000]);
    by_policies(&run, counts);
    by_engine(&run, &[10, 1000, 10_000]);
}
