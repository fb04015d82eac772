// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.errors.SaslAuthenticationException;
import org.apache.kafka.common.errors.TopicAuthorizationException;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.requests.SaslAuthenticateResponse;
import org.junit.jupiter.api.Test;

/**
 * {@code OAUTHBEARER}: the token of the MSK signers, on the same listener, with the same keys and
 * policies as {@code AWS_MSK_IAM}.
 */
class BearerTest {
  private static final String REGIONAL = "kafka.us-east-1.amazonaws.com";

  private final Broker broker = Brokers.combined();
  private final Iam iam = Iam.of(broker);

  private SaslAuthenticateResponse send(byte[] message) throws Exception {
    try (RawClient client = RawClient.connect(broker, "CLIENT")) {
      client.handshake("OAUTHBEARER");
      return client.authenticate(message);
    }
  }

  @Test
  void p1_29_an_unmodified_client_logs_in_by_token_and_is_the_same_principal() throws Exception {
    String topic = Iam.fresh("topic");
    String other = Iam.fresh("other");
    Topics.create(broker, topic);
    Topics.create(broker, other);
    Keys user = iam.user(Iam.fresh("user"), Policy.connect(broker).produce(topic));
    List<Map<String, Object>> ways =
        List.of(
            Clients.bearer(broker, "CLIENT", user),
            Clients.config(broker, "CLIENT", user.profile()));
    for (Map<String, Object> way : ways) {
      try (KafkaProducer<byte[], byte[]> producer = Clients.producer(way)) {
        producer.send(new ProducerRecord<>(topic, new byte[1])).get(60, TimeUnit.SECONDS);
        ExecutionException denied =
            assertThrows(
                ExecutionException.class,
                () -> producer.send(new ProducerRecord<>(other, new byte[1])).get());
        assertInstanceOf(TopicAuthorizationException.class, denied.getCause());
      }
    }
    assertEquals(2, Topics.end(broker, topic));
    assertEquals(0, Topics.end(broker, other));
  }

  @Test
  void p1_04_a_refusal_is_told_at_once_with_an_empty_answer() throws Exception {
    Keys user = iam.user(Iam.fresh("user"), Policy.connect(broker));
    SaslAuthenticateResponse accepted = send(Signed.by(user).host(REGIONAL).bearer());
    assertEquals(Errors.NONE, accepted.error());
    assertEquals(0, accepted.saslAuthBytes().length);
    assertTrue(accepted.sessionLifetimeMs() > 0);
    String jwt = encoded("{\"alg\":\"none\"}") + "." + encoded("{\"sub\":\"root\"}") + ".";
    Map<byte[], Integer> expected = new LinkedHashMap<>();
    expected.put(Signed.by(user).bearer(), -207);
    expected.put(
        Signed.by(user).host("kafka.eu-west-1.amazonaws.com").region("eu-west-1").bearer(), -207);
    expected.put(Signed.by(user).host(REGIONAL).region("eu-west-1").bearer(), -208);
    // What the signers make where nobody told them a region.
    expected.put(Signed.by(user).host("kafka..amazonaws.com").region("").bearer(), -200);
    expected.put(Signed.by(user).host(REGIONAL).service("s3").bearer(), -200);
    expected.put(Signed.by(user).host(REGIONAL).action("kafka-cluster:ReadData").bearer(), -200);
    expected.put(Signed.bearer(jwt), -200);
    expected.put(Signed.bearer("!"), -200);
    expected.put(new byte[0], -200);
    expected.put(new byte[] {1}, -200);
    List<String> ids = new ArrayList<>();
    List<Integer> codes = new ArrayList<>(expected.values());
    for (byte[] message : expected.keySet()) {
      SaslAuthenticateResponse answer = send(message);
      assertEquals(58, answer.error().code());
      assertEquals(0, answer.saslAuthBytes().length);
      String text = answer.errorMessage();
      assertTrue(text.matches("\\[[0-9a-f]+-\\d+]: Access denied"), text);
      ids.add(text.substring(1, text.indexOf(']')));
    }
    Map<String, JsonNode> records = iam.logins(ids);
    for (int i = 0; i < ids.size(); i++) {
      JsonNode record = records.get(ids.get(i));
      assertEquals(codes.get(i), record.at("/status_code").asInt(), record.toString());
    }
  }

  private static String encoded(String text) {
    return Base64.getUrlEncoder().withoutPadding().encodeToString(text.getBytes());
  }

  @Test
  void p1_34_a_disabled_key_is_an_authentication_error_at_the_client() throws Exception {
    Keys user = iam.user(Iam.fresh("user"), Policy.connect(broker));
    iam.disable(user);
    try (Admin admin = Admin.create(Clients.bearer(broker, "CLIENT", user))) {
      ExecutionException refused =
          assertThrows(
              ExecutionException.class,
              () -> admin.describeCluster().nodes().get(60, TimeUnit.SECONDS));
      assertInstanceOf(SaslAuthenticationException.class, refused.getCause());
      assertTrue(refused.getCause().getMessage().contains("Access denied"), refused.toString());
    }
  }

  @Test
  void p1_16_a_session_begun_by_token_is_renewed_on_its_connection() throws Exception {
    String topic = Iam.fresh("topic");
    Topics.create(broker, topic);
    Keys user = iam.user(Iam.fresh("user"), Policy.connect(broker).produce(topic));
    Map<String, Object> config = Clients.bearer(broker, "SHORT", user);
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(15);
    long sent = 0;
    try (KafkaProducer<byte[], byte[]> producer = Clients.producer(config)) {
      while (System.nanoTime() < end) {
        producer.send(new ProducerRecord<>(topic, new byte[1])).get(60, TimeUnit.SECONDS);
        sent++;
        Thread.sleep(50);
      }
    }
    assertEquals(sent, Topics.end(broker, topic));
    List<JsonNode> logins = new ArrayList<>(iam.audit("--identity", user.arn()));
    logins.removeIf(record -> !record.path("activity_name").asText().equals("Logon"));
    assertTrue(logins.size() >= 3, "logins: " + logins.size());
  }

  @Test
  void another_listeners_tokens_stay_kafkas_own() throws Exception {
    String name = Iam.fresh("jwt");
    try (Admin admin = Admin.create(Clients.unsecured(broker, "JWT", name))) {
      // Nobody of Standin's: Kafka's own rules hold, under which no ACL means no.
      String topic = Iam.fresh("topic");
      Topics.create(broker, topic);
      assertFalse(admin.listTopics().names().get(60, TimeUnit.SECONDS).contains(topic));
    }
    try (RawClient client = RawClient.connect(broker, "JWT")) {
      client.handshake("OAUTHBEARER");
      Keys user = iam.user(Iam.fresh("user"), Policy.connect(broker));
      SaslAuthenticateResponse answer =
          client.authenticate(Signed.by(user).host(REGIONAL).bearer());
      assertTrue(
          answer.error() != Errors.NONE || answer.saslAuthBytes().length > 0,
          "a token of Standin's was accepted where none is");
    }
  }
}
