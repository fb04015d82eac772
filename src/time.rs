// SPDX-License-Identifier: Apache-2.0
//! Clock and randomness, both injected, so that every rule about time and
//! every generated number can be tested.

use std::sync::atomic::{AtomicI64, Ordering};

/// Milliseconds since 1970-01-01T00:00:00Z on the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This instant moved by `millis`, saturating.
    #[must_use]
    pub fn plus(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }
}

/// Milliseconds on a clock that never jumps and counts suspended time.
///
/// Deadlines are kept on it, so that setting the wall clock neither shortens
/// nor stretches a session. Only differences mean anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Steady(pub i64);

impl Steady {
    /// This instant moved by `millis`, saturating.
    #[must_use]
    pub fn plus(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this instant (negative when it is later).
    #[must_use]
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Where the time comes from. Both readings are cheap enough for the path of
/// every operation: no system call, a few nanoseconds, some milliseconds coarse.
pub trait Clock: Send + Sync {
    /// The wall clock.
    fn wall(&self) -> UnixMillis;
    /// The steady clock.
    fn steady(&self) -> Steady;
    /// The reading of [`coarse`], when the steady clock is that clock but for the
    /// time the machine was suspended.
    fn coarse(&self) -> Option<i64> {
        None
    }
    /// Called by the worker several times a second: lets an implementation
    /// renew what it derives its readings from.
    fn tick(&self) {}
}

/// The machine's clocks, read through the vDSO in their coarse form.
#[derive(Debug)]
pub struct SystemClock {
    /// Suspended time: `CLOCK_BOOTTIME` minus `CLOCK_MONOTONIC`, in
    /// milliseconds. There is no coarse boot-time clock, so the difference is
    /// kept and renewed by [`Clock::tick`]; it changes only by a suspend.
    suspended: AtomicI64,
}

impl SystemClock {
    /// A clock that is right from its first reading.
    #[must_use]
    pub fn new() -> Self {
        let clock = Self { suspended: AtomicI64::new(0) };
        clock.tick();
        clock
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

fn read(id: rustix::time::ClockId) -> i64 {
    let t = rustix::time::clock_gettime(id);
    t.tv_sec.saturating_mul(1000).saturating_add(t.tv_nsec / 1_000_000)
}

/// Milliseconds on the machine's own steady clock, without suspended time, for
/// whoever has no [`Clock`] at hand.
#[must_use]
pub fn coarse() -> i64 {
    read(rustix::time::ClockId::MonotonicCoarse)
}

impl Clock for SystemClock {
    fn wall(&self) -> UnixMillis {
        UnixMillis(read(rustix::time::ClockId::RealtimeCoarse))
    }

    fn steady(&self) -> Steady {
        Steady(coarse().saturating_add(self.suspended.load(Ordering::Relaxed)))
    }

    fn coarse(&self) -> Option<i64> {
        Some(coarse())
    }

    fn tick(&self) {
        let apart = read(rustix::time::ClockId::Boottime) - read(rustix::time::ClockId::Monotonic);
        self.suspended.store(apart, Ordering::Relaxed);
    }
}

/// A clock that stands still until it is told to move. For tests of rules
/// about time; wall and steady move apart on request.
#[derive(Debug, Default)]
pub struct ManualClock {
    wall: AtomicI64,
    steady: AtomicI64,
}

impl ManualClock {
    /// A clock whose wall reads `wall`; the steady clock starts at 1,000,000.
    #[must_use]
    pub fn at(wall: UnixMillis) -> Self {
        Self { wall: AtomicI64::new(wall.0), steady: AtomicI64::new(1_000_000) }
    }

    /// Lets `millis` pass on both clocks.
    pub fn pass(&self, millis: i64) {
        self.wall.fetch_add(millis, Ordering::SeqCst);
        self.steady.fetch_add(millis, Ordering::SeqCst);
    }

    /// Sets the wall clock forward or back, as an administrator would.
    pub fn jump_wall(&self, millis: i64) {
        self.wall.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn wall(&self) -> UnixMillis {
        UnixMillis(self.wall.load(Ordering::SeqCst))
    }

    fn steady(&self) -> Steady {
        Steady(self.steady.load(Ordering::SeqCst))
    }
}

/// Where random bytes come from.
pub trait Random: Send + Sync {
    /// Fills `out` with bytes no one can predict.
    ///
    /// # Errors
    /// When the source fails; nothing may be generated then.
    fn fill(&self, out: &mut [u8]) -> Result<(), crate::fault::Fault>;
}

/// The operating system's generator, through the cryptographic library.
#[derive(Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, out: &mut [u8]) -> Result<(), crate::fault::Fault> {
        aws_lc_rs::rand::fill(out).map_err(|_| crate::fault::Fault::internal("the system's random generator failed"))
    }
}
