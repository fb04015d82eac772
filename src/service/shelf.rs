// SPDX-License-Identifier: Apache-2.0
//! Policies made once and shared: parsed documents by their text, compiled
//! policies by the set they were made from.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

use aws_lc_rs::digest;

use super::{Entitlements, PolicyText};
use crate::fault::{Fault, Status};
use crate::policy::{ActionTable, ArnMatch, Compiled, Document, Named, PolicySet, Scope};
use crate::settings::EngineSettings;

type Hash = [u8; 32];

/// Compiled policies under the hash of what they were compiled from.
pub struct Set {
    /// Equal for equal policies and actions.
    pub hash: Hash,
    /// The policies.
    pub compiled: Arc<Compiled>,
}

/// See the module's page.
pub struct Shelf {
    scope: Scope,
    documents: Mutex<HashMap<Hash, Weak<Document>>>,
    sets: Mutex<HashMap<Hash, Weak<Set>>>,
}

fn broken<T>(_: T) -> Fault {
    Fault::internal("shared policies failed earlier")
}

impl Shelf {
    /// An empty shelf for the resources of these settings.
    #[must_use]
    pub fn new(settings: &EngineSettings) -> Self {
        let arn_match = if settings.arn_match_aws { ArnMatch::Aws } else { ArnMatch::Fields };
        Self::of(Scope { namespaces: settings.namespaces.clone(), arn_match })
    }

    /// An empty shelf for the resources of this scope.
    #[must_use]
    pub fn of(scope: Scope) -> Self {
        Self { scope, documents: Mutex::default(), sets: Mutex::default() }
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
    ///
    /// # Errors
    /// Undecided when a document is of a newer version of the language.
    pub fn set(
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

    /// Forgets what nobody uses.
    pub fn sweep(&self) {
        if let Ok(mut documents) = self.documents.lock() {
            documents.retain(|_, d| d.strong_count() > 0);
        }
        if let Ok(mut sets) = self.sets.lock() {
            sets.retain(|_, s| s.strong_count() > 0);
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
    context.update(&actions.fingerprint());
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}
