// SPDX-License-Identifier: Apache-2.0
//! Memory of the caller's: read and written within bounds that are checked.
//! Whether a pointer points anywhere cannot be checked; whether it is null,
//! aligned, and of a length that can exist, is.

use std::mem::{MaybeUninit, align_of, size_of};
use std::net::IpAddr;
use std::ptr;

use super::types::{
    standin_batch, standin_buffer, standin_bytes, standin_event, standin_info, standin_login, standin_login_result,
    standin_metric, standin_options, standin_outcome, standin_pair, standin_request,
};
use crate::decision::Outcome;
use crate::fault::{Fault, Status};

/// Longest bytes taken in, where nothing smaller is said.
const LONGEST: usize = 1 << 20;
/// Longest name of a resource.
const LONGEST_NAME: usize = 65_535;
/// Largest struct, of whatever version, and greatest stride.
const LARGEST: usize = 4096;
/// Most questions in one call.
pub(super) const MOST_REQUESTS: usize = 65_536;

/// A struct of the header.
///
/// # Safety
/// `repr(C)`, without padding, of a size that is a multiple of eight, and made
/// of fields for which every bit pattern is a value.
pub(super) unsafe trait Plain: Copy {}

/// A struct that begins with its size and may be shorter or longer at the
/// caller than it is here.
///
/// # Safety
/// As [`Plain`], and the first field is the size, a `u32`.
pub(super) unsafe trait Growing: Plain {}

/// A struct that comes in arrays, whose stride says how long it is at the
/// caller.
pub(super) trait Row: Plain {
    /// Its size in the first version: what every caller has at least.
    const FIRST: usize;
}

impl Row for standin_pair {
    const FIRST: usize = 32;
}

impl Row for standin_request {
    const FIRST: usize = 32;
}

impl Row for standin_event {
    const FIRST: usize = 48;
}

impl Row for standin_metric {
    const FIRST: usize = 24;
}

macro_rules! plain {
    ($($plain:ty),*; $($growing:ty),*) => {
        $(
            // SAFETY: `repr(C)` of integers and raw pointers; the test below
            // checks that no padding is in it.
            unsafe impl Plain for $plain {}
        )*
        $(
            // SAFETY: as above.
            unsafe impl Plain for $growing {}
            // SAFETY: its first field is `size: u32`.
            unsafe impl Growing for $growing {}
        )*
    };
}

plain! {
    standin_bytes, standin_buffer, standin_pair, standin_request, u32, u64, i32, usize;
    standin_options, standin_login, standin_login_result, standin_event, standin_batch, standin_info, standin_metric
}

#[cold]
pub(super) fn invalid(text: &str) -> Fault {
    Fault::new(Status::InvalidArgument, text)
}

#[cold]
fn null(what: &str) -> Fault {
    invalid(&format!("{what} is null"))
}

/// Checks that a pointer may point to a `T`.
#[inline(always)]
fn check<T>(at: *const T, what: &str) -> Result<(), Fault> {
    if at.is_null() {
        return Err(null(what));
    }
    if !at.addr().is_multiple_of(align_of::<T>()) {
        return Err(invalid(&format!("{what} is not aligned")));
    }
    Ok(())
}

/// The size that a struct of the caller's says it has.
///
/// # Safety
/// `at` is null, misaligned, or readable for the size it begins with.
unsafe fn size<T: Growing>(at: *const T, what: &str) -> Result<usize, Fault> {
    check(at, what)?;
    // SAFETY: not null and aligned; a struct begins with its size.
    let said = unsafe { at.cast::<u32>().read() };
    let said = usize::try_from(said).unwrap_or(0);
    // Whole fields only: half a pointer is not a pointer.
    if !(8..=LARGEST).contains(&said) || !said.is_multiple_of(8) {
        return Err(invalid(&format!("the size of {what} is not that of any version")));
    }
    Ok(said)
}

/// Reads a struct: what the caller's version does not have is zero, what this
/// version does not know is not looked at.
///
/// # Safety
/// `at` is null, misaligned, or readable for the size it begins with.
pub(super) unsafe fn read<T: Growing>(at: *const T, what: &str) -> Result<T, Fault> {
    // SAFETY: as the caller promises.
    let said = unsafe { size(at, what) }?;
    let mut value = MaybeUninit::<T>::zeroed();
    // SAFETY: both are readable, or writable, for the smaller of the sizes, and
    // any bytes are a value of `T`.
    unsafe {
        ptr::copy_nonoverlapping(at.cast::<u8>(), value.as_mut_ptr().cast::<u8>(), said.min(size_of::<T>()));
        Ok(value.assume_init())
    }
}

