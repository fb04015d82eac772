// SPDX-License-Identifier: Apache-2.0
package io.standin.internal;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** Sequences of a little-endian length and as many bytes. */
public final class Fields {
  private Fields() {}

  /** Joins fields. */
  public static byte[] join(List<byte[]> fields) {
    int size = 0;
    for (byte[] field : fields) {
      size = Math.addExact(size, 4 + field.length);
    }
    ByteBuffer out = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
    for (byte[] field : fields) {
      out.putInt(field.length).put(field);
    }
    return out.array();
  }

  /** Text as a field. */
  public static byte[] text(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  /** A field as text. */
  public static String text(byte[] field) {
    return new String(field, StandardCharsets.UTF_8);
  }

  /** A little-endian number of eight bytes. */
  public static long number(byte[] field) {
    return ByteBuffer.wrap(field).order(ByteOrder.LITTLE_ENDIAN).getLong();
  }

  /** What stands behind its length in a buffer the library filled. */
  public static byte[] content(byte[] out) {
    int length = ByteBuffer.wrap(out).order(ByteOrder.LITTLE_ENDIAN).getInt();
    if (length < 0 || length > out.length - 4) {
      return new byte[0];
    }
    byte[] content = new byte[length];
    System.arraycopy(out, 4, content, 0, length);
    return content;
  }

  /** How many bytes the library needs to answer. */
  public static int needed(byte[] out) {
    return ByteBuffer.wrap(out).order(ByteOrder.LITTLE_ENDIAN).getInt();
  }

  /** Splits fields; what is cut off is left out. */
  public static List<byte[]> split(byte[] bytes) {
    return split(ByteBuffer.wrap(bytes));
  }

  /** The fields that stand behind their length in a buffer the library filled. */
  public static List<byte[]> read(byte[] out) {
    int length = needed(out);
    return length < 0 || length > out.length - 4
        ? List.of()
        : split(ByteBuffer.wrap(out, 4, length));
  }

  private static List<byte[]> split(ByteBuffer in) {
    in.order(ByteOrder.LITTLE_ENDIAN);
    List<byte[]> fields = new ArrayList<>();
    while (in.remaining() >= 4) {
      int length = in.getInt();
      if (length < 0 || length > in.remaining()) {
        break;
      }
      byte[] field = new byte[length];
      in.get(field);
      fields.add(field);
    }
    return fields;
  }
}
