// SPDX-License-Identifier: Apache-2.0
//! A service that records what it is asked and can be told to fail, to wait
//! and to answer from the past. Behind it stands the real one.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use standin::credential::Evidence;
use standin::fault::Fault;
use standin::identity::Identity;
use standin::revision::{At, Revision};
use standin::service::{
    Answer, Change, DecisionPoint, Embedded, Entitlements, Impersonation, Issued, Known, Proof, Questions,
    SecurityService, SessionReport,
};
use standin::time::Steady;

/// One recorded decision request.
pub(crate) struct Asked {
    /// The sealed token it was proven with.
    pub(crate) token: Vec<u8>,
    /// Everything that was sent, as bytes.
    pub(crate) sent: Vec<u8>,
    /// How many questions.
    pub(crate) questions: usize,
}

/// See the module's page.
pub(crate) struct Stub {
    inner: Embedded,
    pub(crate) logins: AtomicU64,
    pub(crate) renewals: AtomicU64,
    pub(crate) entitlements: AtomicU64,
    /// Questions for names.
    pub(crate) names: AtomicU64,
    pub(crate) reports: AtomicU64,
    pub(crate) asked: Mutex<Vec<Asked>>,
    /// Ids of issued impersonation credentials, in order.
    pub(crate) issued: Mutex<Vec<String>>,
    /// Secrets that must never travel.
    pub(crate) secrets: Mutex<Vec<Vec<u8>>>,
    /// Everything fails while set.
    pub(crate) down: AtomicBool,
    /// Only the change feed fails while set.
    pub(crate) deaf: AtomicBool,
    /// Every call but those of the feed takes this long, milliseconds.
    pub(crate) slow: AtomicU64,
    /// Panics instead of answering a login, once.
    pub(crate) panic_once: AtomicBool,
    /// Answers of logins claim to have been read this many revisions earlier.
    pub(crate) behind: AtomicU64,
    /// Called after a login was answered, before the agent sees the answer.
    pub(crate) before_answer: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    /// Called while the next decision request is under way.
    pub(crate) while_deciding: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    /// Altered once: the next decision request is changed after it was signed.
    pub(crate) tamper: AtomicBool,
}

impl Stub {
    pub(crate) fn new(inner: Embedded) -> Arc<Self> {
        Arc::new(Self {
            inner,
            logins: AtomicU64::new(0),
            renewals: AtomicU64::new(0),
            entitlements: AtomicU64::new(0),
            names: AtomicU64::new(0),
            reports: AtomicU64::new(0),
            asked: Mutex::default(),
            issued: Mutex::default(),
            secrets: Mutex::default(),
            down: AtomicBool::new(false),
            deaf: AtomicBool::new(false),
            slow: AtomicU64::new(0),
            panic_once: AtomicBool::new(false),
            behind: AtomicU64::new(0),
            before_answer: Mutex::default(),
            while_deciding: Mutex::default(),
            tamper: AtomicBool::new(false),
        })
    }

    fn weather(&self) -> Result<(), Fault> {
        std::thread::sleep(Duration::from_millis(self.slow.load(Ordering::SeqCst)));
        if self.down.load(Ordering::SeqCst) { Err(Fault::unavailable("the service is down")) } else { Ok(()) }
    }

    fn feed(&self) -> Result<(), Fault> {
        if self.down.load(Ordering::SeqCst) || self.deaf.load(Ordering::SeqCst) {
            return Err(Fault::unavailable("the feed is cut"));
        }
        Ok(())
    }

    fn note(&self, issued: &Impersonation) {
        self.issued.lock().unwrap().push(issued.id.clone());
        self.secrets.lock().unwrap().push(issued.secret.as_ref().unwrap().expose().to_vec());
    }

    pub(crate) fn count(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::SeqCst)
    }
}

impl SecurityService for Stub {
    fn log_in(&self, evidence: &Evidence, host: &str, lifetime: i64, by: Steady) -> Result<At<Issued>, Fault> {
        self.logins.fetch_add(1, Ordering::SeqCst);
        self.weather()?;
        assert!(!self.panic_once.swap(false, Ordering::SeqCst), "on purpose");
        let mut answer = self.inner.log_in(evidence, host, lifetime, by)?;
        self.note(&answer.value.impersonation);
        answer.revision.0 -= self.behind.load(Ordering::SeqCst).min(answer.revision.0);
        let then = self.before_answer.lock().unwrap().take();
        if let Some(then) = then {
            then();
        }
        Ok(answer)
    }

    fn renew(&self, proof: &Proof, lifetime: i64, by: Steady) -> Result<Impersonation, Fault> {
        self.renewals.fetch_add(1, Ordering::SeqCst);
        self.weather()?;
        let issued = self.inner.renew(proof, lifetime, by)?;
        self.note(&issued);
        Ok(issued)
    }

    fn entitlements(&self, subject: &Identity, access_key_id: &str) -> Result<At<Entitlements>, Fault> {
        self.entitlements.fetch_add(1, Ordering::SeqCst);
        self.weather()?;
        self.inner.entitlements(subject, access_key_id)
    }

    fn known_as(&self, name: &str) -> Result<At<Option<Known>>, Fault> {
        self.names.fetch_add(1, Ordering::SeqCst);
        self.weather()?;
        self.inner.known_as(name)
    }

    fn seal(&self, purpose: &str, plain: &[u8]) -> Result<Vec<u8>, Fault> {
        self.inner.seal(purpose, plain)
    }

    fn unseal(&self, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>, Fault> {
        self.inner.unseal(purpose, sealed)
    }

    fn revision(&self) -> Result<Revision, Fault> {
        self.feed()?;
        self.inner.revision()
    }

    fn changes(&self, after: Revision, limit: usize) -> Result<Vec<Change>, Fault> {
        self.feed()?;
        self.inner.changes(after, limit)
    }

    fn report(&self, boot: &str, host: &str, report: &SessionReport) -> Result<(), Fault> {
        self.reports.fetch_add(1, Ordering::SeqCst);
        self.feed()?;
        self.inner.report(boot, host, report)
    }
}

impl DecisionPoint for Stub {
    fn decide(&self, proof: &Proof, questions: &Questions, by: Steady) -> Result<At<Vec<Answer>>, Fault> {
        let mut sent = proof.token.clone();
        sent.extend_from_slice(proof.host.as_bytes());
        sent.extend_from_slice(&questions.body()?);
        self.asked.lock().unwrap().push(Asked { token: proof.token.clone(), sent, questions: questions.items.len() });
        self.weather()?;
        let then = self.while_deciding.lock().unwrap().take();
        if let Some(then) = then {
            then();
        }
        let mut questions = questions.clone();
        if self.tamper.swap(false, Ordering::SeqCst) {
            questions.items[0].resource = Some("elsewhere".into());
        }
        self.inner.decide(proof, &questions, by)
    }
}
