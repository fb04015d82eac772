// SPDX-License-Identifier: Apache-2.0
package io.standin.internal;

import java.nio.ByteBuffer;

/**
 * The natives of {@code libstandin.so}. Each returns a number and never throws: negative numbers
 * are statuses (see {@link Status}). Multi-field arrays are sequences of a little-endian length and
 * as many bytes; text is UTF-8.
 */
final class Native {
  /** Version this class was built for; the library refuses another. */
  static final String BUILD = "0.1.0";

  private Native() {}

  static native int abi(String build);

  /** The words behind decisions that were handed out; null without memory. */
  static native ByteBuffer words();

  static native long open(byte[] settings, byte[] why);

  static native int resolve(byte[] settings, byte[] out);

  static native int close(long engine, int waitMs);

  static native int profile(long engine, byte[] settings, byte[] why);

  static native int reload(long engine, byte[] settings, int onlyCheck, byte[] why);

  static native int action(long engine, byte[] name, byte[] resourceType);

  static native int login(
      long engine,
      int profile,
      int mechanism,
      byte[] payload,
      byte[] facts,
      int waitMs,
      byte[] out);

  static native int bind(long session, byte[] facts, byte[] out);

  /** The status; or, where everything was denied, what is to be done with the connection. */
  static native int authorize(long session, ByteBuffer direct, int bytes, int count, int waitMs);

  static native int authorizeOne(
      long session, int action, int flags, int count, byte[] name, byte[] facts, int waitMs);

  /** Outcome (bits 0 to 3) and what is to be done with the connection (from 4), or a status. */
  static native int authorizeAny(long session, int action, byte[] facts, int waitMs);

  static native int mode(long engine);

  static native int aclPrincipal(long engine, byte[] arn, byte[] out);

  static native int compare(
      long engine, long session, byte[] who, byte[] facts, ByteBuffer direct, int bytes, int count);

  /**
   * Hands out what was decided about an action on a resource, or (null) on some resource, if it is
   * what is wanted: 0 an allow, 1 a denial, 2 a denial that is recorded; and 4 more if it will be
   * repeated for requests from the session's own address only. How long it holds in milliseconds
   * (from bit 47), number of its word (32), generation (0).
   */
  static native long handOut(long session, int action, byte[] name, int wanted);

  /**
   * Does with the connection of a session, whose id is the broker's, what an answer to {@code
   * authorize} or {@code authorizeAny} asked for: 1 it is shut down, 2 it answers late; or 0, it
   * answers at once again.
   */
  static native int connection(long session, int what, byte[] connection);

  static native int info(long session, byte[] out);

  static native int exportSession(long session, byte[] out);

  static native long importSession(long engine, byte[] sealed, int waitMs);

  static native int retire(long session, int graceMs);

  static native int release(long session);

  static native int metrics(long engine, long[] out);

  static native int metricName(int index, byte[] out);

  static native int records(long engine, int kind, byte[] out);
}
