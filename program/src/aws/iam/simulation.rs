// SPDX-License-Identifier: Apache-2.0
//! Simulating policies: what they would say of made-up requests.

use std::collections::BTreeSet;

use standin::access_control::{Attached, Effective, Owner};
use standin::channel::Channel;
use standin::decision::{GivenKeys, Inputs, Keys, Outcome, Reason, Verdict};
use standin::identity::{Identity, IdentityKind, Principal};
use standin::policy::{ActionTable, ArnMatch, Compiled, Document, Named, PolicySet, Scope};
use standin::time::UnixMillis;

use super::page;
use crate::aws::form::Form;
use crate::aws::gate::{Call, Permit, Target};
use crate::aws::problem::{Code, Problem};
use crate::aws::xml::Xml;

/// Most combinations of an action and a resource of one simulation.
const MOST: usize = 10_000;

fn invalid(text: impl Into<String>) -> Problem {
    Problem::new(Code::InvalidInput, text)
}

fn document(name: &str, text: &str) -> Result<Named, Problem> {
    let document = Document::parse(text).map_err(|e| invalid(format!("{name}: {e}")))?;
    Ok(Named { name: name.into(), document: document.into() })
}

/// The documents of a list of the request.
fn listed(form: &Form, list: &str) -> Result<Vec<Named>, Problem> {
    form.list(list)?.iter().enumerate().map(|(n, text)| document(&format!("{list}.{}", n + 1), text)).collect()
}

/// The context of the request; what it gives stands before what follows from
/// the principal.
fn context(form: &Form) -> Result<GivenKeys, Problem> {
    let mut keys = GivenKeys::default();
    for member in form.members("ContextEntries")? {
        let name = form.need(&format!("{member}ContextKeyName"))?;
        let values = form.list(&format!("{member}ContextKeyValues"))?;
        if !keys.give(name, values.into_iter().map(str::to_owned).collect()) {
            return Err(invalid(format!("The context key {name} is given twice (keys compare without case).")));
        }
    }
    Ok(keys)
}

/// Gives the keys that follow from who the caller would be.
fn describe(arn: &str, tags: &[(String, String)], keys: &mut GivenKeys) -> Result<(), Problem> {
    let identity = Identity::parse(arn).map_err(|_| invalid(format!("CallerArn {arn}: a user's ARN is accepted.")))?;
    keys.give("aws:PrincipalArn", vec![arn.to_owned()]);
    keys.give("aws:PrincipalAccount", vec![identity.account().to_owned()]);
    if identity.kind() == IdentityKind::User {
        keys.give("aws:username", vec![identity.name().to_owned()]);
    }
    for (key, value) in tags {
        keys.give(&format!("aws:PrincipalTag/{key}"), vec![value.clone()]);
    }
    Ok(())
}

/// What one simulation is about.
struct Simulated {
    set: PolicySet,
    keys: GivenKeys,
}

/// The policies and tags of the user, group or role of this ARN.
fn principal_of(permit: &Permit<'_>, arn: &str) -> Result<Effective, Problem> {
    let missing = || Problem::new(Code::NoSuchEntity, format!("{arn} cannot be found."));
    if let Some((_, name)) = arn.split_once(":group/") {
        let name = name.rsplit('/').next().unwrap_or_default();
        let group = permit.store.group(name)?;
        // What was permitted is this ARN, not whatever group has the name at its end.
        if group.arn != arn {
            return Err(missing());
        }
        let own = permit.store.policies_of(Owner::Group(&group.arn))?;
        let mut policies: Vec<Attached> = Vec::new();
        for policy in &own.attached {
            let versions = permit.store.policy_versions(policy)?;
            let document = versions.into_iter().find(|v| v.is_default).map(|v| v.document).ok_or_else(missing)?;
            policies.push(Attached { name: policy.clone(), hash: [0; 32], document });
        }
        for (name, document) in own.inline {
            policies.push(Attached { name: format!("inline/{}/{name}", group.arn), hash: [0; 32], document });
        }
        return Ok(Effective { policies, ..Effective::default() });
    }
    let identity = Identity::parse(arn).map_err(|_| missing())?;
    permit.store.entitlements(&identity)?.value.ok_or_else(missing)
}

