// SPDX-License-Identifier: Apache-2.0
//! The service embedded in the library: the store of this machine, asked
//! directly.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::impersonation::{Proven, check, issue};
use super::wire::ScopeForm;
use super::{
    Answer, Change, Client, DECIDE, DecisionPoint, Entitlements, Happening, Impersonation, Issued, Known, LiveSession,
    PolicyText, Proof, Questions, RENEW, SecurityService, SessionReport, Set, Shelf,
};
use crate::access_control::{self, Attached, ChangeKind, SessionRow, Store, StoreFiles, View};
use crate::credential::certificate::{self, Certificate};
use crate::credential::sigv4::{Claim, SigningKey};
use crate::credential::{Evidence, Secret};
use crate::decision::{Inputs, Keys};
use crate::fault::{Fault, Kind, Status};
use crate::identity::{Attributes, Identity, Principal};
use crate::policy::{ActionId, ActionTable, ArnMatch, Namespace, Scope};
use crate::revision::{At, Revision};
use crate::settings::EngineSettings;
use crate::time::{Clock, Random, Steady, UnixMillis};

/// Most different actions hosts may ask about.
const ACTIONS: usize = 4096;
/// How many compiled sets are kept for the next question.
const RECENT: usize = 256;
/// Most ways of naming resources that are kept.
const PLACES: usize = 256;

fn broken<T>(_: T) -> Fault {
    Fault::internal("the embedded service failed earlier")
}

/// See the module's page.
pub struct Embedded {
    store: Arc<Store>,
    /// How the resources of this machine's host are named.
    own: Arc<Place>,
    /// The same of hosts on other machines.
    places: Mutex<HashMap<ScopeForm, Arc<Place>>>,
    /// Actions hosts have asked about.
    actions: Mutex<ActionTable>,
    /// The sets last decided with: the shelf itself keeps none.
    recent: Mutex<VecDeque<Arc<Set>>>,
    /// Keys used since the last report, and when.
    used: Mutex<HashMap<String, i64>>,
    /// Live sessions there was no room for.
    unkept: AtomicU64,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

/// Policies compiled for one way of naming resources.
struct Place {
    shelf: Shelf,
    resource_tags: Vec<(String, String)>,
}

fn entitled(view: &View<'_>, subject: &Identity) -> Result<Entitlements, Fault> {
    let effective = view.entitlements(subject)?.value;
    let effective =
        effective.ok_or_else(|| Fault::new(Status::IdentityDisabled, format!("{subject} is disabled or deleted")))?;
    let text = |p: Attached| PolicyText { name: p.name.into(), hash: p.hash, text: p.document.into() };
    Ok(Entitlements {
        policies: effective.policies.into_iter().map(text).collect(),
        boundary: effective.boundary.map(text),
        tags: effective.tags,
    })
}

/// What an identity may do that came with a key, if the key is still good.
fn standing(view: &View<'_>, subject: &Identity, access_key_id: &str) -> Result<Entitlements, Fault> {
    let by_key = !access_key_id.starts_with("ASIA") && !access_key_id.starts_with(certificate::PREFIX);
    if by_key && !view.key_stands(access_key_id)?.value {
        return Err(Fault::new(Status::KeyDisabled, format!("access key {access_key_id} is disabled or deleted")));
    }
    entitled(view, subject)
}

/// Looks the key of a claim up: who it is, its secret, and until when.
fn look_up(view: &View<'_>, claim: &Claim) -> Result<(Client, Secret, Option<UnixMillis>), Fault> {
    let id = claim.access_key_id();
    let shown = view.shown_credential(id, claim.session_token())?;
    let session = shown.principal.attributes.session_name.as_deref().unwrap_or_default();
    let policy = |(n, text): (usize, &String)| PolicyText::new(&format!("session/{session}/{n}"), text);
    let session_policies = shown.session_policies.iter().enumerate().map(policy).collect();
    let client = Client { access_key_id: id.to_owned(), session_policies, principal: shown.principal.into() };
    Ok((client, shown.secret, shown.expires))
}

/// The user a certificate stands for.
fn owner_of(view: &View<'_>, certificate: &Certificate) -> Result<Client, Fault> {
    let unknown = |fault: Fault| {
        Fault::new(Status::UnknownKey, format!("no user for the certificate {}: {fault}", certificate.id()))
    };
    let user = view.user(certificate.user()).map_err(|fault| match fault.kind() {
        Kind::Misuse => unknown(fault),
        _ => fault,
    })?;
    if user.disabled {
        let text = format!("{} is disabled", user.identity);
        return Err(Fault::new(Status::IdentityDisabled, text).about(user.identity.arn()));
    }
    let attributes = Attributes { user_id: user.unique_id, ..Attributes::default() };
    Ok(Client {
        principal: Principal { subject: user.identity, attributes, actors: Vec::new(), grant: None }.into(),
        access_key_id: certificate.id().to_owned(),
        session_policies: Vec::new(),
    })
}

/// Who may use a name of this form now; none when nobody.
fn known(view: &View<'_>, name: &str) -> Result<Option<Known>, Fault> {
    let found = match name.split_once('/') {
        Some(("user", name)) => view.user(name).map(|u| (u.identity, u.unique_id, u.disabled)),
        Some(("role", name)) => view.role(name).map(|r| (r.identity, r.unique_id, r.disabled)),
        _ => return Ok(None),
    };
    let (subject, user_id) = match found {
        Ok((subject, user_id, false)) => (subject, user_id),
        Ok((_, _, true)) => return Ok(None),
        Err(fault) if fault.kind() == Kind::Misuse => return Ok(None),
        Err(fault) => return Err(fault),
    };
    let entitlements = match entitled(view, &subject) {
        Ok(entitlements) => entitlements,
        Err(fault) if fault.kind() == Kind::Refused => return Ok(None),
        Err(fault) => return Err(fault),
    };
    let attributes = Attributes { user_id, ..Attributes::default() };
    let principal = Principal { subject, attributes, actors: Vec::new(), grant: None };
    Ok(Some(Known { principal, entitlements }))
}

impl Embedded {
    /// Opens the store the settings name.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open(settings: &EngineSettings, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Result<Self, Fault> {
        let files = StoreFiles { store: settings.store.clone(), key_file: settings.key_file.clone() };
        let store = Store::open(&files, Arc::clone(&clock), Arc::clone(&random))?;
        let own = Place { shelf: Shelf::new(settings), resource_tags: settings.cluster_tags.clone() };
        Ok(Self::of(Arc::new(store), own, clock, random))
    }

