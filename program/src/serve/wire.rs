// SPDX-License-Identifier: Apache-2.0
//! The wire between agents and this service: `docs/api/standin-v1.json`.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use standin::access_control::Collected;
use standin::credential::answer;
use standin::credential::host::host_name;
use standin::fault::{Fault, Kind, Status};
use standin::identity::Identity;
use standin::revision::At;
use standin::service::wire::{
    self, AnswersForm, AuditAsk, AuditForm, ChangesAsk, ChangesForm, DecideAsk, EnrollAsk, EnrolledForm,
    EntitlementsAnswer, EntitlementsAsk, EntitlementsForm, HOST_HEADER, ImpersonationForm, IssuedForm, KnownAnswer,
    KnownAsk, LoginAsk, NONCE_HEADER, Problem, RenewAsk, ReportAsk, SealAsk, SealForm, SessionForm, TIME_HEADER,
    VERSION_HEADER, VERSIONS, path,
};
use standin::service::{SecurityService, SessionReport, check_purpose};
use standin::time::Steady;
use zeroize::Zeroizing;

use super::hosts::{Head, Host};
use super::state::State;
use super::work::{Handle, Peer, Unworked};
use crate::limits::{TooMany, Whose};

/// Longest life that is issued, milliseconds.
const LONGEST_LIFE: i64 = 12 * 3600 * 1000;
/// The embedded service has no use for deadlines.
const NO_DEADLINE: Steady = Steady(i64::MAX);

/// The routes, by path and name; changes are apart because they wait.
///
/// What a host needs to go on with what it has is counted apart, so that many
/// logins never take it away.
pub(super) const ROUTES: [(&str, &str, Handle); 10] = [
    (path::LOGIN, "login", |state, request| answer(state, &request, Part::Clients, login)),
    (path::RENEW, "renew", |state, request| answer(state, &request, Part::Upkeep, renew)),
    (path::ENTITLEMENTS, "entitlements", |state, request| answer(state, &request, Part::Upkeep, entitlements)),
    (path::KNOWN, "known", |state, request| answer(state, &request, Part::Clients, known)),
    (path::SEAL, "seal", |state, request| answer(state, &request, Part::Clients, seal)),
    (path::UNSEAL, "unseal", |state, request| answer(state, &request, Part::Clients, unseal)),
    (path::REPORT, "report", |state, request| answer(state, &request, Part::Upkeep, report)),
    (path::AUDIT, "audit", |state, request| answer(state, &request, Part::Upkeep, audit)),
    (path::DECIDE, "decide", |state, request| answer(state, &request, Part::Clients, decide)),
    (path::ENROLL, "enroll", enroll),
];

type Body = Zeroizing<Vec<u8>>;

/// What a request is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// For a client that came.
    Clients,
    /// To go on with what the host has.
    Upkeep,
}

/// Why there is no answer, and with which code it is said.
pub(super) struct Refused {
    code: StatusCode,
    problem: Box<Problem>,
    /// After how many seconds to try again.
    retry: Option<u64>,
}

impl Refused {
    fn of(code: StatusCode, problem: Problem) -> Self {
        let retry = (code == StatusCode::SERVICE_UNAVAILABLE).then_some(1);
        Self { code, problem: Box::new(problem), retry }
    }
}

impl From<TooMany> for Refused {
    fn from(many: TooMany) -> Self {
        let problem = Problem { limit: Some(many.whose.word().to_owned()), ..Problem::of(&many.fault()) };
        Self { retry: Some(many.seconds()), ..Self::of(StatusCode::TOO_MANY_REQUESTS, problem) }
    }
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        let code = match fault.kind() {
            Kind::Refused => StatusCode::FORBIDDEN,
            Kind::Misuse => StatusCode::BAD_REQUEST,
            Kind::Undecided => StatusCode::SERVICE_UNAVAILABLE,
            Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::of(code, Problem::of(&fault))
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
            not_believed(state, request, &fault);
            Refused::of(StatusCode::UNAUTHORIZED, Problem::of(&fault))
        }
        _ => fault.into(),
    })
}

/// Counts, records and tells of a request of a host that proved nothing.
fn not_believed(state: &State, request: &Request<Bytes>, fault: &Fault) {
    state.metrics.hosts_refused.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let host = request.headers().get(HOST_HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let route = request.uri().path().rsplit('/').next().unwrap_or_default();
    let address = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
    state.aws.note_host(host, route, address, &fault.text);
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
            Err(Refused::of(StatusCode::BAD_REQUEST, problem))
        }
    }
}

