// SPDX-License-Identifier: Apache-2.0
package io.standin.bench;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.kafka.metadata.authorizer.StandardAcl;

/** The same rules twice: as Kafka's ACLs, and as IAM policy documents with a statement a rule. */
final class Rules {
  /** The principal the ACLs name. */
  static final String PRINCIPAL = "User:test-user";

  /** Longest document, bytes; longer ones are refused. */
  private static final int LONGEST = 120 * 1024;

  private final String cluster;
  private final Map<Uuid, StandardAcl> acls = new LinkedHashMap<>();
  private final List<String> statements = new ArrayList<>();

  private Rules(String cluster) {
    this.cluster = cluster;
  }

  /** Name of a topic of {@link #own}. */
  static String topic(int i) {
    return "bench-topic-" + i;
  }

  /** An address of its own for each of many rules. */
  static String address(int i) {
    return "10." + (i >> 16) + "." + (i >> 8 & 255) + "." + (i & 255);
  }

  /** One rule for each of {@code count} topics by name: it may be written and described. */
  static Rules own(String cluster, int count) {
    Rules rules = new Rules(cluster);
    for (int i = 0; i < count; i++) {
      rules.acl(
          ResourceType.TOPIC, topic(i), PatternType.LITERAL, AclOperation.WRITE, PRINCIPAL, "*");
      rules.statement("topic", topic(i), null, "WriteData", "DescribeTopic");
    }
    return rules;
  }

  /**
   * KAFKA-20667: all rules on every topic, each for another address, only the last for any. Here
   * all of them are the asking principal's own.
   */
  static Rules everywhere(String cluster, int count) {
    Rules rules = new Rules(cluster);
    for (int i = 0; i < count; i++) {
      String host = i == count - 1 ? null : address(i);
      rules.acl(
          ResourceType.TOPIC,
          "*",
          PatternType.LITERAL,
          AclOperation.WRITE,
          PRINCIPAL,
          host == null ? "*" : host);
      rules.statement("topic", "*", host, "WriteData", "DescribeTopic");
    }
    return rules;
  }

  /**
   * What Kafka's own AuthorizerBenchmark loads: {@code count} resources with ten entries each for
   * ten principals, one prefix with ten addresses, and a tenth as many entries on all topics. The
   * entries of other principals are other users' policies and none of this one's.
   */
  static Rules benchmark(String cluster, int count) {
    Rules rules = new Rules(cluster);
    for (int i = 0; i < count; i++) {
      String name = "foo-bar35_resource-" + i;
      boolean group = i % 10 == 0;
      boolean prefix = i % 5 == 0;
      for (int n = 0; n < 10; n++) {
        rules.acl(
            group ? ResourceType.GROUP : ResourceType.TOPIC,
            name,
            prefix ? PatternType.PREFIXED : PatternType.LITERAL,
            AclOperation.READ,
            n == 0 ? PRINCIPAL : PRINCIPAL + n,
            "*");
      }
      rules.statement(
          group ? "group" : "topic",
          prefix ? name + "*" : name,
          null,
          group ? "AlterGroup" : "ReadData",
          group ? "DescribeGroup" : "DescribeTopic");
    }
    for (int n = 0; n < 10; n++) {
      rules.acl(
          ResourceType.TOPIC,
          "foo-bar35_resource-",
          PatternType.PREFIXED,
          AclOperation.READ,
          PRINCIPAL,
          "127.0.0." + n);
      rules.statement("topic", "foo-bar35_resource-*", "127.0.0." + n, "ReadData", "DescribeTopic");
    }
    for (int n = 0; n < count / 10; n++) {
      String host = "127.1." + (n >> 8) + "." + (n & 255);
      rules.acl(ResourceType.TOPIC, "*", PatternType.LITERAL, AclOperation.READ, PRINCIPAL, host);
      rules.statement("topic", "*", host, "ReadData", "DescribeTopic");
    }
    return rules;
  }

  private void acl(
      ResourceType type,
      String name,
      PatternType pattern,
      AclOperation operation,
      String principal,
      String host) {
    acls.put(
        Uuid.randomUuid(),
        new StandardAcl(type, name, pattern, principal, host, operation, AclPermissionType.ALLOW));
  }

  private void statement(String type, String name, String address, String... verbs) {
    String actions =
        Stream.of(verbs)
            .map(verb -> "\"kafka-cluster:" + verb + "\"")
            .collect(Collectors.joining(","));
    String condition =
        address == null
            ? ""
            : ",\"Condition\":{\"IpAddress\":{\"aws:SourceIp\":\"" + address + "/32\"}}";
    statements.add(
        "{\"Effect\":\"Allow\",\"Action\":["
            + actions
            + "],\"Resource\":\""
            + cluster.replace(":cluster/", ":" + type + "/")
            + "/"
            + name
            + "\""
            + condition
            + "}");
  }

  /** As Kafka's ACLs. */
  Map<Uuid, StandardAcl> acls() {
    return acls;
  }

  /** As policy documents, as few as their greatest length permits. */
  List<String> documents() {
    List<String> documents = new ArrayList<>();
    StringBuilder document = new StringBuilder();
    begin(document);
    for (String statement : statements) {
      if (document.length() + statement.length() > LONGEST) {
        documents.add(document.append("]}").toString());
        document.setLength(0);
        begin(document);
      }
      document.append(",\n").append(statement);
    }
    documents.add(document.append("]}").toString());
    return documents;
  }

  private void begin(StringBuilder document) {
    document
        .append("{\"Version\":\"2012-10-17\",\"Statement\":[")
        .append("{\"Effect\":\"Allow\",\"Action\":\"kafka-cluster:Connect\",\"Resource\":\"")
        .append(cluster)
        .append("\"}");
  }
}
