// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.protocol.Errors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;

/** What clients see while the store does not answer, and how the agent keeps what it holds. */
@Order(2)
class OutageTest {
  private static final Errors DENIED = Errors.TOPIC_AUTHORIZATION_FAILED;

  private final Broker broker =
      Brokers.own(
          "outage",
          Map.of(),
          "--property",
          "standin.stale.after.ms=2000",
          "--property",
          "standin.stale.grace.ms=4000",
          "--property",
          "standin.login.wait.ms=1000",
          "--property",
          "standin.retire.grace.ms=1000");
  private final Iam iam = Iam.of(broker);

  @AfterAll
  static void done() {
    Brokers.done("outage");
  }

  @Test
  void x_06_a_store_that_does_not_answer_refuses_nobody_and_clients_get_through_later()
      throws Exception {
    String topic = Iam.fresh("topic");
    Topics.create(broker, topic);
    Keys known = iam.user(Iam.fresh("known"), Policy.connect(broker).produce(topic));
    Keys fresh = iam.user(Iam.fresh("fresh"), Policy.connect(broker).produce(topic));
    try (Gauges gauges = Gauges.of(broker, "broker");
        RawClient open = RawClient.loggedIn(broker, known)) {
      assertEquals(Errors.NONE, Wire.produce(open, topic));
      assertEquals(DENIED, Wire.fetch(open, topic));
      long refused = gauges.standin("logins-refused-total");
      long undecided = gauges.standin("logins-undecided-total");
      CompletableFuture<Void> sent;
      try (StoreLock lock = StoreLock.of(broker)) {
        assertTrue(lock.isHeld());
        // What is open is decided as before.
        assertEquals(Errors.NONE, Wire.produce(open, topic));
        assertEquals(DENIED, Wire.fetch(open, topic));
        // Nobody new gets in, and nobody is told that it may not.
        try (RawClient client = RawClient.connect(broker, "CLIENT")) {
          client.handshake(RawClient.MECHANISM);
          assertThrows(
              RawClient.Closed.class, () -> client.authenticate(Signed.by(fresh).message()));
        }
        sent =
            CompletableFuture.runAsync(
                () -> {
                  try (KafkaProducer<byte[], byte[]> producer = Clients.producer(broker, fresh)) {
                    producer.send(new ProducerRecord<>(topic, new byte[] {1})).get();
                  } catch (InterruptedException | ExecutionException e) {
                    throw new IllegalStateException(e);
                  }
                });
        // Silent for longer than the grace: what could be allowed could have been taken back.
        Wait.until(
            "undecided writes",
            () -> {
              Errors told = Wire.produce(open, topic);
              assertTrue(told == Errors.NONE || told == Errors.NOT_LEADER_OR_FOLLOWER, "" + told);
              return told == Errors.NOT_LEADER_OR_FOLLOWER;
            });
        assertEquals(Errors.NOT_LEADER_OR_FOLLOWER, Wire.fetch(open, topic));
        assertEquals(Errors.LEADER_NOT_AVAILABLE, Wire.describe(open, topic));
        assertEquals(Errors.REQUEST_TIMED_OUT, Wire.create(open, topic + "-new"));
        assertThrows(TimeoutException.class, () -> sent.get(100, TimeUnit.MILLISECONDS));
        assertTrue(gauges.standin("logins-undecided-total") > undecided);
      }
      // The clients that waited get through by themselves.
      sent.get(60, TimeUnit.SECONDS);
      Wait.until("decided writes", () -> Wire.produce(open, topic) == Errors.NONE);
      assertEquals(DENIED, Wire.fetch(open, topic));
      assertEquals(refused, gauges.standin("logins-refused-total"));
      // An outage is no reason to fill the log.
      assertFalse(broker.log().contains("Unexpected error from"), "a stack trace for a login");
    }
    assertFalse(Topics.exists(broker, topic + "-new"));
  }

