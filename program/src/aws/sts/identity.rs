// SPDX-License-Identifier: Apache-2.0
//! Who asks, and its own sessions.

use standin::identity::IdentityKind;

use super::credentials;
use crate::aws::gate::{Call, Target};
use crate::aws::problem::{Code, Problem};
use crate::aws::xml::Xml;

/// The longest session of a user, seconds.
const SESSIONS: std::ops::RangeInclusive<i64> = 15..=129_600;

/// Needs no permission, as with AWS: who has a key may know whose it is.
pub(crate) fn get(call: &Call<'_>, x: &mut Xml) -> Result<(), Problem> {
    let principal = &call.caller.principal;
    x.text("Arn", &call.caller.arn)
        .text("UserId", &principal.attributes.user_id)
        .text("Account", principal.subject.account());
    Ok(())
}

/// Needs no permission, as with AWS: it gives nothing but less for a time.
pub(crate) fn session_token(call: &Call<'_>, x: &mut Xml) -> Result<(), Problem> {
    if call.caller.temporary {
        return Err(Problem::new(Code::AccessDenied, "Cannot call GetSessionToken with session credentials"));
    }
    if call.caller.principal.subject.kind() != IdentityKind::User {
        return Err(Problem::new(Code::AccessDenied, "GetSessionToken is for users"));
    }
    if call.form.get("SerialNumber").is_some() || call.form.get("TokenCode").is_some() {
        return Err(Problem::new(
            Code::AccessDenied,
            "Standin knows no MFA devices; leave SerialNumber and TokenCode out.",
        ));
    }
    let duration = call.form.number("DurationSeconds", SESSIONS)?;
    let permit = call.gate.without_permission(&call.caller.arn);
    credentials(x, &permit.store.session_token(&call.caller.principal, duration)?);
    Ok(())
}

pub(crate) fn key_info(call: &Call<'_>, x: &mut Xml) -> Result<(), Problem> {
    let id = call.form.need("AccessKeyId")?;
    call.permit(Target::new("*"))?;
    // Temporary keys are not kept.
    if call.key(id)?.is_none() {
        let text = "The access key is not a long-lived key of this service.";
        return Err(Problem::new(Code::ValidationError, text));
    }
    x.text("Account", call.gate.account());
    Ok(())
}
