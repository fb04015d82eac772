// SPDX-License-Identifier: Apache-2.0
package io.standin.kafka;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.metrics.Metrics;
import org.apache.kafka.common.metrics.internals.PluginMetricsImpl;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.kafka.common.security.auth.KafkaPrincipal;
import org.apache.kafka.metadata.authorizer.StandardAcl;
import org.apache.kafka.metadata.authorizer.StandardAuthorizer;
import org.apache.kafka.server.authorizer.AuthorizationResult;
import org.apache.kafka.server.authorizer.Authorizer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Policies made from ACLs by the program, against Kafka's own authorizer: random ACLs, random
 * requests, and not one answer that differs.
 */
class ConvertTest {
  private static final int ROUNDS = 8;
  private static final int REQUESTS = 3000;
  private static final List<String> PEOPLE = List.of("p0", "p1", "p2", "p3");
  private static final List<String> NAMES =
      List.of(
          "a", "ab", "abc", "b", "b.c", "b-", "*", "a*", "a?c", "a/b", "a/b/c", "a$", "a${*}", "ü");

  /**
   * Topics have no such names, but nothing here depends on that. None begins with a character
   * before the asterisk: Kafka's own authorizer may search for those for ever.
   */
  private static final List<String> REQUESTED =
      List.of(
          "a", "ab", "abc", "abcd", "b", "b.c", "b-x", "c", "a*", "a?c", "a/b", "a/b/c/d", "a$",
          "a${*}", "ü", "axc", "");

  private static final List<String> HOSTS =
      List.of("*", "*", "*", "10.0.0.1", "10.0.0.2", "0:0:0:0:0:0:0:1", "::1", "client.example");
  private static final List<String> ADDRESSES = List.of("10.0.0.1", "10.0.0.2", "10.0.0.3", "::1");

  /** What Kafka asks for. */
  private static final Map<ResourceType, Set<AclOperation>> ASKED =
      Map.of(
          ResourceType.TOPIC,
          EnumSet.of(
              AclOperation.READ,
              AclOperation.WRITE,
              AclOperation.CREATE,
              AclOperation.DELETE,
              AclOperation.ALTER,
              AclOperation.DESCRIBE,
              AclOperation.DESCRIBE_CONFIGS,
              AclOperation.ALTER_CONFIGS),
          ResourceType.GROUP,
          EnumSet.of(
              AclOperation.READ,
              AclOperation.DESCRIBE,
              AclOperation.DELETE,
              AclOperation.DESCRIBE_CONFIGS,
              AclOperation.ALTER_CONFIGS),
          ResourceType.CLUSTER,
          EnumSet.of(
              AclOperation.DESCRIBE,
              AclOperation.ALTER,
              AclOperation.DESCRIBE_CONFIGS,
              AclOperation.ALTER_CONFIGS,
              AclOperation.IDEMPOTENT_WRITE,
              AclOperation.CLUSTER_ACTION),
          ResourceType.TRANSACTIONAL_ID,
          EnumSet.of(AclOperation.DESCRIBE, AclOperation.WRITE, AclOperation.TWO_PHASE_COMMIT),
          ResourceType.DELEGATION_TOKEN,
          EnumSet.of(AclOperation.DESCRIBE),
          ResourceType.USER,
          EnumSet.of(AclOperation.CREATE_TOKENS, AclOperation.DESCRIBE_TOKENS));

  @TempDir Path dir;

  private final long seed = System.nanoTime();
  private final Random random = new Random(seed);

  private <T> T one(List<T> of) {
    return of.get(random.nextInt(of.size()));
  }

