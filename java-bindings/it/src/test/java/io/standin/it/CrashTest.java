// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.protocol.Errors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;

/** A broker that is killed hard, again and again, while clients and administrators are at work. */
@Order(1)
class CrashTest {
  private static final int KILLS = 3;
  private static final int PATIENCE_S = 100;
  private static final Errors DENIED = Errors.TOPIC_AUTHORIZATION_FAILED;

  private final Broker broker =
      Brokers.own(
          "crash",
          Map.of(),
          "--property",
          "standin.credential.lifetime.ms=8000",
          "--property",
          "standin.retire.grace.ms=1000");
  private final Iam iam = Iam.of(broker);
  private final String topic = Iam.fresh("topic");

  /** Users whose last answered change is known, and what they may do after it. */
  private record Changed(String name, Keys keys, boolean mayLogIn, boolean mayWrite) {}

  private final ConcurrentLinkedQueue<Changed> changed = new ConcurrentLinkedQueue<>();

  /** What administrators do all the time; each change is noted once it was answered. */
  private void administer(AtomicBoolean stop) {
    for (int i = 0; !stop.get(); i++) {
      String name = Iam.fresh("user");
      Keys keys = iam.user(name, Policy.connect(broker).produce(topic));
      pause(50);
      switch (i % 4) {
        case 0 -> changed.add(new Changed(name, keys, true, true));
        case 1 -> {
          iam.put(name, "no", Policy.none(broker).deny("WriteData", "*"));
          changed.add(new Changed(name, keys, true, false));
        }
        case 2 -> {
          iam.disable(keys);
          changed.add(new Changed(name, keys, false, false));
        }
        default -> {
          iam.delete(name, "own");
          changed.add(new Changed(name, keys, false, false));
        }
      }
    }
  }

  private static Thread run(String name, Runnable what, List<Throwable> failures) {
    Thread thread =
        new Thread(
            () -> {
              try {
                what.run();
              } catch (RuntimeException | Error e) {
                failures.add(e);
              }
            },
            name);
    thread.start();
    return thread;
  }

