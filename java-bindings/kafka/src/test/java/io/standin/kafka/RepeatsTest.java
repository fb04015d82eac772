// SPDX-License-Identifier: Apache-2.0
package io.standin.kafka;

import static org.apache.kafka.common.acl.AclOperation.WRITE;
import static org.apache.kafka.common.resource.ResourceType.TOPIC;
import static org.apache.kafka.server.authorizer.AuthorizationResult.ALLOWED;
import static org.apache.kafka.server.authorizer.AuthorizationResult.DENIED;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import io.standin.internal.Engine;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.server.authorizer.Action;
import org.apache.kafka.server.authorizer.AuthorizationResult;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.io.TempDir;

/** Decisions repeated in Java end with the library's own, and every one is counted. */
class RepeatsTest {
  private static final int THREADS = 4;

  @TempDir Path dir;

  private Stage stage;
  private StandinAuthorizer authorizer;
  private Engine engine;

  @BeforeEach
  void build(TestInfo test) throws Exception {
    stage = new Stage(dir, test.getTestMethod().orElseThrow().getName());
    authorizer = stage.authorizer();
    engine = Engine.open(Settings.of(stage.configs()));
  }

  @AfterEach
  void takeDown() throws Exception {
    engine.close();
    stage.close();
  }

  private static Action write(String topic) {
    return Stage.action(WRITE, TOPIC, topic);
  }

  private List<AuthorizationResult> ask(StandinPrincipal principal, Action... actions) {
    return authorizer.authorize(Stage.request(principal, ApiKeys.PRODUCE.id), List.of(actions));
  }

  /** Operations the library has counted as allowed, each login's Connect among them. */
  private long counted() {
    return counted("operations-allowed-total");
  }

  private long counted(String metric) {
    return engine.metrics()[Engine.metricNames().indexOf(metric)];
  }

  private StandinPrincipal writer(String name) throws Exception {
    return stage.logIn(
        stage.user(name, Stage.statement("Allow", "WriteData", Stage.arn("topic", "t*"))));
  }

  /** Something that takes rights away. */
  private interface Change {
    void make() throws Exception;
  }

  /**
   * Threads ask as fast as they can while rights are taken away, and nothing is allowed that was
   * asked after the library itself had said no. How often it was allowed.
   */
  private long race(StandinPrincipal principal, Change change) throws Exception {
    AtomicBoolean changed = new AtomicBoolean();
    AtomicBoolean over = new AtomicBoolean();
    AtomicLong allowed = new AtomicLong();
    ExecutorService threads = Executors.newFixedThreadPool(THREADS);
    List<Future<?>> running = new ArrayList<>();
    for (int n = 0; n < THREADS; n++) {
      List<Action> actions = List.of(write("t-of-all"), write("t-" + n));
      running.add(
          threads.submit(
              () -> {
                while (!over.get()) {
                  for (Action action : actions) {
                    boolean late = changed.get();
                    if (ask(principal, action).get(0) == ALLOWED) {
                      assertTrue(!late, "allowed after the change");
                      allowed.incrementAndGet();
                    }
                  }
                }
              }));
    }
    while (allowed.get() < 50_000 && running.stream().noneMatch(Future::isDone)) {
      Thread.onSpinWait();
    }
    change.make();
    // Two at once always go to the library.
    while (ask(principal, write("t-of-all"), write("t-x")).get(0) == ALLOWED) {
      allowed.addAndGet(2);
    }
    changed.set(true);
    for (int n = 0; n < 1000; n++) {
      assertNotEquals(ALLOWED, ask(principal, write("t-of-all")).get(0));
    }
    over.set(true);
    threads.shutdown();
    for (Future<?> one : running) {
      one.get();
    }
    assertTrue(threads.awaitTermination(30, TimeUnit.SECONDS));
    return allowed.get();
  }

  @Test
  void p1_21_nothing_is_repeated_after_a_change_and_everything_is_counted() throws Exception {
    StandinPrincipal policies = writer("policy");
    StandinPrincipal key = writer("key");
    long allowed = counted();
    allowed += race(policies, () -> stage.rule("policy", "delete", "own", "--user", "policy"));
    allowed += race(key, () -> stage.rule("key", "disable", stage.credential("key").get(0)));
    assertEquals(List.of(DENIED), ask(policies, write("t-of-all")));
    assertEquals(allowed, counted(), "each allow is counted once");
    stage.allow("policy", Stage.statement("Allow", "WriteData", "*"));
    while (ask(policies, write("t-of-all"), write("t-x")).get(0) == DENIED) {
      Thread.sleep(1);
    }
    assertEquals(List.of(ALLOWED), ask(policies, write("t-of-all")), "no denial is left over");
  }

