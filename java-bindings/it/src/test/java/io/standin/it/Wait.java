// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import java.util.concurrent.Callable;
import org.junit.jupiter.api.Assertions;

/** Waiting for what happens by itself; only a time-out, never a measure. */
final class Wait {
  private static final long LONGEST_NS = 30_000_000_000L;

  private Wait() {}

  /** Waits until the condition holds; fails with the text when it does not within 30 s. */
  static void until(String what, Callable<Boolean> condition) throws Exception {
    long end = System.nanoTime() + LONGEST_NS;
    while (!condition.call()) {
      if (System.nanoTime() > end) {
        Assertions.fail("not within 30 s: " + what);
      }
      Thread.sleep(20);
    }
  }
}
