// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import org.apache.kafka.clients.CommonClientConfigs;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicIdException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Three brokers and a controller of its own, each restarted in its turn under load. */
@Order(1)
@Tag("long")
class ClusterTest {
  private static final int NODES = 3;

  private final List<Broker> brokers = brokers();
  private final Broker first = brokers.get(0);
  private final Iam iam = Iam.of(first);
  private final String prefix = Iam.fresh("cluster");
  private final Workload workload = new Workload(prefix);

  private static List<Broker> brokers() {
    Broker first = node(1, "--separate-controller");
    String dir = first.dir().toString();
    // Side by side, since a start is mostly waiting.
    CompletableFuture<Broker> second = CompletableFuture.supplyAsync(() -> node(2, "--join", dir));
    Broker third = node(3, "--join", dir);
    return List.of(first, second.join(), third);
  }

  private static Broker node(int number, String... how) {
    List<String> options = new ArrayList<>(List.of("--heap", "256m", "--short-lived"));
    options.addAll(List.of(how));
    for (String line :
        List.of(
            "offsets.topic.replication.factor=3",
            "transaction.state.log.replication.factor=3",
            "transaction.state.log.min.isr=2",
            "default.replication.factor=2")) {
      options.addAll(List.of("--property", line));
    }
    return Brokers.own("node" + number, Map.of(), options.toArray(String[]::new));
  }

  @AfterAll
  static void done() {
    for (int i = NODES; i > 0; i--) {
      Brokers.done("node" + i);
    }
  }

  private Map<String, Object> config(String name, Keys keys) {
    Map<String, Object> config = Clients.config(first, "CLIENT", keys);
    String all = brokers.stream().map(Broker::bootstrap).collect(Collectors.joining(","));
    config.put(CommonClientConfigs.BOOTSTRAP_SERVERS_CONFIG, all);
    config.put(CommonClientConfigs.CLIENT_ID_CONFIG, prefix + "-" + name);
    config.put(CommonClientConfigs.DEFAULT_API_TIMEOUT_MS_CONFIG, 120_000);
    return config;
  }

  private Map<String, Object> producing(String name, Keys keys) {
    Map<String, Object> config = config(name, keys);
    config.put(ProducerConfig.MAX_BLOCK_MS_CONFIG, 120_000);
    config.put(ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, 120_000);
    return config;
  }

  /** Every record goes to a topic that is not there yet. */
  private void makesTopics(Keys keys) {
    workload.work(
        "auto",
        turn -> {
          try (KafkaProducer<byte[], byte[]> producer = Clients.producer(producing("auto", keys))) {
            for (int i = 0; turn.next(); i++) {
              producer.send(new ProducerRecord<>(prefix + "-auto-" + i, new byte[] {1})).get();
              Thread.sleep(500);
            }
          }
        });
  }

  private static AclBinding acl(String topic) {
    return new AclBinding(
        new ResourcePattern(ResourceType.TOPIC, topic, PatternType.LITERAL),
        new AccessControlEntry("User:bob", "*", AclOperation.READ, AclPermissionType.ALLOW));
  }

  private static KafkaFuture<Void> retention(Admin admin, String topic, int ms) {
    return admin
        .incrementalAlterConfigs(
            Map.of(
                new ConfigResource(ConfigResource.Type.TOPIC, topic),
                List.of(
                    new AlterConfigOp(
                        new ConfigEntry("retention.ms", "" + ms), AlterConfigOp.OpType.SET))))
        .all();
  }

  /** A call that its client may have made twice: the first answer was lost with the connection. */
  private static <T> void done(KafkaFuture<T> call, Class<?>... before) throws Exception {
    try {
      call.get();
    } catch (ExecutionException e) {
      for (Class<?> allowed : before) {
        if (allowed.isInstance(e.getCause())) {
          return;
        }
      }
      throw e;
    }
  }

  private void administers(Keys keys) {
    workload.work(
        "administers",
        turn -> {
          try (Admin admin = Admin.create(config("administers", keys))) {
            for (int i = 0; turn.next(); i++) {
              String topic = prefix + "-made-" + i;
              List<NewTopic> wanted = List.of(new NewTopic(topic, 1, (short) 2));
              done(admin.createTopics(wanted).all(), TopicExistsException.class);
              Uuid id = id(admin, topic);
              done(retention(admin, topic, 123_456 + i));
              done(admin.createAcls(List.of(acl(topic))).all());
              done(admin.deleteAcls(List.of(acl(topic).toFilter())).all());
              if (i % 2 == 0) {
                done(
                    admin.deleteTopics(List.of(topic)).all(),
                    UnknownTopicOrPartitionException.class);
              } else {
                done(
                    admin.deleteTopics(TopicCollection.ofTopicIds(List.of(id))).all(),
                    UnknownTopicIdException.class);
              }
            }
          }
        });
  }

