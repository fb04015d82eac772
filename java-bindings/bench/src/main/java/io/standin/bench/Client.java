// SPDX-License-Identifier: Apache-2.0
package io.standin.bench;

import java.io.IOException;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** The unmodified clients of one broker; they stay connected. */
final class Client implements AutoCloseable {
  private static final byte[] RECORD = new byte[100];

  private final Broker broker;
  private final String profile;
  private final KafkaProducer<byte[], byte[]> batched;
  private final KafkaProducer<byte[], byte[]> single;
  private final KafkaConsumer<byte[], byte[]> consumer;
  private final List<TopicPartition> partitions;
  private final Wire wire;
  private final byte[] metadata;

  /**
   * Connects.
   *
   * @param profile name of the key in the credentials file
   */
  Client(Broker broker, String profile, AccessKey key) throws IOException {
    this.broker = broker;
    this.profile = profile;
    batched = producer(Map.of("linger.ms", 5));
    single =
        producer(Map.of("batch.size", 0, "linger.ms", 0, "acks", "1", "enable.idempotence", false));
    Map<String, Object> reading = config();
    reading.put("enable.auto.commit", false);
    consumer =
        new KafkaConsumer<>(reading, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    partitions = IntStream.range(0, 4).mapToObj(i -> new TopicPartition(Cluster.READ, i)).toList();
    consumer.assign(partitions);
    Wire.Door door = new Wire.Door(broker.port("CLIENT"), null);
    wire = Wire.patient(door, "AWS_MSK_IAM", () -> Wire.Conversation.of(key.login("localhost")));
    metadata = Wire.metadata(IntStream.range(0, Cluster.TOPICS).mapToObj(Rules::topic).toList());
  }

  private Map<String, Object> config() throws IOException {
    Map<String, Object> config = new HashMap<>();
    config.put("bootstrap.servers", broker.bootstrap());
    config.put("security.protocol", "SASL_PLAINTEXT");
    config.put("sasl.mechanism", "AWS_MSK_IAM");
    config.put(
        "sasl.jaas.config",
        "software.amazon.msk.auth.iam.IAMLoginModule required awsProfileName=\"" + profile + "\";");
    config.put(
        "sasl.client.callback.handler.class",
        "software.amazon.msk.auth.iam.IAMClientCallbackHandler");
    return config;
  }

  private KafkaProducer<byte[], byte[]> producer(Map<String, Object> more) throws IOException {
    Map<String, Object> config = config();
    config.putAll(more);
    return new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
  }

  /** Sends so many records of 100 bytes in batches. */
  void produce(long records) {
    produce(batched, Cluster.WRITTEN, records);
  }

  /** Sends so many records of 100 bytes, each in a request of its own, acknowledged by one. */
  void produceSingly(long records) {
    produce(single, Cluster.WRITTEN, records);
  }

  /** Fills the topic that is read. */
  void fill(long records) {
    produce(batched, Cluster.READ, records);
  }

  private void produce(KafkaProducer<byte[], byte[]> producer, String topic, long records) {
    AtomicReference<Exception> failed = new AtomicReference<>();
    for (long i = 0; i < records; i++) {
      producer.send(
          new ProducerRecord<>(topic, RECORD),
          (done, error) -> {
            if (error != null) {
              failed.set(error);
            }
          });
    }
    producer.flush();
    if (failed.get() != null) {
      throw new KafkaException(profile, failed.get());
    }
  }

  /** Reads so many records, from the beginning over and over. */
  void consume(long records) {
    long read = 0;
    while (read < records) {
      int some = consumer.poll(Duration.ofMillis(200)).count();
      read += some;
      if (some == 0) {
        consumer.seekToBeginning(partitions);
      }
    }
    consumer.seekToBeginning(partitions);
  }

  /** Asks for the metadata of all topics so many times, one after the other. */
  void metadata(long requests) {
    try {
      for (long i = 0; i < requests; i++) {
        int seen = wire.metadata(metadata);
        if (seen != Cluster.TOPICS) {
          throw new KafkaException(profile + " showed " + seen + " topics");
        }
      }
    } catch (IOException e) {
      throw new KafkaException(profile, e);
    }
  }

  @Override
  public void close() throws IOException {
    batched.close();
    single.close();
    consumer.close();
    wire.close();
  }
}
