// SPDX-License-Identifier: Apache-2.0
package io.standin.kafka;

import static org.apache.kafka.common.acl.AclOperation.CREATE;
import static org.apache.kafka.common.acl.AclOperation.READ;
import static org.apache.kafka.common.acl.AclOperation.WRITE;
import static org.apache.kafka.common.resource.ResourceType.CLUSTER;
import static org.apache.kafka.common.resource.ResourceType.GROUP;
import static org.apache.kafka.common.resource.ResourceType.TOPIC;
import static org.apache.kafka.server.authorizer.AuthorizationResult.ALLOWED;
import static org.apache.kafka.server.authorizer.AuthorizationResult.DENIED;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.standin.internal.Engine;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.config.ConfigException;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.kafka.common.security.auth.KafkaPrincipal;
import org.apache.kafka.metadata.authorizer.StandardAcl;
import org.apache.kafka.server.authorizer.AuthorizationResult;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.io.TempDir;

/** Shadow mode: ACLs decide, policies are compared, nobody notices. */
class ShadowTest {
  @TempDir Path dir;

  private Stage stage;
  private StandinAuthorizer authorizer;
  private Engine engine;

  @BeforeEach
  void build(TestInfo test) throws Exception {
    stage =
        new Stage(dir, test.getTestMethod().orElseThrow().getName())
            .with("standin.mode", "shadow")
            .with("super.users", "User:admin;User:CN=broker,OU=kafka")
            .with("standin.shadow.principals", "User:CN=*,OU=apps -> user/*; User:* -> user/*");
    authorizer = stage.authorizer();
    engine = Engine.open(Settings.of(stage.configs()));
  }

  @AfterEach
  void takeDown() throws Exception {
    engine.close();
    stage.close();
  }

  private void allow(String principal, AclOperation operation, ResourceType type, String name) {
    authorizer.addAcl(
        Uuid.randomUuid(),
        new StandardAcl(
            type, name, PatternType.LITERAL, principal, "*", operation, AclPermissionType.ALLOW));
  }

  private AuthorizationResult ask(
      KafkaPrincipal principal, AclOperation operation, ResourceType type, String name) {
    List<AuthorizationResult> results =
        authorizer.authorize(
            Stage.request(principal, ApiKeys.PRODUCE.id),
            List.of(Stage.action(operation, type, name)));
    assertEquals(1, results.size());
    return results.get(0);
  }

  private long metric(String name) {
    return engine.metrics()[Engine.metricNames().indexOf(name)];
  }

  private static KafkaPrincipal user(String name) {
    return new KafkaPrincipal(KafkaPrincipal.USER_TYPE, name);
  }

  private void compared(long count) throws InterruptedException {
    // Identities that do not log in here are read aside.
    for (int i = 0; metric("shadow-compared-total") != count && i < 3000; i++) {
      Thread.sleep(10);
    }
    assertEquals(count, metric("shadow-compared-total"));
  }

  @Test
  void acls_of_the_mapped_principal_decide_for_a_client_of_standin() throws Exception {
    KafkaPrincipal writer =
        stage.logIn(
            stage.user(
                "writer", Stage.statement("Allow", "ReadData", Stage.arn("topic", "policy"))));
    long before = metric("shadow-compared-total");
    allow("User:CN=writer,OU=apps", WRITE, TOPIC, "acl");
    allow("User:writer", WRITE, TOPIC, "short");
    assertEquals(ALLOWED, ask(writer, WRITE, TOPIC, "acl"));
    assertEquals(DENIED, ask(writer, WRITE, TOPIC, "short"));
    assertEquals(DENIED, ask(writer, READ, TOPIC, "policy"));
    assertEquals(DENIED, ask(writer, READ, TOPIC, "acl"));
    assertEquals(before + 4, metric("shadow-compared-total"));
    assertEquals(1, metric("shadow-denied-total"));
    assertEquals(1, metric("shadow-allowed-total"));
  }

  @Test
  void no_identity_becomes_a_super_user() throws Exception {
    engine.close();
    stage.close();
    stage =
        new Stage(dir, "super").with("standin.mode", "shadow").with("super.users", "User:admin");
    authorizer = stage.authorizer();
    engine = Engine.open(Settings.of(stage.configs()));
    KafkaPrincipal admin = stage.logIn(stage.user("admin"));
    assertEquals(DENIED, ask(admin, WRITE, TOPIC, "t"));
    assertEquals(ALLOWED, ask(user("admin"), WRITE, TOPIC, "t"));
    // Lists may name an identity that no rule leads back from.
    allow("User:" + admin.getName(), WRITE, TOPIC, "t");
    assertEquals(ALLOWED, ask(admin, WRITE, TOPIC, "t"));
  }

