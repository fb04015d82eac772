// SPDX-License-Identifier: Apache-2.0
//! Assuming roles.

use standin::access_control::{AssumeRole, TemporaryCredentials};
use standin::channel::Channel;
use standin::fault::{Fault, Status};

use super::{credentials, token};
use crate::aws::Aws;
use crate::aws::form::Form;
use crate::aws::gate::{Call, Permit};
use crate::aws::problem::{Code, Problem};
use crate::aws::xml::Xml;

/// Seconds; the role's longest session bounds it.
const DURATIONS: std::ops::RangeInclusive<i64> = 15..=43_200;
/// Longest session policy, characters.
const POLICY: usize = 2048;
/// Most managed policies a session may be limited to.
const POLICIES: usize = 10;
/// How many bytes session policies and tags may have together, as they stand
/// in a session token.
const PACKED: usize = 10 * 1024;

fn refused(text: impl Into<String>) -> Problem {
    Problem::new(Code::ValidationError, text)
}

/// The session tags of a request.
fn tags(form: &Form) -> Result<Vec<(String, String)>, Problem> {
    let members = form.members("Tags")?;
    members
        .iter()
        .map(|m| {
            let value = form.given(&format!("{m}Value")).unwrap_or_default();
            Ok((form.need(&format!("{m}Key"))?.to_owned(), value.to_owned()))
        })
        .collect()
}

/// What a request asks for, without the policies that it only names.
fn asked(form: &Form, channel: &Channel) -> Result<AssumeRole, Problem> {
    if form.get("SerialNumber").is_some() || form.get("TokenCode").is_some() {
        return Err(refused("Standin knows no MFA devices; leave SerialNumber and TokenCode out."));
    }
    if !form.members("ProvidedContexts")?.is_empty() {
        return Err(refused("ProvidedContexts: Standin takes none; leave it out."));
    }
    let mut policies = Vec::new();
    if let Some(policy) = form.get("Policy") {
        if policy.chars().count() > POLICY {
            return Err(refused(format!("Policy: up to {POLICY} characters are accepted.")));
        }
        policies.push(policy.to_owned());
    }
    Ok(AssumeRole {
        role: form.need("RoleArn")?.to_owned(),
        session_name: form.need("RoleSessionName")?.to_owned(),
        external_id: form.get("ExternalId").map(str::to_owned),
        duration: form.number("DurationSeconds", DURATIONS)?,
        policies,
        tags: tags(form)?,
        transitive: form.list("TransitiveTagKeys")?.into_iter().map(str::to_owned).collect(),
        source_identity: form.get("SourceIdentity").map(str::to_owned),
        channel: channel.clone(),
        ..AssumeRole::default()
    })
}

/// Adds the policies that a request names, as they are now. Only for who may
/// assume the role, which `check` says: nobody else learns which there are.
fn add_named(
    permit: &Permit<'_>,
    form: &Form,
    ask: &mut AssumeRole,
    check: impl FnOnce(&AssumeRole) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let members = form.members("PolicyArns")?;
    if members.len() > POLICIES {
        return Err(refused(format!("PolicyArns: up to {POLICIES} are accepted.")));
    }
    if !members.is_empty() {
        check(ask)?;
    }
    for member in members {
        let arn = form.need(&format!("{member}arn"))?;
        let missing = || Problem::new(Code::MalformedPolicyDocument, format!("PolicyArns: there is no policy {arn}."));
        let versions = permit.store.policy_versions(arn).map_err(|fault| match fault.status {
            Status::NotFound => missing(),
            _ => fault.into(),
        })?;
        let current = versions.into_iter().find(|v| v.is_default).ok_or_else(missing)?;
        ask.policies.push(current.document);
    }
    Ok(())
}

/// How much of what fits into a session token is used, percent.
fn packed(ask: &AssumeRole) -> Result<usize, Problem> {
    let size = |text: &String| serde_json::to_string(text).map_or(usize::MAX, |t| t.len());
    let tags = ask.tags.iter().flat_map(|(key, value)| [key, value]);
    let bytes = ask.policies.iter().chain(tags).map(size).fold(0, usize::saturating_add);
    if bytes > PACKED {
        let text = format!("Session policies and tags have {bytes} bytes; up to {PACKED} are accepted.");
        return Err(Problem::new(Code::PackedPolicyTooLarge, text));
    }
    Ok((bytes * 100).div_ceil(PACKED))
}

