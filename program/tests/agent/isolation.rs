// SPDX-License-Identifier: Apache-2.0
//! What a host cannot get at, and who cannot get at the agent.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use standin::credential::envelope::KeyRing;
use standin::credential::sigv4::{SigningKey, read_msk_iam};
use standin::fault::{Kind, Status};

use crate::host::Host;
use crate::memory;
use crate::place::{AGENT, Place, host_settings, message, until};

/// A host in another process: this program, started anew.
struct Far {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Drop for Far {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

impl Far {
    fn start(dir: &Path, placement: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "isolation::a_host_in_a_process_of_its_own", "--nocapture"])
            .env("STANDIN_TEST_PLACE", dir)
            .env("STANDIN_TEST_PLACEMENT", placement)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, to, from }
    }

    fn log_in(&mut self, message: &str) {
        writeln!(self.to, "{message}").unwrap();
        let mut line = String::new();
        // The frame of the tests prints lines of its own.
        while !line.contains("session") && !line.contains("fault") {
            line.clear();
            assert!(self.from.read_line(&mut line).unwrap() > 0, "the host is gone");
        }
        assert!(line.contains("session"), "{line}");
    }
}

/// Not a test: the other process. It never sees a client's secret.
#[test]
#[ignore = "started by others"]
fn a_host_in_a_process_of_its_own() {
    let dir = std::env::var("STANDIN_TEST_PLACE").unwrap();
    let dir = Path::new(&dir);
    let store = dir.join("agent/store.db");
    let given = if std::env::var("STANDIN_TEST_PLACEMENT").unwrap() == "process" {
        host_settings(dir, &[])
    } else {
        let pairs = [
            ("standin.store", store.to_str().unwrap()),
            ("standin.audit.dir", dir.to_str().unwrap()),
            ("standin.cluster.arn", crate::place::CLUSTER),
            ("standin.hosts", "localhost"),
        ];
        standin::settings::Given::read(pairs, None).unwrap()
    };
    let host = Host::open(&given).unwrap();
    for line in std::io::stdin().lines() {
        match host.log_in(&line.unwrap()) {
            Ok(id) => println!("\nsession {}", id.number()),
            Err(fault) => println!("\nfault {fault}"),
        }
    }
}

/// Whatever stands in a process's memory of impersonation credentials and
/// verification keys. The store's key file opens sealed tokens, which hold the
/// secret that goes with them.
struct Found {
    tokens: usize,
    secrets: usize,
    keys: usize,
}

fn look(place: &Place, process: u32, keys: &[Vec<u8>]) -> Found {
    let key_file = place.path("agent/store.db.key");
    let ring = KeyRing::read(&key_file).unwrap();
    let text = std::fs::read_to_string(&key_file).unwrap();
    let id = text.lines().nth(1).unwrap().split(' ').next().unwrap().to_owned();
    let mut head = vec![1, u8::try_from(id.len()).unwrap()];
    head.extend_from_slice(id.as_bytes());
    let mut tokens = 0;
    let mut secrets = Vec::new();
    for bytes in memory::begin_with(process, &head, 8192) {
        // How long it is, is not known: the seal tells.
        let opened = (head.len() + 28..bytes.len()).find_map(|n| ring.open(b"impersonation-token", &bytes[..n]).ok());
        if let Some(plain) = opened {
            tokens += 1;
            let token: serde_json::Value = serde_json::from_slice(plain.expose()).unwrap();
            let secret = token["secret"].as_array().unwrap();
            secrets.push(secret.iter().map(|b| u8::try_from(b.as_u64().unwrap()).unwrap()).collect::<Vec<u8>>());
        }
    }
    Found { tokens, secrets: memory::find(process, &secrets).len(), keys: memory::find(process, keys).len() }
}

/// P1-26: a core dump of the host holds no impersonation credential and no
/// verification key when the agent is a process of its own. With the agent as
/// a thread it does, so that this test can fail.
#[test]
fn p1_26_the_hosts_memory_holds_no_secret() {
    let place = Place::new();
    let user = place.user("writer", "own");
    let text = message(&user);
    let claim = read_msk_iam(text.as_bytes()).unwrap();
    let key = SigningKey::derive(&user.1, claim.scope_date(), claim.region(), claim.service());
    let keys = [key.expose().expose().to_vec()];

    let mut near = Far::start(place.dir.path(), "thread");
    near.log_in(&text);
    near.log_in(&text);
    let found = look(&place, near.child.id(), &keys);
    assert!(found.tokens >= 1 && found.secrets >= 1 && found.keys == 1, "this looks in the wrong place");
    drop(near);

    place.configure("");
    let agent = place.start();
    let mut far = Far::start(place.dir.path(), "process");
    far.log_in(&text);
    far.log_in(&text);
    let found = look(&place, agent.child.id(), &keys);
    assert!(found.tokens >= 1 && found.secrets >= 1 && found.keys == 1, "the agent holds it");
    let found = look(&place, far.child.id(), &keys);
    assert_eq!((found.tokens, found.secrets, found.keys), (0, 0, 0), "the host holds it");
}

/// Not a test: a process of another user, which tells how far it came.
#[test]
#[ignore = "started by others"]
fn a_connection_of_another_user() {
    let socket = std::env::var("STANDIN_TEST_SOCKET").unwrap();
    match UnixStream::connect(socket) {
        Ok(mut stream) => {
            stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
            println!("\nconnected, received {}", stream.read(&mut [0; 100]).unwrap());
        }
        Err(e) => println!("\nnot connected: {:?}", e.kind()),
    }
}

