// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.CommonClientConfigs;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.errors.AuthenticationException;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.errors.SaslAuthenticationException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.protocol.ApiKeys;
import org.junit.jupiter.api.Test;

/** Where clients have their credentials from, and what they are told when they get nowhere. */
class ClientsSideTest {
  private final Broker broker = Brokers.combined();
  private final Iam iam = Iam.of(broker);

  /** Runs the one ordinary client with credentials from its environment; its answers. */
  private List<JsonNode> drive(Map<String, String> credentials, String... commands)
      throws Exception {
    // The same for all: nothing in it tells where credentials come from.
    return OwnProcess.drive(broker, "", List.of(), credentials, commands).answers();
  }

  private Path profile(String name) throws IOException {
    Path file = broker.dir().resolve(Iam.fresh(name));
    assertFalse(Files.exists(file));
    return file;
  }

  private static void assertPrivate(Path file) throws IOException {
    assertEquals(PosixFilePermissions.fromString("rw-------"), Files.getPosixFilePermissions(file));
  }

  @Test
  void p1_32_the_source_of_credentials_changes_and_the_client_does_not() throws Exception {
    String topic = Iam.fresh("topic");
    Topics.create(broker, topic);
    String user = Iam.fresh("user");
    String role = Iam.fresh("role");
    Policy policy = Policy.connect(broker).produce(topic);
    Keys keys = iam.user(user, policy);
    iam.role(role, keys.arn(), 3600, policy);
    Keys session = iam.assume(role, user, "session", 900);
    Map<String, String> fixed = new HashMap<>();
    fixed.put("AWS_ACCESS_KEY_ID", keys.id());
    fixed.put("AWS_SECRET_ACCESS_KEY", keys.secret());
    Map<String, String> temporary = new HashMap<>();
    temporary.put("AWS_ACCESS_KEY_ID", session.id());
    temporary.put("AWS_SECRET_ACCESS_KEY", session.secret());
    temporary.put("AWS_SESSION_TOKEN", session.token());
    // Files as the program writes them, under the name of SDKs and under one of their own.
    Path byKey = profile("by-key");
    broker.standin("key", "create", user, "--profile-file", byKey.toString());
    assertPrivate(byKey);
    Path byRole = profile("by-role");
    broker.standin(
        "role",
        "assume",
        role,
        "--user",
        user,
        "--session-name",
        "session",
        "--profile-file",
        byRole.toString());
    assertPrivate(byRole);
    Map<String, String> keyFile = Map.of("AWS_SHARED_CREDENTIALS_FILE", byKey.toString());
    Map<String, String> roleFile = Map.of("AWS_SHARED_CREDENTIALS_FILE", byRole.toString());
    int sent = 0;
    for (Map<String, String> source : List.of(fixed, temporary, keyFile, roleFile)) {
      JsonNode answer = drive(source, "produce " + topic + " 5").get(0);
      assertTrue(answer.get("ok").asBoolean(), source.keySet() + ": " + answer);
      sent += 5;
    }
    assertEquals(sent, Topics.end(broker, topic));
    Keys.of(Iam.fresh("known"), keys.arn(), byKey);
    Keys.of(Iam.fresh("known"), session.arn(), byRole);
  }

  @Test
  void p1_33_without_its_entry_in_the_store_a_client_sends_nothing_to_log_in_with()
      throws Exception {
    String topic = Iam.fresh("topic");
    Topics.create(broker, topic);
    Keys keys = iam.user(Iam.fresh("user"), Policy.connect(broker).produce(topic));
    try (Tap tap = Tap.open().to(broker.address("TAPPED"))) {
      Map<String, Object> config = Clients.config(broker, "TAPPED", keys);
      config.put(CommonClientConfigs.BOOTSTRAP_SERVERS_CONFIG, tap.address());
      try (Admin admin = Admin.create(config)) {
        admin.describeCluster().nodes().get();
      }
      assertEquals(1, logins(tap));
      // To the address it began with, and to the one it was told.
      Wait.until("both logins in the audit", () -> recorded(keys) == 2);
      long known = recorded(keys);
      // Read when it connects: taken out, the next connection has nothing to sign with.
      keys.forget();
      try (Admin admin = Admin.create(config)) {
        ExecutionException failed =
            assertThrows(ExecutionException.class, () -> admin.describeCluster().nodes().get());
        assertInstanceOf(SaslAuthenticationException.class, failed.getCause());
        assertTrue(chain(failed).contains(keys.profile()), chain(failed));
      }
      assertEquals(1, logins(tap), "a login was sent");
      assertEquals(known, recorded(keys), "the broker knows of another login");
    }
  }

