// SPDX-License-Identifier: Apache-2.0
package io.standin.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLongArray;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Every native on live engines and sessions, with everything a binding with a defect could pass.
 * The JVM lives, nothing panics, and nothing is allowed but what was asked for well.
 */
class NativeMisuseTest {
  private static final int PANIC = -499;
  private static final byte[] TOPIC = "topic".getBytes(StandardCharsets.UTF_8);
  private static final byte[] NOTHING = {};
  private static final int[] NUMBERS = {
    0, 1, 2, 3, -1, 15, 64, 65, 4096, 1 << 24, Integer.MAX_VALUE, Integer.MIN_VALUE
  };

  @TempDir Path dir;

  private final Random random = new Random(20_260_102);

  private static byte[][] arrays(Random random) {
    byte[] noise = new byte[300];
    random.nextBytes(noise);
    return new byte[][] {
      null,
      NOTHING,
      {0},
      {1, 2, 3},
      {0, 0, 0, 0},
      {-1, -1, -1, -1},
      {-1, -1, -1, 127, 1},
      {2, 0, 0, 0, 'a', 'b', 1, 0, 0, 0, 'c'},
      {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
      noise,
      new byte[513],
      new byte[70_000],
      // More than is taken from Java.
      new byte[17 << 20],
    };
  }

  /** Facts of a channel: 127.0.0.1, with TLS. */
  private static byte[] facts() {
    byte[] one = {'1'};
    return Fields.join(List.of(new byte[] {127, 0, 0, 1}, one, TOPIC, TOPIC, one, one));
  }

  private static long logIn(long engine, int profile, Client client) throws Exception {
    byte[] out = new byte[4096];
    int status = Native.login(engine, profile, 1, client.message(), NOTHING, 30_000, out);
    assertEquals(0, status);
    long session = Fields.number(Fields.split(Fields.content(out)).get(0));
    assertEquals(0, Native.bind(session, facts(), new byte[512]));
    return session;
  }

  private static int write(long engine) {
    return Native.action(engine, Fields.text("kafka-cluster:WriteData"), TOPIC);
  }

  private static boolean allowed(long session, int action) {
    return Native.authorizeOne(session, action, 0, 1, TOPIC, null, 0) == 1;
  }

  private static long contained(long status) {
    assertNotEquals(PANIC, status, "a panic");
    return status;
  }

  @Test
  void x_05_every_native_takes_nulls_and_arrays_of_any_length() throws Exception {
    Map<String, String> settings = Stores.make(dir, "arrays");
    Client client = Client.make(settings, "user");
    try (Engine open = Engine.open(settings)) {
      long engine = Engine.idOf("arrays");
      int profile = open.profile(settings);
      int action = write(engine);
      long session = logIn(engine, profile, client);
      for (byte[] one : arrays(random)) {
        for (byte[] other : arrays(random)) {
          contained(Native.open(one, other));
          contained(Native.resolve(one, other));
          contained(Native.profile(engine, one, other));
          contained(Native.action(engine, one, other));
          contained(Native.bind(session, one, other));
          contained(Native.reload(engine, one, 1, other));
          contained(Native.aclPrincipal(engine, one, other));
          for (long of : new long[] {0, session, -1}) {
            ByteBuffer asked = request(action, TOPIC);
            contained(Native.compare(engine, of, one, other, asked, asked.position(), 1));
          }
          for (int number : new int[] {1, 0, -1, Integer.MIN_VALUE}) {
            contained(Native.login(engine, profile, number, copy(one), other, 0, new byte[99]));
          }
          contained(Native.login(engine, profile, 1, client.message(), other, 0, one));
          contained(Native.authorizeOne(session, action, 3, 1, one, other, 0));
        }
        contained(Native.authorizeAny(session, action, one, -1));
        for (int what : new int[] {0, 1, 2, 3, -1}) {
          contained(Native.connection(session, what, one));
          contained(Native.connection(-1, what, one));
        }
        contained(Native.info(session, one));
        contained(Native.exportSession(session, one));
        assertTrue(contained(Native.importSession(engine, one, 0)) <= 0);
        contained(Native.metricName(0, one));
        contained(Native.records(engine, Integer.MIN_VALUE, one));
      }
      for (int length : new int[] {0, 1, 24, 25, 26, 1000}) {
        contained(Native.metrics(engine, new long[length]));
      }
      contained(Native.metrics(engine, null));
      contained(Native.abi(null));
      contained(Native.abi("\0\ud800\uffff"));
      contained(Native.abi("x".repeat(1 << 20)));
      for (int number : NUMBERS) {
        contained(Native.profile(number, facts(), NOTHING));
        contained(Native.login(engine, number, 1, client.message(), null, number, NOTHING));
        contained(Native.metricName(number, new byte[64]));
        contained(Native.authorizeOne(session, number, number, number, TOPIC, NOTHING, number));
        contained(Native.authorizeAny(session, number, NOTHING, number));
        contained(Native.importSession(number, facts(), number));
        contained(Native.mode(number));
      }
      assertTrue(allowed(session, action), "it still works");
      assertEquals(0, open.metrics()[Engine.metricNames().indexOf("worker-panics-total")]);
    }
  }

  private static byte[] copy(byte[] bytes) {
    return bytes == null ? null : bytes.clone();
  }

  private static ByteBuffer request(int action, byte[] name) {
    ByteBuffer buffer = ByteBuffer.allocateDirect(4096).order(ByteOrder.LITTLE_ENDIAN);
    buffer.put((byte) 0).putShort((short) 0);
    buffer.putInt(action).putInt(0).putInt(1).putInt(name.length).put(name);
    return buffer;
  }

  @Test
  void x_05_requests_of_any_shape_are_answered_and_write_nowhere_else() throws Exception {
    Map<String, String> settings = Stores.make(dir, "buffers");
    Client client = Client.make(settings, "user");
    try (Engine open = Engine.open(settings)) {
      long engine = Engine.idOf("buffers");
      int action = write(engine);
      long session = logIn(engine, open.profile(settings), client);
      ByteBuffer good = request(action, TOPIC);
      int length = good.position();
      assertEquals(0, Native.authorize(session, good, length, 1, 0));
      assertEquals(1, good.get(0));
      for (int bytes : NUMBERS) {
        for (int count : NUMBERS) {
          ByteBuffer asked = request(action, TOPIC);
          int status = Native.authorize(session, asked, bytes, count, -1);
          contained(status);
          contained(Native.authorize(session, ByteBuffer.allocateDirect(0), bytes, count, 0));
          contained(Native.authorize(session, ByteBuffer.allocate(64), bytes, count, 0));
          contained(Native.authorize(session, null, bytes, count, 0));
          byte[] who = Fields.join(List.of(TOPIC, TOPIC));
          contained(Native.compare(engine, session, who, facts(), asked, bytes, count));
          contained(Native.compare(engine, 0, who, facts(), asked, bytes, count));
          contained(Native.compare(engine, 0, who, null, null, bytes, count));
          for (int at = length; at < asked.capacity(); at++) {
            assertEquals(0, asked.get(at), "written behind the request");
          }
        }
      }
      // A window of a larger buffer: what is beside it stays as it was.
      ByteBuffer large = ByteBuffer.allocateDirect(4096).order(ByteOrder.LITTLE_ENDIAN);
      for (int i = 0; i < 20_000; i++) {
        byte[] noise = new byte[large.capacity()];
        random.nextBytes(noise);
        if (i % 2 == 0) {
          // Nearly right: one byte of a good request is another.
          good.get(0, noise, 1000, length);
          noise[1000] = 0;
          noise[1000 + random.nextInt(length)] = (byte) random.nextInt();
        }
        large.put(0, noise);
        ByteBuffer window = large.slice(1000, 1000);
        int count = random.nextInt(70);
        int status = Native.authorize(session, window, random.nextInt(1001), count, 0);
        contained(status);
        byte[] after = new byte[large.capacity()];
        large.get(0, after);
        int changed = status == 0 ? count : 0;
        Arrays.fill(noise, 1000, 1000 + changed, (byte) 0);
        Arrays.fill(after, 1000, 1000 + changed, (byte) 0);
        assertTrue(Arrays.equals(noise, after), "written elsewhere");
      }
    }
  }

  @Test
  void x_05_a_buffer_that_cannot_be_written_is_refused() throws Exception {
    Map<String, String> settings = Stores.make(dir, "readonly");
    Client client = Client.make(settings, "user");
    try (Engine open = Engine.open(settings)) {
      long engine = Engine.idOf("readonly");
      int action = write(engine);
      long id = logIn(engine, open.profile(settings), client);
      Session session = new Session(id, "user", Long.MAX_VALUE);
      ByteBuffer good = request(action, TOPIC);
      int length = good.position();
      Path file = dir.resolve("request");
      byte[] bytes = new byte[length];
      good.get(0, bytes);
      Files.write(file, bytes);
      try (FileChannel channel = FileChannel.open(file)) {
        // Its pages have no write permission: a write ends the JVM.
        ByteBuffer mapped = channel.map(FileChannel.MapMode.READ_ONLY, 0, length);
        assertTrue(Status.isMisuse(session.authorize(mapped, length, 1, 0)));
      }
      assertTrue(Status.isMisuse(session.authorize(good.asReadOnlyBuffer(), length, 1, 0)));
      assertEquals(0, session.authorize(good, length, 1, 0));
    }
  }

  @Test
  void x_05_forged_and_stale_ids_allow_nothing() throws Exception {
    Map<String, String> settings = Stores.make(dir, "forged");
    Client client = Client.make(settings, "user");
    long stale;
    try (Engine open = Engine.open(settings)) {
      long engine = Engine.idOf("forged");
      int action = write(engine);
      long session = logIn(engine, open.profile(settings), client);
      assertTrue(allowed(session, action));
      for (int bit = 0; bit < 64; bit++) {
        long forged = session ^ (1L << bit);
        assertTrue(!allowed(forged, action), "bit " + bit);
        assertTrue(contained(Native.release(forged)) <= 0);
        contained(Native.retire(forged, 0));
        contained(Native.info(forged, new byte[64]));
        contained(Native.bind(forged, facts(), NOTHING));
      }
      for (int i = 0; i < 100_000; i++) {
        assertTrue(!allowed(random.nextLong(), action));
      }
      assertTrue(allowed(session, action));
      Native.release(session);
      contained(Native.release(session));
      assertTrue(!allowed(session, action));
      stale = logIn(engine, open.profile(settings), client);
      assertTrue(!allowed(session, action), "the slot is used again, the id is not");
    }
    contained(Native.close(1, 0));
    contained(Native.release(stale));
  }

  @Test
  void x_05_a_session_of_a_closed_engine_is_none_of_the_next_one() throws Exception {
    Map<String, String> settings = Stores.make(dir, "next");
    Client client = Client.make(settings, "user");
    List<Long> stale = new ArrayList<>();
    for (int round = 0; round < 5; round++) {
      try (Engine open = Engine.open(settings)) {
        long engine = Engine.idOf("next");
        int action = write(engine);
        List<Long> live = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
          live.add(logIn(engine, open.profile(settings), client));
        }
        for (long old : stale) {
          assertTrue(!allowed(old, action), "an id of an engine that is closed");
          // As the cleaner of a forgotten session does at any time.
          Native.release(old);
        }
        for (long session : live) {
          assertTrue(allowed(session, action), "ended by a release of another session");
        }
        stale.addAll(live);
      }
    }
  }

