// SPDX-License-Identifier: Apache-2.0
//! Deciding made-up questions: one JSON object in, one out. Adds no clock and
//! no address of its own and matches ARNs exactly as AWS does.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{ActionTable, ArnMatch, Compiled, Document, Named, PolicySet, Scope};
use crate::channel::Channel;
use crate::decision::{GivenKeys, Inputs, Keys, Outcome, Reason};
use crate::fault::{Fault, Status};
use crate::identity::{Principal, check_account};
use crate::time::UnixMillis;

/// One question as it is written.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a JSON object")]
struct Case<'t> {
    #[serde(default)]
    id: Value,
    #[serde(borrow, default)]
    policies: Option<Vec<&'t RawValue>>,
    #[serde(borrow, default, rename = "permissionsBoundary")]
    boundary: Option<&'t RawValue>,
    #[serde(borrow, default, rename = "sessionPolicies")]
    session: Option<Vec<&'t RawValue>>,
    principal: Asking,
    action: String,
    resource: String,
    #[serde(borrow, default)]
    context: Option<Pairs<&'t RawValue>>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with arn and tags")]
struct Asking {
    arn: String,
    #[serde(default)]
    tags: Option<Pairs<String>>,
}

/// The members of an object in their order, also those of one name.
struct Pairs<V>(Vec<(String, V)>);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Pairs<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<V>(PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for Members<V> {
            type Value = Pairs<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Members(PhantomData))
    }
}

fn bad(text: impl Into<String>) -> Fault {
    Fault::new(Status::InvalidDocument, text)
}

/// Most documents that are kept.
const KEPT: usize = 1000;

/// Decides cases, of which many may hold the same policies.
#[derive(Default)]
pub struct Simulator {
    /// By their text.
    documents: HashMap<String, Arc<Document>>,
}

impl Simulator {
    /// Decides one case, given as the text of one JSON object.
    ///
    /// # Errors
    /// [`Status::InvalidDocument`] naming the field and what is accepted.
    pub fn case(&mut self, line: &str) -> Result<Value, Fault> {
        let case: Case<'_> = serde_json::from_str(line).map_err(|e| bad(format!("not a case: {e}")))?;
        let set = PolicySet {
            identity: self.documents("policies", case.policies.as_deref())?,
            boundary: case.boundary.map(|text| self.named("permissionsBoundary", text)).transpose()?,
            session: self.documents("sessionPolicies", case.session.as_deref())?,
        };
        decide(&case, &set)
    }

    /// A policy as an object, or as a string that holds its text.
    fn named(&mut self, field: &str, raw: &RawValue) -> Result<Named, Fault> {
        let name = field.into();
        if let Some(document) = self.documents.get(raw.get()) {
            return Ok(Named { name, document: Arc::clone(document) });
        }
        let unwrapped: Option<String> = serde_json::from_str(raw.get()).ok();
        let text = unwrapped.as_deref().unwrap_or(raw.get());
        let document = Arc::new(Document::parse(text).map_err(|e| bad(format!("{field}: {e}")))?);
        if self.documents.len() >= KEPT {
            self.documents.clear();
        }
        self.documents.insert(raw.get().to_owned(), Arc::clone(&document));
        Ok(Named { name, document })
    }

    fn documents(&mut self, field: &str, list: Option<&[&RawValue]>) -> Result<Vec<Named>, Fault> {
        list.unwrap_or_default().iter().enumerate().map(|(n, raw)| self.named(&format!("{field}[{n}]"), raw)).collect()
    }
}

fn decide(case: &Case<'_>, set: &PolicySet) -> Result<Value, Fault> {
    let mut given = GivenKeys::default();
    for (key, value) in case.context.iter().flat_map(|c| &c.0) {
        if !given.give(key, context_values(key, value)?) {
            return Err(bad(format!("context.{key}: the key stands twice (keys compare without case)")));
        }
    }
    derive(&case.principal, &mut given)?;
    let mut actions = ActionTable::new();
    let action = actions.intern(&case.action, "");
    let compiled = Compiled::new(set, &actions, &Scope { namespaces: Vec::new(), arn_match: ArnMatch::Aws });
    // Only the given keys are looked at.
    let channel = Channel::default();
    let nobody = Principal::nobody()?;
    let inputs = Inputs {
        principal: &nobody,
        channel: &channel,
        address: None,
        client_id: "",
        now: UnixMillis(0),
        resource_tags: &[],
        keys: Keys::Only(&given),
    };
    let verdict = compiled.decide(action, &case.resource, &inputs);
    let decision = match (verdict.outcome, verdict.reason) {
        (Outcome::Allow, _) => "allowed",
        (_, Reason::ExplicitDeny) => "explicitDeny",
        _ => "implicitDeny",
    };
    let statement = verdict.statement.map(|s| {
        let name = compiled.statement(s);
        json!({"policy": name.policy, "sid": name.sid, "index": name.index})
    });
    Ok(json!({"id": &case.id, "decision": decision, "statement": statement}))
}

