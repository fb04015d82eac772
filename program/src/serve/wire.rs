// SPDX-License-Identifier: Apache-2.0
//! The wire between agents and this service: `docs/api/standin-v1.json`.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use standin::credential::host::host_name;
use standin::fault::{Fault, Kind, Status};
use standin::identity::Identity;
use standin::revision::At;
use standin::service::wire::{
    self, AnswersForm, ChangesAsk, ChangesForm, DecideAsk, EnrollAsk, EnrolledForm, EntitlementsAnswer,
    EntitlementsAsk, EntitlementsForm, ImpersonationForm, IssuedForm, KnownAnswer, KnownAsk, LoginAsk, NONCE_HEADER,
    Problem, RenewAsk, ReportAsk, SealAsk, SealForm, SessionForm, TIME_HEADER, VERSION_HEADER, VERSIONS, path,
};
use standin::service::{SecurityService, SessionReport, check_purpose};
use standin::time::Steady;
use zeroize::Zeroizing;

use super::State;
use super::hosts::{Head, Host};
use super::router::{Handle, Unworked};

/// Longest life that is issued, milliseconds.
const LONGEST_LIFE: i64 = 12 * 3600 * 1000;
/// The embedded service has no use for deadlines.
const NO_DEADLINE: Steady = Steady(i64::MAX);

/// The routes, by path and name; changes are apart because they wait.
pub(super) const ROUTES: [(&str, &str, Handle); 9] = [
    (path::LOGIN, "login", |state, request| answer(state, &request, login)),
    (path::RENEW, "renew", |state, request| answer(state, &request, renew)),
    (path::ENTITLEMENTS, "entitlements", |state, request| answer(state, &request, entitlements)),
    (path::KNOWN, "known", |state, request| answer(state, &request, known)),
    (path::SEAL, "seal", |state, request| answer(state, &request, seal)),
    (path::UNSEAL, "unseal", |state, request| answer(state, &request, unseal)),
    (path::REPORT, "report", |state, request| answer(state, &request, report)),
    (path::DECIDE, "decide", |state, request| answer(state, &request, decide)),
    (path::ENROLL, "enroll", enroll),
];

type Body = Zeroizing<Vec<u8>>;

/// Why there is no answer, and with which code it is said.
pub(super) struct Refused(StatusCode, Problem);

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        let code = match fault.kind() {
            Kind::Refused => StatusCode::FORBIDDEN,
            Kind::Misuse => StatusCode::BAD_REQUEST,
            Kind::Undecided => StatusCode::SERVICE_UNAVAILABLE,
            Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self(code, Problem::of(&fault))
    }
}

impl From<Unworked> for Refused {
    fn from(why: Unworked) -> Self {
        match why {
            Unworked::Busy => Fault::new(Status::Busy, "too many requests are at work; try again"),
            Unworked::Defect => Fault::internal("a defect; see the service's log"),
        }
        .into()
    }
}

/// Who asks, checked; with it everything about the request but its body.
pub(super) fn authenticate(state: &State, request: &Request<Bytes>) -> Result<std::sync::Arc<Host>, Refused> {
    check_version(request)?;
    state.hosts.authenticate(&state.store, state.clock.wall(), request).map_err(|fault| match fault.kind() {
        // About the host: clients are not refused for it.
        Kind::Refused => {
            state.metrics.hosts_refused.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Refused(StatusCode::UNAUTHORIZED, Problem::of(&fault))
        }
        _ => fault.into(),
    })
}

fn check_version(request: &Request<Bytes>) -> Result<(), Refused> {
    let version = request.headers().get(VERSION_HEADER).and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
    if request.method() != Method::POST {
        return Err(Fault::new(Status::InvalidArgument, "POST is accepted").into());
    }
    match version {
        Some(version) if VERSIONS.contains(&version) => Ok(()),
        _ => {
            let text = format!("version {version:?} of the protocol is not spoken here");
            let problem = Problem { speaks: VERSIONS.to_vec(), ..Problem::of(&Fault::new(Status::NewerFormat, text)) };
            Err(Refused(StatusCode::BAD_REQUEST, problem))
        }
    }
}

/// Answers a signed request.
fn answer(
    state: &State,
    request: &Request<Bytes>,
    handle: fn(&State, &Host, &[u8]) -> Result<Body, Fault>,
) -> Response<Bytes> {
    let result =
        authenticate(state, request).and_then(|host| handle(state, &host, request.body()).map_err(Refused::from));
    respond(state, request, result)
}

