// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.errors.SaslAuthenticationException;
import org.apache.kafka.common.errors.TopicAuthorizationException;
import org.apache.kafka.common.protocol.Errors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;

/** A broker whose identities and policies are served by a process of its own. */
@Order(2)
class ServiceTest {
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
  private final Writers writers = new Writers(broker, iam);
  private final String topic = writers.topic();

  @AfterAll
  static void done() {
    Brokers.done("service");
  }

  private Keys writer() throws Exception {
    Topics.create(broker, topic);
    return writers.writer("writer");
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
      producer.send(writers.record()).get();
      return null;
    } catch (ExecutionException e) {
      return e.getCause();
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
      assertEquals(Errors.NONE, writers.write(open));
      iam.disable(writer);
      writers.awaitDenied(open);
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
    Keys revoked = writers.writer("revoked");
    Keys unknown = writers.writer("unknown");
    Worker load = writers.load(writer, 5);
    try (Gauges gauges = Gauges.of(broker, "broker");
        RawClient open = RawClient.loggedIn(broker, revoked)) {
      load.await(60, 20);
      writers.assertDecided(open);
      long refused = gauges.standin("logins-refused-total");
      broker.kill("service");
      // Who is known comes and goes, and is decided as before.
      for (int i = 0; i < 5; i++) {
        try (RawClient again = RawClient.loggedIn(broker, writer)) {
          writers.assertDecided(again);
        }
      }
      load.await(60, load.done() + 100);
      writers.assertUndecided(unknown);
      // Administrators have the store itself.
      iam.disable(revoked);
      assertEquals(Errors.NONE, writers.write(open), "the broker cannot know yet");
      broker.startService();
      writers.awaitDeniedForGood(open);
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
    writers.assertUndecided(writer);
    try (Gauges gauges = Gauges.of(broker, "broker")) {
      assertTrue(gauges.standin("logins-undecided-total") > 0);
      assertEquals(0, gauges.standin("logins-refused-total"));
    }
    // With patience, as a client of such a broker has to have it.
    Worker load = writers.load(writer, 0);
    broker.startService();
    load.await(60, 10);
    load.stop();
    load.join();
    try (RawClient open = RawClient.loggedIn(broker, writer)) {
      iam.disable(writer);
      writers.awaitDenied(open);
    }
  }
}
