// SPDX-License-Identifier: Apache-2.0
//! What the service counts, in the text form of Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
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

/// What is counted elsewhere.
pub(super) struct Others {
    /// The newest revision, when the store can be read.
    pub(super) revision: Option<u64>,
    /// How many wait for changes.
    pub(super) following: usize,
    /// Administrative requests that were denied.
    pub(super) denied: u64,
    /// How often that could not be recorded.
    pub(super) unwritten: u64,
    /// Requests to IAM and STS without a good signature.
    pub(super) signatures_refused: u64,
    /// Live sessions there was no room for.
    pub(super) sessions_unkept: u64,
    /// Administrative requests that a quota forbade.
    pub(super) quota_reached: u64,
    /// How many there are of what has a quota, and may be: name, present, most.
    pub(super) quotas: Vec<(&'static str, i64, Option<i64>)>,
    /// Requests put off by a limit, by whose they were.
    pub(super) limited: Vec<(&'static str, u64)>,
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
    /// When the service's certificate ends, seconds since the epoch.
    pub(crate) certificate_ends: AtomicI64,
    /// Certificates taken without a restart.
    pub(crate) certificates_taken: AtomicU64,
    /// New certificates that were not good.
    pub(crate) certificates_refused: AtomicU64,
    /// Audit records that came.
    pub(crate) collected: AtomicU64,
    /// Audit records that came again.
    pub(crate) collected_again: AtomicU64,
    /// What came as a record of a host and is none of it.
    pub(crate) collected_unfit: AtomicU64,
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
    pub(super) fn text(&self, others: &Others) -> String {
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
            (
                "standin_serve_certificates_taken_total",
                "Certificates taken without a restart.",
                &self.certificates_taken,
            ),
            (
                "standin_serve_certificates_refused_total",
                "New certificates that are not used.",
                &self.certificates_refused,
            ),
            ("standin_serve_audit_records_total", "Audit records that came.", &self.collected),
            ("standin_serve_audit_records_again_total", "Audit records that came again.", &self.collected_again),
            ("standin_serve_audit_records_unfit_total", "What is no record of its host.", &self.collected_unfit),
            ("standin_serve_panics_total", "Requests that ended in a defect.", &self.panics),
        ] {
            single(name, "counter", help, read(counter));
        }
        let ends = self.certificate_ends.load(Ordering::Relaxed).unsigned_abs();
        single("standin_serve_certificate_ends_seconds", "gauge", "When the certificate ends, since 1970.", ends);
        single("standin_serve_following", "gauge", "Hosts that wait for changes.", others.following as u64);
        single("standin_serve_denied_total", "counter", "Administrative requests that were denied.", others.denied);
        let help = "Times that denied requests could not be recorded.";
        single("standin_serve_denials_unwritten_total", "counter", help, others.unwritten);
        let help = "Requests to IAM and STS without a good signature.";
        single("standin_serve_signatures_refused_total", "counter", help, others.signatures_refused);
        let help = "Administrative requests that a quota forbade.";
        single("standin_serve_quota_reached_total", "counter", help, others.quota_reached);
        let help = "Live sessions that are not shown, because their host has too many.";
        single("standin_serve_sessions_unkept_total", "counter", help, others.sessions_unkept);
        let revision = others.revision;
        single("standin_serve_store_up", "gauge", "1 when the store can be read.", u64::from(revision.is_some()));
        single("standin_serve_revision", "gauge", "Newest revision of the store.", revision.unwrap_or_default());
        let name = "standin_serve_limited_total";
        let _written = writeln!(out, "# HELP {name} Requests put off because of a limit.\n# TYPE {name} counter");
        for (whose, count) in &others.limited {
            let _written = writeln!(out, "{name}{{of=\"{whose}\"}} {count}");
        }
        let name = "standin_serve_present";
        let _written = writeln!(out, "# HELP {name} How many there are of a kind.\n# TYPE {name} gauge");
        for (of, present, _) in &others.quotas {
            let _written = writeln!(out, "{name}{{of=\"{of}\"}} {present}");
        }
        let name = "standin_serve_quota";
        let _written = writeln!(out, "# HELP {name} How many there may be of a kind.\n# TYPE {name} gauge");
        for (of, _, most) in &others.quotas {
            if let Some(most) = most {
                let _written = writeln!(out, "{name}{{of=\"{of}\"}} {most}");
            }
        }
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
