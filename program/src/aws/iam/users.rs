// SPDX-License-Identifier: Apache-2.0
//! Users.

use standin::access_control::{NewUser, UserRow};

use super::{page, tags};
use crate::aws::gate::{Call, Target, check_name, check_path};
use crate::aws::problem::{Code, Problem};
use crate::aws::xml::Xml;
use crate::output::date;

/// The fields of a user, as lists have them.
pub(super) fn fields(x: &mut Xml, user: &UserRow) {
    x.text("Path", user.identity.path())
        .text("UserName", user.identity.name())
        .text("UserId", &user.unique_id)
        .text("Arn", user.identity.arn())
        .text("CreateDate", date(user.created));
}

/// The same, with what lists leave out.
fn whole(x: &mut Xml, user: &UserRow) {
    x.node("User", |x| {
        fields(x, user);
        super::boundaries::shown(x, user.boundary.as_deref());
        tags::shown(x, &user.tags);
    });
}

pub(crate) fn create(call: &Call<'_>, x: &mut Xml) -> Result<(), Problem> {
    let form = call.form;
    let (path, name) = (check_path(form.get("Path"))?, form.need("UserName")?);
    check_name("userName", name, 64)?;
    let tags = tags::given(form)?;
    let boundary = form.get("PermissionsBoundary");
    let target = Target::new(call.gate.arn("user", path, name)).tagging(&tags).bounded(boundary);
    let permit = call.permit(target)?;
    whole(x, &permit.store.create_user_with(permit.actor, &NewUser { path, name, tags: &tags, boundary })?);
    Ok(())
}

pub(crate) fn get(call: &Call<'_>, x: &mut Xml) -> Result<(), Problem> {
    let name = call.user_name()?;
    let permit = call.permit(call.user(name)?)?;
    whole(x, &permit.store.user(name).map_err(|f| missing(f, "user", name))?);
    Ok(())
}

pub(crate) fn list(call: &Call<'_>, x: &mut Xml) -> Result<(), Problem> {
    let prefix = call.form.get("PathPrefix").unwrap_or("/");
    let page = page::asked(call.form)?;
    let permit = call.permit(Target::new(call.gate.arn("user", prefix, "")))?;
    let (users, more) = page::cut(permit.store.users_page(prefix, &page)?, &page);
    x.list("Users", &users, fields);
    page::end(x, more, users.last().map(|u| u.identity.name()));
    Ok(())
}

pub(crate) fn delete(call: &Call<'_>, _: &mut Xml) -> Result<(), Problem> {
    let name = call.form.need("UserName")?;
    let permit = call.permit(call.user(name)?)?;
    permit.store.delete_user(permit.actor, name, false).map_err(still_has)?;
    Ok(())
}

/// What is deleted still has something.
pub(super) fn still_has(fault: standin::fault::Fault) -> Problem {
    match Problem::from(fault) {
        Problem { code: Code::EntityAlreadyExists, message, .. } => {
            let text = message.split(';').next().unwrap_or_default();
            Problem::new(Code::DeleteConflict, format!("Cannot delete entity: {text}"))
        }
        other => other,
    }
}

/// There is none of this name: in the words scripts look for.
pub(super) fn missing(fault: standin::fault::Fault, kind: &str, name: &str) -> Problem {
    match Problem::from(fault) {
        Problem { code: Code::NoSuchEntity, .. } => {
            Problem::new(Code::NoSuchEntity, format!("The {kind} with name {name} cannot be found."))
        }
        other => other,
    }
}