/// Why a role was not assumed. Who may not, learns nothing of the role.
fn denied(fault: Fault, who: &str, action: &str, role: &str) -> Problem {
    match fault.status {
        Status::NotAllowed | Status::NotFound | Status::IdentityDisabled => {
            let text = format!("{who} not authorized to perform: {action} on resource: {role}");
            Problem::new(Code::AccessDenied, text).on(role, "")
        }
        _ => fault.into(),
    }
}

fn shown(x: &mut Xml, issued: &TemporaryCredentials, ask: &AssumeRole, packed: usize) {
    credentials(x, issued);
    let (subject, name) = (&issued.subject, &ask.session_name);
    x.node("AssumedRoleUser", |x| {
        x.text("AssumedRoleId", &issued.user_id).text(
            "Arn",
            format!("arn:{}:sts::{}:assumed-role/{}/{name}", subject.partition(), subject.account(), subject.name()),
        );
    });
    x.text("PackedPolicySize", packed.to_string()).maybe("SourceIdentity", issued.source_identity.as_deref());
}

/// Only an ARN names a role here, never a name alone.
fn check_role(ask: &AssumeRole) -> Result<(), Problem> {
    if ask.role.starts_with("arn:") && ask.role.contains(":role/") {
        return Ok(());
    }
    Err(refused(format!("{} is invalid", ask.role.chars().filter(|c| !c.is_control()).take(200).collect::<String>())))
}

/// The store decides: the role's trust policy, and the caller's own policies.
pub(crate) fn with_credentials(call: &Call<'_>, x: &mut Xml) -> Result<(), Problem> {
    let caller = call.caller;
    let permit = call.gate.without_permission(&caller.arn);
    let mut ask = AssumeRole {
        caller_policies: caller.session_policies.clone(),
        inherited: caller.transitive.clone(),
        ..asked(call.form, call.channel)?
    };
    check_role(&ask)?;
    let (who, role) = (format!("User: {} is", caller.arn), ask.role.clone());
    let denied = |fault| denied(fault, &who, "sts:AssumeRole", &role);
    add_named(&permit, call.form, &mut ask, |ask| {
        permit.store.check_assume_role(&caller.principal, ask).map_err(denied)
    })?;
    let packed = packed(&ask)?;
    let issued = permit.store.assume_role(&caller.principal, &ask).map_err(denied)?;
    shown(x, &issued, &ask, packed);
    Ok(())
}

/// The token says who asks; the role's trust policy decides.
pub(crate) fn with_web_identity(aws: &Aws, form: &Form, channel: &Channel, x: &mut Xml) -> Result<(), Problem> {
    let permit = aws.gate.without_permission("");
    let text = form.need("WebIdentityToken")?;
    if form.get("ProviderId").is_some() {
        return Err(refused("ProviderId: only OpenID Connect tokens are accepted; leave it out."));
    }
    // First: who has no token learns nothing of the policies there are.
    let who = token::verify(aws, permit.store, text)?;
    let mut ask = AssumeRole { external_id: None, tags: Vec::new(), source_identity: None, ..asked(form, channel)? };
    check_role(&ask)?;
    let role = ask.role.clone();
    let denied = |fault| {
        let p = denied(fault, "Not", "sts:AssumeRoleWithWebIdentity", &role);
        // In AWS's words.
        let message = p.message.replacen("Not not", "Not", 1);
        Problem { message, ..p }.on(&role, &format!("{}:{}", who.provider, who.subject))
    };
    add_named(&permit, form, &mut ask, |ask| {
        permit.store.check_assume_role_with_web_identity(&who, ask).map_err(denied)
    })?;
    let packed = packed(&ask)?;
    let issued = permit.store.assume_role_with_web_identity(&who, &ask).map_err(denied)?;
    x.text("SubjectFromWebIdentityToken", &who.subject).text("Audience", &who.audience).text("Provider", &who.provider);
    shown(x, &issued, &ask, packed);
    Ok(())
}
