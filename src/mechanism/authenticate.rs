// SPDX-License-Identifier: Apache-2.0
//! Authenticating a connection: cheap checks first, then the signature, then
//! whether policies allow to connect over this channel, then the session.

use std::sync::Arc;
use std::time::Duration;

use super::Engine;
use super::profile::Profile;
use crate::agent::Held;
use crate::audit::{Event, Record, Who};
use crate::channel::Channel;
use crate::credential::sigv4::{self, Claim};
use crate::decision::Outcome;
use crate::fault::{Fault, Kind, Status};
use crate::identity::Principal;
use crate::policy::Facts;
use crate::session::{Ask, Context, Session, SessionId};
use crate::time::{Steady, UnixMillis};

/// What a client sent while connecting, and over which connection.
pub struct Login<'a> {
    /// Number of the listener's profile.
    pub profile: u32,
    /// The first message of `AWS_MSK_IAM`; wiped after it was read.
    pub payload: &'a mut [u8],
    /// What is known of the connection. Its `host` is filled from the signed
    /// request.
    pub channel: Channel,
    /// False when the host tells address, listener and protocol only later, by
    /// [`Engine::bind`].
    pub channel_known: bool,
    /// Longest wait for the service; the profile's setting bounds it.
    pub wait: Duration,
}

/// A login that succeeded.
pub struct LoggedIn {
    /// The session now bound to the connection.
    pub id: SessionId,
    /// The session itself.
    pub session: Arc<Session>,
    /// The bytes that complete the exchange at the client.
    pub reply: String,
}

/// A login that did not.
pub struct Refusal {
    /// Why; for the operator only.
    pub fault: Fault,
    /// The id under which the operator finds the reason.
    pub request_id: String,
    /// The text that is safe to send to the client. It does not tell an
    /// unknown key from a wrong signature.
    pub client_text: String,
}

/// A lifetime below which a login is put off rather than begun, milliseconds:
/// Kafka takes a lifetime that has passed for "none".
const SHORTEST: i64 = 1000;

impl Engine {
    /// Authenticates a connection and binds it to a session.
    ///
    /// # Errors
    /// The reason for the operator, and what the client may be told.
    pub fn log_in(&self, login: Login<'_>) -> Result<LoggedIn, Refusal> {
        let now = self.clock().steady();
        let request_id = self.request_id();
        let Login { profile: number, payload, mut channel, channel_known, wait } = login;
        let mut attempt = Attempt { who: Who::default(), repeats: 0 };
        let result = match self.profile_numbered(number) {
            Ok(profile) => {
                let result = self.authenticate(
                    (number, &profile),
                    payload,
                    (&mut channel, channel_known),
                    wait,
                    &request_id,
                    &mut attempt,
                );
                if result.as_ref().is_err_and(|f| f.kind() == Kind::Refused)
                    && let Some(address) = channel.address
                {
                    profile.budget.spend(address, now);
                }
                result
            }
            Err(fault) => Err(fault),
        };
        // A payload may hold anything a client has; none of it stays behind.
        zeroize::Zeroize::zeroize(payload);
        self.record_login(result.as_ref().err(), &attempt, &channel, &request_id);
        match result {
            Ok((id, session)) => {
                let reply = format!("{{\"version\":\"{}\",\"request-id\":\"{request_id}\"}}", sigv4::VERSION);
                Ok(LoggedIn { id, session, reply })
            }
            Err(fault) => {
                let client_text = match fault.kind() {
                    Kind::Refused => format!("[{request_id}]: Access denied"),
                    _ => format!("[{request_id}]: Try again later"),
                };
                Err(Refusal { fault, request_id, client_text })
            }
        }
    }