  @Test
  void clients_of_other_listeners_are_compared_and_super_users_are_not() throws Exception {
    stage.user("alice", Stage.statement("Allow", "WriteData", Stage.arn("topic", "both")));
    allow("User:alice", WRITE, TOPIC, "both");
    allow("User:alice", WRITE, TOPIC, "list");
    assertEquals(ALLOWED, ask(user("alice"), WRITE, TOPIC, "both"));
    assertEquals(ALLOWED, ask(user("alice"), WRITE, TOPIC, "list"));
    assertEquals(ALLOWED, ask(user("admin"), WRITE, TOPIC, "any"));
    assertEquals(ALLOWED, ask(user("CN=broker,OU=kafka"), WRITE, TOPIC, "any"));
    assertEquals(DENIED, ask(user("nobody"), WRITE, TOPIC, "any"));
    compared(3);
    assertEquals(1, metric("shadow-denied-total"));
    assertEquals(1, metric("shadow-unknown-total"));
  }

  @Test
  void creating_topics_by_a_right_on_the_cluster_is_compared_as_creating_all() throws Exception {
    stage.user("some", Stage.statement("Allow", "CreateTopic", Stage.arn("topic", "some-*")));
    stage.user("all", Stage.statement("Allow", "CreateTopic", Stage.arn("topic", "*")));
    allow("User:some", CREATE, CLUSTER, "kafka-cluster");
    allow("User:all", CREATE, CLUSTER, "kafka-cluster");
    assertEquals(ALLOWED, ask(user("some"), CREATE, CLUSTER, "kafka-cluster"));
    assertEquals(ALLOWED, ask(user("all"), CREATE, CLUSTER, "kafka-cluster"));
    compared(2);
    assertEquals(1, metric("shadow-denied-total"));
    // Kafka goes on to the topics, which are compared then.
    assertEquals(DENIED, ask(user("other"), CREATE, CLUSTER, "kafka-cluster"));
    assertEquals(2, metric("shadow-compared-total"));
  }

  @Test
  void names_without_a_session_stay_denied_and_ended_sessions_are_over() throws Exception {
    KafkaPrincipal writer = stage.logIn(stage.user("writer"));
    allow("User:CN=writer,OU=apps", WRITE, TOPIC, "t");
    allow("User:" + writer.getName(), WRITE, TOPIC, "t");
    assertEquals(DENIED, ask(user(writer.getName()), WRITE, TOPIC, "t"));
    assertEquals(DENIED, ask(StandinPrincipal.ended(writer.getName()), WRITE, TOPIC, "t"));
    assertEquals(ALLOWED, ask(writer, WRITE, TOPIC, "t"));
    stage.rule("key", "disable", stage.credential("writer").get(0));
    for (int i = 0; ask(writer, WRITE, TOPIC, "t") != DENIED && i < 3000; i++) {
      Thread.sleep(10);
    }
    assertEquals(DENIED, ask(writer, WRITE, TOPIC, "t"));
  }

  @Test
  void a_session_that_cannot_be_taken_in_leaves_the_answer_to_the_acls() throws Exception {
    String arn = stage.logIn(stage.user("writer")).getName();
    allow("User:CN=writer,OU=apps", WRITE, TOPIC, "t");
    KafkaPrincipal undecided = StandinPrincipal.undecided(arn);
    assertEquals(ALLOWED, ask(undecided, WRITE, TOPIC, "t"));
    assertEquals(DENIED, ask(undecided, READ, TOPIC, "t"));
    assertEquals(2, metric("shadow-undecided-total"));
  }

  @Test
  void what_policies_cannot_be_asked_disturbs_nobody() throws Exception {
    KafkaPrincipal writer = stage.logIn(stage.user("writer"));
    allow("User:CN=writer,OU=apps", READ, GROUP, "*");
    for (String name : List.of("\ud800", "", "a\u0000b", "x".repeat(40_000))) {
      assertEquals(ALLOWED, ask(writer, READ, GROUP, name));
      assertEquals(DENIED, ask(user("\ud800" + name), READ, GROUP, name));
    }
    assertEquals(ALLOWED, ask(writer, READ, GROUP, "g"));
    assertTrue(metric("shadow-denied-total") > 0);
  }

  @Test
  void any_topic_is_answered_by_the_acls_too() throws Exception {
    KafkaPrincipal writer = stage.logIn(stage.user("writer"));
    allow("User:CN=writer,OU=apps", WRITE, TOPIC, "t");
    assertEquals(
        ALLOWED,
        authorizer.authorizeByResourceType(
            Stage.request(writer, ApiKeys.INIT_PRODUCER_ID.id), WRITE, TOPIC));
    assertEquals(
        DENIED,
        authorizer.authorizeByResourceType(
            Stage.request(writer, ApiKeys.INIT_PRODUCER_ID.id), READ, TOPIC));
    assertEquals(1, metric("shadow-denied-total"));
  }

  @Test
  void rules_and_modes_that_are_none_are_refused() {
    StandinAuthorizer other = new StandinAuthorizer();
    for (String[] line :
        new String[][] {{"standin.mode", "off"}, {"standin.shadow.principals", "alice"}}) {
      Map<String, Object> configs = stage.configs(line[0], line[1]);
      configs.put("standin.engine", "refused");
      assertThrows(ConfigException.class, () -> other.configure(configs));
    }
  }
}