  /** The id of a topic, once the broker that is asked has heard of it. */
  private static Uuid id(Admin admin, String topic) throws Exception {
    Uuid[] id = {null};
    Wait.until(
        60,
        "the id of " + topic,
        () -> {
          try {
            id[0] = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).topicId();
            return true;
          } catch (ExecutionException e) {
            assertInstanceOf(UnknownTopicOrPartitionException.class, e.getCause());
            return false;
          }
        });
    return id[0];
  }

  /** Asks for all of this without permission: whatever restarts, it is denied. */
  private void intrudes(Keys keys, String topic, Uuid id) {
    workload.work(
        "intrudes",
        turn -> {
          try (Admin admin = Admin.create(config("intrudes", keys))) {
            while (turn.next()) {
              List<NewTopic> wanted = List.of(new NewTopic(prefix + "-not", 1, (short) 1));
              denied(admin.createTopics(wanted).all());
              denied(retention(admin, topic, 1));
              denied(admin.deleteTopics(List.of(topic)).all());
              denied(admin.deleteTopics(TopicCollection.ofTopicIds(List.of(id))).all());
              denied(admin.createAcls(List.of(acl(topic))).all());
              Thread.sleep(50);
            }
          }
        });
  }

  private static <T> void denied(KafkaFuture<T> call) {
    ExecutionException refused = assertThrows(ExecutionException.class, call::get);
    assertInstanceOf(AuthorizationException.class, refused.getCause());
  }

  /** Waits until every partition has all its replicas, as who restarts brokers in turn does. */
  private void awaitReplicas(Admin admin) throws Exception {
    Wait.until(
        90,
        "all replicas in sync",
        () -> {
          try {
            if (admin.describeCluster().nodes().get().size() < NODES) {
              return false;
            }
            List<String> names =
                new ArrayList<>(
                    admin.listTopics(new ListTopicsOptions().listInternal(true)).names().get());
            names.removeIf(name -> name.contains("-made-"));
            for (TopicDescription topic :
                admin.describeTopics(names).allTopicNames().get().values()) {
              if (topic.partitions().stream().anyMatch(p -> p.isr().size() < p.replicas().size())) {
                return false;
              }
            }
            return true;
          } catch (ExecutionException e) {
            return false;
          }
        });
  }

  @Test
  void x_14_every_process_is_restarted_in_turn_under_load_and_no_operation_fails()
      throws Exception {
    String topic = prefix + "-topic";
    Keys may = iam.user(Iam.fresh("may"), Policy.all(first));
    Keys mayNot = iam.user(Iam.fresh("may-not"), Policy.connect(first).topic("DescribeTopic", "*"));
    AtomicInteger written = new AtomicInteger();
    // Asked at the last broker, which is no controller and has not created anything.
    try (Admin admin = Clients.superUser(brokers.get(NODES - 1))) {
      NewTopic wanted = new NewTopic(topic, 1, (short) NODES);
      admin.createTopics(List.of(wanted.configs(Map.of("min.insync.replicas", "2")))).all().get();
      awaitReplicas(admin);
      workload.produces("produces", topic, producing("produces", may), written::incrementAndGet);
      workload.transacts(prefix + "-transactions", producing("transacts", may), 50);
      workload.consumes("classic", topic, config("classic", may), false);
      workload.consumes("consumer", topic, config("consumer", may), false);
      makesTopics(may);
      administers(may);
      intrudes(mayNot, topic, id(admin, topic));
      workload.await(90, 2);
      for (Broker broker : List.of(brokers.get(1), brokers.get(2), first)) {
        awaitReplicas(admin);
        broker.restart("--role", "broker");
        workload.await(90, 2);
      }
      first.restart("--role", "controller");
      workload.await(90, 2);
      workload.join();
      assertEquals(written.get(), Topics.end(first, topic));
      assertTrue(Topics.exists(first, topic));
      assertFalse(Topics.exists(first, prefix + "-not"));
    } finally {
      workload.stop();
    }
  }
}
