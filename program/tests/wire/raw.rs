// SPDX-License-Identifier: Apache-2.0
//! Requests as bytes, for what the library never sends; and a service that
//! answers with bytes.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use standin::credential::Secret;
use standin::credential::host::{HostCredential, SignedRequest};
use standin::time::UnixMillis;

use crate::place::{Certificate, Place};

pub(crate) fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
    /// The body as it came.
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }

    pub(crate) fn status_number(&self) -> i64 {
        self.json()["status"].as_i64().unwrap()
    }
}

/// A connection to a service of this place's authority.
fn connect(place: &Place, port: u16) -> Option<StreamOwned<ClientConnection, TcpStream>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(&place.ca).unwrap() {
        roots.add(certificate.unwrap()).unwrap();
    }
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
    let socket = TcpStream::connect(("127.0.0.1", port)).ok()?;
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    Some(StreamOwned::new(connection, socket))
}

/// The certificate a service shows, or none when the connection fails.
pub(crate) fn certificate(place: &Place, port: u16) -> Option<Vec<u8>> {
    let mut stream = connect(place, port)?;
    stream.conn.complete_io(&mut stream.sock).ok()?;
    stream.conn.peer_certificates()?.first().map(|certificate| certificate.to_vec())
}

/// One value of a service's metrics; 0 when it is not there.
pub(crate) fn metric(place: &Place, port: u16, name: &str) -> u64 {
    let text = exchange(place, port, b"GET /metrics HTTP/1.1\r\nhost: l\r\nconnection: close\r\n\r\n").body;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.map_or(0, |value| value.parse().unwrap())
}

/// Sends these bytes and reads all that comes back; status 0 when nothing did.
pub(crate) fn exchange(place: &Place, port: u16, request: &[u8]) -> Answer {
    let nothing = || Answer { status: 0, headers: BTreeMap::new(), body: String::new(), bytes: Vec::new() };
    let Some(mut stream) = connect(place, port) else { return nothing() };
    // Whoever is refused before the end need not hear it.
    let _sent = stream.write_all(request);
    let mut text = Vec::new();
    // The end without a farewell is an end too.
    let _end = stream.read_to_end(&mut text);
    if text.is_empty() {
        return nothing();
    }
    let end = text.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or_else(|| panic!("{text:?}"));
    let head = std::str::from_utf8(&text[..end]).unwrap();
    let bytes = text[end + 4..].to_vec();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.filter_map(|l| l.split_once(": ")).map(|(n, v)| (n.to_lowercase(), v.to_owned())).collect();
    Answer { status, headers, body: String::from_utf8_lossy(&bytes).into_owned(), bytes }
}

/// A request to the service's IAM, signed by an independent signer.
pub(crate) fn iam(place: &Place, port: u16, (id, secret): &(String, Secret), body: &str) -> Answer {
    let secret = std::str::from_utf8(secret.expose()).unwrap();
    let credentials = Credentials::new(id, secret, None, None, "test").into();
    let params = v4::SigningParams::builder()
        .identity(&credentials)
        .region("us-east-1")
        .name("iam")
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .unwrap();
    let host = format!("localhost:{port}");
    let headers = [("host", host.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    let signable = SignableBody::Bytes(body.as_bytes());
    let signable = SignableRequest::new("POST", format!("https://{host}/"), headers.into_iter(), signable).unwrap();
    let (signed, _) = sign(signable, &params.into()).unwrap().into_parts();
    let mut text = format!("POST / HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    let signed: Vec<(String, String)> = signed.headers().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
    for (name, value) in headers.map(|(n, v)| (n.to_owned(), v.to_owned())).into_iter().chain(signed) {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    exchange(place, port, format!("{text}\r\n{body}").as_bytes())
}

/// A request of a host, with everything about it to be changed.
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) host: String,
    pub(crate) at: UnixMillis,
    pub(crate) nonce: String,
    pub(crate) version: String,
    pub(crate) body: String,
    pub(crate) signature: Option<Vec<u8>>,
}

impl Request {
    /// A request that is right.
    pub(crate) fn of(credential: &HostCredential, path: &str, body: &str) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let mut request = Self {
            method: "POST",
            path: path.to_owned(),
            host: credential.host.arn().to_owned(),
            at: crate::place::clock().wall(),
            nonce: format!("nonce-of-a-test-{}", NUMBER.fetch_add(1, Ordering::SeqCst)),
            version: "1".to_owned(),
            body: body.to_owned(),
            signature: None,
        };
        request.sign(credential);
        request
    }

    /// Signs it as it is.
    pub(crate) fn sign(&mut self, credential: &HostCredential) {
        let Self { method, path, host, at, nonce, body, .. } = self;
        let signed = SignedRequest { method, path, host, at: *at, nonce, body: body.as_bytes() };
        self.signature = Some(credential.key.sign(&signed));
    }

    pub(crate) fn send(&self, place: &Place, port: u16) -> Answer {
        let Self { method, path, host, at, nonce, version, body, .. } = self;
        let signature = self.signature.as_ref().map(|s| STANDARD.encode(s));
        let signature = signature.map(|s| format!("standin-signature: {s}\r\n")).unwrap_or_default();
        let text = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\nstandin-version: {version}\r\nstandin-host: {host}\r\nstandin-time: {}\r\nstandin-nonce: {nonce}\r\n{signature}\r\n{body}",
            body.len(),
            at.0
        );
        exchange(place, port, text.as_bytes())
    }
}

