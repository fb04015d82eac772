// SPDX-License-Identifier: Apache-2.0
package io.standin.internal;

/** Status numbers of the library, by their ranges. */
public final class Status {
  /** An argument is not what the library accepts. */
  public static final int INVALID_ARGUMENT = -100;

  /** The id was never given out, or is gone. */
  public static final int UNKNOWN_ID = -103;

  /** The caller's buffer is too small. */
  public static final int BUFFER_TOO_SMALL = -104;

  /** What came has not the documented shape, or was altered. */
  public static final int MALFORMED = -200;

  private Status() {}

  /** Decided, and the answer is no. */
  public static boolean isRefused(long status) {
    return status <= -200 && status > -300;
  }

  /** The caller or the configuration is wrong. */
  public static boolean isMisuse(long status) {
    return status <= -100 && status > -200;
  }
}
