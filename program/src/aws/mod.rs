// SPDX-License-Identifier: Apache-2.0
//! The query protocols of IAM and STS, so that the tools people have for AWS
//! administer Standin: `aws iam`, `aws sts`, the SDKs and what uses them.
//!
//! One request comes in, one answer goes out; nothing here waits for anything
//! but the store and, for tokens of identity providers, their keys. What an
//! operation does with the store, it does through a [`gate::Permit`], which is
//! given out only for what the caller's policies allow.

mod denials;
mod form;
mod gate;
mod iam;
mod operations;
mod problem;
mod sts;
mod unproven;
mod xml;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use standin::access_control::Store;
use standin::channel::Channel;
use standin::credential::sigv4::HttpParts;
use standin::time::{Clock, Random, UnixMillis};

use denials::{Denials, Denied};
use form::Form;
use gate::Gate;
use operations::{Api, Operation, Run};
use problem::{Code, Problem};
use unproven::Unproven;
use xml::Xml;

use crate::limits::{Limits, TooMany, Whose};

pub(crate) use sts::issuers;

/// The longest body, bytes.
const LONGEST: usize = 1024 * 1024;

/// Everything requests are answered with.
pub(crate) struct Aws {
    gate: Gate,
    keys: sts::KeySets,
    denials: Denials,
    signatures: Unproven,
    hosts: Unproven,
    limits: Arc<Limits>,
    quota_reached: AtomicU64,
    random: Arc<dyn Random>,
}

/// Where a request came from.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Peer {
    /// The client's address.
    pub(crate) address: Option<IpAddr>,
    /// True when it came over TLS.
    pub(crate) secure: bool,
}

impl Aws {
    /// The API on a store. `issuers` fetches the keys of identity providers.
    pub(crate) fn new(
        store: Arc<Store>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        issuers: sts::Fetcher,
        limits: Arc<Limits>,
    ) -> Self {
        let keys = sts::KeySets::new(issuers, Arc::clone(&clock));
        let denials = Denials::new(Arc::clone(&store), Arc::clone(&clock));
        let signatures = Unproven::new("signature-refused", Arc::clone(&clock));
        let hosts = Unproven::new("host-not-believed", Arc::clone(&clock));
        Self {
            gate: Gate::new(store, clock),
            keys,
            denials,
            signatures,
            hosts,
            limits,
            quota_reached: AtomicU64::new(0),
            random,
        }
    }

