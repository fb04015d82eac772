// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.CommonClientConfigs;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ListShareGroupOffsetsSpec;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;

/** Kafka's own clients of every kind while nothing can be decided, and after that. */
@Order(1)
class ResumeTest {
  private static final Duration SHORT = Duration.ofMillis(100);
  private static final int WINDOW_MS = 3000;

  /** Of one client while it cannot get on; clients that spin send some hundreds or more. */
  private static final int MOST_REQUESTS_PER_SECOND = 40;

  /** Of the broker in the window; one for each request would be a thousand. */
  private static final int MOST_LINES = 100;

  /** Share of a core that one client's threads take while it cannot get on. */
  private static final double MOST_PROCESSOR = 0.3;

  private final Broker broker =
      Brokers.own(
          "resume",
          Map.of(),
          "--heap",
          "256m",
          "--short-lived",
          "--property",
          "standin.stale.after.ms=2000",
          "--property",
          "standin.stale.grace.ms=3000");
  private final Iam iam = Iam.of(broker);
  private final String prefix = Iam.fresh("resume");
  private final Keys keys = iam.user(prefix, Policy.all(broker));
  private final List<Worker> workers = new ArrayList<>();

  @AfterAll
  static void done() {
    Brokers.done("resume");
  }

  private Map<String, Object> config(String name) {
    Map<String, Object> config = Clients.config(broker, "CLIENT", keys);
    config.put(CommonClientConfigs.CLIENT_ID_CONFIG, name);
    // Longer than an outage: what takes its time is not to fail for that.
    config.put(CommonClientConfigs.DEFAULT_API_TIMEOUT_MS_CONFIG, 120_000);
    return config;
  }

  private KafkaProducer<byte[], byte[]> producer(String name, Map<String, Object> more) {
    Map<String, Object> config = config(name);
    config.put(ProducerConfig.MAX_BLOCK_MS_CONFIG, 120_000);
    config.put(ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, 120_000);
    config.put(ProducerConfig.LINGER_MS_CONFIG, 0);
    config.putAll(more);
    return new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
  }

