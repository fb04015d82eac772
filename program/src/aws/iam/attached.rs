// SPDX-License-Identifier: Apache-2.0
//! Attaching managed policies to users, groups and roles.

use standin::access_control::Owner;
use standin::fault::Status;

use super::page;
use super::policies::missing;
use crate::aws::gate::{Call, Target};
use crate::aws::problem::{Code, Problem};
use crate::aws::xml::Xml;

fn attach(call: &Call<'_>, owner: Owner<'_>, target: Target) -> Result<(), Problem> {
    let arn = call.form.need("PolicyArn")?;
    let permit = call.permit(target.policy(arn))?;
    // Only what is there under its ARN, never by a name.
    permit.store.policy(arn).map_err(|f| missing(f, arn))?;
    Ok(permit.store.attach(permit.actor, owner, arn)?)
}

fn detach(call: &Call<'_>, owner: Owner<'_>, target: Target) -> Result<(), Problem> {
    let arn = call.form.need("PolicyArn")?;
    let permit = call.permit(target.policy(arn))?;
    permit.store.policy(arn).map_err(|f| missing(f, arn))?;
    permit.store.detach(permit.actor, owner, arn).map_err(|fault| match fault.status {
        Status::NotFound => Problem::new(Code::NoSuchEntity, format!("Policy {arn} was not found.")),
        _ => fault.into(),
    })
}

fn list(call: &Call<'_>, owner: Owner<'_>, target: Target, x: &mut Xml) -> Result<(), Problem> {
    let page = page::asked(call.form)?;
    let prefix = call.form.get("PathPrefix").unwrap_or("/");
    let permit = call.permit(target)?;
    // The path and the name of a policy are in its ARN.
    let of = |arn: &str| arn.split_once(":policy").map(|(_, name)| name.to_owned()).unwrap_or_default();
    let mut policies: Vec<(String, String)> =
        permit.store.policies_of(owner)?.attached.into_iter().map(|arn| (of(&arn), arn)).collect();
    policies.retain(|(name, _)| name.starts_with(prefix));
    policies.sort();
    let (policies, more) = page::of(policies, &page, |(name, _)| name);
    x.list("AttachedPolicies", &policies, |x, (name, arn)| {
        x.text("PolicyName", name.rsplit('/').next().unwrap_or_default()).text("PolicyArn", arn);
    });
    page::end(x, more, policies.last().map(|(name, _)| name.as_str()));
    Ok(())
}

macro_rules! owned {
    ($kind:ident, $parameter:literal, $attach:ident, $detach:ident, $list:ident, $target:ident) => {
        pub(crate) fn $attach(call: &Call<'_>, _: &mut Xml) -> Result<(), Problem> {
            let name = call.form.need($parameter)?;
            attach(call, Owner::$kind(name), call.$target(name)?)
        }

        pub(crate) fn $detach(call: &Call<'_>, _: &mut Xml) -> Result<(), Problem> {
            let name = call.form.need($parameter)?;
            detach(call, Owner::$kind(name), call.$target(name)?)
        }

        pub(crate) fn $list(call: &Call<'_>, x: &mut Xml) -> Result<(), Problem> {
            let name = call.form.need($parameter)?;
            list(call, Owner::$kind(name), call.$target(name)?, x)
        }
    };
}

owned!(User, "UserName", attach_user, detach_user, list_user, user);
owned!(Group, "GroupName", attach_group, detach_group, list_group, group);
owned!(Role, "RoleName", attach_role, detach_role, list_role, role);
