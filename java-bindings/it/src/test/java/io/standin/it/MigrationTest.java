// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.ScramCredentialInfo;
import org.apache.kafka.clients.admin.ScramMechanism;
import org.apache.kafka.clients.admin.UserScramCredentialUpsertion;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.TopicAuthorizationException;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;

/**
 * From ACLs to policies and back, as docs/migration.md has it, on a broker with a controller of its
 * own: nobody is interrupted, and every step can be taken back.
 */
@Order(1)
class MigrationTest {
  private static final String NAME = "migration";
  private static final String PASSWORD = "of-the-old-listener";

  private final Broker broker =
      Brokers.own(
          NAME,
          Map.of(),
          "--separate-controller",
          "--listener",
          "SCRAM:SASL_SSL",
          "--property",
          "listener.name.scram.sasl.enabled.mechanisms=SCRAM-SHA-256",
          "--property",
          "listener.name.scram.scram-sha-256.sasl.jaas.config="
              + "org.apache.kafka.common.security.scram.ScramLoginModule required;",
          "--property",
          "standin.mode=shadow");
  private final Iam iam = Iam.of(broker);
  private Map<String, Object> old;

  private static AclBinding acl(
      ResourceType type, String name, PatternType pattern, AclOperation operation) {
    return new AclBinding(
        new ResourcePattern(type, name, pattern),
        new AccessControlEntry("User:alice", "*", operation, AclPermissionType.ALLOW));
  }

