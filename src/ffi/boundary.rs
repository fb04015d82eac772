// SPDX-License-Identifier: Apache-2.0
//! What every exported function goes through: no panic leaves, and every
//! failure is a status number.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::fault::{Fault, Status};

/// Runs `body`; a panic becomes [`Status::Panic`].
pub(super) fn guarded<T>(body: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    let body = || {
        #[cfg(feature = "panic-injection")]
        inject();
        body()
    };
    catch_unwind(AssertUnwindSafe(body))
        .unwrap_or_else(|_| Err(Fault::new(Status::Panic, "a panic was caught at the library's boundary")))
}

/// Runs `body`; the value, or the number of the status. Every operation comes
/// through here, so nothing but a pointer crosses the catch: what is moved into
/// it and out of it is copied in other widths than it was written in, and the
/// processor waits for that.
#[inline(always)]
pub(super) fn guarded_number<T: From<i32>>(body: impl FnOnce() -> Result<T, Fault>) -> T {
    let mut work = (Some(body), T::from(Status::Panic.number()));
    let ran = {
        let work = &mut work;
        catch_unwind(AssertUnwindSafe(move || {
            #[cfg(feature = "panic-injection")]
            inject();
            if let Some(body) = work.0.take() {
                work.1 = number(body());
            }
        }))
    };
    if ran.is_err() { T::from(Status::Panic.number()) } else { work.1 }
}

/// Panics when a test wants it, without the line on standard error.
#[cfg(feature = "panic-injection")]
fn inject() {
    if std::env::var_os("STANDIN_PANIC").is_some() {
        std::panic::resume_unwind(Box::new("on demand"));
    }
}

/// The number for a result: the value, or the status.
pub(super) fn number<T: From<i32>>(result: Result<T, Fault>) -> T {
    result.unwrap_or_else(|fault| T::from(fault.status.number()))
}

/// Splits bytes into fields: each a length (u32, little-endian) and as many
/// bytes.
pub(super) fn fields(mut bytes: &[u8]) -> Result<Vec<&[u8]>, Fault> {
    let bad = || Fault::new(Status::InvalidArgument, "fields are cut off");
    // As many as the facts of a channel, which come with each login.
    let mut out = Vec::with_capacity(6);
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(bad)?;
        let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| bad())?;
        let (field, rest) = rest.split_at_checked(length).ok_or_else(bad)?;
        out.push(field);
        bytes = rest;
    }
    Ok(out)
}

/// A field as text.
pub(super) fn text(field: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(field).map_err(|_| Fault::new(Status::InvalidArgument, "a field is not UTF-8"))
}

/// Joins fields into bytes.
pub(super) fn join<'a>(fields: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    // Room for the answer to a login.
    let mut out = Vec::with_capacity(256);
    for field in fields {
        let length = u32::try_from(field.len()).unwrap_or(0);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(field.get(..usize::try_from(length).unwrap_or(0)).unwrap_or_default());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// a panic inside becomes a number.
    #[test]
    fn x_05_a_panic_becomes_a_status() {
        let result: Result<i32, Fault> = guarded(|| panic!("on purpose"));
        assert_eq!(number(result), -499);
        assert_eq!(guarded_number::<i32>(|| panic!("on purpose")), -499);
        assert_eq!(guarded_number(|| Ok(7)), 7);
        assert_eq!(guarded_number::<i32>(|| Err(Fault::new(Status::Busy, "x"))), Status::Busy.number());
    }

    #[test]
    fn fields_survive_the_way_and_cut_ones_are_refused() {
        let bytes = join([b"a".as_slice(), b"", b"xyz"]);
        assert_eq!(fields(&bytes).unwrap(), [b"a".as_slice(), b"", b"xyz"]);
        for n in 1..bytes.len() {
            let cut = fields(&bytes[..n]);
            assert!(cut.is_err() || cut.unwrap().len() < 3);
        }
        assert!(fields(&[0xff, 0xff, 0xff, 0xff]).is_err());
    }
}
