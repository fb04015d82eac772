// SPDX-License-Identifier: Apache-2.0
//! What of a policy was used: its statements beside what the audit counted.

use super::super::catalogue::Known;
use super::super::document::Document;
use super::super::explain::{How, Question, bears};
use super::super::pattern::{NoValues, Pattern};
use super::super::problem::{Problems, shown_text};
use super::super::reader::read;
use super::{Finding, Findings, Place, covered, statements};
use crate::decision::Inputs;
use crate::policy::Scope;

/// An operation that was allowed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Use {
    /// Such as `kafka-cluster:ReadData`.
    pub action: String,
    /// Such as `topic`.
    pub resource_type: String,
    /// The resource's name.
    pub resource: String,
}

/// What one identity that has the policy was allowed.
#[derive(Clone, Copy)]
pub struct Usage<'a> {
    /// The operations.
    pub uses: &'a [Use],
    /// The identity, for the variables of the policy.
    pub inputs: &'a Inputs<'a>,
}

/// One operation of one identity.
type Done<'a> = (&'a Use, &'a Inputs<'a>);

/// Most names that are listed in place of a wildcard.
const LISTED: usize = 5;

/// What the statements that allow were not used for. Conditions count as met:
/// what was allowed under them is what was used.
///
/// # Errors
/// When it is not a valid document.
pub fn unused(text: &str, scope: &Scope, usages: &[Usage<'_>]) -> Result<Vec<Finding>, super::super::Invalid> {
    let document = Document::parse(text)?;
    let mut out = Findings::new(text);
    let Some(root) = read(text, &mut Problems::new(text)) else { return Ok(Vec::new()) };
    for (n, statement) in statements(&root).iter().enumerate() {
        let about = statement.texts("Action").iter().any(|(text, ..)| !of_hosts(text).is_empty());
        let allows = statement.texts("Effect").first().is_some_and(|(text, ..)| *text == "Allow");
        if !about || !allows {
            continue;
        }
        let all = usages.iter().flat_map(|usage| usage.uses.iter().map(|u| (u, usage.inputs)));
        let own: Vec<Done<'_>> = all.filter(|done| allowed(&document, n, scope, *done)).collect();
        if own.is_empty() {
            let advice = "remove it, if nobody needs it later";
            out.add("never-used", &statement.path, statement.node.at, "the statement allowed nothing", advice);
            continue;
        }
        actions(statement, &own, &mut out);
        resources(statement, &own, &document, n, scope, &mut out);
    }
    Ok(out.finish())
}

/// True when the statement allows the operation, its conditions aside.
fn allowed(document: &Document, statement: usize, scope: &Scope, (u, inputs): Done<'_>) -> bool {
    let question = Question { action: &u.action, resource_type: &u.resource_type, resource: &u.resource };
    matches!(bears(document, statement, scope, &question, inputs), Some(How::Applies | How::Unmet(_)))
}

/// The actions that hosts count; those of the service itself are in no count.
fn of_hosts(pattern: &str) -> Vec<&'static Known> {
    covered(pattern).into_iter().filter(|k| k.service != "iam").collect()
}

fn listed(mut names: Vec<&str>) -> Option<String> {
    names.sort_unstable();
    names.dedup();
    (names.len() <= LISTED).then(|| names.join(", "))
}

fn actions(statement: &Place<'_>, own: &[Done<'_>], out: &mut Findings<'_>) {
    for (text, node, path) in statement.texts("Action") {
        let Ok(pattern) = Pattern::read(text, false, true) else { continue };
        let names = own.iter().map(|(u, _)| u.action.as_str());
        let used: Vec<&str> = names.filter(|action| pattern.matches_without_case(action, &NoValues)).collect();
        let all = of_hosts(text);
        if used.is_empty() && !all.is_empty() {
            out.add(
                "action-not-used",
                &path,
                node.at,
                format!("{} was not used", shown_text(text)),
                "remove it, if nobody needs it later",
            );
        } else if let Some(names) = listed(used.clone()).filter(|_| pattern.literal().is_none()) {
            let mut different = used;
            different.sort_unstable();
            different.dedup();
            if different.len() < all.len() {
                let found =
                    format!("of the {} actions of {} {} were used", all.len(), shown_text(text), different.len());
                out.add("action-not-used", &path, node.at, found, format!("these are enough: {names}"));
            }
        }
    }
}

fn resources(
    statement: &Place<'_>,
    own: &[Done<'_>],
    document: &Document,
    n: usize,
    scope: &Scope,
    out: &mut Findings<'_>,
) {
    for (position, (text, node, path)) in statement.texts("Resource").into_iter().enumerate() {
        let Some(alone) = document.with_resource(n, position) else { continue };
        let used: Vec<&Done<'_>> = own.iter().filter(|done| allowed(&alone, 0, scope, **done)).collect();
        if used.is_empty() {
            out.add(
                "resource-not-used",
                &path,
                node.at,
                format!("{} was not used", shown_text(text)),
                "remove it, if nobody needs it later",
            );
        } else if text.ends_with('*')
            && let Some(names) =
                listed(used.iter().map(|(u, _)| u.resource.as_str()).filter(|r| !r.is_empty()).collect())
            && !names.is_empty()
        {
            out.add(
                "resource-not-used",
                &path,
                node.at,
                format!("of all that {} allows, few were used", shown_text(text)),
                format!("these are enough: {names}"),
            );
        }
    }
}
