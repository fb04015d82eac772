// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.protocol.Errors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;

/** A broker that asks the service for each operation, proven by what stands in for the client. */
class RemoteDecisionsTest {
  private static final Errors DENIED = Errors.TOPIC_AUTHORIZATION_FAILED;
  private static final int TTL_MS = 60_000;

  private final Broker broker =
      Brokers.own(
          "remote",
          Map.of(),
          "--property",
          "standin.decide=remote",
          "--property",
          "standin.decide.ttl.ms=" + TTL_MS);
  private final Iam iam = Iam.of(broker);

  /** Asks until it is decided: an answer may take longer than the broker waits for it. */
  private static Errors produce(RawClient client, String topic) throws Exception {
    Errors[] told = {null};
    Wait.until(
        "a decision",
        () -> (told[0] = Wire.produce(client, topic)) != Errors.NOT_LEADER_OR_FOLLOWER);
    return told[0];
  }

  @AfterAll
  static void done() {
    Brokers.done("remote");
  }

  /** The service answers nobody but on proof of such a credential (P1-23). */
  @Test
  void p1_10_p1_23_each_client_is_decided_on_proof_of_what_stands_in_for_it_alone()
      throws Exception {
    int clients = 20;
    List<String> topics = new ArrayList<>();
    List<Keys> keys = new ArrayList<>();
    List<RawClient> open = new ArrayList<>();
    for (int i = 0; i < clients; i++) {
      topics.add(Iam.fresh("topic"));
    }
    Topics.create(broker, topics.toArray(String[]::new));
    try (Gauges gauges = Gauges.of(broker, "broker")) {
      for (String topic : topics) {
        Keys user = iam.user(Iam.fresh("user"), Policy.connect(broker).produce(topic));
        keys.add(user);
        open.add(RawClient.loggedIn(broker, user));
      }
      long asked = gauges.standin("decision-requests-total");
      Random random = new Random(20_260_103);
      int[] written = new int[clients];
      for (int i = 0; i < 400; i++) {
        int client = random.nextInt(clients);
        int topic = random.nextInt(4) == 0 ? random.nextInt(clients) : client;
        Errors expected = client == topic ? Errors.NONE : DENIED;
        assertEquals(expected, produce(open.get(client), topics.get(topic)));
        written[topic] += client == topic ? 1 : 0;
      }
      for (int i = 0; i < clients; i++) {
        assertEquals(written[i], Topics.end(broker, topics.get(i)));
      }
      assertTrue(gauges.standin("decision-requests-total") > asked, "the service was asked");
      // Without what stands in for it, nothing of a client is asked or allowed.
      iam.disable(keys.get(7));
      Wait.until("a denied write", () -> produce(open.get(7), topics.get(7)) == DENIED);
      long before = gauges.standin("decision-requests-total");
      for (int i = 0; i < 10; i++) {
        assertEquals(DENIED, produce(open.get(7), topics.get(i)));
      }
      assertEquals(before, gauges.standin("decision-requests-total"));
      for (RawClient client : open) {
        client.close();
      }
    }
  }

  @Test
  void p1_20_a_thousand_equal_questions_are_one_to_the_service() throws Exception {
    String topic = Iam.fresh("topic");
    Topics.create(broker, topic);
    Keys user = iam.user(Iam.fresh("user"), Policy.connect(broker).topic("WriteData", topic));
    try (Gauges gauges = Gauges.of(broker, "broker");
        RawClient client = RawClient.loggedIn(broker, user)) {
      Wire.describe(client, topic);
      // The first of each may be asked for again when its answer was late.
      assertEquals(Errors.NONE, produce(client, topic));
      Wait.until("a decision", () -> Wire.fetch(client, topic) == DENIED);
      long asked = gauges.standin("decision-requests-total");
      long begin = System.nanoTime();
      int questions = 0;
      for (; questions < 1000; questions++) {
        assertEquals(Errors.NONE, Wire.produce(client, topic));
        assertEquals(DENIED, Wire.fetch(client, topic));
      }
      if (System.nanoTime() - begin < TTL_MS * 900_000L) {
        assertEquals(asked, gauges.standin("decision-requests-total"));
      }
      assertEquals(questions + 1, Topics.end(broker, topic));
    }
  }

  /** Nothing but the start of such a producer asks for a producer id, so it is undecided alone. */
  @Test
  void x_06_an_idempotent_producer_starts_by_itself_once_that_can_be_decided() throws Exception {
    String topic = Iam.fresh("topic");
    Topics.create(broker, topic);
    Keys user =
        iam.user(
            Iam.fresh("user"),
            Policy.connect(broker).produce(topic).cluster("WriteDataIdempotently"));
    Errors undecided = Errors.REQUEST_TIMED_OUT;
    try (Gauges gauges = Gauges.of(broker, "broker")) {
      // From here on it can log in without the service.
      RawClient.loggedIn(broker, user).close();
      StoreLock lock = StoreLock.of(broker);
      try (KafkaProducer<byte[], byte[]> producer = Clients.producer(broker, user)) {
        Wait.until(
            "undecided producer ids", () -> gauges.answered("InitProducerId", undecided) > 2);
        lock.close();
        producer.send(new ProducerRecord<>(topic, new byte[] {1})).get(60, TimeUnit.SECONDS);
      } finally {
        lock.close();
      }
    }
    assertEquals(1, Topics.end(broker, topic));
  }

  /** By id Kafka asks on the one thread that does everything a controller does. */
  @Test
  void x_14_nothing_waits_on_the_controllers_event_thread() throws Exception {
    String prefix = Iam.fresh("by-id");
    int count = 6;
    List<Uuid> ids = new ArrayList<>();
    try (Admin admin = Clients.superUser(broker)) {
      for (int i = 0; i < count; i++) {
        NewTopic topic = new NewTopic(prefix + "-" + i, 1, (short) 1);
        ids.add(admin.createTopics(List.of(topic)).topicId(topic.name()).get());
      }
    }
    Policy policy =
        Policy.connect(broker).topic("DescribeTopic", prefix + "*").topic("DeleteTopic", "*");
    Keys user = iam.user(Iam.fresh("user"), policy);
    try (Gauges gauges = Gauges.of(broker, "broker");
        RawClient client = RawClient.loggedIn(broker, user)) {
      // The controller has heard of the client from here on.
      Wait.until("a deleted topic", () -> Wire.delete(client, ids.get(0)) == Errors.NONE);
      CompletableFuture<List<Errors>> told;
      int samples = 0;
      int inside = 0;
      try (StoreLock lock = StoreLock.of(broker)) {
        assertTrue(lock.isHeld());
        told = CompletableFuture.supplyAsync(() -> deleted(client, ids.subList(1, count)));
        // A second for each would be waited for.
        while (samples < 200) {
          for (StackTraceElement call : gauges.stack("controller-1-event-handler")) {
            if (call.getClassName().startsWith("io.standin")) {
              inside++;
              break;
            }
          }
          samples++;
          Thread.sleep(5);
        }
        for (Errors error : told.get(60, TimeUnit.SECONDS)) {
          assertEquals(Errors.REQUEST_TIMED_OUT, error);
        }
      }
      assertTrue(inside < samples / 4, "the event thread was here " + inside + " times");
      Wait.until("another one", () -> Wire.delete(client, ids.get(1)) == Errors.NONE);
    }
  }

  private static List<Errors> deleted(RawClient client, List<Uuid> ids) {
    try {
      List<Errors> told = new ArrayList<>();
      for (Uuid id : ids) {
        told.add(Wire.delete(client, id));
      }
      return told;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
