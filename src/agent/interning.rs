// SPDX-License-Identifier: Apache-2.0
//! Things made once and shared: parsed documents by text, compiled policies by
//! the set they were made from, contexts by everything they depend on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

use aws_lc_rs::digest;

use crate::channel::Channel;
use crate::fault::{Fault, Status};
use crate::identity::Principal;
use crate::policy::{ActionTable, Compiled, Document, Facts, Named, PolicySet, Scope};
use crate::revision::Revision;
use crate::service::{Entitlements, PolicyText};
use crate::session::{Context, Tally};

type Hash = [u8; 32];

/// Compiled policies under the hash of what they were compiled from.
pub(super) struct Set {
    hash: Hash,
    pub(super) compiled: Arc<Compiled>,
}

#[derive(PartialEq, Eq, Hash)]
struct ContextKey {
    set: Hash,
    principal: Principal,
    channel: Channel,
}

/// See the module's page.
pub(super) struct Interning {
    scope: Scope,
    resource_tags: Arc<[(String, String)]>,
    cache_entries: usize,
    documents: Mutex<HashMap<Hash, Weak<Document>>>,
    sets: Mutex<HashMap<Hash, Weak<Set>>>,
    contexts: Mutex<HashMap<ContextKey, Weak<Context>>>,
}

fn broken<T>(_: T) -> Fault {
    Fault::internal("shared policies failed earlier")
}

impl Interning {
    pub(super) fn new(scope: Scope, resource_tags: Vec<(String, String)>, cache_entries: usize) -> Self {
        Self {
            scope,
            resource_tags: resource_tags.into(),
            cache_entries,
            documents: Mutex::default(),
            sets: Mutex::default(),
            contexts: Mutex::default(),
        }
    }

    fn document(&self, policy: &PolicyText) -> Result<Arc<Document>, Fault> {
        if let Some(known) = self.documents.lock().map_err(broken)?.get(&policy.hash).and_then(Weak::upgrade) {
            return Ok(known);
        }
        // A document that cannot be read must not be left out: it may deny.
        let document = Document::parse(&policy.text)
            .map_err(|e| Fault::new(Status::NewerFormat, format!("policy {}: {e}", policy.name)))?;
        let document = Arc::new(document);
        self.documents.lock().map_err(broken)?.insert(policy.hash, Arc::downgrade(&document));
        Ok(document)
    }

    fn named(&self, policy: &PolicyText) -> Result<Named, Fault> {
        Ok(Named { name: Arc::clone(&policy.name), document: self.document(policy)? })
    }

    /// Compiles an identity's policies together with those of a session, or
    /// finds them compiled.
    pub(super) fn set(
        &self,
        entitlements: &Entitlements,
        session: &[PolicyText],
        actions: &ActionTable,
    ) -> Result<Arc<Set>, Fault> {
        let hash = hash_of(entitlements, session, actions);
        if let Some(known) = self.sets.lock().map_err(broken)?.get(&hash).and_then(Weak::upgrade) {
            return Ok(known);
        }
        let policies = PolicySet {
            identity: entitlements.policies.iter().map(|p| self.named(p)).collect::<Result<_, _>>()?,
            boundary: entitlements.boundary.as_ref().map(|p| self.named(p)).transpose()?,
            session: session.iter().map(|p| self.named(p)).collect::<Result<_, _>>()?,
        };
        let set = Arc::new(Set { hash, compiled: Arc::new(Compiled::new(&policies, actions, &self.scope)) });
        self.sets.lock().map_err(broken)?.insert(hash, Arc::downgrade(&set));
        Ok(set)
    }

    /// The context of this principal under these policies over this channel;
    /// shared with everyone for whom all that the policies look at is equal.
    pub(super) fn context(
        &self,
        principal: &Arc<Principal>,
        set: &Set,
        revision: Revision,
        channel: &Channel,
        tally: &Arc<Tally>,
    ) -> Result<Arc<Context>, Fault> {
        let depends = set.compiled.depends();
        let key = ContextKey {
            set: set.hash,
            principal: seen_of_principal(principal, depends),
            channel: seen_of_channel(channel, depends),
        };
        let mut contexts = self.contexts.lock().map_err(broken)?;
        if let Some(known) = contexts.get(&key).and_then(Weak::upgrade).filter(|c| !c.is_worn()) {
            return Ok(known);
        }
        let context = Arc::new(Context::new(
            Arc::clone(principal),
            Arc::clone(&set.compiled),
            revision,
            Arc::clone(&self.resource_tags),
            self.cache_entries,
            Arc::clone(tally),
        ));
        contexts.insert(key, Arc::downgrade(&context));
        Ok(context)
    }

    /// Every context in use.
    pub(super) fn contexts(&self) -> Vec<Arc<Context>> {
        self.contexts.lock().map(|c| c.values().filter_map(Weak::upgrade).collect()).unwrap_or_default()
    }

    /// Forgets what nobody uses.
    pub(super) fn sweep(&self) {
        if let Ok(mut documents) = self.documents.lock() {
            documents.retain(|_, d| d.strong_count() > 0);
        }
        if let Ok(mut sets) = self.sets.lock() {
            sets.retain(|_, s| s.strong_count() > 0);
        }
        if let Ok(mut contexts) = self.contexts.lock() {
            contexts.retain(|_, c| c.strong_count() > 0);
        }
    }
}

fn hash_of(entitlements: &Entitlements, session: &[PolicyText], actions: &ActionTable) -> Hash {
    let mut context = digest::Context::new(&digest::SHA256);
    let mut policy = |mark: u8, p: &PolicyText| {
        context.update(&[mark]);
        context.update(&p.hash);
        context.update(&(p.name.len() as u64).to_le_bytes());
        context.update(p.name.as_bytes());
    };
    entitlements.policies.iter().for_each(|p| policy(b'i', p));
    entitlements.boundary.iter().for_each(|p| policy(b'b', p));
    session.iter().for_each(|p| policy(b's', p));
    context.update(&(actions.len() as u64).to_le_bytes());
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// The principal reduced to what decisions under these policies can see.
fn seen_of_principal(principal: &Principal, depends: Facts) -> Principal {
    let mut seen = principal.clone();
    let attributes = &mut seen.attributes;
    attributes.session_name = None;
    attributes.source_identity = None;
    if !depends.contains(Facts::USER_ID) {
        attributes.user_id = String::new();
    }
    // Presence of the issue time decides the principal's type.
    if !depends.contains(Facts::TOKEN_ISSUE_TIME) {
        attributes.token_issued = attributes.token_issued.map(|_| 0);
    }
    if !depends.contains(Facts::TAGS) {
        attributes.tags.clear();
    }
    seen
}

/// The channel reduced to what decisions under these policies can see.
fn seen_of_channel(channel: &Channel, depends: Facts) -> Channel {
    let when = |bit: Facts, text: &str| if depends.contains(bit) { text.to_owned() } else { String::new() };
    Channel {
        address: channel.address.filter(|_| depends.contains(Facts::SOURCE_IP)),
        port: 0,
        secure: channel.secure && depends.contains(Facts::SECURE),
        listener: when(Facts::LISTENER, &channel.listener),
        protocol: when(Facts::PROTOCOL, &channel.protocol),
        host: when(Facts::HOST, &channel.host),
        connection: String::new(),
    }
}
