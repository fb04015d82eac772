// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.errors.TopicAuthorizationException;
import org.apache.kafka.common.protocol.Errors;
import org.junit.jupiter.api.Test;

/** The oldest broker that is supported, stock as the others, with the newest clients. */
class OldestKafkaTest {
  private final String version = System.getProperty("standin.kafka.oldest");
  private final Broker broker = Brokers.own("oldest", Map.of("KAFKA_VERSION", version));
  private final Iam iam = Iam.of(broker);

  @Test
  void p1_28_an_unmodified_broker_of_the_oldest_version_takes_the_plugins_by_its_settings_alone()
      throws Exception {
    assertTrue(
        broker.log().contains("Kafka version: " + version), "the broker is of version " + version);
    String topic = Iam.fresh("topic");
    String other = Iam.fresh("other");
    String group = Iam.fresh("group");
    Keys admin = iam.user(Iam.fresh("admin"), Policy.connect(broker).topic("CreateTopic", topic));
    try (Admin maker = Clients.admin(broker, admin)) {
      // Decided by the controller, for the client that asked the broker.
      maker.createTopics(List.of(new NewTopic(topic, 1, (short) 1))).all().get();
      ExecutionException refused =
          assertThrows(
              ExecutionException.class,
              () -> maker.createTopics(List.of(new NewTopic(other, 1, (short) 1))).all().get());
      assertInstanceOf(TopicAuthorizationException.class, refused.getCause());
    }
    String name = Iam.fresh("user");
    Keys user = iam.user(name, Policy.connect(broker).produce(topic).consume(topic, group));
    try (KafkaProducer<byte[], byte[]> producer = Clients.producer(broker, user);
        KafkaConsumer<byte[], byte[]> consumer = Clients.consumer(broker, user, group)) {
      producer.send(new ProducerRecord<>(topic, new byte[] {1})).get();
      consumer.subscribe(List.of(topic));
      Wait.until("a record", () -> !consumer.poll(Duration.ofMillis(100)).isEmpty());
      // The open connection is refused by the next record after the change.
      iam.put(name, "no", Policy.none(broker).deny("WriteData", "*"));
      Wait.until("a refused record", () -> refused(producer, topic));
      iam.delete(name, "no");
      Wait.until("an accepted record", () -> !refused(producer, topic));
    }
    iam.disable(user);
    Wait.until("a refused login", () -> refusedLogin(user));
    // Told to stop, it does, and what it knew is written.
    int written = iam.audit("--identity", user.arn()).size();
    broker.stop();
    assertTrue(broker.log().contains("shut down completed"), "the broker was killed");
    assertFalse(broker.log().contains("ERROR StandinAuthorizer"), "an error while stopping");
    assertTrue(iam.audit("--identity", user.arn()).size() >= written);
  }

  /** The broker follows the store: a login right after the change may still be accepted. */
  private boolean refusedLogin(Keys user) throws Exception {
    try (RawClient client = RawClient.connect(broker, "CLIENT")) {
      return client.tryLogIn(Signed.by(user).message()).error()
          == Errors.SASL_AUTHENTICATION_FAILED;
    } catch (RawClient.Closed undecided) {
      return false;
    }
  }

  private static boolean refused(KafkaProducer<byte[], byte[]> producer, String topic)
      throws Exception {
    try {
      producer.send(new ProducerRecord<>(topic, new byte[] {1})).get();
      return false;
    } catch (ExecutionException e) {
      assertInstanceOf(TopicAuthorizationException.class, e.getCause());
      return true;
    }
  }
}
