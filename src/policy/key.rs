// SPDX-License-Identifier: Apache-2.0
//! Condition keys, and where their values come from.

use super::text::{Instant, Short, Text, same_without_case};
use crate::decision::{Inputs, Keys};
use crate::identity::IdentityKind;

/// Which facts the policies of a set look at, as a set of bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Facts(u16);

impl Facts {
    /// `aws:SourceIp`.
    pub const SOURCE_IP: Self = Self(1);
    /// `standin:ClientId`.
    pub const CLIENT_ID: Self = Self(1 << 1);
    /// `aws:CurrentTime`, `aws:EpochTime`.
    pub const TIME: Self = Self(1 << 2);
    /// `standin:Listener`.
    pub const LISTENER: Self = Self(1 << 3);
    /// `standin:Protocol`.
    pub const PROTOCOL: Self = Self(1 << 4);
    /// `standin:Host`.
    pub const HOST: Self = Self(1 << 5);
    /// `aws:SecureTransport`.
    pub const SECURE: Self = Self(1 << 6);
    /// `aws:userid`.
    pub const USER_ID: Self = Self(1 << 7);
    /// `aws:TokenIssueTime`.
    pub const TOKEN_ISSUE_TIME: Self = Self(1 << 8);
    /// `aws:PrincipalTag/…`.
    pub const TAGS: Self = Self(1 << 9);
    /// `aws:SourceIdentity`.
    pub const SOURCE_IDENTITY: Self = Self(1 << 10);

    /// True when every fact of `other` is in here.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(super) fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// Where a host finds the value of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Origin {
    Address,
    CurrentTime,
    EpochTime,
    SecureTransport,
    Username,
    UserId,
    PrincipalArn,
    PrincipalType,
    PrincipalAccount,
    PrincipalTag,
    SourceIdentity,
    TokenIssueTime,
    ResourceTag,
    ClientId,
    Listener,
    Protocol,
    Host,
    /// One of the host's own, if it has it.
    Channel,
}

const PRINCIPAL_TAG: &str = "aws:principaltag/";
const RESOURCE_TAG: &str = "aws:resourcetag/";

/// The keys that take the name of a tag behind a slash.
pub(super) const OF_TAGS: [&str; 3] = ["aws:PrincipalTag", "aws:ResourceTag", "aws:RequestTag"];

/// A condition key. Names compare without case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// In lower case.
    name: Box<str>,
    origin: Origin,
}

impl Key {
    pub(super) fn of(name: &str) -> Self {
        let name = name.to_lowercase();
        let origin = match name.as_str() {
            "aws:sourceip" => Origin::Address,
            "aws:currenttime" => Origin::CurrentTime,
            "aws:epochtime" => Origin::EpochTime,
            "aws:securetransport" => Origin::SecureTransport,
            "aws:username" => Origin::Username,
            "aws:userid" => Origin::UserId,
            "aws:principalarn" => Origin::PrincipalArn,
            "aws:principaltype" => Origin::PrincipalType,
            "aws:principalaccount" => Origin::PrincipalAccount,
            "aws:sourceidentity" => Origin::SourceIdentity,
            "aws:tokenissuetime" => Origin::TokenIssueTime,
            "standin:clientid" => Origin::ClientId,
            "standin:listener" => Origin::Listener,
            "standin:protocol" => Origin::Protocol,
            "standin:host" => Origin::Host,
            name if name.starts_with(PRINCIPAL_TAG) => Origin::PrincipalTag,
            name if name.starts_with(RESOURCE_TAG) => Origin::ResourceTag,
            _ => Origin::Channel,
        };
        Self { name: name.into(), origin }
    }

    /// The name, when the host may have a fact of its own for it.
    pub(super) fn of_channel(&self) -> Option<&str> {
        (self.origin == Origin::Channel).then_some(&self.name)
    }

    /// The name, in lower case.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn origin(&self) -> Origin {
        self.origin
    }

    pub(super) fn facts(&self) -> Facts {
        match self.origin {
            Origin::Address => Facts::SOURCE_IP,
            Origin::CurrentTime | Origin::EpochTime => Facts::TIME,
            Origin::SecureTransport => Facts::SECURE,
            Origin::UserId => Facts::USER_ID,
            Origin::PrincipalTag => Facts::TAGS,
            Origin::SourceIdentity => Facts::SOURCE_IDENTITY,
            Origin::TokenIssueTime => Facts::TOKEN_ISSUE_TIME,
            Origin::ClientId => Facts::CLIENT_ID,
            Origin::Listener => Facts::LISTENER,
            Origin::Protocol => Facts::PROTOCOL,
            Origin::Host => Facts::HOST,
            Origin::Username
            | Origin::PrincipalArn
            | Origin::PrincipalType
            | Origin::PrincipalAccount
            | Origin::ResourceTag
            | Origin::Channel => Facts::default(),
        }
    }
}