    /// Answers one request. Blocks while the store does.
    pub(crate) fn handle(&self, request: &Request<Bytes>, peer: Peer) -> Response<Bytes> {
        let id = self.request_id();
        let mut api = Api::Iam;
        let (status, text) = match self.answer(request, peer, &mut api) {
            Ok((operation, result)) => (StatusCode::OK, operation.document(&result, &id)),
            Err(problem) => {
                let status = StatusCode::from_u16(problem.code.http()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                (status, error(&problem, api, &id))
            }
        };
        let mut response = Response::new(Bytes::from(text));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
        // Answers hold secrets and what changes at any time.
        headers.insert(http::header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Ok(id) = HeaderValue::from_str(&id) {
            headers.insert("x-amzn-requestid", id);
        }
        response
    }

    fn answer(
        &self,
        request: &Request<Bytes>,
        peer: Peer,
        api: &mut Api,
    ) -> Result<(&'static Operation, Xml), Problem> {
        let (body, query) = (request.body(), request.uri().query().unwrap_or_default());
        if body.len() > LONGEST {
            return Err(Problem::new(Code::MalformedQueryString, "The request is too long."));
        }
        let form = Form::read(query, body)?;
        let name = form.get("Action").ok_or_else(|| Problem::new(Code::MissingAction, "Missing Action"))?;
        let version = form.get("Version");
        *api = Api::of(name, version);
        let operation = operations::find(*api, name, version)?;
        let channel = Channel { address: peer.address, secure: peer.secure, ..Channel::default() };
        let mut result = Xml::default();
        let mut signer = None;
        match operation.run {
            Run::Open(run) => {
                // Nobody in particular asks: that leaves the account's own alone.
                self.limits.take(Whose::Account, "whoever does not sign", self.gate.steady())?;
                run(self, &form, &channel, &mut result)
            }
            Run::Signed(run) => {
                let headers = headers(request)?;
                let parts = HttpParts {
                    method: request.method().as_str(),
                    path: request.uri().path(),
                    query,
                    headers: &headers,
                    body,
                };
                let mut claimed = String::new();
                let caller = self.gate.authenticate(&parts, *api, &mut claimed).inspect_err(|problem| {
                    self.note_unproven(problem, operation, &claimed, peer);
                })?;
                let (subject, now) = (&caller.principal.subject, self.gate.steady());
                self.limits.take(Whose::Identity, subject.arn(), now)?;
                self.limits.take(Whose::Account, subject.account(), now)?;
                let caller = signer.insert(caller);
                let call = gate::Call { gate: &self.gate, caller, form: &form, channel: &channel, operation };
                run(&call, &mut result)
            }
        }
        .map_err(|problem| {
            if problem.code == Code::LimitExceeded {
                self.quota_reached.fetch_add(1, Ordering::Relaxed);
            }
            self.note_denied(&problem, operation, signer.as_ref(), peer);
            operation.checked(problem)
        })?;
        Ok((operation, result))
    }

    /// Leaves a record of what was denied before that is answered.
    fn note_denied(&self, problem: &Problem, operation: &Operation, signer: Option<&gate::Caller>, peer: Peer) {
        if problem.code != Code::AccessDenied {
            return;
        }
        let (target, who) = problem.denied.clone().unwrap_or_default();
        let denied = Denied {
            actor: signer.map_or(who, |caller| caller.arn.clone()),
            access_key_id: signer.map(|caller| caller.access_key_id.clone()).unwrap_or_default(),
            action: format!("{}:{}", operation.api.word(), operation.name),
            target,
            address: peer.address.map(|address| address.to_string()).unwrap_or_default(),
        };
        self.denials.record(denied, &problem.message);
    }

    /// Leaves a record of a request whose signature is not good. It proves
    /// nothing about anybody.
    fn note_unproven(&self, problem: &Problem, operation: &Operation, claimed: &str, peer: Peer) {
        // Not answered at all is not refused.
        if !matches!(problem.code.http(), 400..=499) || problem.code == Code::Throttling {
            return;
        }
        let denied = Denied {
            access_key_id: unproven::plain(claimed),
            action: format!("{}:{}", operation.api.word(), operation.name),
            address: peer.address.map(|address| address.to_string()).unwrap_or_default(),
            ..Denied::default()
        };
        let reason = format!("{}: {}", problem.code.word(), problem.message);
        self.signatures.tell(&denied, &reason);
        self.denials.record_unproven(denied, &reason);
    }

    /// Leaves a record of a request to `route` of who says to be `host` and was
    /// not believed.
    pub(crate) fn note_host(&self, host: &str, route: &str, address: Option<IpAddr>, reason: &str) {
        let denied = Denied {
            action: format!("host:{}", unproven::plain(route)),
            target: unproven::plain(host),
            address: address.map(|address| address.to_string()).unwrap_or_default(),
            ..Denied::default()
        };
        self.hosts.tell(&denied, reason);
        self.denials.record_unproven(denied, reason);
    }

    /// How many requests to IAM and STS had no good signature.
    pub(crate) fn signatures_refused(&self) -> u64 {
        self.signatures.count()
    }

    /// Writes what denials were counted since the last time, or all of them.
    pub(crate) fn flush(&self, all: bool) {
        self.denials.flush(all);
    }

    /// How many requests were denied, and how often that could not be recorded.
    pub(crate) fn denied(&self) -> (u64, u64) {
        self.denials.counts()
    }

    /// How many requests a quota forbade.
    pub(crate) fn quota_reached(&self) -> u64 {
        self.quota_reached.load(Ordering::Relaxed)
    }

    fn now(&self) -> UnixMillis {
        self.gate.now()
    }

    fn request_id(&self) -> String {
        let mut bytes = [0; 16];
        // It only names the request in logs.
        if self.random.fill(&mut bytes).is_err() {
            return "00000000-0000-0000-0000-000000000000".into();
        }
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        let parts: Vec<&str> =
            [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)].into_iter().filter_map(|(a, b)| hex.get(a..b)).collect();
        parts.join("-")
    }
}

impl From<TooMany> for Problem {
    fn from(_: TooMany) -> Self {
        Self::new(Code::Throttling, "Rate exceeded. Try again.")
    }
}

/// Names in lower case, and values.
fn headers(request: &Request<Bytes>) -> Result<Vec<(String, String)>, Problem> {
    let malformed = |_| Problem::new(Code::IncompleteSignature, "A header is not text.");
    let text = |value: &HeaderValue| std::str::from_utf8(value.as_bytes()).map(str::to_owned).map_err(malformed);
    request.headers().iter().map(|(name, value)| Ok((name.as_str().to_owned(), text(value)?))).collect()
}

fn error(problem: &Problem, api: Api, id: &str) -> String {
    Xml::document("ErrorResponse", api.namespace(), |x| {
        x.node("Error", |x| {
            x.text("Type", if problem.code.http() < 500 { "Sender" } else { "Receiver" });
            x.text("Code", problem.code.word()).text("Message", &problem.message);
        });
        x.text("RequestId", id);
    })
}

#[cfg(test)]
mod tests;
