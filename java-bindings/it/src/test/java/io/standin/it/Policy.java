// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;

/** An IAM policy document in the making. */
final class Policy {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Broker broker;
  private final ObjectNode document = JSON.createObjectNode();
  private final ArrayNode statements;

  private Policy(Broker broker) {
    this.broker = broker;
    document.put("Version", "2012-10-17");
    statements = document.putArray("Statement");
  }

  /** A document without permissions. */
  static Policy none(Broker broker) {
    return new Policy(broker);
  }

  /** A document that allows to connect. */
  static Policy connect(Broker broker) {
    return new Policy(broker).allow("Connect", broker.cluster());
  }

  /** A document that allows everything on the cluster. */
  static Policy all(Broker broker) {
    return new Policy(broker).allow("*", "*");
  }

  /** Allows to produce to a topic. */
  Policy produce(String topic) {
    return topic("DescribeTopic", topic).topic("WriteData", topic);
  }

  /** Allows to consume a topic with a group. */
  Policy consume(String topic, String group) {
    return topic("DescribeTopic", topic)
        .topic("ReadData", topic)
        .allow("DescribeGroup", broker.arn("group", group))
        .allow("AlterGroup", broker.arn("group", group));
  }

  /** Allows an action on a topic. */
  Policy topic(String action, String topic) {
    return allow(action, broker.arn("topic", topic));
  }

  /** Allows an action on the cluster. */
  Policy cluster(String action) {
    return allow(action, broker.cluster());
  }

  Policy allow(String action, String... resources) {
    add("Allow", List.of(action), List.of(resources));
    return this;
  }

  Policy deny(String action, String... resources) {
    add("Deny", List.of(action), List.of(resources));
    return this;
  }

  /** Adds an {@code operator: {key: value}} to the last statement. */
  Policy when(String operator, String key, String value) {
    ObjectNode last = (ObjectNode) statements.get(statements.size() - 1);
    last.withObject("/Condition").withObject("/" + operator).put(key, value);
    return this;
  }

  void add(String effect, List<String> actions, List<String> resources) {
    ObjectNode statement = statements.addObject();
    statement.put("Effect", effect);
    ArrayNode list = statement.putArray("Action");
    actions.forEach(action -> list.add("kafka-cluster:" + action));
    ArrayNode on = statement.putArray("Resource");
    resources.forEach(on::add);
  }

  String json() {
    return document.toString();
  }
}
