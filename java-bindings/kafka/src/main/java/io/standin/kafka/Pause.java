// SPDX-License-Identifier: Apache-2.0
package io.standin.kafka;

import java.util.Map;
import java.util.concurrent.Semaphore;
import org.apache.kafka.common.protocol.ApiKeys;

/**
 * Holds up the answer to requests that clients repeat at once when they could not be decided:
 * without it they would spin. At most three quarters of the broker's request handlers are held at a
 * time, so that brokers and clients of other listeners get through.
 */
final class Pause {
  private static final String HANDLERS = "num.io.threads";
  private static final int DEFAULT_HANDLERS = 8;
  private static final int MS = 75;

  private final Semaphore free;

  private Pause(int most) {
    free = new Semaphore(most);
  }

  static Pause of(Map<String, ?> configs) {
    Object handlers = configs.get(HANDLERS);
    int count = DEFAULT_HANDLERS;
    try {
      count = handlers == null ? count : Integer.parseInt(handlers.toString().trim());
    } catch (NumberFormatException e) {
      // Kafka says so itself.
    }
    return new Pause(Math.max(1, count * 3 / 4));
  }

  /**
   * True for requests that are repeated at once: fetches by consumers, and by administrators'
   * clients the search for the broker to ask.
   */
  static boolean isFor(int requestType) {
    return requestType == ApiKeys.FETCH.id
        || requestType == ApiKeys.SHARE_FETCH.id
        || requestType == ApiKeys.METADATA.id
        || requestType == ApiKeys.FIND_COORDINATOR.id;
  }

  /** Waits a little, unless too many do so already. For request handlers alone. */
  void take() {
    if (!free.tryAcquire()) {
      return;
    }
    try {
      Thread.sleep(MS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      free.release();
    }
  }
}
