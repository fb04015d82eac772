// SPDX-License-Identifier: Apache-2.0
//! Two threads write to one place: what the thread sanitizer must find, or it is
//! not there.

use std::cell::UnsafeCell;

struct Shared(UnsafeCell<u64>);

// SAFETY: it is not; that is the point.
unsafe impl Sync for Shared {}

static PLACE: Shared = Shared(UnsafeCell::new(0));

fn main() {
    let write = || {
        for n in 0..1000 {
            // SAFETY: it is not; that is the point.
            unsafe { *PLACE.0.get() += n };
        }
    };
    std::thread::scope(|threads| {
        threads.spawn(write);
        threads.spawn(write);
    });
}
