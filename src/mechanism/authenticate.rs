// SPDX-License-Identifier: Apache-2.0
//! Authenticating a connection: cheap checks first, then the signature, then
//! whether policies allow to connect over this channel, then the session.

use std::sync::Arc;
use std::time::Duration;

use super::Engine;
use super::profile::Profile;
use crate::agent::{Attempt, Held};
use crate::audit::Who;
use crate::channel::Channel;
use crate::credential::sigv4::{self, Claim};
use crate::decision::Outcome;
use crate::fault::{Fault, Kind, Status};
use crate::identity::Principal;
use crate::policy::Facts;
use crate::session::{Begin, Context, CredentialKey, Session, SessionId, Standing};
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
/// Kafka takes one that has passed for "none", and lets nobody authenticate
/// again within a second.
const SHORTEST: i64 = 2000;

impl Engine {
    /// Authenticates a connection and binds it to a session.
    ///
    /// # Errors
    /// The reason for the operator, and what the client may be told.
    pub fn log_in(&self, login: Login<'_>) -> Result<LoggedIn, Refusal> {
        let now = self.clock().steady();
        let request_id = self.request_id();
        let Login { profile: number, payload, mut channel, channel_known, wait } = login;
        let mut attempt = Attempt::default();
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
        match result {
            Ok((id, session)) => {
                // Where from is known later: the record waits for it.
                if channel_known && session.claim_record() {
                    self.agent().record_login(None, &attempt, Some(&channel), &request_id);
                }
                let reply = format!("{{\"version\":\"{}\",\"request-id\":\"{request_id}\"}}", sigv4::VERSION);
                Ok(LoggedIn { id, session, reply })
            }
            Err(fault) => {
                self.agent().record_login(Some(&fault), &attempt, Some(&channel), &request_id);
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
        attempt.who = Who::of(&held.client.principal, claim.access_key_id());
        // Only signatures that are right are remembered, so that nobody can
        // fill the table or spoil somebody else's login with made-up ones.
        let signature = claim.signature_id();
        attempt.seen = profile.replays.see(signature, now);
        if channel_known {
            attempt.seen.sources = profile.replays.came_from(signature, channel.address);
        }
        if attempt.seen.count > 1 && profile.settings.refuse_replay {
            return Err(Fault::new(
                Status::Replayed,
                format!("the same signature was used {} times (standin.replay=refuse)", attempt.seen.count),
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
            self.may_connect(&held.key, &context, &held.client.principal, channel, wait)?;
        }
        let (now, wall) = (self.clock().steady(), self.clock().wall());
        let deadline = self.deadline(profile, &held, now, wall)?;
        let begin = Begin {
            principal: Arc::new(held.client.principal.clone()),
            credential: held.key.clone(),
            signature: Some(signature),
            request_id: request_id.to_owned(),
            host: channel.host.clone(),
            since: wall,
            deadline: deadline.0,
            deadline_wall: deadline.1,
            imported: false,
            profile: number,
        };
        self.agent()
            .bind(&held, channel, |context| Session::new(begin, channel_known.then(|| channel.clone()), context))
    }

    /// Decides whether policies allow to connect over this channel.
    fn may_connect(
        &self,
        credential: &CredentialKey,
        context: &Arc<Context>,
        principal: &Principal,
        channel: &Channel,
        wait: Duration,
    ) -> Result<(), Fault> {
        match self.decide_connect(credential, context, channel, wait) {
            Outcome::Allow => Ok(()),
            Outcome::Deny => Err(Fault::new(
                Status::ConnectNotAllowed,
                format!(
                    "kafka-cluster:Connect is not allowed for {} by its policies over this channel",
                    principal.subject
                ),
            )),
            Outcome::Undecided => {
                Err(Fault::unavailable(format!("whether {} may connect could not be decided", principal.subject)))
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
        let refusal = |fault: Fault, request_id: String| {
            let client_text = format!("[{request_id}]: Access denied");
            Refusal { fault, request_id, client_text }
        };
        let Some(session) = self.agent().sessions().get(id) else {
            return Err(refusal(Fault::new(Status::UnknownId, "the session is not known or gone"), self.request_id()));
        };
        if session.standing() != Standing::Binding {
            return Ok(());
        }
        let begin = &session.begin;
        channel.host.clone_from(&begin.host);
        let mut attempt = Attempt::of(&session);
        let result = self.profile_numbered(begin.profile).and_then(|profile| {
            if let Some(signature) = begin.signature {
                attempt.seen = profile.replays.seen(signature);
                attempt.seen.sources = profile.replays.came_from(signature, channel.address);
            }
            check_secure(&channel, &profile)?;
            let context = self.agent().rebind(&session, channel.clone())?;
            let wait = Duration::from_millis(profile.settings.login_wait.unsigned_abs());
            self.may_connect(&begin.credential, &context, &begin.principal, &channel, wait)?;
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
            refusal(fault, begin.request_id.clone())
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

fn unknown_key(claim: &Claim) -> Fault {
    Fault::new(Status::UnknownKey, format!("access key {} is not known", claim.access_key_id()))
}
