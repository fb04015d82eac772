// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.requests.ProduceResponse;
import org.apache.kafka.common.requests.SaslAuthenticateResponse;
import org.apache.kafka.common.requests.SaslHandshakeResponse;
import org.junit.jupiter.api.Test;

/** Logins on the wire: what is accepted, what is refused, and what either tells. */
class LoginTest {
  /**
   * All a client ever learns of a refusal, with the id under which an operator finds the reason.
   */
  private static final String TEXT = "\\[[0-9a-f]+-\\d+]: Access denied";

  private final Broker broker = Brokers.combined();
  private final Iam iam = Iam.of(broker);

  /** Sends a message on a new connection, which must be refused; the id it is told. */
  private String refused(String listener, byte[] message) throws Exception {
    try (RawClient client = RawClient.connect(broker, listener)) {
      SaslAuthenticateResponse answer = client.tryLogIn(message);
      assertEquals(Errors.SASL_AUTHENTICATION_FAILED, answer.error());
      assertEquals(58, answer.error().code());
      assertTrue(answer.errorMessage().matches(TEXT), answer.errorMessage());
      assertEquals(0, answer.saslAuthBytes().length);
      assertTrue(client.isClosed());
      return answer.errorMessage().substring(1, answer.errorMessage().indexOf(']'));
    }
  }

  /** Sends each message, which must be refused, and looks for its status in the audit. */
  private void allRefused(Map<byte[], Integer> expected) throws Exception {
    Map<String, Integer> codes = new LinkedHashMap<>();
    for (Map.Entry<byte[], Integer> one : expected.entrySet()) {
      codes.put(refused("CLIENT", one.getKey()), one.getValue());
    }
    Map<String, JsonNode> records = iam.logins(codes.keySet());
    codes.forEach(
        (id, code) -> {
          JsonNode record = records.get(id);
          String detail = record.at("/status_detail").asText();
          assertEquals(code, record.at("/status_code").asInt(), detail);
          assertEquals("Failure", record.get("status").asText());
          assertNotEquals("", detail);
        });
  }

  /** Sends a message on a new connection, which must be accepted; the id it is told. */
  private String accepted(String listener, InetAddress from, byte[] message) throws Exception {
    try (RawClient client = RawClient.connect(broker, listener, from)) {
      SaslAuthenticateResponse answer = client.tryLogIn(message);
      assertEquals(Errors.NONE, answer.error());
      JsonNode reply = Broker.json(new String(answer.saslAuthBytes(), StandardCharsets.UTF_8));
      assertEquals(2, reply.size());
      assertEquals("2020_10_22", reply.get("version").asText());
      // With the first request the broker tells where the connection comes from.
      Wire.describe(client, "any");
      return reply.get("request-id").asText();
    }
  }

  @Test
  void p1_02_a_well_formed_login_is_accepted_with_exactly_the_reply_clients_know()
      throws Exception {
    Keys keys = iam.user(Iam.fresh("user"), Policy.connect(broker));
    String id = accepted("CLIENT", null, Signed.by(keys).message());
    JsonNode record = iam.logins(List.of(id)).get(id);
    assertEquals("Success", record.get("status").asText());
    assertEquals(keys.arn(), record.at("/actor/user/uid").asText());
    assertEquals(keys.id(), record.at("/actor/user/credential_uid").asText());
    assertEquals("127.0.0.1", record.at("/src_endpoint/ip").asText());
    assertEquals("localhost", record.at("/dst_endpoint/hostname").asText());
    assertEquals("CLIENT", record.at("/dst_endpoint/svc_name").asText());
  }

