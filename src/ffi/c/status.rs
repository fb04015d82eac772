// SPDX-License-Identifier: Apache-2.0
//! The numbers of statuses, and their texts.

use std::ffi::{CStr, c_char};

use super::types::standin_status;
use crate::ffi::boundary::guarded;

/// Major and minor number of this interface, as standin_abi gives it. Within a
/// major number things are added and nothing is changed or taken away.
pub const STANDIN_ABI: u32 = 0x0000_0002;

/// Done.
pub const STANDIN_OK: standin_status = 0;
/// An argument is outside what the function accepts.
pub const STANDIN_INVALID_ARGUMENT: standin_status = -100;
/// A setting is unknown, missing or malformed.
pub const STANDIN_INVALID_SETTING: standin_status = -101;
/// The engine of that name is open with other settings.
pub const STANDIN_SETTINGS_DIFFER: standin_status = -102;
/// The engine or session id was never given out, or is gone.
pub const STANDIN_UNKNOWN_ID: standin_status = -103;
/// The caller's buffer is too small; the needed size was written.
pub const STANDIN_BUFFER_TOO_SMALL: standin_status = -104;
/// Called in a child process after a fork.
pub const STANDIN_FORKED: standin_status = -105;
/// The engine is closed or closing.
pub const STANDIN_CLOSED: standin_status = -106;
/// The thing to create exists already, or another change came between.
pub const STANDIN_CONFLICT: standin_status = -107;
/// The named thing does not exist.
pub const STANDIN_NOT_FOUND: standin_status = -108;
/// A document or file is not valid.
pub const STANDIN_INVALID_DOCUMENT: standin_status = -109;
/// There are as many of its kind as there may be.
pub const STANDIN_LIMIT_REACHED: standin_status = -110;
/// The credential has not the documented shape.
pub const STANDIN_MALFORMED: standin_status = -200;
/// The access key id is not known.
pub const STANDIN_UNKNOWN_KEY: standin_status = -201;
/// The signature does not match.
pub const STANDIN_SIGNATURE_MISMATCH: standin_status = -202;
/// The access key is disabled.
pub const STANDIN_KEY_DISABLED: standin_status = -203;
/// The identity is disabled or deleted.
pub const STANDIN_IDENTITY_DISABLED: standin_status = -204;
/// The credential has expired.
pub const STANDIN_EXPIRED: standin_status = -205;
/// The request's date is too far from this server's clock.
pub const STANDIN_CLOCK_SKEW: standin_status = -206;
/// The signed host is none of this listener's names.
pub const STANDIN_WRONG_HOST: standin_status = -207;
/// The region is none of the accepted ones.
pub const STANDIN_WRONG_REGION: standin_status = -208;
/// Policies do not allow to connect.
pub const STANDIN_CONNECT_NOT_ALLOWED: standin_status = -209;
/// The same signature was seen before and repeats are refused.
pub const STANDIN_REPLAYED: standin_status = -210;
/// The channel is not encrypted.
pub const STANDIN_PLAINTEXT_CHANNEL: standin_status = -211;
/// Revoked by an administrator.
pub const STANDIN_REVOKED: standin_status = -212;
/// Not allowed by policy.
pub const STANDIN_NOT_ALLOWED: standin_status = -213;
/// The listener does not take this kind of credential.
pub const STANDIN_KIND_NOT_ACCEPTED: standin_status = -214;
/// Too many callers are waiting already, or a budget is used up.
pub const STANDIN_BUSY: standin_status = -300;
/// The security service or store did not answer.
pub const STANDIN_UNAVAILABLE: standin_status = -301;
/// What is known is older than the published bound.
pub const STANDIN_STALE: standin_status = -302;
/// No answer within the deadline.
pub const STANDIN_TIMED_OUT: standin_status = -303;
/// The answer belongs to a newer format than this version reads.
pub const STANDIN_NEWER_FORMAT: standin_status = -304;
/// This host's clock is too far from the service's.
pub const STANDIN_HOST_CLOCK: standin_status = -305;
/// The service does not believe this host.
pub const STANDIN_HOST_NOT_BELIEVED: standin_status = -306;
/// Something answered that is not the service.
pub const STANDIN_NOT_THE_SERVICE: standin_status = -307;
/// The service's certificate is not one to believe.
pub const STANDIN_CERTIFICATE: standin_status = -308;
/// A defect; see the log.
pub const STANDIN_INTERNAL: standin_status = -400;
/// A panic was caught at the boundary.
pub const STANDIN_PANIC: standin_status = -499;

