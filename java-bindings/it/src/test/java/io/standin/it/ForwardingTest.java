// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.ClusterAuthorizationException;
import org.apache.kafka.common.errors.TopicAuthorizationException;
import org.apache.kafka.common.message.CreateTopicsRequestData;
import org.apache.kafka.common.message.CreateTopicsRequestData.CreatableTopic;
import org.apache.kafka.common.message.CreateTopicsRequestData.CreatableTopicCollection;
import org.apache.kafka.common.message.EnvelopeRequestData;
import org.apache.kafka.common.message.MetadataRequestData;
import org.apache.kafka.common.message.MetadataRequestData.MetadataRequestTopic;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.requests.AbstractResponse;
import org.apache.kafka.common.requests.CreateTopicsRequest;
import org.apache.kafka.common.requests.CreateTopicsResponse;
import org.apache.kafka.common.requests.EnvelopeRequest;
import org.apache.kafka.common.requests.EnvelopeResponse;
import org.apache.kafka.common.requests.MetadataRequest;
import org.apache.kafka.common.requests.MetadataResponse;
import org.apache.kafka.common.requests.RequestHeader;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.kafka.common.security.auth.KafkaPrincipal;
import org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What brokers hand on to the controller is decided there, for the client that asked. */
class ForwardingTest {
  private static <T> void denied(Class<? extends Exception> expected, KafkaFuture<T> asked) {
    ExecutionException refused = assertThrows(ExecutionException.class, asked::get);
    assertInstanceOf(expected, refused.getCause());
  }

  private static NewTopic topic(String name) {
    return new NewTopic(name, 1, (short) 1);
  }

  @ParameterizedTest
  @ValueSource(strings = {"combined", "separate"})
  void x_14_topics_are_created_and_deleted_by_name_and_id_for_who_may(String where)
      throws Exception {
    Broker broker = Brokers.named(where);
    Iam iam = Iam.of(broker);
    String mine = Iam.fresh("mine");
    String others = Iam.fresh("others");
    Topics.create(broker, others);
    Policy policy = Policy.connect(broker);
    for (String action : List.of("CreateTopic", "DescribeTopic", "DeleteTopic")) {
      policy.topic(action, mine + "*");
    }
    policy.topic("DescribeTopic", others);
    try (Admin admin = Clients.admin(broker, iam.user(Iam.fresh("user"), policy))) {
      admin.createTopics(List.of(topic(mine + "-1"), topic(mine + "-2"))).all().get();
      denied(
          TopicAuthorizationException.class,
          admin.createTopics(List.of(topic(others + "-1"))).all());
      denied(TopicAuthorizationException.class, admin.deleteTopics(List.of(others)).all());
      admin.deleteTopics(List.of(mine + "-1")).all().get();
      Uuid own = id(admin, mine + "-2");
      Uuid foreign = id(admin, others);
      denied(
          TopicAuthorizationException.class,
          admin.deleteTopics(TopicCollection.ofTopicIds(List.of(foreign))).all());
      admin.deleteTopics(TopicCollection.ofTopicIds(List.of(own))).all().get();
    }
    assertTrue(Topics.exists(broker, others));
    assertFalse(Topics.exists(broker, others + "-1"));
    for (String gone : List.of(mine + "-1", mine + "-2")) {
      Wait.until("the end of " + gone, () -> !Topics.exists(broker, gone));
    }
  }

