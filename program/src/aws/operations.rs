// SPDX-License-Identifier: Apache-2.0
//! Every operation there is: its name, the errors it may answer, and what it
//! does.

use standin::channel::Channel;

use super::form::Form;
use super::gate::Call;
use super::problem::Code::{self, *};
use super::problem::Problem;
use super::xml::Xml;
use super::{Aws, iam, sts};

/// One of the two protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    /// Identity and access management.
    Iam,
    /// The security token service.
    Sts,
}

impl Api {
    /// Which one a request is for.
    pub(super) fn of(name: &str, version: Option<&str>) -> Self {
        match version {
            Some(version) if version == Self::Sts.version() => Self::Sts,
            None if OPERATIONS.iter().any(|o| o.name == name && o.api == Self::Sts) => Self::Sts,
            _ => Self::Iam,
        }
    }

    /// The service, as signatures and actions name it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Iam => "iam",
            Self::Sts => "sts",
        }
    }

    fn version(self) -> &'static str {
        match self {
            Self::Iam => "2010-05-08",
            Self::Sts => "2011-06-15",
        }
    }

    pub(super) fn namespace(self) -> &'static str {
        match self {
            Self::Iam => "https://iam.amazonaws.com/doc/2010-05-08/",
            Self::Sts => "https://sts.amazonaws.com/doc/2011-06-15/",
        }
    }
}