  @Test
  void x_05_a_closed_reference_reaches_no_later_engine() throws Exception {
    Map<String, String> settings = Stores.make(dir, "later");
    Client client = Client.make(settings, "user");
    Engine closed = Engine.open(settings);
    int profile = closed.profile(settings);
    closed.close();
    try (Engine open = Engine.open(settings)) {
      assertEquals(profile, open.profile(settings));
      byte[] out = new byte[4096];
      int status = closed.login(profile, 1, client.message(), NOTHING, 30_000, out);
      assertTrue(Status.isMisuse(status), "status " + status);
      assertEquals(0, closed.metrics().length);
      assertEquals(0, open.login(profile, 1, client.message(), NOTHING, 30_000, out));
    }
  }

  @Test
  void x_05_an_int_of_a_native_fills_its_register() throws Exception {
    Map<String, String> settings = Stores.make(dir, "register");
    try (Engine open = Engine.open(settings)) {
      long engine = Engine.idOf("register");
      assertTrue(open.metrics().length > 0);
      long[] values = new long[Engine.metricNames().size()];
      // Often enough to be compiled by every compiler of the JVM.
      for (int i = 0; i < 100_000; i++) {
        assertEquals(values.length, copied(engine, values).length);
      }
    }
  }

  private static long[] copied(long engine, long[] values) {
    int count = Native.metrics(engine, values);
    long[] copy = new long[count];
    System.arraycopy(values, 0, copy, 0, count);
    return copy;
  }