    fn authenticate(
        &self,
        (number, profile): (u32, &Profile),
        payload: &[u8],
        (channel, channel_known): (&mut Channel, bool),
        wait: Duration,
        request_id: &str,
        attempt: &mut Attempt,
    ) -> Result<(SessionId, Arc<Session>), Fault> {
        if channel_known {
            check_secure(channel, profile)?;
        }
        let now = self.clock().steady();
        if let Some(address) = channel.address
            && profile.budget.is_spent(address, now)
        {
            return Err(Fault::new(
                Status::Busy,
                format!("too many failed logins from {address} (standin.login.budget)"),
            ));
        }
        let claim = Arc::new(sigv4::read_msk_iam(payload)?);
        channel.host = claim.host().to_owned();
        attempt.who.access_key_id = claim.access_key_id().to_owned();
        claim.check(&profile.rules, self.clock().wall())?;
        if profile.unknown.contains(claim.access_key_id(), now) {
            return Err(unknown_key(&claim));
        }
        let wait = wait.min(Duration::from_millis(profile.settings.login_wait.unsigned_abs()));
        let held = self.agent().log_in(&claim, &profile.waiting, wait).inspect_err(|fault| {
            if fault.status == Status::UnknownKey {
                profile.unknown.add(claim.access_key_id(), now);
            }
        })?;
        attempt.who = Who::of(&held.principal, claim.access_key_id());
        // Only signatures that are right are remembered, so that nobody can
        // fill the table or spoil somebody else's login with made-up ones.
        let seen = profile.replays.see(claim.signature_id(), channel.address, now);
        attempt.repeats = seen.count;
        if seen.count > 1 && profile.settings.refuse_replay {
            return Err(Fault::new(
                Status::Replayed,
                format!("the same signature was used {} times (standin.replay=refuse)", seen.count),
            ));
        }
        let context = self.agent().context(&held, channel)?;
        // Without the facts its policies look at, the decision to connect
        // waits for them; nothing is allowed until then.
        let later = !channel_known
            && [Facts::SOURCE_IP, Facts::LISTENER, Facts::PROTOCOL, Facts::SECURE]
                .iter()
                .any(|f| context.compiled().depends().contains(*f));
        if !later {
            self.may_connect(&context, &held.principal, channel)?;
        }
        let (now, wall) = (self.clock().steady(), self.clock().wall());
        let deadline = self.deadline(profile, &held, now, wall)?;
        self.agent().bind(&held, channel, |context| {
            Session::new(
                Arc::clone(&held.principal),
                claim.access_key_id().to_owned(),
                channel.clone(),
                request_id.to_owned(),
                wall,
                deadline,
                false,
                channel_known,
                number,
                context,
            )
        })
    }

    /// Decides whether policies allow to connect over this channel.
    fn may_connect(&self, context: &Context, principal: &Principal, channel: &Channel) -> Result<(), Fault> {
        let ask = Ask { action: self.connect_action(), resource: "", count: 1, log_allow: false, log_deny: false };
        if context.decide(ask, channel, channel.address, "", self.clock().wall()) == Outcome::Allow {
            return Ok(());
        }
        Err(Fault::new(
            Status::ConnectNotAllowed,
            format!("kafka-cluster:Connect is not allowed for {} by its policies over this channel", principal.subject),
        ))
    }

    /// Completes a login whose channel was not known: checks the channel, and
    /// decides whether policies allow to connect over it. The first call
    /// counts; further ones change nothing.
    ///
    /// # Errors
    /// As [`Engine::log_in`]; the session is ended then.
    pub fn bind(&self, id: SessionId, mut channel: Channel) -> Result<(), Refusal> {
        let session = self.agent().sessions().get(id);
        let refusal = |fault: Fault, request_id: String| {
            let client_text = format!("[{request_id}]: Access denied");
            Refusal { fault, request_id, client_text }
        };
        let Some(session) = session else {
            return Err(refusal(Fault::new(Status::UnknownId, "the session is not known or gone"), self.request_id()));
        };
        if session.connected {
            return Ok(());
        }
        channel.host.clone_from(&session.channel.host);
        let result = self.profile_numbered(session.profile).and_then(|profile| {
            check_secure(&channel, &profile)?;
            let (bound, context) = self.agent().rebind(id, &session, channel.clone())?;
            self.may_connect(&context, &bound.principal, &channel)
        });
        result.map_err(|fault| {
            self.agent().end(id, &fault.text);
            let attempt = Attempt { who: Who::of(&session.principal, &session.access_key_id), repeats: 0 };
            self.record_login(Some(&fault), &attempt, &channel, &session.request_id);
            refusal(fault, session.request_id.clone())
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

    fn record_login(&self, failure: Option<&Fault>, attempt: &Attempt, channel: &Channel, request_id: &str) {
        let (outcome, reason, status) = match failure {
            None => ("success", String::new(), 0),
            Some(fault) if fault.kind() == Kind::Refused => ("refused", fault.text.clone(), fault.status.number()),
            Some(fault) => ("undecided", fault.text.clone(), fault.status.number()),
        };
        self.count_login(outcome);
        if status != 0 {
            self.journal().line("info", &format!("login {request_id} {outcome} ({status}): {reason}"));
        }
        self.recorder().record(Record {
            time: self.clock().wall(),
            who: attempt.who.clone(),
            channel: Some(channel.clone()),
            request_id: request_id.to_owned(),
            event: Event::Login { outcome, reason, status, repeats: attempt.repeats },
        });
    }
}

/// What is known of a login while it goes on, for its record.
struct Attempt {
    who: Who,
    repeats: u32,
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

fn unknown_key(claim: &Claim) -> Fault {
    Fault::new(Status::UnknownKey, format!("access key {} is not known", claim.access_key_id()))
}
