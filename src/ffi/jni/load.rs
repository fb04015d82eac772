// SPDX-License-Identifier: Apache-2.0
//! Loading: checks that class and library belong together, and registers the
//! natives.

use std::ffi::{CStr, c_void};

use jni_sys::{JNI_ERR, JNI_VERSION_1_8, JNIEnv, JNINativeMethod, JavaVM, jint};

use super::env::Env;
use super::natives::NATIVES;
use crate::fault::Fault;
use crate::ffi::boundary::guarded;

/// The one Java class with natives.
const CLASS: &CStr = c"io/standin/internal/Native";

/// Called by the JVM when the library is loaded. Refuses (`JNI_ERR`) a class
/// of another version.
///
/// # Safety
/// Called by a JVM with its own `vm`.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "system" fn JNI_OnLoad(vm: *mut JavaVM, _reserved: *mut c_void) -> jint {
    // SAFETY: passed on under the same contract.
    guarded(|| unsafe { register(vm) }).map_or(JNI_ERR, |()| JNI_VERSION_1_8)
}

unsafe fn register(vm: *mut JavaVM) -> Result<(), Fault> {
    let mut env: *mut c_void = std::ptr::null_mut();
    // SAFETY: `vm` is the JVM's own; the thread that loads is attached.
    let got = unsafe { ((**vm).v1_2.GetEnv)(vm, &raw mut env, JNI_VERSION_1_8) };
    if got != 0 || env.is_null() {
        return Err(Fault::internal("no JNI environment"));
    }
    // SAFETY: just given by the JVM for this thread.
    let env = unsafe { Env::new(env.cast::<JNIEnv>()) };
    let raw = env.raw();
    // SAFETY: the functions are called with this thread's environment, NUL-
    // terminated names, and a table whose entries match their signatures; the
    // class is a local reference that lives until this call returns.
    unsafe {
        let class = ((**raw).v1_1.FindClass)(raw, CLASS.as_ptr());
        if class.is_null() {
            return Err(Fault::internal("the class io.standin.internal.Native is missing"));
        }
        let methods: Vec<JNINativeMethod> = NATIVES
            .iter()
            .map(|(name, signature, function)| JNINativeMethod {
                name: name.as_ptr().cast_mut(),
                signature: signature.as_ptr().cast_mut(),
                fnPtr: function.cast_mut(),
            })
            .collect();
        let count = i32::try_from(methods.len()).unwrap_or(0);
        if ((**raw).v1_2.RegisterNatives)(raw, class, methods.as_ptr(), count) != 0 {
            return Err(Fault::internal("the natives do not match the class"));
        }
    }
    Ok(())
}
