// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.stream.Stream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.errors.TimeoutException;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;

/**
 * What each call of Kafka's clients needs: it is accepted with exactly these actions, besides leave
 * to connect, and refused when one of them is missing.
 */
@Order(3)
@Execution(ExecutionMode.CONCURRENT)
class AdministratorTest {
  private static final Broker BROKER = Brokers.combined();
  private static final Iam IAM = Iam.of(BROKER);

  @BeforeAll
  static void coordinators() throws Exception {
    Topics.coordinators(BROKER);
  }

  @TestFactory
  Stream<DynamicTest> p1_36_a_call_is_accepted_with_exactly_the_actions_it_needs() {
    return Calls.all().stream()
        .map(row -> DynamicTest.dynamicTest("p1_36 " + row.name(), () -> check(row)));
  }

  private static void check(Calls.Row row) throws Exception {
    // Each permission is taken away once, and given back before the next.
    for (Calls.Need missing : row.needs()) {
      List<Calls.Need> rest = new ArrayList<>(row.needs());
      rest.remove(missing);
      Throwable told = told(row, rest);
      assertTrue(
          told instanceof AuthorizationException, "without " + missing.action() + ": " + told);
    }
    Throwable told = told(row, row.needs());
    // Some have nothing to do, and say so.
    assertFalse(
        told instanceof AuthorizationException || told instanceof TimeoutException,
        "with all it needs: " + told);
  }

  /** The error that a user with these permissions meets, or null. */
  private static Throwable told(Calls.Row row, List<Calls.Need> permissions) throws Exception {
    String name = Iam.fresh("row");
    Topics.create(BROKER, name);
    Policy policy = Policy.connect(BROKER);
    for (Calls.Need need : permissions) {
      String resource =
          need.type().equals("cluster") ? BROKER.cluster() : BROKER.arn(need.type(), name + "*");
      policy.allow(need.action(), resource);
    }
    if (row.needs().stream().anyMatch(need -> need.type().equals("group"))) {
      group(name);
    }
    Keys keys = IAM.user(name, policy);
    try (Admin admin = Clients.admin(BROKER, keys)) {
      row.call().make(new Calls.Caller(admin, keys, name));
      return null;
    } catch (Calls.Refused e) {
      return e.getCause();
    } catch (ExecutionException e) {
      return e.getCause();
    } catch (AuthorizationException e) {
      return e;
    } catch (org.apache.kafka.common.KafkaException e) {
      return e.getCause() == null ? e : e.getCause();
    }
  }

  /** Makes a group that has read nothing of the topic of its name yet. */
  private static void group(String name) throws Exception {
    try (Admin admin = Clients.superUser(BROKER)) {
      TopicPartition partition = new TopicPartition(name, 0);
      admin
          .alterConsumerGroupOffsets(name, Map.of(partition, new OffsetAndMetadata(0)))
          .all()
          .get();
    }
  }

  @Test
  void p1_36_lists_show_what_may_be_described_and_nothing_else() throws Exception {
    String mine = Iam.fresh("mine");
    String others = Iam.fresh("others");
    Topics.create(BROKER, mine, others);
    group(mine);
    group(others);
    Keys user =
        IAM.user(
            Iam.fresh("user"),
            Policy.connect(BROKER)
                .topic("DescribeTopic", mine)
                .allow("DescribeGroup", BROKER.arn("group", mine)));
    try (Admin admin = Clients.admin(BROKER, user)) {
      assertTrue(admin.listTopics().names().get().equals(Set.of(mine)));
      List<String> groups =
          admin.listGroups().all().get().stream().map(group -> group.groupId()).toList();
      assertTrue(groups.equals(List.of(mine)), groups.toString());
      // The offsets of the group on a topic that may not be described are left out.
      assertNull(
          admin
              .listConsumerGroupOffsets(mine)
              .partitionsToOffsetAndMetadata()
              .get()
              .get(new TopicPartition(others, 0)));
    }
  }
}
