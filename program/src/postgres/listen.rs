// SPDX-License-Identifier: Apache-2.0
//! Waking up when something was written. The table of changes is the truth: a
//! wake-up that is lost delays, one that comes for nothing does no harm.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, Once, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};
use tokio_postgres::AsyncMessage;

use super::place::Place;

/// Longest wait for an answer of the server.
const ANSWER: Duration = Duration::from_secs(5);
/// How often the connection is shown to live.
const BEAT: Duration = Duration::from_secs(20);
/// The pause before another attempt.
const PAUSE: Duration = Duration::from_millis(500);
/// Longest wait while nothing can be heard.
const DEAF: Duration = Duration::from_millis(200);

#[derive(Default)]
struct Heard {
    count: Mutex<u64>,
    more: Condvar,
    /// True while the server tells of what is written.
    listening: AtomicBool,
}

impl Heard {
    fn raise(&self) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.more.notify_all();
    }
}

/// See the module's page.
pub(super) struct Listener {
    place: Place,
    runtime: Handle,
    heard: Arc<Heard>,
    begun: Once,
}

impl Listener {
    pub(super) fn new(place: Place, runtime: Handle) -> Self {
        Self { place, runtime, heard: Arc::default(), begun: Once::new() }
    }

    pub(super) fn heard(&self) -> u64 {
        *self.heard.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until more was heard than `heard`, and `up_to` at most.
    pub(super) fn wait(&self, heard: u64, up_to: Duration) {
        // A command that never waits needs no connection for it.
        self.begun.call_once(|| {
            self.runtime.spawn(follow(self.place.clone(), Arc::clone(&self.heard)));
        });
        let deaf = !self.heard.listening.load(Ordering::Acquire);
        let up_to = if deaf { up_to.min(DEAF) } else { up_to };
        let count = self.heard.count.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.heard.more.wait_timeout_while(count, up_to, |count| *count == heard));
    }
}

async fn follow(place: Place, heard: Arc<Heard>) {
    loop {
        hear(&place, &heard).await;
        heard.listening.store(false, Ordering::Release);
        // What happened meanwhile was not told.
        heard.raise();
        sleep(PAUSE).await;
    }
}

/// Hears until the connection ends.
async fn hear(place: &Place, heard: &Arc<Heard>) {
    let Ok(Ok((client, mut connection))) = timeout(ANSWER, place.config.connect(place.tls.clone())).await else {
        return;
    };
    let told = Arc::clone(heard);
    let messages = tokio::spawn(async move {
        while let Some(Ok(message)) = std::future::poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notification(_) = message {
                told.raise();
            }
        }
    });
    if matches!(timeout(ANSWER, client.batch_execute("LISTEN standin")).await, Ok(Ok(()))) {
        heard.listening.store(true, Ordering::Release);
        // What was written before it listened.
        heard.raise();
        while !messages.is_finished() {
            sleep(BEAT).await;
            if !matches!(timeout(ANSWER, client.batch_execute("")).await, Ok(Ok(()))) {
                break;
            }
        }
    }
    messages.abort();
}
