// SPDX-License-Identifier: Apache-2.0
//! The `standin` program.

fn main() {
    println!("standin {}", env!("CARGO_PKG_VERSION"));
}