/// Name and text of every status.
const TEXTS: &[(standin_status, &CStr)] = &[
    (STANDIN_OK, c"done"),
    (STANDIN_INVALID_ARGUMENT, c"an argument is outside what the function accepts"),
    (STANDIN_INVALID_SETTING, c"a setting is unknown, missing or malformed"),
    (STANDIN_SETTINGS_DIFFER, c"the engine of that name is open with other settings"),
    (STANDIN_UNKNOWN_ID, c"the engine or session id was never given out, or is gone"),
    (STANDIN_BUFFER_TOO_SMALL, c"the caller's buffer is too small; the needed size was written"),
    (STANDIN_FORKED, c"called in a child process after a fork"),
    (STANDIN_CLOSED, c"the engine is closed or closing"),
    (STANDIN_CONFLICT, c"the thing to create exists already, or another change came between"),
    (STANDIN_NOT_FOUND, c"the named thing does not exist"),
    (STANDIN_INVALID_DOCUMENT, c"a document or file is not valid"),
    (STANDIN_LIMIT_REACHED, c"there are as many of its kind as there may be"),
    (STANDIN_MALFORMED, c"the credential has not the documented shape"),
    (STANDIN_UNKNOWN_KEY, c"the access key id is not known"),
    (STANDIN_SIGNATURE_MISMATCH, c"the signature does not match"),
    (STANDIN_KEY_DISABLED, c"the access key is disabled"),
    (STANDIN_IDENTITY_DISABLED, c"the identity is disabled or deleted"),
    (STANDIN_EXPIRED, c"the credential has expired"),
    (STANDIN_CLOCK_SKEW, c"the request's date is too far from this server's clock"),
    (STANDIN_WRONG_HOST, c"the signed host is none of this listener's names"),
    (STANDIN_WRONG_REGION, c"the region is none of the accepted ones"),
    (STANDIN_CONNECT_NOT_ALLOWED, c"policies do not allow to connect"),
    (STANDIN_REPLAYED, c"the same signature was seen before and repeats are refused"),
    (STANDIN_PLAINTEXT_CHANNEL, c"the channel is not encrypted"),
    (STANDIN_REVOKED, c"revoked by an administrator"),
    (STANDIN_NOT_ALLOWED, c"not allowed by policy"),
    (STANDIN_KIND_NOT_ACCEPTED, c"the listener does not take this kind of credential"),
    (STANDIN_BUSY, c"too many callers are waiting already, or a budget is used up"),
    (STANDIN_UNAVAILABLE, c"the security service or store did not answer"),
    (STANDIN_STALE, c"what is known is older than the published bound"),
    (STANDIN_TIMED_OUT, c"no answer within the deadline"),
    (STANDIN_NEWER_FORMAT, c"the answer belongs to a newer format than this version reads"),
    (STANDIN_HOST_CLOCK, c"this host's clock is too far from the service's"),
    (STANDIN_HOST_NOT_BELIEVED, c"the service does not believe this host"),
    (STANDIN_NOT_THE_SERVICE, c"something answered that is not the service"),
    (STANDIN_CERTIFICATE, c"the service's certificate is not one to believe"),
    (STANDIN_INTERNAL, c"a defect; see the log"),
    (STANDIN_PANIC, c"a panic was caught at the boundary"),
];

/// The version of the interface that the library has: major number in the upper
/// 16 bits, minor in the lower. A host may compare it with STANDIN_ABI, which
/// is the header's: it fits when the major number is the same and the minor one
/// is not smaller. May be called at any time, from any thread, also in a forked
/// child.
#[unsafe(no_mangle)]
pub extern "C" fn standin_abi() -> u32 {
    guarded(|| Ok(STANDIN_ABI)).unwrap_or(0)
}

/// The version of the library, such as "0.1.0". NUL-terminated; never freed. May
/// be called at any time, from any thread, also in a forked child.
#[unsafe(no_mangle)]
pub extern "C" fn standin_version() -> *const c_char {
    let version = CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes());
    guarded(|| Ok(version.unwrap_or(c""))).unwrap_or(c"").as_ptr()
}

/// A short text for a status, in English, the same for every failure of that
/// number. NUL-terminated; never freed; "unknown status" for other numbers. May
/// be called at any time, from any thread, also in a forked child.
#[unsafe(no_mangle)]
pub extern "C" fn standin_status_text(status: standin_status) -> *const c_char {
    let text = guarded(|| Ok(TEXTS.iter().find(|(number, _)| *number == status).map(|(_, text)| *text)));
    text.ok().flatten().unwrap_or(c"unknown status").as_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers stand in `fault::Status` too; the header must not differ.
    #[test]
    fn the_header_has_every_status_with_its_number() {
        let source = include_str!("../../fault.rs");
        let number = |line: &str| line.trim().strip_suffix(',')?.split_once(" = ")?.1.parse::<i32>().ok();
        let mut statuses: Vec<i32> = source.lines().filter_map(number).collect();
        statuses.insert(0, 0);
        assert!(statuses.len() > 25);
        assert_eq!(TEXTS.iter().map(|(n, _)| *n).collect::<Vec<_>>(), statuses);
    }
}
