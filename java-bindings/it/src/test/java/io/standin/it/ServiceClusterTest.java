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
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.apache.kafka.clients.CommonClientConfigs;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.requests.MetadataRequest;
import org.apache.kafka.common.requests.MetadataResponse;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Three brokers and a controller of their own on a service of two replicas. In the ordinary run a
 * little of everything, which proves that it works; {@code scripts/bench cluster} takes as much as
 * the figures in docs/benchmarks.md are made of.
 */
@Order(1)
@Tag("long")
@Timeout(1800)
class ServiceClusterTest {
  private static final boolean FULL = Boolean.getBoolean("standin.figures");
  private static final String SERVICE = "replicas";
  private static final int NODES = 3;
  private static final int CHANGES = FULL ? 300 : 10;
  private static final int OUTAGE_S = FULL ? 60 : 5;
  private static final int IDENTITIES = FULL ? 20 : 4;
  private static final int CONNECTIONS = FULL ? 1000 : 60;
  private static final int ROUNDS = 10;
  private static final int TOPICS = 100;
  private static final Errors DENIED = Errors.TOPIC_AUTHORIZATION_FAILED;
  private static final Path FIGURES = Broker.WORK.resolve("cluster-figures.txt");

  private final Replicas replicas = Replicas.own(SERVICE);
  private final List<Broker> brokers = brokers(replicas);
  private final Broker first = brokers.get(0);
  private final Iam iam = Iam.of(first);
  private final String prefix = Iam.fresh("spread");

  private static List<Broker> brokers(Replicas replicas) {
    Broker first = node(1, "--separate-controller", "--service-at", replicas.dir().toString());
    String dir = first.dir().toString();
    // Side by side, since a start is mostly waiting.
    CompletableFuture<Broker> second = CompletableFuture.supplyAsync(() -> node(2, "--join", dir));
    Broker third = node(3, "--join", dir);
    return List.of(first, second.join(), third);
  }

  private static Broker node(int number, String... how) {
    List<String> options = new ArrayList<>(List.of("--heap", "256m"));
    options.addAll(List.of(how));
    return Brokers.own("served" + number, Map.of(), options.toArray(String[]::new));
  }

  @AfterAll
  static void done() {
    for (int i = NODES; i > 0; i--) {
      Brokers.done("served" + i);
    }
    Replicas.own(SERVICE).remove();
  }

