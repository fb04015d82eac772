// SPDX-License-Identifier: Apache-2.0
package io.standin.kafka;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;

import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.kafka.security.authorizer.AclEntry;
import org.junit.jupiter.api.Test;

/** Kafka's own tables say what is asked; ours says which action that is. */
class KafkaActionsTest {
  /** The actions of Amazon MSK, from the Service Authorization Reference. */
  private static final Map<String, String> MSK =
      Map.ofEntries(
          Map.entry("DescribeCluster", "DESCRIBE CLUSTER"),
          Map.entry("AlterCluster", "ALTER CLUSTER"),
          Map.entry("DescribeClusterDynamicConfiguration", "DESCRIBE_CONFIGS CLUSTER"),
          Map.entry("AlterClusterDynamicConfiguration", "ALTER_CONFIGS CLUSTER"),
          Map.entry("WriteDataIdempotently", "IDEMPOTENT_WRITE CLUSTER"),
          Map.entry("CreateTopic", "CREATE TOPIC"),
          Map.entry("DescribeTopic", "DESCRIBE TOPIC"),
          Map.entry("AlterTopic", "ALTER TOPIC"),
          Map.entry("DeleteTopic", "DELETE TOPIC"),
          Map.entry("DescribeTopicDynamicConfiguration", "DESCRIBE_CONFIGS TOPIC"),
          Map.entry("AlterTopicDynamicConfiguration", "ALTER_CONFIGS TOPIC"),
          Map.entry("ReadData", "READ TOPIC"),
          Map.entry("WriteData", "WRITE TOPIC"),
          Map.entry("DescribeGroup", "DESCRIBE GROUP"),
          Map.entry("AlterGroup", "READ GROUP"),
          Map.entry("DeleteGroup", "DELETE GROUP"),
          Map.entry("DescribeTransactionalId", "DESCRIBE TRANSACTIONAL_ID"),
          Map.entry("AlterTransactionalId", "WRITE TRANSACTIONAL_ID"));

  @Test
  void p1_36_every_pair_kafka_asks_about_is_mapped_or_denied_on_purpose() {
    for (ResourceType type : ResourceType.values()) {
      if (type == ResourceType.UNKNOWN || type == ResourceType.ANY) {
        for (AclOperation operation : AclOperation.values()) {
          assertNull(KafkaActions.of(operation, type), operation + " on " + type);
        }
        continue;
      }
      Set<AclOperation> asked = AclEntry.supportedOperations(type);
      for (AclOperation operation : AclOperation.values()) {
        KafkaActions.Action action = KafkaActions.of(operation, type);
        if (asked.contains(operation) || operation == AclOperation.TWO_PHASE_COMMIT) {
          continue;
        }
        if (type == ResourceType.CLUSTER && operation == AclOperation.DELETE) {
          // Asked by DeleteTopics although Kafka's table does not have it.
          assertSame(KafkaActions.DENIED, action);
          continue;
        }
        assertNull(action, operation + " on " + type + " is mapped, but Kafka never asks it");
      }
      for (AclOperation operation : asked) {
        assertNotNull(KafkaActions.of(operation, type), operation + " on " + type + " is unmapped");
      }
    }
  }

  @Test
  void p1_36_the_actions_of_msk_keep_their_names_and_meanings() {
    Map<String, String> found = new HashMap<>();
    for (ResourceType type : ResourceType.values()) {
      for (AclOperation operation : AclOperation.values()) {
        KafkaActions.Action action = KafkaActions.of(operation, type);
        if (action != null && action != KafkaActions.DENIED) {
          found.put(action.name().substring("kafka-cluster:".length()), operation + " " + type);
        }
      }
    }
    MSK.forEach((action, pair) -> assertEquals(pair, found.get(action), action));
  }

  @Test
  void p1_43_an_unmapped_pair_has_the_number_that_is_always_denied() {
    Set<Integer> given = new HashSet<>();
    KafkaActions actions =
        new KafkaActions(
            (name, type) -> {
              int number = given.size() + 1;
              given.add(number);
              return number;
            });
    assertEquals(0, actions.number(AclOperation.UNKNOWN, ResourceType.TOPIC));
    assertEquals(0, actions.number(AclOperation.CREATE, ResourceType.CLUSTER));
    assertEquals(0, actions.number(AclOperation.READ, ResourceType.UNKNOWN));
    assertNotEquals(0, actions.number(AclOperation.READ, ResourceType.TOPIC));
  }
}
