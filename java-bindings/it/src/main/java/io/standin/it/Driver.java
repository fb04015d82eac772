// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.Metric;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * An ordinary client that does what it is told, a line at a time, and answers with one JSON object:
 * {@code create T}, {@code produce T N}, {@code flow T SECONDS}, {@code consume T N}, {@code end
 * T}, {@code connections}, {@code quit}.
 */
public final class Driver {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Properties common = new Properties();
  private KafkaProducer<byte[], byte[]> producer;

  private Driver() {}

  /** Runs; arguments: bootstrap address, client properties file. */
  public static void main(String[] arguments) throws Exception {
    Driver driver = new Driver();
    try (Reader file = Files.newBufferedReader(Path.of(arguments[1]))) {
      driver.common.load(file);
    }
    driver.common.put("bootstrap.servers", arguments[0]);
    BufferedReader in =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    String line;
    while ((line = in.readLine()) != null && !line.equals("quit")) {
      ObjectNode answer = JSON.createObjectNode();
      try {
        driver.run(line.trim().split(" "), answer);
        answer.put("ok", true);
      } catch (ExecutionException e) {
        failed(answer, e.getCause());
      } catch (Exception e) {
        failed(answer, e);
      }
      System.out.println(answer);
    }
    if (driver.producer != null) {
      driver.producer.close(Duration.ofSeconds(2));
    }
  }

  private static void failed(ObjectNode answer, Throwable e) {
    answer.put("ok", false);
    answer.put("error", e.getClass().getSimpleName());
    answer.put("message", String.valueOf(e.getMessage()));
  }

  private void run(String[] words, ObjectNode answer) throws Exception {
    switch (words[0]) {
      case "create" -> create(words[1]);
      case "produce" -> answer.put("produced", produce(words[1], Integer.parseInt(words[2])));
      case "flow" -> flow(words[1], Integer.parseInt(words[2]), answer);
      case "consume" -> answer.put("consumed", consume(words[1], Integer.parseInt(words[2])));
      case "end" -> answer.put("end", end(words[1]));
      case "connections" -> connections(answer);
      default -> throw new IllegalArgumentException("unknown command " + words[0]);
    }
  }

  private void create(String topic) throws Exception {
    try (Admin admin = Admin.create(common)) {
      admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1))).all().get();
    }
  }

  private KafkaProducer<byte[], byte[]> producer() {
    if (producer == null) {
      Map<String, Object> config = new HashMap<>();
      common.forEach((k, v) -> config.put(k.toString(), v));
      config.put(ProducerConfig.MAX_BLOCK_MS_CONFIG, 15000);
      config.put(ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, 15000);
      config.put(ProducerConfig.REQUEST_TIMEOUT_MS_CONFIG, 5000);
      config.put(ProducerConfig.LINGER_MS_CONFIG, 0);
      producer = new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
    }
    return producer;
  }

  private int produce(String topic, int count) throws Exception {
    Future<RecordMetadata> last = null;
    for (int i = 0; i < count; i++) {
      last =
          producer()
              .send(
                  new ProducerRecord<>(
                      topic, 0, null, ("record " + i).getBytes(StandardCharsets.UTF_8)));
    }
    if (last != null) {
      last.get();
    }
    return count;
  }

  /** Produces one record every 20 ms, counting failures. */
  private void flow(String topic, int seconds, ObjectNode answer) throws Exception {
    int sent = 0;
    int failed = 0;
    String error = "";
    long end = System.nanoTime() + seconds * 1_000_000_000L;
    while (System.nanoTime() < end) {
      try {
        producer().send(new ProducerRecord<>(topic, 0, null, new byte[16])).get();
        sent++;
      } catch (ExecutionException e) {
        failed++;
        error = e.getCause().getClass().getSimpleName();
      }
      Thread.sleep(20);
    }
    answer.put("sent", sent).put("failed", failed).put("last_error", error);
    connections(answer);
  }

  private int consume(String topic, int count) {
    Map<String, Object> config = new HashMap<>();
    common.forEach((k, v) -> config.put(k.toString(), v));
    config.put(ConsumerConfig.GROUP_ID_CONFIG, topic + "-readers");
    config.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
    int seen = 0;
    try (KafkaConsumer<byte[], byte[]> consumer =
        new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      consumer.subscribe(List.of(topic));
      long end = System.nanoTime() + 30_000_000_000L;
      while (seen < count && System.nanoTime() < end) {
        seen += consumer.poll(Duration.ofMillis(200)).count();
      }
    }
    return seen;
  }

  private long end(String topic) throws Exception {
    try (Admin admin = Admin.create(common)) {
      TopicPartition partition = new TopicPartition(topic, 0);
      return admin
          .listOffsets(Map.of(partition, OffsetSpec.latest()))
          .partitionResult(partition)
          .get()
          .offset();
    }
  }

  /** How many connections the producer made and how often it authenticated again on them. */
  private void connections(ObjectNode answer) {
    for (Metric metric : producer().metrics().values()) {
      String name = metric.metricName().name();
      boolean whole = metric.metricName().group().equals("producer-metrics");
      if (whole
          && (name.equals("connection-creation-total")
              || name.equals("successful-reauthentication-total"))) {
        answer.put(name, ((Number) metric.metricValue()).longValue());
      }
    }
  }
}
