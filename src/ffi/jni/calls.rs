// SPDX-License-Identifier: Apache-2.0
//! What the natives do, in safe code.

#![allow(non_snake_case, reason = "named as the natives in Java")]

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use jni_sys::{jbyteArray, jint, jlong, jlongArray, jobject};

use super::env::Env;
pub(super) use super::shadow::{aclPrincipal, compare, mode};
use crate::channel::Channel;
use crate::connection::Ends;
use crate::decision::Outcome;
use crate::fault::{Fault, Status};
use crate::ffi::boundary::{fields, join, text};
use crate::ffi::descriptor;
use crate::files;
use crate::mechanism::{self, Batch, Login, METRICS, Refusal};
use crate::policy::ActionId;
use crate::session::{After, Ask, SessionId, Wanted};
use crate::settings::{EvidenceKind, Given};
use crate::time;

/// Major and minor number of this interface.
const ABI: jint = 1 << 16;
/// Longest resource name, bytes: Kafka's strings are at most 32 KiB.
const LONGEST_NAME: usize = 32 * 1024;
/// Milliseconds that the coarse clock may be behind, generously.
const COARSE_GRAIN: i64 = 20;
/// Where, above an outcome, stands what is to be done with the connection.
const AFTER: u32 = 4;
const LOG_ALLOW: u32 = 1;
const LOG_DENY: u32 = 2;
/// The mechanisms by their numbers.
const MECHANISMS: [(jint, EvidenceKind); 2] = [(1, EvidenceKind::MskIam), (2, EvidenceKind::Bearer)];

pub(super) fn engine_number(engine: jlong) -> Result<u8, Fault> {
    u8::try_from(engine).map_err(|_| Fault::new(Status::UnknownId, "the engine is not open"))
}

pub(super) fn session_id(session: jlong) -> Result<SessionId, Fault> {
    SessionId::from_number(session).ok_or_else(|| Fault::new(Status::UnknownId, "the session is not known or gone"))
}

fn millis(wait: jint) -> Duration {
    Duration::from_millis(u64::try_from(wait).unwrap_or(0))
}

fn given(bytes: &[u8]) -> Result<Given, Fault> {
    let environment = std::env::var_os("STANDIN_CONFIG").map(PathBuf::from);
    Given::read(texts(bytes)?, environment.as_deref())
}

/// Names and values.
fn texts(bytes: &[u8]) -> Result<Vec<(&str, &str)>, Fault> {
    let texts = fields(bytes)?.into_iter().map(text).collect::<Result<Vec<_>, _>>()?;
    let mut pairs = Vec::with_capacity(texts.len() / 2);
    for two in texts.chunks_exact(2) {
        if let [name, value] = two {
            pairs.push((*name, *value));
        }
    }
    Ok(pairs)
}

pub(super) fn abi(env: Env, build: jobject) -> Result<jint, Fault> {
    let theirs = env.string(build)?;
    if theirs != env!("CARGO_PKG_VERSION") {
        return Err(Fault::new(Status::InvalidArgument, "class and library are of different versions"));
    }
    Ok(ABI)
}

pub(super) fn open(env: Env, settings: jbyteArray, why: jbyteArray) -> Result<jlong, Fault> {
    // Its threads open and close files as they like.
    files::share();
    let opened = env.bytes(settings).and_then(|bytes| {
        if files::apart() {
            let text = "a C host in this process has opened an engine with STANDIN_OWN_FILES";
            return Err(Fault::new(Status::InvalidSetting, text));
        }
        mechanism::open(&given(&bytes)?)
    });
    opened.map(jlong::from).inspect_err(|fault| env.explain(why, &fault.text))
}

/// Every setting that was given, by the host or in a file: name and value.
pub(super) fn resolve(env: Env, settings: jbyteArray, out: jbyteArray) -> Result<jint, Fault> {
    let read = env.bytes(settings).and_then(|bytes| given(&bytes));
    let read = read.inspect_err(|fault| env.explain(out, &fault.text))?;
    let content = join(read.iter().flat_map(|(name, text, _)| [name.as_bytes(), text.as_bytes()]));
    env.write(out, &content).map(|()| 0)
}

