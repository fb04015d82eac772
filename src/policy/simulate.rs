// SPDX-License-Identifier: Apache-2.0
//! Deciding made-up questions: one JSON object in, one out. Adds no clock and
//! no address of its own and matches ARNs exactly as AWS does.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{ActionTable, ArnMatch, Compiled, Document, Named, PolicySet, Scope};
use crate::channel::Channel;
use crate::decision::{GivenKeys, Inputs, Outcome, Reason};
use crate::fault::{Fault, Status};
use crate::identity::{Attributes, Identity, IdentityKind, Principal};
use crate::time::UnixMillis;

struct Given(Vec<(String, Vec<String>)>);

impl GivenKeys for Given {
    fn values(&self, key: &str, each: &mut dyn FnMut(&str)) -> bool {
        match self.0.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)) {
            Some((_, values)) => {
                values.iter().for_each(|v| each(v));
                true
            }
            None => false,
        }
    }
}

const KEYS: [&str; 8] =
    ["id", "policies", "permissionsBoundary", "sessionPolicies", "principal", "action", "resource", "context"];

fn bad(text: impl Into<String>) -> Fault {
    Fault::new(Status::InvalidDocument, text)
}

/// Decides one case, given as the text of one JSON object.
///
/// # Errors
/// [`Status::InvalidDocument`] naming the field and what is accepted.
pub fn case(line: &str) -> Result<Value, Fault> {
    let case: Map<String, Value> = serde_json::from_str(line).map_err(|e| bad(format!("not a JSON object: {e}")))?;
    if let Some(unknown) = case.keys().find(|k| !KEYS.contains(&k.as_str())) {
        return Err(bad(format!("unknown field {unknown:?}; {} are accepted", KEYS.join(", "))));
    }
    let id = case.get("id").cloned().unwrap_or(Value::Null);
    let set = PolicySet {
        identity: documents(&case, "policies")?,
        boundary: match case.get("permissionsBoundary") {
            None | Some(Value::Null) => None,
            Some(value) => Some(named("permissionsBoundary", value)?),
        },
        session: documents(&case, "sessionPolicies")?,
    };
    let text = |field: &str| {
        case.get(field).and_then(Value::as_str).ok_or_else(|| bad(format!("{field}: a string is required")))
    };
    let (action, resource) = (text("action")?, text("resource")?);
    let (principal, arn) = principal(case.get("principal"))?;
    let mut given = context(case.get("context"))?;
    // The ARN is kept as it was given; a given key wins over it.
    if let Some(arn) = arn
        && !given.0.iter().any(|(k, _)| k.eq_ignore_ascii_case("aws:PrincipalArn"))
    {
        given.0.push(("aws:PrincipalArn".into(), vec![arn]));
    }
    let mut actions = ActionTable::new();
    let action = actions.intern(action, "");
    let compiled = Compiled::new(&set, &actions, &Scope { clusters: Vec::new(), arn_match: ArnMatch::Aws });
    let channel = Channel::default();
    let inputs = Inputs {
        principal: &principal,
        channel: &channel,
        address: None,
        client_id: "",
        now: UnixMillis(0),
        resource_tags: &[],
        given: Some(&given),
    };
    let verdict = compiled.decide(action, resource, &inputs);
    let decision = match (verdict.outcome, verdict.reason) {
        (Outcome::Allow, _) => "allowed",
        (_, Reason::ExplicitDeny) => "explicitDeny",
        _ => "implicitDeny",
    };
    let statement = verdict.statement.map(|s| {
        let name = compiled.statement(s);
        json!({"policy": name.policy, "sid": name.sid, "index": name.index})
    });
    Ok(json!({"id": id, "decision": decision, "statement": statement}))
}

fn named(field: &str, value: &Value) -> Result<Named, Fault> {
    let text = match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    let document = Document::parse(&text).map_err(|e| bad(format!("{field}: {e}")))?;
    Ok(Named { name: field.into(), document: Arc::new(document) })
}

fn documents(case: &Map<String, Value>, field: &str) -> Result<Vec<Named>, Fault> {
    match case.get(field) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(list)) => {
            list.iter().enumerate().map(|(n, value)| named(&format!("{field}[{n}]"), value)).collect()
        }
        Some(_) => Err(bad(format!("{field}: a list of policy documents is accepted"))),
    }
}

fn principal(value: Option<&Value>) -> Result<(Principal, Option<String>), Fault> {
    let arn = value
        .and_then(|p| p.get("arn"))
        .and_then(Value::as_str)
        .ok_or_else(|| bad("principal.arn: the ARN of a user or role is required"))?;
    let mut tags = Vec::new();
    if let Some(given) = value.and_then(|p| p.get("tags")) {
        let map = given.as_object().ok_or_else(|| bad("principal.tags: an object of strings is accepted"))?;
        for (key, value) in map {
            let value = value.as_str().ok_or_else(|| bad(format!("principal.tags.{key}: a string is accepted")))?;
            tags.push((key.clone(), value.to_owned()));
        }
    }
    let fields: Vec<&str> = arn.splitn(6, ':').collect();
    let (subject, session, shown) = match fields.as_slice() {
        ["arn", partition, "sts", "", account, rest] if rest.starts_with("assumed-role/") => {
            let parts: Vec<&str> = rest.split('/').collect();
            let ["assumed-role", role, session] = parts.as_slice() else {
                return Err(bad(format!(
                    "principal.arn: {arn:?}: arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION is accepted"
                )));
            };
            // AWS gives the role's ARN, not the session's, as aws:PrincipalArn.
            (Identity::new(partition, account, IdentityKind::Role, "/", role)?, Some((*session).to_owned()), None)
        }
        ["arn", partition, "iam", "", account, "root"] => {
            (Identity::new(partition, account, IdentityKind::Role, "/", "root")?, None, Some(arn.to_owned()))
        }
        _ => (Identity::parse(arn).map_err(|e| bad(format!("principal.arn: {e}")))?, None, None),
    };
    let attributes = Attributes { session_name: session, tags, ..Attributes::default() };
    Ok((Principal { subject, attributes, actors: Vec::new(), grant: None }, shown))
}

fn context(value: Option<&Value>) -> Result<Given, Fault> {
    let mut given = Given(Vec::new());
    let map = match value {
        None | Some(Value::Null) => return Ok(given),
        Some(Value::Object(map)) => map,
        Some(_) => return Err(bad("context: an object of condition keys is accepted")),
    };
    for (key, value) in map {
        let one = |value: &Value| match value {
            Value::String(text) => Ok(text.clone()),
            Value::Bool(yes) => Ok(yes.to_string()),
            Value::Number(number) => Ok(number.to_string()),
            _ => Err(bad(format!("context.{key}: a string, number, boolean or a list of them is accepted"))),
        };
        let values = match value {
            Value::Array(list) => list.iter().map(one).collect::<Result<_, _>>()?,
            value => vec![one(value)?],
        };
        given.0.push((key.clone(), values));
    }
    Ok(given)
}
