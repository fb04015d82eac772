// SPDX-License-Identifier: Apache-2.0
//! The service on another machine, asked over HTTPS.

mod addresses;
mod texts;
mod transport;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::wire::{
    self, AnswersForm, AuditAsk, ChangesAsk, ChangesForm, DecideAsk, EnrollAsk, EnrolledForm, EntitlementsAnswer,
    EntitlementsAsk, ImpersonationForm, IssuedForm, KnownAnswer, KnownAsk, LoginAsk, ProofForm, RenewAsk, ReportAsk,
    ScopeForm, SealAsk, SealForm, SessionForm, path,
};
use super::{
    Answer, Change, DecisionPoint, Entitlements, Impersonation, Issued, Known, News, Proof, Questions, SecurityService,
    SessionReport,
};
use crate::credential::host::{HostCredential, HostKey, NewFile};
use crate::credential::{Evidence, EvidenceForm};
use crate::fault::{Fault, Kind, Status};
use crate::identity::Identity;
use crate::revision::{At, Revision};
use crate::settings::{EngineSettings, ServiceSettings};
use crate::time::{Clock, Random, Steady};
use texts::Texts;
use transport::{Answered, Signer, Transport};

/// How long a question without a deadline of its own may take, milliseconds.
const PATIENCE: i64 = 5000;

/// See the module's page.
pub struct Remote {
    credential: HostCredential,
    calls: Transport,
    /// Apart, so that a wait in it can be ended.
    feed: Transport,
    texts: Texts,
    scope: ScopeForm,
    clock: Arc<dyn Clock>,
}

/// What an answer that cannot be read means: nothing is decided.
fn unreadable(fault: Fault) -> Fault {
    match fault.kind() {
        Kind::Undecided => fault,
        _ => Fault::unavailable(format!("the service's answer cannot be read: {}", fault.text)),
    }
}

impl Remote {
    /// The service these settings name. It need not be up.
    ///
    /// # Errors
    /// When certificates or the host's credential cannot be read.
    pub fn open(
        settings: &EngineSettings,
        service: &ServiceSettings,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, Fault> {
        let transport = || Transport::new(&service.urls, &service.ca, Arc::clone(&clock), Arc::clone(&random));
        Ok(Self {
            credential: HostCredential::read(&service.credential)?,
            calls: transport()?,
            feed: transport()?,
            texts: Texts::default(),
            scope: ScopeForm::of(settings),
            clock,
        })
    }

    fn signer(&self) -> Signer<'_> {
        Signer { host: self.credential.host.arn(), key: &self.credential.key }
    }

    fn ask<Q: Serialize, A: DeserializeOwned>(&self, path: &str, ask: &Q, by: Steady) -> Result<(A, i64), Fault> {
        let body = wire::write(ask)?;
        let Answered { body, ahead } = self.calls.post(&self.signer(), path, &body, by)?;
        Ok((wire::read(&body).map_err(unreadable)?, ahead))
    }

    fn soon(&self) -> Steady {
        self.clock.steady().plus(PATIENCE)
    }
}

impl SecurityService for Remote {
    fn log_in(&self, evidence: &Evidence, host: &str, lifetime: i64, by: Steady) -> Result<At<Issued>, Fault> {
        if host != self.credential.name() {
            let own = self.credential.name();
            return Err(Fault::new(
                Status::InvalidSetting,
                format!("standin.host={host}: the credential is that of {own}"),
            ));
        }
        let known = self.texts.known();
        let ask = LoginAsk { evidence: EvidenceForm::of(evidence), lifetime, known: known.hashes() };
        let (form, ahead): (IssuedForm, _) = self.ask(path::LOGIN, &ask, by)?;
        form.issued(ahead, |form| self.texts.complete(&known, form)).map_err(unreadable)
    }

    fn renew(&self, proof: &Proof, lifetime: i64, by: Steady) -> Result<Impersonation, Fault> {
        let ask = RenewAsk { proof: ProofForm::of(proof), lifetime };
        let (form, ahead): (ImpersonationForm, _) = self.ask(path::RENEW, &ask, by)?;
        Ok(form.impersonation(ahead))
    }

    fn entitlements(&self, subject: &Identity, access_key_id: &str) -> Result<At<Entitlements>, Fault> {
        let known = self.texts.known();
        let ask = EntitlementsAsk {
            subject: subject.arn().to_owned(),
            access_key_id: access_key_id.to_owned(),
            known: known.hashes(),
        };
        let (answer, _): (EntitlementsAnswer, _) = self.ask(path::ENTITLEMENTS, &ask, self.soon())?;
        let value = self.texts.complete(&known, answer.entitlements).map_err(unreadable)?;
        Ok(At { revision: Revision(answer.revision), value })
    }

    fn known_as(&self, name: &str) -> Result<At<Option<Known>>, Fault> {
        let known = self.texts.known();
        let ask = KnownAsk { name: name.to_owned(), known: known.hashes() };
        let (answer, _): (KnownAnswer, _) = self.ask(path::KNOWN, &ask, self.soon())?;
        answer.known(|form| self.texts.complete(&known, form)).map_err(unreadable)
    }

