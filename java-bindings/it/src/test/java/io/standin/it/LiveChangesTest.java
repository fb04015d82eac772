// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.errors.TopicAuthorizationException;
import org.apache.kafka.common.protocol.Errors;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Changes to identities and policies reach connections that are open. */
class LiveChangesTest {
  private static final Errors DENIED = Errors.TOPIC_AUTHORIZATION_FAILED;

  private final Broker broker = Brokers.combined();
  private final Iam iam = Iam.of(broker);
  private final String topic = Iam.fresh("topic");

  @BeforeEach
  void topic() throws Exception {
    Topics.create(broker, topic);
  }

  /** Waits until producing on an open connection is answered so. */
  private void becomes(RawClient client, Errors expected) throws Exception {
    Wait.until(expected + " for writes", () -> Wire.produce(client, topic) == expected);
  }

  @Test
  void x_09_fifty_changes_reach_an_open_connection() throws Exception {
    String name = Iam.fresh("user");
    Keys user = iam.user(name, Policy.connect(broker).produce(topic));
    String deny = Iam.fresh("deny");
    iam.managed(deny, Policy.none(broker).deny("WriteData", broker.arn("topic", topic)));
    List<Long> delays = new ArrayList<>();
    try (RawClient client = RawClient.loggedIn(broker, user)) {
      int port = client.localPort();
      for (int change = 0; change < 50; change++) {
        boolean attach = change % 2 == 0;
        if (attach) {
          iam.attach(deny, name);
        } else {
          iam.detach(deny, name);
        }
        // From the moment the program has ended, which is later than the commit.
        long committed = System.nanoTime();
        becomes(client, attach ? DENIED : Errors.NONE);
        delays.add((System.nanoTime() - committed) / 1_000_000);
        // It holds from then on.
        for (int i = 0; i < 5; i++) {
          assertEquals(attach ? DENIED : Errors.NONE, Wire.produce(client, topic));
        }
      }
      assertEquals(port, client.localPort());
    }
    delays.sort(null);
    System.out.printf(
        "a change reaches an open connection within %d ms (median), %d ms (99th percentile)%n",
        delays.get(24), delays.get(49));
  }

  @Test
  void p1_20_a_warm_cache_gives_way_to_a_change_for_allow_and_for_deny() throws Exception {
    String name = Iam.fresh("user");
    Keys user = iam.user(name, Policy.connect(broker).produce(topic));
    try (RawClient client = RawClient.loggedIn(broker, user)) {
      for (int i = 0; i < 200; i++) {
        assertEquals(Errors.NONE, Wire.produce(client, topic));
        assertEquals(DENIED, Wire.fetch(client, topic));
      }
      iam.put(name, "own", Policy.connect(broker).topic("ReadData", topic));
      becomes(client, DENIED);
      assertEquals(Errors.NONE, Wire.fetch(client, topic));
      for (int i = 0; i < 200; i++) {
        assertEquals(DENIED, Wire.produce(client, topic));
        assertEquals(Errors.NONE, Wire.fetch(client, topic));
      }
    }
  }

  @Test
  void p1_20_a_running_producer_is_refused_and_goes_on_without_connecting_again() throws Exception {
    String name = Iam.fresh("user");
    Keys user = iam.user(name, Policy.connect(broker).produce(topic));
    String deny = Iam.fresh("deny");
    iam.managed(deny, Policy.none(broker).deny("WriteData", broker.arn("topic", topic)));
    try (KafkaProducer<byte[], byte[]> producer = Clients.producer(broker, user)) {
      producer.send(record()).get();
      double connections = connections(producer);
      iam.attach(deny, name);
      ExecutionException refused =
          assertThrows(
              ExecutionException.class,
              () -> {
                for (int i = 0; i < 3000; i++) {
                  producer.send(record()).get();
                  Thread.sleep(10);
                }
              });
      assertInstanceOf(TopicAuthorizationException.class, refused.getCause());
      long end = Topics.end(broker, topic);
      assertThrows(ExecutionException.class, () -> producer.send(record()).get());
      assertEquals(end, Topics.end(broker, topic));
      iam.detach(deny, name);
      Wait.until(
          "an accepted record",
          () -> {
            try {
              producer.send(record()).get();
              return true;
            } catch (ExecutionException e) {
              assertInstanceOf(TopicAuthorizationException.class, e.getCause());
              return false;
            }
          });
      assertEquals(connections, connections(producer));
    }
  }

  private ProducerRecord<byte[], byte[]> record() {
    return new ProducerRecord<>(topic, new byte[] {1});
  }

  private static double connections(KafkaProducer<byte[], byte[]> producer) {
    return producer.metrics().entrySet().stream()
        .filter(m -> m.getKey().name().equals("connection-creation-total"))
        .filter(m -> m.getKey().group().equals("producer-metrics"))
        .mapToDouble(m -> ((Number) m.getValue().metricValue()).doubleValue())
        .sum();
  }

