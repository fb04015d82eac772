// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.apache.kafka.common.protocol.Errors;
import org.junit.jupiter.api.Test;

/** What the audit of a broker holds, and that nothing is missing in it or made up. */
class AuditTest {
  private static final Errors DENIED = Errors.TOPIC_AUTHORIZATION_FAILED;

  private final Broker broker = Brokers.combined();
  private final Iam iam = Iam.of(broker);

  /** Records that name an identity as {@code activity, what, outcome}, with how often each was. */
  private Map<String, Long> told(String arn) {
    Map<String, Long> counts = new TreeMap<>();
    for (JsonNode record : iam.audit()) {
      if (!record.toString().contains('"' + arn + '"')
          && !record.at("/status_detail").asText().contains(arn + ' ')) {
        continue;
      }
      List<String> words = new ArrayList<>();
      String activity = record.get("activity_name").asText();
      String action = record.at("/api/operation").asText();
      words.add(action.isEmpty() ? activity : action.replace("kafka-cluster:", ""));
      words.add(record.at("/resources/0/name").asText());
      words.add(record.at("/unmapped/outcome").asText());
      counts.merge(
          String.join(" ", words).trim(),
          record.has("count") ? record.get("count").asLong() : 1,
          Long::sum);
    }
    return counts;
  }

  @Test
  void x_10_everything_that_happened_to_a_client_is_there_as_often_as_it_happened()
      throws Exception {
    String topic = Iam.fresh("topic");
    Topics.create(broker, topic);
    String name = Iam.fresh("user");
    Keys user = iam.user(name, Policy.connect(broker).topic("WriteData", topic));
    try (RawClient client = RawClient.loggedIn(broker, user)) {
      // The first from the policies, all others from the cache.
      for (int i = 0; i < 7; i++) {
        assertEquals(Errors.NONE, Wire.produce(client, topic));
      }
      for (int i = 0; i < 5; i++) {
        assertEquals(DENIED, Wire.fetch(client, topic));
      }
      // Again on the same connection.
      Thread.sleep(1100);
      assertEquals(Errors.NONE, client.logIn(user).error());
      assertEquals(Errors.NONE, Wire.produce(client, topic));
      iam.disable(user);
      Wait.until("the end of the session", () -> Wire.produce(client, topic) == DENIED);
    }
    try (RawClient client = RawClient.connect(broker, "CLIENT")) {
      assertEquals(
          Errors.SASL_AUTHENTICATION_FAILED, client.tryLogIn(Signed.by(user).message()).error());
    }
    Map<String, Long> expected = new HashMap<>();
    expected.put("Create", 1L);
    expected.put("Logon  success", 2L);
    expected.put("Logon  refused", 1L);
    expected.put("ReadData " + topic + " denied", 5L);
    // Both of the connection's sessions.
    expected.put("Logoff", 2L);
    // What administrators did.
    expected.put("CreateUser  success", 1L);
    expected.put("CreateAccessKey  success", 1L);
    expected.put("PutInlinePolicy  success", 1L);
    // Eight or more: those before the end of the session as well.
    expected.put("WriteData " + topic + " allowed", Topics.end(broker, topic));
    expected.put("DisableAccessKey  success", 1L);
    Map<String, Long> found = new TreeMap<>();
    try {
      Wait.until(
          "all records",
          () -> {
            found.clear();
            found.putAll(told(user.arn()));
            found.keySet().retainAll(expected.keySet());
            return found.equals(expected);
          });
    } catch (AssertionError e) {
      assertEquals(new TreeMap<>(expected), told(user.arn()));
    }
    JsonNode disabled =
        iam.audit("--action", "DisableAccessKey").stream()
            .filter(record -> record.toString().contains(user.id()))
            .findFirst()
            .orElseThrow();
    assertTrue(disabled.at("/actor/user/uid").asText().startsWith("local/"));
  }

  @Test
  void x_10_names_that_clients_choose_forge_no_record() throws Exception {
    Keys user = iam.user(Iam.fresh("user"), Policy.connect(broker));
    String forged =
        "x\",\"status\":\"Success\"}\n{\"time\":1,\"activity_name\":\"Forged\"}\r\u2028";
    String group = Iam.fresh("group") + forged;
    try (RawClient client = RawClient.loggedIn(broker, user).clientId(forged)) {
      assertEquals(Errors.GROUP_AUTHORIZATION_FAILED, Wire.group(client, group));
    }
    Wait.until(
        "the record of the denial",
        () ->
            iam.audit("--identity", user.arn()).stream()
                .anyMatch(record -> record.at("/resources/0/name").asText().equals(group)));
    for (JsonNode record : files()) {
      assertFalse(record.get("activity_name").asText().equals("Forged"));
    }
  }

  /** Every line of the broker's audit files, each of which is one record. */
  private List<JsonNode> files() throws Exception {
    List<JsonNode> records = new ArrayList<>();
    try (var all = Files.list(broker.store().resolveSibling("audit"))) {
      for (Path file : all.toList()) {
        String text = Files.readString(file);
        // The last line may be in the making.
        text.substring(0, text.lastIndexOf('\n') + 1)
            .lines()
            .forEach(line -> records.add(Broker.json(line)));
      }
    }
    return records;
  }

  @Test
  void x_10_no_record_is_missing_between_the_first_and_the_last() throws Exception {
    Keys user = iam.user(Iam.fresh("user"), Policy.connect(broker));
    for (int i = 0; i < 10; i++) {
      try (RawClient client = RawClient.loggedIn(broker, user)) {
        assertEquals(DENIED, Wire.describe(client, "any"));
      }
    }
    Wait.until("ten logins", () -> told(user.arn()).getOrDefault("Logon  success", 0L) == 10);
    // Threads hand their records over side by side, so that one may be written behind the next.
    Wait.until("every number up to the last", () -> whole(numbers()));
    try (Gauges gauges = Gauges.of(broker, "broker")) {
      assertEquals(0, gauges.standin("audit-records-lost"));
    }
  }

  /** The numbers of the records of the broker's one boot, in order. */
  private List<Long> numbers() throws Exception {
    List<Long> numbers = new ArrayList<>();
    Set<String> boots = new HashSet<>();
    for (JsonNode record : files()) {
      boots.add(record.at("/unmapped/boot_id").asText());
      numbers.add(record.at("/unmapped/sequence").asLong());
    }
    assertEquals(1, boots.size());
    numbers.sort(null);
    return numbers;
  }

  private static boolean whole(List<Long> numbers) {
    for (int i = 0; i < numbers.size(); i++) {
      assertTrue(numbers.get(i) >= i, "a number was given out twice");
      if (numbers.get(i) != i) {
        return false;
      }
    }
    return true;
  }
}
