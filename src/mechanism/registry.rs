// SPDX-License-Identifier: Apache-2.0
//! Engines by name and number. The one place where this library keeps state
//! of the whole process: a broker opens the same engine from its authorizers
//! and from one callback handler per network thread, in any order.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use arc_swap::ArcSwapOption;

use super::{Engine, Outside};
use crate::credential::host::HostCredential;
use crate::fault::{Fault, Status};
use crate::placement::Link;
use crate::service::{self, Ends};
use crate::session::SessionId;
use crate::settings::{AgentProcess, EngineSettings, Given, Scope};
use crate::time::{Clock, Random, SystemClock, SystemRandom};

const ENGINES: usize = 256;
/// The name of a host that has none.
const LOCAL: &str = "host/local";

/// Engines by number, found without a lock by every operation.
static NUMBERED: [ArcSwapOption<Engine>; ENGINES] = [const { ArcSwapOption::const_empty() }; ENGINES];

/// An open engine, and how many have it open.
struct Named {
    name: String,
    number: u8,
    references: usize,
}

static NAMED: Mutex<Vec<Named>> = Mutex::new(Vec::new());

fn named() -> Result<MutexGuard<'static, Vec<Named>>, Fault> {
    NAMED.lock().map_err(|_| Fault::internal("the list of engines failed earlier"))
}

/// Opens the engine of the name in the settings on the embedded service, or
/// finds it open.
///
/// # Errors
/// [`Status::InvalidSetting`]; [`Status::SettingsDiffer`] naming the settings
/// in which this opener and the first one differ; whatever keeps the store
/// from being opened.
pub fn open(given: &Given) -> Result<u8, Fault> {
    let settings = settings_of(given)?;
    let name = settings.name.clone();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let random: Arc<dyn Random> = Arc::new(SystemRandom);
    let mut first = false;
    let number = open_with(settings, |settings| {
        first = true;
        let (service, decisions) = match &settings.agent {
            Some(process) => link_to(process, &settings.host, &clock, &random)?,
            None => service::open(settings, &clock, &random)?,
        };
        Ok(Outside { service, decisions, clock, random })
    })?;
    if first {
        let journal = engine(number)?;
        journal.opened_with(given.clone());
        let version = env!("CARGO_PKG_VERSION");
        journal
            .journal()
            .line("info", &format!("engine {name:?} of Standin {version}; what is not shown has its default"));
        given.shown(Scope::Engine).iter().for_each(|line| journal.journal().line("info", line));
    }
    Ok(number)
}

/// The settings of an engine, with the name of the host that its credential
/// says.
///
/// # Errors
/// [`Status::InvalidSetting`]; whatever keeps the credential from being read.
pub fn settings_of(given: &Given) -> Result<EngineSettings, Fault> {
    let mut settings = EngineSettings::of(given)?;
    if let Some(service) = &settings.service {
        let name = HostCredential::read(&service.credential)?.name();
        if settings.host != LOCAL && settings.host != name {
            return Err(Fault::new(
                Status::InvalidSetting,
                format!(
                    "standin.host={}: the credential {} is that of {name}; leave standin.host out",
                    settings.host,
                    service.credential.display()
                ),
            ));
        }
        settings.host = name;
    }
    Ok(settings)
}

fn link_to(
    process: &AgentProcess,
    host: &str,
    clock: &Arc<dyn Clock>,
    random: &Arc<dyn Random>,
) -> Result<Ends, Fault> {
    let link = Arc::new(Link::open(process, host, Arc::clone(clock), Arc::clone(random))?);
    Ok((Arc::clone(&link) as _, link))
}

/// Opens an engine on a service, clock and generator of the caller's; `make`
/// runs only when the name is not open yet.
///
/// # Errors
/// As [`open`].
pub fn open_with(
    settings: EngineSettings,
    make: impl FnOnce(&EngineSettings) -> Result<Outside, Fault>,
) -> Result<u8, Fault> {
    let mut named = named()?;
    if let Some(open) = named.iter_mut().find(|n| n.name == settings.name) {
        let present = engine(open.number)?;
        let differing = present.settings().differing(&settings);
        if !differing.is_empty() {
            return Err(Fault::new(
                Status::SettingsDiffer,
                format!(
                    "the engine {:?} is open with other values of {}; give both the same values, or another standin.engine",
                    settings.name,
                    differing.join(", ")
                ),
            ));
        }
        open.references += 1;
        return Ok(open.number);
    }
    let number = (1..=u8::MAX)
        .find(|n| NUMBERED.get(usize::from(*n)).is_some_and(|slot| slot.load().is_none()))
        .ok_or_else(|| Fault::new(Status::Busy, "255 engines are open"))?;
    let outside = make(&settings)?;
    let name = settings.name.clone();
    let engine = Engine::start(number, settings, outside)?;
    if let Some(slot) = NUMBERED.get(usize::from(number)) {
        slot.store(Some(Arc::new(engine)));
    }
    named.push(Named { name, number, references: 1 });
    Ok(number)
}

/// Gives one reference back; the last one stops the worker, which takes about
/// `wait` at most. True when it was the last.
///
/// # Errors
/// [`Status::UnknownId`] when no such engine is open.
pub fn close(number: u8, wait: Duration) -> Result<bool, Fault> {
    let mut named = named()?;
    let Some(index) = named.iter().position(|n| n.number == number) else {
        return Err(Fault::new(Status::UnknownId, "the engine is not open"));
    };
    if let Some(open) = named.get_mut(index)
        && open.references > 1
    {
        open.references -= 1;
        return Ok(false);
    }
    named.remove(index);
    let engine = NUMBERED.get(usize::from(number)).and_then(|slot| slot.swap(None));
    if let Some(engine) = engine {
        engine.close(wait);
    }
    Ok(true)
}

/// The engine of this number.
///
/// # Errors
/// [`Status::UnknownId`] when it is not open.
pub fn engine(number: u8) -> Result<Arc<Engine>, Fault> {
    NUMBERED
        .get(usize::from(number))
        .and_then(ArcSwapOption::load_full)
        .ok_or_else(|| Fault::new(Status::UnknownId, "the engine is not open"))
}

/// Hands the engine of a session to `then` without taking a reference.
///
/// # Errors
/// [`Status::UnknownId`] when it is not open.
#[inline(always)]
pub fn engine_of<R>(id: SessionId, then: impl FnOnce(&Engine) -> R) -> Result<R, Fault> {
    let slot = NUMBERED.get(usize::from(id.engine())).map(ArcSwapOption::load);
    match slot.as_ref().and_then(|held| held.as_ref()) {
        Some(engine) => Ok(then(engine)),
        None => Err(Fault::new(Status::UnknownId, "the engine is not open")),
    }
}
