// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.protocol.Errors;

/**
 * Clients that may write to one topic and not read it, while what stands behind their broker dies
 * and comes back.
 */
final class Writers {
  private static final Errors DENIED = Errors.TOPIC_AUTHORIZATION_FAILED;

  private final Broker broker;
  private final Iam iam;
  private final String topic = Iam.fresh("topic");

  Writers(Broker broker, Iam iam) {
    this.broker = broker;
    this.iam = iam;
  }

  String topic() {
    return topic;
  }

  /** A user who may connect and write. */
  Keys writer(String kind) throws Exception {
    return iam.user(Iam.fresh(kind), Policy.connect(broker).produce(topic));
  }

  ProducerRecord<byte[], byte[]> record() {
    return new ProducerRecord<>(topic, new byte[] {1});
  }

  /** Writes over and over through one producer, with pauses. */
  Worker load(Keys keys, int pauseMs) {
    return Worker.start(
        "load",
        turn -> {
          try (KafkaProducer<byte[], byte[]> producer = Clients.producer(broker, keys)) {
            while (turn.next()) {
              producer.send(record()).get();
              Thread.sleep(pauseMs);
            }
          }
        });
  }

  /** What a write of an open connection comes to. */
  Errors write(RawClient client) throws Exception {
    return Wire.produce(client, topic);
  }

  /** A write is stored, and a read is denied. */
  void assertDecided(RawClient client) throws Exception {
    assertEquals(Errors.NONE, write(client));
    assertEquals(DENIED, Wire.fetch(client, topic));
  }

  /** Waits until writes of an open connection are denied. */
  void awaitDenied(RawClient client) throws Exception {
    // Behind an outage the feed is asked for again with pauses.
    Wait.until(60, "a denied write", () -> write(client) == DENIED);
  }

  /** As above, and they stay so. */
  void awaitDeniedForGood(RawClient client) throws Exception {
    awaitDenied(client);
    for (int i = 0; i < 20; i++) {
      assertEquals(DENIED, write(client));
    }
  }

  /** Neither in nor refused: the broker closes the connection, and the client comes again. */
  void assertUndecided(Keys keys) throws Exception {
    try (RawClient client = RawClient.connect(broker, "CLIENT")) {
      client.handshake(RawClient.MECHANISM);
      assertThrows(RawClient.Closed.class, () -> client.authenticate(Signed.by(keys).message()));
    }
  }
}
