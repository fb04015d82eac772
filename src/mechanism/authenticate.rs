// SPDX-License-Identifier: Apache-2.0
//! Authenticating a connection: cheap checks first, then the signature, then
//! whether policies allow to connect over this channel, then the session.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Engine;
use super::login::{LoggedIn, Login, Refusal};
use super::profile::Profile;
use crate::agent::{Attempt, Held, Waiting};
use crate::audit::Who;
use crate::channel::Channel;
use crate::credential::certificate::Certificate;
use crate::credential::{Evidence, bearer_token, sigv4};
use crate::decision::Outcome;
use crate::fault::{Fault, Kind, Status};
use crate::policy::{ActionId, Facts};
use crate::session::{Begin, Context, Session, SessionId, Standing};
use crate::settings::EvidenceKind;
use crate::time::{Steady, UnixMillis};

/// A lifetime below which a login is put off rather than begun, milliseconds:
/// Kafka takes one that has passed for "none", and lets nobody authenticate
/// again within a second.
const SHORTEST: i64 = 2000;

/// A login under way.
pub(super) struct Entering {
    request_id: Arc<str>,
    number: u32,
    kind: EvidenceKind,
    channel: Arc<Channel>,
    channel_known: bool,
    connect: Option<(ActionId, String)>,
    wait: Duration,
    /// What was shown, once it was read.
    evidence: Option<Arc<Evidence>>,
    attempt: Attempt,
    began: Instant,
}

/// What was shown, after everything that can be checked without the service.
pub(super) struct Shown {
    profile: Arc<Profile>,
    evidence: Arc<Evidence>,
}

impl Entering {
    pub(super) fn request_id(&self) -> &Arc<str> {
        &self.request_id
    }
}

impl Shown {
    pub(super) fn evidence(&self) -> &Evidence {
        &self.evidence
    }
}

type Entered = Result<(SessionId, Arc<Session>), Fault>;

impl Engine {
    /// Authenticates a connection and binds it to a session.
    ///
    /// # Errors
    /// The reason for the operator, and what the client may be told.
    pub fn log_in(&self, login: Login<'_>) -> Result<LoggedIn, Refusal> {
        let (mut entering, shown) = self.look_at(login);
        let result = shown.and_then(|shown| self.enter(&mut entering, &shown, &shown.profile.waiting));
        self.conclude(entering, result)
    }

    /// The cheap checks of a login.
    pub(super) fn look_at(&self, login: Login<'_>) -> (Entering, Result<Shown, Fault>) {
        let Login { profile, kind, payload, channel, channel_known, connect, wait } = login;
        let mut entering = Entering {
            request_id: self.request_id(),
            number: profile,
            kind,
            channel: Arc::new(channel),
            channel_known,
            connect,
            wait,
            evidence: None,
            attempt: Attempt::default(),
            began: Instant::now(),
        };
        let shown = self.check(&mut entering, payload);
        // A payload may hold anything a client has; none of it stays behind.
        zeroize::Zeroize::zeroize(payload);
        (entering, shown)
    }

    fn check(&self, entering: &mut Entering, payload: &[u8]) -> Result<Shown, Fault> {
        let profile = self.profile_numbered(entering.number)?;
        if !profile.settings.evidence.contains(&entering.kind) {
            return Err(Fault::new(
                Status::KindNotAccepted,
                format!("this listener does not accept {:?} (standin.evidence)", entering.kind),
            ));
        }
        if entering.channel_known {
            check_secure(&entering.channel, &profile)?;
        }
        let now = self.clock().steady();
        if let Some(address) = entering.channel.address
            && profile.budget.is_spent(address, now)
        {
            return Err(Fault::new(
                Status::Busy,
                format!("too many failed logins from {address} (standin.login.budget)"),
            ));
        }
        let evidence = match entering.kind {
            EvidenceKind::MskIam => Evidence::Signature(sigv4::read_msk_iam(payload)?.into()),
            EvidenceKind::Token => Evidence::Signature(sigv4::read_token(payload)?.into()),
            EvidenceKind::Bearer => Evidence::Signature(sigv4::read_token(bearer_token(payload)?)?.into()),
            EvidenceKind::Certificate => {
                Evidence::Certificate(Certificate::read(payload, profile.settings.certificate_user())?)
            }
        };
        let evidence = Arc::new(evidence);
        entering.evidence = Some(Arc::clone(&evidence));
        match &*evidence {
            Evidence::Signature(claim) => {
                claim.host().clone_into(&mut Arc::make_mut(&mut entering.channel).host);
                claim.check(&profile.rules, self.clock().wall())?;
            }
            Evidence::Certificate(certificate) => {
                certificate.check(self.clock().wall(), profile.settings.clock_skew)?;
            }
        }
        let id = &evidence.key().access_key_id;
        if profile.unknown.contains(id, now) {
            return Err(unknown_key(id));
        }
        Ok(Shown { profile, evidence })
    }

