// SPDX-License-Identifier: Apache-2.0
//! What is done to the connection of a session that is only denied: it is shut
//! down when an administrator wanted that, or made to answer late while its
//! client loops.

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::connection::{Ends, Lend};
use crate::time::Steady;

/// What the host is to have done with a connection after everything that was
/// asked was denied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum After {
    /// Nothing.
    #[default]
    Nothing = 0,
    /// It is to be shut down.
    Shut = 1,
    /// It is to answer late.
    Slow = 2,
}

/// A connection that answers late, or did, or will.
pub(crate) struct Slowed {
    /// Its addresses.
    pub(crate) ends: Ends,
    /// How its descriptor is reached.
    pub(crate) lend: Lend,
    /// Number of its descriptor, once found; it may be another's by now.
    pub(crate) number: Option<RawFd>,
    /// The last answer was a denial.
    pub(crate) wanted: bool,
    /// The kernel was told to answer late.
    pub(crate) late: bool,
    /// It is looked for at this moment.
    pub(crate) sought: bool,
    /// Not to be looked for before.
    pub(crate) again: Steady,
}

/// See the module's page. One per session, and nearly always empty.
#[derive(Default)]
pub(super) struct Slowing {
    shut: AtomicBool,
    looping: AtomicBool,
    slowed: Mutex<Option<Box<Slowed>>>,
}

impl Slowing {
    pub(super) fn want_shut(&self) {
        self.shut.store(true, Ordering::Release);
    }

    pub(super) fn shut_wanted(&self) -> bool {
        self.shut.load(Ordering::Acquire)
    }

    /// True for the one who then shuts it down.
    pub(super) fn claim_shut(&self) -> bool {
        self.shut.swap(false, Ordering::AcqRel)
    }

    pub(super) fn is_looping(&self) -> bool {
        self.looping.load(Ordering::Acquire)
    }

    /// Whether it was before.
    pub(super) fn set_looping(&self, looping: bool) -> bool {
        self.looping.swap(looping, Ordering::AcqRel)
    }

    /// Never refused: what was made to answer late must be let go whatever
    /// failed before.
    pub(super) fn slowed(&self) -> MutexGuard<'_, Option<Box<Slowed>>> {
        self.slowed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
