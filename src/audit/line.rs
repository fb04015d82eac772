// SPDX-License-Identifier: Apache-2.0
//! A record as it is written: one JSON object.
//!
//! Classes: Authentication (3002), API Activity (6003), Entity Management
//! (3004) of the Open Cybersecurity Schema Framework 1.3. What OCSF has no
//! field for stands under `unmapped`.

use std::net::IpAddr;

use serde::{Serialize, Serializer};

use super::record::{Event, Operation, Record, Who};

/// Version of the record schema, in every record.
const SCHEMA: u32 = 1;

/// Stands for an address that is not known; the schema wants something.
const UNKNOWN: &str = "(unknown)";

/// Stands for the addresses of operations that were counted together.
const SEVERAL: &str = "(several)";

#[derive(Serialize)]
pub(super) struct Line<'a> {
    time: i64,
    class_uid: u32,
    class_name: &'static str,
    category_uid: u32,
    activity_id: u32,
    activity_name: &'static str,
    type_uid: u32,
    metadata: Metadata<'a>,
    actor: Actor<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    src_endpoint: Option<Source>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dst_endpoint: Option<Target<'a>>,
    #[serde(flatten)]
    what: What<'a>,
    #[serde(flatten)]
    rating: Rating,
    unmapped: Unmapped<'a>,
}

/// What only some classes have.
#[derive(Serialize)]
#[serde(untagged)]
enum What<'a> {
    Login {
        status_detail: &'a str,
        status_code: Text<i32>,
        user: User<'a>,
    },
    Ended {
        status_detail: &'a str,
        user: User<'a>,
    },
    Issued {
        entity: Credential<'a>,
    },
    Operation {
        api: Api<'a>,
        resources: [Resource<'a>; 1],
        count: u64,
        start_time: i64,
        end_time: i64,
        status_detail: &'a str,
    },
    Lost {
        entity: Named<'a>,
        count: u64,
        status_detail: &'a str,
    },
}

#[derive(Serialize)]
struct Rating {
    status_id: u32,
    status: &'static str,
    severity_id: u32,
}

#[derive(Serialize)]
struct Metadata<'a> {
    version: &'static str,
    product: Product,
    uid: Text<Number<'a>>,
    correlation_uid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    profiles: Option<[&'static str; 1]>,
}

#[derive(Serialize)]
struct Product {
    name: &'static str,
    vendor_name: &'static str,
}

#[derive(Serialize)]
struct Actor<'a> {
    user: User<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<Uid<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorizations: Option<[Authorization<'a>; 1]>,
}

#[derive(Serialize)]
struct User<'a> {
    uid: &'a str,
    account: Uid<'a>,
    credential_uid: &'a str,
}

impl<'a> User<'a> {
    fn of(who: &'a Who) -> Self {
        Self { uid: &who.subject, account: Uid { uid: &who.account }, credential_uid: &who.access_key_id }
    }
}

#[derive(Serialize)]
struct Uid<'a> {
    uid: &'a str,
}

#[derive(Serialize)]
struct Authorization<'a> {
    decision: &'static str,
    policy: Name<'a>,
}

#[derive(Serialize)]
struct Name<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct Source {
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
}

#[derive(Serialize)]
struct Target<'a> {
    hostname: &'a str,
    svc_name: &'a str,
}

#[derive(Serialize)]
struct Credential<'a> {
    #[serde(flatten)]
    named: Named<'a>,
    data: Ends,
}

#[derive(Serialize)]
struct Named<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    uid: &'a str,
}

#[derive(Serialize)]
struct Ends {
    expires: i64,
}

#[derive(Serialize)]
struct Api<'a> {
    operation: &'a str,
    service: Name<'a>,
    request: Uid<'a>,
}

#[derive(Serialize)]
struct Resource<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
struct Unmapped<'a> {
    boot_id: &'a str,
    sequence: u64,
    via: &'a str,
    actors: &'a [String],
    schema: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature_seen: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature_sources: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acl_principal: Option<&'a str>,
}

/// Written as a string.
struct Text<T>(T);

impl<T: std::fmt::Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// The number of a record among all.
struct Number<'a>(&'a str, u64);

impl std::fmt::Display for Number<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.0, self.1)
    }
}