    /// Authenticates by the service where what is held does not suffice.
    pub(super) fn enter(&self, entering: &mut Entering, shown: &Shown, waiting: &Waiting) -> Entered {
        let wait = entering.wait.min(Duration::from_millis(shown.profile.settings.login_wait.unsigned_abs()));
        let held = self.agent().log_in(&shown.evidence, waiting, wait).inspect_err(|fault| {
            if fault.status == Status::UnknownKey {
                shown.profile.unknown.add(&shown.evidence.key().access_key_id, self.clock().steady());
            }
        })?;
        self.begin(entering, shown, &held, wait)
    }

    /// Begins the session of a client that is authenticated.
    pub(super) fn begin(&self, entering: &mut Entering, shown: &Shown, held: &Arc<Held>, wait: Duration) -> Entered {
        let (profile, channel, channel_known) = (&shown.profile, &entering.channel, entering.channel_known);
        entering.attempt.who = Arc::clone(&held.who);
        let signature = shown.evidence.claim().map(sigv4::Claim::signature_id);
        if let Some(signature) = signature {
            // Only signatures that are right are remembered, so that nobody can
            // fill the table or spoil somebody else's login with made-up ones.
            let seen = &mut entering.attempt.seen;
            let from = channel.address.filter(|_| channel_known);
            *seen = profile.replays.see(signature, from, self.clock().steady());
            if seen.count > 1 && profile.settings.refuse_replay {
                return Err(Fault::new(
                    Status::Replayed,
                    format!("the same signature was used {} times (standin.replay=refuse)", seen.count),
                ));
            }
        }
        let context = self.agent().context(held, channel)?;
        // Without the facts its policies look at, the decision to connect
        // waits for them; nothing is allowed until then.
        let later = !channel_known
            && [Facts::SOURCE_IP, Facts::LISTENER, Facts::PROTOCOL, Facts::SECURE]
                .iter()
                .any(|f| context.compiled().depends().contains(*f));
        if let Some(connect) = entering.connect.as_ref().filter(|_| !later) {
            self.may_connect(held, &context, channel, connect, wait)?;
        }
        let (now, wall) = (self.clock().steady(), self.clock().wall());
        let deadline = self.deadline(profile, held, now, wall)?;
        let subject = held.client.principal.subject.arn();
        let seat = profile.seats.take(subject, profile.settings.limits, now).map_err(|why| {
            self.agent().counters().limited.fetch_add(1, Ordering::Relaxed);
            Fault::new(Status::Busy, why)
        })?;
        let begin = Begin {
            principal: Arc::clone(&held.client.principal),
            credential: Arc::clone(&held.key),
            who: Arc::clone(&held.who),
            signature,
            request_id: Arc::clone(&entering.request_id),
            host: channel.host.clone(),
            since: wall,
            deadline: deadline.0,
            deadline_wall: deadline.1,
            imported: false,
            profile: entering.number,
            connect: entering.connect.clone(),
        };
        let bound = self
            .agent()
            .bind(held, channel, |context| Session::new(begin, channel_known.then(|| Arc::clone(channel)), context))?;
        bound.1.sit(seat);
        Ok(bound)
    }

    /// Counts and records how a login came out, and says what the host is told.
    pub(super) fn conclude(&self, entering: Entering, result: Entered) -> Result<LoggedIn, Refusal> {
        let Entering { request_id, number, kind, channel, channel_known, evidence, mut attempt, began, .. } = entering;
        let result = result.map_err(|fault| self.unless_own_clock(fault));
        let outcome = match &result {
            Ok(_) => 0,
            Err(fault) if fault.kind() == Kind::Refused => 1,
            Err(_) => 2,
        };
        self.agent().counters().latency.note(outcome, began.elapsed());
        match result {
            Ok((id, session)) => {
                // Where from is known later: the record waits for it.
                if channel_known && session.claim_record() {
                    self.agent().record_login(None, &attempt, Some(&channel), &request_id);
                }
                let reply = match kind {
                    EvidenceKind::MskIam => {
                        ["{\"version\":\"", sigv4::VERSION, "\",\"request-id\":\"", &request_id, "\"}"].concat()
                    }
                    EvidenceKind::Token | EvidenceKind::Bearer | EvidenceKind::Certificate => String::new(),
                };
                Ok(LoggedIn { id, session, reply })
            }
            Err(fault) => {
                if let Some(evidence) = evidence.filter(|_| attempt.who.subject.is_empty()) {
                    let access_key_id = evidence.key().access_key_id.clone();
                    attempt.who = Arc::new(Who { access_key_id, ..Who::default() });
                }
                if fault.kind() == Kind::Refused
                    && let (Some(address), Ok(profile)) = (channel.address, self.profile_numbered(number))
                {
                    profile.budget.spend(address, self.clock().steady());
                }
                self.agent().record_login(Some(&fault), &attempt, Some(&channel), &request_id);
                Err(Refusal::new(fault, request_id))
            }
        }
    }

