// SPDX-License-Identifier: Apache-2.0
//! A signed request as it travels to a service on another machine: the fields
//! as the client sent them, which are read again there.

use serde::{Deserialize, Serialize};

use super::claim::{Claim, Fields, Form};
use super::hex;
use crate::fault::Fault;

/// See the module's page.
#[derive(Serialize, Deserialize)]
pub struct ClaimForm {
    form: Form,
    host: String,
    credential: String,
    date: String,
    expires: String,
    signature: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    security_token: Option<String>,
    user_agent: String,
    action: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    others: Vec<(String, String)>,
}

impl Claim {
    /// The form of this claim.
    #[must_use]
    pub fn form(&self) -> ClaimForm {
        let Self { access_key_id, scope_date, region, service, .. } = self;
        ClaimForm {
            form: self.form,
            host: self.host.clone(),
            credential: format!("{access_key_id}/{scope_date}/{region}/{service}/aws4_request"),
            date: self.date_text.clone(),
            expires: self.expires_text.clone(),
            signature: hex(&self.signature),
            security_token: self.session_token.clone(),
            user_agent: self.user_agent.clone(),
            action: self.action.clone(),
            others: self.others.clone(),
        }
    }
}

impl ClaimForm {
    /// The claim, checked as when it came.
    ///
    /// # Errors
    /// [`crate::fault::Status::Malformed`].
    pub fn claim(self) -> Result<Claim, Fault> {
        Claim::new(Fields {
            host: self.host,
            credential: self.credential,
            date: self.date,
            signed_headers: "host".to_owned(),
            expires: self.expires,
            signature: self.signature,
            security_token: self.security_token,
            user_agent: Some(self.user_agent),
            form: self.form,
            action: self.action,
            others: self.others,
        })
    }
}
