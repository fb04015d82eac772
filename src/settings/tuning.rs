// SPDX-License-Identifier: Apache-2.0
//! The settings that may change while an engine runs. Every operation reads
//! some of them, so they are read without a lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use arc_swap::ArcSwap;

use super::EngineSettings;
use super::given::invalid;
use crate::acl::Principals;
use crate::fault::Fault;

/// Names of these settings.
pub const CHANGEABLE: [&str; 11] = [
    "standin.audit.flush.ms",
    "standin.audit.window.ms",
    "standin.credential.lifetime.ms",
    "standin.decide.ttl.ms",
    "standin.denied.slow",
    "standin.feed.interval.ms",
    "standin.idempotent",
    "standin.mode",
    "standin.shadow.principals",
    "standin.stale.after.ms",
    "standin.stale.grace.ms",
];

/// See the module's page. Milliseconds, as in [`EngineSettings`].
#[derive(Debug)]
pub struct Tuning {
    audit_flush: AtomicI64,
    audit_window: AtomicI64,
    credential_lifetime: AtomicI64,
    decide_ttl: AtomicI64,
    denied_slow: AtomicBool,
    feed_interval: AtomicI64,
    idempotent_strict: AtomicBool,
    shadow: AtomicBool,
    principals: ArcSwap<Principals>,
    stale_after: AtomicI64,
    stale_grace: AtomicI64,
}

impl Tuning {
    /// As these settings say.
    #[must_use]
    pub fn of(settings: &EngineSettings) -> Self {
        Self {
            audit_flush: settings.audit_flush.into(),
            audit_window: settings.audit_window.into(),
            credential_lifetime: settings.credential_lifetime.into(),
            decide_ttl: settings.decide_ttl.into(),
            denied_slow: settings.denied_slow.into(),
            feed_interval: settings.feed_interval.into(),
            idempotent_strict: settings.idempotent_strict.into(),
            shadow: settings.shadow.into(),
            principals: ArcSwap::from_pointee(settings.principals.clone()),
            stale_after: settings.stale_after.into(),
            stale_grace: settings.stale_grace.into(),
        }
    }

    /// Whether a running engine can go from `old` to `new`.
    ///
    /// # Errors
    /// As [`Tuning::change`].
    pub fn may_change(old: &EngineSettings, new: &EngineSettings) -> Result<(), Fault> {
        let mut fixed = old.differing(new);
        fixed.retain(|name| !CHANGEABLE.contains(name));
        if fixed.is_empty() {
            return Ok(());
        }
        Err(invalid(format!(
            "{} cannot change in a running engine, and nothing was changed; restart the host for it ({} can change)",
            fixed.join(", "),
            CHANGEABLE.join(", ")
        )))
    }

    /// Puts `new` in force in place of `old`. All or nothing.
    ///
    /// # Errors
    /// [`crate::fault::Status::InvalidSetting`] naming settings that differ and
    /// cannot change in a running engine.
    pub fn change(&self, old: &EngineSettings, new: &EngineSettings) -> Result<(), Fault> {
        Self::may_change(old, new)?;
        let set = |place: &AtomicI64, value: i64| place.store(value, Ordering::Relaxed);
        set(&self.audit_flush, new.audit_flush);
        set(&self.audit_window, new.audit_window);
        set(&self.credential_lifetime, new.credential_lifetime);
        set(&self.decide_ttl, new.decide_ttl);
        self.denied_slow.store(new.denied_slow, Ordering::Relaxed);
        set(&self.feed_interval, new.feed_interval);
        self.idempotent_strict.store(new.idempotent_strict, Ordering::Relaxed);
        self.principals.store(Arc::new(new.principals.clone()));
        self.shadow.store(new.shadow, Ordering::Relaxed);
        set(&self.stale_after, new.stale_after);
        set(&self.stale_grace, new.stale_grace);
        Ok(())
    }

    /// How often audit is flushed.
    #[must_use]
    pub fn audit_flush(&self) -> i64 {
        self.audit_flush.load(Ordering::Relaxed)
    }

    /// Counting window of audit.
    #[must_use]
    pub fn audit_window(&self) -> i64 {
        self.audit_window.load(Ordering::Relaxed)
    }

    /// Lifetime of impersonation credentials.
    #[must_use]
    pub fn credential_lifetime(&self) -> i64 {
        self.credential_lifetime.load(Ordering::Relaxed)
    }

    /// How long remote answers are repeated.
    #[must_use]
    pub fn decide_ttl(&self) -> i64 {
        self.decide_ttl.load(Ordering::Relaxed)
    }

    /// True when clients that loop are answered late.
    #[must_use]
    pub fn denied_slow(&self) -> bool {
        self.denied_slow.load(Ordering::Relaxed)
    }

    /// How often the feed is read.
    #[must_use]
    pub fn feed_interval(&self) -> i64 {
        self.feed_interval.load(Ordering::Relaxed)
    }

    /// True when only WriteDataIdempotently permits idempotent producers.
    #[must_use]
    pub fn idempotent_strict(&self) -> bool {
        self.idempotent_strict.load(Ordering::Relaxed)
    }

    /// True when Kafka's ACLs decide and policies are only compared with them.
    #[must_use]
    pub fn shadow(&self) -> bool {
        self.shadow.load(Ordering::Relaxed)
    }

    /// Which principal of ACLs is which identity.
    #[must_use]
    pub fn principals(&self) -> Arc<Principals> {
        self.principals.load_full()
    }

    /// Feed silence that stops local logins.
    #[must_use]
    pub fn stale_after(&self) -> i64 {
        self.stale_after.load(Ordering::Relaxed)
    }

    /// Feed silence that stops decisions.
    #[must_use]
    pub fn stale_grace(&self) -> i64 {
        self.stale_grace.load(Ordering::Relaxed)
    }
}
