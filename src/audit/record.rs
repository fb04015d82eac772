// SPDX-License-Identifier: Apache-2.0
//! The one schema of audit records, for all hosts: OCSF-shaped JSON.

use std::sync::Arc;

use serde::Serialize;

use super::line::Line;
use crate::channel::Channel;
use crate::identity::Principal;
use crate::time::UnixMillis;

/// Who a record is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Who {
    /// Account of the subject; empty when unknown.
    pub account: String,
    /// ARN of the identity whose rights count; empty when unknown.
    pub subject: String,
    /// Who acts for it, in order.
    pub actors: Vec<String>,
    /// Role session name.
    pub session_name: Option<String>,
    /// Id of the access key used; empty when unknown.
    pub access_key_id: String,
}

impl Who {
    /// The parts of an authenticated principal.
    #[must_use]
    pub fn of(principal: &Principal, access_key_id: &str) -> Self {
        Self {
            account: principal.subject.account().to_owned(),
            subject: principal.subject.arn().to_owned(),
            actors: principal.actors.iter().map(|a| a.identity.arn().to_owned()).collect(),
            session_name: principal.attributes.session_name.clone(),
            access_key_id: access_key_id.to_owned(),
        }
    }
}

/// An operation decided, or a count of equal ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The action, such as `kafka-cluster:WriteData`.
    pub action: String,
    /// Type of the resource, such as `topic`; empty when `resource` is whole.
    pub resource_type: String,
    /// The resource's name.
    pub resource: String,
    /// `allowed`, `denied` or `undecided`; with `shadow-` before it where that
    /// was only compared.
    pub outcome: &'static str,
    /// Why, such as `explicit deny`.
    pub reason: String,
    /// The deciding statement.
    pub statement: Option<String>,
    /// How many.
    pub count: u64,
    /// Begin of the counting window; equal to the record's time for one event.
    pub since: UnixMillis,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A login or re-authentication, successful or refused.
    Login {
        /// `success`, `refused` or `undecided`.
        outcome: &'static str,
        /// The operator's reason; empty on success.
        reason: String,
        /// The status number; 0 on success.
        status: i32,
        /// How often this signature was seen, this time included.
        seen: u32,
        /// From how many addresses, as far as they are known.
        sources: u32,
    },
    /// A session ended before its deadline.
    SessionEnded {
        /// Why.
        reason: String,
    },
    /// An impersonation credential was issued or renewed.
    Issued {
        /// Its id.
        credential_id: String,
        /// When it expires.
        expires: UnixMillis,
    },
    /// Operations on an open connection.
    Operation(Operation),
    /// Policies would have decided otherwise than Kafka's access control lists,
    /// which did.
    Difference {
        /// What was asked; `outcome` begins with `shadow-`.
        operation: Operation,
        /// The principal the lists speak of.
        principal: String,
    },
    /// Records were lost because the queue was full.
    Lost {
        /// How many.
        count: u64,
    },
}

/// One record, before it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When.
    pub time: UnixMillis,
    /// Who.
    pub who: Arc<Who>,
    /// The client's address and connection, where known.
    pub channel: Option<Arc<Channel>>,
    /// The id shown to the client, to find this record by; empty without one.
    pub request_id: Arc<str>,
    /// What.
    pub event: Event,
}

impl Record {
    /// The record as one JSON object without line breaks. `boot` and
    /// `sequence` number it; `via` names the host that stood in.
    #[must_use]
    pub fn json(&self, boot: &str, sequence: u64, via: &str) -> String {
        one_line(&Line::of(self, boot, sequence, via))
    }
}

