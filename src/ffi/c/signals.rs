// SPDX-License-Identifier: Apache-2.0
//! Signals are the host's. A thread inherits which ones it takes from the one
//! that starts it, and a handler that runs on a thread of this library would be
//! a surprise to both.

use std::mem::MaybeUninit;
use std::ptr;

/// Runs `start`; threads that it starts take no signals. For this thread
/// nothing has changed afterwards.
pub(super) fn blocked<T>(start: impl FnOnce() -> T) -> T {
    /// What was blocked before; again so when dropped, also by a panic.
    struct Before(libc::sigset_t);

    impl Drop for Before {
        fn drop(&mut self) {
            // SAFETY: a set that the same function has given.
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, ptr::null_mut()) };
        }
    }

    let (mut all, mut before) = (MaybeUninit::<libc::sigset_t>::zeroed(), MaybeUninit::<libc::sigset_t>::zeroed());
    // SAFETY: both are writable sets; zero is a set as well.
    let before = unsafe {
        libc::sigfillset(all.as_mut_ptr());
        let result = libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
        (result == 0).then(|| Before(before.assume_init()))
    };
    let started = start();
    drop(before);
    started
}
