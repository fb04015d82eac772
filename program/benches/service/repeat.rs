// SPDX-License-Identifier: Apache-2.0
//! Logins of clients a host knows, while its service is 20 ms away, beside
//! those of a host with the embedded store.

use std::time::{Duration, Instant};

use standin::settings::Given;

use crate::UNLIMITED;
use crate::between::{Between, Weather};
use crate::host::Host;
use crate::place::{CLUSTER, Place, Serving, policy};

/// There and back.
const FAR: Duration = Duration::from_millis(20);
/// Logins of one turn.
const TURN: usize = 2000;

/// What a turn took, by the clock and of this thread's processor.
type Took = (f64, f64);

/// Processor time of this thread, seconds.
fn used() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

fn turn(host: &Host, keys: &[(String, standin::credential::Secret)]) -> Took {
    let (begun, before) = (Instant::now(), used());
    for key in keys.iter().cycle().take(TURN) {
        let id = host.try_login(key).unwrap();
        host.engine.agent().release(id);
    }
    (begun.elapsed().as_secs_f64(), used() - before)
}

pub(crate) fn measure(rounds: usize) {
    let place = Place::new();
    let serving = Serving::start_with(&place, 0, &UNLIMITED);
    let between = Between::new(&place.certificate, &place.ca, serving.port);
    let file = place.enroll(&serving, "demo/1");
    let keys: Vec<_> =
        (0..100).map(|n| place.user(&format!("u{n}"), &policy("Allow", &["kafka-cluster:*"], "t"))).collect();
    between.becomes(|_| Weather::Late(FAR));
    let far = Host::open(&place, between.port, &file, &[]);
    let audit = place.dir.path().join("embedded");
    let pairs = [
        ("standin.store", place.files.store.to_str().unwrap()),
        ("standin.audit.dir", audit.to_str().unwrap()),
        ("standin.engine", "embedded"),
        ("standin.cluster.arn", CLUSTER),
        ("standin.hosts", "localhost"),
    ];
    let near = Host::with(&Given::read(pairs, None).unwrap());
    let first = |host: &Host| {
        let begun = Instant::now();
        for key in &keys {
            let id = host.try_login(key).unwrap();
            host.engine.agent().release(id);
        }
        begun.elapsed().as_secs_f64() * 1e3 / keys.len() as f64
    };
    let (far_first, near_first) = (first(&far), first(&near));
    let (mut away, mut embedded) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        // Each is first in every other round.
        if round % 2 == 0 {
            away.push(turn(&far, &keys));
        }
        embedded.push(turn(&near, &keys));
        if round % 2 == 1 {
            away.push(turn(&far, &keys));
        }
    }
    let median = |turns: &[Took], of: &dyn Fn(&Took) -> f64| {
        let mut times: Vec<f64> = turns.iter().map(of).collect();
        times.sort_unstable_by(f64::total_cmp);
        times[times.len() / 2] / TURN as f64
    };
    println!("\nlogins of 100 clients, one after another; the client's signing is in it:");
    println!("  first login: service 20 ms away {far_first:.1} ms, embedded store {near_first:.1} ms");
    for (name, of) in [("by the clock", &(|t: &Took| t.0) as &dyn Fn(&Took) -> f64), ("by processor time", &|t| t.1)] {
        let (away, embedded) = (median(&away, of), median(&embedded, of));
        println!(
            "  known, {name}: service 20 ms away {:.0} a second, embedded store {:.0}, ratio {:.2}",
            1.0 / away,
            1.0 / embedded,
            embedded / away
        );
    }
}