  private long recorded(Keys keys) {
    return iam.audit("--identity", keys.arn(), "--action", "login").size();
  }

  private static long logins(Tap tap) {
    return tap.lines().stream()
        .flatMap(line -> line.frames().stream())
        .filter(frame -> frame.api() == ApiKeys.SASL_AUTHENTICATE.id)
        .count();
  }

  private static String chain(Throwable e) {
    StringBuilder text = new StringBuilder();
    for (Throwable one = e; one != null; one = one.getCause()) {
      text.append(one).append('\n');
    }
    return text.toString();
  }

  /** What a client is told that asks for the nodes of the cluster and writes a record. */
  private static Throwable told(Map<String, Object> config, String topic) {
    config.put(CommonClientConfigs.REQUEST_TIMEOUT_MS_CONFIG, 5000);
    config.put(CommonClientConfigs.DEFAULT_API_TIMEOUT_MS_CONFIG, 5000);
    try (Admin admin = Admin.create(config)) {
      admin.describeCluster().nodes().get();
    } catch (ExecutionException e) {
      return e.getCause();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
    try (KafkaProducer<byte[], byte[]> producer = Clients.producer(new HashMap<>(config))) {
      producer.send(new ProducerRecord<>(topic, new byte[] {1})).get();
      return null;
    } catch (ExecutionException | KafkaException e) {
      return e.getCause();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void p1_34_not_connected_not_authenticated_and_not_authorized_are_three_kinds_of_errors()
      throws Exception {
    String topic = Iam.fresh("topic");
    Topics.create(broker, topic);
    Keys good = iam.user(Iam.fresh("user"), Policy.connect(broker).produce(topic));
    Keys reader =
        iam.user(Iam.fresh("reader"), Policy.connect(broker).topic("DescribeTopic", topic));
    Keys barred = iam.user(Iam.fresh("barred"), Policy.none(broker).produce(topic));
    // Keys whose secret was copied wrongly.
    Path copy = profile("copy");
    Files.writeString(
        copy,
        "[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n"
            .formatted(good.id(), new StringBuilder(good.secret()).reverse()));
    Keys wrong = Keys.of(Iam.fresh("wrong"), good.arn(), copy);

    assertEquals(null, told(Clients.config(broker, "CLIENT", good), topic));
    // Nobody listens; clients go on trying until their time is over.
    Map<String, Object> closed = Clients.config(broker, "CLIENT", good);
    try (ServerSocket port = new ServerSocket(0)) {
      closed.put(CommonClientConfigs.BOOTSTRAP_SERVERS_CONFIG, "localhost:" + port.getLocalPort());
    }
    Throwable unreachable = told(closed, topic);
    assertInstanceOf(TimeoutException.class, unreachable);

    for (Keys keys : List.of(wrong, barred)) {
      Throwable refused = told(Clients.config(broker, "CLIENT", keys), topic);
      assertInstanceOf(AuthenticationException.class, refused);
      assertInstanceOf(SaslAuthenticationException.class, refused);
      String text = refused.getMessage();
      assertTrue(text.matches("(?s).*\\[[0-9a-f]+-[0-9]+]: Access denied.*"), text);
    }
    // Which of the two it was is for the operator.
    Wait.until("the reason of a wrong signature", () -> seen(good, -202));
    Wait.until("the reason of a missing permission", () -> seen(barred, -209));

    assertInstanceOf(
        AuthorizationException.class, told(Clients.config(broker, "CLIENT", reader), topic));
  }

  private boolean seen(Keys keys, int status) {
    return iam.audit("--action", "login").stream()
        .filter(record -> record.at("/actor/user/credential_uid").asText().equals(keys.id()))
        .anyMatch(record -> record.at("/status_code").asInt() == status);
  }
}
