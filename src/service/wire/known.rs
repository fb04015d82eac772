// SPDX-License-Identifier: Apache-2.0
//! Whose policies a name has: asked in shadow mode about clients that do not
//! log in here. Newer than the rest of the version; a service without it
//! answers that there is no such page, and nothing is compared then.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Blob, EntitlementsForm};
use crate::fault::{Fault, Status};
use crate::revision::{At, Revision};
use crate::service::{Client, ClientForm, Entitlements, Known};

/// Body of a question for a name.
#[derive(Serialize, Deserialize)]
pub struct KnownAsk {
    /// The name: `user/NAME` or `role/NAME`.
    pub name: String,
    /// Hashes of policies whose text need not be sent.
    #[serde(default)]
    pub known: Vec<Blob>,
}

/// Answer to it; without an identity nobody has the name.
#[derive(Serialize, Deserialize)]
pub struct KnownAnswer {
    revision: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client: Option<ClientForm>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    entitlements: Option<EntitlementsForm>,
}

impl KnownAnswer {
    /// The form of an answer, for a host that has the texts of `known`.
    #[must_use]
    pub fn of(at: &At<Option<Known>>, known: &[Blob]) -> Self {
        let client = |found: &Known| {
            let principal = found.principal.clone();
            ClientForm::of(&Client {
                principal: principal.into(),
                access_key_id: String::new(),
                session_policies: Vec::new(),
            })
        };
        Self {
            revision: at.revision.0,
            client: at.value.as_ref().map(client),
            entitlements: at.value.as_ref().map(|found| EntitlementsForm::of(&found.entitlements, known)),
        }
    }

    pub(in crate::service) fn known(
        self,
        policies: impl FnOnce(EntitlementsForm) -> Result<Entitlements, Fault>,
    ) -> Result<At<Option<Known>>, Fault> {
        let value = match (self.client, self.entitlements) {
            (None, None) => None,
            (Some(client), Some(form)) => Some(Known {
                principal: Arc::unwrap_or_clone(client.client()?.principal),
                entitlements: policies(form)?,
            }),
            // Half an answer is none.
            _ => return Err(Fault::new(Status::Unavailable, "the service answered with half an identity")),
        };
        Ok(At { revision: Revision(self.revision), value })
    }
}
