// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The brokers tests share: a start costs seconds and memory, so there are few. Each is started by
 * the first test that needs it and ends with this JVM.
 */
final class Brokers {
  private static final Map<String, Broker> STARTED = new ConcurrentHashMap<>();

  private Brokers() {}

  /** Broker and controller in one process, with every kind of listener. */
  static Broker combined() {
    return STARTED.computeIfAbsent("combined", name -> Broker.start(name, options()));
  }

  /** Every broker started so far. */
  static List<Broker> started() {
    return List.copyOf(STARTED.values());
  }

  private static String[] options(String... more) {
    List<String> options = new ArrayList<>(List.of("--log", "io.standin=trace"));
    Collections.addAll(options, more);
    return options.toArray(String[]::new);
  }
}
