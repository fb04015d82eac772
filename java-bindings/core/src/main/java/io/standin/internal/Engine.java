// SPDX-License-Identifier: Apache-2.0
package io.standin.internal;

import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;

/** One reference to a native engine. Engines are shared by name within the process. */
public final class Engine implements AutoCloseable {
  /** Names of engines to their ids, while somebody has them open. */
  private static final Map<String, Long> OPEN = new ConcurrentHashMap<>();

  private static final String DEFAULT_NAME = "default";

  /** The session is over: everything is denied. */
  public static final int OVER = 1;

  /** The principal stands for no identity: nothing was compared. */
  public static final int NOBODY = 2;

  private final long id;
  private final int metrics = metricNames().size();
  private final AtomicBoolean closed = new AtomicBoolean();

  private Engine(long id) {
    this.id = id;
  }

  /** Its number while this reference is open; afterwards one that no engine has. */
  private long id() {
    return closed.get() ? 0 : id;
  }

  /** The name of the engine that settings name. */
  public static String name(Map<String, String> settings) {
    return settings.getOrDefault("standin.engine", DEFAULT_NAME);
  }

  /**
   * Opens the engine the settings describe, or takes a reference to the open one.
   *
   * @throws StandinException with what is wrong and what is accepted
   */
  public static Engine open(Map<String, String> settings) throws StandinException {
    NativeLoader.load(settings.get("standin.native.path"));
    byte[] why = new byte[4096];
    // Together with what close does: numbers of engines are used again.
    synchronized (OPEN) {
      long id = Native.open(pairs(settings), why);
      if (id <= 0) {
        throw new StandinException(id, new String(Fields.content(why), StandardCharsets.UTF_8));
      }
      OPEN.put(name(settings), id);
      return new Engine(id);
    }
  }

  /**
   * The given settings together with those in the file they, or the environment, name.
   *
   * @throws StandinException with what is wrong and what is accepted
   */
  public static Map<String, String> resolve(Map<String, String> settings) throws StandinException {
    NativeLoader.load(settings.get("standin.native.path"));
    byte[] out = new byte[1 << 16];
    int status = Native.resolve(pairs(settings), out);
    if (status == Status.BUFFER_TOO_SMALL) {
      out = new byte[Fields.needed(out) + 4];
      status = Native.resolve(pairs(settings), out);
    }
    if (status != 0) {
      throw new StandinException(status, Fields.text(Fields.content(out)));
    }
    Map<String, String> resolved = new TreeMap<>();
    List<byte[]> fields = Fields.split(Fields.content(out));
    for (int i = 0; i + 1 < fields.size(); i += 2) {
      resolved.put(Fields.text(fields.get(i)), Fields.text(fields.get(i + 1)));
    }
    return resolved;
  }

  /** The id of an engine somebody has open; 0 when nobody has. */
  public static long idOf(String name) {
    return OPEN.getOrDefault(name, 0L);
  }

  /** True while the engine of this name is open and in shadow mode. */
  public static boolean isShadow(String name) {
    return Native.mode(idOf(name)) == 1;
  }

  private static byte[] pairs(Map<String, String> settings) {
    List<byte[]> fields = new ArrayList<>();
    settings.forEach(
        (name, value) -> {
          fields.add(Fields.text(name));
          fields.add(Fields.text(value));
        });
    return Fields.join(fields);
  }

  /**
   * Makes the profile of a listener.
   *
   * @throws StandinException with what is wrong and what is accepted
   */
  public int profile(Map<String, String> settings) throws StandinException {
    byte[] why = new byte[4096];
    int profile = Native.profile(id(), pairs(settings), why);
    if (profile < 0) {
      throw new StandinException(profile, new String(Fields.content(why), StandardCharsets.UTF_8));
    }
    return profile;
  }

  /**
   * Changes settings of the running engine, which all that have it open share; all or nothing.
   *
   * @throws StandinException with what is wrong and what is accepted; then nothing changed
   */
  public void reload(Map<String, String> settings) throws StandinException {
    reload(settings, 0);
  }

  /**
   * Whether {@link #reload} would accept these settings.
   *
   * @throws StandinException with what is wrong and what is accepted
   */
  public void checkReload(Map<String, String> settings) throws StandinException {
    reload(settings, 1);
  }

  private void reload(Map<String, String> settings, int onlyCheck) throws StandinException {
    byte[] why = new byte[4096];
    int status = Native.reload(id(), pairs(settings), onlyCheck, why);
    if (status != 0) {
      throw new StandinException(status, new String(Fields.content(why), StandardCharsets.UTF_8));
    }
  }

  /** True while Kafka's ACLs decide and policies are only compared with them. */
  public boolean isShadow() {
    return Native.mode(id()) == 1;
  }

  /** The principal, such as {@code User:alice}, whose ACLs count for an identity; null for none. */
  public String aclPrincipal(String arn) {
    byte[] out = new byte[2048];
    return Native.aclPrincipal(id(), Fields.text(arn), out) == 0
        ? Fields.text(Fields.content(out))
        : null;
  }

  /**
   * Compares operations that ACLs have decided with what policies say. One of the two is given:
   *
   * @param session a session, or null
   * @param facts of the channel of a client that did not log in here, or none
   * @return 0, or {@link #OVER} or {@link #NOBODY}, or the status of what went wrong
   */
  public int compare(
      Session session, byte[] who, byte[] facts, ByteBuffer buffer, int bytes, int count) {
    if (buffer.isReadOnly()) {
      return Status.INVALID_ARGUMENT;
    }
    try {
      return Native.compare(
          id(), session == null ? 0 : session.id(), who, facts, buffer, bytes, count);
    } finally {
      Reference.reachabilityFence(session);
    }
  }

  /** The number of an action on a type of resource; 0, which is always denied, when it has none. */
  public int action(String name, String resourceType) {
    return Math.max(0, Native.action(id(), Fields.text(name), Fields.text(resourceType)));
  }

  /** Authenticates; the status, with the answer's fields in {@code out}. */
  public int login(
      int profile, int mechanism, byte[] payload, byte[] facts, int waitMs, byte[] out) {
    return Native.login(id(), profile, mechanism, payload, facts, waitMs, out);
  }

  /** Values of all metrics; none when the engine is closed. */
  public long[] metrics() {
    long[] values = new long[metrics];
    // Compared and not used as a length: compiled code takes an int from a native with the
    // whole register, whose upper half belongs to nobody, and an array copy crashed by it.
    return Native.metrics(id(), values) == values.length ? values : new long[0];
  }

  /** Names of all metrics, in the order of their values. */
  public static List<String> metricNames() {
    List<String> names = new ArrayList<>();
    byte[] out = new byte[256];
    while (Native.metricName(names.size(), out) == 0) {
      names.add(Fields.text(Fields.content(out)));
    }
    return names;
  }

  /** Takes log lines; each begins with its level. */
  public List<String> log() {
    byte[] out = new byte[1 << 18];
    int count = Native.records(id(), 1, out);
    return count <= 0
        ? List.of()
        : Fields.split(Fields.content(out)).stream().map(Fields::text).toList();
  }

  /**
   * Gives the reference back; the last one stops the engine's worker. Closing twice is harmless.
   */
  @Override
  public void close() {
    if (!closed.compareAndSet(false, true)) {
      return;
    }
    synchronized (OPEN) {
      if (Native.close(id, 5000) == 1) {
        OPEN.values().remove(id);
      }
    }
  }
}
