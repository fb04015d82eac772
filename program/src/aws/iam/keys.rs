// SPDX-License-Identifier: Apache-2.0
//! Access keys.

use standin::access_control::KeyRow;

use super::page;
use crate::aws::gate::{Call, Target};
use crate::aws::problem::{Code, Problem};
use crate::aws::xml::Xml;
use crate::output::date;

fn state(active: bool) -> &'static str {
    if active { "Active" } else { "Inactive" }
}

fn no_key(id: &str) -> Problem {
    let id: String = id.chars().filter(|c| c.is_ascii_alphanumeric()).take(128).collect();
    Problem::new(Code::NoSuchEntity, format!("The Access Key with id {id} cannot be found"))
}

pub(crate) fn create(call: &Call<'_>, x: &mut Xml) -> Result<(), Problem> {
    let name = call.user_name()?;
    let permit = call.permit(call.user(name)?)?;
    let (key, secret) =
        permit.store.create_key(permit.actor, name).map_err(|f| super::users::missing(f, "user", name))?;
    x.node("AccessKey", |x| {
        x.text("UserName", name)
            .text("AccessKeyId", &key.id)
            .text("Status", state(key.active))
            .text("SecretAccessKey", String::from_utf8_lossy(secret.expose()))
            .text("CreateDate", date(key.created));
    });
    Ok(())
}

pub(crate) fn list(call: &Call<'_>, x: &mut Xml) -> Result<(), Problem> {
    let name = call.user_name()?;
    let page = page::asked(call.form)?;
    let permit = call.permit(call.user(name)?)?;
    let mut keys = permit.store.keys(Some(name)).map_err(|f| super::users::missing(f, "user", name))?;
    keys.sort_by(|a, b| a.id.cmp(&b.id));
    let (keys, more) = page::of(keys, &page, |key| &key.id);
    x.list("AccessKeyMetadata", &keys, |x, key| {
        x.text("UserName", name)
            .text("AccessKeyId", &key.id)
            .text("Status", state(key.active))
            .text("CreateDate", date(key.created));
    });
    page::end(x, more, keys.last().map(|key| key.id.as_str()));
    Ok(())
}

/// The key of the request, which has to be that user's.
fn key(call: &Call<'_>, store: &standin::access_control::Store, user: &str) -> Result<KeyRow, Problem> {
    let id = call.form.need("AccessKeyId")?;
    let keys = store.keys(Some(user)).map_err(|f| super::users::missing(f, "user", user))?;
    keys.into_iter().find(|key| key.id == id).ok_or_else(|| no_key(id))
}

pub(crate) fn update(call: &Call<'_>, _: &mut Xml) -> Result<(), Problem> {
    let name = call.user_name()?;
    let active = match call.form.need("Status")? {
        "Active" => true,
        "Inactive" => false,
        _ => return Err(Problem::new(Code::ValidationError, "Status: Active or Inactive is accepted.")),
    };
    let permit = call.permit(call.user(name)?)?;
    let key = key(call, permit.store, name)?;
    Ok(permit.store.set_key_active(permit.actor, &key.id, active)?)
}

pub(crate) fn delete(call: &Call<'_>, _: &mut Xml) -> Result<(), Problem> {
    let name = call.user_name()?;
    let permit = call.permit(call.user(name)?)?;
    let key = key(call, permit.store, name)?;
    Ok(permit.store.delete_key(permit.actor, &key.id)?)
}

pub(crate) fn last_used(call: &Call<'_>, x: &mut Xml) -> Result<(), Problem> {
    let id = call.form.need("AccessKeyId")?;
    let owner = call.key(id)?;
    let target = match &owner {
        Some(key) => call.user(key.identity.name())?,
        None => Target::new(call.gate.arn("user", "/", "*")),
    };
    call.permit(target)?;
    // AWS does not say whether a key is there, and denies.
    let key = owner.ok_or_else(|| Problem::new(Code::AccessDenied, no_key(id).message))?;
    x.text("UserName", key.identity.name()).node("AccessKeyLastUsed", |x| {
        // For which service and region, is not kept.
        x.maybe("LastUsedDate", key.last_used.map(date)).text("ServiceName", "N/A").text("Region", "N/A");
    });
    Ok(())
}
