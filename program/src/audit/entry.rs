// SPDX-License-Identifier: Apache-2.0
//! One line of the audit as it is listed and filtered.

use serde_json::{Value, json};
use standin::access_control::{AdminRow, DenialRow};

/// One record: of a host, or of administration.
pub(crate) struct Entry {
    /// Milliseconds since 1970.
    pub(crate) time: i64,
    /// What kind of record.
    pub(crate) kind: Kind,
    /// ARN of who, or the access key where the ARN is not known.
    pub(crate) who: String,
    /// What was done.
    pub(crate) action: String,
    /// On what.
    pub(crate) target: String,
    /// How it came out.
    pub(crate) outcome: String,
    /// More, for people.
    pub(crate) detail: String,
    /// The whole record.
    pub(crate) record: Value,
}

/// Kinds of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// Logins and re-authentications.
    Login,
    /// Sessions that were ended.
    Ended,
    /// Credentials issued.
    Issued,
    /// Operations, counted or refused.
    Operation,
    /// Changes by administrators, and what was denied to those who are none.
    Administration,
    /// Records that were lost.
    Lost,
}

impl Entry {
    /// The text of a field of the record; empty when there is none.
    pub(crate) fn field(&self, path: &str) -> String {
        text(&self.record, path)
    }

    /// The number of a field of the record.
    pub(crate) fn number(&self, path: &str) -> Option<i64> {
        self.record.pointer(path).and_then(Value::as_i64)
    }

    pub(crate) fn of_record(record: Value) -> Self {
        let number = |path: &str| record.pointer(path).and_then(Value::as_i64);
        let kind = match (number("/class_uid"), number("/activity_id")) {
            (Some(3002), Some(1)) => Kind::Login,
            (Some(3002), _) => Kind::Ended,
            (Some(6003), _) => Kind::Operation,
            (_, Some(99)) => Kind::Lost,
            _ => Kind::Issued,
        };
        let (action, target) = match kind {
            Kind::Login => ("login".to_owned(), text(&record, "/src_endpoint/ip")),
            Kind::Ended => ("session ended".to_owned(), text(&record, "/src_endpoint/ip")),
            Kind::Operation => (
                text(&record, "/api/operation"),
                format!("{}:{}", text(&record, "/resources/0/type"), text(&record, "/resources/0/name")),
            ),
            Kind::Lost => ("records lost".to_owned(), text(&record, "/entity/uid")),
            Kind::Issued | Kind::Administration => {
                (format!("issued {}", text(&record, "/entity/type")), text(&record, "/entity/uid"))
            }
        };
        let count = number("/count").filter(|n| *n != 1).map(|n| format!("{n} times; ")).unwrap_or_default();
        let policy = text(&record, "/actor/authorizations/0/policy/name");
        let detail = format!(
            "{count}{}{}",
            text(&record, "/status_detail"),
            if policy.is_empty() { String::new() } else { format!(" ({policy})") }
        );
        let who = text(&record, "/actor/user/uid");
        let key = text(&record, "/actor/user/credential_uid");
        let outcome = text(&record, "/unmapped/outcome");
        Self {
            time: number("/time").unwrap_or(0),
            kind,
            who: if who.is_empty() { key } else { who },
            action,
            target,
            outcome: if outcome.is_empty() { "success".into() } else { outcome },
            detail,
            record,
        }
    }

    pub(crate) fn of_administration(row: AdminRow) -> Self {
        // Verbs of IAM as the activities of OCSF's class.
        let activity = match row.action.as_str() {
            a if a.starts_with("Create") || a.starts_with("Assume") => 1,
            a if a.starts_with("Delete") => 4,
            a if a.starts_with("Enable") => 8,
            a if a.starts_with("Disable") => 9,
            _ => 3,
        };
        let record = json!({"time": row.time, "class_uid": 3004, "class_name": "Entity Management", "category_uid": 3,
            "activity_id": activity, "activity_name": row.action, "type_uid": 300_400 + activity,
            "actor": {"user": {"uid": row.actor, "account": {"uid": row.account}}}, "entity": {"uid": row.target}, "status": "Success", "status_id": 1, "severity_id": 1,
            "metadata": {"version": "1.3.0", "profiles": ["host"], "product": {"name": "Standin", "vendor_name": "Standin"}, "uid": format!("store/{}", row.revision.0)},
            "unmapped": {"revision": row.revision.0, "outcome": "success"}, "comment": row.detail});
        Self {
            time: row.time,
            kind: Kind::Administration,
            who: row.actor,
            action: row.action,
            target: row.target,
            outcome: "success".into(),
            detail: row.detail,
            record,
        }
    }

    pub(crate) fn of_denial(row: DenialRow) -> Self {
        let service = row.action.split(':').next().unwrap_or_default();
        let from = if row.address.is_empty() { json!({"name": "(unknown)"}) } else { json!({"ip": row.address}) };
        let record = json!({"time": row.time, "class_uid": 6003, "class_name": "API Activity", "category_uid": 6,
            "activity_id": 99, "activity_name": "Other", "type_uid": 600_399,
            "metadata": {"version": "1.3.0", "product": {"name": "Standin", "vendor_name": "Standin"}, "uid": format!("store/denied/{}", row.number)},
            "actor": {"user": {"uid": row.actor, "account": {"uid": row.account}, "credential_uid": row.access_key_id},
                "authorizations": [{"decision": "denied"}]},
            "src_endpoint": from,
            "api": {"operation": row.action, "service": {"name": service}, "request": {"uid": ""}},
            "resources": [{"name": row.target}], "count": row.count, "start_time": row.time, "end_time": row.until,
            "status_detail": row.reason, "status_id": 2, "status": "Failure", "severity_id": 3,
            "unmapped": {"outcome": "denied"}});
        let times = if row.count == 1 { String::new() } else { format!("{} times; ", row.count) };
        Self {
            time: row.time,
            kind: Kind::Administration,
            who: if row.actor.is_empty() { row.access_key_id } else { row.actor },
            action: row.action,
            target: row.target,
            outcome: "denied".into(),
            detail: format!("{times}{}", row.reason),
            record,
        }
    }
}

fn text(value: &Value, path: &str) -> String {
    match value.pointer(path) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}
