// SPDX-License-Identifier: Apache-2.0
//! In the host, the agent's process in the place of the service. Every call
//! has its deadline, few are under way at once, and after a failure connecting
//! is tried again with growing random pauses.

use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use zeroize::Zeroizing;

use super::frame::Line;
use super::message::{
    After, Bytes, Decide, Deliver, Hello, LogIn, Nothing, Renew, Reply, Report, Request, Seal, VERSIONS, Verify,
    WhoseEntitlements,
};
use super::peer;
use crate::credential::{Evidence, EvidenceForm};
use crate::fault::{Fault, Kind, Status};
use crate::files::Kept;
use crate::identity::Identity;
use crate::revision::{At, Revision};
use crate::service::{
    Answer, Change, DecisionPoint, Entitlements, Impersonation, Issued, Known, Proof, Questions, SecurityService,
    SessionReport,
};
use crate::settings::AgentProcess;
use crate::time::{Clock, Random, Steady};

/// Most calls under way at once: the service threads, the worker, and as many
/// of the host's own.
const CONNECTIONS: usize = 16;
/// Idle connections that are kept.
const IDLE: usize = 8;
/// How long calls take at most that have no deadline of their own.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a login's answer is waited for, though its client has given up.
const LATE: Duration = Duration::from_secs(5);
/// Bounds of the pause after a failure to connect, milliseconds.
const PAUSES: (u64, u64) = (10, 1000);
/// Sessions in one message to operators.
const SESSIONS: usize = 1000;

#[derive(Default)]
struct Lines {
    idle: Vec<Kept<Line>>,
    under_way: usize,
    failures: u32,
    not_before: Option<Instant>,
    /// Why it failed.
    why: String,
}

/// See the module's page.
pub struct Link {
    process: AgentProcess,
    host: String,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    lines: Mutex<Lines>,
}

impl Link {
    /// A link to the agent's process, which need not be there yet.
    ///
    /// # Errors
    /// [`Status::InvalidSetting`] when others could stand in the agent's place.
    pub fn open(
        process: &AgentProcess,
        host: &str,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, Fault> {
        match peer::check_socket(&process.socket, process.user) {
            Err(fault) if fault.kind() == Kind::Misuse => return Err(fault),
            _ => {}
        }
        Ok(Self { process: process.clone(), host: host.to_owned(), clock, random, lines: Mutex::default() })
    }

    fn lines(&self) -> Result<MutexGuard<'_, Lines>, Fault> {
        self.lines.lock().map_err(|_| Fault::internal("the link to the agent's process failed earlier"))
    }

    /// Time left until a deadline of the engine's clock.
    fn left(&self, by: Steady) -> Duration {
        let left = by.since(self.clock.steady()).clamp(1, 30_000);
        Duration::from_millis(left.unsigned_abs())
    }

    fn wait_of(within: Duration) -> i64 {
        i64::try_from(within.as_millis()).unwrap_or(i64::MAX)
    }

    /// Asks, within a time.
    fn call(&self, request: &Request, within: Duration) -> Result<Reply, Fault> {
        let by = Instant::now() + within;
        let (kind, body) = request.parts()?;
        let body = Zeroizing::new(body);
        let _under_way = self.enter()?;
        let used = self.lines()?.idle.pop().map(Kept::take).transpose()?;
        let exchange = |mut line: Line| -> Result<Reply, Fault> {
            line.send(kind, &body, by)?;
            let frame = line.receive(Some(by), Duration::ZERO)?;
            let reply = Reply::read(frame.kind, &frame.body)?;
            self.put_back(line);
            Ok(reply)
        };
        let reply = match used.map(exchange) {
            // One that was left from before the agent's process was restarted.
            Some(Err(fault)) if fault.status == Status::Unavailable => {
                self.lines()?.idle.clear();
                exchange(self.connect(by)?)
            }
            Some(result) => result,
            None => exchange(self.connect(by)?),
        };
        match reply? {
            Reply::Failed(fault) => Err(fault.fault()),
            reply => Ok(reply),
        }
    }

