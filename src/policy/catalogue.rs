// SPDX-License-Identifier: Apache-2.0
//! The actions that hosts are known to ask about, and on what. Deciding needs
//! none of it: it is for those who write policies.

/// An action and the type of resource hosts ask about it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Such as `kafka-cluster:ReadData`.
    pub action: &'static str,
    /// Such as `topic`.
    pub resource_type: &'static str,
    /// Service in the ARNs of its resources.
    pub service: &'static str,
}

const fn kafka(action: &'static str, resource_type: &'static str) -> Known {
    Known { action, resource_type, service: "kafka" }
}

const fn iot(action: &'static str, resource_type: &'static str) -> Known {
    Known { action, resource_type, service: "iot" }
}

const fn sts(action: &'static str) -> Known {
    Known { action, resource_type: "role", service: "iam" }
}

/// Every action that a host asks about.
pub const KNOWN: &[Known] = &[
    kafka("kafka-cluster:Connect", "cluster"),
    kafka("kafka-cluster:DescribeCluster", "cluster"),
    kafka("kafka-cluster:AlterCluster", "cluster"),
    kafka("kafka-cluster:DescribeClusterDynamicConfiguration", "cluster"),
    kafka("kafka-cluster:AlterClusterDynamicConfiguration", "cluster"),
    kafka("kafka-cluster:WriteDataIdempotently", "cluster"),
    kafka("kafka-cluster:ClusterAction", "cluster"),
    kafka("kafka-cluster:CreateTopic", "topic"),
    kafka("kafka-cluster:DescribeTopic", "topic"),
    kafka("kafka-cluster:AlterTopic", "topic"),
    kafka("kafka-cluster:DeleteTopic", "topic"),
    kafka("kafka-cluster:DescribeTopicDynamicConfiguration", "topic"),
    kafka("kafka-cluster:AlterTopicDynamicConfiguration", "topic"),
    kafka("kafka-cluster:ReadData", "topic"),
    kafka("kafka-cluster:WriteData", "topic"),
    kafka("kafka-cluster:DescribeGroup", "group"),
    kafka("kafka-cluster:AlterGroup", "group"),
    kafka("kafka-cluster:DeleteGroup", "group"),
    kafka("kafka-cluster:DescribeGroupDynamicConfiguration", "group"),
    kafka("kafka-cluster:AlterGroupDynamicConfiguration", "group"),
    kafka("kafka-cluster:DescribeTransactionalId", "transactional-id"),
    kafka("kafka-cluster:AlterTransactionalId", "transactional-id"),
    kafka("kafka-cluster:TwoPhaseCommitTransactionalId", "transactional-id"),
    kafka("kafka-cluster:DescribeDelegationToken", "delegation-token"),
    kafka("kafka-cluster:CreateUserTokens", "user"),
    kafka("kafka-cluster:DescribeUserTokens", "user"),
    iot("iot:Connect", "client"),
    iot("iot:Publish", "topic"),
    iot("iot:RetainPublish", "topic"),
    iot("iot:Receive", "topic"),
    iot("iot:Subscribe", "topicfilter"),
    sts("sts:AssumeRole"),
    sts("sts:AssumeRoleWithWebIdentity"),
    sts("sts:TagSession"),
    sts("sts:SetSourceIdentity"),
];

/// True for what the brokers of a cluster do among themselves, which goes past
/// every check of topics. MSK has no action for it, so that no wildcard of a
/// policy written for MSK means it: only its own name allows it (decision 0046).
pub(super) fn is_of_brokers(action: &str, resource_type: &str) -> bool {
    resource_type == "cluster" && action.eq_ignore_ascii_case("kafka-cluster:ClusterAction")
}

/// The action of this name; names compare without case.
#[must_use]
pub fn known(action: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|k| k.action.eq_ignore_ascii_case(action))
}

/// The known action whose name is nearest.
#[must_use]
pub fn nearest(action: &str) -> &'static str {
    let lower = action.to_lowercase();
    let distance = |k: &&Known| crate::fault::distance(&k.action.to_lowercase(), &lower);
    KNOWN.iter().min_by_key(distance).map_or("", |k| k.action)
}