/// Answers a signed request.
fn answer(
    state: &State,
    request: &Request<Bytes>,
    part: Part,
    handle: fn(&State, &Host, &[u8]) -> Result<Body, Refused>,
) -> Response<Bytes> {
    let result = authenticate(state, request).and_then(|host| {
        within_limits(state, &host, part)?;
        handle(state, &host, request.body())
    });
    respond(state, request, result)
}

/// Counts a request of a host.
fn within_limits(state: &State, host: &Host, part: Part) -> Result<(), TooMany> {
    let (identity, now) = (&host.row.identity, state.clock.steady());
    match part {
        Part::Clients => {
            state.limits.take(Whose::Host, identity.arn(), now)?;
            state.limits.take(Whose::Account, identity.account(), now)
        }
        Part::Upkeep => state.limits.take(Whose::Host, &format!("upkeep of {}", identity.arn()), now),
    }
}

/// The response with this result.
pub(super) fn respond(state: &State, request: &Request<Bytes>, result: Result<Body, Refused>) -> Response<Bytes> {
    let number = request.headers().get(NONCE_HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let sealed = result.is_ok() && answer::is_key(number);
    let result = match result {
        Ok(body) if sealed => {
            answer::seal(number, request.uri().path(), &body).map(Zeroizing::new).map_err(Refused::from)
        }
        other => other,
    };
    let sealed = sealed && result.is_ok();
    let mut retry = None;
    let (code, body) = match result {
        Ok(body) => (StatusCode::OK, body),
        Err(Refused { code, problem, retry: after }) => {
            retry = after;
            (code, wire::write(&*problem).unwrap_or_default())
        }
    };
    // Wiped when it was sent.
    let mut response = Response::new(Bytes::from_owner(Owned(body)));
    *response.status_mut() = code;
    let headers = response.headers_mut();
    let kind = if sealed { wire::SEALED } else { "application/json" };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(TIME_HEADER, HeaderValue::from(state.clock.wall().0));
    let [version] = VERSIONS;
    headers.insert(VERSION_HEADER, HeaderValue::from(version));
    if let Some(nonce) = request.headers().get(NONCE_HEADER) {
        headers.insert(NONCE_HEADER, nonce.clone());
    }
    if let Some(seconds) = retry {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
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

fn login(state: &State, host: &Host, body: &[u8]) -> Result<Body, Refused> {
    let ask: LoginAsk = wire::read(body)?;
    let evidence = ask.evidence.evidence()?;
    let issued = state.service.log_in(&evidence, &host.name, check_life(ask.lifetime)?, NO_DEADLINE)?;
    // Whoever only names an identity does not use up what it may ask.
    let subject = &issued.value.client.principal.subject;
    state.limits.take(Whose::Identity, subject.arn(), state.clock.steady())?;
    Ok(wire::write(&IssuedForm::of(&issued, &ask.known, host.row.verification_keys))?)
}

fn renew(state: &State, host: &Host, body: &[u8]) -> Result<Body, Refused> {
    let ask: RenewAsk = wire::read(body)?;
    let proof = ask.proof.proof(&host.name)?;
    Ok(wire::write(&ImpersonationForm::of(&state.service.renew(&proof, check_life(ask.lifetime)?, NO_DEADLINE)?))?)
}

fn entitlements(state: &State, _: &Host, body: &[u8]) -> Result<Body, Refused> {
    let ask: EntitlementsAsk = wire::read(body)?;
    let At { revision, value } = state.service.entitlements(&Identity::parse(&ask.subject)?, &ask.access_key_id)?;
    let entitlements = EntitlementsForm::of(&value, &ask.known);
    Ok(wire::write(&EntitlementsAnswer { revision: revision.0, entitlements })?)
}

fn known(state: &State, _: &Host, body: &[u8]) -> Result<Body, Refused> {
    let ask: KnownAsk = wire::read(body)?;
    Ok(wire::write(&KnownAnswer::of(&state.service.known_as(&ask.name)?, &ask.known))?)
}

fn seal(state: &State, _: &Host, body: &[u8]) -> Result<Body, Refused> {
    let ask: SealAsk = wire::read(body)?;
    check_purpose(&ask.purpose)?;
    Ok(wire::write(&SealForm { bytes: wire::Blob::of(&state.service.seal(&ask.purpose, &ask.bytes.0)?) })?)
}

fn unseal(state: &State, _: &Host, body: &[u8]) -> Result<Body, Refused> {
    let ask: SealAsk = wire::read(body)?;
    check_purpose(&ask.purpose)?;
    Ok(wire::write(&SealForm { bytes: wire::Blob::of(&state.service.unseal(&ask.purpose, &ask.bytes.0)?) })?)
}

fn report(state: &State, host: &Host, body: &[u8]) -> Result<Body, Refused> {
    let ask: ReportAsk = wire::read(body)?;
    if ask.begun.len() > wire::REPORT || ask.over.len() > wire::REPORT {
        let text = format!("at most {} sessions are accepted", wire::REPORT);
        return Err(Fault::new(Status::InvalidArgument, text).into());
    }
    let begun: Vec<_> = ask.begun.into_iter().map(SessionForm::session).collect();
    let own = format!("{}/", ask.boot);
    if begun.iter().map(|s| &s.id).chain(&ask.over).any(|id| !id.starts_with(&own)) {
        return Err(Fault::new(Status::InvalidArgument, "a session's id begins with that of its boot").into());
    }
    let report = SessionReport { begun, over: ask.over, whole: ask.whole };
    state.service.report(&ask.boot, &host.name, &report)?;
    Ok(Zeroizing::new(b"{}".to_vec()))
}

fn audit(state: &State, host: &Host, body: &[u8]) -> Result<Body, Refused> {
    if state.collected.is_none() {
        let text = "this service collects no audit records: it was started without --collect-audit";
        return Err(Fault::unavailable(text).into());
    }
    let ask: AuditAsk = wire::read(body)?;
    if ask.records.len() > wire::RECORDS {
        let text = format!("at most {} records are accepted", wire::RECORDS);
        return Err(Fault::new(Status::InvalidArgument, text).into());
    }
    let all = ask.records.len();
    let records: Vec<_> = ask.records.into_iter().filter_map(|text| record(&host.name, text)).collect();
    let new = state.store.collect(&host.name, &records)?;
    let (known, unfit) = (records.len() - new, all - records.len());
    for (counter, count) in [
        (&state.metrics.collected, new),
        (&state.metrics.collected_again, known),
        (&state.metrics.collected_unfit, unfit),
    ] {
        counter.fetch_add(count as u64, std::sync::atomic::Ordering::Relaxed);
    }
    Ok(wire::write(&AuditForm { new, known, unfit })?)
}

/// A record of this host; none when it is another's or has no number.
fn record(host: &str, text: String) -> Option<Collected> {
    #[derive(serde::Deserialize)]
    struct Read {
        time: i64,
        unmapped: Unmapped,
    }
    #[derive(serde::Deserialize)]
    struct Unmapped {
        boot_id: String,
        sequence: u32,
        via: String,
    }
    let Read { time, unmapped: Unmapped { boot_id: boot, sequence, via } } = serde_json::from_str(&text).ok()?;
    let fit = via == host && boot.len() <= 64 && !text.contains('\n');
    fit.then_some(Collected { number: 0, boot, sequence: i64::from(sequence), time, record: text })
}

fn decide(state: &State, host: &Host, body: &[u8]) -> Result<Body, Refused> {
    let ask: DecideAsk = wire::read(body)?;
    let proof = ask.proof.proof(&host.name)?;
    Ok(wire::write(&AnswersForm::of(&state.service.decide_for(&ask.scope, &proof, ask.questions.as_bytes())?))?)
}

/// Enrols a host: signed with the key that is to be the host's.
fn enroll(state: &State, request: Request<Bytes>) -> Response<Bytes> {
    let enrolled = || -> Result<Body, Refused> {
        check_version(&request)?;
        let ask: EnrollAsk = wire::read(request.body())?;
        let head = Head::of(&request)?;
        head.check_time(state.clock.wall())?;
        head.signed(&request).verify(&ask.public_key.0, &head.signature)?;
        let row = state.store.enroll_host(&ask.host, &ask.code, &ask.public_key.0).inspect_err(|fault| {
            if fault.kind() == Kind::Refused {
                not_believed(state, &request, fault);
            }
        })?;
        eprintln!("standin: info {} was enrolled", host_name(&row.identity));
        Ok(wire::write(&EnrolledForm { host: row.identity.arn().to_owned() })?)
    };
    respond(state, &request, enrolled())
}

/// What was asked about changes, and by which host.
pub(super) fn changes_asked(state: &State, request: &Request<Bytes>) -> Result<(String, ChangesAsk), Refused> {
    let host = authenticate(state, request)?;
    within_limits(state, &host, Part::Upkeep)?;
    let mut ask: ChangesAsk = wire::read(request.body())?;
    ask.limit = ask.limit.clamp(1, 10_000);
    ask.wait = ask.wait.clamp(0, wire::LONGEST_WAIT);
    Ok((host.name.clone(), ask))
}

/// Changes as they are now.
pub(super) fn changes_now(state: &State, ask: &ChangesAsk, waited: i64) -> Result<ChangesForm, Refused> {
    let after = ask.after.map(standin::revision::Revision);
    let news = state.service.follow(after, ask.limit, 0)?;
    Ok(ChangesForm::of(news.newest, waited, &news.changes))
}