  @Test
  void p1_20_a_known_decision_is_repeated_without_memory() throws Exception {
    StandinPrincipal writer = writer("writer");
    ThreadMXBean bean = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    Action action = write("t-1");
    List<Action> one = List.of(action);
    var request = Stage.request(writer, ApiKeys.PRODUCE.id);
    long asked = counted();
    double bytes = Double.MAX_VALUE;
    // Until it is compiled, which a busy machine does late.
    for (int round = 0; round < 200 && bytes >= 1; round++) {
      long before = bean.getCurrentThreadAllocatedBytes();
      for (int n = 0; n < 50_000; n++) {
        assertEquals(ALLOWED, authorizer.authorize(request, one).get(0));
      }
      asked += 50_000;
      bytes = (bean.getCurrentThreadAllocatedBytes() - before) / 50_000.0;
    }
    assertTrue(bytes < 1, "a call allocates " + bytes + " bytes");
    assertEquals(asked, counted());
    assertEquals(List.of(DENIED), ask(writer, write("other")));
  }

  /** Regression: of names as long as each other with one ending, only two were repeated. */
  @Test
  void names_that_end_alike_are_all_repeated() throws Exception {
    StandinPrincipal writer = writer("writer");
    ThreadMXBean bean = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    List<List<Action>> each = new ArrayList<>();
    for (String kind : List.of("red", "blue", "gold", "gray", "pink", "teal", "lime", "plum")) {
      each.add(List.of(write(String.format("t-%5s-events", kind).replace(' ', 'x'))));
    }
    var request = Stage.request(writer, ApiKeys.PRODUCE.id);
    double bytes = Double.MAX_VALUE;
    for (int round = 0; round < 200 && bytes >= 1; round++) {
      long before = bean.getCurrentThreadAllocatedBytes();
      for (int n = 0; n < 50_000; n++) {
        assertEquals(ALLOWED, authorizer.authorize(request, each.get(n % each.size())).get(0));
      }
      bytes = (bean.getCurrentThreadAllocatedBytes() - before) / 50_000.0;
    }
    assertTrue(bytes < 1, "a call allocates " + bytes + " bytes");
  }

  /** A decision that looks at the address is repeated for that of the connection and no other. */
  @Test
  void p1_21_what_looks_at_the_address_is_repeated_for_the_connections_own_only() throws Exception {
    String here =
        Stage.statement("Allow", "WriteData", Stage.arn("topic", "t*"))
            .replace(
                "\"Effect\"",
                "\"Condition\":{\"IpAddress\":{\"aws:SourceIp\":\"127.0.0.0/8\"}},\"Effect\"");
    assertTrue(here.contains("SourceIp"), here);
    StandinPrincipal writer = stage.logIn(stage.user("here", here));
    List<Action> one = List.of(write("t-1"));
    var own = Stage.request(writer, ApiKeys.PRODUCE.id);
    var same = Stage.request(writer, ApiKeys.PRODUCE.id, InetAddress.getByAddress(own()));
    var near = Stage.request(writer, ApiKeys.PRODUCE.id, InetAddress.getByName("127.9.9.9"));
    var far = Stage.request(writer, ApiKeys.PRODUCE.id, InetAddress.getByName("192.0.2.1"));
    long allowed = counted();
    long denied = counted("operations-denied-total");
    for (int n = 0; n < 1000; n++) {
      assertEquals(ALLOWED, authorizer.authorize(own, one).get(0));
      assertEquals(ALLOWED, authorizer.authorize(same, one).get(0));
      assertEquals(ALLOWED, authorizer.authorize(near, one).get(0));
      assertEquals(DENIED, authorizer.authorize(far, one).get(0));
      assertEquals(ALLOWED, authorizer.authorizeByResourceType(own, WRITE, TOPIC));
      assertEquals(DENIED, authorizer.authorizeByResourceType(far, WRITE, TOPIC));
    }
    assertEquals(3000, counted() - allowed);
    assertEquals(1000, counted("operations-denied-total") - denied);
  }

  private static byte[] own() {
    return new byte[] {127, 0, 0, 1};
  }

  @Test
  void p1_20_more_names_than_are_kept_are_all_decided_and_counted() throws Exception {
    StandinPrincipal writer = writer("writer");
    long before = counted();
    long denied = counted("operations-denied-total");
    for (int n = 0; n < 20_000; n++) {
      int name = n * 31 % 500;
      assertEquals(List.of(ALLOWED), ask(writer, write(new String("t-" + name))));
      assertEquals(List.of(DENIED), ask(writer, write("u-" + name)));
    }
    assertEquals(20_000, counted() - before);
    assertEquals(20_000, counted("operations-denied-total") - denied);
  }
}
