// SPDX-License-Identifier: Apache-2.0
//! What the library counts and says.

use std::ffi::CString;
use std::sync::LazyLock;

use super::memory::{Buffer, Cell, Rows, invalid};
use super::types::{
    STANDIN_RECORDS_AUDIT, STANDIN_RECORDS_LOG, standin_buffer, standin_engine, standin_metric, standin_status,
};
use super::{entry, handle};
use crate::fault::{Fault, Status};
use crate::mechanism::METRICS;

/// Most metrics asked for at once.
const MOST_METRICS: usize = 4096;

/// The names of the metrics as C has them; kept for good.
static NAMES: LazyLock<Vec<CString>> =
    LazyLock::new(|| METRICS.iter().map(|name| CString::new(*name).unwrap_or_default()).collect());

/// Every counter and gauge of an engine; docs/operations.md explains them.
///
/// `out` has room for `cap` structs, each `stride` bytes
/// (`sizeof(standin_metric)`) from the next. `n` becomes how many were written.
/// There are the same ones at each call, in the same order; newer versions add
/// some at the end.
///
/// Returns STANDIN_OK; STANDIN_INVALID_ARGUMENT; STANDIN_BUFFER_TOO_SMALL when
/// there are more than `cap`: nothing is written, and `n` becomes how many
/// there are; STANDIN_UNKNOWN_ID; STANDIN_FORKED.
///
/// # Safety
/// Pointers are null or point to what the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn standin_metrics(
    engine: standin_engine,
    out: *mut standin_metric,
    stride: usize,
    cap: usize,
    n: *mut usize,
) -> standin_status {
    // SAFETY: as the caller promises.
    let n = unsafe { Cell::new(n, "n") };
    entry(|| {
        // SAFETY: as the caller promises.
        let (n, rows) = (n?, unsafe { Rows::new(out, stride, cap, MOST_METRICS, "out") }?);
        let values = handle::engine(engine)?.metrics();
        n.put(values.len());
        if values.len() > rows.count {
            return Err(Fault::new(Status::BufferTooSmall, "the array is too small"));
        }
        for (place, (name, value)) in NAMES.iter().zip(values).enumerate() {
            let value = u64::try_from(value).unwrap_or(0);
            rows.put(place, &standin_metric { size: 0, reserved: 0, name: name.as_ptr(), value });
        }
        Ok(())
    })
}

/// Takes lines that the library has for the host, each ended by a newline:
/// whole lines, oldest first, as many as fit.
///
/// `kind` is STANDIN_RECORDS_LOG: lines that begin with their level (`error`,
/// `warn`, `info`). The library writes no log of its own, so take them about
/// once a second; 1,024 lines are kept, then the oldest are dropped. Or
/// STANDIN_RECORDS_AUDIT: the audit as JSON, as it is written to its files; kept
/// for the host from the first call on, 16,384 records at most. `out` has `len`
/// 0 when there is nothing more.
///
/// Returns STANDIN_OK; STANDIN_INVALID_ARGUMENT; STANDIN_BUFFER_TOO_SMALL when
/// the next line alone does not fit; STANDIN_UNKNOWN_ID; STANDIN_FORKED.
///
/// # Safety
/// Pointers are null or point to what the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn standin_records(
    engine: standin_engine,
    kind: u32,
    out: *mut standin_buffer,
) -> standin_status {
    // SAFETY: as the caller promises.
    let out = unsafe { Buffer::new(out, "out") };
    entry(|| {
        let out = out?;
        let engine = handle::engine(engine)?;
        let taken = match kind {
            STANDIN_RECORDS_LOG => engine.journal().take_text(out.cap),
            STANDIN_RECORDS_AUDIT => engine.recorder().take_text(out.cap),
            _ => return Err(invalid("records of no known kind")),
        };
        match taken {
            Ok(text) => out.put(text.as_bytes()),
            Err(needed) => Err(out.needs(needed)),
        }
    })
}