    /// The service on an open store, for hosts on other machines.
    #[must_use]
    pub fn over(store: Arc<Store>, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        let scope = Scope { namespaces: Vec::new(), arn_match: ArnMatch::Fields };
        let own = Place { shelf: Shelf::of(scope), resource_tags: Vec::new() };
        Self::of(store, own, clock, random)
    }

    fn of(store: Arc<Store>, own: Place, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        let (actions, recent, places) = (Mutex::default(), Mutex::default(), Mutex::default());
        let (used, unkept) = (Mutex::default(), AtomicU64::new(0));
        Self { store, own: Arc::new(own), places, actions, recent, used, unkept, clock, random }
    }

    /// How many live sessions were reported that there was no room for; they are
    /// not shown, and are as good as the others.
    #[must_use]
    pub fn sessions_unkept(&self) -> u64 {
        self.unkept.load(Ordering::Relaxed)
    }

    fn place(&self, scope: &ScopeForm) -> Result<Arc<Place>, Fault> {
        let mut places = self.places.lock().map_err(broken)?;
        if let Some(known) = places.get(scope) {
            return Ok(Arc::clone(known));
        }
        let read = |text: &String| Namespace::parse(text).map_err(|e| Fault::new(Status::InvalidArgument, e));
        let namespaces = scope.namespaces.iter().map(read).collect::<Result<_, _>>()?;
        let shelf = Shelf::of(Scope { namespaces, arn_match: scope.arn_match() });
        let place = Arc::new(Place { shelf, resource_tags: scope.tags.clone() });
        if places.len() >= PLACES {
            places.clear();
        }
        places.insert(scope.clone(), Arc::clone(&place));
        Ok(place)
    }

