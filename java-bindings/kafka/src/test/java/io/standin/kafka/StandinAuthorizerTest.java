// SPDX-License-Identifier: Apache-2.0
package io.standin.kafka;

import static org.apache.kafka.common.acl.AclOperation.CREATE;
import static org.apache.kafka.common.acl.AclOperation.DESCRIBE;
import static org.apache.kafka.common.acl.AclOperation.READ;
import static org.apache.kafka.common.acl.AclOperation.WRITE;
import static org.apache.kafka.common.resource.ResourceType.CLUSTER;
import static org.apache.kafka.common.resource.ResourceType.GROUP;
import static org.apache.kafka.common.resource.ResourceType.TOPIC;
import static org.apache.kafka.common.resource.ResourceType.TRANSACTIONAL_ID;
import static org.apache.kafka.server.authorizer.AuthorizationResult.ALLOWED;
import static org.apache.kafka.server.authorizer.AuthorizationResult.DENIED;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.errors.ApiException;
import org.apache.kafka.common.errors.CoordinatorNotAvailableException;
import org.apache.kafka.common.errors.NotLeaderOrFollowerException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.kafka.common.security.auth.KafkaPrincipal;
import org.apache.kafka.metadata.authorizer.StandardAcl;
import org.apache.kafka.server.authorizer.Action;
import org.apache.kafka.server.authorizer.AuthorizationResult;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.io.TempDir;

/** Decisions for principals of Standin, and for all others. */
class StandinAuthorizerTest {
  @TempDir Path dir;

  private Stage stage;

  @BeforeEach
  void build(TestInfo test) throws Exception {
    stage = new Stage(dir, test.getTestMethod().orElseThrow().getName());
  }

  @AfterEach
  void takeDown() throws Exception {
    stage.close();
  }

  private static AuthorizationResult one(
      StandinAuthorizer authorizer,
      KafkaPrincipal principal,
      AclOperation operation,
      ResourceType type,
      String name) {
    List<AuthorizationResult> results =
        authorizer.authorize(
            Stage.request(principal, ApiKeys.PRODUCE.id),
            List.of(Stage.action(operation, type, name)));
    assertEquals(1, results.size());
    return results.get(0);
  }

  @Test
  void p1_11_an_operation_gets_what_the_policies_of_its_principal_say() throws Exception {
    StandinAuthorizer authorizer = stage.authorizer();
    String arn = Stage.arn("topic", "t1");
    KafkaPrincipal writer =
        stage.logIn(stage.user("writer", Stage.statement("Allow", "WriteData", arn)));
    KafkaPrincipal nobody = stage.logIn(stage.user("nobody"));
    assertEquals(ALLOWED, one(authorizer, writer, WRITE, TOPIC, "t1"));
    assertEquals(DENIED, one(authorizer, writer, WRITE, TOPIC, "t2"));
    assertEquals(DENIED, one(authorizer, writer, READ, TOPIC, "t1"));
    assertEquals(DENIED, one(authorizer, nobody, WRITE, TOPIC, "t1"));
  }

  @Test
  void p1_43_results_are_as_many_as_questions_and_in_their_order() throws Exception {
    StandinAuthorizer authorizer = stage.authorizer();
    KafkaPrincipal user =
        stage.logIn(
            stage.user("user", Stage.statement("Allow", "ReadData", Stage.arn("topic", "yes-*"))));
    for (int size : new int[] {0, 1, 2, 63, 64, 65, 500, 5000}) {
      List<Action> asked = new ArrayList<>();
      List<AuthorizationResult> expected = new ArrayList<>();
      for (int i = 0; i < size; i++) {
        boolean allowed = (i * 7 + i / 3) % 2 == 0;
        // Names that are no text stand between the others and are denied.
        boolean broken = i % 5 == 4;
        String name = (allowed ? "yes-" : "no-") + i + (broken ? "\ud800" : "");
        asked.add(Stage.action(READ, TOPIC, name));
        expected.add(allowed && !broken ? ALLOWED : DENIED);
      }
      assertEquals(
          expected, authorizer.authorize(Stage.request(user, ApiKeys.FETCH.id), asked), "" + size);
    }
  }

  @Test
  void p1_36_names_are_compared_as_the_text_they_are() throws Exception {
    StandinAuthorizer authorizer = stage.authorizer();
    // Beyond the basic plane, NUL, and characters that mean something in patterns and ARNs.
    List<String> names =
        List.of("grüße", "\ud83d\ude00", "a\u0000b", "a/b", "a:b", "x", "\uffff", "\u07ff\u0800");
    List<String> statements = new ArrayList<>();
    for (String name : names) {
      statements.add(Stage.statement("Deny", "AlterGroup", Stage.arn("group", name)));
      statements.add(
          Stage.statement("Deny", "AlterTransactionalId", Stage.arn("transactional-id", name)));
    }
    statements.add(Stage.statement("Allow", "*", "*"));
    KafkaPrincipal user = stage.logIn(stage.user("user", statements.toArray(String[]::new)));
    for (String name : names) {
      assertEquals(DENIED, one(authorizer, user, READ, GROUP, name), name);
      assertEquals(DENIED, one(authorizer, user, WRITE, TRANSACTIONAL_ID, name), name);
      assertEquals(ALLOWED, one(authorizer, user, READ, GROUP, name + "+"), name);
      assertEquals(ALLOWED, one(authorizer, user, DESCRIBE, GROUP, name), name);
    }
  }

