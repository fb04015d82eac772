// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.errors.TopicAuthorizationException;
import org.junit.jupiter.api.Test;

/** Operations of ordinary clients on an open connection are decided by IAM policies. */
class OperationsTest {
  private final Broker broker = Brokers.combined();
  private final Iam iam = Iam.of(broker);

  @Test
  void p1_11_an_allowed_write_is_stored_and_a_denied_one_leaves_the_topic_unchanged()
      throws Exception {
    String allowed = Iam.fresh("allowed");
    String denied = Iam.fresh("denied");
    Topics.create(broker, allowed, denied);
    Keys writer =
        iam.user(
            Iam.fresh("writer"),
            Policy.connect(broker).produce(allowed).topic("DescribeTopic", denied));
    try (KafkaProducer<byte[], byte[]> producer = Clients.producer(broker, writer)) {
      producer.send(record(allowed)).get();
      ExecutionException refused =
          assertThrows(ExecutionException.class, () -> producer.send(record(denied)).get());
      assertInstanceOf(TopicAuthorizationException.class, refused.getCause());
    }
    assertEquals(1, Topics.end(broker, allowed));
    assertEquals(0, Topics.end(broker, denied));
  }

  @Test
  void p1_36_what_was_written_is_read_by_who_may_read() throws Exception {
    String topic = Iam.fresh("records");
    String group = Iam.fresh("readers");
    Topics.create(broker, topic);
    Keys writer = iam.user(Iam.fresh("writer"), Policy.connect(broker).produce(topic));
    Keys reader = iam.user(Iam.fresh("reader"), Policy.connect(broker).consume(topic, group));
    try (KafkaProducer<byte[], byte[]> producer = Clients.producer(broker, writer)) {
      for (int i = 0; i < 100; i++) {
        producer.send(record(topic));
      }
    }
    int seen = 0;
    try (KafkaConsumer<byte[], byte[]> consumer = Clients.consumer(broker, reader, group)) {
      consumer.subscribe(List.of(topic));
      for (int i = 0; seen < 100 && i < 300; i++) {
        seen += consumer.poll(Duration.ofMillis(100)).count();
      }
      consumer.commitSync();
    }
    assertEquals(100, seen);
  }

  @Test
  void p1_36_creating_a_topic_is_decided_by_its_name() throws Exception {
    String mine = Iam.fresh("mine");
    String other = Iam.fresh("other");
    Keys maker =
        iam.user(Iam.fresh("maker"), Policy.connect(broker).topic("CreateTopic", mine + "*"));
    try (RawClient client = RawClient.loggedIn(broker, maker)) {
      assertEquals("NONE", Wire.create(client, mine).name());
      assertEquals("TOPIC_AUTHORIZATION_FAILED", Wire.create(client, other).name());
    }
    assertFalse(Topics.exists(broker, other));
  }

  private static ProducerRecord<byte[], byte[]> record(String topic) {
    return new ProducerRecord<>(topic, "value".getBytes(StandardCharsets.UTF_8));
  }
}