fn named(policy: &Attached) -> Result<Named, Problem> {
    document(&policy.name, &policy.document)
}

/// The resource of an ARN that is to be simulated.
fn source(call: &Call<'_>, arn: &str) -> Result<Target, Problem> {
    let name = arn.rsplit('/').next().unwrap_or_default();
    let kind = arn.splitn(6, ':').nth(5).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let target = match kind {
        "user" => call.user(name)?,
        "role" => call.role(name)?,
        "group" => call.group(name)?,
        _ => return Err(invalid("PolicySourceArn: the ARN of a user, group or role is accepted.")),
    };
    // The name alone is not who was meant.
    if target.arn == arn { Ok(target) } else { Ok(Target::new(arn)) }
}

pub(crate) fn custom(call: &Call<'_>, x: &mut Xml) -> Result<(), Problem> {
    let form = call.form;
    call.permit(Target::new("*"))?;
    let mut keys = context(form)?;
    if let Some(arn) = form.get("CallerArn") {
        describe(arn, &[], &mut keys)?;
    }
    let boundary = listed(form, "PermissionsBoundaryPolicyInputList")?.into_iter().next();
    let set = PolicySet { identity: listed(form, "PolicyInputList")?, boundary, session: Vec::new() };
    run(form, &Simulated { set, keys }, x)
}

pub(crate) fn principal(call: &Call<'_>, x: &mut Xml) -> Result<(), Problem> {
    let form = call.form;
    let arn = form.need("PolicySourceArn")?;
    let permit = call.permit(source(call, arn)?)?;
    let Effective { policies, boundary, tags } = principal_of(&permit, arn)?;
    let mut keys = context(form)?;
    match form.get("CallerArn") {
        Some(caller) => describe(caller, &[], &mut keys)?,
        None if arn.contains(":group/") => {}
        None => describe(arn, &tags, &mut keys)?,
    }
    let mut identity: Vec<Named> = policies.iter().map(named).collect::<Result<_, _>>()?;
    identity.extend(listed(form, "PolicyInputList")?);
    let boundary = match listed(form, "PermissionsBoundaryPolicyInputList")?.into_iter().next() {
        None => boundary.as_ref().map(named).transpose()?,
        given => given,
    };
    run(form, &Simulated { set: PolicySet { identity, boundary, session: Vec::new() }, keys }, x)
}

