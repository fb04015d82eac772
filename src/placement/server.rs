// SPDX-License-Identifier: Apache-2.0
//! Answers hosts over the socket: one thread for each connection, one request
//! at a time on each.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use super::form::{ChangeForm, DecidedForm, EntitlementsForm, FaultForm, IssuedForm, KeptForm, KnownForm};
use super::frame::Line;
use super::message::{Bytes, Hello, Nothing, Reply, Request, VERSIONS, Welcome};
use super::{Keeper, peer};
use crate::audit::Journal;
use crate::fault::{Fault, Kind, Status};
use crate::identity::Identity;
use crate::revision::Revision;
use crate::service::{DecisionPoint, Impersonation, SecurityService};
use crate::time::UnixMillis;

/// Most connections at once.
const CONNECTIONS: usize = 128;
/// How long a message may take that has begun.
const MESSAGE: Duration = Duration::from_secs(5);
/// How often the keeper follows changes and drops what is over, milliseconds;
/// hosts have it follow more often than that.
const TURN: i64 = 500;
/// Longest time a host may give an answer, milliseconds.
const LONGEST_WAIT: i64 = 30_000;
/// Most changes in one answer.
const CHANGES: usize = 1000;

struct Shared {
    keeper: Arc<Keeper>,
    users: Vec<u32>,
    journal: Arc<Journal>,
    stop: AtomicBool,
    /// Readable once it stops.
    stopped: OwnedFd,
    refused: AtomicU64,
    /// Connections by number, to be shut at the end.
    open: Mutex<HashMap<u64, UnixStream>>,
}

/// See the module's page.
pub struct Server {
    shared: Arc<Shared>,
    socket: PathBuf,
    accepting: Option<JoinHandle<()>>,
    turning: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens on `socket` for processes of these users.
    ///
    /// # Errors
    /// [`Status::InvalidSetting`] when others could reach the socket;
    /// [`Status::Conflict`] when another agent listens there.
    pub fn start(
        socket: &Path,
        users: &[u32],
        keeper: Arc<Keeper>,
        journal: Arc<Journal>,
        turn: impl FnMut() + Send + 'static,
    ) -> Result<Self, Fault> {
        let listener = listen(socket, users)?;
        let shared = Arc::new(Shared {
            keeper,
            users: users.to_vec(),
            journal,
            stop: AtomicBool::new(false),
            stopped: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
                .map_err(|e| Fault::internal(format!("no descriptor to stop by: {e}")))?,
            refused: AtomicU64::new(0),
            open: Mutex::default(),
        });
        let (accepted, turned) = (Arc::clone(&shared), Arc::clone(&shared));
        let accepting = thread("standin-accept", move || accept(&accepted, &listener))?;
        let turning = thread("standin-keeper", move || repeat(&turned, turn))?;
        Ok(Self { shared, socket: socket.to_path_buf(), accepting: Some(accepting), turning: Some(turning) })
    }

    /// How many connections were turned away because of their user.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.shared.refused.load(Ordering::Relaxed)
    }

    /// How many hosts' connections are open.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.open.lock().map(|open| open.len()).unwrap_or(0)
    }

    /// Takes no more connections, lets answers under way go out for `wait`, and
    /// wipes what is kept.
    pub fn stop(&mut self, wait: Duration) {
        if self.shared.stop.swap(true, Ordering::AcqRel) {
            return;
        }
        self.shared.keeper.interrupt();
        let _woken = rustix::io::write(&self.shared.stopped, &1u64.to_ne_bytes());
        let _gone = std::fs::remove_file(&self.socket);
        let by = Instant::now() + wait;
        for thread in [self.accepting.take(), self.turning.take()].into_iter().flatten() {
            // A panic in it was told where it happened.
            drop(thread.join());
        }
        if let Ok(open) = self.shared.open.lock() {
            // What is being answered still goes out; nothing more is read.
            open.values().for_each(|stream| drop(stream.shutdown(std::net::Shutdown::Read)));
        }
        while self.connections() > 0 && Instant::now() < by {
            std::thread::sleep(Duration::from_millis(2));
        }
        if let Ok(open) = self.shared.open.lock() {
            open.values().for_each(|stream| drop(stream.shutdown(std::net::Shutdown::Both)));
        }
        self.shared.keeper.clear();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop(Duration::ZERO);
    }
}

fn thread(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Fault> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map_err(|e| Fault::internal(format!("a thread could not be started: {e}")))
}

