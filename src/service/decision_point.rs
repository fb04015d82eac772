// SPDX-License-Identifier: Apache-2.0
//! Asking somebody else for decisions: the questions of one client over one
//! connection, proven by the credential that stands in for it.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::Proof;
use crate::channel::Channel;
use crate::decision::{Outcome, Reason};
use crate::fault::Fault;
use crate::revision::At;
use crate::time::{Steady, UnixMillis};

/// What the proof of a decision request is made for.
pub const DECIDE: &str = "decide";

/// One question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// The action, such as `kafka-cluster:ReadData`.
    pub action: String,
    /// Type of the resource; empty when `resource` is a whole ARN.
    pub resource_type: String,
    /// Name of the resource; none asks about any resource of the type.
    pub resource: Option<String>,
}

/// The questions of one request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Questions {
    /// Address the request came from.
    pub address: Option<IpAddr>,
    /// Client id the request carries.
    pub client_id: String,
    /// True when the channel is encrypted.
    pub secure: bool,
    /// Listener.
    pub listener: String,
    /// Security protocol.
    pub protocol: String,
    /// Name the client dialled.
    pub host: String,
    /// Condition keys of the asking host's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<(String, String)>,
    /// What is asked.
    pub items: Vec<Question>,
}

impl Questions {
    /// Questions of a request over a channel.
    #[must_use]
    pub fn new(channel: &Channel, address: Option<IpAddr>, client_id: &str, items: Vec<Question>) -> Self {
        Self {
            address: address.or(channel.address),
            client_id: client_id.to_owned(),
            secure: channel.secure,
            listener: channel.listener.clone(),
            protocol: channel.protocol.clone(),
            host: channel.host.clone(),
            facts: channel.facts.clone(),
            items,
        }
    }

    /// The channel they came over, as far as decisions can see it.
    #[must_use]
    pub fn channel(&self) -> Channel {
        Channel {
            address: self.address,
            secure: self.secure,
            listener: self.listener.clone(),
            protocol: self.protocol.clone(),
            host: self.host.clone(),
            facts: self.facts.clone(),
            ..Channel::default()
        }
    }

    /// The bytes a proof is made over.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn body(&self) -> Result<Vec<u8>, Fault> {
        serde_json::to_vec(self).map_err(|e| Fault::internal(format!("questions could not be written: {e}")))
    }
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Allow or deny; what cannot be decided is a failure of the whole call.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
    /// Policy and position of the deciding statement.
    pub statement: Option<(String, usize)>,
    /// The answer holds only before this instant.
    pub valid_until: Option<UnixMillis>,
    /// False when it may not be repeated.
    pub cacheable: bool,
}

/// Answers "may X do A on R". Apart from the identity side, so that another
/// service can decide.
pub trait DecisionPoint: Send + Sync {
    /// Decides the questions of the client whose credential made `proof`, in
    /// their order.
    ///
    /// # Errors
    /// Refused: the proof does not hold, or the client's key or identity
    /// ended. Undecided: no answer by the deadline.
    fn decide(&self, proof: &Proof, questions: &Questions, by: Steady) -> Result<At<Vec<Answer>>, Fault>;
}
