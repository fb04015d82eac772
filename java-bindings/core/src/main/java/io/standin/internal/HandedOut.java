// SPDX-License-Identifier: Apache-2.0
package io.standin.internal;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Decisions of one session that the library has handed out: they are repeated here, without a call
 * into it.
 *
 * <p>Behind each stands a word in the library's memory: in its upper half a generation, in its
 * lower half how often the decision was repeated since the library last counted. To repeat a
 * decision is one compare-and-set of that word. The library takes a decision back by moving the
 * generation on, and gets the count in the same step: so nothing is repeated after it was taken
 * back, and nothing is lost to the audit. Whatever ends by the time is handed out with that time.
 *
 * <p>Threads read and write the tables without synchronization: what is in them never changes, and
 * what is lost is only asked for again.
 */
final class HandedOut {
  private static final VarHandle WORD =
      MethodHandles.byteBufferViewVarHandle(long[].class, ByteOrder.nativeOrder());
  private static final int STRIDE = 64;
  private static final long COUNT = 0xffff_ffffL;

  /** What is handed out, by its numbers in the library. */
  private static final int ALLOW = 0;

  private static final int DENIAL = 1;
  private static final int RECORDED_DENIAL = 2;

  /** With each of them: it holds for requests from the address of the connection only. */
  private static final int OWN = 4;

  private static final Kept[] NONE = new Kept[2];
  private static final int[] NOTHING = {};
  private static final int FIRST = 4;
  private static final int MOST = 256;

  /** After this many questions that were not found, the table grows. */
  private static final int MISSES = 32;

  /** How many questions are not tried after one that was not handed out. */
  private static final int PAUSE = 100;

  /** A decision stands in one of two neighbours. */
  private Kept[] slots = NONE;

  /** What was last asked about and not found, by slot. */
  private int[] missed = NOTHING;

  private int misses;
  private int pause;
  private boolean contended;

  /** The library's memory, once the library is loaded. */
  private static final class Words {
    static final ByteBuffer BUFFER = Native.words();
  }

  private record Kept(
      int action, String name, int what, int word, long generation, long from, long nanos) {
    boolean isFor(boolean own) {
      return own || (what & OWN) == 0;
    }

    boolean is(int otherAction, String other) {
      return action == otherAction && name.equals(other);
    }

    boolean isOver() {
      return System.nanoTime() - from >= nanos;
    }

    boolean stands() {
      return ((long) WORD.getVolatile(Words.BUFFER, word) & ~COUNT) == generation && !isOver();
    }
  }

  /** Counts references to a decision; false when it does not hold any more. */
  private boolean repeat(Kept kept, int references) {
    if (kept.isOver() || references < 0) {
      return false;
    }
    while (true) {
      long known = (long) WORD.getVolatile(Words.BUFFER, kept.word);
      if ((known & ~COUNT) != kept.generation || (known & COUNT) + references > COUNT) {
        return false;
      }
      if (WORD.weakCompareAndSet(Words.BUFFER, kept.word, known, known + references)) {
        return true;
      }
      contended = true;
    }
  }

  /**
   * The number of an action in the table. Once threads have met on a word, some have words of their
   * own: brokers serve a session by one thread at a time, but nothing here depends on that.
   */
  private int key(int action) {
    return contended ? action | (int) (Thread.currentThread().getId() & 3) << 16 : action;
  }

  /**
   * By a few characters, since most names are new strings: the last ones, where names of one client
   * differ, and some from the beginning on, for names of one kind that end alike.
   */
  private static int spread(int action, String name) {
    int length = name.length();
    int sum = action * 31 + length;
    for (int i = Math.max(0, length - 4); i < length; i++) {
      sum = sum * 31 + name.charAt(i);
    }
    for (int i = 0, step = length / 8 + 1; i < length; i += step) {
      sum = sum * 31 + name.charAt(i);
    }
    sum *= 0x9e3779b9;
    return sum ^ sum >>> 16;
  }

