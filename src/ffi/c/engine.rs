// SPDX-License-Identifier: Apache-2.0
//! Opening and closing, profiles and actions.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::handle::{self, Opening, Settings};
use super::memory::{self, Buffer, Cell, invalid};
use super::types::{
    STANDIN_ACTION_RIDES_OUT, STANDIN_OWN_FILES, standin_buffer, standin_bytes, standin_engine, standin_options,
    standin_pair, standin_status,
};
use super::{apart, entry, fork, signals};
use crate::fault::Fault;
use crate::files;
use crate::mechanism::{self, Engine};
use crate::settings::Given;

/// Most settings in one call.
const MOST_SETTINGS: usize = 1024;

impl Opening {
    /// Settings of a profile, over those that the engine was opened with.
    fn given(&self, over: &Settings) -> Result<Given, Fault> {
        let under = self.settings.iter().filter(|(name, _)| !over.iter().any(|(n, _)| n == name));
        let pairs = under.chain(over).map(|(name, value)| (name.as_str(), value.as_str()));
        Given::read(pairs, self.file.as_deref())
    }

    /// Puts these settings in force, of which `pairs` are new.
    fn reload(&self, open: &Engine, pairs: &[(&str, &str)]) -> Result<(), Fault> {
        // All are right before the first is changed.
        let profiles: Vec<(&str, Given)> =
            self.profiles.iter().map(|(name, own)| Ok((name.as_str(), self.given(own)?))).collect::<Result<_, _>>()?;
        profiles.iter().try_for_each(|(_, given)| open.check_profile(given))?;
        open.reload(pairs.iter().copied())?;
        profiles.iter().try_for_each(|(name, given)| open.named_profile(name, given).map(drop))
    }
}

fn owned(pairs: &[(&str, &str)]) -> Settings {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Tells the caller what is wrong with its own configuration.
fn explain<T>(why: Option<&Buffer>, result: Result<T, Fault>) -> Result<T, Fault> {
    result.inspect_err(|fault| {
        if let Some(why) = why {
            why.tell(&fault.text);
        }
    })
}

unsafe fn opening(options: *const standin_options) -> Result<(Opening, bool), Fault> {
    // SAFETY: as the caller of `standin_open` promises.
    let (options, settings, file) = unsafe {
        let options = memory::read(options, "options")?;
        let settings = memory::pairs(options.settings, options.count, MOST_SETTINGS, "settings")?;
        (options, settings, memory::bytes(options.config_file, "config_file")?)
    };
    if options.flags & !STANDIN_OWN_FILES != 0 {
        return Err(invalid("options.flags: only STANDIN_OWN_FILES is known"));
    }
    if file.contains(&0) {
        return Err(invalid("config_file holds a NUL"));
    }
    let file = match file {
        [] => std::env::var_os("STANDIN_CONFIG").map(PathBuf::from),
        path => Some(PathBuf::from(OsStr::from_bytes(path))),
    };
    let own_files = options.flags & STANDIN_OWN_FILES != 0;
    Ok((Opening { settings: owned(&settings), file, profiles: Vec::new() }, own_files))
}

/// Opens an engine and gives it a number. `denied`: the library was to have a
/// table of open files of its own, and has not.
fn open(opening: Opening, denied: bool) -> Result<u64, Fault> {
    let given = opening.given(&Settings::new())?;
    let number = mechanism::open(&given)?;
    if denied && let Ok(engine) = mechanism::engine(number) {
        let text = "the library shares the host's table of open files; each system call of the host costs more";
        engine.journal().line("info", text);
    }
    handle::give(number, opening).inspect_err(|_| {
        let _closed = mechanism::close(number, Duration::ZERO);
    })
}

/// Opens an engine, or takes another reference to the open one of the same
/// name (`standin.engine`). Reads settings and files, opens the store, and
/// starts threads, so it may take a moment: call it while starting, after the
/// last fork.
///
/// `options` says with which settings. `out` becomes the engine. `why` may be
/// null; else it gets a text for whoever configures the host, as far as it
/// fits, when STANDIN_INVALID_SETTING or another status below 0 comes back.
///
/// Called twice with one name, it gives two numbers for one engine; each is
/// closed by itself. Events, log and audit are the engine's: what is taken by
/// one number does not come by the other. Engine settings that differ are
/// STANDIN_SETTINGS_DIFFER.
///
/// Returns STANDIN_OK; STANDIN_INVALID_ARGUMENT; STANDIN_INVALID_SETTING (what
/// is wrong is in `why`); STANDIN_SETTINGS_DIFFER (`why` names those that
/// differ); STANDIN_NOT_FOUND, STANDIN_INVALID_DOCUMENT or a -3xx such as
/// STANDIN_UNAVAILABLE or STANDIN_NEWER_FORMAT (the store); STANDIN_BUSY (255
/// engines are open); STANDIN_FORKED.
///
/// # Safety
/// Pointers are null or point to what the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn standin_open(
    options: *const standin_options,
    out: *mut standin_engine,
    why: *mut standin_buffer,
) -> standin_status {
    // SAFETY: as the caller promises.
    let (out, why) = unsafe { (Cell::new(out, "out"), Buffer::wanted(why, "why")) };
    entry(|| {
        let (out, why) = (out?, why?);
        // Whoever forks from now on has a child that must not go on with this.
        fork::watch();
        // SAFETY: as the caller promises.
        let opened = unsafe { opening(options) }.and_then(|(opening, own_files)| {
            signals::blocked(|| {
                let denied = own_files && !files::part(apart::leave)?;
                files::share();
                files::run(move || open(opening, denied))?
            })
        });
        out.put(explain(why.as_ref(), opened)?);
        Ok(())
    })
}

