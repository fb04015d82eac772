// SPDX-License-Identifier: Apache-2.0
//! Looking a valid trust policy through for what is probably not meant: it
//! speaks of actions that roles are not assumed by, of keys that are never
//! given, of principals that do not exist.

use super::super::key::Key;
use super::super::party::Party;
use super::super::pattern::{NoValues, Pattern};
use super::super::problem::{Problems, shown_text};
use super::super::reader::{Value, read};
use super::super::{Invalid, TrustPolicy};
use super::{Finding, Findings, Place, statements, supplied};

/// What trust policies are asked about.
const ACTIONS: [&str; 4] =
    ["sts:AssumeRole", "sts:AssumeRoleWithWebIdentity", "sts:SetSourceIdentity", "sts:TagSession"];

/// Looks a trust policy through. `exists` says of a principal whether there is
/// anybody it stands for.
///
/// # Errors
/// When it is not a valid trust policy.
pub fn check_trust(text: &str, exists: &dyn Fn(&Party) -> bool) -> Result<Vec<Finding>, Invalid> {
    TrustPolicy::parse(text)?;
    let mut out = Findings::new(text);
    if let Some(root) = read(text, &mut Problems::new(text)) {
        for statement in statements(&root) {
            actions(&statement, &mut out);
            principals(&statement, exists, &mut out);
            conditions(&statement, &mut out);
        }
    }
    Ok(out.finish())
}

fn actions(statement: &Place<'_>, out: &mut Findings<'_>) {
    for name in ["Action", "NotAction"] {
        for (text, node, path) in statement.texts(name) {
            let pattern = Pattern::read(text, false, true);
            let asked = |p: &Pattern| ACTIONS.iter().any(|a| p.matches_without_case(a, &NoValues));
            if !pattern.as_ref().is_ok_and(asked) {
                let found = format!("no trust policy is asked about {}", shown_text(text));
                out.add("unknown-action", &path, node.at, found, format!("{} are asked about", ACTIONS.join(", ")));
            }
        }
    }
}

fn principals(statement: &Place<'_>, exists: &dyn Fn(&Party) -> bool, out: &mut Findings<'_>) {
    let Some(principal) = statement.node.member("Principal") else { return };
    for kind in principal.members() {
        for (node, path) in kind.node.items(&format!("{}.Principal.{}", statement.path, kind.name)) {
            let Value::Text(text) = &node.value else { continue };
            // It is a valid trust policy, or it would not be looked through.
            if Party::read(&kind.name, text).is_ok_and(|party| !exists(&party)) {
                let found = format!("{} is nobody here", shown_text(text));
                out.add("no-principal", &path, node.at, found, "name a user, role, account or provider that there is");
            }
        }
    }
}

fn conditions(statement: &Place<'_>, out: &mut Findings<'_>) {
    let Some(block) = statement.node.member("Condition") else { return };
    for operator in block.members() {
        for member in operator.node.members() {
            let (name, key) = (member.name.to_lowercase(), Key::of(&member.name));
            // An identity provider's keys are named after its address.
            let provided = name == "aws:federatedprovider"
                || name.split_once(':').is_some_and(|(issuer, _)| issuer.contains('.') || issuer.contains('/'));
            if provided || supplied(&member.name, &key, true) && !name.starts_with("iot:") {
                continue;
            }
            out.add(
                "condition-key",
                &format!("{}.Condition.{}.{}", statement.path, operator.name, member.name),
                member.at,
                format!("no request to assume a role has {}", shown_text(&member.name)),
                "see the table of condition keys in docs/policies.md",
            );
        }
    }
}
