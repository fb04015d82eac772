// SPDX-License-Identifier: Apache-2.0
//! What the natives of shadow mode do, in safe code.

#![allow(non_snake_case, reason = "named as the natives in Java")]

use jni_sys::{jbyteArray, jint, jlong, jobject};

use super::calls::{Cursor, channel, engine_number, malformed, session_id};
use super::env::Env;
use crate::fault::{Fault, Status};
use crate::ffi::boundary::{fields, text};
use crate::mechanism::{self, Enforced};

/// Flags of a record, beside those of `authorize`.
const ACLS_ALLOW: u32 = 4;
const ANY: u32 = 8;
/// Answers of `compare`.
const COMPARED: jint = 0;
const OVER: jint = 1;
const NOBODY: jint = 2;

/// 1 in shadow mode, else 0.
pub(super) fn mode(_env: Env, engine: jlong) -> Result<jint, Fault> {
    Ok(jint::from(mechanism::engine(engine_number(engine)?)?.is_shadow()))
}

/// The principal whose lists count for an identity.
pub(super) fn aclPrincipal(env: Env, engine: jlong, arn: jbyteArray, out: jbyteArray) -> Result<jint, Fault> {
    let arn = env.bytes(arn)?;
    let principal = mechanism::engine(engine_number(engine)?)?.acl_principal(text(&arn)?)?;
    env.write(out, principal.as_bytes()).map(|()| 0)
}

/// Compares the operations of one request with what the lists have said. With
/// a session: of that one. With facts of a channel: of the identity the
/// principal stands for. Else nothing can be decided for the subject.
///
/// `who` is two fields: the principal lists speak of, and the subject's ARN.
#[allow(clippy::too_many_arguments, reason = "the arguments of the native")]
pub(super) fn compare(
    env: Env,
    engine: jlong,
    session: jlong,
    who: jbyteArray,
    facts: jbyteArray,
    buffer: jobject,
    bytes: jint,
    count: jint,
) -> Result<jint, Fault> {
    let engine = mechanism::engine(engine_number(engine)?)?;
    let who = env.bytes(who)?;
    let [principal, subject] = *fields(&who)? else {
        return Err(Fault::new(Status::InvalidArgument, "a principal and a subject are accepted"));
    };
    let (principal, subject) = (text(principal)?, text(subject)?);
    let length = usize::try_from(bytes).map_err(|_| malformed())?;
    let count = usize::try_from(count).map_err(|_| malformed())?;
    let mut cursor = Cursor::new(env.direct(buffer, length)?);
    let batch = cursor.batch(0).ok_or_else(malformed)?;
    let operations = std::iter::from_fn(|| {
        let (ask, flags) = cursor.flagged()?;
        Some(Enforced { ask, any: flags & ANY != 0, allowed: flags & ACLS_ALLOW != 0 })
    });
    let operations = operations.take(count);
    if session != 0 {
        let going_on = engine.compare(session_id(session)?, principal, batch, operations)?;
        return Ok(if going_on { COMPARED } else { OVER });
    }
    let Some(mut channel) = channel(&env.bytes(facts)?)? else {
        engine.compare_nothing(subject, principal, operations);
        return Ok(COMPARED);
    };
    channel.address = batch.address;
    Ok(if engine.compare_as(principal, &channel, batch, operations)? { COMPARED } else { NOBODY })
}
