// SPDX-License-Identifier: Apache-2.0
//! What stands between a host and the service: fair, it passes everything on;
//! else it does what networks, proxies and machines do.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use crate::place::Certificate;
use crate::raw::{Head, provider, server};

/// What becomes of one request.
pub(crate) enum Weather {
    /// It is passed on, and so is its answer.
    Fair,
    /// The connection is closed.
    Cut,
    /// It is passed on after a while.
    Late(Duration),
    /// These bytes come back instead.
    Answer(Vec<u8>),
    /// It is passed on, and half of its answer comes back.
    Half,
    /// It is passed on; its answer waits.
    Held(Arc<Gate>),
}

/// Where answers wait until it is opened.
#[derive(Default)]
pub(crate) struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
    /// Answers that came this far.
    pub(crate) reached: AtomicUsize,
}

impl Gate {
    pub(crate) fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }

    fn pass(&self) {
        self.reached.fetch_add(1, Ordering::SeqCst);
        let open = self.open.lock().unwrap();
        drop(self.opened.wait_timeout_while(open, Duration::from_secs(60), |open| !*open).unwrap());
    }
}

type Sky = dyn Fn(&Head) -> Weather + Send + Sync;

struct Inner {
    to: AtomicU16,
    sky: Mutex<Arc<Sky>>,
    shown: Mutex<Arc<ServerConfig>>,
    trusted: Arc<ClientConfig>,
    /// Counts requests by path.
    asked: Mutex<BTreeMap<String, u64>>,
    open: Mutex<Vec<TcpStream>>,
    over: AtomicBool,
}

/// See the module's page.
pub(crate) struct Between {
    pub(crate) port: u16,
    inner: Arc<Inner>,
}

impl Drop for Between {
    fn drop(&mut self) {
        self.inner.over.store(true, Ordering::SeqCst);
        self.cut();
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

impl Between {
    /// Shows `certificate` and leads to a service on port `to`, whose
    /// certificate is of an authority in `ca`.
    pub(crate) fn new(certificate: &Certificate, ca: &Path, to: u16) -> Self {
        let mut roots = RootCertStore::empty();
        for root in CertificateDer::pem_file_iter(ca).unwrap() {
            roots.add(root.unwrap()).unwrap();
        }
        let trusted = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let fair: Arc<Sky> = Arc::new(|_: &Head| Weather::Fair);
        let inner = Arc::new(Inner {
            to: AtomicU16::new(to),
            sky: Mutex::new(fair),
            shown: Mutex::new(server(&certificate.chain, &certificate.key)),
            trusted: Arc::new(trusted),
            asked: Mutex::default(),
            open: Mutex::default(),
            over: AtomicBool::new(false),
        });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let accepting = Arc::clone(&inner);
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                if accepting.over.load(Ordering::SeqCst) {
                    return;
                }
                let (inner, Ok(socket)) = (Arc::clone(&accepting), socket) else { continue };
                std::thread::spawn(move || inner.connection(socket));
            }
        });
        Self { port, inner }
    }

    /// Changes the weather; connections from before are cut.
    pub(crate) fn becomes(&self, sky: impl Fn(&Head) -> Weather + Send + Sync + 'static) {
        *self.inner.sky.lock().unwrap() = Arc::new(sky);
        self.cut();
    }

    pub(crate) fn fair(&self) {
        self.becomes(|_| Weather::Fair);
    }

    /// Shows another certificate from now on.
    pub(crate) fn shows(&self, certificate: &Certificate) {
        *self.inner.shown.lock().unwrap() = server(&certificate.chain, &certificate.key);
        self.cut();
    }

    /// How many requests for this path came.
    pub(crate) fn asked(&self, path: &str) -> u64 {
        self.inner.asked.lock().unwrap().get(path).copied().unwrap_or(0)
    }

    fn cut(&self) {
        for socket in self.inner.open.lock().unwrap().drain(..) {
            drop(socket.shutdown(Shutdown::Both));
        }
    }
}

type Onward = StreamOwned<ClientConnection, TcpStream>;

impl Inner {
    fn connection(&self, socket: TcpStream) {
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let end = socket.try_clone().unwrap();
        self.open.lock().unwrap().push(socket.try_clone().unwrap());
        self.requests(socket);
        // What is kept of it keeps it open.
        drop(end.shutdown(Shutdown::Both));
    }

    fn requests(&self, socket: TcpStream) {
        let shown = Arc::clone(&*self.shown.lock().unwrap());
        let mut stream = StreamOwned::new(ServerConnection::new(shown).unwrap(), socket);
        let mut onward = None;
        while let Some((head, bytes)) = read(&mut stream) {
            *self.asked.lock().unwrap().entry(head[":path"].clone()).or_default() += 1;
            let sky = Arc::clone(&*self.sky.lock().unwrap());
            let (answer, close) = match sky(&head) {
                Weather::Fair => (self.pass(&mut onward, &bytes), false),
                Weather::Cut => (None, true),
                Weather::Late(time) => {
                    std::thread::sleep(time);
                    (self.pass(&mut onward, &bytes), false)
                }
                Weather::Answer(answer) => (Some(answer), true),
                Weather::Half => {
                    let half = self.pass(&mut onward, &bytes).map(|mut whole| {
                        whole.truncate(whole.len() - whole.len() / 3);
                        whole
                    });
                    (half, true)
                }
                Weather::Held(gate) => {
                    let answer = self.pass(&mut onward, &bytes);
                    gate.pass();
                    (answer, false)
                }
            };
            let Some(answer) = answer else { return };
            if stream.write_all(&answer).is_err() || stream.flush().is_err() {
                return;
            }
            if close {
                stream.conn.send_close_notify();
                drop(stream.flush());
                return;
            }
        }
    }

    /// The service's answer; none when it cannot be reached.
    fn pass(&self, onward: &mut Option<Onward>, bytes: &[u8]) -> Option<Vec<u8>> {
        // A connection that was kept may have been closed meanwhile.
        for _ in 0..2 {
            let kept = onward.is_some();
            if onward.is_none() {
                let socket = TcpStream::connect(("127.0.0.1", self.to.load(Ordering::SeqCst))).ok()?;
                socket.set_nodelay(true).unwrap();
                socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
                let name = ServerName::try_from("localhost").unwrap();
                let connection = ClientConnection::new(Arc::clone(&self.trusted), name).unwrap();
                *onward = Some(StreamOwned::new(connection, socket));
            }
            let stream = onward.as_mut()?;
            let sent = stream.write_all(bytes).and_then(|()| stream.flush()).is_ok();
            match sent.then(|| read(stream)).flatten() {
                Some((_, answer)) => return Some(answer),
                None => *onward = None,
            }
            if !kept {
                break;
            }
        }
        None
    }
}

/// One request or answer: its head, with its path where it has one, and all
/// its bytes.
fn read(stream: &mut impl Read) -> Option<(Head, Vec<u8>)> {
    let (mut bytes, mut byte) = (Vec::new(), [0]);
    while !bytes.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        bytes.push(byte[0]);
    }
    let text = String::from_utf8(bytes.clone()).ok()?;
    let mut head: Head =
        text.lines().filter_map(|l| l.split_once(": ")).map(|(n, v)| (n.to_lowercase(), v.to_owned())).collect();
    head.insert(":path".into(), text.split(' ').nth(1)?.to_owned());
    let length: usize = head.get("content-length").and_then(|l| l.parse().ok()).unwrap_or(0);
    let at = bytes.len();
    bytes.resize(at + length, 0);
    stream.read_exact(&mut bytes[at..]).ok()?;
    Some((head, bytes))
}