  @Test
  void p1_02_what_is_malformed_is_refused_before_the_service_is_asked() throws Exception {
    Keys keys = iam.user(Iam.fresh("user"), Policy.connect(broker));
    List<byte[]> malformed = new ArrayList<>();
    byte[] good = Signed.by(keys).message();
    for (int length : new int[] {0, 1, 2, 50, good.length / 2, good.length - 1}) {
      malformed.add(Arrays.copyOf(good, length));
    }
    for (String text : List.of("null", "[]", "{}", "\"text\"", "{\"version\":1}", "\u0000\u0001")) {
      malformed.add(text.getBytes(StandardCharsets.UTF_8));
    }
    malformed.add(new byte[] {(byte) 0xff, (byte) 0xfe});
    malformed.add(new byte[400_000]);
    for (String field : Signed.by(keys).fields().keySet()) {
      if (!field.equals("user-agent")) {
        malformed.add(without(keys, field));
        malformed.add(with(keys, field, "x".repeat(20_000)));
        malformed.add(with(keys, field, ""));
        malformed.add(with(keys, field, "a\r\nb"));
      }
    }
    malformed.add(with(keys, "version", "2019_01_01"));
    malformed.add(with(keys, "x-amz-algorithm", "AWS4-HMAC-SHA1"));
    malformed.add(with(keys, "action", "kafka-cluster:*"));
    malformed.add(with(keys, "x-amz-signedheaders", "host;x"));
    malformed.add(Signed.by(keys).service("kafka").message());
    malformed.add(Signed.by(keys).region("").message());
    malformed.add(Signed.by(keys).action("kafka-cluster:ReadData").message());
    malformed.add(Signed.by(keys).expires("901").message());
    malformed.add(Signed.by(keys).expires("0").message());
    malformed.add(Signed.by(keys).expires("-5").message());
    malformed.add(Signed.by(keys).expires("1e2").message());
    malformed.add(Signed.by(keys).scopeDay("20200101").message());
    malformed.add((new String(good, StandardCharsets.UTF_8) + "{}").getBytes());
    malformed.add(
        new String(good, StandardCharsets.UTF_8)
            .replaceFirst("\\{", "{\"host\":\"localhost\",")
            .getBytes(StandardCharsets.UTF_8));
    Map<byte[], Integer> cases = new LinkedHashMap<>();
    malformed.forEach(message -> cases.put(message, -200));
    allRefused(cases);
    assertEquals(List.of(), issued(keys));
  }

  private static byte[] without(Keys keys, String field) {
    Map<String, String> fields = Signed.by(keys).fields();
    fields.remove(field);
    return Signed.message(fields);
  }

  private static byte[] with(Keys keys, String field, String value) {
    Map<String, String> fields = Signed.by(keys).fields();
    fields.put(field, value);
    return Signed.message(fields);
  }

  @Test
  void p1_02_unknown_further_fields_are_no_reason_to_refuse() throws Exception {
    Keys keys = iam.user(Iam.fresh("user"), Policy.connect(broker));
    try (RawClient client = RawClient.connect(broker, "CLIENT")) {
      assertEquals(Errors.NONE, client.tryLogIn(with(keys, "x-amz-something", "new")).error());
    }
  }

  @Test
  void p1_07_every_refusal_has_its_reason_for_the_operator_and_none_for_the_client()
      throws Exception {
    Keys good = iam.user(Iam.fresh("user"), Policy.connect(broker));
    Keys disabled = iam.user(Iam.fresh("disabled"), Policy.connect(broker));
    iam.disable(disabled);
    String gone = Iam.fresh("gone");
    Keys identity = iam.user(gone, Policy.connect(broker));
    broker.standin("user", "disable", gone);
    Keys silent = iam.user(Iam.fresh("silent"), Policy.none(broker).topic("ReadData", "*"));
    Keys barred =
        iam.user(Iam.fresh("barred"), Policy.connect(broker).deny("Connect", broker.cluster()));
    Instant now = Instant.now();
    Map<byte[], Integer> cases = new LinkedHashMap<>();
    cases.put(flip(good, "x-amz-signature"), -202);
    cases.put(
        with(
            good,
            "x-amz-date",
            Signed.by(good).date(now.minusSeconds(5)).fields().get("x-amz-date")),
        -202);
    cases.put(with(good, "x-amz-expires", "899"), -202);
    cases.put(unknown(good), -201);
    cases.put(Signed.by(disabled).message(), -203);
    cases.put(Signed.by(identity).message(), -204);
    cases.put(Signed.by(silent).message(), -209);
    cases.put(Signed.by(barred).message(), -209);
    cases.put(Signed.by(good).host("b-1.other.example").message(), -207);
    cases.put(Signed.by(good).region("eu-west-1").message(), -208);
    cases.put(Signed.by(good).date(now.minus(Duration.ofMinutes(7))).message(), -205);
    cases.put(Signed.by(good).date(now.plus(Duration.ofMinutes(7))).message(), -206);
    allRefused(cases);
    // None of them was issued anything that could stand in for it.
    for (Keys keys : List.of(disabled, identity)) {
      assertEquals(List.of(), issued(keys));
    }
  }