  @Test
  void p1_36_a_name_with_wildcards_is_a_name_and_no_pattern() throws Exception {
    StandinAuthorizer authorizer = stage.authorizer();
    KafkaPrincipal user =
        stage.logIn(
            stage.user("user", Stage.statement("Allow", "AlterGroup", Stage.arn("group", "abc"))));
    assertEquals(ALLOWED, one(authorizer, user, READ, GROUP, "abc"));
    for (String name : List.of("*", "a*", "ab?", "a/../abc", "", "abc ")) {
      assertEquals(DENIED, one(authorizer, user, READ, GROUP, name), name);
    }
  }

  @Test
  void p1_45_neither_acls_nor_super_users_give_a_principal_of_standin_anything() throws Exception {
    String user = stage.user("user");
    KafkaPrincipal principal = stage.logIn(user);
    StandinAuthorizer authorizer =
        stage.authorizer(stage.configs("super.users", "User:" + principal.getName()));
    authorizer.addAcl(Uuid.randomUuid(), acl("User:*", AclPermissionType.ALLOW));
    authorizer.addAcl(Uuid.randomUuid(), acl(principal.toString(), AclPermissionType.ALLOW));
    assertEquals(DENIED, one(authorizer, principal, READ, TOPIC, "t"));
    stage.rule("policy", "put", "own", allowRead(), "--user", user);
    waitUntilAllowed(authorizer, principal);
    authorizer.addAcl(Uuid.randomUuid(), acl("User:*", AclPermissionType.DENY));
    assertEquals(ALLOWED, one(authorizer, principal, READ, TOPIC, "t"));
  }

  private String allowRead() throws Exception {
    Path file = dir.resolve("read.json");
    String statement = Stage.statement("Allow", "ReadData", "*");
    java.nio.file.Files.writeString(
        file, "{\"Version\": \"2012-10-17\", \"Statement\": [" + statement + "]}");
    return file.toString();
  }

  private static void waitUntilAllowed(StandinAuthorizer authorizer, KafkaPrincipal principal)
      throws InterruptedException {
    for (int i = 0; one(authorizer, principal, READ, TOPIC, "t") == DENIED; i++) {
      assertTrue(i < 1000, "the policy did not come into force");
      Thread.sleep(10);
    }
  }

  private static StandardAcl acl(String principal, AclPermissionType permission) {
    return new StandardAcl(
        TOPIC, "t", PatternType.LITERAL, principal, "*", AclOperation.ALL, permission);
  }

  @Test
  void p1_45_other_principals_are_decided_by_acls() throws Exception {
    StandinAuthorizer authorizer =
        stage.authorizer(stage.configs("super.users", "User:root;User:admin"));
    KafkaPrincipal alice = new KafkaPrincipal("User", "alice");
    assertEquals(DENIED, one(authorizer, alice, READ, TOPIC, "t"));
    assertEquals(ALLOWED, one(authorizer, new KafkaPrincipal("User", "root"), READ, TOPIC, "t"));
    Uuid id = Uuid.randomUuid();
    authorizer.addAcl(id, acl("User:alice", AclPermissionType.ALLOW));
    assertEquals(ALLOWED, one(authorizer, alice, READ, TOPIC, "t"));
    assertEquals(
        ALLOWED,
        authorizer.authorizeByResourceType(
            Stage.request(alice, ApiKeys.INIT_PRODUCER_ID.id), WRITE, TOPIC));
    assertEquals(1, authorizer.aclCount());
    authorizer.removeAcl(id);
    assertEquals(DENIED, one(authorizer, alice, READ, TOPIC, "t"));
  }

  @Test
  void x_02_a_reserved_name_without_a_session_is_denied_whatever_else_holds() throws Exception {
    String name = "arn:aws:iam::000000000000:user/writer";
    var configs = stage.configs("super.users", "User:" + name + ";User:ARN:AWS:x");
    configs.put("allow.everyone.if.no.acl.found", "true");
    StandinAuthorizer authorizer = stage.authorizer(configs);
    authorizer.addAcl(Uuid.randomUuid(), acl("User:" + name, AclPermissionType.ALLOW));
    KafkaPrincipal alice = new KafkaPrincipal("User", "alice");
    assertEquals(ALLOWED, one(authorizer, alice, READ, TOPIC, "u"), "nobody has ACLs on u");
    for (String reserved : List.of(name, "arn:", "ARN:AWS:x", "Arn:anything")) {
      for (String type : List.of("User", "Group")) {
        for (boolean token : new boolean[] {false, true}) {
          KafkaPrincipal plain = new KafkaPrincipal(type, reserved, token);
          assertEquals(DENIED, one(authorizer, plain, READ, TOPIC, "t"), reserved);
          assertEquals(DENIED, one(authorizer, plain, READ, TOPIC, "u"), reserved);
          assertEquals(
              DENIED,
              authorizer.authorizeByResourceType(
                  Stage.request(plain, ApiKeys.INIT_PRODUCER_ID.id), WRITE, TOPIC));
        }
      }
    }
  }

