// SPDX-License-Identifier: Apache-2.0
//! Managed policies.

use standin::access_control::{ManagedPolicy, NewPolicy};

use super::users::still_has;
use super::{page, roles, tags};
use crate::aws::gate::{Call, Target, check_name, check_path};
use crate::aws::problem::{Code, Problem};
use crate::aws::xml::Xml;
use crate::output::date;

fn fields(x: &mut Xml, policy: &ManagedPolicy) {
    x.text("PolicyName", &policy.name)
        .text("PolicyId", &policy.unique_id)
        .text("Arn", &policy.arn)
        .text("Path", &policy.path)
        .text("DefaultVersionId", format!("v{}", policy.default_version))
        .text("AttachmentCount", policy.attached.to_string())
        .text("PermissionsBoundaryUsageCount", policy.bounds.to_string())
        .flag("IsAttachable", true)
        .text("CreateDate", date(policy.created))
        .text("UpdateDate", date(policy.updated));
}

fn whole(x: &mut Xml, policy: &ManagedPolicy) {
    x.node("Policy", |x| {
        fields(x, policy);
        if !policy.description.is_empty() {
            x.text("Description", &policy.description);
        }
        tags::shown(x, &policy.tags);
    });
}

pub(super) fn missing(fault: standin::fault::Fault, arn: &str) -> Problem {
    match Problem::from(fault) {
        Problem { code: Code::NoSuchEntity, .. } => {
            Problem::new(Code::NoSuchEntity, format!("Policy {arn} does not exist or is not attachable."))
        }
        other => other,
    }
}

pub(crate) fn create(call: &Call<'_>, x: &mut Xml) -> Result<(), Problem> {
    let form = call.form;
    let (path, name) = (check_path(form.get("Path"))?, form.need("PolicyName")?);
    check_name("policyName", name, 128)?;
    let tags = tags::given(form)?;
    let description = roles::description(form)?.unwrap_or_default();
    let new = NewPolicy { path, name, document: form.need("PolicyDocument")?, description, tags: &tags };
    let permit = call.permit(Target::new(call.gate.arn("policy", path, name)).tagging(&tags))?;
    whole(x, &permit.store.create_policy(permit.actor, &new)?);
    Ok(())
}

pub(crate) fn get(call: &Call<'_>, x: &mut Xml) -> Result<(), Problem> {
    let arn = call.form.need("PolicyArn")?;
    let permit = call.permit(call.policy(arn)?)?;
    whole(x, &permit.store.policy(arn).map_err(|f| missing(f, arn))?);
    Ok(())
}

pub(crate) fn list(call: &Call<'_>, x: &mut Xml) -> Result<(), Problem> {
    let form = call.form;
    let prefix = form.get("PathPrefix").unwrap_or("/");
    let page = page::asked(form)?;
    let used = match form.get("PolicyUsageFilter") {
        None => None,
        Some("PermissionsPolicy") => Some(false),
        Some("PermissionsBoundary") => Some(true),
        Some(_) => {
            let accepted = "PolicyUsageFilter: PermissionsPolicy or PermissionsBoundary is accepted.";
            return Err(Problem::new(Code::ValidationError, accepted));
        }
    };
    let attached = form.flag("OnlyAttached")?;
    let none = match form.get("Scope") {
        None | Some("All" | "Local") => false,
        // There are no policies of AWS's own here.
        Some("AWS") => true,
        Some(_) => return Err(Problem::new(Code::ValidationError, "Scope: All, AWS or Local is accepted.")),
    };
    let permit = call.permit(Target::new("*"))?;
    let mut policies = if none { Vec::new() } else { permit.store.managed_policies(prefix)? };
    policies.retain(|policy| match used {
        None => !attached || policy.attached + policy.bounds > 0,
        Some(false) => policy.attached > 0,
        Some(true) => policy.bounds > 0,
    });
    let (policies, more) = page::of(policies, &page, |policy| &policy.name);
    x.list("Policies", &policies, fields);
    page::end(x, more, policies.last().map(|p| p.name.as_str()));
    Ok(())
}

pub(crate) fn delete(call: &Call<'_>, _: &mut Xml) -> Result<(), Problem> {
    let arn = call.form.need("PolicyArn")?;
    let permit = call.permit(call.policy(arn)?)?;
    let policy = permit.store.policy(arn).map_err(|f| missing(f, arn))?;
    let others = permit.store.policy_versions(arn)?.len() - 1;
    if others > 0 {
        let text = "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.";
        return Err(Problem::new(Code::DeleteConflict, text));
    }
    permit.store.delete_policy(permit.actor, &policy.arn, false).map_err(still_has)
}

pub(crate) fn entities(call: &Call<'_>, x: &mut Xml) -> Result<(), Problem> {
    let form = call.form;
    let arn = form.need("PolicyArn")?;
    let page = page::asked(form)?;
    let kinds: &[&str] = match form.get("EntityFilter") {
        None => &["user", "role", "group"],
        Some("User") => &["user"],
        Some("Role") => &["role"],
        Some("Group") => &["group"],
        Some("LocalManagedPolicy" | "AWSManagedPolicy") => &[],
        Some(_) => return Err(Problem::new(Code::ValidationError, "EntityFilter: User, Role or Group is accepted.")),
    };
    let boundary = match form.get("PolicyUsageFilter") {
        None => None,
        Some("PermissionsPolicy") => Some(false),
        Some("PermissionsBoundary") => Some(true),
        Some(_) => {
            let accepted = "PolicyUsageFilter: PermissionsPolicy or PermissionsBoundary is accepted.";
            return Err(Problem::new(Code::ValidationError, accepted));
        }
    };
    let prefix = form.get("PathPrefix").unwrap_or("/");
    let permit = call.permit(call.policy(arn)?)?;
    let mut entities = permit.store.policy_entities(arn).map_err(|f| missing(f, arn))?;
    entities.retain(|e| {
        kinds.contains(&e.kind.as_str()) && boundary.is_none_or(|b| e.boundary == b) && e.path.starts_with(prefix)
    });
    entities.sort_by(|a, b| a.arn.cmp(&b.arn));
    entities.dedup_by(|a, b| a.arn == b.arn);
    let (entities, more) = page::of(entities, &page, |e| &e.arn);
    for (kind, list, name, id) in [
        ("group", "PolicyGroups", "GroupName", "GroupId"),
        ("user", "PolicyUsers", "UserName", "UserId"),
        ("role", "PolicyRoles", "RoleName", "RoleId"),
    ] {
        x.list(list, entities.iter().filter(|e| e.kind == kind), |x, e| {
            x.text(name, &e.name).text(id, &e.unique_id);
        });
    }
    page::end(x, more, entities.last().map(|e| e.arn.as_str()));
    Ok(())
}