  @Test
  void p1_04_denied_malformed_and_unavailable_are_three_answers_and_keep_nothing()
      throws Exception {
    Keys good = iam.user(Iam.fresh("good"), Policy.connect(broker));
    Map<String, String> forged = Signed.by(good).fields();
    forged.computeIfPresent(
        "x-amz-signature", (field, text) -> new StringBuilder(text).reverse().toString());
    // Nobody's login but those below may change what is held.
    try (Gauges gauges = Gauges.of(broker, "broker")) {
      Wait.until("no sessions", () -> gauges.standin("sessions") == 0);
      long held = gauges.standin("credentials-held");
      long refused = gauges.standin("logins-refused-total");
      long undecided = gauges.standin("logins-undecided-total");
      for (byte[] message : List.of(Signed.message(forged), new byte[] {'{', '}'})) {
        try (RawClient client = RawClient.connect(broker, "CLIENT")) {
          assertEquals(Errors.SASL_AUTHENTICATION_FAILED, client.tryLogIn(message).error());
        }
      }
      try (StoreLock lock = StoreLock.of(broker);
          RawClient client = RawClient.connect(broker, "CLIENT")) {
        assertTrue(lock.isHeld());
        client.handshake(RawClient.MECHANISM);
        assertThrows(RawClient.Closed.class, () -> client.authenticate(Signed.by(good).message()));
        // An answer that comes later is kept, for the next attempt of the client.
        assertTrue(gauges.standin("credentials-held") <= held, "something was kept");
      }
      assertEquals(refused + 2, gauges.standin("logins-refused-total"));
      assertEquals(undecided + 1, gauges.standin("logins-undecided-total"));
      Map<String, Integer> reasons = new HashMap<>();
      Wait.until(
          "three reasons",
          () -> {
            reasons.clear();
            for (JsonNode record : iam.audit("--action", "login")) {
              reasons.put(
                  record.at("/unmapped/outcome").asText(), record.at("/status_code").asInt());
              reasons.put("" + record.at("/status_code").asInt(), 1);
            }
            return reasons.containsKey("-202")
                && reasons.containsKey("-200")
                && reasons.getOrDefault("undecided", 0) <= -300;
          });
      assertEquals(0, gauges.standin("sessions"));
    }
  }

  @Test
  void x_06_a_change_made_before_an_outage_ends_counts_at_once_after_it() throws Exception {
    String topic = Iam.fresh("topic");
    Topics.create(broker, topic);
    String name = Iam.fresh("user");
    Keys user = iam.user(name, Policy.connect(broker).produce(topic));
    try (RawClient open = RawClient.loggedIn(broker, user)) {
      assertEquals(Errors.NONE, Wire.produce(open, topic));
      CompletableFuture<Void> change;
      try (StoreLock lock = StoreLock.of(broker)) {
        assertTrue(lock.isHeld());
        // People wait for the lock rather than try again.
        change =
            CompletableFuture.runAsync(
                () -> iam.put(name, "no", Policy.none(broker).deny("WriteData", "*")));
        Wait.until("undecided writes", () -> Wire.produce(open, topic) != Errors.NONE);
      }
      change.get(30, TimeUnit.SECONDS);
      Wait.until("a denied write", () -> Wire.produce(open, topic) == DENIED);
      for (int i = 0; i < 20; i++) {
        assertEquals(DENIED, Wire.produce(open, topic));
      }
    }
  }

  @Test
  void x_06_many_first_logins_of_one_client_are_one_question_to_the_service() throws Exception {
    Keys user = iam.user(Iam.fresh("crowd"), Policy.connect(broker));
    int crowd = 24;
    CountDownLatch ready = new CountDownLatch(1);
    byte[] message = Signed.by(user).message();
    List<CompletableFuture<Boolean>> logins = new ArrayList<>();
    List<RawClient> clients = new ArrayList<>();
    for (int i = 0; i < crowd; i++) {
      RawClient client = RawClient.connect(broker, "CLIENT");
      client.handshake(RawClient.MECHANISM);
      clients.add(client);
      logins.add(
          CompletableFuture.supplyAsync(
              () -> {
                try {
                  ready.await();
                  return client.authenticate(message).error() == Errors.NONE;
                } catch (RawClient.Closed e) {
                  // Too many waited at once: the client comes again.
                  return false;
                } catch (InterruptedException | IOException e) {
                  throw new IllegalStateException(e);
                }
              }));
    }
    ready.countDown();
    int in = 0;
    for (CompletableFuture<Boolean> login : logins) {
      in += login.get() ? 1 : 0;
    }
    for (RawClient client : clients) {
      client.close();
    }
    assertTrue(in > 0);
    Wait.until(
        "an issued credential",
        () ->
            iam.audit("--identity", user.arn()).stream()
                    .filter(record -> record.at("/activity_name").asText().equals("Create"))
                    .count()
                == 1);
  }
}
