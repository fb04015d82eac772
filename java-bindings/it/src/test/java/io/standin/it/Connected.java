// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.common.protocol.Errors;

/**
 * What becomes of connections whose sessions are only denied; asked of brokers of several versions,
 * and of several ways to their store.
 */
final class Connected {
  private static final Errors DENIED = Errors.TOPIC_AUTHORIZATION_FAILED;

  /** More than a broker has threads for requests. */
  private static final int LOOPING = 10;

  private Connected() {}

  private static int ended(Broker broker, String... which) {
    List<String> command = new ArrayList<>(List.of("session", "end"));
    command.addAll(List.of(which));
    return broker.standin(command.toArray(String[]::new)).get(0).size();
  }

  private static void untilListed(Broker broker, String name, int count) throws Exception {
    Wait.until(
        count + " sessions of " + name,
        () -> broker.standin("session", "list", "--identity", name).get(0).size() == count);
  }

  /** Waits until the broker closes the connection at a request. */
  private static void untilClosed(RawClient client, String topic) throws Exception {
    Wait.until(
        "a closed connection",
        () -> {
          try {
            // At most one denial is answered, and that only when it was faster.
            Wire.produce(client, topic);
            return false;
          } catch (RawClient.Closed e) {
            return true;
          }
        });
  }

  /** Sessions are ended with their connections or without, and only those that were meant. */
  static void endsWithTheirConnectionsOrWithout(Broker broker, Iam iam) throws Exception {
    InetAddress third = InetAddress.getByAddress(new byte[] {127, 0, 0, 4});
    String topic = Iam.fresh("topic");
    Topics.create(broker, topic);
    String name = Iam.fresh("user");
    Keys user = iam.user(name, Policy.connect(broker).produce(topic));
    Keys further = iam.key(name, user.arn());
    String other = Iam.fresh("user");
    Keys bystander = iam.user(other, Policy.connect(broker).produce(topic));
    try (RawClient stays = RawClient.loggedIn(broker, bystander);
        RawClient first = RawClient.loggedIn(broker, user);
        RawClient second = RawClient.loggedIn(broker, further);
        RawClient away = RawClient.connect(broker, "CLIENT", third);
        RawClient last = RawClient.loggedIn(broker, user)) {
      away.logIn(user);
      for (RawClient client : List.of(stays, first, second, away, last)) {
        assertEquals(Errors.NONE, Wire.produce(client, topic));
      }
      untilListed(broker, name, 4);
      assertEquals(1, ended(broker, "--key", further.id(), "--disconnect"));
      untilClosed(second, topic);
      // Another connection of the identity, and one of another identity.
      assertEquals(Errors.NONE, Wire.produce(first, topic));
      assertEquals(Errors.NONE, Wire.produce(stays, topic));
      assertEquals(1, ended(broker, "--address", "127.0.0.4"));
      Wait.until("a denial", () -> Wire.produce(away, topic) == DENIED);
      // By the id of the one connection, and what the controller decides counts too.
      String id = idOf(broker, name, last);
      broker.standin("session", "end", id, "--disconnect");
      Wait.until(
          "a closed connection",
          () -> {
            try {
              Wire.create(last, Iam.fresh("other"));
              return false;
            } catch (RawClient.Closed e) {
              return true;
            }
          });
      // Denied without being disconnected: the connection stays, whatever is asked.
      for (int i = 0; i < 20; i++) {
        assertEquals(DENIED, Wire.produce(away, topic));
      }
      untilListed(broker, name, 1);
      assertEquals(Errors.NONE, Wire.produce(first, topic));
      assertEquals(1, ended(broker, "--identity", name, "--disconnect"));
      untilClosed(first, topic);
      assertThrows(RawClient.Closed.class, () -> Wire.produce(first, topic));
      assertEquals(DENIED, Wire.produce(away, topic));
      assertEquals(Errors.NONE, Wire.produce(stays, topic));
    }
    // Nothing but the sessions has ended.
    try (RawClient again = RawClient.loggedIn(broker, user)) {
      assertEquals(Errors.NONE, Wire.produce(again, topic));
    }
    String log = broker.log();
    assertTrue(log.contains(name + " was shut down"), "the library says what it did");
  }

