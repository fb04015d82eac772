// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;

/** Another process that has a broker's store locked and does not let go. */
final class StoreLock implements AutoCloseable {
  /** The locks of SQLite's log for writing, checkpoints, recovery and reading. */
  private static final long FIRST = 120;

  private final FileChannel channel;
  private final List<FileLock> locks = new ArrayList<>();

  private StoreLock(FileChannel channel) {
    this.channel = channel;
  }

  /** Takes every lock; waits for those who hold one. */
  static StoreLock of(Broker broker) throws Exception {
    StoreLock lock =
        new StoreLock(
            FileChannel.open(
                broker.store().resolveSibling("store.db-shm"),
                StandardOpenOption.READ,
                StandardOpenOption.WRITE));
    for (long at = FIRST; at < FIRST + 8; at++) {
      lock.take(at);
    }
    return lock;
  }

  private void take(long at) throws Exception {
    Wait.until(
        "a lock",
        () -> {
          FileLock got = channel.tryLock(at, 1, false);
          return got != null && locks.add(got);
        });
  }

  boolean isHeld() {
    return channel.isOpen() && locks.stream().allMatch(FileLock::isValid);
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
