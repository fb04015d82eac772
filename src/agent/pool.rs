// SPDX-License-Identifier: Apache-2.0
//! The few threads that may wait for the security service, so that no thread
//! of the host ever waits longer than it said.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::fault::{Fault, Status};
use crate::files;

type Job = Box<dyn FnOnce() + Send>;

/// A fixed number of threads behind a bounded queue.
pub(super) struct Pool {
    sender: Mutex<Option<SyncSender<Job>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    panics: Arc<AtomicUsize>,
}

/// Jobs that may wait for a thread.
const QUEUE: usize = 256;

impl Pool {
    pub(super) fn new(name: &str, threads: usize) -> Result<Self, Fault> {
        let (sender, receiver) = sync_channel::<Job>(QUEUE);
        let receiver = Arc::new(Mutex::new(receiver));
        let panics = Arc::new(AtomicUsize::new(0));
        let mut joined = Vec::new();
        for n in 0..threads {
            let (receiver, panics) = (Arc::clone(&receiver), Arc::clone(&panics));
            joined.push(files::spawn(&format!("standin-{name}-{n}"), move || serve(&receiver, &panics))?);
        }
        Ok(Self { sender: Mutex::new(Some(sender)), threads: Mutex::new(joined), panics })
    }

    /// Queues a job.
    ///
    /// # Errors
    /// [`Status::Busy`] when the queue is full.
    pub(super) fn submit(&self, job: Job) -> Result<(), Fault> {
        let sender = self.sender.lock().map_err(|_| Fault::internal("the service threads failed earlier"))?;
        let sender = sender.as_ref().ok_or_else(|| Fault::new(Status::Closed, "the engine is closed"))?;
        sender.try_send(job).map_err(|e| match e {
            TrySendError::Full(_) => Fault::new(Status::Busy, "too many requests wait for the security service"),
            TrySendError::Disconnected(_) => Fault::new(Status::Closed, "the engine is closed"),
        })
    }

    /// How many jobs panicked.
    pub(super) fn panics(&self) -> usize {
        self.panics.load(Ordering::Relaxed)
    }

    /// Takes no more jobs and waits for the threads until `by`; a thread that
    /// is stuck is left behind.
    pub(super) fn close(&self, by: Instant) {
        if let Ok(mut sender) = self.sender.lock() {
            *sender = None;
        }
        let threads = self.threads.lock().map(|mut t| std::mem::take(&mut *t)).unwrap_or_default();
        join_by(threads, by);
    }
}

/// A pool whose threads start with the first job: most hosts never need them.
pub(super) struct Late {
    name: &'static str,
    threads: usize,
    started: Mutex<Option<Pool>>,
}

impl Late {
    pub(super) fn new(name: &'static str, threads: usize) -> Self {
        Self { name, threads, started: Mutex::default() }
    }

    /// Queues a job, unless the engine is `stopping`: that is asked when nobody
    /// else can start the threads any more.
    ///
    /// # Errors
    /// As [`Pool::submit`].
    pub(super) fn submit(&self, stopping: impl FnOnce() -> bool, job: Job) -> Result<(), Fault> {
        let failed = |_| Fault::internal(format!("the {} threads failed earlier", self.name));
        let mut started = self.started.lock().map_err(failed)?;
        if stopping() {
            return Err(Fault::new(Status::Closed, "the engine is closed"));
        }
        let pool = match started.take() {
            Some(pool) => pool,
            None => Pool::new(self.name, self.threads)?,
        };
        started.insert(pool).submit(job)
    }

    /// As [`Pool::close`], if they were started.
    pub(super) fn close(&self, by: Instant) {
        if let Some(pool) = self.started.lock().ok().and_then(|mut started| started.take()) {
            pool.close(by);
        }
    }
}

fn serve(receiver: &Mutex<Receiver<Job>>, panics: &AtomicUsize) {
    loop {
        let job = match receiver.lock() {
            Ok(receiver) => receiver.recv(),
            Err(_) => return,
        };
        let Ok(job) = job else { return };
        if catch_unwind(AssertUnwindSafe(job)).is_err() {
            panics.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Joins threads until `by`; those still running then are left behind.
pub(super) fn join_by(threads: Vec<JoinHandle<()>>, by: Instant) {
    for thread in threads {
        while !thread.is_finished() && Instant::now() < by {
            std::thread::sleep(Duration::from_millis(2));
        }
        if thread.is_finished() {
            // A worker's panic was counted where it happened.
            drop(thread.join());
        }
    }
}

/// A result that is waited for.
pub(super) struct Promise<T> {
    state: Mutex<Option<Result<T, Fault>>>,
    filled: Condvar,
}

impl<T: Clone> Promise<T> {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(None), filled: Condvar::new() })
    }

    /// Fills it; the first result stays.
    pub(super) fn fill(&self, result: Result<T, Fault>) {
        if let Ok(mut state) = self.state.lock() {
            state.get_or_insert(result);
        }
        self.filled.notify_all();
    }

    /// Waits until `by`.
    ///
    /// # Errors
    /// What it was filled with, or [`Status::TimedOut`].
    pub(super) fn wait(&self, by: Instant) -> Result<T, Fault> {
        let mut state = self.state.lock().map_err(|_| Fault::internal("a request to the service failed"))?;
        loop {
            if let Some(result) = state.as_ref() {
                return result.clone();
            }
            let left = by.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Fault::new(Status::TimedOut, "the security service did not answer in time"));
            }
            state = self
                .filled
                .wait_timeout(state, left)
                .map_err(|_| Fault::internal("a request to the service failed"))?
                .0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// a panicking job costs nobody else anything.
    #[test]
    fn x_06_pool_survives_a_panic_and_closes_within_its_bound() {
        let pool = Pool::new("test", 1).unwrap();
        pool.submit(Box::new(|| panic!("on purpose"))).unwrap();
        let promise = Promise::new();
        let filled = Arc::clone(&promise);
        pool.submit(Box::new(move || filled.fill(Ok(7)))).unwrap();
        // What the panic says may take long under a sanitizer.
        assert_eq!(promise.wait(Instant::now() + Duration::from_secs(60)), Ok(7));
        assert_eq!(pool.panics(), 1);
        pool.close(Instant::now() + Duration::from_secs(5));
        assert_eq!(pool.submit(Box::new(|| ())).unwrap_err().status, Status::Closed);
    }

    #[test]
    fn a_wait_without_an_answer_ends_undecided() {
        let promise: Arc<Promise<()>> = Promise::new();
        let fault = promise.wait(Instant::now() + Duration::from_millis(20)).unwrap_err();
        assert_eq!(fault.status, Status::TimedOut);
        assert_eq!(fault.kind(), crate::fault::Kind::Undecided);
    }
}
