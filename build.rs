// SPDX-License-Identifier: Apache-2.0
//! How the shared library is linked.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Worker threads and thread-locals of the library outlive any dlclose a
    // host may do, so the code stays mapped.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    // Hosts that are linked against one major version do not start with another.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libstandin.so.0");
}