/// Changes settings of the open engine, all or nothing, or only says whether
/// that would be.
pub(super) fn reload(
    env: Env,
    engine: jlong,
    settings: jbyteArray,
    only_check: jint,
    why: jbyteArray,
) -> Result<jint, Fault> {
    let reloaded = env.bytes(settings).and_then(|bytes| {
        let (pairs, engine) = (texts(&bytes)?, mechanism::engine(engine_number(engine)?)?);
        if only_check == 0 { engine.reload(pairs) } else { engine.check_reload(pairs) }
    });
    reloaded.map(|()| 0).inspect_err(|fault| env.explain(why, &fault.text))
}

pub(super) fn close(_env: Env, engine: jlong, wait: jint) -> Result<jint, Fault> {
    mechanism::close(engine_number(engine)?, millis(wait)).map(jint::from)
}

pub(super) fn profile(env: Env, engine: jlong, settings: jbyteArray, why: jbyteArray) -> Result<jint, Fault> {
    let made =
        env.bytes(settings).and_then(|bytes| mechanism::engine(engine_number(engine)?)?.profile(&given(&bytes)?));
    let made = made.inspect_err(|fault| env.explain(why, &fault.text))?;
    jint::try_from(made).map_err(|_| Fault::internal("too many profiles"))
}

pub(super) fn action(env: Env, engine: jlong, name: jbyteArray, resource_type: jbyteArray) -> Result<jint, Fault> {
    let (name, resource_type) = (env.bytes(name)?, env.bytes(resource_type)?);
    let id = mechanism::engine(engine_number(engine)?)?.agent().intern(text(&name)?, text(&resource_type)?)?;
    jint::try_from(id.0).map_err(|_| Fault::internal("too many actions"))
}

/// Reads the channel's facts: address, port, listener, protocol, TLS,
/// connection. None when nothing is known yet.
pub(super) fn channel(bytes: &[u8]) -> Result<Option<Channel>, Fault> {
    let parts = fields(bytes)?;
    match parts.as_slice() {
        [] => Ok(None),
        [address, port, listener, protocol, tls, connection] => Ok(Some(Channel {
            address: read_address(address)?,
            port: text(port)?.parse().unwrap_or(0),
            secure: *tls == b"1",
            listener: text(listener)?.to_owned(),
            protocol: text(protocol)?.to_owned(),
            host: String::new(),
            connection: text(connection)?.to_owned(),
            facts: Vec::new(),
        })),
        _ => Err(Fault::new(Status::InvalidArgument, "six facts of a channel are accepted, or none")),
    }
}

fn read_address(bytes: &[u8]) -> Result<Option<IpAddr>, Fault> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let address = four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from));
    address
        .map(|a| Some(a.to_canonical()))
        .map_err(|_| Fault::new(Status::InvalidArgument, "an address has 4 or 16 bytes"))
}

fn refuse(env: Env, out: jbyteArray, refusal: Refusal) -> Fault {
    let content = join([refusal.client_text.as_bytes(), refusal.request_id.as_bytes()]);
    // Without room for the text the status alone is the answer.
    let _untold = env.write(out, &content);
    refusal.fault
}

#[allow(clippy::too_many_arguments, reason = "the native's own signature")]
pub(super) fn login(
    env: Env,
    engine: jlong,
    profile: jint,
    mechanism: jint,
    payload: jbyteArray,
    facts: jbyteArray,
    wait: jint,
    out: jbyteArray,
) -> Result<jint, Fault> {
    let (_, kind) = MECHANISMS
        .into_iter()
        .find(|(number, _)| *number == mechanism)
        .ok_or_else(|| Fault::new(Status::InvalidArgument, "the mechanism is not known"))?;
    let known = channel(&env.bytes(facts)?)?;
    let mut payload = env.bytes(payload)?;
    let engine = mechanism::engine(engine_number(engine)?)?;
    let login = Login {
        profile: u32::try_from(profile).map_err(|_| Fault::new(Status::UnknownId, "the profile is not known"))?,
        kind,
        payload: &mut payload,
        channel_known: known.is_some(),
        channel: known.unwrap_or_default(),
        connect: Some((engine.kafka_connect(), String::new())),
        wait: millis(wait),
    };
    let done = engine.log_in(login).map_err(|refusal| refuse(env, out, refusal))?;
    let begin = &done.session.begin;
    let content = join([
        done.id.number().to_le_bytes().as_slice(),
        &begin.deadline_wall.0.to_le_bytes(),
        begin.principal.subject.arn().as_bytes(),
        done.reply.as_bytes(),
    ]);
    env.write(out, &content).inspect_err(|_| {
        engine.agent().release(done.id);
    })?;
    Ok(0)
}