  @Test
  void p1_43_what_could_not_be_decided_is_an_error_of_the_request_and_no_denial() {
    StandinAuthorizer authorizer = stage.authorizer();
    KafkaPrincipal forwarded = StandinPrincipal.undecided("arn:aws:iam::000000000000:user/u");
    List<Action> asked =
        List.of(Stage.action(READ, TOPIC, "a"), Stage.action(CREATE, CLUSTER, "kafka-cluster"));
    assertInstanceOf(
        NotLeaderOrFollowerException.class, refusal(authorizer, forwarded, ApiKeys.FETCH, asked));
    assertInstanceOf(
        CoordinatorNotAvailableException.class,
        refusal(authorizer, forwarded, ApiKeys.HEARTBEAT, asked));
    assertInstanceOf(
        TimeoutException.class, refusal(authorizer, forwarded, ApiKeys.CREATE_TOPICS, asked));
    assertThrows(
        TimeoutException.class,
        () ->
            authorizer.authorizeByResourceType(
                Stage.request(forwarded, ApiKeys.INIT_PRODUCER_ID.id), WRITE, TOPIC));
  }

  private static ApiException refusal(
      StandinAuthorizer authorizer, KafkaPrincipal principal, ApiKeys key, List<Action> asked) {
    return assertThrows(
        ApiException.class, () -> authorizer.authorize(Stage.request(principal, key.id), asked));
  }

  @Test
  void p1_43_a_session_that_is_gone_before_its_time_is_undecided() throws Exception {
    StandinAuthorizer authorizer = stage.authorizer();
    StandinPrincipal user = stage.logIn(stage.user("user", Stage.statement("Allow", "*", "*")));
    assertEquals(ALLOWED, one(authorizer, user, READ, TOPIC, "t"));
    stage.close();
    assertInstanceOf(
        NotLeaderOrFollowerException.class,
        refusal(authorizer, user, ApiKeys.PRODUCE, List.of(Stage.action(READ, TOPIC, "t"))));
  }

  @Test
  void x_02_a_login_over_a_channel_without_tls_allows_nothing() throws Exception {
    StandinAuthorizer authorizer = stage.authorizer();
    StandinSaslServer server = stage.server(stage.user("user", Stage.statement("Allow", "*", "*")));
    KafkaPrincipal principal =
        stage
            .builder()
            .build(
                Stage.channel(
                    server, org.apache.kafka.common.security.auth.SecurityProtocol.SASL_PLAINTEXT));
    assertEquals(DENIED, one(authorizer, principal, READ, TOPIC, "t"));
  }

  @Test
  void p1_36_an_idempotent_producer_needs_one_topic_it_may_write() throws Exception {
    StandinAuthorizer authorizer = stage.authorizer();
    String some = Stage.arn("topic", "t-*");
    KafkaPrincipal writer =
        stage.logIn(stage.user("writer", Stage.statement("Allow", "WriteData", some)));
    KafkaPrincipal limited =
        stage.logIn(
            stage.user(
                "limited",
                Stage.statement("Allow", "WriteData", some),
                Stage.statement("Deny", "WriteData", Stage.arn("topic", "*"))));
    var init = ApiKeys.INIT_PRODUCER_ID.id;
    assertEquals(
        ALLOWED, authorizer.authorizeByResourceType(Stage.request(writer, init), WRITE, TOPIC));
    assertEquals(
        DENIED, authorizer.authorizeByResourceType(Stage.request(writer, init), READ, TOPIC));
    assertEquals(
        DENIED, authorizer.authorizeByResourceType(Stage.request(limited, init), WRITE, TOPIC));
    // The answer is about no topic in particular.
    assertEquals(DENIED, one(authorizer, writer, WRITE, TOPIC, "hardcode"));
    assertEquals(DENIED, one(authorizer, writer, WRITE, TOPIC, ""));
  }

  @Test
  void p1_43_questions_without_an_action_are_denied_for_an_administrator_too() throws Exception {
    StandinAuthorizer authorizer = stage.authorizer();
    KafkaPrincipal admin = stage.logIn(stage.user("admin", Stage.statement("Allow", "*", "*")));
    assertEquals(ALLOWED, one(authorizer, admin, AclOperation.ALTER, CLUSTER, "kafka-cluster"));
    // As with MSK there is no right to create just any topic: each is asked for by name.
    assertEquals(DENIED, one(authorizer, admin, CREATE, CLUSTER, "kafka-cluster"));
    assertEquals(ALLOWED, one(authorizer, admin, CREATE, TOPIC, "t"));
    assertEquals(
        Collections.nCopies(2, DENIED),
        authorizer.authorize(
            Stage.request(admin, ApiKeys.PRODUCE.id),
            List.of(
                Stage.action(WRITE, GROUP, "g"), Stage.action(AclOperation.UNKNOWN, TOPIC, "t"))));
  }
}