/// The values of a key.
pub(super) enum Found<'a> {
    Missing,
    One(Text<'a>),
    Many(&'a [String]),
}

impl<'a> Found<'a> {
    /// The values of `key` in these inputs.
    pub(super) fn of(inputs: &Inputs<'a>, key: &Key) -> Self {
        let given = match inputs.keys {
            Keys::Only(given) => given,
            Keys::HostAnd(given) if fact(inputs, key).is_none() && key.origin == Origin::Channel => given,
            Keys::Host | Keys::HostAnd(_) => return fact(inputs, key).map_or(Self::Missing, Self::One),
        };
        // A key without values counts as missing.
        given.get(&key.name).filter(|values| !values.is_empty()).map_or(Self::Missing, Self::Many)
    }

    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Missing)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        let (one, many): (Option<&str>, &[String]) = match self {
            Self::Missing => (None, &[]),
            Self::One(text) => (Some(text.as_str()), &[]),
            Self::Many(values) => (None, values),
        };
        one.into_iter().chain(many.iter().map(String::as_str))
    }
}

/// The host's value of the key.
fn fact<'a>(inputs: &Inputs<'a>, key: &Key) -> Option<Text<'a>> {
    let subject = &inputs.principal.subject;
    let attributes = &inputs.principal.attributes;
    let tagged = |tags: &'a [(String, String)], head: &str| {
        let tag = key.name.get(head.len()..)?;
        tags.iter().find(|(k, _)| same_without_case(k, tag)).map(|(_, v)| Text::Borrowed(v.as_str()))
    };
    let present = |text: &'a str| (!text.is_empty()).then_some(Text::Borrowed(text));
    match key.origin {
        Origin::Address => inputs.address.or(inputs.channel.address).map(|a| Text::Made(Short::of(a))),
        Origin::CurrentTime => Some(Text::Made(Short::of(Instant(inputs.now.seconds())))),
        Origin::EpochTime => Some(Text::Made(Short::of(inputs.now.seconds()))),
        Origin::SecureTransport => Some(Text::Borrowed(if inputs.channel.secure { "true" } else { "false" })),
        Origin::Username => (subject.kind() == IdentityKind::User).then(|| Text::Borrowed(subject.name())),
        Origin::UserId => present(&attributes.user_id),
        Origin::PrincipalArn => Some(Text::Borrowed(subject.arn())),
        Origin::PrincipalType => {
            Some(Text::Borrowed(if subject.kind() == IdentityKind::Role { "AssumedRole" } else { "User" }))
        }
        Origin::PrincipalAccount => Some(Text::Borrowed(subject.account())),
        Origin::PrincipalTag => tagged(&attributes.tags, PRINCIPAL_TAG),
        Origin::SourceIdentity => attributes.source_identity.as_deref().and_then(present),
        Origin::TokenIssueTime => attributes.token_issued.map(|t| Text::Made(Short::of(Instant(t.div_euclid(1000))))),
        Origin::ResourceTag => tagged(inputs.resource_tags, RESOURCE_TAG),
        Origin::ClientId => present(inputs.client_id),
        Origin::Listener => present(&inputs.channel.listener),
        Origin::Protocol => present(&inputs.channel.protocol),
        Origin::Host => present(&inputs.channel.host),
        Origin::Channel => {
            inputs.channel.facts.iter().find(|(name, _)| **name == *key.name).map(|(_, v)| Text::Borrowed(v.as_str()))
        }
    }
}

/// Values of policy variables for one decision.
pub(super) struct Values<'a, 'b>(pub(super) &'b Inputs<'a>);

impl super::pattern::Lookup for Values<'_, '_> {
    fn single<'s>(&'s self, key: &Key) -> Option<Text<'s>> {
        match Found::of(self.0, key) {
            Found::One(text) => Some(text),
            // A key with several values cannot be a variable.
            Found::Many([only]) => Some(Text::Borrowed(only)),
            Found::Missing | Found::Many(_) => None,
        }
    }
}
