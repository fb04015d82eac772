// SPDX-License-Identifier: Apache-2.0
//! Logging in.

use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use super::memory::{self, Buffer, Slot, invalid};
use super::types::{
    STANDIN_CHANNEL_SECURE, STANDIN_EVIDENCE_CERTIFICATE, STANDIN_EVIDENCE_MSK_IAM, STANDIN_EVIDENCE_TOKEN,
    STANDIN_NO_ACTION, STANDIN_REPLY_MAX, standin_buffer, standin_engine, standin_login, standin_login_result,
    standin_status,
};
use super::{entry, handle, signals};
use crate::channel::Channel;
use crate::fault::Fault;
use crate::files;
use crate::mechanism::{Login, Refusal};
use crate::policy::ActionId;
use crate::settings::EvidenceKind;

/// Most condition keys of the host's own.
const MOST_FACTS: usize = 64;

/// What a host says about a login, copied.
struct Said {
    profile: u32,
    kind: EvidenceKind,
    payload: Zeroizing<Vec<u8>>,
    channel: Channel,
    connect: Option<(ActionId, String)>,
}

impl Said {
    fn login(&mut self, wait_ms: u32) -> Login<'_> {
        Login {
            profile: self.profile,
            kind: self.kind,
            payload: &mut self.payload,
            channel: std::mem::take(&mut self.channel),
            channel_known: true,
            connect: self.connect.take(),
            wait: Duration::from_millis(wait_ms.into()),
        }
    }
}

/// Condition keys of the host's own as policies see them: in lower case, each
/// once, none of those that this library knows itself.
fn facts(said: Vec<(&str, &str)>) -> Result<Vec<(String, String)>, Fault> {
    let mut facts = Vec::with_capacity(said.len());
    for (name, value) in said {
        let name = name.to_lowercase();
        let own = name.split_once(':').is_some_and(|(service, key)| !service.is_empty() && !key.is_empty());
        if !own || name.starts_with("aws:") || name.starts_with("standin:") {
            return Err(invalid("a fact is named service:Key, and not aws: or standin:"));
        }
        facts.push((name, value.to_owned()));
    }
    // Sessions with the same facts share what they decide with.
    facts.sort();
    if facts.is_sorted_by(|a, b| a.0 < b.0) { Ok(facts) } else { Err(invalid("a fact is given twice")) }
}

unsafe fn said(login: *const standin_login) -> Result<Said, Fault> {
    // SAFETY: as the caller of the entry promises.
    unsafe {
        let login = memory::read(login, "login")?;
        let kind = match login.evidence {
            STANDIN_EVIDENCE_MSK_IAM => EvidenceKind::MskIam,
            STANDIN_EVIDENCE_TOKEN => EvidenceKind::Token,
            STANDIN_EVIDENCE_CERTIFICATE => EvidenceKind::Certificate,
            _ => return Err(invalid("the evidence is of no known kind")),
        };
        if login.flags & !STANDIN_CHANNEL_SECURE != 0 {
            return Err(invalid("flags of a login: only STANDIN_CHANNEL_SECURE is known"));
        }
        let resource = memory::name(login.resource)?;
        Ok(Said {
            profile: login.profile,
            kind,
            payload: Zeroizing::new(memory::bytes(login.payload, "payload")?.to_vec()),
            channel: Channel {
                address: memory::address(login.peer_address)?,
                port: u16::try_from(login.peer_port).map_err(|_| invalid("a port is at most 65535"))?,
                secure: login.flags & STANDIN_CHANNEL_SECURE != 0,
                listener: memory::text(login.listener, "listener")?.to_owned(),
                protocol: memory::text(login.protocol, "protocol")?.to_owned(),
                host: String::new(),
                connection: memory::text(login.connection, "connection")?.to_owned(),
                facts: facts(memory::pairs(login.facts, login.fact_count, MOST_FACTS, "facts")?)?,
            },
            connect: (login.action != STANDIN_NO_ACTION).then(|| (ActionId(login.action), resource.to_owned())),
        })
    }
}