fn reload(engine: u64, settings: &Settings) -> Result<(), Fault> {
    let open = handle::engine(engine)?;
    let mut opening = handle::opening(engine)?;
    opening.settings.retain(|(known, _)| !settings.iter().any(|(name, _)| name == known));
    opening.settings.extend(settings.iter().cloned());
    let pairs: Vec<_> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    opening.reload(&open, &pairs)?;
    handle::amend(engine, |known| known.settings = opening.settings)
}

/// Reads settings again: `count` of them in the place of what has their names,
/// and the file anew. Every profile that was made with this number is made
/// again, of the new settings and of its own. All or nothing: if something is
/// wrong, all stays as it was.
///
/// Sessions go on. Only some settings of the engine can change while it is open
/// (docs/settings.md says which). `why` as with standin_open.
///
/// Returns STANDIN_OK; STANDIN_INVALID_ARGUMENT; STANDIN_INVALID_SETTING (`why`
/// says what is wrong, or needs a restart); STANDIN_UNKNOWN_ID; STANDIN_FORKED.
///
/// # Safety
/// Pointers are null or point to what the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn standin_reload(
    engine: standin_engine,
    settings: *const standin_pair,
    count: usize,
    why: *mut standin_buffer,
) -> standin_status {
    // SAFETY: as the caller promises.
    let why = unsafe { Buffer::wanted(why, "why") };
    entry(|| {
        // SAFETY: as the caller promises.
        let (why, settings) = (why?, unsafe { memory::pairs(settings, count, MOST_SETTINGS, "settings") }?);
        let settings = owned(&settings);
        explain(why.as_ref(), files::run(move || reload(engine, &settings))?)
    })
}

/// Gives an engine back. The last one of its name stops the threads, writes
/// what the audit still holds, and takes about `wait_ms` at most. Sessions of
/// it are gone then; calls that other threads are in finish, later ones answer
/// STANDIN_UNKNOWN_ID and STANDIN_DENY. The descriptor of standin_event_fd is
/// closed.
///
/// In a forked child it returns at once and leaves everything as it is: the
/// copy of the parent's memory ends with the process.
///
/// Returns STANDIN_OK; STANDIN_UNKNOWN_ID, also when called twice.
#[unsafe(no_mangle)]
pub extern "C" fn standin_close(engine: standin_engine, wait_ms: u32) -> standin_status {
    if fork::is_child() {
        return super::status::STANDIN_OK;
    }
    entry(|| {
        let (open, wait) = (handle::engine(engine)?, Duration::from_millis(wait_ms.into()));
        // Its descriptor is the host's, all its other files may not be. The number is
        // taken back where it is closed: whoever has no thread left may try again.
        let close = move || {
            let last = mechanism::close(handle::take(engine)?, wait)?;
            Ok(last.then(|| open.agent().events().take_descriptor()))
        };
        // The service may be told by a thread of its own.
        let descriptor = signals::blocked(|| files::run(close))??;
        drop(descriptor);
        Ok(())
    })
}

