// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import java.util.concurrent.Callable;
import org.junit.jupiter.api.Assertions;

/** Waiting for what happens by itself; only a time-out, never a measure. */
final class Wait {
  private static final int LONGEST_S = 30;

  private Wait() {}

  /** Waits until the condition holds; fails with the text when it does not within 30 s. */
  static void until(String what, Callable<Boolean> condition) throws Exception {
    until(LONGEST_S, what, condition);
  }

  /** As above, for what is much work on a busy machine. */
  static void until(int seconds, String what, Callable<Boolean> condition) throws Exception {
    long end = System.nanoTime() + seconds * 1_000_000_000L;
    while (!condition.call()) {
      if (System.nanoTime() > end) {
        Assertions.fail("not within " + seconds + " s: " + what);
      }
      Thread.sleep(20);
    }
  }
}
