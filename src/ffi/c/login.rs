// SPDX-License-Identifier: Apache-2.0
//! Logging in.

use std::time::Duration;

use super::memory::{self, Buffer, Slot, invalid};
use super::types::{
    STANDIN_CHANNEL_SECURE, STANDIN_EVIDENCE_MSK_IAM, STANDIN_REPLY_MAX, standin_buffer, standin_engine, standin_login,
    standin_login_result, standin_status,
};
use super::{entry, handle};
use crate::channel::Channel;
use crate::fault::Fault;
use crate::mechanism::{Login, Refusal};

/// What a host says about a login, copied.
struct Said {
    profile: u32,
    payload: zeroize::Zeroizing<Vec<u8>>,
    channel: Channel,
}

unsafe fn said(login: *const standin_login) -> Result<Said, Fault> {
    // SAFETY: as the caller of the entry promises.
    unsafe {
        let login = memory::read(login, "login")?;
        if login.evidence != STANDIN_EVIDENCE_MSK_IAM {
            return Err(invalid("the evidence is of no known kind"));
        }
        if login.flags & !STANDIN_CHANNEL_SECURE != 0 {
            return Err(invalid("flags of a login: only STANDIN_CHANNEL_SECURE is known"));
        }
        let port = u16::try_from(login.peer_port).map_err(|_| invalid("a port is at most 65535"))?;
        Ok(Said {
            profile: login.profile,
            payload: zeroize::Zeroizing::new(memory::bytes(login.payload, "payload")?.to_vec()),
            channel: Channel {
                address: memory::address(login.peer_address)?,
                port,
                secure: login.flags & STANDIN_CHANNEL_SECURE != 0,
                listener: memory::text(login.listener, "listener")?.to_owned(),
                protocol: memory::text(login.protocol, "protocol")?.to_owned(),
                host: String::new(),
                connection: memory::text(login.connection, "connection")?.to_owned(),
            },
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
/// completes the exchange, else a text that is safe to show. It must have room
/// for STANDIN_REPLY_MAX bytes, and is looked at before anything is done.
///
/// The session is the caller's until standin_session_retire or _release.
///
/// Returns STANDIN_OK; STANDIN_INVALID_ARGUMENT, STANDIN_BUFFER_TOO_SMALL and
/// STANDIN_UNKNOWN_ID before anything was done; a -2xx when the client is
/// refused (the number is for the host's log, not for the client); a -3xx when
/// it could not be decided and the client should try again; STANDIN_FORKED.
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
    entry(|| {
        // SAFETY: as the caller promises.
        let (out, reply, mut said) = unsafe { (Slot::new(out, "out")?, Buffer::wanted(reply, "reply")?, said(login)?) };
        if let Some(reply) = reply.as_ref().filter(|r| r.cap < STANDIN_REPLY_MAX) {
            return Err(reply.needs(STANDIN_REPLY_MAX));
        }
        let open = handle::engine(engine)?;
        let done = open.log_in(Login {
            profile: said.profile,
            payload: &mut said.payload,
            channel: said.channel,
            channel_known: true,
            wait: Duration::from_millis(wait_ms.into()),
        });
        let mut result = standin_login_result { size: 0, status: 0, session: 0, deadline_unix_ms: 0, request: 0 };
        let text = match &done {
            Ok(done) => {
                result.session = done.id.number().unsigned_abs();
                result.deadline_unix_ms = done.session.begin.deadline_wall.0;
                &done.reply
            }
            Err(Refusal { fault, client_text, .. }) => {
                result.status = fault.status.number();
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
