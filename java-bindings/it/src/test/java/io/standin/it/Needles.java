// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.BitSet;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;

/** Byte strings to be looked for all at once, in what may be large. */
final class Needles {
  private record Needle(String what, byte[] bytes) {}

  private static final int HEAD = 8;
  private static final int BITS = 22;

  private final Map<Long, List<Needle>> byHead = new HashMap<>();
  private final BitSet heads = new BitSet(1 << BITS);

  /** Looks for these bytes and nothing else. */
  Needles add(String what, byte[] bytes) {
    if (bytes.length < HEAD) {
      throw new IllegalArgumentException(what + " is too short to be told from anything");
    }
    long head = ByteBuffer.wrap(bytes).getLong();
    byHead.computeIfAbsent(head, any -> new ArrayList<>()).add(new Needle(what, bytes));
    heads.set(slot(head));
    return this;
  }

  /** Looks for a text as it is. */
  Needles text(String what, String text) {
    return add(what, text.getBytes(StandardCharsets.UTF_8));
  }

  /** Looks for bytes raw, as hex, and as base64 wherever they begin in it. */
  Needles secret(String what, byte[] bytes) {
    add(what + ", raw", bytes);
    String hex = HexFormat.of().formatHex(bytes);
    text(what + ", hex", hex);
    text(what + ", HEX", hex.toUpperCase(java.util.Locale.ROOT));
    for (int before = 0; before < 3; before++) {
      byte[] shifted = new byte[before + bytes.length];
      System.arraycopy(bytes, 0, shifted, before, bytes.length);
      String whole = Base64.getEncoder().withoutPadding().encodeToString(shifted);
      // Characters that also hold bits of what stands before or behind are left out.
      int begin = new int[] {0, 2, 3}[before];
      int end = shifted.length % 3 == 0 ? whole.length() : whole.length() - 1;
      String encoded = whole.substring(begin, end);
      text(what + ", base64", encoded);
      String url = encoded.replace('+', '-').replace('/', '_');
      if (!url.equals(encoded)) {
        text(what + ", base64url", url);
      }
    }
    return this;
  }

  /** Looks for a text in every way it may be kept. */
  Needles secret(String what, String text) {
    add(what + ", UTF-16", text.getBytes(StandardCharsets.UTF_16LE));
    return secret(what, text.getBytes(StandardCharsets.UTF_8));
  }

  private static int slot(long head) {
    return (int) ((head * 0x9e3779b97f4a7c15L) >>> (64 - BITS));
  }

  /** What of it is in there. */
  Set<String> in(byte[] bytes) {
    Set<String> found = new TreeSet<>();
    scan(ByteBuffer.wrap(bytes), found);
    return found;
  }

  /** What of it is in a file, or in the files of a directory. */
  Set<String> in(Path path) throws IOException {
    Set<String> found = new TreeSet<>();
    List<Path> files;
    try (Stream<Path> all = Files.walk(path)) {
      files = all.filter(Files::isRegularFile).toList();
    }
    for (Path file : files) {
      try (FileChannel channel = FileChannel.open(file)) {
        // Parts that overlap by more than the longest needle.
        long part = 1L << 28;
        for (long at = 0; at < channel.size(); at += part) {
          long length = Math.min(part + 65_536, channel.size() - at);
          Set<String> here = new TreeSet<>();
          scan(channel.map(FileChannel.MapMode.READ_ONLY, at, length), here);
          here.forEach(what -> found.add(what + " in " + file.getFileName()));
        }
      }
    }
    return found;
  }

  private void scan(ByteBuffer bytes, Set<String> found) {
    long head = 0;
    int length = bytes.limit();
    for (int at = 0; at < length; at++) {
      head = head << 8 | bytes.get(at) & 0xff;
      if (at >= HEAD - 1 && heads.get(slot(head)) && byHead.containsKey(head)) {
        int begin = at - HEAD + 1;
        for (Needle needle : byHead.get(head)) {
          byte[] there = new byte[Math.min(needle.bytes().length, length - begin)];
          bytes.get(begin, there);
          if (Arrays.equals(there, needle.bytes())) {
            found.add(needle.what());
          }
        }
      }
    }
  }
}
