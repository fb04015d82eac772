// SPDX-License-Identifier: Apache-2.0
package io.standin.kafka;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.standin.internal.Engine;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.config.ConfigException;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.kafka.common.security.auth.SecurityProtocol;
import org.apache.kafka.server.authorizer.AuthorizationResult;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Authorizers come and go: combined roles, several brokers in one JVM, failed starts. */
class StandinAuthorizerLifeTest {
  @TempDir Path dir;

  @Test
  void x_05_many_authorizers_share_an_engine_and_the_last_one_stops_it() throws Exception {
    try (Stage stage = new Stage(dir, "many")) {
      for (int round = 0; round < 5; round++) {
        List<StandinAuthorizer> open = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
          open.add(stage.authorizer());
        }
        assertTrue(threads().contains("standin-log"), threads().toString());
        for (StandinAuthorizer authorizer : open) {
          authorizer.close();
          authorizer.close();
        }
        awaitNoThreads();
      }
    }
  }

  @Test
  void x_05_an_authorizer_works_on_while_others_close() throws Exception {
    try (Stage stage = new Stage(dir, "stays")) {
      StandinAuthorizer stays = stage.authorizer();
      StandinPrincipal user = stage.logIn(stage.user("user", Stage.statement("Allow", "*", "*")));
      for (int i = 0; i < 5; i++) {
        StandinAuthorizer goes = stage.authorizer();
        goes.close();
        goes.close();
        assertEquals(
            List.of(AuthorizationResult.ALLOWED),
            stays.authorize(
                Stage.request(user, ApiKeys.FETCH.id),
                List.of(Stage.action(AclOperation.READ, ResourceType.TOPIC, "t" + i))));
      }
    }
  }

  @Test
  void x_05_a_principal_of_a_closed_broker_is_nobody_of_the_next_one_in_the_jvm() throws Exception {
    try (Stage stage = new Stage(dir, "next")) {
      String mayWrite = stage.user("writer", Stage.statement("Allow", "*", "*"));
      String mayNot = stage.user("other");
      List<StandinPrincipal> earlier = new ArrayList<>();
      for (int round = 0; round < 6; round++) {
        StandinServerCallbackHandler handler = new StandinServerCallbackHandler();
        handler.configure(stage.configs(), Mechanism.AWS_MSK_IAM.name(), List.of());
        StandinAuthorizer authorizer = stage.authorizer();
        StandinSaslServer server = new StandinSaslServer(handler);
        // Whoever comes next in the same place has other rights.
        boolean may = round % 2 == 1;
        server.evaluateResponse(stage.message(may ? mayWrite : mayNot));
        StandinPrincipal principal =
            (StandinPrincipal)
                stage.builder().build(Stage.channel(server, SecurityProtocol.SASL_SSL));
        for (StandinPrincipal old : earlier) {
          assertFalse(mayWrite(authorizer, old), "a session of an engine that is closed");
        }
        if (round % 3 == 2) {
          // Their sessions are released when they are collected.
          earlier.clear();
          for (int i = 0; i < 5; i++) {
            System.gc();
          }
        }
        assertEquals(may, mayWrite(authorizer, principal));
        earlier.add(principal);
        authorizer.close();
        handler.close();
        assertEquals(0, Engine.idOf("next"));
      }
    }
  }

  private static boolean mayWrite(StandinAuthorizer authorizer, StandinPrincipal principal) {
    try {
      var asked = List.of(Stage.action(AclOperation.WRITE, ResourceType.TOPIC, "t"));
      return authorizer
          .authorize(Stage.request(principal, ApiKeys.CREATE_TOPICS.id), asked)
          .equals(List.of(AuthorizationResult.ALLOWED));
    } catch (org.apache.kafka.common.errors.TimeoutException e) {
      // Its engine is gone and its time is not over: undecided.
      return false;
    }
  }

  @Test
  void x_05_two_engines_live_side_by_side() throws Exception {
    try (Stage one = new Stage(dir, "one");
        Stage two = new Stage(dir, "two")) {
      StandinAuthorizer first = one.authorizer();
      StandinAuthorizer second = two.authorizer();
      String all = Stage.statement("Allow", "*", "*");
      StandinPrincipal user = one.logIn(one.user("user", all));
      StandinPrincipal other = two.logIn(two.user("user"));
      var asked = List.of(Stage.action(AclOperation.READ, ResourceType.TOPIC, "t"));
      assertEquals(
          List.of(AuthorizationResult.ALLOWED),
          first.authorize(Stage.request(user, ApiKeys.FETCH.id), asked));
      assertEquals(
          List.of(AuthorizationResult.DENIED),
          second.authorize(Stage.request(other, ApiKeys.FETCH.id), asked));
    }
  }

  @Test
  void settings_in_which_two_openers_differ_are_named() throws Exception {
    try (Stage stage = new Stage(dir, "differs")) {
      stage.authorizer();
      String text = refusal(stage.configs("standin.audit.window.ms", "2000"));
      assertTrue(text.contains("standin.audit.window.ms"), text);
    }
    awaitNoThreads();
  }

  @Test
  void an_unknown_setting_is_refused_with_the_nearest_known_one() throws Exception {
    try (Stage stage = new Stage(dir, "unknown")) {
      String text = refusal(stage.configs("standin.cluster.alias", "x"));
      assertTrue(text.contains("did you mean standin.cluster.aliases?"), text);
    }
    awaitNoThreads();
  }

  @Test
  void x_02_delegation_tokens_stop_the_start_unless_they_are_to_be_ignored() throws Exception {
    try (Stage stage = new Stage(dir, "tokens")) {
      Map<String, Object> configs = stage.configs("delegation.token.secret.key", "secret");
      String text = refusal(configs);
      assertTrue(text.contains("standin.delegation.tokens=ignore"), text);
      configs.put("standin.delegation.tokens", "ignore");
      stage.authorizer(configs);
    }
  }

  @Test
  void settings_of_a_file_count_like_those_of_the_broker() throws Exception {
    try (Stage stage = new Stage(dir, "file")) {
      Path file = dir.resolve("standin.toml");
      Files.writeString(
          file,
          """
          [standin]
          delegation.tokens = "ignore"
          allow.plaintext = true
          retire.grace.ms = 1234
          """);
      Map<String, Object> configs = stage.configs("standin.config", file.toString());
      configs.put("delegation.token.secret.key", "secret");
      configs.put("listener.security.protocol.map", "CLIENT:SASL_PLAINTEXT");
      configs.put(
          "listener.name.client.aws_msk_iam.sasl.jaas.config",
          StandinLoginModule.class.getName() + " required;");
      stage.authorizer(configs);
      StandinServerCallbackHandler handler = new StandinServerCallbackHandler();
      handler.configure(configs, "AWS_MSK_IAM", List.of());
      assertEquals(1234, handler.retireGraceMs());
      handler.close();
      Files.writeString(file, "[standin]\ndelegation.tokens = \"ignore\"\n");
      String text = refusal(configs);
      assertTrue(text.contains("SASL_PLAINTEXT"), text);
    }
  }

  private static String refusal(Map<String, Object> configs) throws Exception {
    try (StandinAuthorizer authorizer = new StandinAuthorizer()) {
      return assertThrows(ConfigException.class, () -> authorizer.configure(configs)).getMessage();
    }
  }

  @Test
  void x_05_a_jvm_with_an_open_authorizer_ends_by_itself() throws Exception {
    try (Stage stage = new Stage(dir, "exits")) {
      List<String> command = new ArrayList<>();
      command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
      command.addAll(List.of("-cp", System.getProperty("java.class.path"), Opens.class.getName()));
      stage.configs().forEach((name, value) -> command.add(name + "=" + value));
      Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
      assertTrue(process.waitFor(60, TimeUnit.SECONDS), "the JVM is kept by a thread of ours");
      String out = new String(process.getInputStream().readAllBytes());
      assertEquals(0, process.exitValue(), out);
      assertTrue(out.contains("opened"), out);
    }
  }

  /** A program that opens an authorizer and returns without closing it. */
  static final class Opens {
    private Opens() {}

    public static void main(String[] settings) {
      Map<String, String> configs = new java.util.HashMap<>();
      for (String setting : settings) {
        int at = setting.indexOf('=');
        configs.put(setting.substring(0, at), setting.substring(at + 1));
      }
      new StandinAuthorizer().configure(configs);
      System.out.println("opened");
    }
  }

  private static List<String> threads() {
    return Thread.getAllStackTraces().keySet().stream()
        .map(Thread::getName)
        .filter(name -> name.startsWith("standin"))
        .toList();
  }

  private static void awaitNoThreads() throws InterruptedException {
    for (int i = 0; i < 1000 && !threads().isEmpty(); i++) {
      Thread.sleep(10);
    }
    assertEquals(List.of(), threads());
  }
}
