// SPDX-License-Identifier: Apache-2.0
//! Alert rules and dashboard of the service, against what a service shows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::place::{Place, policy};
use crate::raw::{exchange, iam};

/// Labels of a metric, with the values that were seen.
type Labels = BTreeMap<String, BTreeSet<String>>;

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)).unwrap()
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// `name="value"` in what stands between braces; also `=~` and `!~`.
fn labels(text: &str) -> Vec<(String, String, String)> {
    let one = |pair: &str| {
        let name: String = pair.trim().chars().take_while(|c| is_name(*c)).collect();
        let (operator, value) = pair.trim()[name.len()..].split_once('"').unwrap_or_else(|| panic!("{pair}"));
        (name, operator.to_owned(), value.trim_end_matches('"').to_owned())
    };
    text.split(',').filter(|pair| !pair.trim().is_empty()).map(one).collect()
}

/// Every metric that is shown.
fn shown(text: &str) -> BTreeMap<String, Labels> {
    let mut all: BTreeMap<String, Labels> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, _) = line.rsplit_once(' ').unwrap();
        let (name, inside) = series.split_once('{').unwrap_or((series, ""));
        let known = all.entry(name.to_owned()).or_default();
        for (label, _, value) in labels(inside.trim_end_matches('}')) {
            known.entry(label).or_default().insert(value);
        }
    }
    all
}

/// Looks up every metric, selector and grouping of an expression.
fn check(expression: &str, shown: &BTreeMap<String, Labels>) {
    let mut depth = 0i32;
    for c in expression.chars() {
        depth += i32::from(c == '(') - i32::from(c == ')');
        assert!(depth >= 0, "{expression}");
    }
    assert_eq!(depth, 0, "{expression}");
    let mut found = BTreeSet::new();
    for (at, _) in expression.match_indices("standin_serve_") {
        let rest = &expression[at..];
        let name: String = rest.chars().take_while(|c| is_name(*c)).collect();
        let known = shown.get(&name).unwrap_or_else(|| panic!("{name} is not shown: {expression}"));
        found.extend(known.keys().cloned());
        let Some(inside) = rest[name.len()..].strip_prefix('{') else { continue };
        for (label, operator, value) in labels(inside.split('}').next().unwrap()) {
            let values = known.get(&label).unwrap_or_else(|| panic!("{label} of {name}: {expression}"));
            if operator == "=" {
                assert!(values.contains(&value), "{label}={value} of {name}: {expression}");
            }
        }
    }
    assert!(!found.is_empty() || expression.contains("standin_serve_"), "{expression}");
    for (at, _) in expression.match_indices(" by (") {
        let by = expression[at + 5..].split(')').next().unwrap();
        for label in by.split(',').map(str::trim) {
            // These two Prometheus gives itself.
            assert!(["instance", "job"].contains(&label) || found.contains(label), "by {label}: {expression}");
        }
    }
}

/// what alerts and dashboard ask for is what a running service shows, and
/// each alert has its line in the manual.
#[test]
fn x_12_alerts_and_dashboard_name_what_the_service_shows() {
    let place = Place::new();
    let serving = place.serve();
    let host = place.remote(serving.port, &place.enroll(&serving, "demo/1"));
    let alice = place.user("alice", &policy("Allow", &["kafka-cluster:WriteData"], "a"));
    let evidence = crate::place::evidence(&alice, None);
    let by = standin::time::Steady(i64::MAX);
    standin::service::SecurityService::log_in(&host, &evidence, "host/demo/1", 60_000, by).unwrap();
    assert_eq!(iam(&place, serving.port, &alice, "Action=ListUsers&Version=2010-05-08").status, 403);
    let text = exchange(&place, serving.port, b"GET /metrics HTTP/1.1\r\nhost: l\r\nconnection: close\r\n\r\n").body;
    let shown = shown(&text);

    let rules = read("monitoring/service-alerts.yml");
    let manual = read("docs/service.md");
    assert!(manual.contains("### Alerts"));
    let after = |start: &str| -> Vec<String> {
        rules.lines().filter_map(|line| line.trim().strip_prefix(start)).map(str::to_owned).collect()
    };
    let (alerts, expressions) = (after("- alert: "), after("expr: "));
    assert_eq!(alerts.len(), expressions.len());
    assert!(alerts.len() >= 20, "{alerts:?}");
    assert_eq!(after("description: "), vec!["\"docs/service.md#alerts\""; alerts.len()]);
    assert_eq!(alerts.iter().collect::<BTreeSet<_>>().len(), alerts.len());
    for (alert, expression) in alerts.iter().zip(&expressions) {
        assert_eq!(manual.matches(&format!("| `{alert}` | ")).count(), 1, "{alert} in docs/service.md");
        check(expression.trim_matches('\''), &shown);
    }
    let dashboard: serde_json::Value = serde_json::from_str(&read("monitoring/service-dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets: Vec<_> = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap()).collect();
    assert!(targets.len() >= 15);
    targets.iter().for_each(|target| check(target["expr"].as_str().unwrap(), &shown));
    // Each metric that is shown is in the manual, and the other way round.
    let base = |name: &str| {
        let ends = ["_bucket", "_sum", "_count"];
        ends.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name).to_owned()
    };
    let documented: BTreeSet<String> = manual
        .lines()
        .filter_map(|line| Some(line.strip_prefix("| `standin_serve_")?.split('`').next()?.to_owned()))
        .map(|rest| format!("standin_serve_{rest}"))
        .collect();
    assert_eq!(shown.keys().map(|name| base(name)).collect::<BTreeSet<_>>(), documented);
}
