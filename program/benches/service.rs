// SPDX-License-Identifier: Apache-2.0
//! What the service costs: log-ins a second beside a server that says hello
//! over the same TLS, repeat logins of a host whose service is far away beside
//! one with the embedded store, and what many identities take.
//!
//! `service [quick|normal|full]`
//!
//! With `STANDIN_BESIDE`, another `standin` that is measured in the same turns:
//! that of before a change.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a measurement that fails stops")]
#![allow(clippy::cast_precision_loss, reason = "figures for people")]

#[path = "../tests/wire/between.rs"]
#[allow(dead_code, reason = "a part of it is needed")]
mod between;
#[path = "service/hello.rs"]
mod hello;
#[path = "../tests/wire/host.rs"]
#[allow(dead_code, reason = "a part of it is needed")]
mod host;
#[path = "service/many.rs"]
mod many;
#[path = "../tests/wire/place.rs"]
#[allow(dead_code, reason = "a part of it is needed")]
mod place;
#[path = "../tests/wire/raw.rs"]
#[allow(dead_code, reason = "a part of it is needed")]
mod raw;
#[path = "service/repeat.rs"]
mod repeat;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Child;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use standin::credential::EvidenceForm;
use standin::credential::host::{HostCredential, SignedRequest};
use standin::service::wire;

use place::{Place, Serving, clock, evidence, policy};

/// One host asks for more than a host has reason to.
const UNLIMITED: [&str; 6] = ["--limit-host", "off", "--limit-identity", "off", "--limit-account", "off"];
/// Connections that ask at once.
const CONNECTIONS: usize = 4;

/// Processor time a process used so far.
fn used(process: u32) -> Duration {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = text.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

/// Resident memory of a process, megabytes.
fn resident(process: u32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().split(' ').next().unwrap().parse::<f64>().unwrap() / 1024.0
}

/// Sends requests over connections that are kept; how long each took.
fn ask(place: &Place, port: u16, requests: &[Vec<u8>]) -> (Duration, Vec<Duration>) {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(&place.ca).unwrap() {
        roots.add(certificate.unwrap()).unwrap();
    }
    let config = ClientConfig::builder_with_provider(raw::provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let config = Arc::new(config);
    let mut streams: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let name = ServerName::try_from("localhost").unwrap();
            let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
            socket.set_nodelay(true).unwrap();
            let mut stream = StreamOwned::new(ClientConnection::new(Arc::clone(&config), name).unwrap(), socket);
            stream.conn.complete_io(&mut stream.sock).unwrap();
            stream
        })
        .collect();
    let begun = Instant::now();
    let times = std::thread::scope(|scope| {
        let parts = requests.chunks(requests.len().div_ceil(CONNECTIONS));
        let threads: Vec<_> = streams
            .iter_mut()
            .zip(parts)
            .map(|(stream, part)| scope.spawn(move || part.iter().map(|request| one(stream, request)).collect()))
            .collect();
        threads.into_iter().flat_map(|thread| -> Vec<Duration> { thread.join().unwrap() }).collect()
    });
    (begun.elapsed(), times)
}

