// SPDX-License-Identifier: Apache-2.0
//! What was asked, and what came out.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::channel::Channel;
use crate::identity::Principal;
use crate::time::UnixMillis;

/// The outcome of one question. Zero denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum Outcome {
    /// No.
    #[default]
    Deny = 0,
    /// Yes, by an explicit allow.
    Allow = 1,
    /// Could not decide; not a denial.
    Undecided = 2,
}

/// Everything a decision may depend on, in one struct. What is not in here
/// cannot influence a decision.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// Who asks.
    pub principal: &'a Principal,
    /// Over which connection.
    pub channel: &'a Channel,
    /// The address this request came from, where the host gives one with each
    /// request (a forwarded request keeps its origin); else the channel's.
    pub address: Option<IpAddr>,
    /// The client id this request carries: free text chosen by the client.
    pub client_id: &'a str,
    /// When.
    pub now: UnixMillis,
    /// Tags of the resource's cluster (`aws:ResourceTag/*`).
    pub resource_tags: &'a [(String, String)],
    /// Where the values of condition keys come from.
    pub keys: Keys<'a>,
}

/// Where the values of condition keys come from.
#[derive(Clone, Copy)]
pub enum Keys<'a> {
    /// The facts of the host: everything else in [`Inputs`].
    Host,
    /// The facts of the host, and these for keys the host does not know. A
    /// given key never stands in for a fact.
    HostAnd(&'a GivenKeys),
    /// These and nothing else: no clock, no address, nothing of the principal.
    Only(&'a GivenKeys),
}

/// Values of condition keys, given by whoever asks. Names compare without
/// case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GivenKeys(BTreeMap<String, Vec<String>>);

impl GivenKeys {
    /// Gives a key its values; false, and no change, when it has some already.
    pub fn give(&mut self, name: &str, values: Vec<String>) -> bool {
        let name = name.to_lowercase();
        let new = !self.0.contains_key(&name);
        if new {
            self.0.insert(name, values);
        }
        new
    }

    /// Gives a key these values, in place of those it has.
    pub fn replace(&mut self, name: &str, values: Vec<String>) {
        self.0.insert(name.to_lowercase(), values);
    }

    /// The values of a key, whose name is in lower case. None, or an empty
    /// list, when it is missing.
    #[must_use]
    pub fn get(&self, lower_case: &str) -> Option<&[String]> {
        self.0.get(lower_case).map(Vec::as_slice)
    }
}

/// Why a decision came out as it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A statement allows and nothing denies.
    Allowed,
    /// A statement denies.
    ExplicitDeny,
    /// No statement allows.
    ImplicitDeny,
    /// An identity policy allows, the permissions boundary does not.
    BoundaryLimits,
    /// An identity policy allows, the session policy does not.
    SessionPolicyLimits,
}

/// Names a statement inside the compiled policies that decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StatementRef(pub u32);

/// What policy evaluation says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// [`Outcome::Allow`] or [`Outcome::Deny`]: evaluation is never undecided.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
    /// The statement that allowed or explicitly denied.
    pub statement: Option<StatementRef>,
    /// The verdict holds only before this instant (time conditions).
    pub valid_until: Option<UnixMillis>,
    /// False when the verdict depends on something that is not part of the
    /// context it would be cached in.
    pub cacheable: bool,
}

impl Verdict {
    /// A deny because nothing allows.
    pub const IMPLICIT_DENY: Self = Self {
        outcome: Outcome::Deny,
        reason: Reason::ImplicitDeny,
        statement: None,
        valid_until: None,
        cacheable: true,
    };
}