/// A struct of the caller's to write into, all of it zero behind the size.
pub(super) struct Slot<T> {
    at: *mut T,
    size: usize,
}

impl<T: Growing> Slot<T> {
    /// # Safety
    /// `at` is null, misaligned, or writable for the size it begins with, until
    /// the slot is dropped.
    pub(super) unsafe fn new(at: *mut T, what: &str) -> Result<Self, Fault> {
        // SAFETY: as the caller promises.
        let size = unsafe { size(at, what) }?;
        // SAFETY: writable for its size; four bytes are the size itself.
        unsafe { ptr::write_bytes(at.cast::<u8>().add(4), 0, size - 4) };
        Ok(Self { at, size })
    }

    /// Writes as much as the caller's version has; the size stays the caller's.
    pub(super) fn put(&self, value: &T) {
        let known = self.size.min(size_of::<T>());
        // SAFETY: `new`'s caller promised `size` bytes to write, and `value`
        // has `size_of::<T>()`; the first four are left alone.
        unsafe {
            ptr::copy_nonoverlapping(ptr::from_ref(value).cast::<u8>().add(4), self.at.cast::<u8>().add(4), known - 4);
        }
    }
}

/// An array of structs of the caller's, each `stride` bytes from the next.
pub(super) struct Rows<T> {
    at: *mut T,
    stride: usize,
    pub(super) count: usize,
}

impl<T: Row> Rows<T> {
    /// # Safety
    /// `at` is null, misaligned, or readable (to write: writable) for `count`
    /// times `stride` bytes, until the rows are dropped.
    #[inline(always)]
    pub(super) unsafe fn new(at: *mut T, stride: usize, count: usize, most: usize, what: &str) -> Result<Self, Fault> {
        if count > most {
            return Err(invalid(&format!("{what}: more than {most}")));
        }
        if stride < T::FIRST || stride > LARGEST || !stride.is_multiple_of(8) {
            return Err(invalid(&format!("the stride of {what} is not the size of any version")));
        }
        if count > 0 {
            check(at, what)?;
        }
        Ok(Self { at, stride, count })
    }

    /// One of the structs; what the caller's version does not have is zero.
    #[inline(always)]
    pub(super) fn get(&self, n: usize) -> Option<T> {
        if n >= self.count {
            return None;
        }
        // SAFETY: within the array that `new`'s caller promised; aligned, as
        // the first and the stride are. Any bytes are a value of `T`.
        unsafe {
            let row = self.at.byte_add(n * self.stride);
            if self.stride >= size_of::<T>() {
                return Some(row.read());
            }
            let mut value = MaybeUninit::<T>::zeroed();
            ptr::copy_nonoverlapping(row.cast::<u8>(), value.as_mut_ptr().cast::<u8>(), self.stride);
            Some(value.assume_init())
        }
    }
}

/// The only struct of an array of one, in this version; none when anything is
/// wrong with it, or when it is of another version.
///
/// # Safety
/// As [`Rows::new`].
#[inline(always)]
pub(super) unsafe fn single<T: Row>(at: *const T, stride: usize) -> Option<T> {
    // A multiple of eight, as `Rows` wants it.
    let fits = stride == size_of::<T>() && !at.is_null() && at.addr().is_multiple_of(align_of::<T>());
    // SAFETY: not null, aligned, and readable for its stride as promised. Any
    // bytes are a value of `T`.
    fits.then(|| unsafe { at.read() })
}

impl<T: Row + Growing> Rows<T> {
    /// Writes as much of one of the structs as the caller's version has, and
    /// first how much that is.
    pub(super) fn put(&self, n: usize, value: &T) {
        let known = self.stride.min(size_of::<T>());
        if n < self.count {
            // SAFETY: within the array that `new`'s caller promised to be
            // writable; the first field of `T` is its size.
            unsafe {
                let row = self.at.byte_add(n * self.stride);
                ptr::copy_nonoverlapping(ptr::from_ref(value).cast::<u8>(), row.cast::<u8>(), known);
                row.cast::<u32>().write(u32::try_from(known).unwrap_or(0));
            }
        }
    }
}

