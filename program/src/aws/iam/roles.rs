// SPDX-License-Identifier: Apache-2.0
//! Roles.

use standin::access_control::{NewRole, RoleRow};

use super::users::{missing, still_has};
use super::{boundaries, page, tags};
use crate::aws::form::Form;
use crate::aws::gate::{Call, Target, check_name, check_path};
use crate::aws::problem::{Code, Problem};
use crate::aws::xml::{Xml, percent};
use crate::output::date;

/// Shortest and longest session that may be set, seconds.
const SESSIONS: std::ops::RangeInclusive<i64> = 15..=43_200;
/// Longest description, characters.
const DESCRIPTION: usize = 1000;

fn fields(x: &mut Xml, role: &RoleRow) {
    x.text("Path", role.identity.path())
        .text("RoleName", role.identity.name())
        .text("RoleId", &role.unique_id)
        .text("Arn", role.identity.arn())
        .text("CreateDate", date(role.created))
        .text("AssumeRolePolicyDocument", percent(&role.trust));
    if !role.description.is_empty() {
        x.text("Description", &role.description);
    }
    x.text("MaxSessionDuration", role.max_session.to_string());
}

fn whole(x: &mut Xml, role: &RoleRow) {
    x.node("Role", |x| {
        fields(x, role);
        boundaries::shown(x, role.boundary.as_deref());
        tags::shown(x, &role.tags);
    });
}

/// A description, as AWS documents what it may hold.
pub(super) fn description(form: &Form) -> Result<Option<&str>, Problem> {
    let Some(text) = form.given("Description") else { return Ok(None) };
    let fits = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{a1}'..='\u{ff}');
    if text.chars().count() > DESCRIPTION || !text.chars().all(fits) {
        let accepted = format!("Description: up to {DESCRIPTION} printable characters of Latin-1 are accepted.");
        return Err(Problem::new(Code::ValidationError, accepted));
    }
    Ok(Some(text))
}

pub(crate) fn create(call: &Call<'_>, x: &mut Xml) -> Result<(), Problem> {
    let form = call.form;
    let (path, name) = (check_path(form.get("Path"))?, form.need("RoleName")?);
    check_name("roleName", name, 64)?;
    let tags = tags::given(form)?;
    let boundary = form.get("PermissionsBoundary");
    let new = NewRole {
        path,
        name,
        trust: form.need("AssumeRolePolicyDocument")?,
        max_session: form.number("MaxSessionDuration", SESSIONS)?.unwrap_or(3600),
        description: description(form)?.unwrap_or_default(),
        tags: &tags,
        boundary,
    };
    let target = Target::new(call.gate.arn("role", path, name)).tagging(&tags).bounded(boundary);
    let permit = call.permit(target)?;
    whole(x, &permit.store.create_role_with(permit.actor, &new)?);
    Ok(())
}

pub(crate) fn get(call: &Call<'_>, x: &mut Xml) -> Result<(), Problem> {
    let name = call.form.need("RoleName")?;
    let permit = call.permit(call.role(name)?)?;
    whole(x, &permit.store.role(name).map_err(|f| missing(f, "role", name))?);
    Ok(())
}

pub(crate) fn list(call: &Call<'_>, x: &mut Xml) -> Result<(), Problem> {
    let prefix = call.form.get("PathPrefix").unwrap_or("/");
    let page = page::asked(call.form)?;
    let permit = call.permit(Target::new(call.gate.arn("role", prefix, "")))?;
    let (roles, more) = page::cut(permit.store.roles_page(prefix, &page)?, &page);
    x.list("Roles", &roles, fields);
    page::end(x, more, roles.last().map(|r| r.identity.name()));
    Ok(())
}

pub(crate) fn update(call: &Call<'_>, _: &mut Xml) -> Result<(), Problem> {
    let name = call.form.need("RoleName")?;
    let description = description(call.form)?;
    let longest = call.form.number("MaxSessionDuration", SESSIONS)?;
    let permit = call.permit(call.role(name)?)?;
    let changed = permit.store.together(|store| {
        store.update_role(permit.actor, name, None, longest)?;
        description.map_or(Ok(()), |text| store.describe_role(permit.actor, name, text))
    });
    changed.map_err(|f| missing(f, "role", name))
}

pub(crate) fn describe(call: &Call<'_>, x: &mut Xml) -> Result<(), Problem> {
    let name = call.form.need("RoleName")?;
    let text = description(call.form)?.unwrap_or_default();
    let permit = call.permit(call.role(name)?)?;
    permit.store.describe_role(permit.actor, name, text).map_err(|f| missing(f, "role", name))?;
    whole(x, &permit.store.role(name)?);
    Ok(())
}

pub(crate) fn update_trust(call: &Call<'_>, _: &mut Xml) -> Result<(), Problem> {
    let name = call.form.need("RoleName")?;
    let document = call.form.need("PolicyDocument")?;
    let permit = call.permit(call.role(name)?)?;
    permit.store.update_role(permit.actor, name, Some(document), None).map_err(|f| missing(f, "role", name))?;
    Ok(())
}

pub(crate) fn delete(call: &Call<'_>, _: &mut Xml) -> Result<(), Problem> {
    let name = call.form.need("RoleName")?;
    let permit = call.permit(call.role(name)?)?;
    permit.store.delete_role(permit.actor, name, false).map_err(still_has)
}
