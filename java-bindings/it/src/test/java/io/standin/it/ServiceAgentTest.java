// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.file.Files;
import java.util.Map;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.protocol.Errors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Broker, agent and service, each a process of its own, of which two are killed. */
@Order(2)
@Tag("long")
class ServiceAgentTest {
  private static final Errors DENIED = Errors.TOPIC_AUTHORIZATION_FAILED;

  private final Broker broker =
      Brokers.own(
          "service-agent",
          Map.of(),
          "--service",
          "--agent",
          "--property",
          "standin.login.wait.ms=5000");
  private final Iam iam = Iam.of(broker);
  private final String topic = Iam.fresh("topic");

  @AfterAll
  static void done() {
    Brokers.done("service-agent");
  }

  private void becomes(RawClient client, Errors expected) throws Exception {
    Wait.until(60, expected + " for writes", () -> Wire.produce(client, topic) == expected);
  }

  /** Neither in nor refused: the broker closes the connection, and the client comes again. */
  private void assertUndecided(Keys keys) throws Exception {
    try (RawClient client = RawClient.connect(broker, "CLIENT")) {
      client.handshake(RawClient.MECHANISM);
      assertThrows(RawClient.Closed.class, () -> client.authenticate(Signed.by(keys).message()));
    }
  }

  @Test
  void p1_26_an_agent_between_broker_and_service_may_die_and_so_may_the_service() throws Exception {
    assertFalse(
        Files.readString(broker.dir().resolve("broker.properties")).contains("host.credential"),
        "the broker has the host's credential");
    Topics.create(broker, topic);
    Policy policy = Policy.connect(broker).produce(topic);
    Keys writer = iam.user(Iam.fresh("writer"), policy);
    Keys fresh = iam.user(Iam.fresh("fresh"), policy);
    Keys revoked = iam.user(Iam.fresh("revoked"), policy);
    Worker load =
        Worker.start(
            "load",
            turn -> {
              try (KafkaProducer<byte[], byte[]> producer = Clients.producer(broker, writer)) {
                while (turn.next()) {
                  producer.send(new ProducerRecord<>(topic, new byte[] {1})).get();
                  Thread.sleep(5);
                }
              }
            });
    try (RawClient open = RawClient.loggedIn(broker, revoked)) {
      load.await(60, 20);
      assertEquals(Errors.NONE, Wire.produce(open, topic));
      broker.kill("agent");
      assertUndecided(fresh);
      assertEquals(Errors.NONE, Wire.produce(open, topic));
      assertEquals(DENIED, Wire.fetch(open, topic));
      load.await(60, load.done() + 50);
      broker.startAgent();
      RawClient.loggedIn(broker, fresh).close();

      broker.kill("service");
      // The agent verifies by itself who is known to it.
      RawClient.loggedIn(broker, fresh).close();
      iam.disable(revoked);
      load.await(60, load.done() + 50);
      // Both at once; the agent comes back before the service.
      broker.kill("agent");
      broker.startAgent();
      assertEquals(DENIED, Wire.fetch(open, topic));
      broker.startService();
      becomes(open, DENIED);
      for (int i = 0; i < 20; i++) {
        assertEquals(DENIED, Wire.produce(open, topic));
      }
      RawClient.loggedIn(broker, fresh).close();
      load.await(60, load.done() + 20);
    } finally {
      load.stop();
      load.join();
    }
  }
}