  private void makeUser() throws Exception {
    try (Admin admin = Clients.superUser(broker)) {
      admin
          .alterUserScramCredentials(
              List.of(
                  new UserScramCredentialUpsertion(
                      "alice",
                      new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096),
                      PASSWORD)))
          .all()
          .get();
    }
    old = Clients.scram(broker, "SCRAM", "alice", PASSWORD);
    Wait.until(
        "a login of alice",
        () -> {
          try (Admin admin = Admin.create(old)) {
            admin.describeCluster().nodes().get();
            return true;
          } catch (ExecutionException e) {
            return false;
          }
        });
  }

  /** Produces over the old listener; what went wrong, or null. */
  private Throwable produce(String topic) throws Exception {
    try (KafkaProducer<byte[], byte[]> producer = Clients.producer(old)) {
      producer.send(new ProducerRecord<>(topic, new byte[] {1})).get();
      return null;
    } catch (ExecutionException e) {
      return e.getCause();
    }
  }

  private void create(AclBinding... acls) throws Exception {
    try (Admin admin = Clients.superUser(broker)) {
      admin.createAcls(List.of(acls)).all().get();
      for (AclBinding acl : acls) {
        Wait.until(
            acl + " is known", () -> !admin.describeAcls(acl.toFilter()).values().get().isEmpty());
      }
    }
  }

  private void deleteAcls() throws Exception {
    try (Admin admin = Clients.superUser(broker)) {
      admin.deleteAcls(List.of(AclBindingFilter.ANY)).all().get();
      Wait.until(
          "no ACLs", () -> admin.describeAcls(AclBindingFilter.ANY).values().get().isEmpty());
    }
  }

  /** Converts the cluster's ACLs, as {@code kafka-acls.sh --list} prints them. */
  private void convert() throws Exception {
    StringBuilder text = new StringBuilder();
    try (Admin admin = Clients.superUser(broker)) {
      for (AclBinding acl : admin.describeAcls(AclBindingFilter.ANY).values().get()) {
        text.append("Current ACLs for resource `").append(acl.pattern()).append("`: \n \t");
        text.append(acl.entry()).append(" \n\n");
      }
    }
    Path file = broker.dir().resolve("acls.txt");
    Files.writeString(file, text);
    broker.standin("acl", "convert", file.toString(), "--cluster", broker.cluster(), "--put");
  }

  private void set(String... pairs) throws Exception {
    List<AlterConfigOp> changes = new ArrayList<>();
    for (int i = 0; i < pairs.length; i += 2) {
      changes.add(
          new AlterConfigOp(new ConfigEntry(pairs[i], pairs[i + 1]), AlterConfigOp.OpType.SET));
    }
    // The default of all brokers: the controller follows it too.
    ConfigResource brokers = new ConfigResource(ConfigResource.Type.BROKER, "");
    try (Admin admin = Clients.superUser(broker)) {
      admin.incrementalAlterConfigs(Map.of(brokers, changes)).all().get();
    }
  }

  private List<JsonNode> differences(String outcome) {
    return iam.audit("--outcome", outcome);
  }

  private static long sum(Gauges gauges, String... names) throws Exception {
    long sum = 0;
    for (String name : names) {
      sum += gauges.standin(name);
    }
    return sum;
  }

  @Test
  void a_cluster_moves_from_acls_to_policies_and_back() throws Exception {
    Topics.create(broker, "orders", "later");
    makeUser();
    create(
        acl(ResourceType.TOPIC, "orders", PatternType.LITERAL, AclOperation.WRITE),
        acl(ResourceType.TOPIC, "new-", PatternType.PREFIXED, AclOperation.CREATE),
        acl(
            ResourceType.CLUSTER,
            "kafka-cluster",
            PatternType.LITERAL,
            AclOperation.IDEMPOTENT_WRITE));

    // 1. Shadow: ACLs decide as before, and that alice has no identity is told.
    assertEquals(null, produce("orders"));
    assertInstanceOf(TopicAuthorizationException.class, produce("later"));
    Wait.until("who has no identity", () -> !differences("shadow-unknown").isEmpty());
    assertEquals("user/alice", differences("shadow-unknown").get(0).at("/actor/user/uid").asText());

    try (Gauges gauges = Gauges.of(broker, "broker")) {
      // 2. Converted, policies say the same.
      convert();
      String[] differ = {"shadow-denied-total", "shadow-allowed-total", "shadow-unknown-total"};
      Wait.until(
          "a write without a difference",
          () -> {
            long before = sum(gauges, differ);
            long compared = gauges.standin("shadow-compared-total");
            assertEquals(null, produce("orders"));
            Wait.until("comparing", () -> gauges.standin("shadow-compared-total") > compared + 2);
            return sum(gauges, differ) == before;
          });

      // 3. A right that only ACLs give is told, with what would deny it.
      create(acl(ResourceType.TOPIC, "later", PatternType.LITERAL, AclOperation.WRITE));
      assertEquals(null, produce("later"));
      Wait.until(
          "the difference",
          () ->
              differences("shadow-denied").stream()
                  .anyMatch(r -> r.at("/resources/0/name").asText().equals("later")));
      convert();
    }

    // 4. Clients move, one by one; the same ACLs go on to decide for them.
    Keys alice = iam.key("alice", iam.arn("alice"));
    try (RawClient client = RawClient.loggedIn(broker, alice)) {
      assertEquals(Errors.NONE, Wire.produce(client, "orders"));
      assertEquals(Errors.TOPIC_AUTHORIZATION_FAILED, Wire.fetch(client, "orders"));
    }
    try (Admin admin = Clients.admin(broker, alice)) {
      // Decided on the controller.
      admin.createTopics(List.of(new NewTopic("new-topic", 1, (short) 1))).all().get();
    }

    // 5. What is no mode changes nothing, together with what would be fine.
    ExecutionException refused =
        assertThrows(
            ExecutionException.class,
            () -> set("standin.mode", "perhaps", "standin.idempotent", "strict"));
    assertTrue(refused.getMessage().contains("enforce or shadow"), refused.getMessage());

    // 6. Policies decide, while connections stay open; ACLs are no longer needed for alice.
    try (RawClient client = RawClient.loggedIn(broker, alice)) {
      assertEquals(Errors.NONE, Wire.produce(client, "orders"));
      set("standin.mode", "enforce");
      Wait.until("the mode", () -> broker.log().contains("standin.mode=enforce: policies decide"));
      deleteAcls();
      assertEquals(Errors.NONE, Wire.produce(client, "orders"));
      Wait.until("a denied write", () -> produce("orders") instanceof TopicAuthorizationException);

      // 7. And back, in the same way.
      set("standin.mode", "shadow");
      Wait.until(
          "the ACLs, of which there are none",
          () -> Wire.produce(client, "orders") == Errors.TOPIC_AUTHORIZATION_FAILED);
      create(acl(ResourceType.TOPIC, "orders", PatternType.LITERAL, AclOperation.WRITE));
      Wait.until("the ACL", () -> Wire.produce(client, "orders") == Errors.NONE);
    }
    Brokers.done(NAME);
  }
}
