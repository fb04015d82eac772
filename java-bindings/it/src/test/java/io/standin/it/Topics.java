// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.protocol.Errors;

/** Topics made and looked at by Kafka's own super user. */
final class Topics {
  private Topics() {}

  /** Makes topics of one partition. */
  static void create(Broker broker, String... names) throws Exception {
    List<NewTopic> topics = new ArrayList<>();
    for (String name : names) {
      topics.add(new NewTopic(name, 1, (short) 1));
    }
    try (Admin admin = Clients.superUser(broker)) {
      admin.createTopics(topics).all().get();
      // The controller answers; the broker hears of the topics and of their leaders after that.
      Wait.until("topics that the broker knows: " + List.of(names), () -> led(admin, names));
    }
  }

  private static boolean led(Admin admin, String... names) throws Exception {
    try {
      return admin.describeTopics(List.of(names)).allTopicNames().get().values().stream()
          .flatMap(topic -> topic.partitions().stream())
          .allMatch(partition -> partition.leader() != null);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof UnknownTopicOrPartitionException) {
        return false;
      }
      throw e;
    }
  }

  /** Waits until groups and transactions have coordinators, which the first question sets up. */
  static void coordinators(Broker broker) throws Exception {
    try (RawClient client = RawClient.plain(broker.internal())) {
      Wait.until("a group coordinator", () -> Wire.group(client, "any") == Errors.NONE);
      Wait.until("a transaction coordinator", () -> Wire.transaction(client, "a") == Errors.NONE);
    }
  }

  /** The offset behind the last record. */
  static long end(Broker broker, String topic) throws Exception {
    TopicPartition partition = new TopicPartition(topic, 0);
    try (Admin admin = Clients.superUser(broker)) {
      return admin
          .listOffsets(Map.of(partition, OffsetSpec.latest()))
          .partitionResult(partition)
          .get()
          .offset();
    }
  }

  /** True when the topic exists. */
  static boolean exists(Broker broker, String topic) throws Exception {
    try (Admin admin = Clients.superUser(broker)) {
      return admin.listTopics().names().get().contains(topic);
    }
  }
}
