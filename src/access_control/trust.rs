// SPDX-License-Identifier: Apache-2.0
//! Trust policies: who may assume a role. The one kind of resource policy
//! there is, with `Principal`; its conditions are those of identity policies.

use serde_json::{Map, Value};

use crate::decision::{Inputs, Outcome};
use crate::fault::{Fault, Status};
use crate::identity::Identity;
use crate::policy::{ActionTable, ArnMatch, Compiled, Document, Named, PolicySet, Scope};

/// How a trust policy admits a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// It names the caller: that is enough.
    Direct,
    /// It names the caller's account: the caller's own policies must allow it
    /// too.
    ByAccount,
    /// It does not admit the caller.
    No,
}

fn invalid(text: impl Into<String>) -> Fault {
    Fault::new(Status::InvalidDocument, format!("the trust policy is not valid: {}", text.into()))
}

struct Statement {
    principals: Vec<String>,
    /// The rest as an identity policy with `Resource: "*"`.
    document: Document,
}

fn statements(text: &str) -> Result<Vec<Statement>, Fault> {
    let root: Map<String, Value> = serde_json::from_str(text).map_err(|e| invalid(e.to_string()))?;
    let version = root.get("Version").cloned().unwrap_or_else(|| "2008-10-17".into());
    let list = match root.get("Statement") {
        Some(Value::Array(list)) if !list.is_empty() => list.clone(),
        Some(one @ Value::Object(_)) => vec![one.clone()],
        _ => return Err(invalid("$.Statement: one statement or a list of statements is accepted")),
    };
    if let Some(key) = root.keys().find(|k| !["Version", "Id", "Statement"].contains(&k.as_str())) {
        return Err(invalid(format!("$.{key}: Version, Id and Statement are accepted")));
    }
    let mut out = Vec::new();
    for (n, value) in list.iter().enumerate() {
        let Value::Object(statement) = value else {
            return Err(invalid(format!("$.Statement[{n}]: a statement object is accepted")));
        };
        let mut rest = statement.clone();
        let principal = rest
            .remove("Principal")
            .ok_or_else(|| invalid(format!("$.Statement[{n}].Principal is missing; {{\"AWS\": ARN}} is accepted")))?;
        if rest.contains_key("Resource") || rest.contains_key("NotResource") {
            return Err(invalid(format!(
                "$.Statement[{n}].Resource: a trust policy belongs to its role; remove the key"
            )));
        }
        let wrong = || {
            invalid(format!(
                "$.Statement[{n}].Principal: \"*\" or {{\"AWS\": ARN, account or list of them}} is accepted"
            ))
        };
        let principals = match &principal {
            Value::String(all) if all == "*" => vec!["*".to_owned()],
            Value::Object(map) if map.len() == 1 => match map.get("AWS") {
                Some(Value::String(one)) => vec![one.clone()],
                Some(Value::Array(list)) => {
                    list.iter().map(|v| v.as_str().map(str::to_owned)).collect::<Option<_>>().ok_or_else(wrong)?
                }
                _ => return Err(wrong()),
            },
            _ => return Err(wrong()),
        };
        for principal in &principals {
            let account = principal.len() == 12 && principal.bytes().all(|b| b.is_ascii_digit());
            let root = principal.starts_with("arn:") && principal.ends_with(":root");
            if !(account || root || principal == "*" || Identity::parse(principal).is_ok()) {
                return Err(invalid(format!(
                    "$.Statement[{n}].Principal: {principal:?}: the ARN of a user or role, an account or \"*\" is accepted"
                )));
            }
        }
        rest.insert("Resource".into(), "*".into());
        let document = serde_json::json!({"Version": version, "Statement": rest}).to_string();
        let document = Document::parse(&document).map_err(|e| invalid(e.to_string()))?;
        out.push(Statement { principals, document });
    }
    Ok(out)
}

/// Checks a trust policy.
///
/// # Errors
/// [`Status::InvalidDocument`].
pub(super) fn check(text: &str) -> Result<(), Fault> {
    statements(text).map(drop)
}

/// How `text` admits the caller for `action`.
pub(super) fn admits(text: &str, caller: &Identity, action: &str, inputs: &Inputs<'_>) -> Result<Trust, Fault> {
    let mut actions = ActionTable::new();
    let id = actions.intern(action, "");
    let scope = Scope { clusters: Vec::new(), arn_match: ArnMatch::Aws };
    let mut best = Trust::No;
    for statement in statements(text)? {
        let direct = statement.principals.iter().any(|p| p == caller.arn() || p == "*");
        let root = format!("arn:{}:iam::{}:root", caller.partition(), caller.account());
        let by_account = statement.principals.iter().any(|p| p == caller.account() || *p == root);
        if !direct && !by_account {
            continue;
        }
        // Effects are told apart by asking twice: a deny is explicit.
        let named = Named { name: "trust".into(), document: std::sync::Arc::new(statement.document) };
        let set = PolicySet { identity: vec![named], ..PolicySet::default() };
        let verdict = Compiled::new(&set, &actions, &scope).decide(id, "*", inputs);
        match (verdict.outcome, verdict.reason) {
            (Outcome::Allow, _) if direct => best = Trust::Direct,
            (Outcome::Allow, _) if best == Trust::No => best = Trust::ByAccount,
            (_, crate::decision::Reason::ExplicitDeny) => return Ok(Trust::No),
            _ => {}
        }
    }
    Ok(best)
}