  private static byte[] flip(Keys keys, String field) {
    Map<String, String> fields = Signed.by(keys).fields();
    char last = fields.get(field).charAt(63);
    return with(keys, field, fields.get(field).substring(0, 63) + (last == '0' ? '1' : '0'));
  }

  private static byte[] unknown(Keys keys) {
    UnaryOperator<String> other = text -> text.replaceFirst("AKIA....", "AKIAZZZZ");
    return with(
        keys, "x-amz-credential", other.apply(Signed.by(keys).fields().get("x-amz-credential")));
  }

  private List<JsonNode> issued(Keys keys) {
    return iam.audit("--identity", keys.arn()).stream()
        .filter(record -> record.at("/activity_name").asText().equals("Create"))
        .toList();
  }

  @Test
  void p1_24_a_clock_may_be_off_by_five_minutes_in_both_directions() throws Exception {
    Keys keys = iam.user(Iam.fresh("user"), Policy.connect(broker));
    for (int seconds : new int[] {-330, -240, 0, 240}) {
      try (RawClient client = RawClient.connect(broker, "CLIENT")) {
        byte[] message = Signed.by(keys).date(Instant.now().plusSeconds(seconds)).message();
        assertEquals(Errors.NONE, client.tryLogIn(message).error(), seconds + " s");
      }
    }
  }

  @Test
  void p1_24_a_repeated_login_is_counted_and_refused_where_the_listener_says_so() throws Exception {
    Keys keys = iam.user(Iam.fresh("user"), Policy.connect(broker));
    Instant now = Instant.now();
    byte[] message = Signed.by(keys).date(now).message();
    InetAddress other = InetAddress.getByAddress(new byte[] {127, 0, 0, 2});
    List<String> ids = new ArrayList<>();
    ids.add(accepted("CLIENT", null, message));
    ids.add(accepted("CLIENT", null, message));
    ids.add(accepted("CLIENT", other, message));
    byte[] once = Signed.by(keys).date(now.minusSeconds(1)).message();
    ids.add(accepted("ONCE", null, once));
    ids.add(refused("ONCE", once));
    ids.add(accepted("ONCE", null, Signed.by(keys).date(now.minusSeconds(2)).message()));
    Map<String, JsonNode> records = iam.logins(ids);
    assertEquals(List.of(1, 2, 3, 1, 2, 1), numbers(records, ids, "signature_seen"));
    assertEquals(List.of(1, 1, 2), numbers(records, ids.subList(0, 3), "signature_sources"));
    assertEquals(-210, records.get(ids.get(4)).at("/status_code").asInt());
  }

  private static List<Integer> numbers(
      Map<String, JsonNode> records, List<String> ids, String field) {
    return ids.stream().map(id -> records.get(id).at("/unmapped/" + field).asInt(1)).toList();
  }

  @Test
  void p1_25_a_secret_sent_by_mistake_is_refused_and_kept_nowhere() throws Exception {
    Keys keys = iam.user(Iam.fresh("user"), Policy.connect(broker));
    // As SASL/PLAIN has it, and as a field beside a signature that is wrong.
    byte[] plain =
        ("\u0000" + keys.id() + "\u0000" + keys.sentSecret()).getBytes(StandardCharsets.UTF_8);
    Map<String, String> fields = Signed.by(keys).fields();
    fields.remove("x-amz-signature");
    fields.put("secret-access-key", keys.sentSecret());
    allRefused(Map.of(plain, -200, Signed.message(fields), -200));
    assertTrue(!broker.log().contains(keys.secret()));
  }

  @Test
  void p1_29_other_mechanisms_are_refused_on_the_listener() throws Exception {
    for (String mechanism : List.of("PLAIN", "SCRAM-SHA-256", "GSSAPI", "AWS_MSK", "")) {
      try (RawClient client = RawClient.connect(broker, "CLIENT")) {
        SaslHandshakeResponse answer = client.handshake(mechanism);
        assertEquals(Errors.UNSUPPORTED_SASL_MECHANISM, answer.error(), mechanism);
        assertEquals(Set.of("AWS_MSK_IAM", "OAUTHBEARER"), Set.copyOf(answer.enabledMechanisms()));
        assertTrue(client.isClosed());
      }
    }
  }

