// SPDX-License-Identifier: Apache-2.0
//! Who: identities, their attributes, and those who act for them.

use std::fmt;
use std::sync::Arc;

use crate::fault::{Fault, Status};

/// What an identity is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IdentityKind {
    /// A long-lived user with access keys.
    User,
    /// A role that others assume for a time.
    Role,
    /// A server process that stands in for clients.
    Host,
}

impl IdentityKind {
    /// The word of the ARN: `user`, `role`, `host`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Role => "role",
            Self::Host => "host",
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        match word {
            "user" => Some(Self::User),
            "role" => Some(Self::Role),
            "host" => Some(Self::Host),
            _ => None,
        }
    }
}

/// One identity. Its canonical text is its ARN, which never changes while the
/// identity exists: account, kind, path and name. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity(Arc<Parts>);

#[derive(PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Parts {
    arn: String,
    partition: String,
    account: String,
    kind: IdentityKind,
    path: String,
    name: String,
}

impl Identity {
    /// An identity from its parts. `account` is twelve digits; `path` begins
    /// and ends with `/`; `name` has 1 to 128 of the characters IAM allows in
    /// names (`A-Z a-z 0-9 + = , . @ - _`, and `/` for hosts).
    ///
    /// # Errors
    /// [`Status::InvalidArgument`] with what was wrong and what is accepted.
    pub fn new(partition: &str, account: &str, kind: IdentityKind, path: &str, name: &str) -> Result<Self, Fault> {
        let bad = |text: String| Err(Fault::new(Status::InvalidArgument, text));
        if partition.is_empty() || !partition.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        {
            return bad(format!(
                "partition {partition:?}: lower-case letters, digits and '-' are accepted, such as aws"
            ));
        }
        check_account(account)?;
        let path_ok = path.starts_with('/')
            && path.ends_with('/')
            && path.len() <= 512
            && path.bytes().all(|b| (0x21..=0x7e).contains(&b));
        if !path_ok {
            return bad(format!(
                "path {path:?}: it must begin and end with '/' and hold printable ASCII only, such as / or /teams/billing/"
            ));
        }
        let allowed =
            |b: u8| b.is_ascii_alphanumeric() || b"+=,.@-_".contains(&b) || (kind == IdentityKind::Host && b == b'/');
        if name.is_empty() || name.len() > 128 || !name.bytes().all(allowed) {
            return bad(format!("{} name {name:?}: 1 to 128 letters, digits and +=,.@-_ are accepted", kind.word()));
        }
        let arn = format!("arn:{partition}:iam::{account}:{}{path}{name}", kind.word());
        Ok(Self(Arc::new(Parts {
            arn,
            partition: partition.into(),
            account: account.into(),
            kind,
            path: path.into(),
            name: name.into(),
        })))
    }

    /// Reads the canonical text back.
    ///
    /// # Errors
    /// [`Status::InvalidArgument`] when it is not an identity's ARN.
    pub fn parse(arn: &str) -> Result<Self, Fault> {
        let bad = || {
            Fault::new(
                Status::InvalidArgument,
                format!(
                    "{arn:?} is not the ARN of an identity; arn:PARTITION:iam::ACCOUNT:user|role|host/[PATH/]NAME is accepted"
                ),
            )
        };
        let mut fields = arn.splitn(6, ':');
        let (Some("arn"), Some(partition), Some("iam"), Some(""), Some(account), Some(rest)) =
            (fields.next(), fields.next(), fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(bad());
        };
        let (word, tail) = rest.split_once('/').ok_or_else(bad)?;
        let kind = IdentityKind::of_word(word).ok_or_else(bad)?;
        // A host's name may hold slashes, so hosts have no path.
        let (path, name) = match tail.rfind('/') {
            Some(at) if kind != IdentityKind::Host => (format!("/{}", &tail[..=at]), &tail[at + 1..]),
            _ => ("/".to_owned(), tail),
        };
        Self::new(partition, account, kind, &path, name)
    }

