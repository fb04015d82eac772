// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.AlterConfigsOptions;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.FeatureUpdate;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.ScramCredentialInfo;
import org.apache.kafka.clients.admin.ScramMechanism;
import org.apache.kafka.clients.admin.UpdateFeaturesOptions;
import org.apache.kafka.clients.admin.UserScramCredentialUpsertion;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionReplica;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.quota.ClientQuotaFilter;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;

/** Calls of Kafka's clients, and the actions each needs besides leave to connect. */
final class Calls {
  private static final Broker BROKER = Brokers.combined();

  private Calls() {}

  /** An action on a resource of this type; that of the row. */
  record Need(String action, String type) {}

  /** Who makes a call, and the names of what it is about, which no other row has. */
  record Caller(Admin admin, Keys keys, String name) {
    TopicPartition partition() {
      return new TopicPartition(name, 0);
    }

    RawClient raw() throws Exception {
      return RawClient.loggedIn(BROKER, keys);
    }
  }

  interface Call {
    void make(Caller caller) throws Exception;
  }

  record Row(String name, Call call, List<Need> needs) {}

  private static Row row(String name, Call call, Need... needs) {
    return new Row(name, call, Arrays.asList(needs));
  }

  private static Need topic(String action) {
    return new Need(action, "topic");
  }

  private static Need onGroup(String action) {
    return new Need(action, "group");
  }

  private static Need transaction(String action) {
    return new Need(action, "transactional-id");
  }

  private static Need cluster(String action) {
    return new Need(action, "cluster");
  }

  /** Every call. */
  static List<Row> all() {
    List<Row> rows = new ArrayList<>(topics());
    rows.addAll(records());
    rows.addAll(groups());
    rows.addAll(cluster());
    return rows;
  }

  /** A request of a raw client was answered with an error. */
  static final class Refused extends Exception {
    private static final long serialVersionUID = 1L;

    Refused(Throwable cause) {
      super(cause);
    }
  }

  private static void check(Errors error) throws Refused {
    if (error != Errors.NONE) {
      throw new Refused(error.exception());
    }
  }

  private static <T> void get(Future<T> answer) throws Exception {
    answer.get();
  }

  private static Map<ConfigResource, Collection<AlterConfigOp>> change(
      ConfigResource.Type type, String name, String key, String value) {
    AlterConfigOp set = new AlterConfigOp(new ConfigEntry(key, value), AlterConfigOp.OpType.SET);
    return Map.of(new ConfigResource(type, name), List.of(set));
  }

  private static AlterConfigsOptions only() {
    return new AlterConfigsOptions().validateOnly(true);
  }

  private static ConfigResource broker() {
    return new ConfigResource(ConfigResource.Type.BROKER, "1");
  }

  private static List<Row> topics() {
    return List.of(
        row(
            "createTopics",
            c ->
                get(
                    c.admin()
                        .createTopics(List.of(new NewTopic(c.name() + "-n", 1, (short) 1)))
                        .all()),
            topic("CreateTopic")),
        row(
            "deleteTopics",
            c -> get(c.admin().deleteTopics(List.of(c.name())).all()),
            topic("DescribeTopic"),
            topic("DeleteTopic")),
        row(
            "createPartitions",
            c ->
                get(
                    c.admin()
                        .createPartitions(Map.of(c.name(), NewPartitions.increaseTo(2)))
                        .all()),
            topic("AlterTopic")),
        row(
            "describeTopics",
            c -> get(c.admin().describeTopics(List.of(c.name())).allTopicNames()),
            topic("DescribeTopic")),
        row(
            "describeConfigs of a topic",
            c ->
                get(
                    c.admin()
                        .describeConfigs(
                            List.of(new ConfigResource(ConfigResource.Type.TOPIC, c.name())))
                        .all()),
            topic("DescribeTopicDynamicConfiguration")),
        row(
            "incrementalAlterConfigs of a topic",
            c ->
                get(
                    c.admin()
                        .incrementalAlterConfigs(
                            change(ConfigResource.Type.TOPIC, c.name(), "retention.ms", "1234567"))
                        .all()),
            topic("AlterTopicDynamicConfiguration")),
        row(
            "deleteRecords",
            c ->
                get(
                    c.admin()
                        .deleteRecords(Map.of(c.partition(), RecordsToDelete.beforeOffset(0)))
                        .all()),
            topic("DescribeTopic"),
            topic("DeleteTopic")),
        row(
            "listOffsets",
            c -> get(c.admin().listOffsets(Map.of(c.partition(), OffsetSpec.latest())).all()),
            topic("DescribeTopic")),
        row(
            "describeProducers",
            c -> get(c.admin().describeProducers(List.of(c.partition())).all()),
            topic("DescribeTopic"),
            topic("ReadData")));
  }