    fn seal(&self, purpose: &str, plain: &[u8]) -> Result<Vec<u8>, Fault> {
        let ask = SealAsk { purpose: purpose.to_owned(), bytes: wire::Blob::of(plain) };
        let (form, _): (SealForm, _) = self.ask(path::SEAL, &ask, self.soon())?;
        Ok(form.bytes.0.to_vec())
    }

    fn unseal(&self, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>, Fault> {
        let ask = SealAsk { purpose: purpose.to_owned(), bytes: wire::Blob::of(sealed) };
        let (form, _): (SealForm, _) = self.ask(path::UNSEAL, &ask, self.soon())?;
        Ok(form.bytes.0.to_vec())
    }

    fn revision(&self) -> Result<Revision, Fault> {
        self.follow(None, 0, 0).map(|news| news.newest)
    }

    fn changes(&self, after: Revision, limit: usize) -> Result<Vec<Change>, Fault> {
        self.follow(Some(after), limit, 0).map(|news| news.changes)
    }

    fn follow(&self, after: Option<Revision>, limit: usize, wait: i64) -> Result<News, Fault> {
        let wait = wait.clamp(0, wire::LONGEST_WAIT);
        let body = wire::write(&ChangesAsk { after: after.map(|r| r.0), limit, wait })?;
        let by = self.soon().plus(wait);
        let Answered { body, .. } = self.feed.post(&self.signer(), path::CHANGES, &body, by)?;
        let form: ChangesForm = wire::read(&body).map_err(unreadable)?;
        let (newest, waited) = (Revision(form.newest), form.waited.clamp(0, wait));
        Ok(News { newest, changes: form.changes().map_err(unreadable)?, waited })
    }

    fn waits(&self) -> bool {
        true
    }

    fn interrupt(&self) {
        self.feed.shut_down();
    }

    fn deliver(&self, records: &[String], by: Steady) -> Result<(), Fault> {
        let ask = AuditAsk { records: records.to_vec() };
        let _: (serde::de::IgnoredAny, i64) = self.ask(path::AUDIT, &ask, by)?;
        Ok(())
    }

    fn report(&self, boot: &str, _host: &str, report: &SessionReport) -> Result<(), Fault> {
        let mut begun = report.begun.chunks(wire::REPORT);
        let mut over = report.over.chunks(wire::REPORT);
        let mut whole = report.whole;
        let mut first = true;
        loop {
            let (some, gone) = (begun.next(), over.next());
            if some.is_none() && gone.is_none() && !first {
                return Ok(());
            }
            let ask = ReportAsk {
                boot: boot.to_owned(),
                begun: some.unwrap_or_default().iter().map(SessionForm::of).collect(),
                over: gone.unwrap_or_default().to_vec(),
                whole,
            };
            let _: (serde::de::IgnoredAny, i64) = self.ask(path::REPORT, &ask, self.soon())?;
            (whole, first) = (false, false);
        }
    }
}

impl DecisionPoint for Remote {
    fn decide(&self, proof: &Proof, questions: &Questions, by: Steady) -> Result<At<Vec<Answer>>, Fault> {
        let questions = String::from_utf8(questions.body()?).map_err(|_| Fault::internal("questions are text"))?;
        let ask = DecideAsk { proof: ProofForm::of(proof), questions, scope: self.scope.clone() };
        let (form, ahead): (AnswersForm, _) = self.ask(path::DECIDE, &ask, by)?;
        form.answers(ahead).map_err(unreadable)
    }
}

/// What a host enrols with.
pub struct Enrolment {
    /// Address of the service.
    pub url: String,
    /// Certificates of the authority of the service's.
    pub ca: PathBuf,
    /// Name of the host.
    pub host: String,
    /// The one-time code.
    pub code: String,
}

/// Enrols this machine's host with a new key, whose credential is written to
/// `out`.
///
/// # Errors
/// Refused when the code is not valid; [`Status::Conflict`] when the file is
/// there already.
pub fn enroll(
    enrolment: &Enrolment,
    out: &Path,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
) -> Result<Identity, Fault> {
    // Made first: a code is good once, and nobody has the key but this file.
    let place = NewFile::create(out)?;
    let key = HostKey::generate(&*random)?;
    let urls = ServiceSettings::urls(&enrolment.url)?;
    let transport = Transport::new(&urls, &enrolment.ca, Arc::clone(&clock), random)?;
    let ask = EnrollAsk {
        host: enrolment.host.clone(),
        code: enrolment.code.clone(),
        public_key: wire::Blob::of(&key.public()),
    };
    let (body, by) = (wire::write(&ask)?, clock.steady().plus(2 * PATIENCE));
    let answered = transport.post(&Signer { host: &enrolment.host, key: &key }, path::ENROLL, &body, by)?;
    let form: EnrolledForm = wire::read(&answered.body).map_err(unreadable)?;
    let credential = HostCredential { host: Identity::parse(&form.host).map_err(unreadable)?, key };
    place.fill(&credential)?;
    Ok(credential.host)
}
