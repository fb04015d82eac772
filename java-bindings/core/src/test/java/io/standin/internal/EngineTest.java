// SPDX-License-Identifier: Apache-2.0
package io.standin.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Engines are shared by name, and gone when the last who has one open closes it. */
class EngineTest {
  @TempDir Path dir;

  @Test
  void x_05_engines_open_and_close_again_and_again_and_leave_no_thread() throws Exception {
    Map<String, String> settings = Stores.make(dir, "again");
    for (int round = 0; round < 20; round++) {
      List<Engine> open = new ArrayList<>();
      for (int i = 0; i < 8; i++) {
        open.add(Engine.open(settings));
      }
      assertTrue(Engine.idOf("again") > 0);
      // A thread names itself once it runs.
      for (int i = 0; i < 500 && nativeThreads() < 2; i++) {
        Thread.sleep(10);
      }
      assertTrue(nativeThreads() >= 2, "the worker of an open engine runs");
      for (Engine engine : open) {
        engine.close();
        engine.close();
      }
      assertEquals(0, Engine.idOf("again"));
    }
    assertEquals(0, nativeThreads(), "the last close stops every thread");
  }

  @Test
  void x_05_closing_one_twice_does_not_close_the_others_engine() throws Exception {
    Map<String, String> settings = Stores.make(dir, "twice");
    try (Engine stays = Engine.open(settings)) {
      Engine goes = Engine.open(settings);
      goes.close();
      goes.close();
      assertTrue(Engine.idOf("twice") > 0);
      assertEquals(Engine.metricNames().size(), stays.metrics().length);
    }
  }

  @Test
  void the_same_name_with_other_settings_names_those_that_differ() throws Exception {
    Map<String, String> settings = Stores.make(dir, "differs");
    try (Engine engine = Engine.open(settings)) {
      Map<String, String> other = new TreeMap<>(settings);
      other.put("standin.decide", "remote");
      other.put("standin.cluster.arn", settings.get("standin.cluster.arn") + "2");
      StandinException refused = assertThrows(StandinException.class, () -> Engine.open(other));
      assertTrue(refused.getMessage().contains("standin.decide"), refused.getMessage());
      assertTrue(refused.getMessage().contains("standin.cluster.arn"), refused.getMessage());
      assertFalse(refused.getMessage().contains("standin.store"), refused.getMessage());
      assertTrue(Status.isMisuse(refused.status()));
      // A listener's settings are no settings of the engine.
      other.clear();
      other.putAll(settings);
      other.put("standin.session.max.ms", "5000");
      Engine.open(other).close();
      assertTrue(engine.metrics().length > 0);
    }
  }

  @Test
  void an_unknown_setting_is_refused_with_the_nearest_known_one() throws Exception {
    Map<String, String> settings = Stores.make(dir, "unknown");
    settings.put("standin.audit.flush.msec", "1000");
    StandinException refused = assertThrows(StandinException.class, () -> Engine.open(settings));
    assertTrue(
        refused.getMessage().contains("did you mean standin.audit.flush.ms?"),
        refused.getMessage());
    assertEquals(0, Engine.idOf("unknown"));
  }

  @Test
  void a_store_that_is_not_there_is_named() throws Exception {
    Map<String, String> settings = Stores.make(dir, "missing");
    settings.put("standin.store", dir.resolve("nowhere.db").toString());
    StandinException refused = assertThrows(StandinException.class, () -> Engine.open(settings));
    assertTrue(refused.getMessage().contains("nowhere.db"), refused.getMessage());
  }

  @Test
  void x_05_a_closed_engine_answers_with_a_status() throws Exception {
    Engine engine = Engine.open(Stores.make(dir, "closed"));
    engine.close();
    assertEquals(0, engine.metrics().length);
    assertEquals(0, engine.action("kafka-cluster:Connect", "cluster"));
    assertTrue(engine.log().isEmpty());
    byte[] out = new byte[512];
    int status = engine.login(0, 1, new byte[] {'{', '}'}, new byte[0], 10, out);
    assertTrue(Status.isMisuse(status), "status " + status);
  }

  @Test
  void x_05_metrics_are_read_by_compiled_code_too() throws Exception {
    try (Engine engine = Engine.open(Stores.make(dir, "compiled"))) {
      int names = Engine.metricNames().size();
      // Often enough to be compiled by every compiler of the JVM.
      for (int i = 0; i < 100_000; i++) {
        assertEquals(names, engine.metrics().length);
      }
    }
  }

  /** Threads of the library, as the kernel names them. */
  private static long nativeThreads() throws Exception {
    long count = 0;
    try (Stream<Path> tasks = Files.list(Path.of("/proc/self/task"))) {
      for (Path task : tasks.toList()) {
        try {
          if (Files.readString(task.resolve("comm")).startsWith("standin-")) {
            count++;
          }
        } catch (IOException e) {
          // The thread ended meanwhile.
        }
      }
    }
    return count;
  }
}
