// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import javax.management.MBeanServerConnection;
import javax.management.ObjectName;
import org.apache.kafka.common.protocol.Errors;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.parallel.Isolated;

/** What can be seen only when nobody else is at work, and what all the others left behind. */
@Isolated
@Order(Integer.MAX_VALUE)
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class AloneTest {
  private static final int QUESTIONS = 1000;

  private final Broker broker = Brokers.combined();
  private final Iam iam = Iam.of(broker);

  private interface Question {
    Errors ask() throws Exception;
  }

  /** Asks the same again and again; how many of the answers were worked out. */
  private static long evaluated(Gauges gauges, Errors expected, Question question)
      throws Exception {
    long evaluated = gauges.standin("operations-evaluated-total");
    long cached = gauges.standin("operations-cached-total");
    for (int i = 0; i < QUESTIONS; i++) {
      assertEquals(expected, question.ask());
    }
    long worked = gauges.standin("operations-evaluated-total") - evaluated;
    assertEquals(QUESTIONS - worked, gauges.standin("operations-cached-total") - cached);
    return worked;
  }

  @Test
  @Order(1)
  void p1_20_the_same_question_a_thousand_times_is_worked_out_once() throws Exception {
    String topic = Iam.fresh("topic");
    Topics.create(broker, topic);
    String name = Iam.fresh("user");
    Keys user = iam.user(name, Policy.connect(broker).topic("WriteData", topic));
    try (Gauges gauges = Gauges.of(broker, "broker");
        RawClient client = RawClient.loggedIn(broker, user);
        RawClient other = RawClient.loggedIn(broker, user)) {
      // Whether they may connect is decided with their first requests.
      Wire.describe(client, topic);
      Wire.describe(other, topic);
      // The end of what other tests left behind.
      Wait.until("silence", () -> silent(gauges));
      long asked = gauges.standin("logins-service-total");
      Errors no = Errors.TOPIC_AUTHORIZATION_FAILED;
      assertEquals(1, evaluated(gauges, Errors.NONE, () -> Wire.produce(client, topic)));
      assertEquals(1, evaluated(gauges, no, () -> Wire.fetch(client, topic)));
      // Connections of one identity share what is known.
      assertEquals(0, evaluated(gauges, Errors.NONE, () -> Wire.produce(other, topic)));
      assertEquals(0, evaluated(gauges, no, () -> Wire.fetch(other, topic)));
      // Worked out again after a change, once.
      iam.put(name, "more", Policy.none(broker).topic("DescribeTopic", topic + "-other"));
      long before = gauges.standin("operations-evaluated-total");
      Wait.until(
          "a decision by the new policies",
          () -> {
            assertEquals(Errors.NONE, Wire.produce(client, topic));
            return gauges.standin("operations-evaluated-total") == before + 1;
          });
      assertEquals(0, evaluated(gauges, Errors.NONE, () -> Wire.produce(client, topic)));
      assertEquals(asked, gauges.standin("logins-service-total"), "the service was asked");
      assertEquals(0, gauges.standin("decision-requests-total"));
    }
    assertEquals(2L * QUESTIONS + 1, writtenOnce(topic));
  }

  private long writtenOnce(String topic) throws Exception {
    // One more than asked for, and maybe some that waited for the change.
    return Math.min(2L * QUESTIONS + 1, Topics.end(broker, topic));
  }

  private static boolean silent(Gauges gauges) throws Exception {
    long before = gauges.standin("operations-evaluated-total");
    Thread.sleep(500);
    return gauges.standin("operations-evaluated-total") == before;
  }

  /** Every secret of every test, and everything that opens one. */
  private static Needles secrets() throws Exception {
    return secrets(Keys.all());
  }

  private static Needles secrets(Collection<Keys> all) throws Exception {
    Needles needles = new Needles();
    for (Keys keys : all) {
      needles.secret("the secret of " + keys, keys.secret());
    }
    for (Broker broker : Brokers.started()) {
      Path key = broker.store().resolveSibling("store.db.key");
      byte[] bytes = Files.readAllBytes(key);
      // A line for each key: its name and 32 bytes.
      for (String line : new String(bytes, StandardCharsets.US_ASCII).lines().skip(1).toList()) {
        byte[] raw = Base64.getDecoder().decode(line.substring(line.indexOf(' ') + 1));
        assertEquals(32, raw.length);
        needles.secret("the key of the store of " + broker.name(), raw);
      }
    }
    return needles;
  }

  /** What may be shown to the broker by a client and to nobody by the broker. */
  private static Needles proofs() {
    Needles needles = new Needles();
    for (Keys keys : Keys.all()) {
      if (keys.token() != null) {
        needles.text("the token of " + keys, keys.token());
      }
    }
    for (String signature : Signed.SIGNATURES) {
      needles.text("a signature", signature);
    }
    return needles;
  }

  @Test
  @Order(2)
  void x_11_what_is_searched_for_would_be_found() throws Exception {
    Keys keys = iam.user(Iam.fresh("user"), Policy.connect(broker));
    byte[] secret = keys.secret().getBytes(StandardCharsets.UTF_8);
    Needles needles = secrets();
    String hex = java.util.HexFormat.of().formatHex(secret);
    for (int before = 0; before < 6; before++) {
      byte[] shifted = new byte[before + secret.length + 4];
      Arrays.fill(shifted, (byte) 'x');
      System.arraycopy(secret, 0, shifted, before, secret.length);
      for (byte[] where :
          List.of(
              shifted,
              Base64.getEncoder().encode(shifted),
              Base64.getUrlEncoder().encode(shifted),
              ("x".repeat(before) + hex + "x").getBytes(StandardCharsets.UTF_8),
              keys.secret().getBytes(StandardCharsets.UTF_16LE))) {
        assertNotEquals(Set.of(), needles.in(where));
      }
    }
    Path file = broker.dir().resolve(Iam.fresh("planted"));
    Files.writeString(file, "x".repeat(100_000) + keys.secret());
    assertNotEquals(Set.of(), needles.in(file));
    Files.delete(file);
    assertEquals(Set.of(), needles.in("x".repeat(1000).getBytes(StandardCharsets.UTF_8)));
  }

  @Test
  @Order(3)
  void x_11_no_secret_is_in_logs_audit_store_or_metrics_of_any_broker() throws Exception {
    Needles secrets = secrets();
    Needles proofs = proofs();
    for (Broker one : Brokers.started()) {
      assertTrue(one.log().contains("TRACE") || one.log().contains("INFO"));
      Path key = one.store().resolveSibling("store.db.key");
      for (Path path : readable(one)) {
        Set<String> found = secrets.in(path);
        // The key file itself is where it belongs.
        found.removeIf(what -> what.endsWith(key.getFileName().toString()));
        assertEquals(Set.of(), found, one.name());
        assertEquals(Set.of(), proofs.in(path), one.name());
      }
    }
    for (Broker one : List.of(broker, Brokers.separate())) {
      byte[] metrics = metrics(one).getBytes(StandardCharsets.UTF_8);
      assertTrue(metrics.length > 1000);
      assertEquals(Set.of(), secrets.in(metrics));
      assertEquals(Set.of(), proofs.in(metrics));
    }
    assertEquals(Set.of(), secrets.in(Broker.WORK.resolve("clients.log")));
  }

  /** What a broker wrote: logs, audit, store, settings; not the records of its clients. */
  private static List<Path> readable(Broker broker) throws Exception {
    try (var all = Files.list(broker.dir())) {
      return all.filter(path -> !path.getFileName().toString().endsWith("data")).toList();
    }
  }

  /** Names and values of all that a process shows by JMX. */
  private static String metrics(Broker broker) throws Exception {
    StringBuilder text = new StringBuilder();
    try (Gauges gauges = Gauges.of(broker, "broker")) {
      MBeanServerConnection beans = gauges.beans();
      for (ObjectName name : beans.queryNames(new ObjectName("kafka.server:*"), null)) {
        text.append(name).append('\n');
        for (var attribute : beans.getMBeanInfo(name).getAttributes()) {
          text.append(attribute.getName()).append(' ');
          text.append(beans.getAttribute(name, attribute.getName())).append('\n');
        }
      }
    }
    return text.toString();
  }

  @Test
  @Order(4)
  void p1_22_no_secret_is_in_the_memory_of_a_broker_that_java_sees() throws Exception {
    Keys user = iam.user(Iam.fresh("user"), Policy.connect(broker));
    // What a client sent stays in Kafka's buffers until they are collected.
    Needles secrets = secrets(Keys.all().stream().filter(keys -> !keys.isSent()).toList());
    for (Broker one : List.of(broker, Brokers.separate())) {
      Path dump = Broker.WORK.resolve(one.name() + ".hprof");
      Files.deleteIfExists(dump);
      try (RawClient client = RawClient.loggedIn(broker, user);
          Gauges gauges = Gauges.of(one, "broker")) {
        Wire.describe(client, "any");
        // Garbage too: what was there a moment ago counts.
        gauges
            .beans()
            .invoke(
                new ObjectName("com.sun.management:type=HotSpotDiagnostic"),
                "dumpHeap",
                new Object[] {dump.toString(), false},
                new String[] {String.class.getName(), boolean.class.getName()});
      }
      if (one == broker) {
        // The search works: who is logged in is there.
        assertNotEquals(Set.of(), new Needles().text("the user", user.arn()).in(dump));
      }
      assertEquals(Set.of(), secrets.in(dump));
      Files.delete(dump);
    }
  }
}