  /** Any operation may stand in a list, also one that Kafka never asks for. */
  private AclOperation operation(ResourceType type) {
    int dice = random.nextInt(10);
    if (dice == 0) {
      return AclOperation.ALL;
    }
    List<AclOperation> all = new ArrayList<>(List.of(AclOperation.values()));
    all.removeAll(List.of(AclOperation.UNKNOWN, AclOperation.ANY, AclOperation.ALL));
    if (dice == 1) {
      return one(all);
    }
    List<AclOperation> sensible = new ArrayList<>(ASKED.get(type));
    if (type == ResourceType.CLUSTER) {
      sensible.addAll(List.of(AclOperation.CREATE, AclOperation.CREATE, AclOperation.CREATE));
    }
    return one(sensible);
  }

  private StandardAcl acl() {
    ResourceType type = one(new ArrayList<>(ASKED.keySet()));
    boolean prefixed = random.nextInt(3) == 0;
    String name = one(NAMES);
    if (type == ResourceType.CLUSTER && random.nextInt(4) != 0) {
      name = prefixed ? "kafka" : "kafka-cluster";
    }
    return new StandardAcl(
        type,
        name,
        prefixed ? PatternType.PREFIXED : PatternType.LITERAL,
        random.nextInt(6) == 0 ? "User:*" : "User:" + one(PEOPLE),
        one(HOSTS),
        operation(type),
        random.nextInt(4) == 0 ? AclPermissionType.DENY : AclPermissionType.ALLOW);
  }

  /** What is asked of both. */
  private record Question(
      String name, String address, AclOperation operation, ResourceType type, String on) {}

  private Question question() {
    ResourceType type = one(new ArrayList<>(ASKED.keySet()));
    return new Question(
        one(PEOPLE),
        one(ADDRESSES),
        one(new ArrayList<>(ASKED.get(type))),
        type,
        type == ResourceType.CLUSTER ? "kafka-cluster" : one(REQUESTED));
  }

  /** A question that an entry may have something to say to. */
  private Question question(StandardAcl acl) {
    Question any = question();
    Set<AclOperation> asked = ASKED.get(acl.resourceType());
    boolean same = asked.contains(acl.operation()) && random.nextInt(4) != 0;
    String begin = acl.resourceName().equals("*") ? one(REQUESTED) : acl.resourceName();
    String name = acl.patternType() == PatternType.PREFIXED ? begin + one(List.of("", "x")) : begin;
    return new Question(
        acl.principal().equals("User:*") ? any.name() : acl.principal().substring(5),
        acl.host().startsWith("10.") ? acl.host() : any.address(),
        same ? acl.operation() : one(new ArrayList<>(asked)),
        acl.resourceType(),
        acl.resourceType() == ResourceType.CLUSTER ? "kafka-cluster" : name);
  }

  /** As {@code kafka-acls.sh --list} prints it, or as our own exporter does. */
  private static String text(List<StandardAcl> acls, boolean json) {
    StringBuilder text = new StringBuilder();
    for (StandardAcl acl : acls) {
      text.append(
          json
              ? AclExport.line(acl.toBinding()) + "\n"
              : "Current ACLs for resource `%s`: \n \t%s \n\n"
                  .formatted(acl.toBinding().pattern(), acl.toBinding().entry()));
    }
    return text.toString();
  }

  private static boolean allows(
      Authorizer authorizer,
      KafkaPrincipal principal,
      InetAddress address,
      AclOperation operation,
      ResourceType type,
      String name) {
    return authorizer
            .authorize(
                Stage.request(principal, ApiKeys.PRODUCE.id, address),
                List.of(Stage.action(operation, type, name)))
            .get(0)
        == AuthorizationResult.ALLOWED;
  }

  private static boolean allowsAny(
      Authorizer authorizer,
      KafkaPrincipal principal,
      InetAddress address,
      AclOperation operation,
      ResourceType type) {
    return authorizer.authorizeByResourceType(
            Stage.request(principal, ApiKeys.INIT_PRODUCER_ID.id, address), operation, type)
        == AuthorizationResult.ALLOWED;
  }

