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
import java.util.stream.Collectors;
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
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * An ordinary client that does what it is told, a line at a time, and answers with one JSON object:
 *
 * <ul>
 *   <li>{@code create T [PARTITIONS]}: makes a topic, of one partition when no number is given
 *   <li>{@code produce T N}: sends N records and waits for the last one
 *   <li>{@code until accepted|refused T SECONDS [PARTITIONS]}: sends a record every 10 ms until one
 *       is, in each of so many partitions; the time-out is an error
 *   <li>{@code flow T SECONDS}: sends a record every 20 ms, counting failures
 *   <li>{@code consume T N [GROUP]}: reads N records, at first from the beginning; the group is
 *       T-readers when none is given
 *   <li>{@code load T PARTITIONS}: goes on sending a record every 20 ms in the background, through
 *       a producer of its own
 *   <li>{@code loaded}: what became of them since it was asked last
 *   <li>{@code leaders T}: which brokers lead its partitions
 *   <li>{@code end T [PARTITIONS]}: the end offset, asked for over a new connection; of several
 *       partitions their sum
 *   <li>{@code connections}: what the producer counted of its own connections
 *   <li>{@code close}: closes the producer; the next record opens a new one
 *   <li>{@code quit}
 * </ul>
 *
 * The producer and its connections stay open from one command to the next.
 */
public final class Driver {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Properties common = new Properties();
  private KafkaProducer<byte[], byte[]> producer;
  private Load load;

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
    driver.close();
  }

  private void close() throws InterruptedException {
    if (load != null) {
      load.stop();
      load = null;
    }
    if (producer != null) {
      producer.close(Duration.ofSeconds(2));
      producer = null;
    }
  }

  private static void failed(ObjectNode answer, Throwable e) {
    answer.put("ok", false);
    answer.put("error", e.getClass().getSimpleName());
    answer.put("message", String.valueOf(e.getMessage()));
  }

  private void run(String[] words, ObjectNode answer) throws Exception {
    switch (words[0]) {
      case "create" -> create(words[1], number(words, 2, 1));
      case "produce" -> answer.put("produced", produce(words[1], Integer.parseInt(words[2])));
      case "until" ->
          until(words[1], words[2], Integer.parseInt(words[3]), number(words, 4, 1), answer);
      case "load" -> load = Load.start(common, words[1], Integer.parseInt(words[2]));
      case "loaded" -> load.tell(answer);
      case "flow" -> flow(words[1], Integer.parseInt(words[2]), answer);
      case "consume" -> {
        String group = words.length > 3 ? words[3] : words[1] + "-readers";
        answer.put("consumed", consume(words[1], Integer.parseInt(words[2]), group));
      }
      case "leaders" -> answer.put("leaders", leaders(words[1]));
      case "end" -> answer.put("end", end(words[1], number(words, 2, 1)));
      case "connections" -> connections(answer);
      case "close" -> close();
      default -> throw new IllegalArgumentException("unknown command " + words[0]);
    }
  }

  private static int number(String[] words, int at, int otherwise) {
    return words.length > at ? Integer.parseInt(words[at]) : otherwise;
  }

  private void create(String topic, int partitions) throws Exception {
    try (Admin admin = Admin.create(common)) {
      admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1))).all().get();
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

  /** Produces until a record is accepted or refused for lack of permission, in each partition. */
  private void until(String wanted, String topic, int seconds, int partitions, ObjectNode answer)
      throws Exception {
    if (!wanted.equals("accepted") && !wanted.equals("refused")) {
      throw new IllegalArgumentException("until accepted or refused, not " + wanted);
    }
    long begin = System.nanoTime();
    long end = begin + seconds * 1_000_000_000L;
    int sent = 0;
    int partition = 0;
    String last = "nothing";
    while (System.nanoTime() < end) {
      sent++;
      try {
        producer().send(new ProducerRecord<>(topic, partition, null, new byte[16])).get();
        last = "accepted";
      } catch (ExecutionException e) {
        boolean refused = e.getCause() instanceof AuthorizationException;
        last = refused ? "refused" : e.getCause().getClass().getSimpleName();
        answer.put("refused_with", e.getCause().getClass().getSimpleName());
      }
      if (!last.equals(wanted)) {
        Thread.sleep(10);
      } else if (++partition == partitions) {
        answer.put("sent", sent).put("after_ms", (System.nanoTime() - begin) / 1_000_000);
        connections(answer);
        return;
      }
    }
    throw new IllegalStateException(
        "no record was " + wanted + " within " + seconds + " s; the last one was " + last);
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

  private int consume(String topic, int count, String group) {
    Map<String, Object> config = new HashMap<>();
    common.forEach((k, v) -> config.put(k.toString(), v));
    config.put(ConsumerConfig.GROUP_ID_CONFIG, group);
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

  private String leaders(String topic) throws Exception {
    try (Admin admin = Admin.create(common)) {
      return admin
          .describeTopics(List.of(topic))
          .allTopicNames()
          .get()
          .get(topic)
          .partitions()
          .stream()
          .map(partition -> partition.leader().idString())
          .sorted()
          .collect(Collectors.joining(" "));
    }
  }

  private long end(String topic, int partitions) throws Exception {
    Map<TopicPartition, OffsetSpec> wanted = new HashMap<>();
    for (int partition = 0; partition < partitions; partition++) {
      wanted.put(new TopicPartition(topic, partition), OffsetSpec.latest());
    }
    try (Admin admin = Admin.create(common)) {
      return admin.listOffsets(wanted).all().get().values().stream()
          .mapToLong(found -> found.offset())
          .sum();
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