  /** Adds a line to the figures. */
  private static void say(String format, Object... values) throws IOException {
    String line = String.format(java.util.Locale.ROOT, format, values);
    System.out.println(line);
    Files.writeString(FIGURES, line + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
  }

  private String topic(int broker) {
    return prefix + "-" + broker;
  }

  /** Makes a topic on each broker, of which it is the only one to have it. */
  private void topics() throws Exception {
    try (Admin admin = Clients.superUser(first)) {
      List<NewTopic> wanted =
          IntStream.rangeClosed(1, NODES)
              .mapToObj(broker -> new NewTopic(topic(broker), Map.of(0, List.of(broker))))
              .toList();
      admin.createTopics(wanted).all().get();
    }
    for (int i = 1; i <= NODES; i++) {
      int number = i;
      try (RawClient client = RawClient.plain(brokers.get(i - 1).internal())) {
        Wait.until(60, "the topic", () -> Wire.produce(client, topic(number)) == Errors.NONE);
      }
    }
  }

  private List<RawClient> everywhere(Keys keys) throws IOException {
    List<RawClient> clients = new ArrayList<>();
    for (Broker broker : brokers) {
      clients.add(RawClient.loggedIn(broker, keys));
    }
    return clients;
  }

  /** How many milliseconds it took until every broker said this, asked all the time. */
  private long become(List<RawClient> clients, Errors expected, long since) {
    List<CompletableFuture<Long>> all = new ArrayList<>();
    for (int i = 0; i < NODES; i++) {
      RawClient client = clients.get(i);
      String topic = topic(i + 1);
      all.add(
          CompletableFuture.supplyAsync(
              () -> {
                try {
                  Errors told = Wire.produce(client, topic);
                  while (told != expected) {
                    assertTrue(told == Errors.NONE || told == DENIED, "" + told);
                    assertTrue(System.nanoTime() - since < 60_000_000_000L, "not within 60 s");
                    Thread.sleep(1);
                    told = Wire.produce(client, topic);
                  }
                  return System.nanoTime() - since;
                } catch (IOException e) {
                  throw new java.io.UncheckedIOException(e);
                } catch (InterruptedException e) {
                  throw new IllegalStateException(e);
                }
              }));
    }
    return all.stream().mapToLong(CompletableFuture::join).max().orElseThrow() / 1_000_000;
  }

  private static long part(List<Long> sorted, double part) {
    return sorted.get((int) Math.ceil(sorted.size() * part) - 1);
  }

  @Test
  void p1_40_x_09_one_identity_on_all_brokers_and_a_change_reaches_them() throws Exception {
    topics();
    String name = Iam.fresh("user");
    Keys user = iam.user(name, Policy.connect(first).topic("WriteData", prefix + "-*"));
    String deny = Iam.fresh("deny");
    iam.managed(deny, Policy.none(first).deny("WriteData", first.arn("topic", prefix + "-*")));
    Map<String, String> ask =
        Map.of("UserName", name, "PolicyArn", "arn:aws:iam::000000000000:policy/" + deny);
    IamApi administration = replicas.administration(2);
    List<Long> answered = new ArrayList<>();
    List<Long> whole = new ArrayList<>();
    List<RawClient> clients = everywhere(user);
    assertTrue(become(clients, Errors.NONE, System.nanoTime()) >= 0);
    for (int change = 0; change < CHANGES; change++) {
      long begun = System.nanoTime();
      CompletableFuture<Long> refused =
          CompletableFuture.supplyAsync(() -> become(clients, DENIED, begun));
      administration.call("AttachUserPolicy", ask);
      long took = (System.nanoTime() - begun) / 1_000_000;
      whole.add(refused.join());
      answered.add(Math.max(0, refused.join() - took));
      // It holds from then on, everywhere.
      for (int i = 0; i < NODES; i++) {
        assertEquals(DENIED, Wire.produce(clients.get(i), topic(i + 1)));
      }
      administration.call("DetachUserPolicy", ask);
      become(clients, Errors.NONE, System.nanoTime());
    }
    for (RawClient client : clients) {
      client.close();
    }
    Collections.sort(answered);
    Collections.sort(whole);
    say(
        "a deny on three brokers, %d changes: after it was answered %d ms (median), %d ms (99 %%);"
            + " since it was sent %d ms (median), %d ms (99 %%)",
        CHANGES, part(answered, .5), part(answered, .99), part(whole, .5), part(whole, .99));
  }

  @Test
  void x_06_an_outage_under_load_fails_nothing_and_allows_nothing_wrong() throws Exception {
    topics();
    Keys user =
        iam.user(
            Iam.fresh("user"),
            Policy.connect(first).produce(prefix + "-*").consume(prefix + "-*", "*"));
    Keys revoked = iam.user(Iam.fresh("revoked"), Policy.connect(first).produce(prefix + "-*"));
    Keys intruder =
        iam.user(
            Iam.fresh("intruder"), Policy.connect(first).topic("DescribeTopic", prefix + "-*"));
    List<Worker> workers = new ArrayList<>();
    for (int i = 1; i <= NODES; i++) {
      String topic = topic(i);
      Broker broker = brokers.get(i - 1);
      workers.add(
          Worker.start(
              "produces-" + i,
              turn -> {
                try (KafkaProducer<byte[], byte[]> producer = Clients.producer(broker, user)) {
                  while (turn.next()) {
                    producer.send(new ProducerRecord<>(topic, new byte[100])).get();
                  }
                }
              }));
      workers.add(
          Worker.start(
              "intrudes-" + i,
              turn -> {
                try (RawClient client = RawClient.loggedIn(broker, intruder)) {
                  while (turn.next()) {
                    assertEquals(DENIED, Wire.produce(client, topic));
                    assertEquals(DENIED, Wire.fetch(client, topic));
                    Thread.sleep(5);
                  }
                }
              }));
    }
    workers.add(Worker.start("consumes", consume(user)));
    List<RawClient> open = everywhere(revoked);
    try {
      become(open, Errors.NONE, System.nanoTime());
      for (Worker worker : workers) {
        worker.await(120, 20);
      }
      replicas.kill();
      iam.disable(revoked);
      int before = workers.stream().mapToInt(Worker::done).sum();
      long end = System.nanoTime() + OUTAGE_S * 1_000_000_000L;
      while (System.nanoTime() < end) {
        workers.forEach(Worker::failIfDead);
        Thread.sleep(200);
      }
      int during = workers.stream().mapToInt(Worker::done).sum() - before;
      for (Worker worker : workers) {
        worker.await(60, worker.done() + 5);
      }
      long back = System.nanoTime();
      replicas.start(1);
      replicas.start(2);
      long took = become(open, DENIED, back);
      for (Worker worker : workers) {
        worker.await(60, worker.done() + 20);
      }
      say(
          "an outage of %d s under load: %d operations, 0 failed, 0 wrongly allowed; what was"
              + " revoked meanwhile ended %d ms after the service was started",
          OUTAGE_S, during, took);
    } finally {
      workers.forEach(Worker::stop);
    }
    for (Worker worker : workers) {
      worker.join();
    }
    for (RawClient client : open) {
      client.close();
    }
  }

  private Worker.Job consume(Keys user) {
    return turn -> {
      Map<String, Object> config = Clients.config(first, "CLIENT", user);
      config.put(CommonClientConfigs.CLIENT_ID_CONFIG, prefix);
      config.put(ConsumerConfig.GROUP_ID_CONFIG, prefix);
      config.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
      try (KafkaConsumer<byte[], byte[]> consumer =
          new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
        consumer.subscribe(List.of(topic(1), topic(2), topic(3)));
        while (turn.next()) {
          turn.ifAny(consumer.poll(Duration.ofMillis(100)).count());
          consumer.commitSync();
        }
      }
    };
  }

  @Test
  void p1_05_the_service_is_asked_once_per_identity_and_host() throws Exception {
    List<Keys> users = new ArrayList<>();
    for (int i = 0; i < IDENTITIES; i++) {
      users.add(
          iam.user(Iam.fresh("user"), Policy.connect(first).topic("DescribeTopic", prefix + "-*")));
    }
    long logins = replicas.answered("login", 200);
    long decided = 0;
    for (Broker broker : brokers) {
      decided -= decided(broker);
    }
    List<String> names = IntStream.range(0, TOPICS).mapToObj(n -> prefix + "-" + n).toList();
    List<CompletableFuture<Void>> threads = new ArrayList<>();
    for (int thread = 0; thread < 4; thread++) {
      int from = thread;
      threads.add(
          CompletableFuture.runAsync(
              () -> {
                try {
                  ask(users, names, from);
                } catch (IOException e) {
                  throw new java.io.UncheckedIOException(e);
                }
              }));
    }
    threads.forEach(CompletableFuture::join);
    for (Broker broker : brokers) {
      decided += decided(broker);
    }
    long asked = replicas.answered("login", 200) - logins;
    assertEquals((long) IDENTITIES * NODES, asked, "logins at the service");
    assertTrue(decided >= (long) CONNECTIONS * ROUNDS * TOPICS, "operations: " + decided);
    assertEquals(0, replicas.answered("decide", 200));
    say(
        "%d identities, %d brokers, %d connections, %d operations: %d logins at the service, one"
            + " per identity and host",
        IDENTITIES, NODES, CONNECTIONS, decided, asked);
  }

  /** A fourth of the connections, which stay open until all have asked. */
  private void ask(List<Keys> users, List<String> names, int from) throws IOException {
    List<RawClient> open = new ArrayList<>();
    for (int n = from; n < CONNECTIONS; n += 4) {
      open.add(RawClient.loggedIn(brokers.get(n % NODES), users.get(n / NODES % IDENTITIES)));
    }
    for (RawClient client : open) {
      for (int round = 0; round < ROUNDS; round++) {
        MetadataRequest request =
            new MetadataRequest.Builder(names, false, (short) 12).build((short) 12);
        MetadataResponse answer = client.call(request, MetadataResponse.class);
        assertEquals(TOPICS, answer.data().topics().size());
        assertTrue(
            answer.data().topics().stream().noneMatch(topic -> topic.errorCode() == DENIED.code()));
      }
    }
    for (RawClient client : open) {
      client.close();
    }
  }

  private static long decided(Broker broker) throws Exception {
    try (Gauges gauges = Gauges.of(broker, "broker")) {
      return gauges.standin("operations-allowed-total");
    }
  }
}