fn one(stream: &mut StreamOwned<ClientConnection, TcpStream>, request: &[u8]) -> Duration {
    let begun = Instant::now();
    stream.write_all(request).unwrap();
    stream.flush().unwrap();
    let (mut answer, mut part) = (Vec::new(), [0; 16_384]);
    let whole = loop {
        let n = stream.read(&mut part).unwrap();
        assert!(n > 0, "the connection was closed");
        answer.extend_from_slice(&part[..n]);
        let Some(at) = answer.windows(4).position(|w| w == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(&answer[..at]).unwrap().to_lowercase();
        let length = head.lines().find_map(|l| l.strip_prefix("content-length: ")).unwrap().parse::<usize>().unwrap();
        break at + 4 + length;
    };
    while answer.len() < whole {
        let n = stream.read(&mut part).unwrap();
        assert!(n > 0, "the connection was closed");
        answer.extend_from_slice(&part[..n]);
    }
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    begun.elapsed()
}

fn http(path: &str, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Log-ins of a host, signed before the clock runs.
fn logins(host: &HostCredential, keys: &[(String, standin::credential::Secret)], count: usize) -> Vec<Vec<u8>> {
    static NONCE: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    (0..count)
        .map(|n| {
            let shown = evidence(&keys[n % keys.len()], None);
            let ask = wire::LoginAsk { evidence: EvidenceForm::of(&shown), lifetime: 3_600_000, known: Vec::new() };
            let body = wire::write(&ask).unwrap();
            let number = NONCE.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let (nonce, at) = (format!("nonce-of-a-bench-{number}"), clock().wall());
            let path = wire::path::LOGIN;
            let signed =
                SignedRequest { method: "POST", path, host: host.host.arn(), at, nonce: &nonce, body: &body };
            let headers = format!(
                "standin-version: 1\r\nstandin-host: {}\r\nstandin-time: {}\r\nstandin-nonce: {nonce}\r\nstandin-signature: {}\r\n",
                host.host.arn(),
                at.0,
                STANDARD.encode(host.key.sign(&signed))
            );
            http(path, &headers, std::str::from_utf8(&body).unwrap())
        })
        .collect()
}

/// What several rounds came to.
#[derive(Default)]
struct Sum {
    asked: usize,
    took: Duration,
    used: Duration,
    times: Vec<Duration>,
    /// Microseconds of processor time each, round by round.
    rounds: Vec<f64>,
}

impl Sum {
    fn add(&mut self, place: &Place, process: &Child, port: u16, requests: &[Vec<u8>]) {
        let before = used(process.id());
        let (took, times) = ask(place, port, requests);
        let used = used(process.id()) - before;
        self.rounds.push(used.as_secs_f64() * 1e6 / requests.len() as f64);
        self.used += used;
        self.asked += requests.len();
        self.took += took;
        self.times.extend(times);
    }

    fn rate(&self) -> f64 {
        self.asked as f64 / self.took.as_secs_f64()
    }

    fn micros(&self) -> f64 {
        self.used.as_secs_f64() * 1e6 / self.asked as f64
    }

    fn print(&mut self, name: &str) {
        self.times.sort_unstable();
        let at = |part: f64| self.times[((self.times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
        self.rounds.sort_unstable_by(f64::total_cmp);
        println!(
            "{name:<24} {:>8.0} a second  p50 {:.2} ms  p99 {:.2} ms  {:.0} µs of the server's processor each, {:.0} in the lowest round",
            self.rate(),
            at(0.5),
            at(0.99),
            self.micros(),
            self.rounds[0]
        );
    }
}

/// A service with a host and people who log in.
struct Candidate {
    name: &'static str,
    place: Place,
    serving: Serving,
    host: HostCredential,
    keys: Vec<(String, standin::credential::Secret)>,
    sum: Sum,
}

impl Candidate {
    fn new(name: &'static str, program: &str) -> Self {
        let place = Place::new();
        let serving = Serving::start_as(program, &place.url, &place, 0, &UNLIMITED);
        let host = HostCredential::read(&place.enroll(&serving, "demo/1")).unwrap();
        let keys = (0..100)
            .map(|n| place.user(&format!("u{n}"), &policy("Allow", &["kafka-cluster:*"], &format!("t{n}"))))
            .collect();
        Self { name, place, serving, host, keys, sum: Sum::default() }
    }
}

fn log_ins(rounds: usize, count: usize) {
    let beside = std::env::var("STANDIN_BESIDE").ok();
    let mut candidates = vec![Candidate::new("standin serve, log-ins", env!("CARGO_BIN_EXE_standin"))];
    candidates.extend(beside.map(|program| Candidate::new("the other, log-ins", &program)));
    let place = Place::new();
    let (hello, hello_port) = hello::start(&place);
    let mut nothing = Sum::default();
    for round in 0..=rounds {
        // The first round only warms all.
        let kept = round > 0;
        let mut same = Vec::new();
        for one in &mut candidates {
            let requests = logins(&one.host, &one.keys, count);
            // As long as a login.
            same = requests.iter().map(|r| http("/", "", &"x".repeat(r.len() - 120))).collect();
            let mut warming = Sum::default();
            let sum = if kept { &mut one.sum } else { &mut warming };
            sum.add(&one.place, &one.serving.child, one.serving.port, &requests);
        }
        let mut warming = Sum::default();
        let sum = if kept { &mut nothing } else { &mut warming };
        sum.add(&place, hello.process(), hello_port, &same);
    }
    println!("{CONNECTIONS} connections, {} requests each, in turns:", nothing.asked);
    nothing.print("axum, hello");
    for Candidate { name, sum, .. } in &mut candidates {
        sum.print(name);
        println!(
            "ratio to hello: {:.2} by the clock, {:.1} times the processor time, {:.1} of the lowest rounds",
            sum.rate() / nothing.rate(),
            sum.micros() / nothing.micros(),
            sum.rounds[0] / nothing.rounds[0]
        );
    }
}

fn main() {
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with("--"));
    let word = words.next();
    if word.as_deref() == Some("hello") {
        hello::serve(&words.next().unwrap(), &words.next().unwrap());
        return;
    }
    let (rounds, count, many) = match word.as_deref() {
        None | Some("quick") => (3, 400, 2_000),
        Some("normal") => (10, 2000, 20_000),
        Some("full") => (20, 4000, 100_000),
        Some(other) => panic!("{other}: quick, normal or full is accepted"),
    };
    log_ins(rounds, count);
    repeat::measure(rounds);
    many::measure(many);
}
