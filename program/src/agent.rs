// SPDX-License-Identifier: Apache-2.0
//! `standin agent`: the agent of a host as a process of its own, which holds
//! everything secret. Runs in the foreground until it is told to stop.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use standin::audit::Journal;
use standin::fault::{Fault, Status};
use standin::mechanism;
use standin::placement::{Cache, Keeper, Server};
use standin::service;
use standin::settings::{AgentSettings, Given, Scope};
use standin::time::{Clock, Random, SystemClock, SystemRandom};
use tokio::signal::unix::{SignalKind, signal};

use crate::output;

/// How long answers under way may still take when it is told to stop.
const FAREWELL: Duration = Duration::from_secs(5);
/// How often log lines are written.
const LINES: Duration = Duration::from_millis(100);

/// Options of `standin agent`.
#[derive(Args)]
pub(crate) struct Agent {
    /// TOML file with the agent's settings; see docs/agent.md.
    #[arg(long, env = "STANDIN_CONFIG")]
    config: PathBuf,
}

impl Agent {
    pub(crate) fn run(self) -> Result<ExitCode, Fault> {
        let journal = Arc::new(Journal::default());
        // Before anything secret is read.
        close_memory(&journal)?;
        let file = self.config.to_str().ok_or_else(|| misuse("--config: a path in UTF-8 is accepted".into()))?;
        let given = Given::read([("standin.config", file)], None)?;
        let (own, settings) = (AgentSettings::of(&given)?, mechanism::settings_of(&given)?);
        if own.host_users.contains(&rustix::process::geteuid().as_raw()) {
            journal.line(
                "warn",
                "a host runs as the same user: it can read this process's files, which then protects little",
            );
        }
        given.shown(Scope::Engine).iter().for_each(|line| journal.line("info", line));
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let random: Arc<dyn Random> = Arc::new(SystemRandom);
        let ends = service::open(&settings, &clock, &random)?;
        let keeper = Arc::new(Keeper::new(ends, &settings, clock, Arc::clone(&random)));
        let cache = own.cache.as_ref().map(|files| Cache::open(files, &settings.host, &*random, &journal));
        let cache = cache.transpose()?.map(Arc::new);
        if let Some(cache) = &cache {
            let kept = keeper.restore(cache)?;
            journal.line("info", &format!("{kept} credentials were taken over from before the restart"));
        }
        let mut server = Server::start(
            &own.socket,
            &own.host_users,
            Arc::clone(&keeper),
            Arc::clone(&journal),
            saving(Arc::clone(&keeper), cache.clone(), Arc::clone(&journal)),
        )?;
        print(&journal);
        output::line(&format!("READY {}", own.socket.display()));
        tell_manager("READY=1");
        wait_for_the_end(&journal)?;
        tell_manager("STOPPING=1");
        if let Some(cache) = &cache {
            cache.hurry();
            saving(Arc::clone(&keeper), Some(Arc::clone(cache)), Arc::clone(&journal))();
        }
        server.stop(FAREWELL);
        print(&journal);
        Ok(ExitCode::SUCCESS)
    }
}

fn misuse(text: String) -> Fault {
    Fault::new(Status::InvalidSetting, text)
}

/// No core dump, no reading of this memory by the same user's other processes,
/// and nothing of it in swap space where that is allowed.
fn close_memory(journal: &Journal) -> Result<(), Fault> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none).map_err(|e| Fault::internal(format!("core dumps cannot be disabled: {e}")))?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|e| Fault::internal(format!("this process's memory cannot be closed to others: {e}")))?;
    use rustix::mm::{MlockAllFlags, mlockall};
    if let Err(e) = mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE) {
        journal
            .line("warn", &format!("memory may be swapped out ({e}); raise LimitMEMLOCK, or encrypt the swap space"));
    }
    Ok(())
}

/// Writes what is kept, when there is a file for it.
fn saving(keeper: Arc<Keeper>, cache: Option<Arc<Cache>>, journal: Arc<Journal>) -> impl FnMut() + Send {
    let mut failing = false;
    move || {
        let Some(cache) = &cache else { return };
        match keeper.save(cache) {
            Ok(()) => failing = false,
            Err(fault) if !failing => {
                failing = true;
                journal.line("error", &format!("what is kept was not written: {fault}"));
            }
            Err(_) => {}
        }
    }
}

/// Writes log lines until the process is told to stop.
fn wait_for_the_end(journal: &Journal) -> Result<(), Fault> {
    let failed = |e: std::io::Error| Fault::internal(format!("signals: {e}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        loop {
            tokio::select! {
                _ = terminate.recv() => return Ok(()),
                _ = interrupt.recv() => return Ok(()),
                () = tokio::time::sleep(LINES) => print(journal),
            }
        }
    })
}

fn print(journal: &Journal) {
    for line in journal.take(1000) {
        eprintln!("{line}");
    }
}

/// Tells systemd, if it started this process, how it stands.
fn tell_manager(state: &str) {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let Ok(sender) = UnixDatagram::unbound() else { return };
    let text = socket.to_string_lossy();
    let address = match text.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&socket),
    };
    // Without an answer it was not systemd.
    let _sent = address.and_then(|address| sender.send_to_addr(state.as_bytes(), &address));
}
