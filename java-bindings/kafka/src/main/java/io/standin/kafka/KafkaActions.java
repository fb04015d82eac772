// SPDX-License-Identifier: Apache-2.0
package io.standin.kafka;

import java.util.EnumMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.ToIntBiFunction;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.resource.ResourceType;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Kafka's operations as IAM actions: those of Amazon MSK, and names of our own in the same style
 * where MSK has none.
 */
final class KafkaActions {
  /** An action on a type of resource. */
  record Action(String name, String resourceType) {}

  /** Stands for pairs that are always denied. */
  static final Action DENIED = new Action("", "");

  private static final Logger LOG = LoggerFactory.getLogger(KafkaActions.class);
  private static final Set<String> UNKNOWN = ConcurrentHashMap.newKeySet();
  private static final String PREFIX = "kafka-cluster:";

  private final int[][] numbers;

  /** Numbers the actions with {@code intern}. */
  KafkaActions(ToIntBiFunction<String, String> intern) {
    int types = ResourceType.values().length;
    numbers = new int[AclOperation.values().length][types];
    for (AclOperation operation : AclOperation.values()) {
      for (ResourceType type : ResourceType.values()) {
        Action action = of(operation, type);
        if (action != null && action != DENIED) {
          numbers[operation.ordinal()][type.ordinal()] =
              intern.applyAsInt(action.name(), action.resourceType());
        }
      }
    }
  }

  /** The number of the action; 0, which is always denied, when there is none. */
  int number(AclOperation operation, ResourceType type) {
    int number = numbers[operation.ordinal()][type.ordinal()];
    if (number == 0 && of(operation, type) == null && UNKNOWN.add(operation + " on " + type)) {
      LOG.warn(
          "This version of Kafka asks for {} on {}, which this version of Standin does not know;"
              + " it is denied",
          operation,
          type);
    }
    return number;
  }

  /** Every pair that has an action or is denied on purpose. */
  private static final Map<ResourceType, Map<AclOperation, Action>> TABLE =
      new EnumMap<>(ResourceType.class);

  private static void map(ResourceType type, String resource, Object... pairs) {
    Map<AclOperation, Action> actions = new EnumMap<>(AclOperation.class);
    for (int i = 0; i < pairs.length; i += 2) {
      Action action = pairs[i + 1] == null ? DENIED : new Action(PREFIX + pairs[i + 1], resource);
      actions.put((AclOperation) pairs[i], action);
    }
    TABLE.put(type, actions);
  }

  static {
    map(
        ResourceType.TOPIC,
        "topic",
        AclOperation.READ,
        "ReadData",
        AclOperation.WRITE,
        "WriteData",
        AclOperation.CREATE,
        "CreateTopic",
        AclOperation.DELETE,
        "DeleteTopic",
        AclOperation.ALTER,
        "AlterTopic",
        AclOperation.DESCRIBE,
        "DescribeTopic",
        AclOperation.DESCRIBE_CONFIGS,
        "DescribeTopicDynamicConfiguration",
        AclOperation.ALTER_CONFIGS,
        "AlterTopicDynamicConfiguration");
    map(
        ResourceType.GROUP,
        "group",
        AclOperation.READ,
        "AlterGroup",
        AclOperation.DESCRIBE,
        "DescribeGroup",
        AclOperation.DELETE,
        "DeleteGroup",
        AclOperation.DESCRIBE_CONFIGS,
        "DescribeGroupDynamicConfiguration",
        AclOperation.ALTER_CONFIGS,
        "AlterGroupDynamicConfiguration");
    map(
        ResourceType.CLUSTER,
        "cluster",
        // Denied on purpose: Kafka then asks for each topic, as MSK does.
        AclOperation.CREATE,
        null,
        AclOperation.DELETE,
        null,
        AclOperation.DESCRIBE,
        "DescribeCluster",
        AclOperation.ALTER,
        "AlterCluster",
        AclOperation.DESCRIBE_CONFIGS,
        "DescribeClusterDynamicConfiguration",
        AclOperation.ALTER_CONFIGS,
        "AlterClusterDynamicConfiguration",
        AclOperation.IDEMPOTENT_WRITE,
        "WriteDataIdempotently",
        AclOperation.CLUSTER_ACTION,
        "ClusterAction");
    map(
        ResourceType.TRANSACTIONAL_ID,
        "transactional-id",
        AclOperation.DESCRIBE,
        "DescribeTransactionalId",
        AclOperation.WRITE,
        "AlterTransactionalId",
        AclOperation.TWO_PHASE_COMMIT,
        "TwoPhaseCommitTransactionalId");
    map(
        ResourceType.DELEGATION_TOKEN,
        "delegation-token",
        AclOperation.DESCRIBE,
        "DescribeDelegationToken");
    map(
        ResourceType.USER,
        "user",
        AclOperation.CREATE_TOKENS,
        "CreateUserTokens",
        AclOperation.DESCRIBE_TOKENS,
        "DescribeUserTokens");
  }

  /** The action of a pair, {@link #DENIED}, or null for a pair Kafka never asks about. */
  static Action of(AclOperation operation, ResourceType type) {
    return TABLE.getOrDefault(type, Map.of()).get(operation);
  }
}
