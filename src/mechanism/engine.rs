// SPDX-License-Identifier: Apache-2.0
//! The engine: one per name in a process, shared by every binding that opens
//! it.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use arc_swap::ArcSwap;

use super::profile::Profile;
use crate::agent::{Agent, Parts};
use crate::audit::{Files, Journal, Recorder};
use crate::fault::{Fault, Status};
use crate::policy::{ActionId, Namespace};
use crate::service::{DecisionPoint, SecurityService};
use crate::session::{Session, SessionId, Standing};
use crate::settings::{EngineSettings, Given, ProfileSettings, Scope, Tuning};
use crate::time::{Clock, Random, Steady};

/// See the module's page.
pub struct Engine {
    settings: ArcSwap<EngineSettings>,
    tuning: Arc<Tuning>,
    /// What the host gave when it opened the engine.
    given: Mutex<Given>,
    agent: Arc<Agent>,
    service: Arc<dyn SecurityService>,
    clock: Arc<dyn Clock>,
    recorder: Arc<Recorder>,
    journal: Arc<Journal>,
    boot: String,
    requests: AtomicU64,
    profiles: RwLock<Vec<Arc<Profile>>>,
    connect: ActionId,
    pub(super) imports: super::forward::Imports,
}

/// What an engine works with that is not its own: chosen by whoever opens it,
/// so that every rule can be tested.
pub struct Outside {
    /// The security service.
    pub service: Arc<dyn SecurityService>,
    /// Who decides with `standin.decide=remote`.
    pub decisions: Arc<dyn DecisionPoint>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
}

/// How a session stands, for the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionInfo {
    /// ARN of the subject.
    pub principal: String,
    /// Role session name, or empty.
    pub session_name: String,
    /// Access key id.
    pub access_key_id: String,
    /// Deadline by the wall clock, milliseconds since the epoch.
    pub deadline: i64,
    /// `binding`, `live`, `expired` or `ended`.
    pub state: &'static str,
    /// Name of the listener.
    pub listener: String,
}

impl Engine {
    /// Opens an engine on a service.
    ///
    /// # Errors
    /// When the audit directory cannot be written or the agent cannot start.
    pub(super) fn start(number: u8, settings: EngineSettings, outside: Outside) -> Result<Self, Fault> {
        let Outside { service, decisions, clock, random } = outside;
        let settings = Arc::new(settings);
        let tuning = Arc::new(Tuning::of(&settings));
        let boot = boot_id(&*random)?;
        let stem = format!("{}-{}", clock.wall().seconds(), boot);
        let files = Files::new(settings.audit_dir.clone(), stem, settings.audit_file_max.unsigned_abs())?;
        let recorder = Arc::new(Recorder::new(boot.clone(), settings.host.clone(), files));
        let journal = Arc::new(Journal::default());
        let agent = Agent::start(Parts {
            settings: Arc::clone(&settings),
            tuning: Arc::clone(&tuning),
            service: Arc::clone(&service),
            decisions,
            clock: Arc::clone(&clock),
            random,
            recorder: Arc::clone(&recorder),
            journal: Arc::clone(&journal),
            boot: boot.clone(),
            engine: number,
        })?;
        let connect = agent.intern("kafka-cluster:Connect", "cluster")?;
        Ok(Self {
            settings: ArcSwap::new(settings),
            tuning,
            given: Mutex::default(),
            agent,
            service,
            clock,
            recorder,
            journal,
            boot,
            requests: AtomicU64::new(0),
            profiles: RwLock::default(),
            connect,
            imports: super::forward::Imports::default(),
        })
    }

    /// The engine's settings in force.
    #[must_use]
    pub fn settings(&self) -> Arc<EngineSettings> {
        self.settings.load_full()
    }

    pub(super) fn tuning(&self) -> &Tuning {
        &self.tuning
    }

