// SPDX-License-Identifier: Apache-2.0
package io.standin.kafka;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.CharBuffer;
import java.nio.charset.CharsetEncoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;

/** The records of one call, in a direct buffer that belongs to one thread. */
final class Requests {
  static final int LOG_ALLOW = 1;
  static final int LOG_DENY = 2;
  static final int ACLS_ALLOW = 4;
  static final int ANY = 8;

  private static final int RECORD = 16;
  private static final ThreadLocal<Requests> OF_THREAD = ThreadLocal.withInitial(Requests::new);

  private final CharsetEncoder encoder =
      StandardCharsets.UTF_8
          .newEncoder()
          .onMalformedInput(CodingErrorAction.REPORT)
          .onUnmappableCharacter(CodingErrorAction.REPORT);
  private ByteBuffer buffer = ByteBuffer.allocateDirect(4096).order(ByteOrder.LITTLE_ENDIAN);

  private Requests() {}

  static Requests ofThread() {
    return OF_THREAD.get();
  }

  /** Begins anew with the facts of a request. */
  Requests begin(byte[] address, String clientId) {
    buffer.clear();
    buffer.put((byte) address.length).put(address);
    int at = buffer.position();
    buffer.putShort((short) 0);
    int length = clientId == null ? 0 : encode(clientId);
    if (length < 0 || length > 0xffff) {
      // A client id that is no text is no client id.
      buffer.position(at + 2);
      length = 0;
    }
    buffer.putShort(at, (short) length);
    return this;
  }

  /** Adds a record; false when the name is no text, which nothing may be decided about. */
  boolean add(int action, int flags, int count, String name) {
    room(RECORD);
    int at = buffer.position();
    buffer.putInt(action).putInt(flags).putInt(count).putInt(0);
    int length = encode(name);
    if (length < 0) {
      buffer.position(at);
      return false;
    }
    buffer.putInt(at + 12, length);
    return true;
  }

  private void room(int bytes) {
    if (buffer.remaining() < bytes) {
      int size = Math.max(buffer.capacity() * 2, buffer.position() + bytes);
      ByteBuffer larger = ByteBuffer.allocateDirect(size).order(ByteOrder.LITTLE_ENDIAN);
      buffer.flip();
      larger.put(buffer);
      buffer = larger;
    }
  }

  /**
   * Appends UTF-8; how many bytes, or -1. Plain characters, as in nearly all names, go directly.
   */
  private int encode(String text) {
    int length = text.length();
    room(Math.multiplyExact(length, 3));
    int from = buffer.position();
    int i = 0;
    while (i < length && text.charAt(i) < 0x80) {
      buffer.put((byte) text.charAt(i++));
    }
    if (i < length) {
      encoder.reset();
      if (encoder.encode(CharBuffer.wrap(text, i, length), buffer, true).isError()) {
        buffer.position(from);
        return -1;
      }
    }
    return buffer.position() - from;
  }

  ByteBuffer buffer() {
    return buffer;
  }

  int bytes() {
    return buffer.position();
  }
}
