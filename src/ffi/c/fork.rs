// SPDX-License-Identifier: Apache-2.0
//! Knows a forked child. Threads of an engine, and whoever holds its locks,
//! are not there; a store that was open across a fork must not be touched. So
//! in a child nothing is done at all.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};

use crate::fault::{Fault, Status};

/// A page that the kernel empties in a child; null before anything was opened,
/// and on kernels that cannot.
static PAGE: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());
/// The process, where there is no such page; 0: nothing was opened.
static PROCESS: AtomicU32 = AtomicU32::new(0);

const LENGTH: usize = 4096;

fn process() -> u32 {
    std::process::id()
}

/// From here on a child of this process is known. Called before anything is
/// opened; takes no lock, so that a fork at any moment is harmless.
pub(super) fn watch() {
    if !PAGE.load(Ordering::Acquire).is_null() || PROCESS.load(Ordering::Acquire) != 0 {
        return;
    }
    let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
    // SAFETY: a fresh mapping at an address of the kernel's choice.
    let Ok(page) = (unsafe { mmap_anonymous(ptr::null_mut(), LENGTH, access, flags) }) else {
        PROCESS.store(process(), Ordering::Release);
        return;
    };
    // SAFETY: the mapping is ours and as long.
    if unsafe { madvise(page, LENGTH, Advice::LinuxWipeOnFork) }.is_err() {
        PROCESS.store(process(), Ordering::Release);
        return;
    }
    let page = page.cast::<u8>();
    // SAFETY: the mapping is ours, writable, and nobody else knows it yet.
    unsafe { page.write(1) };
    if PAGE.compare_exchange(ptr::null_mut(), page, Ordering::AcqRel, Ordering::Acquire).is_err() {
        // Somebody else was faster. SAFETY: nobody but us knows this mapping.
        let _unmapped = unsafe { munmap(page.cast(), LENGTH) };
    }
}

/// True in a child of the process that has opened something.
pub(super) fn is_child() -> bool {
    let page = PAGE.load(Ordering::Acquire);
    if page.is_null() {
        let opened = PROCESS.load(Ordering::Acquire);
        return opened != 0 && opened != process();
    }
    // SAFETY: the mapping stays for good. Volatile, since the kernel changes it.
    unsafe { page.read_volatile() == 0 }
}

/// Refuses in a child.
#[inline]
pub(super) fn check() -> Result<(), Fault> {
    if is_child() {
        return Err(Fault { status: Status::Forked, text: String::new(), subject: None });
    }
    Ok(())
}
