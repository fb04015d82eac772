// SPDX-License-Identifier: Apache-2.0
//! The natives: each turns handles into values, calls its twin in `calls`
//! behind the boundary, and returns a number.

use std::ffi::{CStr, c_void};

use jni_sys::{JNIEnv, jbyteArray, jclass, jint, jlong, jlongArray, jobject};

use super::calls;
use super::env::Env;
use crate::fault::Fault;
use crate::ffi::boundary::{guarded, guarded_number};

/// A function pointer of any signature.
#[derive(Clone, Copy)]
pub(super) struct Function(*const c_void);

// SAFETY: the pointers are those of functions, which never change.
unsafe impl Sync for Function {}

impl std::ops::Deref for Function {
    type Target = *const c_void;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// What a native returns, sign-extended to the whole register. The calling
/// convention leaves the upper half of an `int` open, and HotSpot's compiled
/// code does not: it copies arrays by a length taken as it came.
fn register<T: From<jint> + Into<jlong>>(body: impl FnOnce() -> Result<T, Fault>) -> jlong {
    guarded_number(body).into()
}

/// The one native that returns an object: the words of decisions that were
/// handed out, as a direct buffer, or null.
///
/// # Safety
/// Called by the JVM as the native of the same name.
unsafe extern "system" fn words(env: *mut JNIEnv, _class: jclass) -> jobject {
    // SAFETY: the JVM calls natives with this thread's environment.
    let env = unsafe { Env::new(env) };
    guarded(|| calls::words(env)).unwrap_or(std::ptr::null_mut())
}

macro_rules! natives {
    ($($name:ident $signature:literal ($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        mod entry {
            use super::*;
            $(
                /// # Safety
                /// Called by the JVM as the native of the same name.
                #[allow(non_snake_case, reason = "named as in Java")]
                pub(super) unsafe extern "system" fn $name(env: *mut JNIEnv, _class: jclass $(, $argument: $type)*) -> jlong {
                    // SAFETY: the JVM calls natives with this thread's environment.
                    let env = unsafe { Env::new(env) };
                    register::<$result>(|| calls::$name(env $(, $argument)*))
                }
            )*
        }

        /// Name, signature and function of every native.
        pub(super) static NATIVES: &[(&CStr, &CStr, Function)] = &[
            (c"words", c"()Ljava/nio/ByteBuffer;", Function(words as *const c_void)),
            $((
                match CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) { Ok(name) => name, Err(_) => c"" },
                $signature,
                Function(entry::$name as *const c_void),
            ),)*
        ];
    };
}

natives! {
    abi c"(Ljava/lang/String;)I" (build: jobject) -> jint;
    open c"([B[B)J" (settings: jbyteArray, why: jbyteArray) -> jlong;
    resolve c"([B[B)I" (settings: jbyteArray, out: jbyteArray) -> jint;
    close c"(JI)I" (engine: jlong, wait: jint) -> jint;
    profile c"(J[B[B)I" (engine: jlong, settings: jbyteArray, why: jbyteArray) -> jint;
    reload c"(J[BI[B)I" (engine: jlong, settings: jbyteArray, only_check: jint, why: jbyteArray) -> jint;
    action c"(J[B[B)I" (engine: jlong, name: jbyteArray, resource_type: jbyteArray) -> jint;
    login c"(JII[B[BI[B)I" (engine: jlong, profile: jint, mechanism: jint, payload: jbyteArray, facts: jbyteArray, wait: jint, out: jbyteArray) -> jint;
    bind c"(J[B[B)I" (session: jlong, facts: jbyteArray, out: jbyteArray) -> jint;
    authorize c"(JLjava/nio/ByteBuffer;III)I" (session: jlong, buffer: jobject, bytes: jint, count: jint, wait: jint) -> jint;
    authorizeOne c"(JIII[B[BI)I" (session: jlong, action: jint, flags: jint, count: jint, name: jbyteArray, facts: jbyteArray, wait: jint) -> jint;
    authorizeAny c"(JI[BI)I" (session: jlong, action: jint, facts: jbyteArray, wait: jint) -> jint;
    handOut c"(JI[BI)J" (session: jlong, action: jint, name: jbyteArray, wanted: jint) -> jlong;
    mode c"(J)I" (engine: jlong) -> jint;
    aclPrincipal c"(J[B[B)I" (engine: jlong, arn: jbyteArray, out: jbyteArray) -> jint;
    compare c"(JJ[B[BLjava/nio/ByteBuffer;II)I" (engine: jlong, session: jlong, who: jbyteArray, facts: jbyteArray, buffer: jobject, bytes: jint, count: jint) -> jint;
    connection c"(JI[B)I" (session: jlong, what: jint, connection: jbyteArray) -> jint;
    info c"(J[B)I" (session: jlong, out: jbyteArray) -> jint;
    exportSession c"(J[B)I" (session: jlong, out: jbyteArray) -> jint;
    importSession c"(J[BI)J" (engine: jlong, sealed: jbyteArray, wait: jint) -> jlong;
    retire c"(JI)I" (session: jlong, grace: jint) -> jint;
    release c"(J)I" (session: jlong) -> jint;
    metrics c"(J[J)I" (engine: jlong, out: jlongArray) -> jint;
    metricName c"(I[B)I" (index: jint, out: jbyteArray) -> jint;
    records c"(JI[B)I" (engine: jlong, kind: jint, out: jbyteArray) -> jint;
}
