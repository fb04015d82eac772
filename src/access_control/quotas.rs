// SPDX-License-Identifier: Apache-2.0
//! How many of each kind there may be, and how large. They bound what callers
//! over the network can fill a store with. Whoever has the store's file and its
//! keys can write what he likes; for commands there are only those that keep
//! mistakes small.

use super::database::params;
use super::store::{Store, StoreIn, Transactions};
use crate::fault::{Fault, Status};

// How many there are of what has a quota for the whole account.
pub(super) const GROUPS: &str = "SELECT count(*) FROM grouping WHERE account = ?1";
pub(super) const POLICIES: &str = "SELECT count(*) FROM policy WHERE account = ?1";
pub(super) const PROVIDERS: &str = "SELECT count(*) FROM identity_provider WHERE account = ?1";
pub(super) const HOSTS: &str = "SELECT count(*) FROM host WHERE account = ?1 AND public_key IS NOT NULL";

/// What there may be only so many of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quota {
    /// Users.
    Users,
    /// Groups.
    Groups,
    /// Roles.
    Roles,
    /// Managed policies.
    Policies,
    /// Identity providers.
    Providers,
    /// Access keys of one user.
    KeysPerUser,
    /// Groups one user is in.
    GroupsPerUser,
    /// Versions of one managed policy.
    VersionsPerPolicy,
    /// Managed policies attached to one user.
    AttachedPerUser,
    /// Managed policies attached to one group.
    AttachedPerGroup,
    /// Managed policies attached to one role.
    AttachedPerRole,
    /// Characters of one user's inline policies together.
    InlinePerUser,
    /// Characters of one group's inline policies together.
    InlinePerGroup,
    /// Characters of one role's inline policies together.
    InlinePerRole,
    /// Characters of one version of a managed policy.
    PolicySize,
    /// Characters of one role's trust policy.
    TrustSize,
    /// Enrolled hosts.
    Hosts,
    /// Live sessions of one boot of a host that are kept to be shown.
    SessionsPerHost,
}

/// One quota: what operators call it, what AWS calls it in `GetAccountSummary`
/// and in errors, and how many a service and a command allow.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Which one.
    pub quota: Quota,
    /// Its name in settings.
    pub name: &'static str,
    /// Its key in `GetAccountSummary`; none for what AWS has not.
    pub summary: Option<&'static str>,
    /// Its name in errors.
    label: &'static str,
    /// What a service allows unless it is told otherwise: what AWS does.
    pub service: i64,
    /// What commands on the store allow; none is any number.
    local: Option<i64>,
}

const fn rule(
    quota: Quota,
    name: &'static str,
    summary: Option<&'static str>,
    label: &'static str,
    service: i64,
    local: Option<i64>,
) -> Rule {
    Rule { quota, name, summary, label, service, local }
}

/// Every quota, in the order of [`Quota`].
pub const QUOTAS: [Rule; 18] = [
    rule(Quota::Users, "users", Some("UsersQuota"), "UsersPerAccount", 5000, None),
    rule(Quota::Groups, "groups", Some("GroupsQuota"), "GroupsPerAccount", 300, None),
    rule(Quota::Roles, "roles", Some("RolesQuota"), "RolesPerAccount", 1000, None),
    rule(Quota::Policies, "policies", Some("PoliciesQuota"), "PoliciesPerAccount", 1500, None),
    rule(Quota::Providers, "providers", None, "OpenIdConnectProvidersPerAccount", 100, None),
    rule(Quota::KeysPerUser, "keys-per-user", Some("AccessKeysPerUserQuota"), "AccessKeysPerUser", 2, Some(10)),
    rule(Quota::GroupsPerUser, "groups-per-user", Some("GroupsPerUserQuota"), "GroupsPerUser", 10, None),
    rule(
        Quota::VersionsPerPolicy,
        "versions-per-policy",
        Some("VersionsPerPolicyQuota"),
        "VersionsPerPolicy",
        5,
        Some(5),
    ),
    rule(
        Quota::AttachedPerUser,
        "attached-per-user",
        Some("AttachedPoliciesPerUserQuota"),
        "PoliciesPerUser",
        10,
        None,
    ),
    rule(
        Quota::AttachedPerGroup,
        "attached-per-group",
        Some("AttachedPoliciesPerGroupQuota"),
        "PoliciesPerGroup",
        10,
        None,
    ),
    rule(
        Quota::AttachedPerRole,
        "attached-per-role",
        Some("AttachedPoliciesPerRoleQuota"),
        "PoliciesPerRole",
        10,
        None,
    ),
    rule(Quota::InlinePerUser, "inline-per-user", Some("UserPolicySizeQuota"), "UserPolicySize", 2048, None),
    rule(Quota::InlinePerGroup, "inline-per-group", Some("GroupPolicySizeQuota"), "GroupPolicySize", 5120, None),
    rule(Quota::InlinePerRole, "inline-per-role", Some("RolePolicySizeQuota"), "RolePolicySize", 10_240, None),
    rule(Quota::PolicySize, "policy-size", Some("PolicySizeQuota"), "PolicySize", 6144, None),
    rule(Quota::TrustSize, "trust-size", Some("AssumeRolePolicySizeQuota"), "ACLSizePerRole", 2048, None),
    rule(Quota::Hosts, "hosts", None, "HostsPerAccount", 5000, None),
    rule(Quota::SessionsPerHost, "sessions-per-host", None, "SessionsPerHost", 100_000, None),
];