    /// Decides for a host on another machine, whose resources are named as
    /// `scope` says. `body` is the very text the proof was made over.
    ///
    /// # Errors
    /// As [`DecisionPoint::decide`].
    pub fn decide_for(&self, scope: &ScopeForm, proof: &Proof, body: &[u8]) -> Result<At<Vec<Answer>>, Fault> {
        let place = self.place(scope)?;
        let Proven { client, .. } = check(self.store.ring(), proof, self.clock.wall(), DECIDE, body)?;
        // What cannot be read was proven all the same: it is of a newer version.
        let questions = serde_json::from_slice(body)
            .map_err(|e| Fault::new(Status::NewerFormat, format!("the questions cannot be read: {e}")))?;
        self.decide_at(&place, client, &questions)
    }

    fn until(&self, lifetime: i64) -> (UnixMillis, UnixMillis) {
        let now = self.clock.wall();
        (now, now.plus(lifetime))
    }

    /// The numbers of these questions' actions, and a table that holds them.
    fn number(&self, questions: &Questions) -> Result<(Vec<ActionId>, ActionTable), Fault> {
        let mut table = self.actions.lock().map_err(broken)?;
        let ids = questions.items.iter().map(|q| table.intern(&q.action, &q.resource_type)).collect();
        if table.len() > ACTIONS {
            *table = ActionTable::new();
            return Err(Fault::new(Status::Busy, "hosts ask about too many different actions"));
        }
        Ok((ids, table.clone()))
    }

    fn keep(&self, set: &Arc<Set>) -> Result<(), Fault> {
        let mut recent = self.recent.lock().map_err(broken)?;
        if !recent.iter().any(|s| Arc::ptr_eq(s, set)) {
            recent.truncate(RECENT - 1);
            recent.push_front(Arc::clone(set));
        }
        Ok(())
    }

    fn decide_at(&self, place: &Place, client: Client, questions: &Questions) -> Result<At<Vec<Answer>>, Fault> {
        let Client { principal, access_key_id, session_policies } = client;
        self.store.check_same(&principal)?;
        let At { revision, value: entitlements } = self.entitlements(&principal.subject, &access_key_id)?;
        let (ids, actions) = self.number(questions)?;
        let set = place.shelf.set(&entitlements, &session_policies, &actions)?;
        self.keep(&set)?;
        let compiled = &set.compiled;
        let principal = principal.with_identity_tags(&entitlements.tags);
        let channel = questions.channel();
        let inputs = Inputs {
            principal: &principal,
            channel: &channel,
            address: questions.address,
            client_id: &questions.client_id,
            now: self.clock.wall(),
            resource_tags: &place.resource_tags,
            keys: Keys::Host,
        };
        let answer = |(id, question): (ActionId, &super::Question)| {
            let verdict = match &question.resource {
                Some(resource) => compiled.decide(id, resource, &inputs),
                None => compiled.decide_any(id, &inputs),
            };
            let statement = verdict.statement.map(|s| compiled.statement(s)).map(|s| (s.policy.to_owned(), s.index));
            Answer {
                outcome: verdict.outcome,
                reason: verdict.reason,
                statement,
                valid_until: verdict.valid_until,
                cacheable: verdict.cacheable,
            }
        };
        Ok(At { revision, value: ids.into_iter().zip(&questions.items).map(answer).collect() })
    }
}

impl SecurityService for Embedded {
    fn log_in(&self, evidence: &Evidence, host: &str, lifetime: i64, _by: Steady) -> Result<At<Issued>, Fault> {
        let At { revision, value: (client, expires, verification, entitlements) } = self.store.view(|view| {
            let (client, expires, verification) = match evidence {
                Evidence::Signature(claim) => {
                    let (client, secret, expires) = look_up(view, claim)?;
                    let key = SigningKey::derive(&secret, claim.scope_date(), claim.region(), claim.service());
                    claim.verify(&key).map_err(|fault| fault.about(client.principal.subject.arn()))?;
                    (client, expires, Some(Arc::new(key)))
                }
                Evidence::Certificate(shown) => (owner_of(view, shown)?, Some(shown.not_after()), None),
            };
            let entitlements = entitled(view, &client.principal.subject)?;
            Ok((client, expires, verification, entitlements))
        })?;
        let impersonation = issue(self.store.ring(), &*self.random, &client, host, self.until(lifetime), expires)?;
        if let Some(claim) = evidence.claim().filter(|claim| claim.session_token().is_none())
            && let Ok(mut used) = self.used.lock()
        {
            // Written with the next report: no login waits for the store's lock.
            used.insert(claim.access_key_id().to_owned(), self.clock.wall().0);
        }
        let value = Issued { client, expires, impersonation, entitlements, verification };
        Ok(At { revision, value })
    }

