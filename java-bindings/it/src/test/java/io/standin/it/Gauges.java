// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import com.sun.tools.attach.VirtualMachine;
import java.util.Set;
import javax.management.MBeanServerConnection;
import javax.management.ObjectName;
import javax.management.remote.JMXConnector;
import javax.management.remote.JMXConnectorFactory;
import javax.management.remote.JMXServiceURL;

/** The metrics of a running broker, read as an operator's tools read them. */
final class Gauges implements AutoCloseable {
  private final JMXConnector connector;
  private final MBeanServerConnection beans;

  private Gauges(JMXConnector connector) throws java.io.IOException {
    this.connector = connector;
    beans = connector.getMBeanServerConnection();
  }

  /** Connects to the process of this role. */
  static Gauges of(Broker broker, String role) throws Exception {
    VirtualMachine machine = VirtualMachine.attach(Long.toString(broker.pid(role)));
    try {
      return new Gauges(
          JMXConnectorFactory.connect(new JMXServiceURL(machine.startLocalManagementAgent())));
    } finally {
      machine.detach();
    }
  }

  /** One of Standin's own, by its name without {@code standin-}. */
  long standin(String name) throws Exception {
    Set<ObjectName> plugins = beans.queryNames(new ObjectName("kafka.server:type=plugins,*"), null);
    for (ObjectName plugin : plugins) {
      try {
        return ((Number) beans.getAttribute(plugin, "standin-" + name)).longValue();
      } catch (javax.management.AttributeNotFoundException e) {
        // Metrics of another plug-in.
      }
    }
    throw new IllegalStateException("no metric " + name + " among " + plugins);
  }

  /** Names of all that the authorizer of this role has. */
  Set<String> names(String role) throws Exception {
    ObjectName plugin =
        new ObjectName(
            "kafka.server:type=plugins,config=authorizer.class.name,class=StandinAuthorizer,role="
                + role);
    Set<String> names = new java.util.TreeSet<>();
    for (javax.management.MBeanAttributeInfo each : beans.getMBeanInfo(plugin).getAttributes()) {
      if (each.getName().startsWith("standin-")) {
        names.add(each.getName());
      }
    }
    return names;
  }

  /** How many connections of a listener were cut because their session was over. */
  double killed(String listener) throws Exception {
    double sum = 0;
    ObjectName processors =
        new ObjectName("kafka.server:type=socket-server-metrics,listener=" + listener + ",*");
    for (ObjectName processor : beans.queryNames(processors, null)) {
      try {
        sum +=
            ((Number) beans.getAttribute(processor, "expired-connections-killed-count"))
                .doubleValue();
      } catch (javax.management.AttributeNotFoundException e) {
        // A bean of one connection.
      }
    }
    return sum;
  }

  /** The bean of the process for memory dumps. */
  MBeanServerConnection beans() {
    return beans;
  }

  @Override
  public void close() throws java.io.IOException {
    connector.close();
  }
}
