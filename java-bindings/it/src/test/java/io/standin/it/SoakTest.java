// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.ToLongFunction;
import org.apache.kafka.clients.CommonClientConfigs;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Mixed load with changes of policies, re-authentications and reconnects. In the ordinary run a few
 * seconds, which prove that it works; {@code scripts/soak} says for how long, and then what broker
 * and controller hold is looked at too.
 */
@Order(1)
@Tag("long")
class SoakTest {
  private static final int SMOKE_S = 15;
  private static final int MINUTES = Integer.getInteger("standin.soak.minutes", 0);
  private static final Errors DENIED = Errors.TOPIC_AUTHORIZATION_FAILED;
  private static final Duration SHORT = Duration.ofMillis(100);
  private static final List<String> ROLES = List.of("broker", "controller");

  private final Broker broker =
      Brokers.own(
          "soak",
          // All of its heap from the start: what grows then is something else.
          Map.of("JAVA_TOOL_OPTIONS", "-XX:+AlwaysPreTouch"),
          "--separate-controller",
          "--heap",
          "256m",
          "--property",
          "standin.session.max.ms=20000",
          "--property",
          "standin.credential.lifetime.ms=30000",
          "--property",
          "standin.retire.grace.ms=1000",
          "--property",
          "log.segment.delete.delay.ms=1000");
  private final Iam iam = Iam.of(broker);
  private final String prefix = Iam.fresh("soak");
  private final List<Worker> workers = new ArrayList<>();
  private final Map<String, List<Footprint>> held = new HashMap<>();

  @AfterAll
  static void done() {
    Brokers.done("soak");
  }

  private void work(String name, Worker.Job job) {
    workers.add(Worker.start(prefix + "-" + name, job));
  }

  private Map<String, Object> config(String name, Keys keys) {
    Map<String, Object> config = Clients.config(broker, "CLIENT", keys);
    config.put(CommonClientConfigs.CLIENT_ID_CONFIG, prefix + "-" + name);
    return config;
  }

  private void produces(String name, String topic, Map<String, Object> config) {
    work(
        name,
        turn -> {
          try (KafkaProducer<byte[], byte[]> producer = Clients.producer(config)) {
            while (turn.next()) {
              producer.send(new ProducerRecord<>(topic, new byte[100])).get();
              Thread.sleep(20);
            }
          }
        });
  }

  private void transacts(String name, String topic, Keys keys) {
    work(
        name,
        turn -> {
          Map<String, Object> config = config(name, keys);
          config.put(ProducerConfig.TRANSACTIONAL_ID_CONFIG, prefix);
          try (KafkaProducer<byte[], byte[]> producer = Clients.producer(config)) {
            producer.initTransactions();
            while (turn.next()) {
              producer.beginTransaction();
              producer.send(new ProducerRecord<>(topic, new byte[100]));
              producer.commitTransaction();
              Thread.sleep(200);
            }
          }
        });
  }

