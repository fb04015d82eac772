// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.Metric;
import org.apache.kafka.common.errors.SaslAuthenticationException;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.requests.AbstractResponse;
import org.apache.kafka.common.requests.ProduceResponse;
import org.apache.kafka.common.requests.SaslAuthenticateResponse;
import org.apache.kafka.common.requests.SaslHandshakeResponse;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;

/** Logging in again on a connection that stays open. */
@Order(1)
@Execution(ExecutionMode.CONCURRENT)
class ReauthenticationTest {
  /** Kafka takes no second login on a connection within a second. */
  private static final long BETWEEN_NS = 1_010_000_000L;

  private final Broker broker = Brokers.combined();
  private final Iam iam = Iam.of(broker);

  @Test
  void x_04_a_hundred_reauthentications_under_load_fail_no_record() throws Exception {
    String topic = Iam.fresh("topic");
    Topics.create(broker, topic);
    Keys user = iam.user(Iam.fresh("user"), Policy.connect(broker).produce(topic));
    long produced = 0;
    try (RawClient client = RawClient.loggedIn(broker, user)) {
      int port = client.localPort();
      long last = System.nanoTime();
      for (int logins = 0; logins < 100; ) {
        // Requests before and behind the login wait for no answer: they are under way with it.
        boolean login = System.nanoTime() - last > BETWEEN_NS;
        client.send(Wire.produceRequest(topic));
        client.send(Wire.produceRequest(topic));
        if (login) {
          client.sendHandshake(RawClient.MECHANISM);
          client.send(RawClient.authentication(Signed.by(user).message()));
          client.send(Wire.produceRequest(topic));
        }
        int answers = login ? 5 : 2;
        for (int i = 0; i < answers; i++) {
          AbstractResponse answer = client.receive();
          if (answer instanceof ProduceResponse stored) {
            assertEquals(Errors.NONE, Wire.error(stored));
            produced++;
          } else if (answer instanceof SaslHandshakeResponse agreed) {
            assertEquals(Errors.NONE, agreed.error());
          } else {
            SaslAuthenticateResponse done = (SaslAuthenticateResponse) answer;
            assertEquals(Errors.NONE, done.error());
            assertTrue(done.sessionLifetimeMs() > 0);
            last = System.nanoTime();
            logins++;
          }
        }
        Thread.sleep(5);
      }
      assertEquals(port, client.localPort());
    }
    assertTrue(produced > 1000, "records: " + produced);
    assertEquals(produced, Topics.end(broker, topic));
  }

  @Test
  void p1_16_a_connection_outlives_three_lifetimes_of_its_credentials() throws Exception {
    String topic = Iam.fresh("topic");
    Topics.create(broker, topic);
    String user = Iam.fresh("user");
    String role = Iam.fresh("role");
    iam.role(
        role,
        iam.user(user, Policy.connect(broker)).arn(),
        3600,
        Policy.connect(broker).produce(topic));
    int lifetime = 15;
    Keys keys = iam.assume(role, user, "session", lifetime);
    long start = System.nanoTime();
    long renewed = start;
    long sent = 0;
    try (KafkaProducer<byte[], byte[]> producer = Clients.producer(broker, keys)) {
      producer.send(record(topic)).get();
      sent++;
      double connections = total(producer, "connection-creation-total");
      while (System.nanoTime() - start < (3 * lifetime + 3) * 1_000_000_000L) {
        if (System.nanoTime() - renewed > 5_000_000_000L) {
          // As a tool of the client does that keeps its profile fresh; sessions get other names.
          iam.renew(keys, role, user, "session-" + sent, lifetime);
          renewed = System.nanoTime();
        }
        producer.send(record(topic)).get();
        sent++;
        Thread.sleep(10);
      }
      assertEquals(connections, total(producer, "connection-creation-total"));
      assertTrue(total(producer, "successful-reauthentication-total") >= 3);
      assertEquals(0, total(producer, "failed-reauthentication-total"));
    }
    assertEquals(sent, Topics.end(broker, topic));
    Set<String> used = new HashSet<>();
    for (JsonNode login : iam.audit("--identity", keys.arn(), "--action", "login")) {
      assertEquals("Success", login.get("status").asText());
      used.add(login.at("/actor/user/credential_uid").asText());
    }
    assertTrue(used.size() >= 3, "access keys used: " + used);
  }

