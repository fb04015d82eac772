// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.ToLongFunction;
import org.apache.kafka.clients.CommonClientConfigs;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.protocol.Errors;
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
  private final Workload workload = new Workload(prefix);
  private final Map<String, List<Footprint>> held = new HashMap<>();

  @AfterAll
  static void done() {
    Brokers.done("soak");
  }

  private Map<String, Object> config(String name, Keys keys) {
    Map<String, Object> config = Clients.config(broker, "CLIENT", keys);
    config.put(CommonClientConfigs.CLIENT_ID_CONFIG, prefix + "-" + name);
    return config;
  }

  private void reconnects(String topic, Keys keys) {
    workload.work(
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
    workload.work(
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
    workload.work(
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
    workload.work(
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
    workload.work(
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
    workload.produces("iam", topic, config("iam", all), () -> {});
    workload.produces("bearer", topic, Clients.bearer(broker, "CLIENT", all), () -> {});
    workload.transacts(prefix + "-transactions", config("transacts", all), 200);
    workload.consumes("classic", topic, config("classic", all), true);
    workload.consumes("consumer", topic, config("consumer", all), true);
    reconnects(topic, all);
    reauthenticates(topic, all);
    changes(topic, changing, changed);
    comesAndGoes(topic, role, name);
    administers(all);
    try (Gauges ofBroker = Gauges.of(broker, "broker");
        Gauges ofController = Gauges.of(broker, "controller")) {
      Map<String, Gauges> gauges = Map.of("broker", ofBroker, "controller", ofController);
      workload.await(60, 1);
      long seconds = MINUTES == 0 ? SMOKE_S : MINUTES * 60L;
      long end = System.nanoTime() + seconds * 1_000_000_000L;
      while (System.nanoTime() < end) {
        Thread.sleep(Math.max(1000, seconds * 1000 / 80));
        workload.failIfDead();
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
      workload.stop();
    }
    for (Worker worker : workload.join()) {
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
