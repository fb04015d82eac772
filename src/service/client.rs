// SPDX-License-Identifier: Apache-2.0
//! A client as the service knows it, and its form inside sealed formats: the
//! token of an impersonation credential and a session that is forwarded.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::PolicyText;
use crate::fault::Fault;
use crate::identity::{Actor, Attributes, GrantId, Identity, Principal};

/// Who logged in, with what narrows it. `principal.attributes.tags` are those
/// of the session; the identity's own come with its entitlements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Whose rights count, and who acts.
    pub principal: Arc<Principal>,
    /// Id of the access key the client signed with.
    pub access_key_id: String,
    /// Policies of the session, which only narrow.
    pub session_policies: Vec<PolicyText>,
}

/// [`Client`] as it is written. Fields are only ever added, under a new version
/// of the format that holds them.
#[derive(Serialize, Deserialize)]
pub struct ClientForm {
    subject: String,
    user_id: String,
    session_name: Option<String>,
    source_identity: Option<String>,
    tags: Vec<(String, String)>,
    token_issued: Option<i64>,
    actors: Vec<String>,
    grant: Option<String>,
    access_key_id: String,
    session_policies: Vec<(String, String)>,
}

impl ClientForm {
    /// The form of a client.
    #[must_use]
    pub fn of(client: &Client) -> Self {
        let Principal { subject, attributes, actors, grant } = &*client.principal;
        Self {
            subject: subject.arn().to_owned(),
            user_id: attributes.user_id.clone(),
            session_name: attributes.session_name.clone(),
            source_identity: attributes.source_identity.clone(),
            tags: attributes.tags.clone(),
            token_issued: attributes.token_issued,
            actors: actors.iter().map(|a| a.identity.arn().to_owned()).collect(),
            grant: grant.as_ref().map(|g| g.0.clone()),
            access_key_id: client.access_key_id.clone(),
            session_policies: client
                .session_policies
                .iter()
                .map(|p| (p.name.to_string(), p.text.to_string()))
                .collect(),
        }
    }

    /// The client of a form.
    ///
    /// # Errors
    /// When a name in it is not an identity's.
    pub fn client(self) -> Result<Client, Fault> {
        let actors = self.actors.iter().map(|a| Ok(Actor { identity: Identity::parse(a)? }));
        Ok(Client {
            principal: Arc::new(Principal {
                subject: Identity::parse(&self.subject)?,
                attributes: Attributes {
                    user_id: self.user_id,
                    session_name: self.session_name,
                    source_identity: self.source_identity,
                    tags: self.tags,
                    token_issued: self.token_issued,
                },
                actors: actors.collect::<Result<_, Fault>>()?,
                grant: self.grant.map(GrantId),
            }),
            access_key_id: self.access_key_id,
            session_policies: self.session_policies.iter().map(|(name, text)| PolicyText::new(name, text)).collect(),
        })
    }
}
