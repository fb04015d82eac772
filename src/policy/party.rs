// SPDX-License-Identifier: Apache-2.0
//! Whom a trust policy is about: its `Principal` element.

use super::problem::{Problems, shown_text};
use super::reader::{Member, Node, Value};
use crate::identity::{Identity, IdentityKind, Principal, check_account};

/// One principal of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Party {
    /// Everyone.
    All,
    /// Everyone of an account whom the account's own policies allow it.
    Account(Box<str>),
    /// A user or role.
    Identity(Identity),
    /// One session of a role: account, role name, session name.
    Session(Box<str>, Box<str>, Box<str>),
    /// Whoever shows a token of the identity provider of this ARN.
    Provider(Box<str>),
    /// A service, an identity provider of AWS, a federated user: nobody who
    /// asks Standin to assume a role.
    Outside,
}

/// How a party is its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Closeness {
    No,
    Account,
    Named,
}

impl Party {
    /// The principal that a text names below this member of `Principal`.
    ///
    /// # Errors
    /// With what is accepted.
    pub(super) fn read(kind: &str, text: &str) -> Result<Self, &'static str> {
        match kind {
            "AWS" => party(text),
            "Service" => service(text),
            _ => provider(text),
        }
    }

    pub(super) fn closeness(&self, caller: &Principal) -> Closeness {
        let subject = &caller.subject;
        let named = match self {
            Self::All => true,
            Self::Identity(identity) => identity == subject,
            Self::Session(account, role, session) => {
                subject.kind() == IdentityKind::Role
                    && subject.account() == &**account
                    && subject.name() == &**role
                    && caller.attributes.session_name.as_deref() == Some(session)
            }
            Self::Account(account) if subject.account() == &**account => return Closeness::Account,
            Self::Account(_) | Self::Provider(_) | Self::Outside => false,
        };
        if named { Closeness::Named } else { Closeness::No }
    }
}

const KINDS: [&str; 3] = ["AWS", "Service", "Federated"];

/// Reads a `Principal` element.
pub(super) fn read(node: &Node, path: &str, problems: &mut Problems<'_>) -> Vec<Party> {
    let mut parties = Vec::new();
    match &node.value {
        Value::Text(all) if all == "*" => parties.push(Party::All),
        Value::Object(members) if !members.is_empty() => {
            for member in members {
                entry(member, &format!("{path}.{}", member.name), &mut parties, problems);
            }
        }
        _ => problems.add(
            path,
            node.at,
            format!("found {}", node.shown()),
            "\"*\" or an object is accepted, such as {\"AWS\": \"arn:aws:iam::123456789012:user/ann\"}",
        ),
    }
    parties
}

fn entry(member: &Member, path: &str, parties: &mut Vec<Party>, problems: &mut Problems<'_>) {
    let kind = member.name.as_str();
    if !KINDS.contains(&kind) {
        let accepted = match kind {
            "CanonicalUser" => "canonical users are for bucket policies; AWS with an account or ARN is accepted".into(),
            _ => format!("{} are accepted", KINDS.join(", ")),
        };
        problems.add(path, member.at, format!("unknown kind of principal {}", shown_text(kind)), accepted);
        return;
    }
    if matches!(&member.node.value, Value::List(list) if list.is_empty()) {
        problems.add(path, member.node.at, "the list is empty", "at least one principal is accepted");
    }
    for (node, inside) in member.node.items(path) {
        let Value::Text(text) = &node.value else {
            problems.add(&inside, node.at, format!("found {}", node.shown()), "a string is accepted");
            continue;
        };
        match Party::read(kind, text) {
            Ok(party) => parties.push(party),
            Err(accepted) => problems.add(&inside, node.at, format!("found {}", shown_text(text)), accepted),
        }
    }
}

fn party(text: &str) -> Result<Party, &'static str> {
    let accepted = "\"*\", an account of twelve digits or the ARN of a user, role, session or account is accepted, such as arn:aws:iam::123456789012:role/app";
    if text == "*" {
        return Ok(Party::All);
    }
    if text.contains(['*', '?']) {
        return Err(
            "no wildcard is accepted in the name of a principal; name each, or use \"*\" with a condition on aws:PrincipalArn",
        );
    }
    if check_account(text).is_ok() {
        return Ok(Party::Account(text.into()));
    }
    let fields: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", partition, service, "", account, name] = fields.as_slice() else { return Err(accepted) };
    if partition.is_empty() || check_account(account).is_err() {
        return Err(accepted);
    }
    let parts: Vec<&str> = name.split('/').collect();
    match (*service, parts.as_slice()) {
        ("iam", ["root"]) => Ok(Party::Account((*account).into())),
        ("iam", ["group", ..]) => Err("groups are no principals; name users or roles"),
        ("iam", _) => Identity::parse(text).map(Party::Identity).map_err(|_| accepted),
        ("sts", ["assumed-role", role, session]) if !role.is_empty() && !session.is_empty() => {
            Ok(Party::Session((*account).into(), (*role).into(), (*session).into()))
        }
        ("sts", ["federated-user", user]) if !user.is_empty() => Ok(Party::Outside),
        _ => Err(accepted),
    }
}

fn is_domain(text: &str) -> bool {
    let label = |l: &str| !l.is_empty() && l.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    text.contains('.') && text.split('.').all(label)
}

fn service(text: &str) -> Result<Party, &'static str> {
    if is_domain(text) {
        return Ok(Party::Outside);
    }
    Err("a service in lower-case letters is accepted, such as ec2.amazonaws.com")
}

fn provider(text: &str) -> Result<Party, &'static str> {
    let fields: Vec<&str> = text.splitn(6, ':').collect();
    let is_arn = matches!(fields.as_slice(), ["arn", _, "iam", "", account, name]
        if check_account(account).is_ok()
            && ["saml-provider/", "oidc-provider/"].iter().any(|p| name.strip_prefix(p).is_some_and(|n| !n.is_empty()))
            && !name.contains(['*', '?']));
    if is_arn {
        return Ok(Party::Provider(text.into()));
    }
    if is_domain(text) {
        return Ok(Party::Outside);
    }
    Err(
        "a domain or the ARN of an identity provider is accepted, such as accounts.google.com or arn:aws:iam::123456789012:saml-provider/example",
    )
}
