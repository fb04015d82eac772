// SPDX-License-Identifier: Apache-2.0
//! Whose open files these are.
//!
//! A host may ask that the threads of this library have a table of open files
//! of their own (docs/decisions/0044): the kernel then takes the short way to
//! the host's files. From that moment the same number names one file on the
//! host's threads and another, or none, on the library's. So
//!
//! - every thread of this library is started by [`spawn`], which sees to it that
//!   it has the library's table, whoever asks for it;
//! - what outlives the call that opened it is [`Kept`]: it knows in whose table
//!   its numbers mean what they say, and is not handed out elsewhere;
//! - what a host's thread has to do with such files it hands over with [`run`].
//!
//! Until somebody asks, there is one table, and all of this does nothing.

use std::cell::Cell;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel, sync_channel};
use std::sync::{Mutex, OnceLock};
use std::thread::{Builder, JoinHandle};

use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};

use crate::fault::{Fault, Status};

type Job = Box<dyn FnOnce() + Send>;

thread_local! {
    /// Whether this thread has the library's own table.
    static OWN: Cell<bool> = const { Cell::new(false) };
}

/// Set once the library has a table of its own; for good.
static ROOT: OnceLock<Root> = OnceLock::new();
/// How it was decided, by the first who opened an engine.
static DECIDED: Mutex<Option<bool>> = Mutex::new(None);
/// How often a file was asked for where its number means another one.
static REFUSED: AtomicU64 = AtomicU64::new(0);

/// The thread that starts all others with its table, and sees files off that
/// were dropped elsewhere.
struct Root {
    jobs: Sender<Job>,
    /// The way by which a copy of a file comes from table to table.
    near: Mutex<Kept<OwnedFd>>,
    far: Kept<OwnedFd>,
}

fn failed<E: std::fmt::Display>(e: E) -> Fault {
    Fault::internal(format!("the library's table of open files: {e}"))
}

/// Whether the library has a table of open files of its own.
#[must_use]
pub fn apart() -> bool {
    ROOT.get().is_some()
}

/// How often a file was asked for on a thread with another table: each time a
/// defect, of which nothing came but that nothing was decided.
#[must_use]
pub fn refused() -> u64 {
    REFUSED.load(Ordering::Relaxed)
}

/// The library shares the host's table, unless that was decided already.
pub fn share() {
    if let Ok(mut decided) = DECIDED.lock() {
        decided.get_or_insert(false);
    }
}

/// Gives the library a table of its own, unless it was decided that it has none.
/// `leave` runs on a new thread: it leaves the host's table with nothing of it
/// but the file of this number, and returns that one. When it cannot, all stays
/// as it was. True when the library has its own table now.
///
/// # Errors
/// When the machine has no thread or socket left.
pub fn part(leave: fn(RawFd) -> std::io::Result<OwnedFd>) -> Result<bool, Fault> {
    let mut decided = DECIDED.lock().map_err(|_| failed("it failed earlier"))?;
    if let Some(known) = *decided {
        return Ok(known);
    }
    let (near, far) =
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).map_err(failed)?;
    // Not where a host that has closed its standard error would write.
    let (near, far) = (fcntl_dupfd_cloexec(near, 3).map_err(failed)?, fcntl_dupfd_cloexec(far, 3).map_err(failed)?);
    let (number, (jobs, queue), (ready, told)) = (far.as_raw_fd(), channel::<Job>(), sync_channel(1));
    let run = move || {
        let Ok(far) = leave(number) else { return };
        OWN.set(true);
        if ready.send(Kept::new(far)).is_ok() {
            for job in queue {
                // Whoever waits for it sees that nothing came.
                let _panicked = catch_unwind(AssertUnwindSafe(job));
            }
        }
    };
    Builder::new().name("standin-files".to_owned()).spawn(run).map_err(failed)?;
    let left = told.recv().ok().map(|far| Root { jobs, near: Mutex::new(Kept::new(near)), far });
    let apart = left.is_some_and(|root| ROOT.set(root).is_ok());
    *decided = Some(apart);
    Ok(apart)
}

/// The root, for a thread that has another table than the library's.
fn elsewhere() -> Option<&'static Root> {
    ROOT.get().filter(|_| !OWN.get())
}

/// Starts a thread of the library.
///
/// # Errors
/// When the machine has none left.
pub fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Fault> {
    let own = apart();
    let start = move |named: Builder| {
        named.spawn(move || {
            OWN.set(own);
            run();
        })
    };
    let named = Builder::new().name(name.to_owned());
    let started = match elsewhere() {
        None => start(named),
        Some(root) => {
            let (tell, told) = sync_channel(1);
            root.jobs.send(Box::new(move || drop(tell.send(start(named))))).map_err(failed)?;
            told.recv().map_err(failed)?
        }
    };
    started.map_err(|e| Fault::internal(format!("a thread could not be started: {e}")))
}