impl Quota {
    fn rule(self) -> &'static Rule {
        // The order is tested.
        QUOTAS.get(self as usize).unwrap_or(&QUOTAS[0])
    }

    /// The fault of one too many.
    pub(super) fn reached(self, most: i64) -> Fault {
        let Rule { label, name, .. } = self.rule();
        Fault::new(Status::LimitReached, format!("cannot exceed quota for {label}: {most} (the service's {name})"))
    }
}

/// The length of a document as AWS counts it: without white space.
pub(super) fn counted_size(document: &str) -> i64 {
    let characters = document.chars().filter(|c| !c.is_ascii_whitespace()).count();
    i64::try_from(characters).unwrap_or(i64::MAX)
}

/// How many there may be of each; none is any number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quotas([Option<i64>; QUOTAS.len()]);

impl Quotas {
    /// What commands on the store allow.
    #[must_use]
    pub fn local() -> Self {
        Self(QUOTAS.map(|rule| rule.local))
    }

    /// What a service allows unless it is told otherwise.
    #[must_use]
    pub fn service() -> Self {
        Self(QUOTAS.map(|rule| Some(rule.service)))
    }

    /// Sets one; none is any number.
    #[must_use]
    pub fn with(mut self, quota: Quota, most: Option<i64>) -> Self {
        if let Some(place) = self.0.get_mut(quota as usize) {
            *place = most;
        }
        self
    }

    /// How many there may be; none when any number.
    #[must_use]
    pub fn most(&self, quota: Quota) -> Option<i64> {
        self.0.get(quota as usize).copied().flatten()
    }

    /// Fails when a document is longer than it may be.
    pub(super) fn fits(&self, quota: Quota, document: &str) -> Result<(), Fault> {
        match self.most(quota) {
            Some(most) if counted_size(document) > most => Err(quota.reached(most)),
            _ => Ok(()),
        }
    }
}

/// How many there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Users.
    pub users: i64,
    /// Groups.
    pub groups: i64,
    /// Roles.
    pub roles: i64,
    /// Managed policies.
    pub policies: i64,
    /// Versions of managed policies.
    pub versions: i64,
    /// Identity providers.
    pub providers: i64,
    /// Enrolled hosts.
    pub hosts: i64,
}

impl Usage {
    /// How many there are of what has a quota for the whole account.
    #[must_use]
    pub fn of(&self, quota: Quota) -> Option<i64> {
        match quota {
            Quota::Users => Some(self.users),
            Quota::Groups => Some(self.groups),
            Quota::Roles => Some(self.roles),
            Quota::Policies => Some(self.policies),
            Quota::Providers => Some(self.providers),
            Quota::Hosts => Some(self.hosts),
            _ => None,
        }
    }
}

impl<D: Transactions> StoreIn<D> {
    /// The quotas of what is written through this.
    #[must_use]
    pub fn quotas(&self) -> &Quotas {
        &self.quotas
    }
}

impl Store {
    /// How many there are of each kind.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn usage(&self) -> Result<Usage, Fault> {
        self.read(|c, _| {
            let count = |sql: &str| c.one::<i64>(sql, params![self.account()]);
            Ok(Usage {
                users: count("SELECT count(*) FROM identity WHERE account = ?1 AND kind = 'user'")?,
                groups: count(GROUPS)?,
                roles: count("SELECT count(*) FROM identity WHERE account = ?1 AND kind = 'role'")?,
                policies: count(POLICIES)?,
                versions: count("SELECT count(*) FROM policy_version WHERE account = ?1")?,
                providers: count(PROVIDERS)?,
                hosts: count(HOSTS)?,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_quota_in_its_place() {
        for (place, rule) in QUOTAS.iter().enumerate() {
            assert_eq!(rule.quota as usize, place, "{}", rule.name);
            assert!(rule.service > 0 && rule.local.is_none_or(|most| most >= rule.service), "{}", rule.name);
        }
        assert_eq!(Quota::SessionsPerHost as usize + 1, QUOTAS.len());
    }

    #[test]
    fn white_space_is_not_counted() {
        assert_eq!(counted_size("{ \"a\" :\n\t1 }\r"), 7);
        let quotas = Quotas::service().with(Quota::PolicySize, Some(7));
        quotas.fits(Quota::PolicySize, "{ \"a\": 1 }").unwrap();
        assert_eq!(quotas.fits(Quota::PolicySize, "{ \"a\": 12 }").unwrap_err().status, Status::LimitReached);
        assert_eq!(Quotas::local().fits(Quota::PolicySize, &"x".repeat(100_000)), Ok(()));
    }
}