/// The head of a request that came, by lower-case names.
pub(crate) type Head = BTreeMap<String, String>;
/// Answers one request; an empty answer closes the connection.
pub(crate) type Answering = dyn Fn(&Head) -> Vec<u8> + Send + Sync;

/// A service that answers with bytes.
pub(crate) struct Pretender {
    pub(crate) port: u16,
    answering: Arc<Mutex<Arc<Answering>>>,
    pub(crate) requests: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
}

impl Drop for Pretender {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

impl Pretender {
    pub(crate) fn new(certificate: &Certificate) -> Self {
        let config = server(&certificate.chain, &certificate.key);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let nothing: Arc<Answering> = Arc::new(|_: &Head| Vec::new());
        let answering = Arc::new(Mutex::new(nothing));
        let (requests, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (answers, count, end) = (Arc::clone(&answering), Arc::clone(&requests), Arc::clone(&over));
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                let (config, answers, count) = (Arc::clone(&config), Arc::clone(&answers), Arc::clone(&count));
                std::thread::spawn(move || connection(socket.unwrap(), config, &answers, &count));
            }
        });
        Self { port, answering, requests, over }
    }

    pub(crate) fn answers(&self, with: impl Fn(&Head) -> Vec<u8> + Send + Sync + 'static) {
        *self.answering.lock().unwrap() = Arc::new(with);
    }
}

pub(crate) fn server(chain: &Path, key: &Path) -> Arc<ServerConfig> {
    let chain = CertificateDer::pem_file_iter(chain).unwrap().map(Result::unwrap).collect();
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(key).unwrap())
        .unwrap();
    Arc::new(config)
}

fn connection(socket: TcpStream, config: Arc<ServerConfig>, answering: &Mutex<Arc<Answering>>, count: &AtomicUsize) {
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), socket);
    while let Some(head) = read_request(&mut stream) {
        count.fetch_add(1, Ordering::SeqCst);
        let answer = Arc::clone(&*answering.lock().unwrap());
        let answer = answer(&head);
        if answer.is_empty() || stream.write_all(&answer).is_err() || stream.flush().is_err() {
            return;
        }
        if String::from_utf8_lossy(&answer).contains("connection: close") {
            stream.conn.send_close_notify();
            drop(stream.flush());
            return;
        }
    }
}

fn read_request(stream: &mut impl Read) -> Option<Head> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let text = String::from_utf8(head).ok()?;
    let head: Head =
        text.lines().filter_map(|l| l.split_once(": ")).map(|(n, v)| (n.to_lowercase(), v.to_owned())).collect();
    let length = head.get("content-length").and_then(|l| l.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(head)
}

/// An HTTP answer.
pub(crate) fn http(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len()).into_bytes()
}

/// An answer of the very form the service answers in.
pub(crate) fn genuine(head: &Head, status: &str, body: &str) -> Vec<u8> {
    let now = crate::place::clock().wall().0;
    let headers = format!(
        "content-type: application/json\r\nstandin-version: 1\r\nstandin-time: {now}\r\nstandin-nonce: {}\r\n",
        head["standin-nonce"]
    );
    http(status, &headers, body)
}
