// SPDX-License-Identifier: Apache-2.0
//! Versions of managed policies.

use standin::access_control::PolicyVersion;
use standin::fault::Status;

use super::page;
use super::policies::missing;
use crate::aws::gate::Call;
use crate::aws::problem::{Code, Problem};
use crate::aws::xml::{Xml, percent};
use crate::output::date;

fn fields(x: &mut Xml, version: &PolicyVersion) {
    x.text("VersionId", format!("v{}", version.number))
        .flag("IsDefaultVersion", version.is_default)
        .text("CreateDate", date(version.created));
}

/// The number of a version id, such as `v2`.
fn number(id: &str) -> Result<i64, Problem> {
    id.strip_prefix('v')
        .and_then(|n| n.parse().ok())
        .filter(|n| *n > 0)
        .ok_or_else(|| Problem::new(Code::ValidationError, "VersionId: v and a number is accepted, such as v2."))
}

fn find<'v>(versions: &'v [PolicyVersion], arn: &str, wanted: i64) -> Result<&'v PolicyVersion, Problem> {
    versions.iter().find(|v| v.number == wanted).ok_or_else(|| {
        Problem::new(Code::NoSuchEntity, format!("Policy {arn} version v{wanted} does not exist or is not attachable."))
    })
}

pub(crate) fn create(call: &Call<'_>, x: &mut Xml) -> Result<(), Problem> {
    let (arn, document) = (call.form.need("PolicyArn")?, call.form.need("PolicyDocument")?);
    let default = call.form.flag("SetAsDefault")?;
    let permit = call.permit(call.policy(arn)?)?;
    let made = permit.store.create_policy_version(permit.actor, arn, document, default);
    let version = made.map_err(|f| missing(f, arn))?;
    x.node("PolicyVersion", |x| fields(x, &version));
    Ok(())
}

pub(crate) fn get(call: &Call<'_>, x: &mut Xml) -> Result<(), Problem> {
    let (arn, wanted) = (call.form.need("PolicyArn")?, number(call.form.need("VersionId")?)?);
    let permit = call.permit(call.policy(arn)?)?;
    let versions = permit.store.policy_versions(arn).map_err(|f| missing(f, arn))?;
    let version = find(&versions, arn, wanted)?;
    x.node("PolicyVersion", |x| {
        x.text("Document", percent(&version.document));
        fields(x, version);
    });
    Ok(())
}

pub(crate) fn list(call: &Call<'_>, x: &mut Xml) -> Result<(), Problem> {
    let arn = call.form.need("PolicyArn")?;
    let page = page::asked(call.form)?;
    let permit = call.permit(call.policy(arn)?)?;
    let versions = permit.store.policy_versions(arn).map_err(|f| missing(f, arn))?;
    // The newest first. There are five at most; the marker is a number.
    let mut named: Vec<(String, PolicyVersion)> =
        versions.into_iter().map(|v| (format!("{:020}", i64::MAX - v.number), v)).collect();
    named.sort_by(|a, b| a.0.cmp(&b.0));
    let (named, more) = page::of(named, &page, |(key, _)| key);
    x.list("Versions", &named, |x, (_, version)| fields(x, version));
    page::end(x, more, named.last().map(|(key, _)| key.as_str()));
    Ok(())
}

pub(crate) fn set_default(call: &Call<'_>, _: &mut Xml) -> Result<(), Problem> {
    let (arn, wanted) = (call.form.need("PolicyArn")?, number(call.form.need("VersionId")?)?);
    let permit = call.permit(call.policy(arn)?)?;
    find(&permit.store.policy_versions(arn).map_err(|f| missing(f, arn))?, arn, wanted)?;
    Ok(permit.store.set_default_policy_version(permit.actor, arn, wanted)?)
}

pub(crate) fn delete(call: &Call<'_>, _: &mut Xml) -> Result<(), Problem> {
    let (arn, wanted) = (call.form.need("PolicyArn")?, number(call.form.need("VersionId")?)?);
    let permit = call.permit(call.policy(arn)?)?;
    find(&permit.store.policy_versions(arn).map_err(|f| missing(f, arn))?, arn, wanted)?;
    permit.store.delete_policy_version(permit.actor, arn, wanted).map_err(|fault| match fault.status {
        Status::Conflict => Problem::new(Code::DeleteConflict, "Cannot delete the default version of a policy."),
        _ => fault.into(),
    })
}