/// P1-27: between host and agent there is a Unix socket and nothing else, and
/// it is closed to others; processes of another user are turned away though
/// they reach it.
#[test]
fn p1_27_the_agent_talks_to_its_hosts_user_only() {
    let place = Place::new();
    let agent = place.start();
    let host = Host::open(&host_settings(place.dir.path(), &[])).unwrap();
    host.log_in(&message(&place.user("writer", "own"))).unwrap();
    let socket = place.path("run/agent.sock");
    let meta = std::fs::metadata(&socket).unwrap();
    assert!(meta.file_type().is_socket());
    assert_eq!((meta.mode() & 0o777, meta.uid()), (0o660, AGENT));
    // Its descriptors: no network socket among them.
    let sockets: Vec<String> = std::fs::read_dir(format!("/proc/{}/fd", agent.child.id()))
        .unwrap()
        .filter_map(|fd| Some(std::fs::read_link(fd.ok()?.path()).ok()?.to_str()?.to_owned()))
        .filter_map(|link| Some(link.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let unix = std::fs::read_to_string("/proc/net/unix").unwrap();
    let of_unix: Vec<&str> = unix.lines().filter_map(|l| l.split_whitespace().nth(6)).collect();
    assert!(sockets.len() >= 2 && sockets.iter().all(|inode| of_unix.contains(&inode.as_str())), "{sockets:?}");

    // Root's other name for it would do; a user that may reach it is needed.
    let dir = place.path("run");
    chown(&dir, None, Some(4321)).unwrap();
    chown(&socket, None, Some(4321)).unwrap();
    // Where this was built may be closed to it.
    let program = place.path("other");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let reach = || {
        let out = Command::new("setpriv")
            .args(["--reuid", "4321", "--regid", "4321", "--clear-groups"])
            .arg(&program)
            .args(["--ignored", "--exact", "isolation::a_connection_of_another_user", "--nocapture"])
            .env("STANDIN_TEST_SOCKET", &socket)
            .output()
            .unwrap();
        String::from_utf8(out.stdout).unwrap()
    };
    let text = reach();
    assert!(text.contains("connected, received 0"), "{text}");
    // And one that may not reach it does not come that far.
    chown(&dir, None, Some(AGENT)).unwrap();
    let text = reach();
    assert!(text.contains("not connected: PermissionDenied"), "{text}");
    drop(host);
    let log = agent.log();
    assert!(log.contains("user 4321 is none of standin.agent.host.users"), "{log}");
}

/// P1-27: a host believes no socket that another user could have put there.
#[test]
fn p1_27_a_host_talks_to_its_agents_user_only() {
    let place = Place::new();
    let _agent = place.start();
    let (dir, socket) = (place.path("run"), place.path("run/agent.sock"));
    let refused = |more: &[(&str, &str)]| {
        let fault = Host::open(&host_settings(place.dir.path(), more)).err().expect("it is refused");
        assert_eq!(fault.status, Status::InvalidSetting, "{fault}");
        fault.text
    };
    assert!(refused(&[("standin.agent.user", "4321")]).contains("belongs to user 65534"));
    let mode = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(&dir, 0o755);
    assert!(refused(&[]).contains("chmod 750"));
    mode(&dir, 0o770);
    assert!(refused(&[]).contains("chmod 750"));
    mode(&dir, 0o750);
    mode(&socket, 0o666);
    assert!(refused(&[]).contains("others may connect"));
    mode(&socket, 0o660);
    // A socket of the right owner with somebody else behind it.
    let other = place.path("run/other.sock");
    let _listener = std::os::unix::net::UnixListener::bind(&other).unwrap();
    chown(&other, Some(AGENT), None).unwrap();
    mode(&other, 0o660);
    let host =
        Host::open(&host_settings(place.dir.path(), &[("standin.agent.socket", other.to_str().unwrap())])).unwrap();
    let fault = host.log_in(&message(&place.user("writer", "own"))).unwrap_err();
    assert_eq!(fault.kind(), Kind::Undecided);
    assert!(fault.text.contains("user 0 listens on"), "{fault}");
}

/// The agent does not start where others could reach its socket, and not twice.
#[test]
fn an_agent_starts_only_where_its_socket_is_its_own() {
    let place = Place::new();
    let dir = place.path("run");
    let fails = |part: &str| {
        let out = place.command().output().unwrap();
        let text = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(!out.status.success() && text.contains(part), "{text}");
    };
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o755)).unwrap();
    fails("chmod 750");
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o750)).unwrap();
    chown(&dir, Some(4321), None).unwrap();
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o750)).unwrap();
    chown(&dir, Some(4321), Some(AGENT)).unwrap();
    fails("belongs to user 4321");
    chown(&dir, Some(AGENT), None).unwrap();
    let agent = place.start();
    fails("another agent listens");
    drop(agent);
    // What a killed one leaves behind is in nobody's way.
    assert!(place.path("run/agent.sock").exists());
    let agent = place.start();
    let host = Host::open(&host_settings(place.dir.path(), &[])).unwrap();
    let user = place.user("writer", "own");
    until("a login", || host.log_in(&message(&user)).is_ok());
    drop(agent);
}