  @Test
  void p1_35_rights_come_and_go_by_groups_boundaries_and_attached_policies() throws Exception {
    String name = Iam.fresh("user");
    String group = Iam.fresh("group");
    String write = Iam.fresh("write");
    String bound = Iam.fresh("bound");
    Keys user = iam.user(name, Policy.connect(broker));
    iam.managed(write, Policy.none(broker).produce(topic));
    iam.managed(bound, Policy.connect(broker).topic("ReadData", topic));
    broker.standin("group", "create", group);
    try (RawClient client = RawClient.loggedIn(broker, user)) {
      assertEquals(DENIED, Wire.produce(client, topic));
      broker.standin("policy", "attach", write, "--group", group);
      broker.standin("group", "add", group, name);
      becomes(client, Errors.NONE);
      broker.standin("policy", "boundary", bound, "--user", name);
      becomes(client, DENIED);
      broker.standin("policy", "boundary", "--user", name);
      becomes(client, Errors.NONE);
      broker.standin("group", "remove", group, name);
      becomes(client, DENIED);
      iam.attach(write, name);
      becomes(client, Errors.NONE);
      iam.managed(write, Policy.none(broker).produce(topic + "-other"));
      becomes(client, DENIED);
    }
  }

  @Test
  void p1_35_tags_of_an_identity_count_in_its_policies() throws Exception {
    String name = Iam.fresh("user");
    broker.standin("user", "create", name, "--tag", "team=blue");
    iam.put(
        name,
        "own",
        Policy.connect(broker)
            .topic("WriteData", topic)
            .when("StringEquals", "aws:PrincipalTag/team", "red"));
    Keys user = iam.key(name, "arn:aws:iam::000000000000:user/" + name);
    try (RawClient client = RawClient.loggedIn(broker, user)) {
      assertEquals(DENIED, Wire.produce(client, topic));
    }
    broker.standin("user", "tag", name, "team=red");
    Wait.until(
        "the new tag",
        () -> {
          try (RawClient client = RawClient.loggedIn(broker, user)) {
            return Wire.produce(client, topic) == Errors.NONE;
          }
        });
  }

  @Test
  void p1_17_a_disabled_key_ends_its_sessions_and_no_others() throws Exception {
    String name = Iam.fresh("user");
    Keys user = iam.user(name, Policy.connect(broker).produce(topic));
    Keys second = iam.key(name, user.arn());
    try (RawClient first = RawClient.loggedIn(broker, user);
        RawClient other = RawClient.loggedIn(broker, second)) {
      assertEquals(Errors.NONE, Wire.produce(first, topic));
      iam.disable(user);
      becomes(first, DENIED);
      assertEquals(Errors.NONE, Wire.produce(other, topic));
      assertRefused(user);
      // Enabled again, the old session stays ended and a new login works.
      iam.enable(user);
      Wait.until("a login with the enabled key", () -> logsIn(user));
      assertEquals(DENIED, Wire.produce(first, topic));
      broker.standin("key", "delete", second.id());
      becomes(other, DENIED);
      assertRefused(second);
    }
    // The operator finds why.
    Wait.until(
        "the ends of both sessions in the audit",
        () -> iam.audit("--identity", user.arn()).stream().filter(this::isKeysEnd).count() == 2);
  }

  private boolean isKeysEnd(JsonNode record) {
    return record.at("/activity_name").asText().equals("Logoff")
        && record.at("/status_detail").asText().contains("access key was disabled");
  }

  @Test
  void p1_17_a_disabled_or_deleted_identity_ends_its_sessions() throws Exception {
    String name = Iam.fresh("user");
    String role = Iam.fresh("role");
    Policy policy = Policy.connect(broker).produce(topic);
    Keys user = iam.user(name, policy);
    iam.role(role, user.arn(), 3600, policy);
    Keys session = iam.assume(role, name, "session", 900);
    try (RawClient own = RawClient.loggedIn(broker, user);
        RawClient assumed = RawClient.loggedIn(broker, session)) {
      assertEquals(Errors.NONE, Wire.produce(own, topic));
      assertEquals(Errors.NONE, Wire.produce(assumed, topic));
      broker.standin("role", "delete", role, "--force");
      becomes(assumed, DENIED);
      assertEquals(Errors.NONE, Wire.produce(own, topic));
      broker.standin("user", "disable", name);
      becomes(own, DENIED);
      assertRefused(user);
      assertRefused(session);
      broker.standin("user", "enable", name);
      Wait.until("a login of the enabled user", () -> logsIn(user));
    }
  }

  private void assertRefused(Keys keys) throws Exception {
    try (RawClient client = RawClient.connect(broker, "CLIENT")) {
      assertEquals(
          Errors.SASL_AUTHENTICATION_FAILED, client.tryLogIn(Signed.by(keys).message()).error());
    }
  }

  private boolean logsIn(Keys keys) throws IOException {
    try (RawClient client = RawClient.connect(broker, "CLIENT")) {
      return client.tryLogIn(Signed.by(keys).message()).error() == Errors.NONE;
    }
  }
}
