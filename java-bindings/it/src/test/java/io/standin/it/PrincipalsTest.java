// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.CreateDelegationTokenOptions;
import org.apache.kafka.clients.admin.ScramCredentialInfo;
import org.apache.kafka.clients.admin.ScramMechanism;
import org.apache.kafka.clients.admin.UserScramCredentialUpsertion;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.config.SaslConfigs;
import org.apache.kafka.common.errors.ClusterAuthorizationException;
import org.apache.kafka.common.errors.TopicAuthorizationException;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.kafka.common.security.token.delegation.DelegationToken;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Principals of Standin are decided by policies, all others by Kafka's ACLs, and never mixed. */
class PrincipalsTest {
  private static final String PASSWORD = "of-the-test";

  private final Broker broker = Brokers.combined();
  private final Iam iam = Iam.of(broker);
  private final String topic = Iam.fresh("topic");

  @BeforeEach
  void topic() throws Exception {
    Topics.create(broker, topic);
  }

  private static AclBinding acl(String topic, String principal, AclPermissionType permission) {
    return new AclBinding(
        new ResourcePattern(ResourceType.TOPIC, topic, PatternType.LITERAL),
        new AccessControlEntry(principal, "*", AclOperation.ALL, permission));
  }

  /** Makes a user of Kafka's own; the settings of its client. */
  private Map<String, Object> scramUser(String name) throws Exception {
    try (Admin admin = Clients.superUser(broker)) {
      admin
          .alterUserScramCredentials(
              List.of(
                  new UserScramCredentialUpsertion(
                      name, new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096), PASSWORD)))
          .all()
          .get();
    }
    Map<String, Object> config = Clients.scram(broker, "SCRAM", name, PASSWORD);
    // The broker hears of the user by its metadata, soon.
    Wait.until(
        "a login of " + name,
        () -> {
          try (Admin admin = Admin.create(config)) {
            admin.describeCluster().nodes().get();
            return true;
          } catch (ExecutionException e) {
            return false;
          }
        });
    return config;
  }

  private Throwable produce(Map<String, Object> config) {
    try (KafkaProducer<byte[], byte[]> producer = Clients.producer(config)) {
      producer.send(new ProducerRecord<>(topic, new byte[] {1})).get();
      return null;
    } catch (ExecutionException e) {
      return e.getCause();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private static void create(Admin admin, AclBinding... acls) throws Exception {
    admin.createAcls(List.of(acls)).all().get();
  }

  @Test
  void p1_45_acls_decide_for_kafkas_own_users_and_are_managed_as_ever() throws Exception {
    String name = Iam.fresh("alice");
    Map<String, Object> alice = scramUser(name);
    assertInstanceOf(TopicAuthorizationException.class, produce(alice));
    AclBinding allow = acl(topic, "User:" + name, AclPermissionType.ALLOW);
    try (Admin admin = Clients.superUser(broker)) {
      create(admin, allow);
      becomesKnown(true, admin, allow);
      Wait.until("an allowed write", () -> produce(alice) == null);
      Collection<AclBinding> deleted = admin.deleteAcls(List.of(allow.toFilter())).all().get();
      assertEquals(List.of(allow), List.copyOf(deleted));
      becomesKnown(false, admin, allow);
      Wait.until("a denied write", () -> produce(alice) instanceof TopicAuthorizationException);
    }
  }

  /** Waits until the ACL is described, or no longer; Kafka knows once the change came back. */
  private static void becomesKnown(boolean known, Admin admin, AclBinding acl) throws Exception {
    List<AclBinding> expected = known ? List.of(acl) : List.of();
    Wait.until(
        acl + (known ? " is known" : " is gone"),
        () -> expected.equals(List.copyOf(admin.describeAcls(acl.toFilter()).values().get())));
  }

  @Test
  void p1_45_acls_neither_give_a_client_of_standin_anything_nor_take_it_away() throws Exception {
    Keys writer = iam.user(Iam.fresh("writer"), Policy.connect(broker).produce(topic));
    Keys nobody = iam.user(Iam.fresh("nobody"), Policy.connect(broker));
    try (Admin admin = Clients.superUser(broker)) {
      create(
          admin,
          acl(topic, "User:" + nobody.arn(), AclPermissionType.ALLOW),
          acl(topic, "User:" + writer.arn(), AclPermissionType.DENY));
    }
    try (RawClient allowed = RawClient.loggedIn(broker, writer);
        RawClient denied = RawClient.loggedIn(broker, nobody)) {
      for (int i = 0; i < 20; i++) {
        assertEquals(Errors.NONE, Wire.produce(allowed, topic));
        assertEquals(Errors.TOPIC_AUTHORIZATION_FAILED, Wire.produce(denied, topic));
        Thread.sleep(20);
      }
    }
  }

  @Test
  void p1_45_a_client_of_standin_manages_acls_by_its_policies_only() throws Exception {
    Keys admin =
        iam.user(
            Iam.fresh("admin"),
            Policy.connect(broker).cluster("AlterCluster").cluster("DescribeCluster"));
    Keys other = iam.user(Iam.fresh("other"), Policy.connect(broker).cluster("DescribeCluster"));
    AclBinding acl = acl(topic, "User:bob", AclPermissionType.ALLOW);
    try (Admin may = Clients.admin(broker, admin);
        Admin mayNot = Clients.admin(broker, other)) {
      ExecutionException refused =
          assertThrows(ExecutionException.class, () -> create(mayNot, acl));
      assertInstanceOf(ClusterAuthorizationException.class, refused.getCause());
      becomesKnown(false, mayNot, acl);
      create(may, acl);
      becomesKnown(true, mayNot, acl);
      refused =
          assertThrows(
              ExecutionException.class,
              () -> mayNot.deleteAcls(List.of(acl.toFilter())).all().get());
      assertInstanceOf(ClusterAuthorizationException.class, refused.getCause());
      may.deleteAcls(List.of(acl.toFilter())).all().get();
    }
  }

  @Test
  void x_02_a_scram_user_named_like_a_client_of_standin_may_do_nothing() throws Exception {
    Keys strong = iam.user(Iam.fresh("strong"), Policy.all(broker));
    Map<String, Object> forged = scramUser(strong.arn());
    try (Admin admin = Clients.superUser(broker)) {
      create(admin, acl(topic, "User:" + strong.arn(), AclPermissionType.ALLOW));
      create(admin, acl(topic, "User:*", AclPermissionType.ALLOW));
    }
    // Everybody else may write now.
    Map<String, Object> anybody = scramUser(Iam.fresh("anybody"));
    Wait.until("an allowed write", () -> produce(anybody) == null);
    assertInstanceOf(TopicAuthorizationException.class, produce(forged));
    try (Admin admin = Admin.create(forged)) {
      assertThrows(
          ExecutionException.class,
          () -> create(admin, acl(topic, "User:bob", AclPermissionType.ALLOW)));
    }
  }

  @Test
  void x_02_a_delegation_token_carries_no_rights_of_the_client_that_made_it() throws Exception {
    Keys strong = iam.user(Iam.fresh("strong"), Policy.all(broker));
    DelegationToken token;
    try (Admin admin = Clients.admin(broker, strong)) {
      // Kafka asks nobody whether one may make a token for oneself.
      token =
          admin
              .createDelegationToken(new CreateDelegationTokenOptions().maxLifetimeMs(600_000))
              .delegationToken()
              .get();
    }
    assertEquals(strong.arn(), token.tokenInfo().owner().getName());
    Map<String, Object> config =
        Clients.scram(broker, "SCRAM", token.tokenInfo().tokenId(), token.hmacAsBase64String());
    config.put(
        SaslConfigs.SASL_JAAS_CONFIG,
        config.get(SaslConfigs.SASL_JAAS_CONFIG).toString().replace(";", " tokenauth=\"true\";"));
    try (Admin admin = Admin.create(config)) {
      Wait.until(
          "a login with the token",
          () -> {
            try {
              return !admin.describeCluster().nodes().get().isEmpty();
            } catch (ExecutionException e) {
              return false;
            }
          });
      ExecutionException refused =
          assertThrows(
              ExecutionException.class,
              () -> create(admin, acl(topic, "User:bob", AclPermissionType.ALLOW)));
      assertInstanceOf(ClusterAuthorizationException.class, refused.getCause());
    }
    assertInstanceOf(TopicAuthorizationException.class, produce(config));
    assertEquals(0, Topics.end(broker, topic));
  }

  @Test
  void x_14_clients_of_other_listeners_need_no_session() throws Exception {
    // The broker itself and its tools come over the internal listener.
    try (Admin admin = Clients.superUser(broker)) {
      assertTrue(admin.listTopics().names().get().contains(topic));
    }
  }
}