/// JSON that is one line for every reader: there are some that end a line at
/// more than its feed (Unicode Standard Annex 14, and Python's `splitlines`).
#[must_use]
pub fn one_line(value: &impl Serialize) -> String {
    // It fails for maps whose keys are no strings only.
    let text = serde_json::to_string(value).unwrap_or_default();
    if text.is_ascii() || !text.contains(['\u{85}', '\u{2028}', '\u{2029}']) {
        return text;
    }
    // These stand in strings only, where they may be escaped.
    text.replace('\u{85}', "\\u0085").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// X-10: names cannot forge lines or fields.
    #[test]
    fn x_10_line_breaks_and_quotes_in_names_stay_inside_their_field() {
        let hostile = "t\n{\"class_uid\":3002}\r\u{2028}\u{2029}\u{85}\"";
        let record = Record {
            time: UnixMillis(5),
            who: Arc::default(),
            channel: None,
            request_id: "r".into(),
            event: Event::Operation(Operation {
                action: "kafka-cluster:WriteData".into(),
                resource_type: "topic".into(),
                resource: hostile.into(),
                outcome: "denied",
                reason: "implicit deny".into(),
                statement: None,
                count: 1,
                since: UnixMillis(5),
            }),
        };
        let line = record.json("boot", 7, "host/c/1");
        assert!(!line.contains(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']), "{line}");
        let read: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["resources"][0]["name"], hostile);
        assert_eq!(read["class_uid"], 6003);
        assert_eq!(read["status"], "Failure");
    }

    /// One record of every kind, with what clients may put into names.
    fn samples() -> Vec<Record> {
        let who = Arc::new(Who {
            account: "123456789012".into(),
            subject: "arn:aws:iam::123456789012:role/app".into(),
            actors: Vec::new(),
            session_name: Some("pod-1".into()),
            access_key_id: "ASIAEXAMPLE".into(),
        });
        let channel = Channel {
            address: Some([192, 0, 2, 17].into()),
            listener: "CLIENT".into(),
            protocol: "SASL_SSL".into(),
            host: "broker-1.example.com".into(),
            ..Channel::default()
        };
        let operation = |outcome, statement: Option<&str>| Operation {
            action: "kafka-cluster:WriteData".into(),
            resource_type: "topic".into(),
            resource: "or\n\"ders\"\u{2028}".into(),
            outcome,
            reason: "because".into(),
            statement: statement.map(str::to_owned),
            count: 34,
            since: UnixMillis(1_795_562_019_275),
        };
        let login = |outcome, status| Event::Login { outcome, reason: "because".into(), status, seen: 2, sources: 1 };
        let allowed = operation("allowed", Some("arn:aws:iam::123456789012:policy/app#Topic"));
        let events = [
            (true, login("success", 0)),
            (true, login("refused", -203)),
            (false, login("undecided", -301)),
            (true, Event::SessionEnded { reason: "because".into() }),
            (false, Event::Issued { credential_id: "SIMP1".into(), expires: UnixMillis(1_795_565_619_235) }),
            (false, Event::Operation(allowed.clone())),
            (true, Event::Operation(operation("denied", None))),
            (true, Event::Operation(operation("undecided", None))),
            (false, Event::Difference { operation: allowed, principal: "User:CN=app".into() }),
            (false, Event::Lost { count: 3 }),
        ];
        let of = |(known, event)| Record {
            time: UnixMillis(1_795_562_020_295),
            who: who.clone(),
            channel: (known || matches!(event, Event::Login { .. }))
                .then(|| Arc::new(Channel { address: channel.address.filter(|_| known), ..channel.clone() })),
            request_id: "b00t-1".into(),
            event,
        };
        events.into_iter().map(of).collect()
    }

    /// The records that tests/ocsf/check holds against the published schema are
    /// those of this version. Run with STANDIN_UPDATE_DOCUMENTS=1 to write them.
    #[test]
    fn samples_of_every_kind_of_record_are_kept() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/audit/records.jsonl");
        let samples = samples();
        let lines = samples.iter().enumerate().map(|(n, r)| r.json("b00t", n as u64, "host/demo/1") + "\n");
        // Without what other crates choose for the order of members.
        let sorted = |text: &str| -> Vec<Value> { text.lines().map(|l| serde_json::from_str(l).unwrap()).collect() };
        let now: String = lines.collect();
        if std::env::var_os("STANDIN_UPDATE_DOCUMENTS").is_some() {
            std::fs::write(path, &now).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap();
        assert_eq!(sorted(&kept), sorted(&now), "run with STANDIN_UPDATE_DOCUMENTS=1 to write {path}");
    }
}
