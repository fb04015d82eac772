// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Set;
import java.util.TreeSet;

/** The memory of another process, as its core dump would hold it. */
final class Memory {
  private static final int PART = 1 << 24;
  private static final int OVERLAP = 1 << 12;

  private Memory() {}

  /** What of the needles is in the memory of a process. */
  static Set<String> holds(long pid, Needles needles) throws IOException {
    Set<String> found = new TreeSet<>();
    long total = 0;
    byte[] part = new byte[PART + OVERLAP];
    try (RandomAccessFile memory = new RandomAccessFile("/proc/" + pid + "/mem", "r")) {
      for (String line : Files.readAllLines(Path.of("/proc/" + pid + "/maps"))) {
        String[] words = line.split(" +");
        if (!words[1].startsWith("r") || line.endsWith("[vsyscall]") || line.contains("[vvar")) {
          continue;
        }
        String[] ends = words[0].split("-");
        long end = Long.parseUnsignedLong(ends[1], 16);
        for (long at = Long.parseUnsignedLong(ends[0], 16); at < end; at += PART) {
          int length = (int) Math.min(part.length, end - at);
          int read = read(memory, at, part, length);
          found.addAll(needles.in(Arrays.copyOf(part, read)));
          total += read;
        }
      }
    } finally {
      Arrays.fill(part, (byte) 0);
    }
    if (total < 1 << 20) {
      throw new IOException("only " + total + " bytes of process " + pid + " could be read");
    }
    return found;
  }

  /** Reads what can be read: pages that nobody has can be in between. */
  private static int read(RandomAccessFile memory, long at, byte[] into, int length) {
    int read = 0;
    try {
      memory.seek(at);
      while (read < length) {
        int got = memory.read(into, read, length - read);
        if (got <= 0) {
          break;
        }
        read += got;
      }
    } catch (IOException e) {
      // Unmapped meanwhile, or beyond the end of a mapped file.
      return read;
    }
    return read;
  }
}