    /// Remembers what the host gave.
    pub(super) fn opened_with(&self, given: Given) {
        if let Ok(mut known) = self.given.lock() {
            *known = given;
        }
    }

    /// Whether [`Engine::reload`] would accept these settings.
    ///
    /// # Errors
    /// As there.
    pub fn check_reload<'a>(&self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<(), Fault> {
        let known = self.given.lock().map_err(|_| Fault::internal("the settings failed earlier"))?;
        let new = super::registry::settings_of(&known.renewed(pairs)?)?;
        Tuning::may_change(&self.settings.load(), &new)
    }

    /// Changes settings of the running engine: those the host gave when it
    /// opened it, with `pairs` in their place, and the file read anew. All or
    /// nothing.
    ///
    /// # Errors
    /// [`Status::InvalidSetting`], also when a setting differs that cannot
    /// change in a running engine; the old settings stay in force.
    pub fn reload<'a>(&self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<(), Fault> {
        // Held until the end: one change at a time.
        let mut known = self.given.lock().map_err(|_| Fault::internal("the settings failed earlier"))?;
        let given = known.renewed(pairs)?;
        let (old, new) = (self.settings.load_full(), Arc::new(super::registry::settings_of(&given)?));
        self.tuning.change(&old, &new)?;
        if (old.shadow, &old.principals) != (new.shadow, &new.principals) {
            self.agent.begin_comparing();
        }
        self.settings.store(new);
        for (_, session) in self.agent.sessions().all() {
            session.take_back();
            if !self.tuning.denied_slow() {
                self.agent.quicken(&session);
            }
        }
        self.journal.line("info", "the settings were read again; what is not shown has its default");
        given.shown(Scope::Engine).iter().for_each(|line| self.journal.line("info", line));
        *known = given;
        Ok(())
    }

    /// The agent.
    #[must_use]
    pub fn agent(&self) -> &Arc<Agent> {
        &self.agent
    }

    pub(super) fn service(&self) -> &Arc<dyn SecurityService> {
        &self.service
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// The audit.
    #[must_use]
    pub fn recorder(&self) -> &Arc<Recorder> {
        &self.recorder
    }

    /// Log lines for the host.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// `kafka-cluster:Connect` on the cluster.
    #[must_use]
    pub fn kafka_connect(&self) -> ActionId {
        self.connect
    }

    /// A fresh id for one login: the boot's id and a number, so that an
    /// operator finds the very record.
    pub(super) fn request_id(&self) -> Arc<str> {
        // Room for any number, so that nothing grows while it is written.
        let mut id = String::with_capacity(self.boot.len() + 21);
        let _written = write!(id, "{}-{}", self.boot, self.requests.fetch_add(1, Ordering::Relaxed));
        id.into()
    }

    /// The number of a login's id, for hosts that pass numbers; zero for an id
    /// that is not of this engine.
    #[must_use]
    pub fn request_number(&self, id: &str) -> u64 {
        let number = id.strip_prefix(&self.boot).and_then(|rest| rest.strip_prefix('-')?.parse::<u64>().ok());
        number.map_or(0, |n| n.saturating_add(1))
    }

    /// The id of the login with this number; none when there was none.
    #[must_use]
    pub fn request_text(&self, number: u64) -> Option<String> {
        let number = number.checked_sub(1)?;
        (number < self.requests.load(Ordering::Relaxed)).then(|| format!("{}-{number}", self.boot))
    }

    /// Makes the profile of one listener, or finds the equal one.
    ///
    /// # Errors
    /// [`Status::InvalidSetting`].
    pub fn profile(&self, given: &Given) -> Result<u32, Fault> {
        let settings = self.profile_settings(given)?;
        let mut profiles = self.profiles.write().map_err(|_| Fault::internal("the profiles failed earlier"))?;
        // Kafka makes one callback handler per network thread of a listener.
        let index = match profiles.iter().position(|p| p.name.is_none() && p.settings == settings) {
            Some(index) => index,
            None => {
                let shown = given.shown(Scope::Profile);
                self.journal.line("info", &format!("listener profile {}: {}", profiles.len(), shown.join(", ")));
                profiles.push(Arc::new(Profile::new(settings)));
                profiles.len() - 1
            }
        };
        u32::try_from(index).map_err(|_| Fault::new(Status::InvalidArgument, "too many profiles"))
    }

    /// Makes the profile of this name, or changes it: the next login finds the
    /// new settings, sessions keep their deadlines. All or nothing.
    ///
    /// # Errors
    /// [`Status::InvalidSetting`]; the old settings stay in force.
    pub fn named_profile(&self, name: &str, given: &Given) -> Result<u32, Fault> {
        let settings = self.profile_settings(given)?;
        let mut profiles = self.profiles.write().map_err(|_| Fault::internal("the profiles failed earlier"))?;
        let known = profiles.iter().position(|p| p.name.as_deref() == Some(name));
        let before = known.and_then(|n| profiles.get(n).cloned());
        let profile = Arc::new(Profile::named(name, settings, before.as_deref()));
        let shown = given.shown(Scope::Profile);
        self.journal.line("info", &format!("listener profile {name:?}: {}", shown.join(", ")));
        let index = match known.and_then(|n| Some((n, profiles.get_mut(n)?))) {
            Some((index, place)) => {
                *place = profile;
                index
            }
            None => {
                profiles.push(profile);
                profiles.len() - 1
            }
        };
        u32::try_from(index).map_err(|_| Fault::new(Status::InvalidArgument, "too many profiles"))
    }

    /// Checks the settings of a profile without putting them in force.
    ///
    /// # Errors
    /// [`Status::InvalidSetting`].
    pub fn check_profile(&self, given: &Given) -> Result<(), Fault> {
        self.profile_settings(given).map(drop)
    }

    fn profile_settings(&self, given: &Given) -> Result<ProfileSettings, Fault> {
        ProfileSettings::of(given, self.settings.load().namespaces.first().map(Namespace::region))
    }

    pub(super) fn profile_numbered(&self, number: u32) -> Result<Arc<Profile>, Fault> {
        let profiles = self.profiles.read().map_err(|_| Fault::internal("the profiles failed earlier"))?;
        usize::try_from(number)
            .ok()
            .and_then(|n| profiles.get(n).cloned())
            .ok_or_else(|| Fault::new(Status::UnknownId, format!("there is no profile {number}")))
    }

    /// How a session stands.
    ///
    /// # Errors
    /// [`Status::UnknownId`] when the id is stale.
    pub fn info(&self, id: SessionId) -> Result<SessionInfo, Fault> {
        let now = self.clock.steady();
        let read = |session: &Arc<Session>| SessionInfo {
            principal: session.begin.principal.subject.arn().to_owned(),
            session_name: session.begin.principal.attributes.session_name.clone().unwrap_or_default(),
            access_key_id: session.begin.credential.access_key_id.clone(),
            deadline: session.begin.deadline_wall.0,
            state: state_of(session, now),
            listener: session.channel().map(|c| c.listener.clone()).unwrap_or_default(),
        };
        self.agent
            .sessions()
            .with(id, read)
            .ok_or_else(|| Fault::new(Status::UnknownId, "the session is not known or gone"))
    }

    pub(super) fn close(&self, wait: Duration) {
        self.agent.close(wait);
    }
}

/// How a session stands, in a word.
pub(super) fn state_of(session: &Session, now: Steady) -> &'static str {
    match session.standing() {
        Standing::Ended => "ended",
        _ if now >= session.begin.deadline => "expired",
        Standing::Binding => "binding",
        Standing::Live => "live",
    }
}

fn boot_id(random: &dyn Random) -> Result<String, Fault> {
    let mut bytes = [0; 8];
    random.fill(&mut bytes)?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}