  private static List<Row> records() {
    return List.of(
        row(
            "produce",
            c -> {
              try (RawClient client = c.raw()) {
                check(Wire.produce(client, c.name()));
              }
            },
            topic("WriteData")),
        row(
            "fetch",
            c -> {
              try (RawClient client = c.raw()) {
                check(Wire.fetch(client, c.name()));
              }
            },
            topic("ReadData")),
        row(
            "an idempotent producer's id",
            c -> {
              try (RawClient client = c.raw()) {
                check(Wire.producerId(client, null));
              }
            },
            cluster("WriteDataIdempotently")),
        row(
            "a transactional producer's id",
            c -> {
              try (RawClient client = c.raw()) {
                check(Wire.producerId(client, c.name()));
              }
            },
            transaction("AlterTransactionalId")),
        row(
            "a transaction",
            Calls::transact,
            topic("DescribeTopic"),
            topic("WriteData"),
            transaction("DescribeTransactionalId"),
            transaction("AlterTransactionalId")),
        row(
            "a consumer of a group",
            Calls::consume,
            topic("DescribeTopic"),
            topic("ReadData"),
            onGroup("DescribeGroup"),
            onGroup("AlterGroup")),
        row(
            "describeTransactions",
            c -> get(c.admin().describeTransactions(List.of(c.name())).all()),
            transaction("DescribeTransactionalId")),
        row(
            "fenceProducers",
            c -> get(c.admin().fenceProducers(List.of(c.name())).all()),
            transaction("DescribeTransactionalId"),
            transaction("AlterTransactionalId")));
  }

  private static void transact(Caller c) throws Exception {
    Map<String, Object> config = Clients.config(BROKER, "CLIENT", c.keys());
    config.put(ProducerConfig.TRANSACTIONAL_ID_CONFIG, c.name());
    try (KafkaProducer<byte[], byte[]> producer = Clients.producer(config)) {
      producer.initTransactions();
      producer.beginTransaction();
      get(producer.send(new ProducerRecord<>(c.name(), new byte[] {1})));
      producer.commitTransaction();
    }
  }

  private static void consume(Caller c) throws Exception {
    try (KafkaProducer<byte[], byte[]> producer = Clients.producer(Clients.internal(BROKER))) {
      get(producer.send(new ProducerRecord<>(c.name(), new byte[] {1})));
    }
    try (KafkaConsumer<byte[], byte[]> consumer = Clients.consumer(BROKER, c.keys(), c.name())) {
      consumer.subscribe(List.of(c.name()));
      Wait.until("a record", () -> !consumer.poll(Duration.ofMillis(100)).isEmpty());
      consumer.commitSync();
    }
  }

  private static List<Row> groups() {
    return List.of(
        row(
            "describeConsumerGroups",
            c -> get(c.admin().describeConsumerGroups(List.of(c.name())).all()),
            onGroup("DescribeGroup")),
        row(
            "listConsumerGroupOffsets",
            c -> get(c.admin().listConsumerGroupOffsets(c.name()).all()),
            onGroup("DescribeGroup")),
        row(
            "alterConsumerGroupOffsets",
            c ->
                get(
                    c.admin()
                        .alterConsumerGroupOffsets(
                            c.name(), Map.of(c.partition(), new OffsetAndMetadata(0)))
                        .all()),
            onGroup("DescribeGroup"),
            onGroup("AlterGroup"),
            topic("ReadData")),
        row(
            "deleteConsumerGroupOffsets",
            c -> get(c.admin().deleteConsumerGroupOffsets(c.name(), Set.of(c.partition())).all()),
            onGroup("DescribeGroup"),
            onGroup("DeleteGroup"),
            topic("ReadData")),
        row(
            "deleteConsumerGroups",
            c -> get(c.admin().deleteConsumerGroups(List.of(c.name())).all()),
            onGroup("DescribeGroup"),
            onGroup("DeleteGroup")),
        row(
            "describeConfigs of a group",
            c ->
                get(
                    c.admin()
                        .describeConfigs(
                            List.of(new ConfigResource(ConfigResource.Type.GROUP, c.name())))
                        .all()),
            onGroup("DescribeGroupDynamicConfiguration")),
        row(
            "incrementalAlterConfigs of a group",
            c ->
                get(
                    c.admin()
                        .incrementalAlterConfigs(
                            change(
                                ConfigResource.Type.GROUP,
                                c.name(),
                                "consumer.session.timeout.ms",
                                "50000"),
                            only())
                        .all()),
            onGroup("AlterGroupDynamicConfiguration")));
  }