fn listen(socket: &Path, users: &[u32]) -> Result<UnixListener, Fault> {
    let shown = socket.display();
    let own = rustix::process::geteuid().as_raw();
    peer::check_directory(socket, own)?;
    let failed = |e: std::io::Error| Fault::new(Status::InvalidSetting, format!("the agent's socket {shown}: {e}"));
    match UnixStream::connect(socket) {
        Ok(_) => return Err(Fault::new(Status::Conflict, format!("another agent listens on {shown}"))),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        // Left behind by one that was killed.
        Err(e) if e.kind() == std::io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(socket).map_err(failed)?;
        }
        Err(e) => return Err(failed(e)),
    }
    let listener = UnixListener::bind(socket).map_err(failed)?;
    // Until here the directory keeps others away.
    let mode = if users.iter().all(|user| *user == own) { 0o600 } else { 0o660 };
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(mode)).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(listener)
}

fn accept(shared: &Arc<Shared>, listener: &UnixListener) {
    let mut number = 0;
    while !shared.stop.load(Ordering::Acquire) {
        let stopped = PollFd::new(&shared.stopped, PollFlags::IN);
        let ready = poll(&mut [PollFd::new(listener, PollFlags::IN), stopped], None);
        let Ok((stream, _)) = listener.accept() else {
            if ready.is_ok() {
                // Without descriptors, for one, it would be ready all the time.
                std::thread::sleep(Duration::from_millis(5));
            }
            continue;
        };
        match admitted(shared, &stream) {
            Ok(()) => {
                number += 1;
                serve_aside(shared, number, stream);
            }
            Err(fault) => {
                let n = shared.refused.fetch_add(1, Ordering::Relaxed);
                // The first, and then ever more seldom: a loop must not fill the log.
                if (n + 1).is_power_of_two() {
                    shared.journal.line("warn", &format!("a connection was refused ({} so far): {fault}", n + 1));
                }
            }
        }
    }
}

fn admitted(shared: &Shared, stream: &UnixStream) -> Result<(), Fault> {
    let user = peer::user(stream)?;
    if !shared.users.contains(&user) {
        let text = format!("user {user} is none of standin.agent.host.users");
        return Err(Fault::new(Status::NotAllowed, text));
    }
    if shared.open.lock().map_or(true, |open| open.len() >= CONNECTIONS) {
        return Err(Fault::new(Status::Busy, format!("{CONNECTIONS} connections are open")));
    }
    stream.set_nonblocking(false).map_err(|e| Fault::unavailable(e.to_string()))
}

fn serve_aside(shared: &Arc<Shared>, number: u64, stream: UnixStream) {
    let Ok(known) = stream.try_clone() else { return };
    if let Ok(mut open) = shared.open.lock() {
        open.insert(number, known);
    }
    let here = Arc::clone(shared);
    let run = move || {
        let serving = catch_unwind(AssertUnwindSafe(|| serve(&here, Line::new(stream))));
        if serving.is_err() {
            here.journal.line("error", "a connection's thread panicked");
        }
        if let Ok(mut open) = here.open.lock() {
            open.remove(&number);
        }
    };
    if thread(&format!("standin-host-{number}"), run).is_err()
        && let Ok(mut open) = shared.open.lock()
    {
        open.remove(&number);
    }
}

fn repeat(shared: &Shared, mut turn: impl FnMut()) {
    let mut failing = false;
    while !shared.stop.load(Ordering::Acquire) {
        let turned = catch_unwind(AssertUnwindSafe(|| {
            let turned = shared.keeper.turn();
            turn();
            turned
        }));
        let at_once = matches!(turned, Ok(Ok(true)));
        match turned {
            Ok(Ok(_)) if failing => {
                failing = false;
                shared.journal.line("info", "the service is heard again");
            }
            Ok(Err(fault)) if !failing => {
                failing = true;
                shared.journal.line("warn", &format!("the service is not heard: {fault}"));
            }
            Ok(_) => {}
            Err(_) => shared.journal.line("error", "a background task panicked; it runs again"),
        }
        if at_once {
            continue;
        }
        let wait = Timespec { tv_sec: TURN / 1000, tv_nsec: (TURN % 1000) * 1_000_000 };
        let _woken = poll(&mut [PollFd::new(&shared.stopped, PollFlags::IN)], Some(&wait));
    }
}