  @Test
  void converted_policies_decide_as_kafkas_own_authorizer_does() throws Exception {
    System.out.println("seed " + seed);
    try (Stage stage = new Stage(dir, "convert");
        StandardAuthorizer kafka = new StandardAuthorizer();
        Metrics metrics = new Metrics()) {
      kafka.configure(Map.of("node.id", "1"));
      kafka.withPluginMetrics(new PluginMetricsImpl(metrics, Map.of()));
      kafka.completeInitialLoad();
      StandinAuthorizer standin = stage.authorizer();
      Map<String, KafkaPrincipal> people = new HashMap<>();
      for (String name : PEOPLE) {
        people.put(name, stage.logIn(stage.user(name)));
      }
      long allowed = 0;
      for (int round = 0; round < ROUNDS; round++) {
        List<StandardAcl> acls = new ArrayList<>();
        for (int i = 0; i < 10 + random.nextInt(90); i++) {
          acls.add(acl());
        }
        String mark = "round-" + round;
        for (String name : PEOPLE) {
          acls.add(
              new StandardAcl(
                  ResourceType.USER,
                  mark,
                  PatternType.LITERAL,
                  "User:" + name,
                  "*",
                  AclOperation.DESCRIBE_TOKENS,
                  AclPermissionType.ALLOW));
        }
        // Nothing may deny the mark by which the round's policies are known.
        acls.removeIf(
            a ->
                a.permissionType() == AclPermissionType.DENY
                    && a.resourceType() == ResourceType.USER);
        Map<Uuid, StandardAcl> snapshot = new HashMap<>();
        acls.forEach(acl -> snapshot.put(Uuid.randomUuid(), acl));
        kafka.loadSnapshot(snapshot);
        Path file = dir.resolve("acls");
        Files.writeString(file, text(acls, round % 2 == 1));
        stage.rule("acl", "convert", file.toString(), "--cluster", Stage.CLUSTER, "--put");
        for (KafkaPrincipal principal : people.values()) {
          InetAddress address = InetAddress.getLoopbackAddress();
          for (int i = 0;
              i < 3000
                  && !allows(
                      standin,
                      principal,
                      address,
                      AclOperation.DESCRIBE_TOKENS,
                      ResourceType.USER,
                      mark);
              i++) {
            Thread.sleep(10);
          }
        }
        for (int i = 0; i < REQUESTS; i++) {
          Question asked = random.nextInt(4) == 0 ? question() : question(one(acls));
          String name = asked.name();
          KafkaPrincipal plain = new KafkaPrincipal(KafkaPrincipal.USER_TYPE, name);
          InetAddress address = InetAddress.getByName(asked.address());
          ResourceType type = asked.type();
          AclOperation operation = asked.operation();
          String on = asked.on();
          boolean expected = allows(kafka, plain, address, operation, type, on);
          if (operation == AclOperation.CREATE) {
            // Kafka asks for the cluster first.
            expected |=
                allows(kafka, plain, address, operation, ResourceType.CLUSTER, "kafka-cluster");
          }
          boolean found = allows(standin, people.get(name), address, operation, type, on);
          String what =
              "seed %d round %d: %s %s on %s '%s' from %s%n%s"
                  .formatted(
                      seed, round, name, operation, type, on, address, Files.readString(file));
          assertEquals(expected, found, what);
          allowed += expected ? 1 : 0;
          if (type != ResourceType.CLUSTER && type != ResourceType.USER && i % 10 == 0) {
            AclOperation any = type == ResourceType.TOPIC ? AclOperation.WRITE : operation;
            assertTrue(
                allowsAny(standin, people.get(name), address, any, type)
                    || !allowsAny(kafka, plain, address, any, type),
                "any: " + what);
          }
        }
      }
      // Neither all nor nothing: the questions were worth asking.
      long all = (long) ROUNDS * REQUESTS;
      assertTrue(allowed > all / 20 && allowed < all * 19 / 20, allowed + " of " + all);
    }
  }
}
