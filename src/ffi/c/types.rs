// SPDX-License-Identifier: Apache-2.0
//! The types of the header.

#![allow(non_camel_case_types, reason = "named as in C")]
#![allow(dead_code, reason = "some are for callers only")]

/// An open engine: a number with a generation, never a pointer. 0 is none. One
/// that was closed answers STANDIN_UNKNOWN_ID.
pub type standin_engine = u64;

/// A session: a number with a generation that knows its engine. 0 is none. One
/// that is gone answers STANDIN_UNKNOWN_ID.
pub type standin_session = u64;

/// How a call went; see STANDIN_OK and below.
pub type standin_status = i32;

/// What a decision came out as: STANDIN_DENY, STANDIN_ALLOW, STANDIN_UNDECIDED.
pub type standin_outcome = u8;

/// Bytes of the caller's, read during the call only. `len` 0 allows a null
/// `data`. At most 1 MiB, if nothing smaller is said.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct standin_bytes {
    pub data: *const u8,
    pub len: usize,
}

/// Room of the caller's that the library writes into. `len` becomes the number
/// of bytes written; with STANDIN_BUFFER_TOO_SMALL, the number needed, and
/// nothing is written. `data` null with `cap` 0 asks how much is needed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct standin_buffer {
    pub data: *mut u8,
    pub cap: usize,
    pub len: usize,
}

/// A setting, or a condition key of the host's own with its value; UTF-8.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct standin_pair {
    pub key: standin_bytes,
    pub value: standin_bytes,
}

/// What standin_open is given.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct standin_options {
    /// `sizeof(standin_options)`.
    pub size: u32,
    /// STANDIN_OWN_FILES, or 0.
    pub flags: u32,
    /// Settings, as docs/settings.md names them; those of listeners hold for
    /// every profile that does not say otherwise. At most 1024.
    pub settings: *const standin_pair,
    /// How many.
    pub count: usize,
    /// Path of a TOML file with more of them, or empty: then the environment
    /// variable STANDIN_CONFIG names it, if it is set. What is given above wins.
    pub config_file: standin_bytes,
}

/// What a client sent while connecting, and over which connection.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct standin_login {
    /// `sizeof(standin_login)`.
    pub size: u32,
    /// Number of the listener's profile; see standin_profile.
    pub profile: u32,
    /// What the payload is: STANDIN_EVIDENCE_...
    pub evidence: u32,
    /// STANDIN_CHANNEL_SECURE, or 0.
    pub flags: u32,
    /// The evidence. The library works on a copy that it wipes.
    pub payload: standin_bytes,
    /// The client's address, 4 or 16 bytes in network order, or empty.
    pub peer_address: standin_bytes,
    /// The client's port, or 0; for the audit.
    pub peer_port: u32,
    /// The action that connecting is, which policies must allow; or
    /// STANDIN_NO_ACTION: then whoever is who it claims to be may connect.
    pub action: u32,
    /// Name of the resource of that action, such as a client id; or empty.
    pub resource: standin_bytes,
    /// Name of the listener (condition key `standin:Listener`).
    pub listener: standin_bytes,
    /// The protocol in the host's words (condition key `standin:Protocol`).
    pub protocol: standin_bytes,
    /// The host's id of the connection; for the audit.
    pub connection: standin_bytes,
    /// Condition keys of the host's own with their values, such as
    /// `iot:ClientId`, fixed for the session. None that begin with `aws:` or
    /// `standin:`. At most 64.
    pub facts: *const standin_pair,
    /// How many.
    pub fact_count: usize,
}

/// What came out of a login.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct standin_login_result {
    /// `sizeof(standin_login_result)`, set by the caller.
    pub size: u32,
    /// The status that the function returned.
    pub status: standin_status,
    /// The session, or 0.
    pub session: standin_session,
    /// When it ends, milliseconds since 1970.
    pub deadline_unix_ms: i64,
    /// Names the login for standin_request_id, whatever came out of it.
    pub request: u64,
}

/// Something that happened; see standin_events.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct standin_event {
    /// How much of the struct was written, set by the library.
    pub size: u32,
    /// STANDIN_EVENT_...
    pub kind: u32,
    /// Of LOGIN_DONE and SESSION_ENDED.
    pub status: standin_status,
    /// 0.
    pub reserved: u32,
    /// Of LOGIN_DONE: the tag that the login was started with.
    pub tag: u64,
    /// The session, or 0 after a login that failed.
    pub session: standin_session,
    /// Of LOGIN_DONE: when the session ends, milliseconds since 1970.
    pub deadline_unix_ms: i64,
    /// Of LOGIN_DONE: names the login for standin_request_id.
    pub request: u64,
}