/// Where one value of the caller's goes; zero until then.
pub(super) struct Cell<T>(*mut T);

impl<T: Plain + Default> Cell<T> {
    /// # Safety
    /// `at` is null, misaligned, or writable until the cell is dropped.
    pub(super) unsafe fn new(at: *mut T, what: &str) -> Result<Self, Fault> {
        check(at, what)?;
        // SAFETY: not null, aligned, and writable as promised.
        unsafe { at.write(T::default()) };
        Ok(Self(at))
    }

    pub(super) fn put(&self, value: T) {
        // SAFETY: writable as `new`'s caller promised.
        unsafe { self.0.write(value) }
    }
}

/// Bytes of the caller's.
///
/// # Safety
/// `bytes.data` is null or readable for `bytes.len`, for as long as `'a`.
pub(super) unsafe fn bytes<'a>(bytes: standin_bytes, what: &str) -> Result<&'a [u8], Fault> {
    if bytes.len == 0 {
        return Ok(&[]);
    }
    if bytes.data.is_null() {
        return Err(null(what));
    }
    if bytes.len > LONGEST {
        return Err(invalid(&format!("{what} is longer than {LONGEST} bytes")));
    }
    // SAFETY: not null, of a length that can exist, and readable as promised.
    Ok(unsafe { std::slice::from_raw_parts(bytes.data, bytes.len) })
}

/// Text of the caller's.
///
/// # Safety
/// As [`bytes`].
pub(super) unsafe fn text<'a>(bytes: standin_bytes, what: &str) -> Result<&'a str, Fault> {
    // SAFETY: as the caller promises.
    let bytes = unsafe { self::bytes(bytes, what) }?;
    std::str::from_utf8(bytes).map_err(|_| invalid(&format!("{what} is not UTF-8")))
}

/// The bytes of a resource's name, which nobody has read yet; none when they
/// are null or too long.
///
/// # Safety
/// As [`bytes`].
#[inline(always)]
pub(super) unsafe fn unread_name<'a>(bytes: standin_bytes) -> Option<&'a [u8]> {
    if bytes.len == 0 {
        return Some(&[]);
    }
    if bytes.data.is_null() || bytes.len > LONGEST_NAME {
        return None;
    }
    // SAFETY: not null, of a length that can exist, and readable as promised.
    Some(unsafe { std::slice::from_raw_parts(bytes.data, bytes.len) })
}

/// The name of a resource. Says nothing more precise than that it is wrong: it
/// is read once per operation.
///
/// # Safety
/// As [`bytes`].
#[inline(always)]
pub(super) unsafe fn name<'a>(bytes: standin_bytes) -> Result<&'a str, Fault> {
    let bad = || invalid("the name of a resource is null, too long, or not UTF-8");
    // SAFETY: as the caller promises.
    let bytes = unsafe { unread_name(bytes) }.ok_or_else(bad)?;
    if bytes.is_ascii() {
        // Most are, and that is seen in a fifth of the time. SAFETY: ASCII is
        // UTF-8.
        return Ok(unsafe { std::str::from_utf8_unchecked(bytes) });
    }
    std::str::from_utf8(bytes).map_err(|_| bad())
}

/// Pairs of texts of the caller's.
///
/// # Safety
/// `at` is null or readable for `count` pairs, and each of their bytes as
/// [`bytes`], for as long as `'a`.
pub(super) unsafe fn pairs<'a>(
    at: *const standin_pair,
    count: usize,
    most: usize,
    what: &str,
) -> Result<Vec<(&'a str, &'a str)>, Fault> {
    // SAFETY: as the caller promises; nothing is written.
    let rows = unsafe { Rows::new(at.cast_mut(), size_of::<standin_pair>(), count, most, what) }?;
    (0..count)
        .filter_map(|n| rows.get(n))
        // SAFETY: as the caller promises.
        .map(|pair| unsafe { Ok((text(pair.key, what)?, text(pair.value, what)?)) })
        .collect()
}

