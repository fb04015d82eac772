// SPDX-License-Identifier: Apache-2.0
package io.standin.kafka;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.logging.log4j.Level;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Marker;
import org.apache.logging.log4j.core.Logger;
import org.apache.logging.log4j.core.LoggerContext;
import org.apache.logging.log4j.core.filter.AbstractFilter;
import org.apache.logging.log4j.message.Message;

/**
 * Keeps the broker's log readable while nothing can be decided. Kafka writes an error for every
 * request that ends in an exception; of those that Standin could not decide one in ten seconds is
 * left. Only where the broker logs by Log4j 2, as Kafka comes.
 */
final class QuietLog extends AbstractFilter {
  private static final long EVERY_NS = 10_000_000_000L;
  private static final int DEEPEST_CAUSE = 4;
  private static final AtomicBoolean INSTALLED = new AtomicBoolean();

  private final AtomicLong nextAt = new AtomicLong(System.nanoTime());

  private QuietLog() {}

  /** Puts it into the configuration in use, once in a process, and into those that follow. */
  static void install() {
    if (LogManager.getContext(false) instanceof LoggerContext context
        && INSTALLED.compareAndSet(false, true)) {
      QuietLog filter = new QuietLog();
      filter.start();
      context.getConfiguration().addFilter(filter);
      context.addPropertyChangeListener(
          change -> {
            if (LoggerContext.PROPERTY_CONFIG.equals(change.getPropertyName())) {
              context.getConfiguration().addFilter(filter);
            }
          });
    }
  }

  @Override
  public Result filter(Logger logger, Level level, Marker marker, Object text, Throwable thrown) {
    return judge(thrown);
  }

  @Override
  public Result filter(Logger logger, Level level, Marker marker, Message text, Throwable thrown) {
    return judge(thrown);
  }

  private Result judge(Throwable thrown) {
    Throwable cause = thrown;
    for (int depth = 0; cause != null && depth < DEEPEST_CAUSE; depth++) {
      if (cause instanceof Undecided.Told) {
        return isTime() ? Result.NEUTRAL : Result.DENY;
      }
      cause = cause.getCause();
    }
    return Result.NEUTRAL;
  }

  private boolean isTime() {
    long now = System.nanoTime();
    long next = nextAt.get();
    return now - next >= 0 && nextAt.compareAndSet(next, now + EVERY_NS);
  }
}
