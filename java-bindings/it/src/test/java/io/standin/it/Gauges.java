// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import com.sun.tools.attach.VirtualMachine;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadInfo;
import java.lang.management.ThreadMXBean;
import java.util.Set;
import javax.management.MBeanServerConnection;
import javax.management.ObjectName;
import javax.management.remote.JMXConnector;
import javax.management.remote.JMXConnectorFactory;
import javax.management.remote.JMXServiceURL;
import org.apache.kafka.common.protocol.Errors;

/** The metrics of a running broker, read as an operator's tools read them. */
final class Gauges implements AutoCloseable {
  private final JMXConnector connector;
  private final MBeanServerConnection beans;
  private long stackOf = -1;

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

  /** How many requests of this name were answered with this error. */
  long answered(String request, Errors error) throws Exception {
    return count("name=ErrorsPerSec,request=" + request + ",error=" + error);
  }

  /** How many requests of this name were answered, of all its versions. */
  long requests(String request) throws Exception {
    return count("name=RequestsPerSec,request=" + request + ",version=*");
  }

  private long count(String of) throws Exception {
    long sum = 0;
    ObjectName names = new ObjectName("kafka.network:type=RequestMetrics," + of);
    for (ObjectName name : beans.queryNames(names, null)) {
      sum += ((Number) beans.getAttribute(name, "Count")).longValue();
    }
    return sum;
  }

  /** The call stack of the thread whose name ends like this, the innermost call first. */
  StackTraceElement[] stack(String thread) throws Exception {
    ThreadMXBean threads =
        ManagementFactory.newPlatformMXBeanProxy(
            beans, ManagementFactory.THREAD_MXBEAN_NAME, ThreadMXBean.class);
    if (stackOf < 0) {
      for (ThreadInfo info : threads.getThreadInfo(threads.getAllThreadIds())) {
        if (info != null && info.getThreadName().endsWith(thread)) {
          stackOf = info.getThreadId();
        }
      }
    }
    return threads.getThreadInfo(stackOf, Integer.MAX_VALUE).getStackTrace();
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