/// What an operation does.
#[derive(Clone, Copy)]
pub(crate) enum Run {
    /// For callers who signed.
    Signed(fn(&Call<'_>, &mut Xml) -> Result<(), Problem>),
    /// For anyone: the request itself proves who asks.
    Open(fn(&Aws, &Form, &Channel, &mut Xml) -> Result<(), Problem>),
}

/// One operation.
pub(crate) struct Operation {
    pub(crate) api: Api,
    pub(crate) name: &'static str,
    /// What it may answer besides [`Code::COMMON`].
    pub(crate) errors: &'static [Code],
    pub(crate) run: Run,
    /// True when the answer has a result element, even an empty one.
    pub(crate) result: bool,
}

impl Operation {
    /// The whole answer.
    pub(super) fn document(&self, result: &Xml, id: &str) -> String {
        Xml::document(&format!("{}Response", self.name), self.api.namespace(), |x| {
            if self.result {
                x.raw(&format!("{}Result", self.name), result);
            }
            x.node("ResponseMetadata", |x| {
                x.text("RequestId", id);
            });
        })
    }

    /// A problem with a code clients expect of this operation.
    pub(super) fn checked(&self, problem: Problem) -> Problem {
        if self.errors.contains(&problem.code) || Code::COMMON.contains(&problem.code) {
            return problem;
        }
        let text = format!("{}: {}", problem.code.word(), problem.message);
        Problem { denied: problem.denied, ..Problem::new(ValidationError, text) }
    }
}

/// The operation of this name.
pub(super) fn find(api: Api, name: &str, version: Option<&str>) -> Result<&'static Operation, Problem> {
    let known = |o: &&Operation| o.name == name && o.api == api;
    let fits = version.is_none_or(|v| v == api.version());
    OPERATIONS.iter().find(known).filter(|_| fits).ok_or_else(|| {
        let name: String = name.chars().filter(|c| !c.is_control()).take(128).collect();
        let version: String = version.unwrap_or("none").chars().filter(|c| !c.is_control()).take(32).collect();
        Problem::new(
            InvalidAction,
            format!("Could not find operation {name} for version {version}: Standin does not support it"),
        )
    })
}

macro_rules! operations {
    ($($api:ident $name:ident [$($error:ident)*] $run:ident($function:path) $result:literal;)*) => {
        /// See the module's page.
        pub(crate) const OPERATIONS: &[Operation] = &[$(Operation {
            api: Api::$api,
            name: stringify!($name),
            errors: &[$($error),*],
            run: Run::$run($function),
            result: $result,
        },)*];
    };
}

operations! {
    Iam CreateUser [EntityAlreadyExists LimitExceeded NoSuchEntity] Signed(iam::users::create) true;
    Iam GetUser [NoSuchEntity] Signed(iam::users::get) true;
    Iam ListUsers [] Signed(iam::users::list) true;
    Iam DeleteUser [DeleteConflict LimitExceeded NoSuchEntity] Signed(iam::users::delete) false;
    Iam PutUserPermissionsBoundary [NoSuchEntity] Signed(iam::boundaries::put_user) false;
    Iam DeleteUserPermissionsBoundary [NoSuchEntity] Signed(iam::boundaries::delete_user) false;
    Iam TagUser [LimitExceeded NoSuchEntity] Signed(iam::tags::tag_user) false;
    Iam UntagUser [NoSuchEntity] Signed(iam::tags::untag_user) false;
    Iam ListUserTags [NoSuchEntity] Signed(iam::tags::list_user) true;

    Iam CreateAccessKey [LimitExceeded NoSuchEntity] Signed(iam::keys::create) true;
    Iam ListAccessKeys [NoSuchEntity] Signed(iam::keys::list) true;
    Iam UpdateAccessKey [NoSuchEntity] Signed(iam::keys::update) false;
    Iam DeleteAccessKey [NoSuchEntity] Signed(iam::keys::delete) false;
    Iam GetAccessKeyLastUsed [] Signed(iam::keys::last_used) true;

    Iam CreateGroup [EntityAlreadyExists LimitExceeded NoSuchEntity] Signed(iam::groups::create) true;
    Iam GetGroup [NoSuchEntity] Signed(iam::groups::get) true;
    Iam ListGroups [] Signed(iam::groups::list) true;
    Iam ListGroupsForUser [NoSuchEntity] Signed(iam::groups::list_for_user) true;
    Iam AddUserToGroup [LimitExceeded NoSuchEntity] Signed(iam::groups::add_user) false;
    Iam RemoveUserFromGroup [NoSuchEntity] Signed(iam::groups::remove_user) false;
    Iam DeleteGroup [DeleteConflict NoSuchEntity] Signed(iam::groups::delete) false;

    Iam CreateRole [EntityAlreadyExists LimitExceeded MalformedPolicyDocument] Signed(iam::roles::create) true;
    Iam GetRole [NoSuchEntity] Signed(iam::roles::get) true;
    Iam ListRoles [] Signed(iam::roles::list) true;
    Iam UpdateRole [NoSuchEntity] Signed(iam::roles::update) true;
    Iam UpdateRoleDescription [NoSuchEntity] Signed(iam::roles::describe) true;
    Iam UpdateAssumeRolePolicy [LimitExceeded MalformedPolicyDocument NoSuchEntity] Signed(iam::roles::update_trust) false;
    Iam DeleteRole [DeleteConflict NoSuchEntity] Signed(iam::roles::delete) false;
    Iam PutRolePermissionsBoundary [NoSuchEntity] Signed(iam::boundaries::put_role) false;
    Iam DeleteRolePermissionsBoundary [NoSuchEntity] Signed(iam::boundaries::delete_role) false;
    Iam TagRole [LimitExceeded NoSuchEntity] Signed(iam::tags::tag_role) false;
    Iam UntagRole [NoSuchEntity] Signed(iam::tags::untag_role) false;
    Iam ListRoleTags [NoSuchEntity] Signed(iam::tags::list_role) true;

    Iam CreatePolicy [EntityAlreadyExists LimitExceeded MalformedPolicyDocument] Signed(iam::policies::create) true;
    Iam GetPolicy [NoSuchEntity] Signed(iam::policies::get) true;
    Iam ListPolicies [] Signed(iam::policies::list) true;
    Iam DeletePolicy [DeleteConflict NoSuchEntity] Signed(iam::policies::delete) false;
    Iam CreatePolicyVersion [LimitExceeded MalformedPolicyDocument NoSuchEntity] Signed(iam::versions::create) true;
    Iam GetPolicyVersion [NoSuchEntity] Signed(iam::versions::get) true;
    Iam ListPolicyVersions [NoSuchEntity] Signed(iam::versions::list) true;
    Iam SetDefaultPolicyVersion [NoSuchEntity] Signed(iam::versions::set_default) false;
    Iam DeletePolicyVersion [DeleteConflict NoSuchEntity] Signed(iam::versions::delete) false;
    Iam ListEntitiesForPolicy [NoSuchEntity] Signed(iam::policies::entities) true;
    Iam TagPolicy [LimitExceeded NoSuchEntity] Signed(iam::tags::tag_policy) false;
    Iam UntagPolicy [NoSuchEntity] Signed(iam::tags::untag_policy) false;
    Iam ListPolicyTags [NoSuchEntity] Signed(iam::tags::list_policy) true;

    Iam AttachUserPolicy [LimitExceeded NoSuchEntity] Signed(iam::attached::attach_user) false;
    Iam AttachGroupPolicy [LimitExceeded NoSuchEntity] Signed(iam::attached::attach_group) false;
    Iam AttachRolePolicy [LimitExceeded NoSuchEntity] Signed(iam::attached::attach_role) false;
    Iam DetachUserPolicy [NoSuchEntity] Signed(iam::attached::detach_user) false;
    Iam DetachGroupPolicy [NoSuchEntity] Signed(iam::attached::detach_group) false;
    Iam DetachRolePolicy [NoSuchEntity] Signed(iam::attached::detach_role) false;
    Iam ListAttachedUserPolicies [NoSuchEntity] Signed(iam::attached::list_user) true;
    Iam ListAttachedGroupPolicies [NoSuchEntity] Signed(iam::attached::list_group) true;
    Iam ListAttachedRolePolicies [NoSuchEntity] Signed(iam::attached::list_role) true;

    Iam PutUserPolicy [LimitExceeded MalformedPolicyDocument NoSuchEntity] Signed(iam::inline::put_user) false;
    Iam PutGroupPolicy [LimitExceeded MalformedPolicyDocument NoSuchEntity] Signed(iam::inline::put_group) false;
    Iam PutRolePolicy [LimitExceeded MalformedPolicyDocument NoSuchEntity] Signed(iam::inline::put_role) false;
    Iam GetUserPolicy [NoSuchEntity] Signed(iam::inline::get_user) true;
    Iam GetGroupPolicy [NoSuchEntity] Signed(iam::inline::get_group) true;
    Iam GetRolePolicy [NoSuchEntity] Signed(iam::inline::get_role) true;
    Iam ListUserPolicies [NoSuchEntity] Signed(iam::inline::list_user) true;
    Iam ListGroupPolicies [NoSuchEntity] Signed(iam::inline::list_group) true;
    Iam ListRolePolicies [NoSuchEntity] Signed(iam::inline::list_role) true;
    Iam DeleteUserPolicy [NoSuchEntity] Signed(iam::inline::delete_user) false;
    Iam DeleteGroupPolicy [NoSuchEntity] Signed(iam::inline::delete_group) false;
    Iam DeleteRolePolicy [NoSuchEntity] Signed(iam::inline::delete_role) false;

    Iam GetAccountSummary [] Signed(iam::account::summary) true;

    Iam SimulateCustomPolicy [InvalidInput] Signed(iam::simulation::custom) true;
    Iam SimulatePrincipalPolicy [InvalidInput NoSuchEntity] Signed(iam::simulation::principal) true;
    Iam GetContextKeysForCustomPolicy [InvalidInput] Signed(iam::simulation::keys_of_custom) true;
    Iam GetContextKeysForPrincipalPolicy [InvalidInput NoSuchEntity] Signed(iam::simulation::keys_of_principal) true;

    Iam CreateOpenIDConnectProvider [EntityAlreadyExists LimitExceeded] Signed(iam::providers::create) true;
    Iam GetOpenIDConnectProvider [NoSuchEntity] Signed(iam::providers::get) true;
    Iam ListOpenIDConnectProviders [] Signed(iam::providers::list) true;
    Iam DeleteOpenIDConnectProvider [NoSuchEntity] Signed(iam::providers::delete) false;
    Iam AddClientIDToOpenIDConnectProvider [LimitExceeded NoSuchEntity] Signed(iam::providers::add_client) false;
    Iam RemoveClientIDFromOpenIDConnectProvider [NoSuchEntity] Signed(iam::providers::remove_client) false;
    Iam UpdateOpenIDConnectProviderThumbprint [NoSuchEntity] Signed(iam::providers::update_thumbprint) false;

    Sts GetCallerIdentity [] Signed(sts::identity::get) true;
    Sts GetSessionToken [] Signed(sts::identity::session_token) true;
    Sts GetAccessKeyInfo [] Signed(sts::identity::key_info) true;
    Sts AssumeRole [ExpiredTokenException MalformedPolicyDocument PackedPolicyTooLarge] Signed(sts::assume::with_credentials) true;
    Sts AssumeRoleWithWebIdentity [ExpiredTokenException IDPCommunicationError IDPRejectedClaim InvalidIdentityToken MalformedPolicyDocument PackedPolicyTooLarge] Open(sts::assume::with_web_identity) true;
}
