// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** Clients of a test that work side by side, each over and over in a thread of its own. */
final class Workload {
  private static final Duration SHORT = Duration.ofMillis(100);

  private final String prefix;
  private final List<Worker> workers = new ArrayList<>();

  /** What its clients have of their own in the cluster has names that begin with {@code prefix}. */
  Workload(String prefix) {
    this.prefix = prefix;
  }

  /** Starts one. */
  void work(String name, Worker.Job job) {
    workers.add(Worker.start(prefix + "-" + name, job));
  }

  /** Writes a record at a time; {@code written} is run after each that was stored. */
  void produces(String name, String topic, Map<String, Object> config, Runnable written) {
    work(
        name,
        turn -> {
          try (KafkaProducer<byte[], byte[]> producer = Clients.producer(config)) {
            while (turn.next()) {
              producer.send(new ProducerRecord<>(topic, new byte[100])).get();
              written.run();
              Thread.sleep(20);
            }
          }
        });
  }

  /** Writes in transactions, with pauses. */
  void transacts(String topic, Map<String, Object> config, int pauseMs) {
    config.put(ProducerConfig.TRANSACTIONAL_ID_CONFIG, prefix);
    work(
        "transacts",
        turn -> {
          try (KafkaProducer<byte[], byte[]> producer = Clients.producer(config)) {
            producer.initTransactions();
            while (turn.next()) {
              producer.beginTransaction();
              producer.send(new ProducerRecord<>(topic, new byte[100]));
              producer.commitTransaction();
              Thread.sleep(pauseMs);
            }
          }
        });
  }

  /**
   * Reads in a group of this protocol; what it has read it commits as the group does, or at once.
   */
  void consumes(String protocol, String topic, Map<String, Object> config, boolean commitsAtOnce) {
    config.put(ConsumerConfig.GROUP_ID_CONFIG, prefix + "-" + protocol);
    config.put(ConsumerConfig.GROUP_PROTOCOL_CONFIG, protocol);
    config.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
    work(
        protocol,
        turn -> {
          try (KafkaConsumer<byte[], byte[]> consumer =
              new KafkaConsumer<>(
                  config, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.subscribe(List.of(topic));
            while (turn.next()) {
              turn.ifAny(consumer.poll(SHORT).count());
              if (commitsAtOnce) {
                consumer.commitSync();
              }
            }
          }
        });
  }

  /** Waits until each has got on so far. */
  void await(int seconds, int more) throws Exception {
    for (Worker worker : workers) {
      worker.await(seconds, worker.done() + more);
    }
  }

  void failIfDead() {
    workers.forEach(Worker::failIfDead);
  }

  void stop() {
    workers.forEach(Worker::stop);
  }

  /** Stops all and waits for their ends, which are to be in order. */
  List<Worker> join() throws InterruptedException {
    stop();
    for (Worker worker : workers) {
      worker.join();
    }
    return workers;
  }
}