/// What holds for all questions of one call. A null one says: nothing but what
/// the session knows, and no wait.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct standin_batch {
    /// `sizeof(standin_batch)`.
    pub size: u32,
    /// Longest wait for decisions that are not local, milliseconds; 0 on
    /// threads that must not wait. Never looked at with `standin.decide=local`.
    pub wait_ms: u32,
    /// The address of this request, 4 or 16 bytes; empty: the session's.
    pub peer_address: standin_bytes,
    /// The client id that this request carries (`standin:ClientId`), or empty.
    pub client_id: standin_bytes,
}

/// One question: may the session's client do this on that?
#[repr(C)]
#[derive(Clone, Copy)]
pub struct standin_request {
    /// The action's number; see standin_action. One that has no action denies.
    pub action: u32,
    /// STANDIN_LOG_ALLOW, STANDIN_LOG_DENY.
    pub flags: u32,
    /// The resource's name, UTF-8, at most 65,535 bytes. For actions without a
    /// type of resource, its whole ARN.
    pub resource: standin_bytes,
    /// How many operations it stands for in the audit; 0 is 1.
    pub count: u32,
    /// 0.
    pub reserved: u32,
}

/// How a session stands.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct standin_info {
    /// `sizeof(standin_info)`, set by the caller.
    pub size: u32,
    /// STANDIN_SESSION_...
    pub state: u32,
    /// When it ends, milliseconds since 1970.
    pub deadline_unix_ms: i64,
}

/// A counter or gauge.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct standin_metric {
    /// How much of the struct was written, set by the library.
    pub size: u32,
    /// 0.
    pub reserved: u32,
    /// Its name, NUL-terminated; never freed. docs/operations.md explains it.
    pub name: *const core::ffi::c_char,
    /// Its value.
    pub value: u64,
}

/// No.
pub const STANDIN_DENY: u8 = 0;
/// Yes, by an explicit allow.
pub const STANDIN_ALLOW: u8 = 1;
/// Could not be decided. Not a denial: tell the client to try again.
pub const STANDIN_UNDECIDED: u8 = 2;

/// The first message of the SASL mechanism AWS_MSK_IAM: JSON.
pub const STANDIN_EVIDENCE_MSK_IAM: u32 = 1;
/// A presigned URL, as it is or in base64url: the token of the MSK signers.
pub const STANDIN_EVIDENCE_TOKEN: u32 = 2;
/// The certificate, in DER, that the TLS layer has verified.
pub const STANDIN_EVIDENCE_CERTIFICATE: u32 = 3;

/// The library's threads have a table of open files of their own, and share the
/// host's no longer: system calls of a host with one thread are then as quick as
/// without this library. For the whole process, from the first standin_open on;
/// where the kernel does not allow it, the table is shared. Calls that need
/// files of the library's are then made by a thread of its own while the caller
/// waits.
pub const STANDIN_OWN_FILES: u32 = 1;
/// The connection is encrypted.
pub const STANDIN_CHANNEL_SECURE: u32 = 1;
/// The number that names no action.
pub const STANDIN_NO_ACTION: u32 = 0xffff_ffff;
/// The action may be decided from what is known while the service does not
/// answer, up to `standin.stale.grace.ms`.
pub const STANDIN_ACTION_RIDES_OUT: u32 = 1;
/// A buffer of this size is large enough for the reply to any login.
pub const STANDIN_REPLY_MAX: usize = 256;

/// A login that was started is over.
pub const STANDIN_EVENT_LOGIN_DONE: u32 = 1;
/// A session was revoked, or its key or identity was: disconnect the client.
pub const STANDIN_EVENT_SESSION_ENDED: u32 = 2;
/// The deadline of a session has passed: disconnect the client.
pub const STANDIN_EVENT_SESSION_EXPIRED: u32 = 3;

/// Record an allowed operation in the audit.
pub const STANDIN_LOG_ALLOW: u32 = 1;
/// Record a denied operation in the audit.
pub const STANDIN_LOG_DENY: u32 = 2;

/// Logged in; the channel is not known yet.
pub const STANDIN_SESSION_BINDING: u32 = 0;
/// Operations are decided.
pub const STANDIN_SESSION_LIVE: u32 = 1;
/// Its deadline has passed; everything is denied.
pub const STANDIN_SESSION_EXPIRED: u32 = 2;
/// It was ended; everything is denied.
pub const STANDIN_SESSION_ENDED: u32 = 3;

/// The log of the library.
pub const STANDIN_RECORDS_LOG: u32 = 1;
/// The audit, as it is written to its files.
pub const STANDIN_RECORDS_AUDIT: u32 = 2;

const _: () = {
    use crate::decision::Outcome;
    assert!(STANDIN_DENY == Outcome::Deny as u8);
    assert!(STANDIN_ALLOW == Outcome::Allow as u8);
    assert!(STANDIN_UNDECIDED == Outcome::Undecided as u8);
};