  /** The session of this connection: the last that began of those of the identity. */
  private static String idOf(Broker broker, String name, RawClient client) throws Exception {
    // Three began from one address; they are listed in that order, and this was the last.
    List<String> ids = new ArrayList<>();
    broker
        .standin("session", "list", "--identity", name, "--address", "127.0.0.1")
        .get(0)
        .forEach(row -> ids.add(row.get("id").asText()));
    assertTrue(client.localPort() > 0 && !ids.isEmpty());
    return ids.get(ids.size() - 1);
  }

  /**
   * Clients that loop get their denials late, more of them than the broker has threads; what is
   * allowed is answered at once, on their own connections and on others. The broker's settings say
   * that a second is enough to see a loop.
   */
  static void loopsAreSlowed(Broker broker, Iam iam) throws Exception {
    String topic = Iam.fresh("topic");
    Topics.create(broker, topic);
    String never = Iam.fresh("never");
    Keys looping = iam.user(Iam.fresh("loops"), Policy.connect(broker).produce(topic));
    Keys quiet = iam.user(Iam.fresh("quiet"), Policy.connect(broker).produce(topic));
    ExecutorService threads = Executors.newFixedThreadPool(LOOPING);
    AtomicBoolean stop = new AtomicBoolean();
    List<Future<?>> loops = new ArrayList<>();
    try (Gauges gauges = Gauges.of(broker, "broker");
        RawClient mixed = RawClient.loggedIn(broker, looping);
        RawClient other = RawClient.loggedIn(broker, quiet)) {
      long slowedBefore = gauges.standin("answers-slowed-total");
      for (int i = 0; i < LOOPING; i++) {
        loops.add(
            threads.submit(
                () -> {
                  try (RawClient client = RawClient.loggedIn(broker, looping)) {
                    while (!stop.get()) {
                      assertEquals(DENIED, Wire.offsets(client, never));
                    }
                  }
                  return null;
                }));
      }
      Wait.until(
          "slowed connections",
          () -> {
            for (int i = 0; i < 20; i++) {
              assertEquals(DENIED, Wire.offsets(mixed, never));
            }
            return gauges.standin("sessions-slowed") > LOOPING;
          });
      assertTrue(gauges.standin("sessions-looping") > LOOPING);
      long denied = Long.MAX_VALUE;
      long allowed = Long.MAX_VALUE;
      long others = Long.MAX_VALUE;
      for (int i = 0; i < 15; i++) {
        denied = Math.min(denied, took(mixed, never, DENIED));
        allowed = Math.min(allowed, took(mixed, topic, Errors.NONE));
        others = Math.min(others, took(other, topic, Errors.NONE));
        // One denial now and then is no loop.
        others = Math.min(others, took(other, never, DENIED));
      }
      String times = "ns: denied " + denied + ", allowed " + allowed + ", others " + others;
      assertTrue(denied > 3 * allowed, times);
      assertTrue(denied > 3 * others, times);
      assertTrue(gauges.standin("answers-slowed-total") >= slowedBefore + LOOPING + 15);
      stop.set(true);
      for (Future<?> loop : loops) {
        loop.get(60, TimeUnit.SECONDS);
      }
      Wait.until("the end of the loops", () -> gauges.standin("sessions-slowed") == 0);
      assertEquals(Errors.NONE, Wire.offsets(mixed, topic));
    } finally {
      stop.set(true);
      threads.shutdownNow();
    }
    assertTrue(broker.log().contains("get denials late from now on"), "the log says so");
  }

  private static long took(RawClient client, String topic, Errors expected) throws Exception {
    long begun = System.nanoTime();
    assertEquals(expected, Wire.offsets(client, topic));
    return System.nanoTime() - begun;
  }
}
