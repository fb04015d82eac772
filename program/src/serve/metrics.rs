// SPDX-License-Identifier: Apache-2.0
//! What the service counts, in the text form of Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the buckets of request times, seconds.
const BOUNDS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];

#[derive(Default)]
struct Route {
    by_status: BTreeMap<u16, u64>,
    buckets: [u64; BOUNDS.len()],
    count: u64,
    seconds: f64,
}

/// See the module's page.
#[derive(Default)]
pub(crate) struct Metrics {
    routes: Mutex<BTreeMap<&'static str, Route>>,
    /// Connections that are open.
    pub(crate) connections: AtomicU64,
    /// Connections that were closed because there were too many.
    pub(crate) connections_refused: AtomicU64,
    /// TLS handshakes that failed.
    pub(crate) handshakes_failed: AtomicU64,
    /// Requests put off because too many were working.
    pub(crate) busy: AtomicU64,
    /// Requests of hosts that did not prove who they are.
    pub(crate) hosts_refused: AtomicU64,
    /// Handlers that panicked.
    pub(crate) panics: AtomicU64,
}

impl Metrics {
    /// Counts one request.
    pub(crate) fn request(&self, route: &'static str, status: u16, took: Duration) {
        let Ok(mut routes) = self.routes.lock() else { return };
        let route = routes.entry(route).or_default();
        *route.by_status.entry(status).or_default() += 1;
        route.count += 1;
        route.seconds += took.as_secs_f64();
        for (bucket, bound) in route.buckets.iter_mut().zip(BOUNDS) {
            if took.as_secs_f64() <= bound {
                *bucket += 1;
            }
        }
    }

    /// The text for Prometheus.
    pub(crate) fn text(&self, revision: Option<u64>) -> String {
        let mut out = String::new();
        let mut single = |name: &str, kind: &str, help: &str, value: u64| {
            // Writing into memory does not fail.
            let _written = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
        };
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        single("standin_serve_connections", "gauge", "Open connections.", read(&self.connections));
        for (name, help, counter) in [
            (
                "standin_serve_connections_refused_total",
                "Connections closed because there were too many.",
                &self.connections_refused,
            ),
            ("standin_serve_handshakes_failed_total", "TLS handshakes that failed.", &self.handshakes_failed),
            ("standin_serve_busy_total", "Requests put off because too many were working.", &self.busy),
            (
                "standin_serve_hosts_refused_total",
                "Requests of hosts that did not prove who they are.",
                &self.hosts_refused,
            ),
            ("standin_serve_panics_total", "Requests that ended in a defect.", &self.panics),
        ] {
            single(name, "counter", help, read(counter));
        }
        single("standin_serve_store_up", "gauge", "1 when the store can be read.", u64::from(revision.is_some()));
        single("standin_serve_revision", "gauge", "Newest revision of the store.", revision.unwrap_or_default());
        self.routes_text(&mut out);
        out
    }

    fn routes_text(&self, out: &mut String) {
        let Ok(routes) = self.routes.lock() else { return };
        let mut put = |line: String| {
            out.push_str(&line);
            out.push('\n');
        };
        put("# HELP standin_serve_requests_total Requests by route and status.".into());
        put("# TYPE standin_serve_requests_total counter".into());
        for (name, route) in routes.iter() {
            for (status, count) in &route.by_status {
                put(format!("standin_serve_requests_total{{route=\"{name}\",status=\"{status}\"}} {count}"));
            }
        }
        put("# HELP standin_serve_request_seconds How long requests took.".into());
        put("# TYPE standin_serve_request_seconds histogram".into());
        for (name, route) in routes.iter() {
            for (bucket, bound) in route.buckets.iter().zip(BOUNDS) {
                put(format!("standin_serve_request_seconds_bucket{{route=\"{name}\",le=\"{bound}\"}} {bucket}"));
            }
            put(format!("standin_serve_request_seconds_bucket{{route=\"{name}\",le=\"+Inf\"}} {}", route.count));
            put(format!("standin_serve_request_seconds_sum{{route=\"{name}\"}} {}", route.seconds));
            put(format!("standin_serve_request_seconds_count{{route=\"{name}\"}} {}", route.count));
        }
    }
}
