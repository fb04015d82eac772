// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * A producer that sends one record after the other, over the partitions of a topic in turn. It is
 * patient: what a broker cannot decide it sends again, for minutes.
 */
final class Load {
  private static final int PATIENCE_MS = 300_000;

  private final String topic;
  private final int partitions;
  private final KafkaProducer<byte[], byte[]> producer;
  private final Thread thread;
  private volatile boolean stop;
  private int sent;
  private int refused;
  private int failed;
  private String error = "";
  private long longest;
  private long since;

  private Load(Properties common, String topic, int partitions) {
    this.topic = topic;
    this.partitions = partitions;
    Map<String, Object> config = new HashMap<>();
    common.forEach((name, value) -> config.put(name.toString(), value));
    config.put(ProducerConfig.MAX_BLOCK_MS_CONFIG, PATIENCE_MS);
    config.put(ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, PATIENCE_MS);
    config.put(ProducerConfig.LINGER_MS_CONFIG, 0);
    producer = new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
    thread = new Thread(this::run, "load");
    thread.setDaemon(true);
  }

  static Load start(Properties common, String topic, int partitions) {
    Load load = new Load(common, topic, partitions);
    load.thread.start();
    return load;
  }

  private void run() {
    try {
      for (int n = 0; !stop; n++) {
        send(n % partitions);
        Thread.sleep(20);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void send(int partition) throws InterruptedException {
    synchronized (this) {
      since = System.nanoTime();
    }
    Throwable why = null;
    try {
      producer.send(new ProducerRecord<>(topic, partition, null, new byte[16])).get();
    } catch (ExecutionException e) {
      why = e.getCause();
    } catch (RuntimeException e) {
      why = e;
    }
    synchronized (this) {
      longest = Math.max(longest, waited());
      since = 0;
      if (why == null) {
        sent++;
      } else if (why instanceof AuthorizationException) {
        refused++;
      } else {
        failed++;
        error = why.getClass().getSimpleName();
      }
    }
  }

  private long waited() {
    return since == 0 ? 0 : (System.nanoTime() - since) / 1_000_000;
  }

  /** What was accepted, refused, and failed otherwise since this was asked last. */
  synchronized void tell(ObjectNode answer) {
    answer.put("accepted", sent).put("refused", refused).put("failed", failed);
    answer.put("last_error", error).put("longest_ms", longest).put("waiting_ms", waited());
    sent = 0;
    refused = 0;
    failed = 0;
    error = "";
    longest = 0;
  }

  void stop() throws InterruptedException {
    stop = true;
    thread.interrupt();
    thread.join(5000);
    producer.close(Duration.ofSeconds(2));
  }
}
