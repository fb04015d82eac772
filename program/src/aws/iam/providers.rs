// SPDX-License-Identifier: Apache-2.0
//! OpenID Connect identity providers.

use standin::access_control::NewProvider;
use standin::fault::Status;

use super::tags;
use crate::aws::gate::{Call, Target};
use crate::aws::problem::{Code, Problem};
use crate::aws::xml::Xml;
use crate::output::date;

/// Most client ids of one provider.
const CLIENTS: usize = 100;

fn refused(text: impl Into<String>) -> Problem {
    Problem::new(Code::ValidationError, text)
}

/// The issuer of a URL, as ARNs and condition keys name it: without `https://`.
fn issuer(url: &str) -> Result<&str, Problem> {
    let accepted = || refused("Invalid Open ID Connect Provider URL: https:// with a host and a path is accepted.");
    let issuer = url.strip_prefix("https://").ok_or_else(accepted)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~/:".contains(c);
    let host = issuer.split('/').next().unwrap_or_default();
    if host.is_empty() || host.starts_with(':') || url.len() > 255 || !issuer.chars().all(plain) {
        return Err(accepted());
    }
    // As it is written, also with a slash at its end: tokens say it the same way.
    Ok(issuer)
}

fn client_id(id: &str) -> Result<&str, Problem> {
    if (1..=255).contains(&id.len()) && id.bytes().all(|b| (0x21..=0x7e).contains(&b)) {
        return Ok(id);
    }
    Err(refused("ClientID: 1 to 255 printable ASCII characters are accepted."))
}

/// The provider a request names, and its ARN.
fn named<'c>(call: &'c Call<'_>) -> Result<(&'c str, Target), Problem> {
    let arn = call.form.need("OpenIDConnectProviderArn")?;
    let target = call.provider(arn)?;
    Ok((arn, target))
}

fn missing(fault: standin::fault::Fault, arn: &str) -> Problem {
    match fault.status {
        Status::NotFound => Problem::new(Code::NoSuchEntity, format!("OpenIDConnect Provider not found for arn {arn}")),
        _ => fault.into(),
    }
}

pub(crate) fn create(call: &Call<'_>, x: &mut Xml) -> Result<(), Problem> {
    let form = call.form;
    let url = form.need("Url")?;
    let issuer = issuer(url)?;
    let client_ids: Vec<&str> = form.list("ClientIDList")?.into_iter().map(client_id).collect::<Result<_, _>>()?;
    if client_ids.len() > CLIENTS {
        return Err(Problem::new(Code::LimitExceeded, format!("At most {CLIENTS} client ids are accepted.")));
    }
    let (thumbprints, tags) = (form.list("ThumbprintList")?, tags::given(form)?);
    let arn = call.gate.arn("oidc-provider", "/", issuer);
    let permit = call.permit(Target::new(&arn).tagging(&tags))?;
    let new = NewProvider { arn: &arn, issuer, client_ids: &client_ids, thumbprints: &thumbprints, tags: &tags };
    permit.store.create_provider(permit.actor, &new).map_err(|fault| match fault.status {
        Status::Conflict => Problem::new(Code::EntityAlreadyExists, format!("Provider with url {url} already exists.")),
        _ => fault.into(),
    })?;
    x.text("OpenIDConnectProviderArn", &arn);
    tags::shown(x, &tags);
    Ok(())
}

pub(crate) fn get(call: &Call<'_>, x: &mut Xml) -> Result<(), Problem> {
    let (arn, target) = named(call)?;
    let permit = call.permit(target)?;
    let provider = permit.store.provider(arn).map_err(|f| missing(f, arn))?;
    x.text("Url", &provider.issuer)
        .texts("ClientIDList", &provider.client_ids)
        .texts("ThumbprintList", &provider.thumbprints)
        .text("CreateDate", date(provider.created));
    tags::shown(x, &provider.tags);
    Ok(())
}

pub(crate) fn list(call: &Call<'_>, x: &mut Xml) -> Result<(), Problem> {
    let permit = call.permit(Target::new("*"))?;
    x.list("OpenIDConnectProviderList", permit.store.providers()?, |x, provider| {
        x.text("Arn", &provider.arn);
    });
    Ok(())
}

pub(crate) fn delete(call: &Call<'_>, _: &mut Xml) -> Result<(), Problem> {
    let (arn, target) = named(call)?;
    let permit = call.permit(target)?;
    // As AWS: deleting what is not there succeeds.
    match permit.store.delete_provider(permit.actor, arn) {
        Err(fault) if fault.status == Status::NotFound => Ok(()),
        other => Ok(other?),
    }
}

pub(crate) fn add_client(call: &Call<'_>, _: &mut Xml) -> Result<(), Problem> {
    let (arn, target) = named(call)?;
    let id = client_id(call.form.need("ClientID")?)?;
    let permit = call.permit(target)?;
    permit.store.add_provider_client(permit.actor, arn, id, CLIENTS).map_err(|f| missing(f, arn))
}

pub(crate) fn remove_client(call: &Call<'_>, _: &mut Xml) -> Result<(), Problem> {
    let (arn, target) = named(call)?;
    let id = call.form.need("ClientID")?;
    let permit = call.permit(target)?;
    permit.store.remove_provider_client(permit.actor, arn, id).map_err(|f| missing(f, arn))
}

pub(crate) fn update_thumbprint(call: &Call<'_>, _: &mut Xml) -> Result<(), Problem> {
    let (arn, target) = named(call)?;
    let thumbprints = call.form.list("ThumbprintList")?;
    let permit = call.permit(target)?;
    permit.store.set_provider_thumbprints(permit.actor, arn, &thumbprints).map_err(|f| missing(f, arn))
}