  private static Uuid id(Admin admin, String topic) throws Exception {
    Uuid[] id = new Uuid[1];
    Wait.until(
        "the id of " + topic,
        () -> {
          try {
            id[0] = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).topicId();
            return true;
          } catch (ExecutionException e) {
            return false;
          }
        });
    return id[0];
  }

  @ParameterizedTest
  @ValueSource(strings = {"combined", "separate"})
  void p1_39_configurations_and_partitions_change_for_who_may(String where) throws Exception {
    Broker broker = Brokers.named(where);
    Iam iam = Iam.of(broker);
    String topic = Iam.fresh("topic");
    Topics.create(broker, topic);
    Policy read =
        Policy.connect(broker)
            .topic("DescribeTopic", topic)
            .topic("DescribeTopicDynamicConfiguration", topic);
    Keys reader = iam.user(Iam.fresh("reader"), read);
    Keys admin =
        iam.user(
            Iam.fresh("admin"),
            Policy.connect(broker)
                .topic("AlterTopicDynamicConfiguration", topic)
                .topic("DescribeTopicDynamicConfiguration", topic)
                .topic("DescribeTopic", topic)
                .topic("AlterTopic", topic));
    ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
    Map<ConfigResource, Collection<AlterConfigOp>> change =
        Map.of(
            resource,
            List.of(
                new AlterConfigOp(
                    new ConfigEntry("retention.ms", "123456"), AlterConfigOp.OpType.SET)));
    try (Admin may = Clients.admin(broker, admin);
        Admin mayNot = Clients.admin(broker, reader)) {
      denied(TopicAuthorizationException.class, mayNot.incrementalAlterConfigs(change).all());
      denied(
          TopicAuthorizationException.class,
          mayNot.createPartitions(Map.of(topic, NewPartitions.increaseTo(2))).all());
      may.incrementalAlterConfigs(change).all().get();
      may.createPartitions(Map.of(topic, NewPartitions.increaseTo(2))).all().get();
      Wait.until(
          "the change",
          () -> {
            Config config = mayNot.describeConfigs(List.of(resource)).all().get().get(resource);
            return config.get("retention.ms").value().equals("123456");
          });
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"combined", "separate"})
  void x_14_topics_come_by_themselves_for_who_may_create_them(String where) throws Exception {
    Broker broker = Brokers.named(where);
    Iam iam = Iam.of(broker);
    String topic = Iam.fresh("auto");
    Keys maker =
        iam.user(
            Iam.fresh("maker"),
            Policy.connect(broker)
                .topic("CreateTopic", topic + "-yes")
                .topic("DescribeTopic", topic + "*"));
    try (RawClient client = RawClient.loggedIn(broker, maker)) {
      Wait.until("a topic", () -> metadata(client, topic + "-yes") == Errors.NONE);
      for (int i = 0; i < 5; i++) {
        assertEquals(Errors.TOPIC_AUTHORIZATION_FAILED, metadata(client, topic + "-no"));
      }
    }
    assertTrue(Topics.exists(broker, topic + "-yes"));
    assertFalse(Topics.exists(broker, topic + "-no"));
  }

  /** Asks about a topic and lets the broker create it. */
  private static Errors metadata(RawClient client, String topic) throws IOException {
    MetadataRequestData data =
        new MetadataRequestData()
            .setTopics(List.of(new MetadataRequestTopic().setName(topic)))
            .setAllowAutoTopicCreation(true);
    MetadataResponse answer =
        client.call(new MetadataRequest.Builder(data).build((short) 12), MetadataResponse.class);
    return Errors.forCode(answer.data().topics().iterator().next().errorCode());
  }

  @ParameterizedTest
  @ValueSource(strings = {"combined", "separate"})
  void x_14_acls_are_made_for_who_may_alter_the_cluster(String where) throws Exception {
    Broker broker = Brokers.named(where);
    Iam iam = Iam.of(broker);
    AclBinding acl =
        new AclBinding(
            new ResourcePattern(ResourceType.TOPIC, Iam.fresh("t"), PatternType.LITERAL),
            new AccessControlEntry("User:bob", "*", AclOperation.READ, AclPermissionType.ALLOW));
    Keys admin = iam.user(Iam.fresh("admin"), Policy.connect(broker).cluster("AlterCluster"));
    Keys other = iam.user(Iam.fresh("other"), Policy.connect(broker).topic("*", "*"));
    try (Admin may = Clients.admin(broker, admin);
        Admin mayNot = Clients.admin(broker, other)) {
      denied(ClusterAuthorizationException.class, mayNot.createAcls(List.of(acl)).all());
      may.createAcls(List.of(acl)).all().get();
      denied(ClusterAuthorizationException.class, mayNot.deleteAcls(List.of(acl.toFilter())).all());
      assertEquals(List.of(acl), List.copyOf(may.deleteAcls(List.of(acl.toFilter())).all().get()));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"combined", "separate"})
  void x_14_the_controller_follows_changes_and_knows_the_clients_address(String where)
      throws Exception {
    Broker broker = Brokers.named(where);
    Iam iam = Iam.of(broker);
    String name = Iam.fresh("user");
    String topic = Iam.fresh("topic");
    Policy policy =
        Policy.connect(broker)
            .topic("CreateTopic", topic + "*")
            .when("IpAddress", "aws:SourceIp", "127.0.0.2/32");
    Keys user = iam.user(name, policy);
    InetAddress other = InetAddress.getByAddress(new byte[] {127, 0, 0, 2});
    try (RawClient here = RawClient.loggedIn(broker, user);
        RawClient there = RawClient.connect(broker, "CLIENT", other)) {
      there.logIn(user);
      assertEquals(Errors.TOPIC_AUTHORIZATION_FAILED, Wire.create(here, topic + "-1"));
      assertEquals(Errors.NONE, Wire.create(there, topic + "-2"));
      iam.put(name, "no", Policy.none(broker).deny("CreateTopic", "*"));
      int[] made = {2};
      Wait.until(
          "a denied creation",
          () -> Wire.create(there, topic + "-" + ++made[0]) == Errors.TOPIC_AUTHORIZATION_FAILED);
      iam.disable(user);
      for (int i = 0; i < 5; i++) {
        assertEquals(Errors.TOPIC_AUTHORIZATION_FAILED, Wire.create(there, topic + "-x"));
      }
    }
  }

  private static EnvelopeRequest envelope(byte[] principal, String topic) {
    CreateTopicsRequestData data =
        new CreateTopicsRequestData()
            .setTimeoutMs(10_000)
            .setTopics(
                new CreatableTopicCollection(
                    List.of(
                            new CreatableTopic()
                                .setName(topic)
                                .setNumPartitions(1)
                                .setReplicationFactor((short) 1))
                        .iterator()));
    CreateTopicsRequest inner = new CreateTopicsRequest.Builder(data).build((short) 7);
    ByteBuffer request =
        inner.serializeWithHeader(new RequestHeader(ApiKeys.CREATE_TOPICS, (short) 7, "c", 1));
    EnvelopeRequestData envelope =
        new EnvelopeRequestData()
            .setRequestData(request)
            .setRequestPrincipal(principal)
            .setClientHostAddress(new byte[] {127, 0, 0, 1});
    return new EnvelopeRequest(envelope, (short) 0);
  }

  @ParameterizedTest
  @ValueSource(strings = {"combined", "separate"})
  void x_14_an_envelope_from_a_client_is_not_opened(String where) throws Exception {
    Broker broker = Brokers.named(where);
    String topic = Iam.fresh("forged");
    Keys strong = Iam.of(broker).user(Iam.fresh("strong"), Policy.all(broker));
    byte[] plain =
        new DefaultKafkaPrincipalBuilder(null, null)
            .serialize(new KafkaPrincipal("User", "ANONYMOUS"));
    try (RawClient client = RawClient.loggedIn(broker, strong)) {
      client.send(envelope(plain, topic));
      assertTrue(client.isClosed());
    }
    assertFalse(Topics.exists(broker, topic));
  }

  @ParameterizedTest
  @ValueSource(strings = {"combined", "separate"})
  void x_14_a_forged_principal_in_an_envelope_has_no_rights(String where) throws Exception {
    Broker broker = Brokers.named(where);
    String topic = Iam.fresh("forged");
    Keys strong = Iam.of(broker).user(Iam.fresh("strong"), Policy.all(broker));
    // As somebody who got hold of the brokers' own way to the controller.
    byte[] ours = principal(1, strong);
    try (RawClient client = RawClient.plain(broker.controller())) {
      EnvelopeResponse answer = client.call(envelope(ours, topic), EnvelopeResponse.class);
      assertEquals(Errors.PRINCIPAL_DESERIALIZATION_FAILURE, answer.error());
    }
    byte[] plain =
        new DefaultKafkaPrincipalBuilder(null, null)
            .serialize(new KafkaPrincipal("User", strong.arn()));
    try (RawClient client = RawClient.plain(broker.controller())) {
      EnvelopeResponse answer = client.call(envelope(plain, topic), EnvelopeResponse.class);
      assertEquals(Errors.TOPIC_AUTHORIZATION_FAILED, created(answer));
    }
    assertFalse(Topics.exists(broker, topic));
  }

  @ParameterizedTest
  @ValueSource(strings = {"combined", "separate"})
  void x_14_a_session_sealed_by_a_newer_broker_is_undecided_and_not_denied(String where)
      throws Exception {
    Broker broker = Brokers.named(where);
    String topic = Iam.fresh("newer");
    Keys strong = Iam.of(broker).user(Iam.fresh("strong"), Policy.all(broker));
    // Brokers were upgraded before their controller.
    for (int version : new int[] {2, 127}) {
      try (RawClient client = RawClient.plain(broker.controller())) {
        EnvelopeResponse answer =
            client.call(envelope(principal(version, strong), topic), EnvelopeResponse.class);
        assertEquals(Errors.REQUEST_TIMED_OUT, created(answer));
      }
    }
    assertFalse(Topics.exists(broker, topic));
  }

  /** A forwarded principal of this version of the format, sealed by nobody. */
  private static byte[] principal(int version, Keys keys) {
    byte[] name = keys.arn().getBytes(StandardCharsets.UTF_8);
    byte[] sealed = new byte[300];
    sealed[0] = 1;
    sealed[1] = 8;
    ByteBuffer bytes = ByteBuffer.allocate(5 + name.length + sealed.length);
    bytes.putShort((short) 0x5344).put((byte) version).putShort((short) name.length);
    return bytes.put(name).put(sealed).array();
  }

  /** What came of the request in the envelope, which itself was opened. */
  private static Errors created(EnvelopeResponse answer) {
    assertEquals(Errors.NONE, answer.error());
    CreateTopicsResponse inner =
        (CreateTopicsResponse)
            AbstractResponse.parseResponse(
                answer.responseData(), new RequestHeader(ApiKeys.CREATE_TOPICS, (short) 7, "c", 1));
    return Errors.forCode(inner.data().topics().iterator().next().errorCode());
  }
}
