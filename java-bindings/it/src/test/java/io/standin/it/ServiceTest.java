// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.errors.SaslAuthenticationException;
import org.apache.kafka.common.errors.TopicAuthorizationException;
import org.apache.kafka.common.protocol.Errors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;

/** A broker whose identities and policies are served by a process of its own. */
@Order(2)
class ServiceTest {
  private static final Errors DENIED = Errors.TOPIC_AUTHORIZATION_FAILED;

  private final Broker broker =
      Brokers.own(
          "service",
          Map.of(),
          "--service",
          "--property",
          "standin.login.wait.ms=5000",
          "--property",
          "standin.audit.window.ms=1000");
  private final Iam iam = Iam.of(broker);
  private final String topic = Iam.fresh("topic");

  @AfterAll
  static void done() {
    Brokers.done("service");
  }

  private Keys writer() throws Exception {
    Topics.create(broker, topic);
    return iam.user(Iam.fresh("writer"), Policy.connect(broker).produce(topic));
  }

  private ProducerRecord<byte[], byte[]> record() {
    return new ProducerRecord<>(topic, new byte[] {1});
  }

  private void becomes(RawClient client, Errors expected) throws Exception {
    // Behind an outage the feed is asked for again with pauses.
    Wait.until(60, expected + " for writes", () -> Wire.produce(client, topic) == expected);
  }

  @Test
  void sessions_end_with_their_connections_or_without() throws Exception {
    Connected.endsWithTheirConnectionsOrWithout(broker, iam);
  }

  @Test
  void clients_that_loop_are_slowed_and_nobody_else_is() throws Exception {
    Connected.loopsAreSlowed(broker, iam);
  }

  /** What became of a record: nothing, or why it was not stored. */
  private Throwable send(KafkaProducer<byte[], byte[]> producer) throws InterruptedException {
    try {
      producer.send(record()).get();
      return null;
    } catch (ExecutionException e) {
      return e.getCause();
    }
  }

  /** Neither in nor refused: the broker closes the connection, and the client comes again. */
  private void assertUndecided(Keys keys) throws Exception {
    try (RawClient client = RawClient.connect(broker, "CLIENT")) {
      client.handshake(RawClient.MECHANISM);
      assertThrows(RawClient.Closed.class, () -> client.authenticate(Signed.by(keys).message()));
    }
  }

  @Test
  void p1_03_logins_and_operations_are_decided_by_what_a_service_elsewhere_holds()
      throws Exception {
    assertFalse(broker.log().contains("standin.store="), "the broker has a store of its own");
    Keys writer = writer();
    Policy describe = Policy.connect(broker).topic("DescribeTopic", topic);
    Keys mute = iam.user(Iam.fresh("mute"), describe.topic("WriteData", topic + "-other"));
    Keys outsider = iam.user(Iam.fresh("outsider"), Policy.none(broker).produce(topic));
    String user = writer.arn().substring(writer.arn().lastIndexOf('/') + 1);
    try (KafkaProducer<byte[], byte[]> allowed = Clients.producer(broker, writer);
        KafkaProducer<byte[], byte[]> denied = Clients.producer(broker, mute);
        KafkaProducer<byte[], byte[]> out = Clients.producer(broker, outsider)) {
      assertEquals(null, send(allowed));
      assertInstanceOf(TopicAuthorizationException.class, send(denied));
      assertInstanceOf(SaslAuthenticationException.class, send(out));
      // A change reaches the connection that is open.
      iam.put(user, "no", Policy.none(broker).deny("WriteData", broker.arn("topic", topic)));
      Wait.until("a refused record", () -> send(allowed) instanceof TopicAuthorizationException);
      iam.delete(user, "no");
      Wait.until("an accepted record", () -> send(allowed) == null);
    }
    try (RawClient open = RawClient.loggedIn(broker, writer)) {
      assertEquals(Errors.NONE, Wire.produce(open, topic));
      iam.disable(writer);
      becomes(open, DENIED);
      try (RawClient again = RawClient.connect(broker, "CLIENT")) {
        assertEquals(
            Errors.SASL_AUTHENTICATION_FAILED, again.tryLogIn(Signed.by(writer).message()).error());
      }
    }
  }

  @Test
  void x_06_a_service_killed_under_load_stops_nobody_and_what_was_revoked_meanwhile_ends()
      throws Exception {
    Keys writer = writer();
    Keys revoked = iam.user(Iam.fresh("revoked"), Policy.connect(broker).produce(topic));
    Keys unknown = iam.user(Iam.fresh("unknown"), Policy.connect(broker).produce(topic));
    Worker load =
        Worker.start(
            "load",
            turn -> {
              try (KafkaProducer<byte[], byte[]> producer = Clients.producer(broker, writer)) {
                while (turn.next()) {
                  producer.send(record()).get();
                  Thread.sleep(5);
                }
              }
            });
    try (Gauges gauges = Gauges.of(broker, "broker");
        RawClient open = RawClient.loggedIn(broker, revoked)) {
      load.await(60, 20);
      assertEquals(Errors.NONE, Wire.produce(open, topic));
      assertEquals(DENIED, Wire.fetch(open, topic));
      long refused = gauges.standin("logins-refused-total");
      broker.kill("service");
      // Who is known comes and goes, and is decided as before.
      for (int i = 0; i < 5; i++) {
        try (RawClient again = RawClient.loggedIn(broker, writer)) {
          assertEquals(Errors.NONE, Wire.produce(again, topic));
          assertEquals(DENIED, Wire.fetch(again, topic));
        }
      }
      load.await(60, load.done() + 100);
      assertUndecided(unknown);
      // Administrators have the store itself.
      iam.disable(revoked);
      assertEquals(Errors.NONE, Wire.produce(open, topic), "the broker cannot know yet");
      broker.startService();
      becomes(open, DENIED);
      for (int i = 0; i < 20; i++) {
        assertEquals(DENIED, Wire.produce(open, topic));
      }
      RawClient.loggedIn(broker, unknown).close();
      load.await(60, load.done() + 20);
      assertEquals(refused, gauges.standin("logins-refused-total"), "refused for an outage");
    } finally {
      load.stop();
      load.join();
    }
  }

  @Test
  void x_06_a_broker_starts_without_its_service_and_decides_once_it_is_there() throws Exception {
    Keys writer = writer();
    broker.kill("service");
    broker.restart();
    assertUndecided(writer);
    try (Gauges gauges = Gauges.of(broker, "broker")) {
      assertTrue(gauges.standin("logins-undecided-total") > 0);
      assertEquals(0, gauges.standin("logins-refused-total"));
    }
    Worker load =
        Worker.start(
            "load",
            turn -> {
              // With patience, as a client of such a broker has to have it.
              try (KafkaProducer<byte[], byte[]> producer = Clients.producer(broker, writer)) {
                while (turn.next()) {
                  producer.send(record()).get();
                }
              }
            });
    broker.startService();
    load.await(60, 10);
    load.stop();
    load.join();
    try (RawClient open = RawClient.loggedIn(broker, writer)) {
      iam.disable(writer);
      becomes(open, DENIED);
    }
  }
}
