// SPDX-License-Identifier: Apache-2.0
//! Reading from and writing to what Java hands over.

use jni_sys::{JNIEnv, jbyte, jbyteArray, jlong, jlongArray, jobject};

use crate::fault::{Fault, Status};
use crate::session::kept;

/// The environment of one native call. Valid on its thread while it runs.
#[derive(Clone, Copy)]
pub(super) struct Env(*mut JNIEnv);

/// Largest array taken from Java, bytes.
const LARGEST: usize = 16 * 1024 * 1024;

macro_rules! call {
    ($env:expr, $version:ident, $function:ident $(, $argument:expr)*) => {
        // SAFETY: `Env` is made only from the pointer the JVM passes to a
        // native, and used only during that call on that thread; every JVM
        // this library loads in has the functions of JNI 1.4.
        unsafe { ((**$env.0).$version.$function)($env.0 $(, $argument)*) }
    };
}

fn null() -> Fault {
    Fault::new(Status::InvalidArgument, "null was passed")
}

impl Env {
    /// # Safety
    /// `env` must be the pointer the JVM passed to the native that is running
    /// on this thread, and the value must not outlive the call.
    pub(super) unsafe fn new(env: *mut JNIEnv) -> Self {
        Self(env)
    }

    pub(super) fn raw(self) -> *mut JNIEnv {
        self.0
    }

    fn length(self, array: jobject) -> Result<usize, Fault> {
        if array.is_null() {
            return Err(null());
        }
        let length = call!(self, v1_1, GetArrayLength, array);
        usize::try_from(length)
            .ok()
            .filter(|l| *l <= LARGEST)
            .ok_or_else(|| Fault::new(Status::InvalidArgument, "an array is too long"))
    }

    /// The text of a Java string that holds ASCII only.
    pub(super) fn string(self, string: jobject) -> Result<String, Fault> {
        if string.is_null() {
            return Err(null());
        }
        let (units, bytes) =
            (call!(self, v1_1, GetStringLength, string), call!(self, v1_1, GetStringUTFLength, string));
        let mut out = vec![0; usize::try_from(bytes).unwrap_or(0) + 1];
        call!(self, v1_2, GetStringUTFRegion, string, 0, units, out.as_mut_ptr().cast());
        out.pop();
        String::from_utf8(out).map_err(|_| Fault::new(Status::InvalidArgument, "ASCII text is accepted"))
    }

    /// Copies a byte array out.
    pub(super) fn bytes(self, array: jbyteArray) -> Result<Vec<u8>, Fault> {
        let mut out = vec![0; self.length(array)?];
        self.region(array, &mut out)?;
        Ok(out)
    }

    /// Copies a byte array into `buffer`; the part that was filled.
    pub(super) fn bytes_into(self, array: jbyteArray, buffer: &mut [u8]) -> Result<&[u8], Fault> {
        let length = self.length(array)?;
        let part =
            buffer.get_mut(..length).ok_or_else(|| Fault::new(Status::InvalidArgument, "an array is too long"))?;
        self.region(array, part)?;
        Ok(part)
    }

    fn region(self, array: jbyteArray, out: &mut [u8]) -> Result<(), Fault> {
        let length =
            i32::try_from(out.len()).map_err(|_| Fault::new(Status::InvalidArgument, "an array is too long"))?;
        call!(self, v1_1, GetByteArrayRegion, array, 0, length, out.as_mut_ptr().cast::<jbyte>());
        Ok(())
    }

    /// Writes `content` behind its length (u32, little-endian). When it does
    /// not fit, only the length is written and the status says so.
    pub(super) fn write(self, array: jbyteArray, content: &[u8]) -> Result<(), Fault> {
        let room = self.length(array)?;
        let needed = u32::try_from(content.len()).map_err(|_| Fault::internal("an answer is too long"))?;
        let length = needed.to_le_bytes();
        self.put(array, 0, length.get(..room.min(length.len())).unwrap_or_default())?;
        let fits = content.len() + length.len() <= room;
        if fits {
            self.put(array, 4, content)?;
        }
        if fits { Ok(()) } else { Err(Fault::new(Status::BufferTooSmall, "the buffer is too small")) }
    }

    /// Writes into an array from a place on; it has room for that.
    fn put(self, array: jbyteArray, at: i32, bytes: &[u8]) -> Result<(), Fault> {
        let length = i32::try_from(bytes.len()).map_err(|_| Fault::internal("an answer is too long"))?;
        call!(self, v1_1, SetByteArrayRegion, array, at, length, bytes.as_ptr().cast::<jbyte>());
        Ok(())
    }

    /// Writes text for people: cut off rather than refused.
    pub(super) fn explain(self, array: jbyteArray, text: &str) {
        let room = self.length(array).unwrap_or(0).saturating_sub(4);
        let mut end = text.len().min(room);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        // Nothing can be said when there is no buffer to say it in.
        let _unsaid = self.write(array, text.get(..end).unwrap_or_default().as_bytes());
    }

    /// Writes numbers into an array of long; how many there are.
    pub(super) fn write_longs(self, array: jlongArray, values: &[i64]) -> Result<usize, Fault> {
        let count = values.len().min(self.length(array)?);
        let length = i32::try_from(count).map_err(|_| Fault::internal("too many values"))?;
        call!(self, v1_1, SetLongArrayRegion, array, 0, length, values.as_ptr().cast::<jlong>());
        Ok(values.len())
    }

    /// The words of decisions that were handed out, as a direct buffer; null when
    /// there is no memory for it. They are atomics and stay where they are for as
    /// long as the process lives.
    pub(super) fn words(self) -> jobject {
        let length = jlong::try_from(kept::CELLS * kept::STRIDE).unwrap_or(0);
        call!(self, v1_4, NewDirectByteBuffer, kept::words().cast(), length)
    }

    /// The first `length` bytes of a direct buffer, for the time of the call.
    pub(super) fn direct<'a>(self, buffer: jobject, length: usize) -> Result<&'a mut [u8], Fault> {
        if buffer.is_null() {
            return Err(null());
        }
        let address = call!(self, v1_4, GetDirectBufferAddress, buffer).cast::<u8>();
        let capacity = call!(self, v1_4, GetDirectBufferCapacity, buffer);
        if address.is_null() || usize::try_from(capacity).map_or(true, |c| c < length) {
            return Err(Fault::new(Status::InvalidArgument, "a direct buffer with room for all records is accepted"));
        }
        // SAFETY: address and capacity come from the JVM for a direct buffer
        // that the caller keeps alive during the call; Java gives each thread
        // a buffer of its own, so nobody else reads or writes it meanwhile.
        Ok(unsafe { std::slice::from_raw_parts_mut(address, length) })
    }
}
