// SPDX-License-Identifier: Apache-2.0
//! The agent is killed, comes back, and was never there.

use std::time::{Duration, Instant};

use standin::decision::Outcome;
use standin::fault::Kind;

use crate::host::Host;
use crate::place::{Place, host_settings, message, until};

const NOW: Duration = Duration::ZERO;
const SOON: Duration = Duration::from_secs(2);

fn kill(agent: &crate::place::Agent) {
    let process = i32::try_from(agent.child.id()).unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(process).unwrap(), rustix::process::Signal::KILL)
        .unwrap();
}

/// P1-26: while the agent is dead, logins are undecided and operations ride on
/// what is known; nothing is refused. When it is back everything goes on,
/// without the host being restarted, changes made meanwhile included.
#[test]
fn p1_26_a_killed_agent_refuses_nobody_and_its_return_is_noticed() {
    let place = Place::new();
    let agent = place.start();
    let host = Host::open(&host_settings(place.dir.path(), &[])).unwrap();
    let user = place.user("writer", "own");
    let id = host.log_in(&message(&user)).unwrap();
    assert_eq!(host.decide(id, "own", NOW), Outcome::Allow);
    assert_eq!(host.decide(id, "other", NOW), Outcome::Deny);

    kill(&agent);
    drop(agent);
    until("the silence", || host.silence() > 300);
    let begun = Instant::now();
    for _ in 0..20 {
        let fault = host.log_in(&message(&user)).unwrap_err();
        assert_eq!(fault.kind(), Kind::Undecided, "{fault}");
    }
    assert!(begun.elapsed() < Duration::from_secs(15), "nobody waits for a process that is not there");
    assert_eq!(host.decide(id, "own", NOW), Outcome::Allow, "known until the feed is silent for too long");
    assert_eq!(host.decide(id, "other", NOW), Outcome::Deny);
    place.allow("writer", "other");

    let _agent = place.start();
    until("the change", || host.decide(id, "own", NOW) == Outcome::Deny);
    assert_eq!(host.decide(id, "other", NOW), Outcome::Allow);
    until("a login", || host.log_in(&message(&user)).is_ok());
    place.store.set_key_active("test", &user.0, false).unwrap();
    until("the end of the key", || host.decide(id, "other", NOW) == Outcome::Deny);
    let mut last = None;
    until("a refusal", || {
        last = host.log_in(&message(&user)).err().map(|f| f.kind());
        last != Some(Kind::Undecided)
    });
    assert_eq!(last, Some(Kind::Refused));
}

/// Freshness bounds an agent that stays away.
#[test]
fn a5_an_agent_that_stays_away_leaves_everything_undecided() {
    let place = Place::new();
    let agent = place.start();
    let short = [("standin.stale.after.ms", "1000"), ("standin.stale.grace.ms", "1000")];
    let host = Host::open(&host_settings(place.dir.path(), &short)).unwrap();
    let id = host.log_in(&message(&place.user("writer", "own"))).unwrap();
    assert_eq!(host.decide(id, "own", NOW), Outcome::Allow);
    kill(&agent);
    until("the bound", || host.decide(id, "own", NOW) == Outcome::Undecided);
    drop(agent);
    let _agent = place.start();
    until("the return", || host.decide(id, "own", NOW) == Outcome::Allow);
}

/// A host may start before its agent; nothing is decided until that is there.
#[test]
fn a_host_may_start_before_its_agent() {
    let place = Place::new();
    let user = place.user("writer", "own");
    let host = Host::open(&host_settings(place.dir.path(), &[])).unwrap();
    let fault = host.log_in(&message(&user)).unwrap_err();
    assert_eq!(fault.kind(), Kind::Undecided, "{fault}");
    let _agent = place.start();
    let mut id = None;
    until("a login", || {
        id = host.log_in(&message(&user)).ok();
        id.is_some()
    });
    until("the feed", || host.decide(id.unwrap(), "own", NOW) == Outcome::Allow);
}

/// P1-42: what the agent keeps on disk serves after a restart: sessions that
/// are decided by the service go on without another login, and further logins
/// are verified without the service. A file that was altered is not used.
#[test]
fn p1_42_what_is_kept_on_disk_serves_after_a_restart() {
    use std::os::unix::fs::{PermissionsExt, chown};
    let place = Place::new();
    let file = place.path("agent/held");
    place.configure(&format!("agent.cache.file = {file:?}"));
    let agent = place.start();
    let remote = [("standin.decide", "remote"), ("standin.decide.ttl.ms", "0")];
    let host = Host::open(&host_settings(place.dir.path(), &remote)).unwrap();
    let user = place.user("writer", "own");
    let id = host.log_in(&message(&user)).unwrap();
    assert_eq!(host.decide(id, "own", SOON), Outcome::Allow);
    let written = || std::fs::metadata(&file).ok().and_then(|m| m.modified().ok());
    let before = written();
    // What is written now was kept before.
    until("the file", || written() > before && file.exists());
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let secret = user.1.expose();
    assert!(!std::fs::read(&file).unwrap().windows(secret.len()).any(|w| w == secret));
    kill(&agent);
    drop(agent);
    let agent = place.start();
    until("a decision", || host.decide(id, "own", SOON) == Outcome::Allow);
    assert_eq!(host.decide(id, "other", SOON), Outcome::Deny);
    let (asked, local) = (host.service_logins(), host.local_logins());
    until("a login", || host.log_in(&message(&user)).is_ok());
    assert_eq!((host.service_logins(), host.local_logins() > local), (asked, true), "verified with the kept key");
    // A key that ended while the agent was away serves nobody.
    let log = agent.log();
    assert!(log.contains("1 credentials were taken over"), "{log}");
    place.store.set_key_active("test", &user.0, false).unwrap();
    let agent = place.start();
    until("the end of the key", || host.decide(id, "own", SOON) == Outcome::Deny);
    drop(agent);
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    chown(&file, Some(crate::place::AGENT), None).unwrap();
    let log = place.start().log();
    assert!(log.contains("is not used: a sealed value was altered"), "{log}");
    assert!(log.contains("0 credentials were taken over"), "{log}");
}

/// Told to stop, it ends in good order and leaves no socket behind.
#[test]
fn an_agent_that_is_told_to_stop_ends_in_good_order() {
    let place = Place::new();
    let mut agent = place.start();
    let host = Host::open(&host_settings(place.dir.path(), &[])).unwrap();
    host.log_in(&message(&place.user("writer", "own"))).unwrap();
    let process = i32::try_from(agent.child.id()).unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(process).unwrap(), rustix::process::Signal::TERM)
        .unwrap();
    assert_eq!(agent.child.wait().unwrap().code(), Some(0));
    assert!(!place.path("run/agent.sock").exists());
}