    /// The canonical text.
    #[must_use]
    pub fn arn(&self) -> &str {
        &self.0.arn
    }
    /// The partition, such as `aws`.
    #[must_use]
    pub fn partition(&self) -> &str {
        &self.0.partition
    }
    /// The account: twelve digits.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.0.account
    }
    /// What it is.
    #[must_use]
    pub fn kind(&self) -> IdentityKind {
        self.0.kind
    }
    /// The path, beginning and ending with `/`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.0.path
    }
    /// The name without path.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.arn())
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.arn())
    }
}

/// Checks that `account` is twelve digits.
///
/// # Errors
/// [`Status::InvalidArgument`] when it is not.
pub fn check_account(account: &str) -> Result<(), Fault> {
    if account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(());
    }
    Err(Fault::new(Status::InvalidArgument, format!("account {account:?}: twelve digits are accepted")))
}

/// True when a principal's name lies in the space reserved for Standin: ARNs.
/// A principal with such a name but without a verified session is denied and
/// never handed to another authorizer.
#[must_use]
pub fn is_reserved_name(name: &str) -> bool {
    name.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("arn:"))
}

/// What is known of an identity besides who it is. Attributes may change from
/// one login to the next without changing the identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Attributes {
    /// The unique id IAM calls `aws:userid`: `AIDA…` for users,
    /// `AROA…:session-name` for assumed roles.
    pub user_id: String,
    /// The role session name, when a role was assumed.
    pub session_name: Option<String>,
    /// The source identity set when the role was assumed.
    pub source_identity: Option<String>,
    /// Principal tags; keys compare without case. Of a session only those it
    /// was begun with, until [`Principal::with_identity_tags`].
    pub tags: Vec<(String, String)>,
    /// When the temporary credential was issued; none for long-lived keys.
    pub token_issued: Option<i64>,
}

/// One who acts for the subject. Empty everywhere until there are grants.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Actor {
    /// The authenticated identity that acts.
    pub identity: Identity,
}

/// The id of a grant under which actors act.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GrantId(pub String);

/// The whole answer to "who is asking": whose rights count, who acts in order,
/// and under which grant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Principal {
    /// Whose rights count.
    pub subject: Identity,
    /// The subject's attributes at this login.
    pub attributes: Attributes,
    /// Who acts, in order; empty without impersonation.
    pub actors: Vec<Actor>,
    /// The grant, when there are actors.
    pub grant: Option<GrantId>,
}

impl Principal {
    /// Who stands where a principal must, when only given keys are looked at.
    ///
    /// # Errors
    /// None that can happen: its name is an identity's.
    pub fn nobody() -> Result<Self, Fault> {
        Ok(Self {
            subject: Identity::new("aws", "000000000000", IdentityKind::User, "/", "nobody")?,
            attributes: Attributes::default(),
            actors: Vec::new(),
            grant: None,
        })
    }

    /// The ARN of who asks, as `GetCallerIdentity` shows it: of a session of a
    /// role, the session's.
    #[must_use]
    pub fn arn(&self) -> String {
        let subject = &self.subject;
        match (&self.attributes.session_name, subject.kind()) {
            (Some(session), IdentityKind::Role) => format!(
                "arn:{}:sts::{}:assumed-role/{}/{session}",
                subject.partition(),
                subject.account(),
                subject.name()
            ),
            _ => subject.arn().to_owned(),
        }
    }

    /// This principal with the tags of its identity below those of its session:
    /// a session tag stands in for the identity's tag of the same key.
    #[must_use]
    pub fn with_identity_tags(&self, tags: &[(String, String)]) -> Self {
        let mut whole = self.clone();
        let own = &mut whole.attributes.tags;
        let more: Vec<_> =
            tags.iter().filter(|(key, _)| !own.iter().any(|(k, _)| k.eq_ignore_ascii_case(key))).cloned().collect();
        own.extend(more);
        own.sort();
        whole
    }
}
