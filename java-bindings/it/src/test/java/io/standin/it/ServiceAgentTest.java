// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.nio.file.Files;
import java.util.Map;
import org.apache.kafka.common.protocol.Errors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Broker, agent and service, each a process of its own, of which two are killed. */
@Order(2)
@Tag("long")
class ServiceAgentTest {
  private static final Errors DENIED = Errors.TOPIC_AUTHORIZATION_FAILED;

  private final Broker broker =
      Brokers.own(
          "service-agent",
          Map.of(),
          "--service",
          "--agent",
          "--property",
          "standin.login.wait.ms=5000");
  private final Iam iam = Iam.of(broker);
  private final Writers writers = new Writers(broker, iam);

  @AfterAll
  static void done() {
    Brokers.done("service-agent");
  }

  @Test
  void p1_26_an_agent_between_broker_and_service_may_die_and_so_may_the_service() throws Exception {
    assertFalse(
        Files.readString(broker.dir().resolve("broker.properties")).contains("host.credential"),
        "the broker has the host's credential");
    Topics.create(broker, writers.topic());
    Keys fresh = writers.writer("fresh");
    Keys revoked = writers.writer("revoked");
    Worker load = writers.load(writers.writer("writer"), 5);
    try (RawClient open = RawClient.loggedIn(broker, revoked)) {
      load.await(60, 20);
      assertEquals(Errors.NONE, writers.write(open));
      broker.kill("agent");
      writers.assertUndecided(fresh);
      writers.assertDecided(open);
      load.await(60, load.done() + 50);
      broker.startAgent();
      RawClient.loggedIn(broker, fresh).close();

      broker.kill("service");
      // The agent verifies by itself who is known to it.
      RawClient.loggedIn(broker, fresh).close();
      iam.disable(revoked);
      load.await(60, load.done() + 50);
      // Both at once; the agent comes back before the service.
      broker.kill("agent");
      broker.startAgent();
      assertEquals(DENIED, Wire.fetch(open, writers.topic()));
      broker.startService();
      writers.awaitDeniedForGood(open);
      RawClient.loggedIn(broker, fresh).close();
      load.await(60, load.done() + 20);
    } finally {
      load.stop();
      load.join();
    }
  }
}
