// SPDX-License-Identifier: Apache-2.0
//! Permissions boundaries of users and roles.

use standin::access_control::Owner;

use crate::aws::gate::{Call, Target};
use crate::aws::problem::Problem;
use crate::aws::xml::Xml;

/// A boundary in an answer.
pub(super) fn shown(x: &mut Xml, boundary: Option<&str>) {
    if let Some(arn) = boundary {
        x.node("PermissionsBoundary", |x| {
            x.text("PermissionsBoundaryType", "Policy").text("PermissionsBoundaryArn", arn);
        });
    }
}

fn put(call: &Call<'_>, owner: Owner<'_>, target: Target) -> Result<(), Problem> {
    let policy = call.form.need("PermissionsBoundary")?;
    let permit = call.permit(target.bounded(Some(policy)))?;
    // Only what is there under its ARN, never by a name.
    permit.store.policy(policy)?;
    Ok(permit.store.set_boundary(permit.actor, owner, Some(policy))?)
}

fn delete(call: &Call<'_>, owner: Owner<'_>, target: Target) -> Result<(), Problem> {
    let permit = call.permit(target)?;
    Ok(permit.store.set_boundary(permit.actor, owner, None)?)
}

pub(crate) fn put_user(call: &Call<'_>, _: &mut Xml) -> Result<(), Problem> {
    let name = call.form.need("UserName")?;
    put(call, Owner::User(name), call.user(name)?)
}

pub(crate) fn put_role(call: &Call<'_>, _: &mut Xml) -> Result<(), Problem> {
    let name = call.form.need("RoleName")?;
    put(call, Owner::Role(name), call.role(name)?)
}

pub(crate) fn delete_user(call: &Call<'_>, _: &mut Xml) -> Result<(), Problem> {
    let name = call.form.need("UserName")?;
    delete(call, Owner::User(name), call.user(name)?)
}

pub(crate) fn delete_role(call: &Call<'_>, _: &mut Xml) -> Result<(), Problem> {
    let name = call.form.need("RoleName")?;
    delete(call, Owner::Role(name), call.role(name)?)
}