/// Evaluates every action on every resource.
fn run(form: &Form, simulated: &Simulated, x: &mut Xml) -> Result<(), Problem> {
    if form.get("ResourcePolicy").is_some() {
        return Err(invalid("ResourcePolicy: Standin has no resource policies; leave it out."));
    }
    let names = form.list("ActionNames")?;
    if let Some(bad) = names.iter().find(|name| !name.contains(':') || name.contains(['*', '?'])) {
        return Err(invalid(format!(
            "Invalid Action: {bad}. A service, a colon and the name of an action are accepted."
        )));
    }
    let mut resources = form.list("ResourceArns")?;
    if resources.is_empty() {
        resources.push("*");
    }
    if names.is_empty() || names.len() * resources.len() > MOST {
        return Err(invalid(format!("1 to {MOST} combinations of an action and a resource are accepted.")));
    }
    let page = page::asked(form)?;
    let from: usize = page.after.parse().unwrap_or(0);
    let mut actions = ActionTable::new();
    let ids: Vec<_> = names.iter().map(|name| actions.intern(name, "")).collect();
    let scope = Scope { namespaces: Vec::new(), arn_match: ArnMatch::Aws };
    let compiled = Compiled::new(&simulated.set, &actions, &scope);
    let all: Vec<_> = names.iter().zip(ids).flat_map(|(n, id)| resources.iter().map(move |r| (*n, id, *r))).collect();
    let shown: Vec<_> = all.iter().skip(from).take(page.most).collect();
    let channel = Channel::default();
    let nobody = Principal::nobody()?;
    let inputs = Inputs {
        principal: &nobody,
        channel: &channel,
        address: None,
        client_id: "",
        now: UnixMillis(0),
        resource_tags: &[],
        keys: Keys::Only(&simulated.keys),
    };
    let missing = missing(simulated);
    x.list("EvaluationResults", &shown, |x, (name, id, resource)| {
        let verdict = compiled.decide(*id, resource, &inputs);
        result(x, &compiled, &verdict, name, resource);
        x.texts("MissingContextValues", &missing);
        if simulated.set.boundary.is_some() {
            x.node("PermissionsBoundaryDecisionDetail", |x| {
                x.flag("AllowedByPermissionsBoundary", verdict.reason != Reason::BoundaryLimits);
            });
        }
    });
    let end = from + shown.len();
    page::end(x, end < all.len(), Some(&end.to_string()));
    Ok(())
}

fn result(x: &mut Xml, compiled: &Compiled, verdict: &Verdict, action: &str, resource: &str) {
    let decision = match (verdict.outcome, verdict.reason) {
        (Outcome::Allow, _) => "allowed",
        (_, Reason::ExplicitDeny) => "explicitDeny",
        _ => "implicitDeny",
    };
    x.text("EvalActionName", action).text("EvalResourceName", resource).text("EvalDecision", decision);
    let statement = verdict.statement.map(|s| compiled.statement(s));
    x.list("MatchedStatements", statement, |x, statement| {
        let kind = match statement.policy.split_once(":iam::").map(|(_, rest)| rest) {
            Some(rest) if statement.policy.starts_with("inline/") => {
                let kind = rest.split(':').nth(1).and_then(|r| r.split('/').next());
                kind.unwrap_or("none").to_owned()
            }
            Some(_) => "user-managed".to_owned(),
            None => "IAM Policy".to_owned(),
        };
        x.text("SourcePolicyId", statement.to_string()).text("SourcePolicyType", kind);
    });
}

/// The condition keys that a policy looks at and nobody gave.
fn missing(simulated: &Simulated) -> BTreeSet<String> {
    let PolicySet { identity, boundary, session } = &simulated.set;
    let documents = identity.iter().chain(boundary).chain(session);
    let asked: BTreeSet<&str> = documents.flat_map(|named| named.document.context_keys()).collect();
    asked.into_iter().filter(|key| simulated.keys.get(key).is_none()).map(str::to_owned).collect()
}

/// The keys that documents look at.
fn show_keys<'n>(x: &mut Xml, documents: impl Iterator<Item = &'n Named>) {
    let keys: BTreeSet<&str> = documents.flat_map(|named| named.document.context_keys()).collect();
    x.texts("ContextKeyNames", keys);
}

pub(crate) fn keys_of_custom(call: &Call<'_>, x: &mut Xml) -> Result<(), Problem> {
    call.permit(Target::new("*"))?;
    show_keys(x, listed(call.form, "PolicyInputList")?.iter());
    Ok(())
}

pub(crate) fn keys_of_principal(call: &Call<'_>, x: &mut Xml) -> Result<(), Problem> {
    let arn = call.form.need("PolicySourceArn")?;
    let permit = call.permit(source(call, arn)?)?;
    let Effective { policies, .. } = principal_of(&permit, arn)?;
    let mut documents: Vec<Named> = policies.iter().map(named).collect::<Result<_, _>>()?;
    documents.extend(listed(call.form, "PolicyInputList")?);
    show_keys(x, documents.iter());
    Ok(())
}