/// Makes a profile, the settings of one listener, or changes the one of that
/// name. Sessions that are there go on; logins from now on follow the new
/// settings.
///
/// `name` is 1 to 255 bytes of UTF-8. `settings` are `count` pairs, over those
/// that the engine was opened with. `out` becomes its number, the same each
/// time for one name. `why` as with standin_open. Nothing changes unless all is
/// right.
///
/// Returns STANDIN_OK; STANDIN_INVALID_ARGUMENT; STANDIN_INVALID_SETTING (what
/// is wrong is in `why`); STANDIN_UNKNOWN_ID; STANDIN_FORKED.
///
/// # Safety
/// Pointers are null or point to what the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn standin_profile(
    engine: standin_engine,
    name: standin_bytes,
    settings: *const standin_pair,
    count: usize,
    out: *mut u32,
    why: *mut standin_buffer,
) -> standin_status {
    // SAFETY: as the caller promises.
    let (out, why) = unsafe { (Cell::new(out, "out"), Buffer::wanted(why, "why")) };
    entry(|| {
        let (out, why) = (out?, why?);
        // SAFETY: as the caller promises.
        let (name, settings) =
            unsafe { (memory::text(name, "name")?, memory::pairs(settings, count, MOST_SETTINGS, "settings")?) };
        if !(1..=255).contains(&name.len()) {
            return Err(invalid("a profile has a name of 1 to 255 bytes"));
        }
        let (open, opening, own) = (handle::engine(engine)?, handle::opening(engine)?, owned(&settings));
        let (profile, over) = (name.to_owned(), own.clone());
        let make = move || opening.given(&over).and_then(|given| open.named_profile(&profile, &given));
        let number = explain(why.as_ref(), files::run(make)?)?;
        handle::amend(engine, |opening| {
            opening.profiles.retain(|(known, _)| known != name);
            opening.profiles.push((name.to_owned(), own));
        })?;
        out.put(number);
        Ok(())
    })
}

/// Gives an action its number, once, while starting. It stays the same while
/// the engine is open.
///
/// `name` is `service:Action`, 3 to 255 bytes, such as "iot:Publish".
/// `resource_type` is the type of resource whose names will be asked about,
/// such as "topic"; empty when resources are asked about by their whole ARN.
/// `flags` is STANDIN_ACTION_RIDES_OUT or 0. `out` becomes the number.
///
/// Called twice with the same name and type, it gives the same number; a flag
/// that was set once stays.
///
/// Returns STANDIN_OK; STANDIN_INVALID_ARGUMENT; STANDIN_BUSY when as many are
/// known as there may be (4,096); STANDIN_UNKNOWN_ID; STANDIN_FORKED.
///
/// # Safety
/// Pointers are null or point to what the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn standin_action(
    engine: standin_engine,
    name: standin_bytes,
    resource_type: standin_bytes,
    flags: u32,
    out: *mut u32,
) -> standin_status {
    // SAFETY: as the caller promises.
    let out = unsafe { Cell::new(out, "out") };
    entry(|| {
        let out = out?;
        // SAFETY: as the caller promises.
        let (name, resource_type) =
            unsafe { (memory::text(name, "name")?, memory::text(resource_type, "resource_type")?) };
        let whole = name.split_once(':').is_some_and(|(service, action)| !service.is_empty() && !action.is_empty());
        if !whole || name.len() > 255 || resource_type.len() > 255 {
            return Err(invalid("an action is named service:Action, of at most 255 bytes"));
        }
        if flags & !STANDIN_ACTION_RIDES_OUT != 0 {
            return Err(invalid("flags of an action: only STANDIN_ACTION_RIDES_OUT is known"));
        }
        let open = handle::engine(engine)?;
        let (agent, wanted) = (Arc::clone(open.agent()), (name.to_owned(), resource_type.to_owned()));
        let id = files::run(move || agent.intern(&wanted.0, &wanted.1))??;
        if flags & STANDIN_ACTION_RIDES_OUT != 0 {
            open.agent().let_ride(id)?;
        }
        out.put(id.0);
        Ok(())
    })
}