/// The response with this result.
pub(super) fn respond(state: &State, request: &Request<Bytes>, result: Result<Body, Refused>) -> Response<Bytes> {
    let (code, body) = match result {
        Ok(body) => (StatusCode::OK, body),
        Err(Refused(code, problem)) => (code, wire::write(&problem).unwrap_or_default()),
    };
    // Wiped when it was sent.
    let mut response = Response::new(Bytes::from_owner(Owned(body)));
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(TIME_HEADER, HeaderValue::from(state.clock.wall().0));
    let [version] = VERSIONS;
    headers.insert(VERSION_HEADER, HeaderValue::from(version));
    if let Some(nonce) = request.headers().get(NONCE_HEADER) {
        headers.insert(NONCE_HEADER, nonce.clone());
    }
    if code == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

struct Owned(Body);

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

fn check_life(asked: i64) -> Result<i64, Fault> {
    if (1000..=LONGEST_LIFE).contains(&asked) {
        return Ok(asked);
    }
    Err(Fault::new(Status::InvalidArgument, format!("a lifetime of 1000 to {LONGEST_LIFE} ms is accepted")))
}

fn login(state: &State, host: &Host, body: &[u8]) -> Result<Body, Fault> {
    let ask: LoginAsk = wire::read(body)?;
    let evidence = ask.evidence.evidence()?;
    let issued = state.service.log_in(&evidence, &host.name, check_life(ask.lifetime)?, NO_DEADLINE)?;
    wire::write(&IssuedForm::of(&issued, &ask.known, host.row.verification_keys))
}

fn renew(state: &State, host: &Host, body: &[u8]) -> Result<Body, Fault> {
    let ask: RenewAsk = wire::read(body)?;
    let proof = ask.proof.proof(&host.name)?;
    wire::write(&ImpersonationForm::of(&state.service.renew(&proof, check_life(ask.lifetime)?, NO_DEADLINE)?))
}

fn entitlements(state: &State, _: &Host, body: &[u8]) -> Result<Body, Fault> {
    let ask: EntitlementsAsk = wire::read(body)?;
    let At { revision, value } = state.service.entitlements(&Identity::parse(&ask.subject)?, &ask.access_key_id)?;
    let entitlements = EntitlementsForm::of(&value, &ask.known);
    wire::write(&EntitlementsAnswer { revision: revision.0, entitlements })
}

fn known(state: &State, _: &Host, body: &[u8]) -> Result<Body, Fault> {
    let ask: KnownAsk = wire::read(body)?;
    wire::write(&KnownAnswer::of(&state.service.known_as(&ask.name)?, &ask.known))
}

fn seal(state: &State, _: &Host, body: &[u8]) -> Result<Body, Fault> {
    let ask: SealAsk = wire::read(body)?;
    check_purpose(&ask.purpose)?;
    wire::write(&SealForm { bytes: wire::Blob::of(&state.service.seal(&ask.purpose, &ask.bytes.0)?) })
}

fn unseal(state: &State, _: &Host, body: &[u8]) -> Result<Body, Fault> {
    let ask: SealAsk = wire::read(body)?;
    check_purpose(&ask.purpose)?;
    wire::write(&SealForm { bytes: wire::Blob::of(&state.service.unseal(&ask.purpose, &ask.bytes.0)?) })
}

fn report(state: &State, host: &Host, body: &[u8]) -> Result<Body, Fault> {
    let ask: ReportAsk = wire::read(body)?;
    if ask.begun.len() > wire::REPORT || ask.over.len() > wire::REPORT {
        return Err(Fault::new(Status::InvalidArgument, format!("at most {} sessions are accepted", wire::REPORT)));
    }
    let begun: Vec<_> = ask.begun.into_iter().map(SessionForm::session).collect();
    let own = format!("{}/", ask.boot);
    if begun.iter().map(|s| &s.id).chain(&ask.over).any(|id| !id.starts_with(&own)) {
        return Err(Fault::new(Status::InvalidArgument, "a session's id begins with that of its boot"));
    }
    let report = SessionReport { begun, over: ask.over, whole: ask.whole };
    state.service.report(&ask.boot, &host.name, &report)?;
    Ok(Zeroizing::new(b"{}".to_vec()))
}

fn decide(state: &State, host: &Host, body: &[u8]) -> Result<Body, Fault> {
    let ask: DecideAsk = wire::read(body)?;
    let proof = ask.proof.proof(&host.name)?;
    wire::write(&AnswersForm::of(&state.service.decide_for(&ask.scope, &proof, ask.questions.as_bytes())?))
}

/// Enrols a host: signed with the key that is to be the host's.
fn enroll(state: &State, request: Request<Bytes>) -> Response<Bytes> {
    let enrolled = || -> Result<Body, Refused> {
        check_version(&request)?;
        let ask: EnrollAsk = wire::read(request.body())?;
        let head = Head::of(&request)?;
        head.check_time(state.clock.wall())?;
        head.signed(&request).verify(&ask.public_key.0, &head.signature)?;
        let row = state.store.enroll_host(&ask.host, &ask.code, &ask.public_key.0)?;
        eprintln!("standin: info {} was enrolled", host_name(&row.identity));
        Ok(wire::write(&EnrolledForm { host: row.identity.arn().to_owned() })?)
    };
    respond(state, &request, enrolled())
}

/// What was asked about changes.
pub(super) fn changes_asked(state: &State, request: &Request<Bytes>) -> Result<ChangesAsk, Refused> {
    authenticate(state, request)?;
    let mut ask: ChangesAsk = wire::read(request.body())?;
    ask.limit = ask.limit.clamp(1, 10_000);
    ask.wait = ask.wait.clamp(0, wire::LONGEST_WAIT);
    Ok(ask)
}

/// Changes as they are now.
pub(super) fn changes_now(state: &State, ask: &ChangesAsk, waited: i64) -> Result<ChangesForm, Refused> {
    let after = ask.after.map(standin::revision::Revision);
    let news = state.service.follow(after, ask.limit, 0)?;
    Ok(ChangesForm::of(news.newest, waited, &news.changes))
}