/// Does work that needs files of the library, wherever they are, and waits for
/// it.
///
/// # Errors
/// [`Status::Panic`] when it panics on another thread; when there is none.
pub fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Fault> {
    if elsewhere().is_none() {
        return Ok(work());
    }
    let (tell, told) = sync_channel(1);
    let _runs = spawn("standin-call", move || drop(tell.send(work())))?;
    told.recv().map_err(|_| Fault::new(Status::Panic, "what the host asked for panicked"))
}

/// A file of the host's, as the library's threads know it too. `None` where
/// they share its table.
///
/// # Errors
/// When it cannot be copied.
pub fn copied(file: &impl AsFd) -> Result<Option<Kept<OwnedFd>>, Fault> {
    let Some(root) = elsewhere() else { return Ok(None) };
    // One at a time: what comes out is what went in.
    let near = root.near.lock().map_err(|_| failed("it failed earlier"))?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let (mut rights, file) = (SendAncillaryBuffer::new(&mut space), [file.as_fd()]);
    if !rights.push(SendAncillaryMessage::ScmRights(&file)) {
        return Err(failed("no room"));
    }
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    sendmsg(near.get()?, &[IoSlice::new(b"f")], &mut rights, flags).map_err(failed)?;
    run(move || last_sent(root.far.get()?).map(|file| Some(Kept::new(file))))?
}

/// The last file that was sent: one before it was sent by a call that then found no
/// thread to take it.
fn last_sent(far: &OwnedFd) -> Result<OwnedFd, Fault> {
    let mut last = None;
    loop {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut rights = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0];
        let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
        match recvmsg(far, &mut [IoSliceMut::new(&mut byte)], &mut rights, flags) {
            Err(Errno::AGAIN) => return last.ok_or_else(|| failed("no file came")),
            received => received.map_err(failed)?,
        };
        let files = rights.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(files) => Some(files),
            _ => None,
        });
        last = files.flatten().next().or(last);
    }
}

/// Something with open files that outlives the call that opened them. It is
/// handed out and closed only where their numbers mean what they did then.
#[derive(Debug)]
pub struct Kept<T: Send + 'static> {
    own: bool,
    /// There until it is dropped.
    value: Option<T>,
}

impl<T: Send + 'static> Kept<T> {
    /// Keeps what this thread has opened.
    pub fn new(value: T) -> Self {
        Self { own: OWN.get(), value: Some(value) }
    }

    /// Whether it is handed out here.
    pub fn is_at_home(&self) -> bool {
        self.own == OWN.get()
    }

    fn wanted(&self) -> Result<(), Fault> {
        if self.is_at_home() {
            return Ok(());
        }
        REFUSED.fetch_add(1, Ordering::Relaxed);
        Err(Fault::internal("a file was asked for on a thread where its number means another one"))
    }

    /// What is kept.
    ///
    /// # Errors
    /// On a thread with another table of open files.
    pub fn get(&self) -> Result<&T, Fault> {
        self.wanted()?;
        self.value.as_ref().ok_or_else(|| failed("it was closed"))
    }

    /// What is kept, to change it.
    ///
    /// # Errors
    /// As [`Kept::get`].
    pub fn get_mut(&mut self) -> Result<&mut T, Fault> {
        self.wanted()?;
        self.value.as_mut().ok_or_else(|| failed("it was closed"))
    }

    /// What was kept, for the rest of this call.
    ///
    /// # Errors
    /// As [`Kept::get`].
    pub fn take(mut self) -> Result<T, Fault> {
        self.wanted()?;
        self.value.take().ok_or_else(|| failed("it was closed"))
    }
}

impl<T: Send + 'static> Drop for Kept<T> {
    fn drop(&mut self) {
        if self.is_at_home() {
            return;
        }
        let Some(value) = self.value.take() else { return };
        match elsewhere() {
            // The library's, dropped with the last reference by the host.
            Some(root) => {
                if let Err(unsent) = root.jobs.send(Box::new(move || drop(value))) {
                    std::mem::forget(unsent);
                }
            }
            // The host's: rather open for good than another file closed.
            None => {
                REFUSED.fetch_add(1, Ordering::Relaxed);
                std::mem::forget(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    /// A call that sent a file and found no thread to take it leaves it behind.
    #[test]
    fn a_file_that_was_left_behind_is_not_taken_for_the_next() {
        let (near, far) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
        assert!(last_sent(&far).is_err());
        for path in ["/proc/self/status", "/proc/self/stat"] {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let (mut rights, file) = (SendAncillaryBuffer::new(&mut space), std::fs::File::open(path).unwrap());
            let files = [file.as_fd()];
            assert!(rights.push(SendAncillaryMessage::ScmRights(&files)));
            sendmsg(&near, &[IoSlice::new(b"f")], &mut rights, SendFlags::NOSIGNAL).unwrap();
        }
        let taken = std::fs::File::from(last_sent(&far).unwrap());
        assert!(!std::io::read_to_string(taken).unwrap().contains("Name:"));
        assert!(last_sent(&far).is_err());
    }
}