/// An address of 4 or 16 bytes; none when empty.
///
/// # Safety
/// As [`bytes`].
pub(super) unsafe fn address(bytes: standin_bytes) -> Result<Option<IpAddr>, Fault> {
    if bytes.len == 0 {
        return Ok(None);
    }
    // SAFETY: as the caller promises.
    let bytes = unsafe { self::bytes(bytes, "peer_address") }?;
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let address = four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from));
    address.map(|a| Some(a.to_canonical())).map_err(|_| invalid("an address has 4 or 16 bytes"))
}

/// A buffer of the caller's.
pub(super) struct Buffer {
    at: *mut standin_buffer,
    data: *mut u8,
    /// Its room.
    pub(super) cap: usize,
}

impl Buffer {
    /// # Safety
    /// `at` is null, misaligned, or a buffer whose `data` is null or writable
    /// for `cap` bytes, until it is dropped.
    pub(super) unsafe fn new(at: *mut standin_buffer, what: &str) -> Result<Self, Fault> {
        check(at, what)?;
        // SAFETY: not null, aligned, and readable and writable as promised.
        let standin_buffer { data, cap, .. } = unsafe { at.read() };
        if cap > isize::MAX.unsigned_abs() || data.is_null() && cap > 0 {
            return Err(invalid(&format!("{what} has no room where it says so")));
        }
        let buffer = Self { at, data, cap };
        buffer.set_len(0);
        Ok(buffer)
    }

    /// None when `at` is null: the caller does not want what goes into it.
    ///
    /// # Safety
    /// As [`Buffer::new`].
    pub(super) unsafe fn wanted(at: *mut standin_buffer, what: &str) -> Result<Option<Self>, Fault> {
        if at.is_null() {
            return Ok(None);
        }
        // SAFETY: as the caller promises.
        unsafe { Self::new(at, what) }.map(Some)
    }

    fn set_len(&self, len: usize) {
        // SAFETY: checked and writable since `new`.
        unsafe { (&raw mut (*self.at).len).write(len) }
    }

    /// Says how much is needed.
    pub(super) fn needs(&self, len: usize) -> Fault {
        self.set_len(len);
        Fault::new(Status::BufferTooSmall, "the buffer is too small")
    }

    fn write(&self, content: &[u8]) {
        self.set_len(content.len());
        if !content.is_empty() {
            // SAFETY: `data` is writable for `cap` bytes, which are enough: all
            // callers have looked. The content is the library's own.
            unsafe { ptr::copy_nonoverlapping(content.as_ptr(), self.data, content.len()) }
        }
    }

    /// Writes all of the content, or nothing and how much is needed.
    pub(super) fn put(&self, content: &[u8]) -> Result<(), Fault> {
        if content.len() > self.cap {
            return Err(self.needs(content.len()));
        }
        self.write(content);
        Ok(())
    }

    /// Writes as much of a text as there is room for, in whole characters.
    pub(super) fn tell(&self, text: &str) {
        let end = (0..=text.len().min(self.cap)).rev().find(|n| text.is_char_boundary(*n)).unwrap_or(0);
        self.write(text.as_bytes().get(..end).unwrap_or_default());
    }
}

/// Outcomes of the caller's, all of them denied.
pub(super) struct Outcomes {
    at: *mut standin_outcome,
    count: usize,
}

impl Outcomes {
    /// Denies first, so that whatever goes wrong later has denied. None when
    /// there is nowhere to, or too much.
    ///
    /// # Safety
    /// `at` is null or writable for `count` bytes, until it is dropped.
    pub(super) unsafe fn deny(at: *mut standin_outcome, count: usize) -> Option<Self> {
        if count > MOST_REQUESTS || at.is_null() {
            return (count == 0).then_some(Self { at, count });
        }
        if count == 1 {
            // One is not worth a call. SAFETY: not null, writable as promised.
            unsafe { at.write(0) };
        } else {
            // SAFETY: not null, of a length that can exist, writable as promised.
            unsafe { ptr::write_bytes(at, 0, count) };
        }
        Some(Self { at, count })
    }

    pub(super) fn put(&self, outcomes: &[Outcome]) {
        for (n, outcome) in outcomes.iter().enumerate().take(self.count) {
            // SAFETY: within what `deny`'s caller promised.
            unsafe { self.at.add(n).write(*outcome as u8) }
        }
    }
}

#[cfg(test)]
mod tests;