pub(super) fn bind(env: Env, session: jlong, facts: jbyteArray, out: jbyteArray) -> Result<jint, Fault> {
    let id = session_id(session)?;
    let channel = channel(&env.bytes(facts)?)?
        .ok_or_else(|| Fault::new(Status::InvalidArgument, "the facts of the channel are missing"))?;
    mechanism::engine_of(id, |engine| engine.bind(id, channel))?.map_err(|refusal| refuse(env, out, refusal))?;
    Ok(0)
}

/// Takes bytes off the front of a buffer.
pub(super) struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.first_chunk().map(|b| u32::from_le_bytes(*b))
    }

    /// Address and client id of a request.
    pub(super) fn batch(&mut self, wait: jint) -> Option<Batch<'a>> {
        let length = usize::from(*self.take(1)?.first()?);
        let address = read_address(self.take(length)?).ok()?;
        let length = usize::from(self.take(2)?.first_chunk().map(|b| u16::from_le_bytes(*b))?);
        let client_id = std::str::from_utf8(self.take(length)?).ok()?;
        Some(Batch { address, client_id, wait: millis(wait) })
    }

    fn ask(&mut self) -> Option<Ask<'a>> {
        self.flagged().map(|(ask, _)| ask)
    }

    /// The next record, and its flags.
    #[inline(always)]
    pub(super) fn flagged(&mut self) -> Option<(Ask<'a>, u32)> {
        let (action, flags, count) = (self.u32()?, self.u32()?, self.u32()?);
        let length = usize::try_from(self.u32()?).ok().filter(|l| *l <= LONGEST_NAME)?;
        let resource = std::str::from_utf8(self.take(length)?).ok()?;
        Some((ask(action, flags, count, resource), flags))
    }
}

fn ask(action: u32, flags: u32, count: u32, resource: &str) -> Ask<'_> {
    Ask {
        action: ActionId(action),
        resource,
        count,
        log_allow: flags & LOG_ALLOW != 0,
        log_deny: flags & LOG_DENY != 0,
    }
}

pub(super) fn malformed() -> Fault {
    Fault::new(Status::InvalidArgument, "the records of a request are malformed")
}

pub(super) fn authorize(
    env: Env,
    session: jlong,
    buffer: jobject,
    bytes: jint,
    count: jint,
    wait: jint,
) -> Result<jint, Fault> {
    let id = session_id(session)?;
    let length = usize::try_from(bytes).map_err(|_| malformed())?;
    let count = usize::try_from(count).map_err(|_| malformed())?;
    let buffer = env.direct(buffer, length)?;
    // Checked whole before the first is decided, and decided before the first
    // outcome is written over the records.
    let mut cursor = Cursor(buffer);
    let batch = cursor.batch(wait).ok_or_else(malformed)?;
    let records = cursor.0;
    let mut check = Cursor(records);
    for _ in 0..count {
        check.ask().ok_or_else(malformed)?;
    }
    let mut few = [Outcome::Deny; 64];
    let mut many;
    let outcomes: &mut [Outcome] = match few.get_mut(..count) {
        Some(few) => few,
        None => {
            many = vec![Outcome::Deny; count];
            &mut many
        }
    };
    let mut asks = Cursor(records);
    let after = if let [only] = outcomes {
        let (outcome, after) = mechanism::authorize_one(id, batch, asks.ask().ok_or_else(malformed)?)?;
        *only = outcome;
        after
    } else {
        let asks = std::iter::from_fn(|| asks.ask()).take(count);
        mechanism::engine_of(id, |engine| engine.authorize(id, batch, asks, outcomes))??
    };
    let answer = buffer.get_mut(..count).ok_or_else(malformed)?;
    answer.iter_mut().zip(outcomes).for_each(|(byte, outcome)| *byte = *outcome as u8);
    Ok(after as jint)
}