    fn enter(&self) -> Result<UnderWay<'_>, Fault> {
        let mut lines = self.lines()?;
        if lines.under_way >= CONNECTIONS {
            return Err(Fault::new(
                Status::Busy,
                format!("{CONNECTIONS} requests to the agent's process are under way"),
            ));
        }
        lines.under_way += 1;
        Ok(UnderWay(self))
    }

    fn put_back(&self, line: Line) {
        if let Ok(mut lines) = self.lines.lock()
            && lines.idle.len() < IDLE
        {
            lines.idle.push(Kept::new(line));
        }
    }

    /// A new connection, greeted; or why there was none a moment ago.
    fn connect(&self, by: Instant) -> Result<Line, Fault> {
        {
            let lines = self.lines()?;
            if lines.not_before.is_some_and(|at| Instant::now() < at) {
                return Err(Fault::unavailable(lines.why.clone()));
            }
        }
        let made = self.reach(by);
        let mut lines = self.lines()?;
        match made {
            Ok(line) => {
                (lines.failures, lines.not_before) = (0, None);
                Ok(line)
            }
            Err(fault) => {
                lines.failures = lines.failures.saturating_add(1);
                lines.not_before = Some(Instant::now() + self.pause(lines.failures));
                lines.why.clone_from(&fault.text);
                // Whatever is wrong with the agent, no client is refused for it.
                let undecided = matches!(fault.kind(), Kind::Undecided);
                Err(if undecided { fault } else { Fault::unavailable(fault.text) })
            }
        }
    }

    fn pause(&self, failures: u32) -> Duration {
        let (least, most) = PAUSES;
        let bound = least.saturating_mul(1 << failures.min(10)).min(most);
        let mut bytes = [0; 8];
        // Without randomness the longest.
        let part = self.random.fill(&mut bytes).map_or(bound, |()| u64::from_le_bytes(bytes) % bound);
        Duration::from_millis(part.max(least))
    }

    fn reach(&self, by: Instant) -> Result<Line, Fault> {
        let AgentProcess { socket, user } = &self.process;
        peer::check_socket(socket, *user)?;
        let shown = socket.display();
        let failed =
            |e: rustix::io::Errno| Fault::unavailable(format!("the agent's process is not there: {shown}: {e}"));
        let made = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).map_err(failed)?;
        // A full queue of a process that hangs must not hold a thread.
        let left = by.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        set_socket_timeout(&made, Timeout::Send, Some(left)).map_err(failed)?;
        connect(&made, &SocketAddrUnix::new(socket).map_err(failed)?).map_err(failed)?;
        let stream = UnixStream::from(made);
        let found = peer::user(&stream)?;
        if found != *user {
            return Err(Fault::unavailable(format!(
                "user {found} listens on {shown}, not the agent's user {user} (standin.agent.user)"
            )));
        }
        let mut line = Line::new(stream);
        let hello = Request::Hello(Hello { oldest: VERSIONS.0, newest: VERSIONS.1, host: self.host.clone() });
        let (kind, body) = hello.parts()?;
        line.send(kind, &body, by)?;
        let frame = line.receive(Some(by), Duration::ZERO)?;
        match Reply::read(frame.kind, &frame.body)? {
            Reply::Welcome(welcome) if (VERSIONS.0..=VERSIONS.1).contains(&welcome.version) => Ok(line),
            Reply::Failed(fault) => Err(fault.fault()),
            _ => Err(Fault::new(Status::NewerFormat, "the agent's process speaks another version of the protocol")),
        }
    }
}

/// A call under way.
struct UnderWay<'a>(&'a Link);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Ok(mut lines) = self.0.lines.lock() {
            lines.under_way = lines.under_way.saturating_sub(1);
        }
    }
}

fn unexpected<T>() -> Result<T, Fault> {
    Err(Fault::unavailable("the agent's process answered something else"))
}

impl SecurityService for Link {
    fn log_in(&self, evidence: &Evidence, _host: &str, lifetime: i64, by: Steady) -> Result<At<Issued>, Fault> {
        // Whoever waits for it has a deadline of its own; what comes late
        // serves the next attempt.
        let within = self.left(by).max(LATE);
        let ask = LogIn { evidence: EvidenceForm::of(evidence), lifetime, wait: Self::wait_of(within) };
        match self.call(&Request::LogIn(ask), within)? {
            Reply::Issued(form) => form.issued(),
            _ => unexpected(),
        }
    }

