// SPDX-License-Identifier: Apache-2.0
//! Condition keys, and where their values come from.

use crate::decision::Inputs;
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

    /// True when every fact of `other` is in here.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(super) fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// A condition key. Names compare without case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    SourceIp,
    CurrentTime,
    EpochTime,
    SecureTransport,
    Username,
    UserId,
    PrincipalArn,
    PrincipalType,
    PrincipalAccount,
    PrincipalTag(Box<str>),
    TokenIssueTime,
    ResourceTag(Box<str>),
    ClientId,
    Listener,
    Protocol,
    Host,
    /// Any other key: known only to simulation.
    Other(Box<str>),
}

impl Key {
    pub(super) fn of(name: &str) -> Self {
        let lower = name.to_ascii_lowercase();
        match lower.as_str() {
            "aws:sourceip" => Self::SourceIp,
            "aws:currenttime" => Self::CurrentTime,
            "aws:epochtime" => Self::EpochTime,
            "aws:securetransport" => Self::SecureTransport,
            "aws:username" => Self::Username,
            "aws:userid" => Self::UserId,
            "aws:principalarn" => Self::PrincipalArn,
            "aws:principaltype" => Self::PrincipalType,
            "aws:principalaccount" => Self::PrincipalAccount,
            "aws:tokenissuetime" => Self::TokenIssueTime,
            "standin:clientid" => Self::ClientId,
            "standin:listener" => Self::Listener,
            "standin:protocol" => Self::Protocol,
            "standin:host" => Self::Host,
            other => {
                if let Some(tag) = other.strip_prefix("aws:principaltag/") {
                    Self::PrincipalTag(tag.into())
                } else if let Some(tag) = other.strip_prefix("aws:resourcetag/") {
                    Self::ResourceTag(tag.into())
                } else {
                    Self::Other(other.into())
                }
            }
        }
    }

    /// The name in lower case.
    pub(super) fn name(&self) -> std::borrow::Cow<'_, str> {
        match self {
            Self::SourceIp => "aws:sourceip".into(),
            Self::CurrentTime => "aws:currenttime".into(),
            Self::EpochTime => "aws:epochtime".into(),
            Self::SecureTransport => "aws:securetransport".into(),
            Self::Username => "aws:username".into(),
            Self::UserId => "aws:userid".into(),
            Self::PrincipalArn => "aws:principalarn".into(),
            Self::PrincipalType => "aws:principaltype".into(),
            Self::PrincipalAccount => "aws:principalaccount".into(),
            Self::PrincipalTag(tag) => format!("aws:principaltag/{tag}").into(),
            Self::TokenIssueTime => "aws:tokenissuetime".into(),
            Self::ResourceTag(tag) => format!("aws:resourcetag/{tag}").into(),
            Self::ClientId => "standin:clientid".into(),
            Self::Listener => "standin:listener".into(),
            Self::Protocol => "standin:protocol".into(),
            Self::Host => "standin:host".into(),
            Self::Other(name) => name.as_ref().into(),
        }
    }

    pub(super) fn facts(&self) -> Facts {
        match self {
            Self::SourceIp => Facts::SOURCE_IP,
            Self::CurrentTime | Self::EpochTime => Facts::TIME,
            Self::SecureTransport => Facts::SECURE,
            Self::UserId => Facts::USER_ID,
            Self::PrincipalTag(_) => Facts::TAGS,
            Self::TokenIssueTime => Facts::TOKEN_ISSUE_TIME,
            Self::ClientId => Facts::CLIENT_ID,
            Self::Listener => Facts::LISTENER,
            Self::Protocol => Facts::PROTOCOL,
            Self::Host => Facts::HOST,
            Self::Username
            | Self::PrincipalArn
            | Self::PrincipalType
            | Self::PrincipalAccount
            | Self::ResourceTag(_)
            | Self::Other(_) => Facts::default(),
        }
    }
}

/// A value as text: borrowed, or short text made on the stack.
pub(super) enum Text<'a> {
    Borrowed(&'a str),
    Made(Short),
    Owned(String),
}

impl Text<'_> {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Made(short) => short.as_str(),
            Self::Owned(text) => text,
        }
    }
}

/// Up to 64 bytes of text without allocation.
pub(super) struct Short {
    bytes: [u8; 64],
    len: usize,
}

impl Short {
    fn of(value: impl std::fmt::Display) -> Self {
        use std::fmt::Write;
        let mut short = Self { bytes: [0; 64], len: 0 };
        // Addresses, dates and numbers are shorter than the buffer.
        let _ = write!(short, "{value}");
        short
    }

