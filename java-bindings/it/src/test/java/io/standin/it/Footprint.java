// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryMXBean;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/**
 * What a process holds at a moment, as the kernel and its own memory bean tell.
 *
 * @param resident its resident memory, kB
 * @param heap its Java heap after a collection, kB
 * @param threads its threads
 * @param files its open files and sockets
 */
record Footprint(long resident, long heap, long threads, long files) {
  static Footprint of(Broker broker, String role, Gauges gauges) throws Exception {
    Path process = Path.of("/proc", Long.toString(broker.pid(role)));
    MemoryMXBean memory =
        ManagementFactory.newPlatformMXBeanProxy(
            gauges.beans(), ManagementFactory.MEMORY_MXBEAN_NAME, MemoryMXBean.class);
    memory.gc();
    long heap = memory.getHeapMemoryUsage().getUsed() / 1024;
    return new Footprint(
        status(process, "VmRSS"), heap, status(process, "Threads"), files(process));
  }

  private static long status(Path process, String name) throws IOException {
    for (String line : Files.readAllLines(process.resolve("status"))) {
      if (line.startsWith(name + ":")) {
        return Long.parseLong(line.replaceAll("[^0-9]", ""));
      }
    }
    throw new IOException("no " + name + " of " + process);
  }

  private static long files(Path process) throws IOException {
    try (Stream<Path> open = Files.list(process.resolve("fd"))) {
      return open.count();
    }
  }

  @Override
  public String toString() {
    return "resident %d kB, heap %d kB, %d threads, %d files"
        .formatted(resident, heap, threads, files);
  }
}
