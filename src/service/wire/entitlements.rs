// SPDX-License-Identifier: Apache-2.0
//! Policies as they travel: named by the hash of their text, and of the texts
//! only those the host does not have.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Blob;
use crate::fault::{Fault, Status};
use crate::service::{Entitlements, PolicyText};

type Hash = [u8; 32];

#[derive(Serialize, Deserialize)]
struct PolicyRef {
    name: String,
    hash: Blob,
}

/// See the module's page.
#[derive(Serialize, Deserialize)]
pub struct EntitlementsForm {
    policies: Vec<PolicyRef>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    boundary: Option<PolicyRef>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<(String, String)>,
    /// Texts the host did not say it has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    documents: Vec<String>,
}

impl EntitlementsForm {
    /// The form for a host that has the texts of the `known` hashes.
    #[must_use]
    pub fn of(entitlements: &Entitlements, known: &[Blob]) -> Self {
        let reference = |p: &PolicyText| PolicyRef { name: p.name.to_string(), hash: Blob::of(&p.hash) };
        let mut documents: HashMap<Hash, &str> = HashMap::new();
        for policy in entitlements.policies.iter().chain(&entitlements.boundary) {
            if !known.iter().any(|k| k.0.as_slice() == policy.hash) {
                documents.insert(policy.hash, &policy.text);
            }
        }
        Self {
            policies: entitlements.policies.iter().map(reference).collect(),
            boundary: entitlements.boundary.as_ref().map(reference),
            tags: entitlements.tags.clone(),
            documents: documents.into_values().map(str::to_owned).collect(),
        }
    }

    /// Texts that came along, by their own hash: nobody's word is taken for it.
    pub(in crate::service) fn documents(&mut self) -> Vec<(Hash, Arc<str>)> {
        let taken = std::mem::take(&mut self.documents);
        taken.into_iter().map(|text| PolicyText::new("", &text)).map(|p| (p.hash, p.text)).collect()
    }

    /// The entitlements, with the texts `find` knows.
    ///
    /// # Errors
    /// Undecided when a text is missing: nothing is left out.
    pub(in crate::service) fn entitlements(
        self,
        find: impl Fn(&Hash) -> Option<Arc<str>>,
    ) -> Result<Entitlements, Fault> {
        let whole = |p: PolicyRef| {
            let hash = p.hash.exactly()?;
            let text = find(&hash).ok_or_else(|| {
                Fault::new(Status::Unavailable, format!("the service did not deliver the text of policy {}", p.name))
            })?;
            Ok(PolicyText { name: p.name.into(), hash, text })
        };
        Ok(Entitlements {
            policies: self.policies.into_iter().map(whole).collect::<Result<_, Fault>>()?,
            boundary: self.boundary.map(whole).transpose()?,
            tags: self.tags,
        })
    }
}
