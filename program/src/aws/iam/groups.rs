// SPDX-License-Identifier: Apache-2.0
//! Groups of users.

use standin::access_control::GroupRow;

use super::page;
use super::users::{self, missing};
use crate::aws::gate::{Call, Target, check_name, check_path};
use crate::aws::problem::Problem;
use crate::aws::xml::Xml;
use crate::output::date;

fn fields(x: &mut Xml, group: &GroupRow) {
    x.text("Path", &group.path)
        .text("GroupName", &group.name)
        .text("GroupId", &group.unique_id)
        .text("Arn", &group.arn)
        .text("CreateDate", date(group.created));
}

pub(crate) fn create(call: &Call<'_>, x: &mut Xml) -> Result<(), Problem> {
    let (path, name) = (check_path(call.form.get("Path"))?, call.form.need("GroupName")?);
    check_name("groupName", name, 128)?;
    let permit = call.permit(Target::new(call.gate.arn("group", path, name)))?;
    permit.store.create_group(permit.actor, path, name)?;
    let group = permit.store.group(name)?;
    x.node("Group", |x| fields(x, &group));
    Ok(())
}

pub(crate) fn get(call: &Call<'_>, x: &mut Xml) -> Result<(), Problem> {
    let name = call.form.need("GroupName")?;
    let page = page::asked(call.form)?;
    let permit = call.permit(call.group(name)?)?;
    let group = permit.store.group(name).map_err(|f| missing(f, "group", name))?;
    let (members, more) = page::cut(permit.store.members_page(name, &page)?, &page);
    x.node("Group", |x| fields(x, &group)).list("Users", &members, users::fields);
    page::end(x, more, members.last().map(|u| u.identity.name()));
    Ok(())
}

pub(crate) fn list(call: &Call<'_>, x: &mut Xml) -> Result<(), Problem> {
    let prefix = call.form.get("PathPrefix").unwrap_or("/");
    let page = page::asked(call.form)?;
    let permit = call.permit(Target::new(call.gate.arn("group", prefix, "")))?;
    let (groups, more) = page::cut(permit.store.groups_page(prefix, &page)?, &page);
    x.list("Groups", &groups, fields);
    page::end(x, more, groups.last().map(|g| g.name.as_str()));
    Ok(())
}

pub(crate) fn list_for_user(call: &Call<'_>, x: &mut Xml) -> Result<(), Problem> {
    let name = call.form.need("UserName")?;
    let page = page::asked(call.form)?;
    let permit = call.permit(call.user(name)?)?;
    let of_user = permit.store.groups_of(name).map_err(|f| missing(f, "user", name))?;
    let mut groups = of_user.iter().map(|arn| permit.store.group(arn)).collect::<Result<Vec<_>, _>>()?;
    groups.sort_by(|a, b| a.name.cmp(&b.name));
    let (groups, more) = page::of(groups, &page, |group| &group.name);
    x.list("Groups", &groups, fields);
    page::end(x, more, groups.last().map(|g| g.name.as_str()));
    Ok(())
}

/// Group and user of a request.
fn both<'c>(call: &'c Call<'_>) -> Result<(&'c str, &'c str), Problem> {
    let (group, user) = (call.form.need("GroupName")?, call.form.need("UserName")?);
    check_name("userName", user, 128)?;
    Ok((group, user))
}

pub(crate) fn add_user(call: &Call<'_>, _: &mut Xml) -> Result<(), Problem> {
    let (group, user) = both(call)?;
    let permit = call.permit(call.group(group)?)?;
    Ok(permit.store.add_to_group(permit.actor, group, user)?)
}

pub(crate) fn remove_user(call: &Call<'_>, _: &mut Xml) -> Result<(), Problem> {
    let (group, user) = both(call)?;
    let permit = call.permit(call.group(group)?)?;
    Ok(permit.store.remove_from_group(permit.actor, group, user)?)
}

pub(crate) fn delete(call: &Call<'_>, _: &mut Xml) -> Result<(), Problem> {
    let name = call.form.need("GroupName")?;
    let permit = call.permit(call.group(name)?)?;
    permit.store.delete_group(permit.actor, name, false).map_err(users::still_has)
}