/// Greets, then answers until the host is gone.
fn serve(shared: &Shared, mut line: Line) {
    let answer = |line: &mut Line| -> Result<(), Fault> {
        let frame = line.receive(None, MESSAGE)?;
        let reply = match Request::read(frame.kind, &frame.body)? {
            Request::Hello(hello) => greet(shared, &hello)?,
            _ => return Err(Fault::unavailable("a connection begins with a greeting")),
        };
        send(line, &reply)?;
        while !shared.stop.load(Ordering::Acquire) {
            let frame = line.receive(None, MESSAGE)?;
            // What cannot be read is answered, and the connection goes on: its
            // frames are whole.
            let request = Request::read(frame.kind, &frame.body);
            drop(frame);
            let reply = request.and_then(|request| {
                catch_unwind(AssertUnwindSafe(|| carry_out(&shared.keeper, request)))
                    .unwrap_or_else(|_| Err(Fault::new(Status::Panic, "the agent's process panicked")))
            });
            if let Err(fault) = &reply
                && fault.kind() == Kind::Internal
            {
                shared.journal.line("error", &fault.text);
            }
            send(line, &reply.unwrap_or_else(|fault| Reply::Failed(FaultForm::of(&fault))))?;
        }
        Ok(())
    };
    if let Err(fault) = answer(&mut line) {
        // Tells a peer that still listens why; otherwise it is gone anyway.
        let _told = send(&mut line, &Reply::Failed(FaultForm::of(&fault)));
    }
}

fn send(line: &mut Line, reply: &Reply) -> Result<(), Fault> {
    let (kind, body) = reply.parts()?;
    let body = zeroize::Zeroizing::new(body);
    line.send(kind, &body, Instant::now() + MESSAGE)
}

fn greet(shared: &Shared, hello: &Hello) -> Result<Reply, Fault> {
    let version = hello.newest.min(VERSIONS.1);
    if version < hello.oldest.max(VERSIONS.0) {
        return Err(Fault::new(
            Status::NewerFormat,
            format!(
                "the host speaks versions {} to {} of the protocol, the agent's process {} to {}",
                hello.oldest, hello.newest, VERSIONS.0, VERSIONS.1
            ),
        ));
    }
    if hello.host != shared.keeper.host() {
        return Err(Fault::unavailable(format!(
            "the host calls itself {}, the agent's process belongs to {} (standin.host)",
            hello.host,
            shared.keeper.host()
        )));
    }
    Ok(Reply::Welcome(Welcome { version }))
}

/// Proves nothing by itself: names what the keeper is to prove with.
fn named(kept: Bytes) -> Impersonation {
    Impersonation { id: String::new(), secret: None, token: kept.0, expires: UnixMillis(0) }
}

fn carry_out(keeper: &Keeper, request: Request) -> Result<Reply, Fault> {
    let (host, clock) = (keeper.host(), keeper.clock());
    let by = |wait: i64| clock.steady().plus(wait.clamp(1, LONGEST_WAIT));
    Ok(match request {
        Request::Hello(_) => return Err(Fault::unavailable("a greeting comes once")),
        Request::LogIn(ask) => Reply::Issued(IssuedForm::of(&keeper.log_in(
            &ask.evidence.evidence()?,
            host,
            ask.lifetime,
            by(ask.wait),
        )?)),
        Request::Verify(ask) => Reply::Verified(keeper.verify(&ask.evidence.evidence()?, &ask.kept.0, by(ask.wait))?),
        Request::Renew(ask) => {
            let proof = named(ask.kept).prove(host, clock.wall(), "", b"");
            Reply::Renewed(KeptForm::of(&keeper.renew(&proof, ask.lifetime, by(ask.wait))?))
        }
        Request::Decide(ask) => {
            let proof = named(ask.kept).prove(host, clock.wall(), "", b"");
            Reply::Decided(DecidedForm::of(&keeper.decide(&proof, &ask.questions, by(ask.wait))?))
        }
        Request::Entitlements(ask) => {
            let at = keeper.entitlements(&Identity::parse(&ask.subject)?, &ask.access_key_id)?;
            Reply::Entitlements(EntitlementsForm::of(at.revision, &at.value))
        }
        Request::Seal(ask) => Reply::Sealed(Bytes(keeper.seal(&ask.purpose, &ask.bytes.0)?)),
        Request::Unseal(ask) => Reply::Unsealed(Bytes(keeper.unseal(&ask.purpose, &ask.bytes.0)?)),
        Request::Revision(_) => Reply::Revision(keeper.revision()?.0),
        Request::Changes(ask) => {
            let changes = keeper.changes(Revision(ask.revision), ask.most.min(CHANGES))?;
            Reply::Changes(changes.iter().map(ChangeForm::of).collect())
        }
        Request::KnownAs(name) => Reply::Known(KnownForm::of(&keeper.known_as(&name)?)),
        Request::Deliver(ask) => {
            keeper.deliver(&ask.records, by(ask.wait))?;
            Reply::Delivered(Nothing {})
        }
        Request::Report(ask) => {
            let boot = ask.boot.clone();
            keeper.report(&boot, host, &ask.report())?;
            Reply::Reported(Nothing {})
        }
    })
}