    fn verify(&self, evidence: &Evidence, kept: &[u8], by: Steady) -> Result<bool, Fault> {
        let within = self.left(by);
        let (evidence, kept) = (EvidenceForm::of(evidence), Bytes(kept.to_vec()));
        match self.call(&Request::Verify(Verify { evidence, kept, wait: Self::wait_of(within) }), within)? {
            Reply::Verified(yes) => Ok(yes),
            _ => unexpected(),
        }
    }

    fn renew(&self, proof: &Proof, lifetime: i64, by: Steady) -> Result<Impersonation, Fault> {
        let within = self.left(by);
        let ask = Renew { kept: Bytes(proof.token.clone()), lifetime, wait: Self::wait_of(within) };
        match self.call(&Request::Renew(ask), within)? {
            Reply::Renewed(form) => Ok(form.impersonation()),
            _ => unexpected(),
        }
    }

    fn entitlements(&self, subject: &Identity, access_key_id: &str) -> Result<At<Entitlements>, Fault> {
        let ask = WhoseEntitlements { subject: subject.arn().to_owned(), access_key_id: access_key_id.to_owned() };
        match self.call(&Request::Entitlements(ask), PATIENCE)? {
            Reply::Entitlements(form) => Ok(form.entitlements()),
            _ => unexpected(),
        }
    }

    fn known_as(&self, name: &str) -> Result<At<Option<Known>>, Fault> {
        match self.call(&Request::KnownAs(name.to_owned()), PATIENCE)? {
            Reply::Known(form) => form.known(),
            _ => unexpected(),
        }
    }

    fn seal(&self, purpose: &str, plain: &[u8]) -> Result<Vec<u8>, Fault> {
        let ask = Seal { purpose: purpose.to_owned(), bytes: Bytes(plain.to_vec()) };
        match self.call(&Request::Seal(ask), PATIENCE)? {
            Reply::Sealed(bytes) => Ok(bytes.0),
            _ => unexpected(),
        }
    }

    fn unseal(&self, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>, Fault> {
        let ask = Seal { purpose: purpose.to_owned(), bytes: Bytes(sealed.to_vec()) };
        match self.call(&Request::Unseal(ask), PATIENCE)? {
            Reply::Unsealed(bytes) => Ok(bytes.0),
            _ => unexpected(),
        }
    }

    fn revision(&self) -> Result<Revision, Fault> {
        match self.call(&Request::Revision(Nothing {}), PATIENCE)? {
            Reply::Revision(number) => Ok(Revision(number)),
            _ => unexpected(),
        }
    }

    fn changes(&self, after: Revision, limit: usize) -> Result<Vec<Change>, Fault> {
        match self.call(&Request::Changes(After { revision: after.0, most: limit }), PATIENCE)? {
            Reply::Changes(forms) => forms.into_iter().map(super::form::ChangeForm::change).collect(),
            _ => unexpected(),
        }
    }

    fn deliver(&self, records: &[String], by: Steady) -> Result<(), Fault> {
        let within = self.left(by);
        let ask = Deliver { records: records.to_vec(), wait: Self::wait_of(within) };
        match self.call(&Request::Deliver(ask), within)? {
            Reply::Delivered(_) => Ok(()),
            _ => unexpected(),
        }
    }

    fn report(&self, boot: &str, _host: &str, report: &SessionReport) -> Result<(), Fault> {
        let (mut begun, mut over) = (report.begun.as_slice(), report.over.as_slice());
        // In pieces that fit into a message: the first one begins anew, where
        // all is told; the others add to it.
        let mut whole = report.whole;
        loop {
            let (now, later) = begun.split_at(begun.len().min(SESSIONS));
            let (ended, remaining) = over.split_at(over.len().min(SESSIONS));
            match self.call(&Request::Report(Report::of(boot, now, ended, whole)), PATIENCE)? {
                Reply::Reported(_) => {}
                _ => return unexpected(),
            }
            (begun, over, whole) = (later, remaining, false);
            if begun.is_empty() && over.is_empty() {
                return Ok(());
            }
        }
    }
}

impl DecisionPoint for Link {
    fn decide(&self, proof: &Proof, questions: &Questions, by: Steady) -> Result<At<Vec<Answer>>, Fault> {
        let within = self.left(by);
        let (kept, questions) = (Bytes(proof.token.clone()), questions.clone());
        match self.call(&Request::Decide(Decide { kept, questions, wait: Self::wait_of(within) }), within)? {
            Reply::Decided(form) => form.decided(),
            _ => unexpected(),
        }
    }
}