fn batch_of(facts: &[u8], wait: jint) -> Result<Batch<'_>, Fault> {
    if facts.is_empty() {
        Ok(Batch { wait: millis(wait), ..Batch::default() })
    } else {
        Cursor(facts).batch(wait).ok_or_else(malformed)
    }
}

fn optional(env: Env, array: jbyteArray, buffer: &mut [u8]) -> Result<&[u8], Fault> {
    if array.is_null() { Ok(&[]) } else { env.bytes_into(array, buffer) }
}

#[allow(clippy::too_many_arguments, reason = "the arguments of the native")]
pub(super) fn authorizeOne(
    env: Env,
    session: jlong,
    action: jint,
    flags: jint,
    count: jint,
    name: jbyteArray,
    facts: jbyteArray,
    wait: jint,
) -> Result<jint, Fault> {
    let id = session_id(session)?;
    let (mut name_room, mut facts_room) = ([0u8; 512], [0u8; 512]);
    let long;
    let name = match env.bytes_into(name, &mut name_room) {
        Ok(name) => name,
        Err(_) => {
            long = env.bytes(name)?;
            long.as_slice()
        }
    };
    let resource = std::str::from_utf8(name).map_err(|_| malformed())?;
    let batch = batch_of(optional(env, facts, &mut facts_room)?, wait)?;
    let unsigned = |n: jint| u32::try_from(n).map_err(|_| malformed());
    let ask = ask(unsigned(action)?, unsigned(flags)?, unsigned(count)?, resource);
    mechanism::authorize_one(id, batch, ask).map(|(outcome, _)| outcome as jint)
}

pub(super) fn words(env: Env) -> Result<jobject, Fault> {
    Ok(env.words())
}

/// What a decision is wanted for, by its number in Java, less [`OWN`].
const WANTED: [Wanted; 3] = [Wanted::Allow, Wanted::Deny, Wanted::RecordedDeny];

/// With each of them: for requests from the session's own address only.
const OWN: jint = 4;

/// Hands a decision out, in one number: how long it holds in milliseconds (from
/// bit 47), number of its word (32), generation (0).
pub(super) fn handOut(env: Env, session: jlong, action: jint, name: jbyteArray, wanted: jint) -> Result<jlong, Fault> {
    let id = session_id(session)?;
    let action = ActionId(u32::try_from(action).map_err(|_| malformed())?);
    let own = wanted & OWN != 0;
    let wanted = usize::try_from(wanted & !OWN).ok().and_then(|n| WANTED.get(n)).ok_or_else(malformed)?;
    let name = if name.is_null() { None } else { Some(env.bytes(name)?) };
    let name = name.as_deref().map(|bytes| std::str::from_utf8(bytes).map_err(|_| malformed())).transpose()?;
    let kept = mechanism::engine_of(id, |engine| engine.hand_out(id, action, name, *wanted, own))?;
    let kept = kept.ok_or_else(|| Fault::new(Status::NotFound, "no decision that may be repeated"))?;
    // Java reads a finer clock, which is ahead of ours by up to its grain.
    let left = kept.until.saturating_sub(time::coarse()).saturating_sub(COARSE_GRAIN).clamp(0, 0x3fff);
    Ok(left << 47 | jlong::from(kept.cell) << 32 | jlong::from(kept.generation))
}

