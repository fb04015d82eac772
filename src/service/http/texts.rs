// SPDX-License-Identifier: Apache-2.0
//! Texts of policies used last, so that what many identities share travels
//! once.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use crate::fault::Fault;
use crate::service::Entitlements;
use crate::service::wire::{Blob, EntitlementsForm};

type Text = ([u8; 32], Arc<str>);

/// How many of them are kept, and named in a request.
const KEPT: usize = 64;
/// Longer ones are not kept, bytes.
const LONGEST: usize = 256 * 1024;

/// See the module's page.
#[derive(Default)]
pub(super) struct Texts(Mutex<VecDeque<Text>>);

/// The texts a request said are known.
pub(super) struct Known(Vec<Text>);

impl Texts {
    /// What is known now.
    pub(super) fn known(&self) -> Known {
        Known(self.0.lock().map(|kept| kept.iter().cloned().collect()).unwrap_or_default())
    }

    /// The entitlements of an answer to a request that named `known`.
    pub(super) fn complete(&self, known: &Known, mut form: EntitlementsForm) -> Result<Entitlements, Fault> {
        let came = form.documents();
        let find = |hash: &[u8; 32]| {
            let found = came.iter().chain(&known.0).find(|(h, _)| h == hash);
            found.map(|(_, text)| Arc::clone(text))
        };
        let entitlements = form.entitlements(find)?;
        if let Ok(mut kept) = self.0.lock() {
            for policy in entitlements.policies.iter().chain(&entitlements.boundary) {
                if policy.text.len() <= LONGEST {
                    kept.retain(|(hash, _)| *hash != policy.hash);
                    kept.push_front((policy.hash, Arc::clone(&policy.text)));
                }
            }
            kept.truncate(KEPT);
        }
        Ok(entitlements)
    }
}

impl Known {
    /// The hashes, for the request.
    pub(super) fn hashes(&self) -> Vec<Blob> {
        self.0.iter().map(|(hash, _)| Blob::of(hash)).collect()
    }
}