  @Test
  void p1_08_nothing_is_answered_on_a_connection_that_is_bound_to_nobody() throws Exception {
    String topic = Iam.fresh("topic");
    Topics.create(broker, topic);
    Keys keys = iam.user(Iam.fresh("user"), Policy.all(broker));
    try (RawClient client = RawClient.connect(broker, "CLIENT")) {
      client.send(Wire.produceRequest(topic));
      assertTrue(client.isClosed());
    }
    try (RawClient client = RawClient.connect(broker, "CLIENT")) {
      client.handshake(RawClient.MECHANISM);
      client.send(Wire.produceRequest(topic));
      assertEquals(Errors.ILLEGAL_SASL_STATE, Wire.error((ProduceResponse) client.receive()));
      assertTrue(client.isClosed());
    }
    // Sent behind a login that is refused.
    try (RawClient client = RawClient.connect(broker, "CLIENT")) {
      client.handshake(RawClient.MECHANISM);
      client.send(RawClient.authentication(flip(keys, "x-amz-signature")));
      client.send(Wire.produceRequest(topic));
      assertEquals(
          Errors.SASL_AUTHENTICATION_FAILED, ((SaslAuthenticateResponse) client.receive()).error());
      assertTrue(client.isClosed());
    }
    assertEquals(0, Topics.end(broker, topic));
  }

  @Test
  void p1_05_the_first_operation_may_follow_the_login_at_once() throws Exception {
    String topic = Iam.fresh("topic");
    Topics.create(broker, topic);
    for (int i = 0; i < 20; i++) {
      // A new identity each time: nothing of it is held yet.
      Keys keys = iam.user(Iam.fresh("racer"), Policy.connect(broker).produce(topic));
      for (int again = 0; again < 5; again++) {
        try (RawClient client = RawClient.connect(broker, "CLIENT")) {
          client.handshake(RawClient.MECHANISM);
          client.send(RawClient.authentication(Signed.by(keys).message()));
          client.send(Wire.produceRequest(topic));
          assertEquals(Errors.NONE, ((SaslAuthenticateResponse) client.receive()).error());
          assertEquals(Errors.NONE, Wire.error((ProduceResponse) client.receive()));
        }
      }
    }
    assertEquals(100, Topics.end(broker, topic));
  }

  @Test
  void x_13_keys_of_one_kind_are_not_taken_for_another() throws Exception {
    String user = Iam.fresh("user");
    String role = Iam.fresh("role");
    Keys keys = iam.user(user, Policy.connect(broker));
    iam.role(role, keys.arn(), 3600, Policy.connect(broker));
    Keys temporary = iam.assume(role, user, "one", 900);
    Keys another = iam.assume(role, user, "two", 900);
    try (RawClient client = RawClient.loggedIn(broker, temporary)) {
      assertEquals(Errors.TOPIC_AUTHORIZATION_FAILED, Wire.describe(client, "x"));
    }
    // Temporary keys without their token, with another's, and a long-lived key with a token.
    Map<String, String> swapped = Signed.by(temporary).fields();
    swapped.put("x-amz-security-token", another.token());
    Map<String, String> added = Signed.by(keys).fields();
    added.put("x-amz-security-token", another.token());
    Map<String, String> forged = Signed.by(temporary).fields();
    char tenth = temporary.token().charAt(10);
    forged.put(
        "x-amz-security-token",
        temporary.token().substring(0, 10)
            + (tenth == 'x' ? 'y' : 'x')
            + temporary.token().substring(11));
    Map<byte[], Integer> cases = new LinkedHashMap<>();
    cases.put(Signed.message(swapped), -200);
    cases.put(Signed.message(added), -200);
    cases.put(Signed.message(forged), -200);
    cases.put(without(temporary, "x-amz-security-token"), -201);
    allRefused(cases);
  }

  @Test
  void p1_03_an_answer_the_broker_cannot_parse_ends_the_connection() throws Exception {
    try (RawClient client = RawClient.connect(broker, "CLIENT")) {
      client.sendFrame(java.nio.ByteBuffer.wrap(new byte[] {1, 2, 3}));
      assertTrue(client.isClosed());
    }
    assertThrows(
        RawClient.Closed.class,
        () -> {
          try (RawClient client = RawClient.connect(broker, "CLIENT")) {
            client.handshake(RawClient.MECHANISM);
            // More than Kafka reads of anybody who is not logged in.
            client.authenticate(new byte[600_000]);
          }
        });
  }
}
