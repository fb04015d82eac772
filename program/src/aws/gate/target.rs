// SPDX-License-Identifier: Apache-2.0
//! What a request is about: the resource and the condition keys that the
//! service authorization reference of IAM documents.

use standin::access_control::KeyRow;
use standin::decision::GivenKeys;
use standin::fault::Status;

use super::{Call, Gate};
use crate::aws::problem::{Code, Problem};

/// The resource of a request, and what conditions can ask of it.
pub(crate) struct Target {
    pub(crate) arn: String,
    pub(super) tags: Vec<(String, String)>,
    pub(super) keys: GivenKeys,
}

impl Target {
    pub(crate) fn new(arn: impl Into<String>) -> Self {
        Self { arn: arn.into(), tags: Vec::new(), keys: GivenKeys::default() }
    }

    /// The resource has these tags.
    pub(crate) fn tagged(mut self, tags: &[(String, String)]) -> Self {
        for (key, value) in tags {
            self.keys.give(&format!("iam:ResourceTag/{key}"), vec![value.clone()]);
        }
        self.tags = tags.to_vec();
        self
    }

    /// The request gives it these tags.
    pub(crate) fn tagging(mut self, tags: &[(String, String)]) -> Self {
        self.keys.give("aws:TagKeys", tags.iter().map(|(key, _)| key.clone()).collect());
        for (key, value) in tags {
            self.keys.give(&format!("aws:RequestTag/{key}"), vec![value.clone()]);
        }
        self
    }

    /// The request names these tags.
    pub(crate) fn untagging(mut self, keys: &[&str]) -> Self {
        self.keys.give("aws:TagKeys", keys.iter().map(|&key| key.to_owned()).collect());
        self
    }

    /// The permissions boundary of the identity, as it is or is to be: the one
    /// said last counts.
    pub(crate) fn bounded(mut self, boundary: Option<&str>) -> Self {
        self.keys.replace("iam:PermissionsBoundary", boundary.map(str::to_owned).into_iter().collect());
        self
    }

    /// The managed policy that is attached or detached.
    pub(crate) fn policy(mut self, arn: &str) -> Self {
        self.keys.give("iam:PolicyARN", vec![arn.to_owned()]);
        self
    }
}

/// Checks a name as IAM has them.
pub(crate) fn check_name(field: &str, name: &str, longest: usize) -> Result<(), Problem> {
    let fits = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"+=,.@-_".contains(&b));
    if fits && (1..=longest).contains(&name.len()) {
        return Ok(());
    }
    Err(Problem::new(
        Code::ValidationError,
        format!(
            "The specified value for {field} is invalid. It must contain 1 to {longest} alphanumeric characters and/or the following: +=,.@_-"
        ),
    ))
}

/// The path of a new thing.
pub(crate) fn check_path(path: Option<&str>) -> Result<&str, Problem> {
    let path = path.unwrap_or("/");
    let fits = path.starts_with('/') && path.ends_with('/') && !path.contains("//");
    if fits && path.len() <= 512 && path.bytes().all(|b| (0x21..=0x7e).contains(&b)) {
        return Ok(path);
    }
    Err(Problem::new(
        Code::ValidationError,
        "The specified value for path is invalid. It must begin and end with / and contain only printable ASCII characters.",
    ))
}

impl Gate {
    pub(crate) fn account(&self) -> &str {
        self.store.account()
    }

    /// The ARN of something in this account.
    pub(crate) fn arn(&self, kind: &str, path: &str, name: &str) -> String {
        format!("arn:aws:iam::{}:{kind}{path}{name}", self.account())
    }
}

impl Call<'_> {
    /// The user of the parameter `UserName`, or who asks.
    pub(crate) fn user_name(&self) -> Result<&str, Problem> {
        match self.form.get("UserName") {
            Some(name) => check_name("userName", name, 128).map(|()| name),
            None => self.caller.user(),
        }
    }

    /// A user. One that is not there has the ARN it would have: whether it is,
    /// only who is allowed is told.
    pub(crate) fn user(&self, name: &str) -> Result<Target, Problem> {
        check_name("userName", name, 128)?;
        match self.gate.store.user(name) {
            Ok(user) => Ok(Target::new(user.identity.arn()).tagged(&user.tags).bounded(user.boundary.as_deref())),
            Err(fault) if fault.status == Status::NotFound => Ok(Target::new(self.gate.arn("user", "/", name))),
            Err(fault) => Err(fault.into()),
        }
    }

    /// A role; see [`Call::user`].
    pub(crate) fn role(&self, name: &str) -> Result<Target, Problem> {
        check_name("roleName", name, 128)?;
        match self.gate.store.role(name) {
            Ok(role) => Ok(Target::new(role.identity.arn()).tagged(&role.tags).bounded(role.boundary.as_deref())),
            Err(fault) if fault.status == Status::NotFound => Ok(Target::new(self.gate.arn("role", "/", name))),
            Err(fault) => Err(fault.into()),
        }
    }

    /// A group; see [`Call::user`].
    pub(crate) fn group(&self, name: &str) -> Result<Target, Problem> {
        check_name("groupName", name, 128)?;
        match self.gate.store.group(name) {
            Ok(group) => Ok(Target::new(group.arn)),
            Err(fault) if fault.status == Status::NotFound => Ok(Target::new(self.gate.arn("group", "/", name))),
            Err(fault) => Err(fault.into()),
        }
    }

    /// A managed policy by its ARN; see [`Call::user`].
    pub(crate) fn policy(&self, arn: &str) -> Result<Target, Problem> {
        let head = format!("arn:aws:iam::{}:policy/", self.gate.account());
        if !arn.starts_with(&head) {
            let text = format!("Policy {arn} is not of this account; ARNs that begin with {head} are accepted.");
            return Err(Problem::new(Code::NoSuchEntity, text));
        }
        match self.gate.store.policy(arn) {
            Ok(policy) => Ok(Target::new(policy.arn).tagged(&policy.tags)),
            Err(fault) if fault.status == Status::NotFound => Ok(Target::new(arn)),
            Err(fault) => Err(fault.into()),
        }
    }

    /// An identity provider by its ARN; see [`Call::user`].
    pub(crate) fn provider(&self, arn: &str) -> Result<Target, Problem> {
        match self.gate.store.provider(arn) {
            Ok(provider) => Ok(Target::new(provider.arn).tagged(&provider.tags)),
            Err(fault) if fault.status == Status::NotFound => Ok(Target::new(arn)),
            Err(fault) => Err(fault.into()),
        }
    }

    /// A long-lived access key; none when it is not there.
    pub(crate) fn key(&self, id: &str) -> Result<Option<KeyRow>, Problem> {
        Ok(self.gate.store.key(id)?)
    }
}