  private static List<Row> cluster() {
    AclBinding acl =
        new AclBinding(
            new ResourcePattern(ResourceType.TOPIC, "unused", PatternType.LITERAL),
            new AccessControlEntry("User:bob", "*", AclOperation.READ, AclPermissionType.ALLOW));
    ClientQuotaEntity entity = new ClientQuotaEntity(Map.of(ClientQuotaEntity.CLIENT_ID, "none"));
    ClientQuotaAlteration quota =
        new ClientQuotaAlteration(
            entity, List.of(new ClientQuotaAlteration.Op("producer_byte_rate", 1e9)));
    UserScramCredentialUpsertion scram =
        new UserScramCredentialUpsertion(
            "unused", new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096), "password");
    return List.of(
        row("describeCluster", c -> get(c.admin().describeCluster().nodes())),
        row("describeFeatures", c -> get(c.admin().describeFeatures().featureMetadata())),
        row(
            "describeConfigs of a broker",
            c -> get(c.admin().describeConfigs(List.of(broker())).all()),
            cluster("DescribeClusterDynamicConfiguration")),
        row(
            "incrementalAlterConfigs of a broker",
            c ->
                get(
                    c.admin()
                        .incrementalAlterConfigs(
                            change(
                                ConfigResource.Type.BROKER, "1", "log.cleaner.backoff.ms", "15001"),
                            only())
                        .all()),
            cluster("AlterClusterDynamicConfiguration")),
        row(
            "describeLogDirs",
            c -> get(c.admin().describeLogDirs(List.of(1)).allDescriptions()),
            cluster("DescribeCluster")),
        row(
            "describeMetadataQuorum",
            c -> get(c.admin().describeMetadataQuorum().quorumInfo()),
            cluster("DescribeCluster")),
        row(
            "listPartitionReassignments",
            c -> get(c.admin().listPartitionReassignments().reassignments()),
            cluster("DescribeCluster")),
        row(
            "alterPartitionReassignments",
            c ->
                get(
                    c.admin()
                        .alterPartitionReassignments(Map.of(c.partition(), Optional.empty()))
                        .all()),
            cluster("AlterCluster")),
        row(
            "alterReplicaLogDirs",
            c ->
                get(
                    c.admin()
                        .alterReplicaLogDirs(
                            Map.of(new TopicPartitionReplica(c.name(), 0, 1), "/nowhere"))
                        .all()),
            cluster("AlterCluster")),
        row(
            "electLeaders",
            c -> get(c.admin().electLeaders(ElectionType.PREFERRED, Set.of(c.partition())).all()),
            cluster("AlterCluster")),
        row(
            "updateFeatures",
            c ->
                get(
                    c.admin()
                        .updateFeatures(
                            Map.of(
                                "transaction.version",
                                new FeatureUpdate((short) 2, FeatureUpdate.UpgradeType.UPGRADE)),
                            new UpdateFeaturesOptions().validateOnly(true))
                        .all()),
            cluster("AlterCluster")),
        row(
            "unregisterBroker",
            c -> get(c.admin().unregisterBroker(99).all()),
            cluster("AlterCluster")),
        row(
            "createAcls",
            c -> get(c.admin().createAcls(List.of(acl)).all()),
            cluster("AlterCluster")),
        row(
            "deleteAcls",
            c -> get(c.admin().deleteAcls(List.of(acl.toFilter())).all()),
            cluster("AlterCluster")),
        row(
            "describeAcls",
            c -> get(c.admin().describeAcls(AclBindingFilter.ANY).values()),
            cluster("DescribeCluster")),
        row(
            "describeClientQuotas",
            c -> get(c.admin().describeClientQuotas(ClientQuotaFilter.all()).entities()),
            cluster("DescribeClusterDynamicConfiguration")),
        row(
            "alterClientQuotas",
            c -> get(c.admin().alterClientQuotas(List.of(quota)).all()),
            cluster("AlterClusterDynamicConfiguration")),
        row(
            "describeUserScramCredentials",
            c -> get(c.admin().describeUserScramCredentials(List.of("unused")).all()),
            cluster("DescribeCluster")),
        row(
            "alterUserScramCredentials",
            c -> get(c.admin().alterUserScramCredentials(List.of(scram)).all()),
            cluster("AlterCluster")),
        row(
            "listConfigResources",
            c -> get(c.admin().listConfigResources().all()),
            cluster("DescribeClusterDynamicConfiguration")));
  }
}