pub(super) fn authorizeAny(
    env: Env,
    session: jlong,
    action: jint,
    facts: jbyteArray,
    wait: jint,
) -> Result<jint, Fault> {
    let id = session_id(session)?;
    let mut room = [0u8; 512];
    let batch = batch_of(optional(env, facts, &mut room)?, wait)?;
    let action = ActionId(u32::try_from(action).map_err(|_| malformed())?);
    mechanism::engine_of(id, |engine| {
        let outcome = engine.authorize_any(id, batch, action)?;
        let after = if outcome == Outcome::Deny { engine.after_denial(id) } else { After::Nothing };
        Ok(outcome as jint | (after as jint) << AFTER)
    })?
}

/// Does with a session's own connection, whose id is the broker's, what
/// [`After`] asks for.
pub(super) fn connection(env: Env, session: jlong, what: jint, connection: jbyteArray) -> Result<jint, Fault> {
    let id = session_id(session)?;
    let mut room = [0u8; 512];
    let name = text(optional(env, connection, &mut room)?)?;
    mechanism::engine_of(id, |engine| {
        let agent = engine.agent();
        let Some(session) = agent.sessions().get(id) else { return Ok(0) };
        if what == After::Nothing as jint {
            agent.quicken(&session);
            return Ok(0);
        }
        let ends = Ends::of_kafka(name)
            .ok_or_else(|| Fault::new(Status::InvalidArgument, "a connection's id begins with its two addresses"))?;
        if what == After::Shut as jint {
            agent.shut(&session, ends, descriptor::lend)?;
        } else {
            agent.slow(&session, ends, descriptor::lend)?;
        }
        Ok(0)
    })?
}

pub(super) fn info(env: Env, session: jlong, out: jbyteArray) -> Result<jint, Fault> {
    let id = session_id(session)?;
    let info = mechanism::engine_of(id, |engine| engine.info(id))??;
    let content = join([
        info.principal.as_bytes(),
        info.session_name.as_bytes(),
        info.access_key_id.as_bytes(),
        &info.deadline.to_le_bytes(),
        info.state.as_bytes(),
        info.listener.as_bytes(),
    ]);
    env.write(out, &content).map(|()| 0)
}

pub(super) fn exportSession(env: Env, session: jlong, out: jbyteArray) -> Result<jint, Fault> {
    let id = session_id(session)?;
    let sealed = mechanism::engine_of(id, |engine| engine.export(id))??;
    env.write(out, &sealed).map(|()| 0)
}

pub(super) fn importSession(env: Env, engine: jlong, sealed: jbyteArray, wait: jint) -> Result<jlong, Fault> {
    let sealed = env.bytes(sealed)?;
    mechanism::engine(engine_number(engine)?)?.import(&sealed, millis(wait)).map(SessionId::number)
}

pub(super) fn retire(_env: Env, session: jlong, grace: jint) -> Result<jint, Fault> {
    let id = session_id(session)?;
    let grace = i64::from(grace.max(0));
    mechanism::engine_of(id, |engine| engine.agent().retire(id, grace)).map(jint::from)
}

pub(super) fn release(_env: Env, session: jlong) -> Result<jint, Fault> {
    let id = session_id(session)?;
    mechanism::engine_of(id, |engine| engine.agent().release(id)).map(jint::from)
}

pub(super) fn metrics(env: Env, engine: jlong, out: jlongArray) -> Result<jint, Fault> {
    let values = mechanism::engine(engine_number(engine)?)?.metrics();
    let count = env.write_longs(out, &values)?;
    jint::try_from(count).map_err(|_| Fault::internal("too many metrics"))
}

pub(super) fn metricName(env: Env, index: jint, out: jbyteArray) -> Result<jint, Fault> {
    let name = usize::try_from(index)
        .ok()
        .and_then(|i| METRICS.get(i))
        .ok_or_else(|| Fault::new(Status::NotFound, "there is no such metric"))?;
    env.write(out, name.as_bytes()).map(|()| 0)
}

pub(super) fn records(env: Env, engine: jlong, _kind: jint, out: jbyteArray) -> Result<jint, Fault> {
    let lines = mechanism::engine(engine_number(engine)?)?.journal().take(64);
    let content = join(lines.iter().map(String::as_bytes));
    env.write(out, &content)?;
    jint::try_from(lines.len()).map_err(|_| Fault::internal("too many lines"))
}