  private void consumes(String protocol, String topic, Keys keys) {
    work(
        protocol,
        turn -> {
          Map<String, Object> config = config(protocol, keys);
          config.put(ConsumerConfig.GROUP_ID_CONFIG, prefix + "-" + protocol);
          config.put(ConsumerConfig.GROUP_PROTOCOL_CONFIG, protocol);
          config.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
          try (KafkaConsumer<byte[], byte[]> consumer =
              new KafkaConsumer<>(
                  config, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.subscribe(List.of(topic));
            while (turn.next()) {
              turn.ifAny(consumer.poll(SHORT).count());
              consumer.commitSync();
            }
          }
        });
  }

  private void reconnects(String topic, Keys keys) {
    work(
        "reconnects",
        turn -> {
          while (turn.next()) {
            try (RawClient client = RawClient.loggedIn(broker, keys)) {
              assertEquals(Errors.NONE, Wire.produce(client, topic));
            }
            Thread.sleep(100);
          }
        });
  }

  private void reauthenticates(String topic, Keys keys) {
    work(
        "reauthenticates",
        turn -> {
          try (RawClient client = RawClient.loggedIn(broker, keys)) {
            while (turn.next()) {
              assertEquals(Errors.NONE, client.logIn(keys).error());
              assertEquals(Errors.NONE, Wire.produce(client, topic));
              Thread.sleep(1000);
            }
          }
        });
  }

  /** Takes a right away from an open connection and gives it back. */
  private void changes(String topic, String user, Keys keys) {
    work(
        "changes",
        turn -> {
          Policy no = Policy.none(broker).deny("WriteData", "*");
          while (turn.next()) {
            try (RawClient client = RawClient.loggedIn(broker, keys)) {
              for (int i = 0; i < 5; i++) {
                iam.put(user, "no", no);
                Wait.until("a denied write", () -> Wire.produce(client, topic) == DENIED);
                iam.delete(user, "no");
                Wait.until("a write", () -> Wire.produce(client, topic) == Errors.NONE);
              }
            }
          }
        });
  }

  /** Users, keys and credentials of roles that come, are used once, and go. */
  private void comesAndGoes(String topic, String role, String assuming) {
    work(
        "comes-and-goes",
        turn -> {
          for (int i = 0; turn.next(); i++) {
            String name = prefix + "-guest-" + i;
            Keys guest = iam.user(name, Policy.connect(broker).produce(topic));
            once(topic, guest);
            Keys assumed = iam.assume(role, assuming, "s" + i, 900);
            once(topic, assumed);
            broker.standin("key", "delete", guest.id());
            broker.standin("policy", "delete", "own", "--user", name);
            broker.standin("user", "delete", name);
            guest.forget();
            assumed.forget();
            Thread.sleep(500);
          }
        });
  }

  private void once(String topic, Keys keys) throws Exception {
    try (RawClient client = RawClient.loggedIn(broker, keys)) {
      assertEquals(Errors.NONE, Wire.produce(client, topic));
      assertEquals(DENIED, Wire.fetch(client, topic));
    }
  }

  private void administers(Keys keys) {
    work(
        "administers",
        turn -> {
          try (Admin admin = Admin.create(config("administers", keys))) {
            for (int i = 0; turn.next(); i++) {
              String topic = prefix + "-made-" + i;
              admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1))).all().get();
              admin.deleteTopics(List.of(topic)).all().get();
              Thread.sleep(500);
            }
          }
        });
  }

  @Test
  @Timeout(value = 24, unit = TimeUnit.HOURS)
  void x_06_mixed_load_with_changes_and_reconnects_fails_nowhere_and_grows_nowhere()
      throws Exception {
    String topic = prefix + "-topic";
    Topics.create(broker, topic, prefix + "-transactions");
    Topics.coordinators(broker);
    String name = Iam.fresh("user");
    Keys all = iam.user(name, Policy.all(broker));
    String changing = Iam.fresh("changing");
    Keys changed = iam.user(changing, Policy.connect(broker).produce(topic));
    String role = Iam.fresh("role");
    iam.role(role, all.arn(), 3600, Policy.connect(broker).produce(topic));
    produces("iam", topic, config("iam", all));
    produces("bearer", topic, Clients.bearer(broker, "CLIENT", all));
    transacts("transacts", prefix + "-transactions", all);
    consumes("classic", topic, all);
    consumes("consumer", topic, all);
    reconnects(topic, all);
    reauthenticates(topic, all);
    changes(topic, changing, changed);
    comesAndGoes(topic, role, name);
    administers(all);
    try (Gauges ofBroker = Gauges.of(broker, "broker");
        Gauges ofController = Gauges.of(broker, "controller")) {
      Map<String, Gauges> gauges = Map.of("broker", ofBroker, "controller", ofController);
      for (Worker worker : workers) {
        worker.await(60, 1);
      }
      long seconds = MINUTES == 0 ? SMOKE_S : MINUTES * 60L;
      long end = System.nanoTime() + seconds * 1_000_000_000L;
      while (System.nanoTime() < end) {
        Thread.sleep(Math.max(1000, seconds * 1000 / 80));
        workers.forEach(Worker::failIfDead);
        for (String process : ROLES) {
          Footprint now = Footprint.of(broker, process, gauges.get(process));
          held.computeIfAbsent(process, any -> new ArrayList<>()).add(now);
          note(process + ": " + now);
        }
      }
      assertEquals(0, ofBroker.standin("worker-panics-total"));
      assertEquals(0, ofBroker.standin("audit-records-lost"));
      note("logins " + ofBroker.standin("logins-success-total"));
      note("changes " + ofBroker.standin("feed-changes-total"));
      note("renewals " + ofBroker.standin("credentials-renewed-total"));
      note("operations " + ofBroker.standin("operations-allowed-total"));
    } finally {
      workers.forEach(Worker::stop);
    }
    for (Worker worker : workers) {
      worker.join();
      note(worker.name() + ": " + worker.done());
    }
    if (MINUTES > 0) {
      for (String process : ROLES) {
        assertFlat(process + ": resident kB", process, Footprint::resident, 1.05, 8_192);
        assertFlat(process + ": heap kB", process, Footprint::heap, 1.05, 4_096);
        assertFlat(process + ": threads", process, Footprint::threads, 1, 3);
        assertFlat(process + ": files", process, Footprint::files, 1, 20);
      }
    }
  }

  /** Compares the second quarter, when all is warm, with the last. */
  private void assertFlat(
      String what, String process, ToLongFunction<Footprint> part, double times, long more)
      throws IOException {
    List<Footprint> all = held.get(process);
    int quarter = all.size() / 4;
    long before = median(all.subList(quarter, 2 * quarter), part);
    long after = median(all.subList(all.size() - quarter, all.size()), part);
    note(what + " " + before + " -> " + after);
    assertTrue(after <= before * times + more, what + " grew from " + before + " to " + after);
  }

  private static long median(List<Footprint> some, ToLongFunction<Footprint> part) {
    return some.stream().mapToLong(part).sorted().toArray()[some.size() / 2];
  }

  /** Into a file beside the broker's log, which is what is left of a run. */
  private void note(String line) throws IOException {
    Path file = broker.dir().resolve("soak.txt");
    Files.writeString(file, line + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
  }
}
