// SPDX-License-Identifier: Apache-2.0
package io.standin.bench;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;

/** Puts onto a broker what {@link Traffic} needs: topics, and rules for one user. */
final class Cluster {
  /** Topic that is written to. */
  static final String WRITTEN = "bench";

  /** Topic that is read. */
  static final String READ = "bench-read";

  /** Topics a Metadata request asks for. */
  static final int TOPICS = 504;

  private static final String USER = "bench";

  /** ACLs made at once. */
  private static final int AT_ONCE = 1000;

  private final Broker broker;
  private final Administration administration;
  private String principal;

  Cluster(Broker broker, Administration administration) {
    this.broker = broker;
    this.administration = administration;
  }

  private Admin admin() throws IOException {
    return Admin.create(Map.<String, Object>of("bootstrap.servers", broker.internal()));
  }

  /** Makes the topics, and waits until the broker has them. */
  void topics() throws IOException, InterruptedException, ExecutionException {
    // Little is kept of what is written.
    Map<String, String> brief = Map.of("retention.bytes", "67108864", "segment.bytes", "33554432");
    List<NewTopic> topics = new ArrayList<>();
    topics.add(new NewTopic(WRITTEN, 4, (short) 1).configs(brief));
    topics.add(new NewTopic(READ, 4, (short) 1));
    IntStream.range(0, TOPICS).forEach(i -> topics.add(new NewTopic(Rules.topic(i), 1, (short) 1)));
    try (Admin admin = admin()) {
      admin.createTopics(topics).all().get();
      // The logs are made after the topics are known; who writes earlier upsets sequence numbers.
      Map<TopicPartition, OffsetSpec> ends = new HashMap<>();
      for (NewTopic topic : topics) {
        for (int i = 0; i < topic.numPartitions(); i++) {
          ends.put(new TopicPartition(topic.name(), i), OffsetSpec.latest());
        }
      }
      while (true) {
        try {
          admin.listOffsets(ends).all().get();
          return;
        } catch (ExecutionException e) {
          if (!(e.getCause() instanceof RetriableException)) {
            throw e;
          }
          Thread.sleep(200);
        }
      }
    }
  }

  /** Makes the user with a few rules; its key. */
  AccessKey user() throws IOException {
    String cluster = broker.cluster();
    String policy =
        """
        {"Version":"2012-10-17","Statement":[
          {"Effect":"Allow","Resource":"%1$s",
           "Action":["kafka-cluster:Connect","kafka-cluster:WriteDataIdempotently"]},
          {"Effect":"Allow","Resource":"%2$s/bench*",
           "Action":["kafka-cluster:WriteData","kafka-cluster:ReadData",
                     "kafka-cluster:DescribeTopic"]}]}
        """
            .formatted(cluster, cluster.replace(":cluster/", ":topic/"));
    return administration.user(USER, List.of(policy));
  }

  /** The same few rules as ACLs. */
  void acls() throws IOException, InterruptedException, ExecutionException {
    ResourcePattern topics = new ResourcePattern(ResourceType.TOPIC, "bench", PatternType.PREFIXED);
    ResourcePattern cluster =
        new ResourcePattern(ResourceType.CLUSTER, "kafka-cluster", PatternType.LITERAL);
    create(
        List.of(
            acl(topics, AclOperation.WRITE, "*"),
            acl(topics, AclOperation.READ, "*"),
            acl(cluster, AclOperation.IDEMPOTENT_WRITE, "*")));
  }

  /** As many more rules on every topic, each for another address. */
  void everywhere(int count) throws IOException {
    Rules rules = Rules.everywhere(broker.cluster(), count);
    administration.put("--user", USER, "p-everywhere-", rules.documents());
  }

  /** The same as ACLs. */
  void aclsEverywhere(int count) throws IOException, InterruptedException, ExecutionException {
    ResourcePattern all = new ResourcePattern(ResourceType.TOPIC, "*", PatternType.LITERAL);
    List<AclBinding> some = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      some.add(acl(all, AclOperation.WRITE, Rules.address(i)));
      if (some.size() == AT_ONCE || i == count - 1) {
        create(some);
        some.clear();
      }
    }
  }

  private AclBinding acl(ResourcePattern resource, AclOperation operation, String host)
      throws IOException {
    if (principal == null) {
      principal = "User:" + administration.arn(USER);
    }
    return new AclBinding(
        resource, new AccessControlEntry(principal, host, operation, AclPermissionType.ALLOW));
  }

  private void create(List<AclBinding> bindings)
      throws IOException, InterruptedException, ExecutionException {
    try (Admin admin = admin()) {
      admin.createAcls(bindings).all().get();
    }
  }
}