  @Test
  void x_05_all_natives_from_many_threads_while_engines_close_under_them() throws Exception {
    Map<String, String> settings = Stores.make(dir, "under");
    Client client = Client.make(settings, "user");
    int threads = 4;
    AtomicBoolean stop = new AtomicBoolean();
    AtomicLongArray sessions = new AtomicLongArray(64);
    ExecutorService pool = Executors.newFixedThreadPool(threads);
    List<Future<Integer>> running = new ArrayList<>();
    for (int n = 0; n < threads; n++) {
      Random own = new Random(n);
      running.add(pool.submit(() -> misuse(own, sessions, client, stop)));
    }
    for (int round = 0; round < 8; round++) {
      try (Engine open = Engine.open(settings)) {
        long engine = Engine.idOf("under");
        int profile = open.profile(settings);
        int action = write(engine);
        for (int i = 0; i < 20; i++) {
          byte[] out = new byte[4096];
          if (Native.login(engine, profile, 1, client.message(), facts(), 5000, out) == 0) {
            long session = Fields.number(Fields.split(Fields.content(out)).get(0));
            sessions.set(random.nextInt(sessions.length()), session);
            contained(Native.authorizeOne(session, action, 0, 1, TOPIC, null, 0));
          }
        }
      }
      if (round % 4 == 0) {
        System.gc();
      }
    }
    stop.set(true);
    for (Future<Integer> one : running) {
      assertTrue(one.get() > 0);
    }
    pool.shutdown();
    assertEquals(0, Engine.idOf("under"));
  }

