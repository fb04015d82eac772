// SPDX-License-Identifier: Apache-2.0
package io.standin.kafka;

import io.standin.internal.Engine;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Brings the engine's log lines into the broker's log. */
final class LogPump implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger("io.standin");
  private static final long EVERY_MS = 500;

  private final Engine engine;
  private final Runnable also;
  private final Thread thread;
  private volatile boolean stop;

  /** Runs {@code also} each time. */
  LogPump(Engine engine, Runnable also) {
    this.engine = engine;
    this.also = also;
    thread = new Thread(this::run, "standin-log");
    thread.setDaemon(true);
    thread.start();
  }

  private void run() {
    while (!stop) {
      drain();
      also.run();
      try {
        Thread.sleep(EVERY_MS);
      } catch (InterruptedException e) {
        return;
      }
    }
  }

  private void drain() {
    for (String line : engine.log()) {
      int space = line.indexOf(' ');
      String text = line.substring(space + 1);
      switch (line.substring(0, Math.max(space, 0))) {
        case "error" -> LOG.error(text);
        case "warn" -> LOG.warn(text);
        default -> LOG.info(text);
      }
    }
  }

  @Override
  public void close() {
    stop = true;
    thread.interrupt();
    drain();
  }
}
