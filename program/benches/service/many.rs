// SPDX-License-Identifier: Apache-2.0
//! Many identities: how long service and agent take to start, and how much
//! they hold.

use std::time::Instant;

use standin::access_control::Owner;

use crate::UNLIMITED;
use crate::host::Host;
use crate::place::{CLUSTER, Place, Serving};
use crate::resident;

/// A policy of ten statements that no other is equal to.
fn document(n: usize) -> String {
    let topic = |k: usize| format!("arn:aws:kafka:us-east-1:123456789012:topic/demo/u-1/t{n}-{k}*");
    let mut statements =
        vec![serde_json::json!({"Effect": "Allow", "Action": "kafka-cluster:Connect", "Resource": CLUSTER})];
    for k in 0..9 {
        statements.push(serde_json::json!({"Effect": "Allow", "Action": ["kafka-cluster:ReadData", "kafka-cluster:WriteData"], "Resource": topic(k)}));
    }
    serde_json::json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

/// So many identities; a tenth as many different policies.
pub(crate) fn measure(identities: usize) {
    let policies = identities / 10;
    let place = Place::new();
    let begun = Instant::now();
    for n in 0..policies {
        place.store.put_policy("bench", "/", &format!("p{n}"), &document(n)).unwrap();
    }
    let mut keys = Vec::with_capacity(identities);
    for n in 0..identities {
        let name = format!("u{n}");
        place.store.create_user("bench", "/", &name, &[]).unwrap();
        place.store.attach("bench", Owner::User(&name), &format!("p{}", n % policies)).unwrap();
        let (row, secret) = place.store.create_key("bench", &name).unwrap();
        keys.push((row.id, secret));
    }
    let made = begun.elapsed();
    let begun = Instant::now();
    let serving = Serving::start_with(&place, 0, &UNLIMITED);
    let started = begun.elapsed();
    let process = serving.child.id();
    let service = resident(process);
    println!("\n{identities} identities, {policies} different policies of ten statements:");
    println!("  made in {:.1} s", made.as_secs_f64());
    println!("  service: starts in {:.0} ms with {service:.0} MB", started.as_secs_f64() * 1e3);
    let file = place.enroll(&serving, "demo/1");
    let own = std::process::id();
    let before = resident(own);
    let begun = Instant::now();
    let host = Host::open(&place, serving.port, &file, &[]);
    println!("  agent: starts in {:.0} ms", begun.elapsed().as_secs_f64() * 1e3);
    let begun = Instant::now();
    let next = std::sync::atomic::AtomicUsize::new(0);
    // Only two logins of a listener wait for the service at once.
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(key) = keys.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                    host.enter(key);
                }
            });
        }
    });
    let took = begun.elapsed();
    let grown = resident(own) - before;
    println!(
        "  all log in once: {:.1} s, {:.0} a second; the agent then holds {:.0} MB more ({:.1} kB each), the service {:.0} MB",
        took.as_secs_f64(),
        identities as f64 / took.as_secs_f64(),
        grown,
        grown * 1024.0 / identities as f64,
        resident(process)
    );
}