  /** Leaves the machine to the others for a moment. */
  private static void pause(long ms) {
    try {
      Thread.sleep(ms);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Sends record after record; counts those that were answered, in the one way they may be. */
  private void produce(Keys keys, AtomicBoolean stop, AtomicInteger stored) {
    Map<String, Object> config = Clients.config(broker, "CLIENT", keys);
    // A client with patience; it is made once and never closed for a failure.
    config.put(ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, 120_000);
    config.put(ProducerConfig.MAX_BLOCK_MS_CONFIG, 120_000);
    try (KafkaProducer<byte[], byte[]> producer = Clients.producer(config)) {
      while (!stop.get()) {
        producer.send(new ProducerRecord<>(topic, new byte[] {1})).get();
        stored.incrementAndGet();
        pause(2);
      }
    } catch (ExecutionException e) {
      throw new IllegalStateException("after " + stored + " records", e);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @AfterAll
  static void done() {
    Brokers.done("crash");
  }

  @Test
  void p1_43_a_broker_killed_under_load_loses_no_change_and_allows_nothing_more() throws Exception {
    Topics.create(broker, topic);
    Keys writer = iam.user(Iam.fresh("writer"), Policy.connect(broker).produce(topic));
    Keys muted = iam.user(Iam.fresh("muted"), Policy.connect(broker).topic("DescribeTopic", topic));
    List<Throwable> failures = new CopyOnWriteArrayList<>();
    AtomicBoolean stop = new AtomicBoolean();
    AtomicInteger stored = new AtomicInteger();
    AtomicInteger refused = new AtomicInteger();
    List<Thread> threads = new ArrayList<>();
    threads.add(run("writer", () -> produce(writer, stop, stored), failures));
    // The store is the program's too: it goes on while the broker is down.
    threads.add(run("administrator", () -> administer(stop), failures));
    threads.add(run("muted", () -> tryAlways(muted, stop, refused), failures));
    try {
      for (int kill = 0; kill < KILLS; kill++) {
        int before = stored.get();
        int changes = changed.size();
        Wait.until(
            PATIENCE_S,
            "work before the kill",
            () ->
                !failures.isEmpty()
                    || stored.get() > before + 100
                        && changed.size() > changes + 3
                        && refused.get() > 0);
        assertEquals(List.of(), failures);
        RawClient open = RawClient.loggedIn(broker, writer);
        assertEquals(Errors.NONE, Wire.produce(open, topic));
        stored.incrementAndGet();
        Set<String> sessions = sessions();
        assertFalse(sessions.isEmpty());
        broker.kill();
        assertTrue(open.isClosed());
        open.close();
        int whileDown = changed.size();
        Wait.until(PATIENCE_S, "a change while it is down", () -> changed.size() > whileDown);
        broker.restart();
        // Clients come back by themselves, on sessions of their own.
        int after = stored.get();
        Wait.until(
            PATIENCE_S,
            "records after the restart",
            () -> stored.get() > after || !failures.isEmpty());
        Wait.until(
            PATIENCE_S,
            "only sessions that began after the restart",
            () -> {
              Set<String> now = sessions();
              return !now.isEmpty() && now.stream().noneMatch(sessions::contains);
            });
      }
    } finally {
      stop.set(true);
      for (Thread thread : threads) {
        thread.join();
      }
    }
    assertEquals(List.of(), failures);
    // Every change that was answered is there, and decides.
    for (Changed user : changed) {
      try (RawClient client = RawClient.connect(broker, "CLIENT")) {
        assertEquals(
            user.mayLogIn() ? Errors.NONE : Errors.SASL_AUTHENTICATION_FAILED,
            logIn(client, user.keys()),
            user.toString());
        if (user.mayLogIn()) {
          Errors expected = user.mayWrite() ? Errors.NONE : DENIED;
          assertEquals(expected, Wire.produce(client, topic), user.toString());
          stored.addAndGet(user.mayWrite() ? 1 : 0);
        }
      }
    }
    // An idempotent producer stores each record once, whatever became of the answers.
    assertEquals(stored.get(), Topics.end(broker, topic));
  }

  private static Errors logIn(RawClient client, Keys keys) throws IOException {
    return client.tryLogIn(Signed.by(keys).message()).error();
  }

  /** Somebody who may not write and tries all the time, at every moment of a start too. */
  private void tryAlways(Keys keys, AtomicBoolean stop, AtomicInteger refused) {
    while (!stop.get()) {
      try (RawClient client = RawClient.connect(broker, "CLIENT")) {
        if (logIn(client, keys) == Errors.NONE) {
          while (!stop.get()) {
            Errors told = Wire.produce(client, topic);
            if (told == Errors.NONE) {
              throw new IllegalStateException("a write that no policy allows was accepted");
            }
            refused.addAndGet(told == DENIED ? 1 : 0);
            pause(5);
          }
        }
      } catch (IOException e) {
        // The broker is down, or cannot decide yet.
        pause(20);
      }
    }
  }

  private Set<String> sessions() {
    Set<String> ids = new HashSet<>();
    broker
        .standin("session", "list")
        .forEach(line -> line.findValuesAsText("id").forEach(ids::add));
    return ids;
  }

  @Test
  void p1_45_unauthorized_writes_are_told_so_by_the_first_client_after_a_start() throws Exception {
    // Nothing of earlier decisions is needed: the first question of a new broker is answered.
    Keys nobody = iam.user(Iam.fresh("nobody"), Policy.connect(broker).topic("DescribeTopic", "*"));
    String other = Iam.fresh("other");
    Topics.create(broker, other);
    broker.restart();
    try (KafkaProducer<byte[], byte[]> producer =
        Clients.producer(Clients.config(broker, "CLIENT", nobody))) {
      Throwable told = null;
      try {
        producer.send(new ProducerRecord<>(other, new byte[] {1})).get();
      } catch (ExecutionException | org.apache.kafka.common.KafkaException e) {
        told = e.getCause();
      }
      assertTrue(told instanceof AuthorizationException, String.valueOf(told));
    }
    assertEquals(0, Topics.end(broker, other));
  }

  @Test
  void p1_13_what_stands_in_for_a_client_is_renewed_before_it_ends() throws Exception {
    String topic = Iam.fresh("topic");
    Topics.create(broker, topic);
    Keys user = iam.user(Iam.fresh("user"), Policy.connect(broker).produce(topic));
    try (Gauges gauges = Gauges.of(broker, "broker")) {
      long renewed = gauges.standin("credentials-renewed-total");
      long sent = 0;
      try (KafkaProducer<byte[], byte[]> producer = Clients.producer(broker, user)) {
        long end = System.nanoTime() + 17_000_000_000L;
        // Through two lifetimes of eight seconds.
        while (System.nanoTime() < end) {
          producer.send(new ProducerRecord<>(topic, new byte[] {1})).get();
          sent++;
          Thread.sleep(20);
        }
      }
      assertTrue(gauges.standin("credentials-renewed-total") >= renewed + 2);
      assertEquals(sent, Topics.end(broker, topic));
      // What nobody uses any more is given up.
      Wait.until(
          PATIENCE_S, "nothing held for the user", () -> gauges.standin("credentials-held") == 0);
    }
  }
}
