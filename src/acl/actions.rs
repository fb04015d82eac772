// SPDX-License-Identifier: Apache-2.0
//! Kafka's operations on its types of resources, as actions of policies.

/// Stands for every operation in a list.
pub(super) const ALL: &str = "ALL";

/// A type of resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Topic,
    Group,
    Cluster,
    TransactionalId,
    DelegationToken,
    User,
}

impl Kind {
    /// By its name in Kafka.
    pub(super) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "TOPIC" => Self::Topic,
            "GROUP" => Self::Group,
            "CLUSTER" => Self::Cluster,
            "TRANSACTIONAL_ID" => Self::TransactionalId,
            "DELEGATION_TOKEN" => Self::DelegationToken,
            "USER" => Self::User,
            _ => return None,
        })
    }

    /// Its word in ARNs.
    pub(super) fn arn(self) -> &'static str {
        match self {
            Self::Topic => "topic",
            Self::Group => "group",
            Self::Cluster => "cluster",
            Self::TransactionalId => "transactional-id",
            Self::DelegationToken => "delegation-token",
            Self::User => "user",
        }
    }

    /// Operations Kafka asks for, and their actions. Creating and deleting on
    /// the cluster are rights on topics.
    pub(super) fn actions(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Topic => &[
                ("READ", "ReadData"),
                ("WRITE", "WriteData"),
                ("CREATE", "CreateTopic"),
                ("DELETE", "DeleteTopic"),
                ("ALTER", "AlterTopic"),
                ("DESCRIBE", "DescribeTopic"),
                ("DESCRIBE_CONFIGS", "DescribeTopicDynamicConfiguration"),
                ("ALTER_CONFIGS", "AlterTopicDynamicConfiguration"),
            ],
            Self::Group => &[
                ("READ", "AlterGroup"),
                ("DESCRIBE", "DescribeGroup"),
                ("DELETE", "DeleteGroup"),
                ("DESCRIBE_CONFIGS", "DescribeGroupDynamicConfiguration"),
                ("ALTER_CONFIGS", "AlterGroupDynamicConfiguration"),
            ],
            Self::Cluster => &[
                ("DESCRIBE", "DescribeCluster"),
                ("ALTER", "AlterCluster"),
                ("DESCRIBE_CONFIGS", "DescribeClusterDynamicConfiguration"),
                ("ALTER_CONFIGS", "AlterClusterDynamicConfiguration"),
                ("IDEMPOTENT_WRITE", "WriteDataIdempotently"),
                ("CLUSTER_ACTION", "ClusterAction"),
            ],
            Self::TransactionalId => &[
                ("DESCRIBE", "DescribeTransactionalId"),
                ("WRITE", "AlterTransactionalId"),
                ("TWO_PHASE_COMMIT", "TwoPhaseCommitTransactionalId"),
            ],
            Self::DelegationToken => &[("DESCRIBE", "DescribeDelegationToken")],
            Self::User => &[("CREATE_TOKENS", "CreateUserTokens"), ("DESCRIBE_TOKENS", "DescribeUserTokens")],
        }
    }

    /// The action of an operation.
    pub(super) fn action(self, operation: &str) -> Option<&'static str> {
        self.actions().iter().find(|(name, _)| *name == operation).map(|(_, action)| *action)
    }
}

/// What Kafka allows together with an operation.
pub(super) fn implied(operation: &str) -> Option<&'static str> {
    match operation {
        "READ" | "WRITE" | "DELETE" | "ALTER" => Some("DESCRIBE"),
        "ALTER_CONFIGS" => Some("DESCRIBE_CONFIGS"),
        _ => None,
    }
}