impl<'a> Line<'a> {
    /// The line of a record. `boot` and `sequence` number it; `via` names the
    /// host that stood in.
    pub(super) fn of(record: &'a Record, boot: &'a str, sequence: u64, via: &'a str) -> Self {
        let Record { time, who, channel, request_id, event } = record;
        let (class, class_name, activity, activity_name) = match event {
            Event::Login { .. } => (3002, "Authentication", 1, "Logon"),
            Event::SessionEnded { .. } => (3002, "Authentication", 2, "Logoff"),
            Event::Issued { .. } => (3004, "Entity Management", 1, "Create"),
            Event::Operation(_) | Event::Difference { .. } => (6003, "API Activity", 99, "Other"),
            Event::Lost { .. } => (3004, "Entity Management", 99, "Other"),
        };
        let mut unmapped = Unmapped {
            boot_id: boot,
            sequence,
            via,
            actors: &who.actors,
            schema: SCHEMA,
            connection: channel.as_ref().map(|c| c.connection.as_str()),
            protocol: channel.as_ref().map(|c| c.protocol.as_str()),
            outcome: None,
            signature_seen: None,
            signature_sources: None,
            acl_principal: None,
        };
        let src_endpoint = match channel {
            Some(channel) => Some(Source {
                ip: channel.address,
                name: channel.address.is_none().then_some(UNKNOWN),
                port: Some(channel.port),
            }),
            None if class == 6003 => Some(Source { ip: None, name: Some(SEVERAL), port: None }),
            None => None,
        };
        let (what, rating) = what(record, boot, &mut unmapped);
        let authorizations = match event {
            Event::Operation(operation) | Event::Difference { operation, .. } => {
                let Operation { outcome: decision, statement, .. } = operation;
                statement.as_ref().map(|name| [Authorization { decision, policy: Name { name } }])
            }
            _ => None,
        };
        Self {
            time: time.0,
            class_uid: class,
            class_name,
            category_uid: class / 1000,
            activity_id: activity,
            activity_name,
            type_uid: class * 100 + activity,
            metadata: Metadata {
                version: "1.3.0",
                product: Product { name: "Standin", vendor_name: "Standin" },
                uid: Text(Number(boot, sequence)),
                correlation_uid: request_id,
                // The profile from which this class has its actor.
                profiles: (class == 3004).then_some(["host"]),
            },
            actor: Actor {
                user: User::of(who),
                session: who.session_name.as_ref().map(|uid| Uid { uid }),
                authorizations,
            },
            src_endpoint,
            dst_endpoint: channel.as_ref().map(|c| Target { hostname: &c.host, svc_name: &c.listener }),
            what,
            rating,
            unmapped,
        }
    }
}

/// What is the event's own.
fn what<'a>(record: &'a Record, boot: &'a str, unmapped: &mut Unmapped<'a>) -> (What<'a>, Rating) {
    let user = User::of(&record.who);
    let rating = |well: bool, good, bad| {
        let (status_id, status, severity_id) = if well { (1, "Success", good) } else { (2, "Failure", bad) };
        Rating { status_id, status, severity_id }
    };
    match &record.event {
        Event::Login { outcome, reason, status, seen, sources } => {
            unmapped.outcome = Some(outcome);
            if *seen > 1 {
                (unmapped.signature_seen, unmapped.signature_sources) = (Some(*seen), Some(*sources));
            }
            let what = What::Login { status_detail: reason, status_code: Text(*status), user };
            (what, rating(*outcome == "success", 1, 3))
        }
        Event::SessionEnded { reason } => (What::Ended { status_detail: reason, user }, rating(true, 1, 1)),
        Event::Issued { credential_id, expires } => {
            let named = Named { kind: "impersonation credential", uid: credential_id };
            (What::Issued { entity: Credential { named, data: Ends { expires: expires.0 } } }, rating(true, 1, 1))
        }
        Event::Operation(operation) | Event::Difference { operation, .. } => {
            unmapped.outcome = Some(operation.outcome);
            let service = Name { name: operation.action.split(':').next().unwrap_or_default() };
            let what = What::Operation {
                api: Api { operation: &operation.action, service, request: Uid { uid: &record.request_id } },
                resources: [Resource { kind: &operation.resource_type, name: &operation.resource }],
                count: operation.count,
                start_time: operation.since.0,
                end_time: record.time.0,
                status_detail: &operation.reason,
            };
            let rating = if let Event::Difference { principal, .. } = &record.event {
                unmapped.acl_principal = Some(principal);
                // Neither outcome is what the client met: that is Kafka's to log.
                let severity_id = if operation.outcome == "shadow-allowed" { 2 } else { 3 };
                Rating { status_id: 99, status: "Other", severity_id }
            } else {
                rating(operation.outcome == "allowed", 1, 2)
            };
            (what, rating)
        }
        Event::Lost { count } => {
            let status_detail = "audit records were lost: the queue was full";
            let entity = Named { kind: "audit record", uid: boot };
            (What::Lost { entity, count: *count, status_detail }, rating(false, 1, 4))
        }
    }
}