  /** Calls natives at random until told to stop; how many. */
  private static int misuse(
      Random random, AtomicLongArray sessions, Client client, AtomicBoolean stop) throws Exception {
    byte[] message = client.message();
    ByteBuffer buffer = request(1, TOPIC);
    int length = buffer.position();
    byte[] out = new byte[512];
    int calls = 0;
    for (; !stop.get(); calls++) {
      long session = sessions.get(random.nextInt(sessions.length()));
      long engine = random.nextInt(4) == 0 ? random.nextLong() : 1;
      long status =
          switch (random.nextInt(14)) {
            case 0 -> Native.login(engine, 0, 1, message.clone(), facts(), 1, out);
            case 1 -> Native.bind(session, facts(), out);
            case 2 -> Native.authorize(session, buffer, length, 1, 0);
            case 3 -> Native.authorizeOne(session, 1, 3, 1, TOPIC, null, 0);
            case 4 -> Native.authorizeAny(session, 1, null, 0);
            case 5 -> Native.info(session, out);
            case 6 -> Native.exportSession(session, out);
            case 7 -> Native.importSession(engine, out, 0);
            case 8 -> Native.retire(session, random.nextInt());
            case 9 -> random.nextInt(8) == 0 ? Native.release(session) : 0;
            case 10 -> Native.metrics(engine, new long[random.nextInt(40)]);
            case 11 -> Native.records(engine, 1, new byte[random.nextInt(4096)]);
            case 12 -> Native.action(engine, TOPIC, TOPIC);
            default -> Native.profile(engine, out, new byte[random.nextInt(8)]);
          };
      contained(status);
      buffer.rewind().put(request(1, TOPIC).flip());
    }
    return calls;
  }
}