/// Authenticates a connection and makes its session. Waits for the service up
/// to `wait_ms`, or `standin.login.wait.ms` if that is less: not for threads
/// that must not wait; see standin_login_start.
///
/// `login` is what the client sent, and over which connection; everything in
/// it is copied. `out` says what came of it, also when it failed. `reply` may
/// be null; else it gets what the client is to be sent: after success what
/// completes the exchange (nothing, for tokens and certificates), else a text
/// that is safe to show. It must have room for STANDIN_REPLY_MAX bytes, and is
/// looked at before anything is done.
///
/// The session is the caller's until standin_session_retire or _release.
///
/// Returns STANDIN_OK; STANDIN_INVALID_ARGUMENT, STANDIN_BUFFER_TOO_SMALL and
/// STANDIN_UNKNOWN_ID before anything was done (the last also for a profile
/// that there is not); STANDIN_CLOSED when the engine is being closed; a -2xx
/// when the client is refused (the number is for the host's log, not for the
/// client); a -3xx when it could not be decided and the client should try again;
/// STANDIN_FORKED.
///
/// # Safety
/// Pointers are null or point to what the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn standin_login_now(
    engine: standin_engine,
    login: *const standin_login,
    wait_ms: u32,
    out: *mut standin_login_result,
    reply: *mut standin_buffer,
) -> standin_status {
    // SAFETY: as the caller promises.
    let (out, reply) = unsafe { (Slot::new(out, "out"), Buffer::wanted(reply, "reply")) };
    entry(|| {
        // SAFETY: as the caller promises.
        let (out, reply, mut said) = (out?, reply?, unsafe { said(login) }?);
        if let Some(reply) = reply.as_ref().filter(|r| r.cap < STANDIN_REPLY_MAX) {
            return Err(reply.needs(STANDIN_REPLY_MAX));
        }
        let open = handle::engine(engine)?;
        let asked = Arc::clone(&open);
        let done = files::run(move || asked.log_in(said.login(wait_ms)))?;
        let mut result = standin_login_result { size: 0, status: 0, session: 0, deadline_unix_ms: 0, request: 0 };
        let text = match &done {
            Ok(done) => {
                let begin = &done.session.begin;
                result.session = done.id.number().unsigned_abs();
                result.deadline_unix_ms = begin.deadline_wall.0;
                result.request = open.request_number(&begin.request_id);
                &done.reply
            }
            Err(Refusal { fault, client_text, request_id }) => {
                result.status = fault.status.number();
                result.request = open.request_number(request_id);
                client_text
            }
        };
        if let Some(reply) = reply {
            reply.tell(text);
        }
        out.put(&result);
        done.map(drop).map_err(|refusal| refusal.fault)
    })
}

/// Starts a login and returns at once: for hosts with an event loop, whose one
/// thread must never wait. As standin_login_now, except that what comes of it
/// is one STANDIN_EVENT_LOGIN_DONE, taken by standin_events, with this `tag`: a
/// number of the host's that names its connection. The event may be there
/// already when the function returns.
///
/// A login that is not wanted any more, because its connection is closed, is not
/// called off: release the session that comes of it.
///
/// Returns STANDIN_OK: one event follows, within `wait_ms` and a little, or
/// when the engine is closed never. Anything else, and no event follows:
/// STANDIN_INVALID_ARGUMENT; STANDIN_UNKNOWN_ID; STANDIN_BUSY when 4,096 logins
/// are under way or done and not taken; STANDIN_FORKED.
///
/// # Safety
/// Pointers are null or point to what the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn standin_login_start(
    engine: standin_engine,
    login: *const standin_login,
    wait_ms: u32,
    tag: u64,
) -> standin_status {
    entry(|| {
        // SAFETY: as the caller promises.
        let mut said = unsafe { said(login) }?;
        let open = handle::engine(engine)?;
        // The first that has to be asked about starts the threads that ask.
        signals::blocked(|| open.log_in_later(said.login(wait_ms), tag))
    })
}
