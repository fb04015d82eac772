// SPDX-License-Identifier: Apache-2.0
//! Numbers of engines, as C hosts hold them: each opening has its own, so that
//! closing one twice does not close somebody else's.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::fault::{Fault, Status};
use crate::mechanism::{self, Engine};

/// Openings at once.
const SLOTS: usize = 1024;
/// Names no slot.
const NONE: u64 = 0xffff;

/// In each slot the number that is open in it; or that a number was, with the
/// generation it had. Generation (32 bits), number of the engine (16), slot
/// (16).
static SLOTS_IN_USE: [AtomicU64; SLOTS] = [const { AtomicU64::new(NONE) }; SLOTS];

/// Names and values, as a host gave them.
pub(super) type Settings = Vec<(String, String)>;

/// What an engine was opened with, and the profiles that were made with it.
#[derive(Clone, Default)]
pub(super) struct Opening {
    pub(super) settings: Settings,
    pub(super) file: Option<PathBuf>,
    pub(super) profiles: Vec<(String, Settings)>,
}

static OPENINGS: Mutex<Vec<(u64, Opening)>> = Mutex::new(Vec::new());

fn unknown() -> Fault {
    Fault::new(Status::UnknownId, "the engine is not open")
}

fn openings() -> Result<MutexGuard<'static, Vec<(u64, Opening)>>, Fault> {
    OPENINGS.lock().map_err(|_| Fault::internal("the list of openings failed earlier"))
}

/// Gives an engine that was opened a number.
pub(super) fn give(engine: u8, opening: Opening) -> Result<u64, Fault> {
    for (slot, value) in (0u64..).zip(&SLOTS_IN_USE) {
        let free = value.load(Ordering::Acquire);
        let generation = (free >> 32) + 1;
        // A slot whose generations are used up is left alone.
        if free & NONE != NONE || generation > u64::from(u32::MAX) {
            continue;
        }
        let id = (generation << 32) | (u64::from(engine) << 16) | slot;
        if value.compare_exchange(free, id, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            openings()?.push((id, opening));
            return Ok(id);
        }
    }
    Err(Fault::new(Status::Busy, "1024 engines are open"))
}

fn slot(id: u64) -> Result<&'static AtomicU64, Fault> {
    let slot = usize::try_from(id & NONE).ok().and_then(|n| SLOTS_IN_USE.get(n));
    slot.filter(|value| id != 0 && value.load(Ordering::Acquire) == id).ok_or_else(unknown)
}

fn number(id: u64) -> Result<u8, Fault> {
    u8::try_from((id >> 16) & 0xffff).map_err(|_| unknown())
}

/// The engine of a number.
pub(super) fn engine(id: u64) -> Result<Arc<Engine>, Fault> {
    let slot = slot(id)?;
    let engine = mechanism::engine(number(id)?)?;
    // Still open, so it was open when the engine was fetched: it is this one.
    if slot.load(Ordering::Acquire) == id { Ok(engine) } else { Err(unknown()) }
}

/// What it was opened with.
pub(super) fn opening(id: u64) -> Result<Opening, Fault> {
    openings()?.iter().find(|(known, _)| *known == id).map(|(_, opening)| opening.clone()).ok_or_else(unknown)
}

/// Changes what is known of it.
pub(super) fn amend(id: u64, change: impl FnOnce(&mut Opening)) -> Result<(), Fault> {
    openings()?.iter_mut().find(|(known, _)| *known == id).map(|(_, opening)| change(opening)).ok_or_else(unknown)
}

/// Takes a number back: the engine's own, for whoever took it.
pub(super) fn take(id: u64) -> Result<u8, Fault> {
    let (slot, number) = (slot(id)?, number(id)?);
    let gone = (id & !0xffff_ffff) | NONE;
    slot.compare_exchange(id, gone, Ordering::AcqRel, Ordering::Acquire).map_err(|_| unknown())?;
    openings()?.retain(|(known, _)| *known != id);
    Ok(number)
}
