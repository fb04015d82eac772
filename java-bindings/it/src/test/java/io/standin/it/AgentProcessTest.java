// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Set;
import javax.crypto.Cipher;
import javax.crypto.Mac;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;
import org.apache.kafka.common.protocol.Errors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;

/** A broker whose agent is a process of its own. */
class AgentProcessTest {
  private final Broker broker = Brokers.own("agent", Map.of(), "--agent");
  private final Iam iam = Iam.of(broker);
  private final String topic = Iam.fresh("topic");

  @AfterAll
  static void done() {
    Brokers.done("agent");
  }

  @Test
  void sessions_end_with_their_connections_or_without() throws Exception {
    Connected.endsWithTheirConnectionsOrWithout(broker, iam);
  }

  /** Keys of a key file, by their id. */
  private static Map<String, byte[]> ring(Path file) throws IOException {
    Map<String, byte[]> keys = new java.util.LinkedHashMap<>();
    for (String line : Files.readAllLines(file)) {
      String[] words = line.split(" ");
      if (words.length == 2 && !words[0].equals("standin-keys")) {
        keys.put(words[0], Base64.getDecoder().decode(words[1]));
      }
    }
    return keys;
  }

  /** What the agent keeps on disk, opened with its key. */
  private JsonNode held() throws Exception {
    Path file = broker.dir().resolve("run/agent.held");
    byte[] sealed = Files.readAllBytes(file);
    int idLength = sealed[1];
    String id = new String(sealed, 2, idLength, StandardCharsets.UTF_8);
    byte[] key = ring(file.resolveSibling("agent.held.key")).get(id);
    Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
    GCMParameterSpec nonce = new GCMParameterSpec(128, sealed, 2 + idLength, 12);
    cipher.init(Cipher.DECRYPT_MODE, new SecretKeySpec(key, "AES"), nonce);
    cipher.updateAAD("agent-cache".getBytes(StandardCharsets.UTF_8));
    int from = 2 + idLength + 12;
    byte[] plain = cipher.doFinal(sealed, from, sealed.length - from);
    return Broker.json(new String(plain, StandardCharsets.UTF_8));
  }

  private static byte[] bytes(JsonNode numbers) {
    byte[] bytes = new byte[numbers.size()];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) numbers.get(i).asInt();
    }
    return bytes;
  }

  private static byte[] hmac(byte[] key, String text) throws Exception {
    Mac mac = Mac.getInstance("HmacSHA256");
    mac.init(new SecretKeySpec(key, "HmacSHA256"));
    return mac.doFinal(text.getBytes(StandardCharsets.UTF_8));
  }

  /** The key that verifies what was signed on a day. */
  private static byte[] verificationKey(Keys keys, LocalDate day) throws Exception {
    byte[] key = ("AWS4" + keys.secret()).getBytes(StandardCharsets.UTF_8);
    String date = day.format(DateTimeFormatter.BASIC_ISO_DATE);
    for (String step : List.of(date, "us-east-1", "kafka-cluster", "aws4_request")) {
      key = hmac(key, step);
    }
    return key;
  }

  /** What a process that holds credentials has in its memory: keys and sealed tokens. */
  private static Needles secrets(Broker broker, Keys keys) throws Exception {
    Needles needles = new Needles();
    for (Map.Entry<String, byte[]> key :
        ring(broker.store().resolveSibling("store.db.key")).entrySet()) {
      needles.add("a key of the store", key.getValue());
      byte[] id = key.getKey().getBytes(StandardCharsets.UTF_8);
      byte[] head = new byte[2 + id.length];
      head[0] = 1;
      head[1] = (byte) id.length;
      System.arraycopy(id, 0, head, 2, id.length);
      needles.add("a sealed token", head);
    }
    LocalDate today = LocalDate.now(ZoneOffset.UTC);
    needles.add("a verification key", verificationKey(keys, today));
    // The day may just have begun.
    needles.add("a verification key", verificationKey(keys, today.minusDays(1)));
    return needles;
  }

  @Test
  void p1_26_a_brokers_memory_holds_no_secret_and_its_agent_may_die() throws Exception {
    Topics.create(broker, topic);
    Keys user = iam.user(Iam.fresh("user"), Policy.connect(broker).produce(topic));
    try (RawClient client = RawClient.loggedIn(broker, user)) {
      assertEquals(Errors.NONE, Wire.produce(client, topic));
      assertEquals(Errors.TOPIC_AUTHORIZATION_FAILED, Wire.fetch(client, topic));
      RawClient.loggedIn(broker, user).close();

      Set<String> all = Set.of("a key of the store", "a sealed token", "a verification key");
      Needles needles = secrets(broker, user);
      assertEquals(all, Memory.holds(broker.pid("agent"), needles), "the agent holds it");
      int[] kept = {0};
      Wait.until(
          "what the agent keeps on disk",
          () -> {
            for (JsonNode entry : held().get("kept")) {
              needles.secret("an impersonation secret", bytes(entry.get("secret")));
              needles.secret("an impersonation token", bytes(entry.get("token")));
              for (JsonNode lease : entry.get("leases")) {
                byte[] key = bytes(lease.get("key"));
                kept[0] +=
                    Arrays.equals(key, verificationKey(user, LocalDate.now(ZoneOffset.UTC)))
                        ? 1
                        : 0;
                needles.secret("a leased key", key);
              }
            }
            return kept[0] > 0;
          });
      assertEquals(Set.of(), Memory.holds(broker.pid("broker"), needles), "the broker holds it");

      // Dead, it refuses nobody: what is known goes on, who comes has to try again.
      ProcessHandle agent = ProcessHandle.of(broker.pid("agent")).orElseThrow();
      agent.destroyForcibly();
      Wait.until("the end of the agent", () -> !agent.isAlive());
      assertEquals(Errors.NONE, Wire.produce(client, topic));
      try (RawClient other = RawClient.connect(broker, "CLIENT")) {
        byte[] message = Signed.by(user).message();
        assertThrows(RawClient.Closed.class, () -> other.tryLogIn(message), "not a refusal");
      }
      broker.startAgent();
      RawClient.loggedIn(broker, user).close();
      iam.disable(user);
      Wait.until(
          "the end of the session",
          () -> Wire.produce(client, topic) == Errors.TOPIC_AUTHORIZATION_FAILED);
    }
  }

  /** With the agent as a thread the same search finds it: the one above can fail. */
  @Test
  void p1_26_with_the_agent_as_a_thread_the_broker_holds_the_secrets() throws Exception {
    Broker near = Brokers.combined();
    Keys user = Iam.of(near).user(Iam.fresh("user"), Policy.connect(near));
    try (RawClient client = RawClient.loggedIn(near, user)) {
      // Used while it is open, so that its session is held.
      Wire.group(client, "any");
      assertEquals(
          Set.of("a key of the store", "a sealed token", "a verification key"),
          Memory.holds(near.pid("broker"), secrets(near, user)));
    }
  }
}
