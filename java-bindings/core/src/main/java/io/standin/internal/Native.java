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

  static native int authorize(long session, ByteBuffer direct, int bytes, int count, int waitMs);

  static native int authorizeOne(
      long session, int action, int flags, int count, byte[] name, byte[] facts, int waitMs);

  static native int authorizeAny(long session, int action, byte[] facts, int waitMs);

  static native int mode(long engine);

  static native int aclPrincipal(long engine, byte[] arn, byte[] out);

  static native int compare(
      long engine, long session, byte[] who, byte[] facts, ByteBuffer direct, int bytes, int count);

  static native int info(long session, byte[] out);

  static native int exportSession(long session, byte[] out);

  static native long importSession(long engine, byte[] sealed, int waitMs);

  static native int retire(long session, int graceMs);

  static native int release(long session);

  static native int metrics(long engine, long[] out);

  static native int metricName(int index, byte[] out);

  static native int records(long engine, int kind, byte[] out);
}