  private static double total(KafkaProducer<byte[], byte[]> producer, String name) {
    for (Metric metric : producer.metrics().values()) {
      if (metric.metricName().name().equals(name)
          && metric.metricName().group().equals("producer-metrics")) {
        return ((Number) metric.metricValue()).doubleValue();
      }
    }
    throw new IllegalStateException("no metric " + name);
  }

  private static ProducerRecord<byte[], byte[]> record(String topic) {
    return new ProducerRecord<>(topic, new byte[] {1});
  }

  @Test
  void x_04_nobody_becomes_somebody_else_on_an_open_connection() throws Exception {
    String topic = Iam.fresh("topic");
    Topics.create(broker, topic);
    Keys first = iam.user(Iam.fresh("first"), Policy.connect(broker));
    Keys second = iam.user(Iam.fresh("second"), Policy.all(broker));
    try (RawClient client = RawClient.loggedIn(broker, first)) {
      Thread.sleep(1100);
      SaslAuthenticateResponse answer = client.tryLogIn(Signed.by(second).message());
      assertEquals(Errors.SASL_AUTHENTICATION_FAILED, answer.error());
      assertTrue(client.isClosed());
    }
    assertEquals(0, Topics.end(broker, topic));
  }

  @Test
  void p1_17_a_login_that_fails_ends_the_connection() throws Exception {
    String topic = Iam.fresh("topic");
    Topics.create(broker, topic);
    Keys user = iam.user(Iam.fresh("user"), Policy.connect(broker).produce(topic));
    try (RawClient client = RawClient.loggedIn(broker, user)) {
      assertEquals(Errors.NONE, Wire.produce(client, topic));
      Thread.sleep(1100);
      byte[] wrong = Signed.by(user).host("elsewhere").message();
      SaslAuthenticateResponse answer = client.tryLogIn(wrong);
      assertEquals(Errors.SASL_AUTHENTICATION_FAILED, answer.error());
      assertTrue(client.isClosed());
    }
    assertEquals(1, Topics.end(broker, topic));
  }

  @Test
  void p1_17_a_client_whose_key_was_disabled_is_told_when_it_logs_in_again() throws Exception {
    Keys user = iam.user(Iam.fresh("user"), Policy.connect(broker).cluster("DescribeCluster"));
    try (Admin admin = Admin.create(Clients.config(broker, "SHORT", user))) {
      admin.describeCluster().nodes().get();
      iam.disable(user);
      ExecutionException refused =
          assertThrows(
              ExecutionException.class,
              () -> {
                for (int i = 0; i < 3000; i++) {
                  admin.describeCluster().nodes().get();
                  Thread.sleep(10);
                }
              });
      assertInstanceOf(SaslAuthenticationException.class, refused.getCause());
      String told = refused.getCause().getMessage();
      assertTrue(told.matches("\\[[0-9a-f]+-\\d+]: Access denied"), told);
      String id = told.substring(1, told.indexOf(']'));
      JsonNode record = iam.logins(List.of(id)).get(id);
      assertEquals(-203, record.at("/status_code").asInt());
      assertTrue(record.at("/status_detail").asText().contains("disabled"));
    }
  }

  @Test
  void x_04_a_session_is_listed_while_its_connection_lives_and_can_be_ended() throws Exception {
    String topic = Iam.fresh("topic");
    Topics.create(broker, topic);
    Keys user = iam.user(Iam.fresh("user"), Policy.connect(broker).produce(topic));
    RawClient goes = RawClient.loggedIn(broker, user);
    try (RawClient ended = RawClient.loggedIn(broker, user)) {
      assertEquals(Errors.NONE, Wire.produce(goes, topic));
      assertEquals(Errors.NONE, Wire.produce(ended, topic));
      Wait.until("two sessions listed", () -> sessions(user).size() == 2);
      JsonNode one = sessions(user).get(0);
      assertEquals("127.0.0.1", one.get("address").asText());
      assertEquals("CLIENT", one.get("listener").asText());
      goes.close();
      Wait.until("one session listed", () -> sessions(user).size() == 1);
      broker.standin("session", "end", sessions(user).get(0).get("id").asText());
      Wait.until(
          "the session's end",
          () -> Wire.produce(ended, topic) == Errors.TOPIC_AUTHORIZATION_FAILED);
    }
  }

  private List<JsonNode> sessions(Keys keys) {
    List<JsonNode> own = new java.util.ArrayList<>();
    for (JsonNode session : broker.standin("session", "list").get(0)) {
      if (session.get("subject").asText().equals(keys.arn())) {
        own.add(session);
      }
    }
    return own;
  }
}
