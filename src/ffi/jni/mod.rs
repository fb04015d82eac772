// SPDX-License-Identifier: Apache-2.0
//! The JNI door. One Java class, `io.standin.internal.Native`; its natives are
//! registered when the library is loaded, so that only `JNI_OnLoad` is
//! exported. Natives return numbers and never throw.

mod calls;
mod env;
mod load;
mod natives;
mod shadow;
