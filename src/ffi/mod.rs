// SPDX-License-Identifier: Apache-2.0
//! The doors: the only place with `unsafe` code. Whatever comes in may be
//! wrong; whatever goes out is a number or bytes in the caller's buffer.

#![allow(unsafe_code, reason = "foreign callers hand over raw handles; every block says why it is sound")]

mod boundary;
mod c;
mod descriptor;
mod jni;
