// SPDX-License-Identifier: Apache-2.0
//! Inline policies of users, groups and roles.

use standin::access_control::Owner;
use standin::fault::Status;

use super::page;
use crate::aws::gate::{Call, Target, check_name};
use crate::aws::problem::{Code, Problem};
use crate::aws::xml::{Xml, percent};

fn put(call: &Call<'_>, owner: Owner<'_>, target: Target) -> Result<(), Problem> {
    let (name, document) = (call.form.need("PolicyName")?, call.form.need("PolicyDocument")?);
    check_name("policyName", name, 128)?;
    let permit = call.permit(target)?;
    Ok(permit.store.put_inline(permit.actor, owner, name, document)?)
}

fn no_policy(kind: &str, policy: &str) -> Problem {
    Problem::new(Code::NoSuchEntity, format!("The {kind} policy with name {policy} cannot be found."))
}

fn get(call: &Call<'_>, kind: [&str; 3], owner: Owner<'_>, target: Target, x: &mut Xml) -> Result<(), Problem> {
    let [word, parameter, owner_name] = kind;
    let name = call.form.need("PolicyName")?;
    check_name("policyName", name, 128)?;
    let permit = call.permit(target)?;
    let own = permit.store.policies_of(owner)?;
    let found = own.inline.iter().find(|(n, _)| n == name).ok_or_else(|| no_policy(word, name))?;
    x.text(parameter, owner_name).text("PolicyName", name).text("PolicyDocument", percent(&found.1));
    Ok(())
}

fn list(call: &Call<'_>, owner: Owner<'_>, target: Target, x: &mut Xml) -> Result<(), Problem> {
    let page = page::asked(call.form)?;
    let permit = call.permit(target)?;
    let mut names: Vec<String> = permit.store.policies_of(owner)?.inline.into_iter().map(|(name, _)| name).collect();
    names.sort();
    let (names, more) = page::of(names, &page, |name| name);
    x.texts("PolicyNames", &names);
    page::end(x, more, names.last().map(String::as_str));
    Ok(())
}

fn delete(call: &Call<'_>, kind: &str, owner: Owner<'_>, target: Target) -> Result<(), Problem> {
    let name = call.form.need("PolicyName")?;
    check_name("policyName", name, 128)?;
    let permit = call.permit(target)?;
    // A missing owner has said so by now.
    permit.store.policies_of(owner)?;
    permit.store.delete_inline(permit.actor, owner, name).map_err(|fault| match fault.status {
        Status::NotFound => no_policy(kind, name),
        _ => fault.into(),
    })
}

macro_rules! owned {
    ($kind:ident, $word:literal, $parameter:literal, $put:ident, $get:ident, $list:ident, $delete:ident, $target:ident) => {
        pub(crate) fn $put(call: &Call<'_>, _: &mut Xml) -> Result<(), Problem> {
            let name = call.form.need($parameter)?;
            put(call, Owner::$kind(name), call.$target(name)?)
        }

        pub(crate) fn $get(call: &Call<'_>, x: &mut Xml) -> Result<(), Problem> {
            let name = call.form.need($parameter)?;
            get(call, [$word, $parameter, name], Owner::$kind(name), call.$target(name)?, x)
        }

        pub(crate) fn $list(call: &Call<'_>, x: &mut Xml) -> Result<(), Problem> {
            let name = call.form.need($parameter)?;
            list(call, Owner::$kind(name), call.$target(name)?, x)
        }

        pub(crate) fn $delete(call: &Call<'_>, _: &mut Xml) -> Result<(), Problem> {
            let name = call.form.need($parameter)?;
            delete(call, $word, Owner::$kind(name), call.$target(name)?)
        }
    };
}

owned!(User, "user", "UserName", put_user, get_user, list_user, delete_user, user);
owned!(Group, "group", "GroupName", put_group, get_group, list_group, delete_group, group);
owned!(Role, "role", "RoleName", put_role, get_role, list_role, delete_role, role);
