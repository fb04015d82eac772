// SPDX-License-Identifier: Apache-2.0
//! What was asked, and what came out.

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
    /// Further context keys, given by whoever asks; used by simulation. When
    /// present, these are *all* the keys there are besides those derived from
    /// the principal: no clock and no address is added.
    pub given: Option<&'a dyn GivenKeys>,
}

/// Context keys given from outside, by name.
pub trait GivenKeys {
    /// Calls `each` with every value of the key, whose name is compared
    /// without case, and says whether the key is present.
    fn values(&self, key: &str, each: &mut dyn FnMut(&str)) -> bool;
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