    fn as_str(&self) -> &str {
        self.bytes.get(..self.len).and_then(|b| std::str::from_utf8(b).ok()).unwrap_or_default()
    }
}

impl std::fmt::Write for Short {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let room = self.bytes.get_mut(self.len..self.len + text.len()).ok_or(std::fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.len += text.len();
        Ok(())
    }
}

/// Calls `each` with every value of the key; false when the key is missing.
pub(super) fn values(inputs: &Inputs<'_>, key: &Key, each: &mut dyn FnMut(&str)) -> bool {
    if let Some(given) = inputs.given {
        // Simulation: what is given wins, then what follows from the principal.
        if given.values(&key.name(), each) {
            return true;
        }
        let follows = matches!(key, Key::PrincipalArn | Key::PrincipalAccount | Key::PrincipalTag(_) | Key::Username);
        return follows && single(inputs, key).map(|t| each(t.as_str())).is_some();
    }
    single(inputs, key).map(|t| each(t.as_str())).is_some()
}

/// The single value of the key.
pub(super) fn single<'a>(inputs: &Inputs<'a>, key: &Key) -> Option<Text<'a>> {
    let subject = &inputs.principal.subject;
    let attributes = &inputs.principal.attributes;
    let tagged = |tags: &'a [(String, String)], tag: &str| {
        tags.iter().find(|(k, _)| k.eq_ignore_ascii_case(tag)).map(|(_, v)| Text::Borrowed(v.as_str()))
    };
    let present = |text: &'a str| (!text.is_empty()).then_some(Text::Borrowed(text));
    match key {
        Key::SourceIp => inputs.address.or(inputs.channel.address).map(|a| Text::Made(Short::of(a))),
        Key::CurrentTime => Some(Text::Made(Short::of(Instant(inputs.now.seconds())))),
        Key::EpochTime => Some(Text::Made(Short::of(inputs.now.seconds()))),
        Key::SecureTransport => Some(Text::Borrowed(if inputs.channel.secure { "true" } else { "false" })),
        Key::Username => (subject.kind() == IdentityKind::User).then(|| Text::Borrowed(subject.name())),
        Key::UserId => present(&attributes.user_id),
        Key::PrincipalArn => Some(Text::Borrowed(subject.arn())),
        Key::PrincipalType => {
            Some(Text::Borrowed(if subject.kind() == IdentityKind::Role { "AssumedRole" } else { "User" }))
        }
        Key::PrincipalAccount => Some(Text::Borrowed(subject.account())),
        Key::PrincipalTag(tag) => tagged(&attributes.tags, tag),
        Key::TokenIssueTime => attributes.token_issued.map(|t| Text::Made(Short::of(Instant(t.div_euclid(1000))))),
        Key::ResourceTag(tag) => tagged(inputs.resource_tags, tag),
        Key::ClientId => present(inputs.client_id),
        Key::Listener => present(&inputs.channel.listener),
        Key::Protocol => present(&inputs.channel.protocol),
        Key::Host => present(&inputs.channel.host),
        Key::Other(_) => None,
    }
}

/// Seconds since the epoch, shown as `2026-01-02T03:04:05Z`.
struct Instant(i64);

impl std::fmt::Display for Instant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match time::OffsetDateTime::from_unix_timestamp(self.0) {
            Ok(t) => write!(
                f,
                "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
                t.year(),
                u8::from(t.month()),
                t.day(),
                t.hour(),
                t.minute(),
                t.second()
            ),
            Err(_) => write!(f, "{}", self.0),
        }
    }
}

/// Values for one decision.
pub(super) struct Values<'a, 'b>(pub(super) &'b Inputs<'a>);

impl super::pattern::Lookup for Values<'_, '_> {
    fn single<'s>(&'s self, key: &Key) -> Option<Text<'s>> {
        if let Some(given) = self.0.given {
            let mut seen = 0;
            let mut value = None;
            given.values(&key.name(), &mut |v| {
                seen += 1;
                // Simulation may allocate; decisions of a host never come here.
                value = Some(v.to_owned());
            });
            if seen > 1 {
                return None;
            }
            if let Some(value) = value {
                return Some(Text::Owned(value));
            }
            if !matches!(key, Key::PrincipalArn | Key::PrincipalAccount | Key::PrincipalTag(_) | Key::Username) {
                return None;
            }
        }
        single(self.0, key)
    }
}