    fn renew(&self, proof: &Proof, lifetime: i64, _by: Steady) -> Result<Impersonation, Fault> {
        let body = lifetime.to_string();
        let Proven { client, ends } = check(self.store.ring(), proof, self.clock.wall(), RENEW, body.as_bytes())?;
        self.store.view(|view| {
            view.check_same(&client.principal)?;
            standing(view, &client.principal.subject, &client.access_key_id)
        })?;
        issue(self.store.ring(), &*self.random, &client, &proof.host, self.until(lifetime), ends)
    }

    fn entitlements(&self, subject: &Identity, access_key_id: &str) -> Result<At<Entitlements>, Fault> {
        self.store.view(|view| standing(view, subject, access_key_id))
    }

    fn known_as(&self, name: &str) -> Result<At<Option<Known>>, Fault> {
        self.store.view(|view| known(view, name))
    }

    fn seal(&self, purpose: &str, plain: &[u8]) -> Result<Vec<u8>, Fault> {
        self.store.ring().seal(&*self.random, purpose.as_bytes(), plain)
    }

    fn unseal(&self, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>, Fault> {
        self.store.ring().open(purpose.as_bytes(), sealed).map(|s| s.expose().to_vec())
    }

    fn revision(&self) -> Result<Revision, Fault> {
        self.store.revision()
    }

    fn changes(&self, after: Revision, limit: usize) -> Result<Vec<Change>, Fault> {
        let rows = self.store.changes(after, limit)?;
        rows.into_iter()
            .map(|row| {
                let what = match row.kind {
                    ChangeKind::Entitlements => Happening::Entitlements(vec![Identity::parse(&row.subject)?]),
                    ChangeKind::IdentityEnded => Happening::IdentityEnded(Identity::parse(&row.subject)?),
                    ChangeKind::KeyEnded => Happening::KeyEnded(row.subject),
                    ChangeKind::KeyAppeared => Happening::KeyAppeared(row.subject),
                    ChangeKind::SessionEnded => Happening::SessionEnded { id: row.subject, disconnect: row.disconnect },
                    ChangeKind::Gap => Happening::Gap,
                };
                Ok(Change { revision: row.revision, what })
            })
            .collect()
    }

    fn report(&self, boot: &str, host: &str, report: &SessionReport) -> Result<(), Fault> {
        let row = |s: &LiveSession| SessionRow {
            id: s.id.clone(),
            host: host.to_owned(),
            subject: s.subject.clone(),
            access_key_id: s.access_key_id.clone(),
            session_name: s.session_name.clone(),
            address: s.address.clone(),
            listener: s.listener.clone(),
            since: s.since.0,
            deadline: s.deadline.0,
        };
        let begun = report.begun.iter().map(row).collect();
        let rows = access_control::SessionReport { begun, over: report.over.clone(), whole: report.whole };
        let unkept = self.store.report_sessions(boot, host, &rows)?;
        self.unkept.fetch_add(unkept as u64, Ordering::Relaxed);
        let used: Vec<_> = self.used.lock().map(|mut used| used.drain().collect()).unwrap_or_default();
        if used.is_empty() { Ok(()) } else { self.store.keys_used(&used) }
    }
}

impl DecisionPoint for Embedded {
    fn decide(&self, proof: &Proof, questions: &Questions, _by: Steady) -> Result<At<Vec<Answer>>, Fault> {
        let Proven { client, .. } = check(self.store.ring(), proof, self.clock.wall(), DECIDE, &questions.body()?)?;
        self.decide_at(&self.own, client, questions)
    }
}