  private Kept find(int action, String name) {
    Kept[] present = slots;
    int at = spread(action, name) & present.length - 1;
    Kept kept = present[at];
    if (kept != null && kept.is(action, name)) {
      return kept;
    }
    kept = present[at ^ 1];
    return kept != null && kept.is(action, name) ? kept : null;
  }

  /**
   * What is known about the operation, counted as so many references: 1 allowed, 0 denied, or -1.
   *
   * @param recorded whether a denial has to be in the records, and not only in the counts
   * @param own whether the request comes from the address of the connection
   */
  int repeat(int action, String name, int references, boolean recorded, boolean own) {
    Kept kept = find(key(action), name);
    if (kept == null || !kept.isFor(own)) {
      return -1;
    }
    int what = kept.what & ~OWN;
    if (recorded && what == DENIAL || !repeat(kept, references)) {
      return -1;
    }
    return what == ALLOW ? 1 : 0;
  }

  /** True when the action is known to be allowed on some resource of its type. */
  boolean repeatAny(int action, boolean own) {
    // No action has such a number.
    Kept kept = find(~action, "");
    return kept != null && kept.isFor(own) && kept.stands();
  }

  /** After an operation was decided: has that handed out when it comes again. */
  void decided(
      long session, int action, String name, boolean allowed, boolean recorded, boolean own) {
    int key = key(action);
    int at = place(key, name);
    if (at >= 0) {
      int what = (allowed ? ALLOW : recorded ? RECORDED_DENIAL : DENIAL) | (own ? OWN : 0);
      long now = System.nanoTime();
      keep(at, key, name, what, now, handOut(session, action, Fields.text(name), what));
    }
  }

  /** After an action was allowed on some resource of its type. */
  void anyAllowed(long session, int action, boolean own) {
    int at = place(~action, "");
    if (at >= 0) {
      long now = System.nanoTime();
      int what = ALLOW | (own ? OWN : 0);
      keep(at, ~action, "", what, now, handOut(session, action, null, what));
    }
  }

  /** Where a decision goes; -1 when it should not be handed out, or not yet. */
  private int place(int action, String name) {
    if (pause > 0) {
      pause--;
      return -1;
    }
    Kept[] present = slots;
    if (present == NONE || ++misses > MISSES && present.length < MOST) {
      grow(present);
      return -1;
    }
    int spread = spread(action, name);
    int at = spread & present.length - 1;
    int[] before = missed;
    // Most things are asked once.
    if (before[at & before.length - 1] != spread) {
      before[at & before.length - 1] = spread;
      return -1;
    }
    for (int slot : new int[] {at, at ^ 1}) {
      Kept there = present[slot];
      if (there == null || there.is(action, name) || !there.stands()) {
        return slot;
      }
    }
    // What still holds is not displaced.
    return -1;
  }

  private static long handOut(long session, int action, byte[] name, int what) {
    return Words.BUFFER == null ? -1 : Native.handOut(session, action, name, what);
  }

  private void keep(int at, int key, String name, int what, long now, long handed) {
    if (handed <= 0) {
      pause = PAUSE;
      return;
    }
    Kept[] present = slots;
    int word = (int) (handed >>> 32 & 0x7fff) * STRIDE;
    long nanos = (handed >>> 47) * 1_000_000;
    present[at & present.length - 1] = new Kept(key, name, what, word, handed << 32, now, nanos);
  }

  private void grow(Kept[] present) {
    Kept[] larger = new Kept[Math.max(FIRST, present.length * 2)];
    for (Kept kept : present) {
      if (kept != null) {
        int at = spread(kept.action, kept.name) & larger.length - 1;
        larger[larger[at] == null ? at : at ^ 1] = kept;
      }
    }
    misses = 0;
    missed = new int[larger.length];
    slots = larger;
  }
}