  private Map<String, Object> grouped(String name, String protocol) {
    Map<String, Object> config = config(name);
    config.put(ConsumerConfig.GROUP_ID_CONFIG, name);
    if (protocol != null) {
      config.put(ConsumerConfig.GROUP_PROTOCOL_CONFIG, protocol);
      config.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
      config.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false);
    }
    if ("classic".equals(protocol)) {
      // Rare, so that a member that does nothing else is asked to join first.
      config.put(ConsumerConfig.HEARTBEAT_INTERVAL_MS_CONFIG, 14_000);
    }
    return config;
  }

  private KafkaConsumer<byte[], byte[]> consumer(String name, String protocol) {
    return new KafkaConsumer<>(
        grouped(name, protocol), new ByteArrayDeserializer(), new ByteArrayDeserializer());
  }

  private void work(String name, Worker.Job job) {
    workers.add(Worker.start(prefix + "-" + name, job));
  }

  private ProducerRecord<byte[], byte[]> record(String topic) {
    return new ProducerRecord<>(topic, 0, null, new byte[] {1});
  }

  private void produces(String name, String topic, Map<String, Object> more) {
    work(
        name,
        turn -> {
          try (KafkaProducer<byte[], byte[]> producer = producer(prefix + "-" + name, more)) {
            while (turn.next()) {
              producer.send(record(topic)).get();
              Thread.sleep(20);
            }
          }
        });
  }

  private void consumes(String name, String topic, String protocol) {
    work(
        name,
        turn -> {
          try (KafkaConsumer<byte[], byte[]> consumer = consumer(prefix + "-" + name, protocol)) {
            consumer.subscribe(List.of(topic));
            while (turn.next()) {
              turn.ifAny(consumer.poll(SHORT).count());
              consumer.commitSync();
            }
          }
        });
  }

  /** Only waits after its first records, and joins its group anew in the second round. */
  private void joins(String name, String topic, String other, String protocol) {
    work(
        name,
        turn -> {
          try (KafkaConsumer<byte[], byte[]> consumer = consumer(prefix + "-" + name, protocol)) {
            int round = 0;
            consumer.subscribe(List.of(topic));
            while (turn.next()) {
              if (round != turn.round()) {
                round = turn.round();
                consumer.subscribe(List.of(topic, other));
              }
              int count = 0;
              for (ConsumerRecord<byte[], byte[]> record : consumer.poll(SHORT)) {
                count += record.topic().equals(round == 0 ? topic : other) ? 1 : 0;
              }
              if (round == 0 && turn.done() > 3) {
                consumer.pause(consumer.assignment());
                count = 0;
              }
              turn.ifAny(count);
            }
          }
        });
  }

  private void shares(String name, String topic) {
    work(
        name,
        turn -> {
          try (KafkaShareConsumer<byte[], byte[]> consumer =
              new KafkaShareConsumer<>(
                  grouped(prefix + "-" + name, null),
                  new ByteArrayDeserializer(),
                  new ByteArrayDeserializer())) {
            consumer.subscribe(List.of(topic));
            while (turn.next()) {
              turn.ifAny(consumer.poll(SHORT).count());
            }
          }
        });
  }

  private void transacts(String name, String topic) {
    work(
        name,
        turn -> {
          Map<String, Object> more =
              Map.of(ProducerConfig.TRANSACTIONAL_ID_CONFIG, prefix + "-" + name);
          try (KafkaProducer<byte[], byte[]> producer = producer(prefix + "-" + name, more);
              KafkaConsumer<byte[], byte[]> member = consumer(prefix + "-" + name, "classic")) {
            producer.initTransactions();
            long offset = 0;
            while (turn.next()) {
              producer.beginTransaction();
              producer.send(record(topic)).get();
              producer.sendOffsetsToTransaction(
                  Map.of(new TopicPartition(topic, 0), new OffsetAndMetadata(++offset)),
                  member.groupMetadata());
              producer.commitTransaction();
              Thread.sleep(20);
            }
          }
        });
  }

  /** Every record goes to a topic that is not there yet. */
  private void makesTopics(String name) {
    work(
        name,
        turn -> {
          try (KafkaProducer<byte[], byte[]> producer = producer(prefix + "-" + name, Map.of())) {
            for (int i = 0; turn.next(); i++) {
              producer.send(record(prefix + "-auto-" + i)).get();
              Thread.sleep(250);
            }
          }
        });
  }

  private void administers(String name, String topic) {
    work(
        name,
        turn -> {
          try (Admin admin = Admin.create(config(prefix + "-" + name))) {
            TopicPartition partition = new TopicPartition(topic, 0);
            while (turn.next()) {
              admin.listOffsets(Map.of(partition, OffsetSpec.latest())).all().get();
              Thread.sleep(50);
            }
          }
        });
  }

  /** Calls that an administrator's client repeats by itself until they are decided. */
  private Map<String, KafkaFuture<?>> patientCalls(Admin admin, String topic) {
    TopicPartition partition = new TopicPartition(topic, 0);
    String group = prefix + "-classic";
    Map<String, KafkaFuture<?>> calls = new LinkedHashMap<>();
    calls.put("listOffsets", admin.listOffsets(Map.of(partition, OffsetSpec.latest())).all());
    calls.put(
        "deleteRecords",
        admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(1))).all());
    calls.put("describeProducers", admin.describeProducers(List.of(partition)).all());
    calls.put("listGroups", admin.listGroups().all());
    calls.put("describeConsumerGroups", admin.describeConsumerGroups(List.of(group)).all());
    calls.put("listConsumerGroupOffsets", admin.listConsumerGroupOffsets(group).all());
    calls.put(
        "listShareGroupOffsets",
        admin
            .listShareGroupOffsets(Map.of(prefix + "-share", new ListShareGroupOffsetsSpec()))
            .all());
    calls.put("listTransactions", admin.listTransactions().all());
    calls.put(
        "describeTransactions",
        admin.describeTransactions(List.of(prefix + "-transactions")).all());
    return calls;
  }

  /** Calls that an administrator's client does not repeat, and those it is to be told of. */
  private Map<String, KafkaFuture<?>> impatientCalls(Admin admin, String topic) {
    ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
    AlterConfigOp change =
        new AlterConfigOp(new ConfigEntry("retention.ms", "123456"), AlterConfigOp.OpType.SET);
    Map<String, KafkaFuture<?>> calls = new LinkedHashMap<>();
    String made = Iam.fresh(prefix + "-made");
    calls.put("createTopics", admin.createTopics(List.of(new NewTopic(made, 1, (short) 1))).all());
    calls.put("describeTopics", admin.describeTopics(List.of(topic)).allTopicNames());
    calls.put("describeConfigs", admin.describeConfigs(List.of(resource)).all());
    calls.put(
        "incrementalAlterConfigs",
        admin.incrementalAlterConfigs(Map.of(resource, List.of(change))).all());
    calls.put("describeAcls", admin.describeAcls(AclBindingFilter.ANY).values());
    return calls;
  }

  private void failIfDead() {
    workers.forEach(Worker::failIfDead);
  }

  private int sum() {
    return workers.stream().mapToInt(Worker::done).sum();
  }

  /** Waits until nothing is decided any more, and what was decided before is done. */
  private void awaitStandstill(Gauges gauges) throws Exception {
    long undecided = gauges.standin("operations-undecided-total");
    Wait.until(
        60, "undecided operations", () -> gauges.standin("operations-undecided-total") > undecided);
    int[] last = {-1};
    long[] since = {0};
    Wait.until(
        60,
        "nobody to get on",
        () -> {
          int now = sum();
          if (now != last[0]) {
            last[0] = now;
            since[0] = System.nanoTime();
          }
          return System.nanoTime() - since[0] > 1_500_000_000L;
        });
  }

  /** Looks for a while at clients that cannot get on: what they send, use up and cause. */
  private void assertPatience(Gauges gauges) throws Exception {
    Map<String, Long> used = new HashMap<>();
    workers.forEach(worker -> used.put(worker.name(), worker.cpu()));
    long lines = broker.log().lines().count();
    long requests = gauges.requests("*");
    int done = sum();
    long begin = System.nanoTime();
    Thread.sleep(WINDOW_MS);
    double nanos = System.nanoTime() - begin;
    requests = gauges.requests("*") - requests;
    lines = broker.log().lines().count() - lines;
    assertEquals(done, sum(), "something was decided");
    failIfDead();
    double most = MOST_REQUESTS_PER_SECOND * (workers.size() + 1) * nanos / 1e9;
    assertTrue(requests < most, requests + " requests");
    assertTrue(lines < MOST_LINES, lines + " lines in the broker's log");
    for (Worker worker : workers) {
      double share = (worker.cpu() - used.get(worker.name())) / nanos;
      assertTrue(share < MOST_PROCESSOR, worker.name() + " takes " + share + " of a core");
    }
  }

  @Test
  void x_06_clients_of_every_kind_go_on_by_themselves_when_decisions_return() throws Exception {
    String topic = prefix + "-topic";
    String other = prefix + "-other";
    Topics.create(broker, topic, other);
    Topics.coordinators(broker);
    produces("plain", topic, Map.of(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, false));
    produces("idempotent", other, Map.of());
    consumes("classic", topic, "classic");
    consumes("consumer", topic, "consumer");
    joins("classic-joins", topic, other, "classic");
    joins("consumer-joins", topic, other, "consumer");
    shares("share", topic);
    transacts("transactions", topic);
    makesTopics("auto");
    administers("admin", topic);
    try (Gauges gauges = Gauges.of(broker, "broker");
        Admin admin = Admin.create(config(prefix + "-asks"))) {
      for (Worker worker : workers) {
        worker.await(90, 3);
      }
      admin.describeCluster().nodes().get();
      Map<String, KafkaFuture<?>> patient;
      Map<Worker, Integer> before = new HashMap<>();
      try (StoreLock lock = StoreLock.of(broker)) {
        assertTrue(lock.isHeld());
        awaitStandstill(gauges);
        // Now groups are joined that nobody can decide about.
        workers.forEach(Worker::newRound);
        patient = patientCalls(admin, topic);
        assertPatience(gauges);
        for (var call : impatientCalls(admin, topic).entrySet()) {
          ExecutionException told =
              assertThrows(ExecutionException.class, call.getValue()::get, call.getKey());
          assertInstanceOf(RetriableException.class, told.getCause(), call.getKey());
        }
        patient.forEach((name, call) -> assertFalse(call.isDone(), name));
        workers.forEach(worker -> before.put(worker, worker.done()));
      }
      for (Worker worker : workers) {
        worker.await(90, before.get(worker) + 3);
      }
      for (var call : patient.entrySet()) {
        assertDoesNotThrow(() -> call.getValue().get(90, TimeUnit.SECONDS), call.getKey());
      }
      // The same client, asked again.
      for (var call : impatientCalls(admin, topic).entrySet()) {
        assertDoesNotThrow(() -> call.getValue().get(90, TimeUnit.SECONDS), call.getKey());
      }
      assertToldOf(gauges);
    } finally {
      workers.forEach(Worker::stop);
    }
    for (Worker worker : workers) {
      worker.join();
    }
  }

  /**
   * That it was decisions that were missing, and in which requests. Consumers that wait for a
   * commit do not fetch meanwhile, so of fetches nothing can be told here.
   */
  private static void assertToldOf(Gauges gauges) throws Exception {
    Map<String, Errors> told = new LinkedHashMap<>();
    told.put("Produce", Errors.NOT_LEADER_OR_FOLLOWER);
    told.put("ShareFetch", Errors.REQUEST_TIMED_OUT);
    told.put("JoinGroup", Errors.COORDINATOR_NOT_AVAILABLE);
    told.put("ConsumerGroupHeartbeat", Errors.COORDINATOR_NOT_AVAILABLE);
    told.put("OffsetCommit", Errors.COORDINATOR_NOT_AVAILABLE);
    told.put("FindCoordinator", Errors.COORDINATOR_NOT_AVAILABLE);
    told.put("ListTransactions", Errors.COORDINATOR_LOAD_IN_PROGRESS);
    told.put("Metadata", Errors.LEADER_NOT_AVAILABLE);
    told.put("CreateTopics", Errors.REQUEST_TIMED_OUT);
    for (var each : told.entrySet()) {
      assertTrue(gauges.answered(each.getKey(), each.getValue()) > 0, each.toString());
    }
  }
}
