// SPDX-License-Identifier: Apache-2.0
package io.standin.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whatever Java passes, the library answers with a number and the JVM lives. */
class NativeTest {
  private static final long[] IDS = {0, 1, -1, 255, 256, Long.MAX_VALUE, Long.MIN_VALUE, 1L << 32};
  private static final byte[][] ARRAYS = {
    null, {}, {1}, {-1, -1, -1, -1}, {4, 0, 0, 0, 1}, {0, 0, 0, 0}, new byte[700], new byte[70_000]
  };

  @TempDir Path dir;

  @BeforeAll
  static void load() {
    NativeLoader.load(null);
  }

  @Test
  void x_05_ids_that_were_never_given_out_are_statuses() {
    for (long id : IDS) {
      for (byte[] bytes : ARRAYS) {
        assertRefused(Native.profile(id, bytes, new byte[64]));
        assertRefused(Native.login(id, 0, 1, bytes, bytes, 1, new byte[64]));
        assertRefused(Native.bind(id, bytes, bytes));
        assertRefused(Native.action(id, bytes, bytes));
        assertRefused(Native.authorizeOne(id, 1, 0, 1, bytes, bytes, 0));
        assertRefused(Native.authorizeAny(id, 1, bytes, 0));
        assertRefused(Native.info(id, bytes));
        assertRefused(Native.exportSession(id, bytes));
        assertRefused(Native.importSession(id, bytes, 1));
        assertRefused(Native.records(id, 1, bytes));
      }
      assertRefused(Native.authorize(id, ByteBuffer.allocateDirect(64), 64, 1, 0));
      assertRefused(Native.authorize(id, ByteBuffer.allocate(64), 64, 1, 0));
      assertRefused(Native.authorize(id, null, 64, 1, 0));
      assertRefused(Native.metrics(id, new long[64]));
      assertRefused(Native.close(id, 1));
      assertTrue(Native.retire(id, -1) <= 0);
      assertTrue(Native.release(id) <= 0);
    }
    for (byte[] bytes : ARRAYS) {
      assertRefused(Native.open(bytes, bytes));
      assertRefused(Native.metricName(-1, bytes));
      assertRefused(Native.metricName(1_000_000, bytes));
    }
    assertRefused(Native.abi(null));
    assertRefused(Native.abi("0.0"));
  }

  @Test
  void x_05_garbage_for_an_open_engine_is_refused_by_number() throws Exception {
    Map<String, String> settings = Stores.make(dir, "garbage");
    Random random = new Random(20260101);
    try (Engine engine = Engine.open(settings)) {
      long id = Engine.idOf("garbage");
      int profile = engine.profile(settings);
      for (int i = 0; i < 5_000; i++) {
        byte[] bytes = new byte[random.nextInt(300)];
        random.nextBytes(bytes);
        assertRefused(Native.login(id, profile, 1, bytes, new byte[0], 5, new byte[256]));
        assertRefused(Native.login(id, profile, random.nextInt(), bytes, bytes, 5, new byte[256]));
        assertRefused(Native.importSession(id, bytes, 5));
        assertTrue(Native.profile(id, bytes, new byte[8]) < 0 || bytes.length == 0);
      }
      assertRefused(Native.login(id, profile, 1, null, null, 5, null));
      assertRefused(Native.metrics(id, null));
      assertEquals(0, engine.metrics()[panics()], "nothing panicked");
    }
  }

  private static int panics() {
    return Engine.metricNames().indexOf("worker-panics-total");
  }

  @Test
  void x_05_many_threads_call_while_engines_come_and_go() throws Exception {
    Map<String, String> settings = Stores.make(dir, "threads");
    ExecutorService threads = Executors.newFixedThreadPool(64);
    List<Future<?>> running = new ArrayList<>();
    for (int n = 0; n < 64; n++) {
      int seed = n;
      running.add(
          threads.submit(
              () -> {
                Random random = new Random(seed);
                ByteBuffer direct = ByteBuffer.allocateDirect(256).order(ByteOrder.LITTLE_ENDIAN);
                for (int i = 0; i < 40; i++) {
                  try (Engine engine = Engine.open(settings)) {
                    int profile = engine.profile(settings);
                    engine.action("kafka-cluster:Action" + random.nextInt(8), "topic");
                    byte[] out = new byte[256];
                    assertRefused(engine.login(profile, 1, new byte[9], new byte[0], 5, out));
                    assertRefused(Native.authorize(random.nextLong(), direct, 256, 3, 0));
                    assertTrue(engine.metrics().length > 0);
                  }
                }
                return null;
              }));
    }
    for (Future<?> one : running) {
      one.get();
    }
    threads.shutdown();
    assertEquals(0, Engine.idOf("threads"));
  }

  private static void assertRefused(long status) {
    assertTrue(status < 0 && status != -499, "a status, and no panic: " + status);
  }
}