/// The values of a context key: one or a list. Numbers stay as written.
fn context_values(key: &str, raw: &RawValue) -> Result<Vec<String>, Fault> {
    let one = |raw: &RawValue| {
        let text = raw.get();
        match text.as_bytes().first() {
            Some(b'"') => serde_json::from_str::<String>(text).ok(),
            Some(b'[' | b'{' | b'n') | None => None,
            Some(_) => Some(text.to_owned()),
        }
        .ok_or_else(|| bad(format!("context.{key}: a string, number, boolean or a list of them is accepted")))
    };
    match serde_json::from_str::<Vec<&RawValue>>(raw.get()) {
        Ok(list) => list.into_iter().map(one).collect(),
        Err(_) => Ok(vec![one(raw)?]),
    }
}

/// Gives the keys that follow from the principal; what the context gave wins.
fn derive(asking: &Asking, given: &mut GivenKeys) -> Result<(), Fault> {
    let subject = Subject::of(&asking.arn)?;
    given.give("aws:PrincipalArn", vec![subject.arn]);
    given.give("aws:PrincipalAccount", vec![subject.account]);
    if let Some(user) = subject.user {
        given.give("aws:username", vec![user]);
    }
    let tags = asking.tags.as_ref().map_or(&[][..], |t| &t.0);
    for (n, (key, value)) in tags.iter().enumerate() {
        if tags.iter().take(n).any(|(k, _)| super::text::same_without_case(k, key)) {
            return Err(bad(format!("principal.tags.{key}: the tag stands twice (keys compare without case)")));
        }
        given.give(&format!("aws:PrincipalTag/{key}"), vec![value.clone()]);
    }
    Ok(())
}

/// What an ARN says of the principal it names.
struct Subject {
    /// `aws:PrincipalArn`: of a session of a role, the role's.
    arn: String,
    account: String,
    /// `aws:username`: of users only.
    user: Option<String>,
}

impl Subject {
    fn of(arn: &str) -> Result<Self, Fault> {
        let wrong = || {
            bad(format!(
                "principal.arn: {arn:?}: the ARN of a principal is accepted: arn:PARTITION:iam::ACCOUNT:user|role/[PATH/]NAME, arn:PARTITION:iam::ACCOUNT:root, arn:PARTITION:sts::ACCOUNT:assumed-role/ROLE/SESSION or arn:PARTITION:sts::ACCOUNT:federated-user/NAME"
            ))
        };
        let fields: Vec<&str> = arn.splitn(6, ':').collect();
        let ["arn", partition, service, region, account, name] = fields.as_slice() else { return Err(wrong()) };
        let plain =
            |text: &str| !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c == '*' || c == '?');
        if !plain(partition) || !plain(service) || !plain(name) || check_account(account).is_err() {
            return Err(wrong());
        }
        let (mut shown, mut user) = (arn.to_owned(), None);
        let parts: Vec<&str> = name.split('/').collect();
        match (*service, *region, parts.as_slice()) {
            ("iam" | "sts", _, parts) if parts.contains(&"") => return Err(wrong()),
            ("iam", "", ["user", .., last]) => user = Some((*last).to_owned()),
            ("iam", "", ["root"] | ["role" | "host", _, ..]) | ("sts", "", ["federated-user", _]) => {}
            ("sts", "", ["assumed-role", role, _]) => shown = format!("arn:{partition}:iam::{account}:role/{role}"),
            ("iam" | "sts", ..) => return Err(wrong()),
            // Principals of other kinds are named by ARNs of their own.
            _ => {}
        }
        Ok(Self { arn: shown, account: (*account).to_owned(), user })
    }
}
