// SPDX-License-Identifier: Apache-2.0
package io.standin.kafka;

import io.standin.internal.Engine;
import io.standin.internal.StandinException;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.apache.kafka.common.config.ConfigException;

/** The settings that {@code kafka-configs.sh} changes while the broker runs; all or nothing. */
final class Dynamic {
  /** Those that the library can change in a running engine. */
  static final Set<String> SETTINGS =
      Set.of(
          "standin.audit.flush.ms",
          "standin.audit.window.ms",
          "standin.credential.lifetime.ms",
          "standin.decide.ttl.ms",
          "standin.denied.slow",
          "standin.feed.interval.ms",
          "standin.idempotent",
          "standin.mode",
          "standin.shadow.principals",
          "standin.stale.after.ms",
          "standin.stale.grace.ms");

  private final Engine engine;

  /** What was given at some time, whose absence means the default again. */
  private final Map<String, String> given = new TreeMap<>();

  Dynamic(Engine engine, Map<String, ?> configs) {
    this.engine = engine;
    given.putAll(of(configs));
  }

  private static Map<String, String> of(Map<String, ?> configs) {
    Map<String, String> settings = Settings.of(configs);
    settings.keySet().retainAll(SETTINGS);
    return settings;
  }

  private Map<String, String> renewed(Map<String, ?> configs) {
    Map<String, String> settings = of(configs);
    given.keySet().forEach(name -> settings.putIfAbsent(name, ""));
    return settings;
  }

  synchronized void check(Map<String, ?> configs) {
    try {
      engine.checkReload(renewed(configs));
    } catch (StandinException e) {
      throw new ConfigException(e.getMessage());
    }
  }

  synchronized void change(Map<String, ?> configs) {
    Map<String, String> settings = renewed(configs);
    try {
      engine.reload(settings);
    } catch (StandinException e) {
      throw new ConfigException(e.getMessage());
    }
    given.putAll(settings);
  }
}