    /// A date that does not fit is no reason to refuse anybody while it is this
    /// machine's clock that is wrong.
    fn unless_own_clock(&self, fault: Fault) -> Fault {
        match fault.status {
            Status::Expired | Status::ClockSkew if self.agent().clock_is_off() => {
                let text = format!("{}; but the service says that the clock of this host is off", fault.text);
                Fault { status: Status::HostClock, text, ..fault }
            }
            _ => fault,
        }
    }

    /// Decides whether policies allow to connect over this channel.
    fn may_connect(
        &self,
        held: &Held,
        context: &Arc<Context>,
        channel: &Channel,
        (action, resource): &(ActionId, String),
        wait: Duration,
    ) -> Result<(), Fault> {
        if self.is_shadow() && *action == self.kafka_connect() {
            self.compare_connect(&held.who, context, channel, (*action, resource));
            return Ok(());
        }
        let subject = &held.client.principal.subject;
        match self.decide_connect(&held.key, context, channel, (*action, resource), wait) {
            Outcome::Allow => Ok(()),
            Outcome::Deny => Err(Fault::new(
                Status::ConnectNotAllowed,
                format!(
                    "{} is not allowed for {subject} by its policies over this channel",
                    self.agent().actions().get(*action).map_or("to connect", |a| &a.name),
                ),
            )),
            Outcome::Undecided => {
                Err(Fault::unavailable(format!("whether {subject} may connect could not be decided")))
            }
        }
    }

    /// Completes a login whose channel was not known: checks the channel, and
    /// decides whether policies allow to connect over it. The first call
    /// counts; further ones change nothing.
    ///
    /// # Errors
    /// As [`Engine::log_in`]; the session is ended then.
    pub fn bind(&self, id: SessionId, mut channel: Channel) -> Result<(), Refusal> {
        let Some(session) = self.agent().sessions().get(id) else {
            return Err(Refusal::new(
                Fault::new(Status::UnknownId, "the session is not known or gone"),
                self.request_id(),
            ));
        };
        if session.standing() != Standing::Binding {
            return Ok(());
        }
        let begin = &session.begin;
        channel.host.clone_from(&begin.host);
        let channel = Arc::new(channel);
        let mut attempt = Attempt::of(&session);
        let result = self.profile_numbered(begin.profile).and_then(|profile| {
            if let Some(signature) = begin.signature {
                attempt.seen = profile.replays.came_from(signature, channel.address);
            }
            check_secure(&channel, &profile)?;
            let (held, context) = self.agent().rebind(&session, Arc::clone(&channel))?;
            let wait = Duration::from_millis(profile.settings.login_wait.unsigned_abs());
            if let Some(connect) = &begin.connect {
                self.may_connect(&held, &context, &channel, connect, wait)?;
            }
            if session.admit() {
                return Ok(());
            }
            Err(Fault::new(Status::Revoked, "the session was ended during the login"))
        });
        if session.claim_record() {
            self.agent().record_login(result.as_ref().err(), &attempt, Some(&channel), &begin.request_id);
        }
        result.map_err(|fault| {
            self.agent().end(id, &fault.text);
            Refusal::new(fault, Arc::clone(&begin.request_id))
        })
    }

    /// The earliest of: end of the credential or identity, end of the
    /// impersonation credential, longest session.
    fn deadline(
        &self,
        profile: &Profile,
        held: &Held,
        now: Steady,
        wall: UnixMillis,
    ) -> Result<(Steady, UnixMillis), Fault> {
        let mut left = profile.settings.session_max;
        if let Some(end) = held.expires {
            left = left.min(end.0 - wall.0);
        }
        let (end, _) = held
            .standby_expires()
            .ok_or_else(|| Fault::new(Status::Revoked, "the access key or identity was disabled during the login"))?;
        left = left.min(end.since(now));
        if left < SHORTEST {
            if held.expires.is_some_and(|end| end.0 - wall.0 < SHORTEST) {
                return Err(Fault::new(Status::Expired, "the credential is about to expire"));
            }
            return Err(Fault::new(
                Status::Busy,
                "the impersonation credential is about to expire and not yet renewed",
            ));
        }
        Ok((now.plus(left), wall.plus(left)))
    }
}

fn check_secure(channel: &Channel, profile: &Profile) -> Result<(), Fault> {
    if channel.secure || profile.settings.allow_plaintext {
        return Ok(());
    }
    Err(Fault::new(
        Status::PlaintextChannel,
        "the channel is not encrypted; use a SASL_SSL listener, or standin.allow.plaintext=true on a machine of your own",
    ))
}

fn unknown_key(id: &str) -> Fault {
    Fault::new(Status::UnknownKey, format!("access key {id} is not known"))
}
