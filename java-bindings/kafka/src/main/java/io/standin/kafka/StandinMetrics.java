// SPDX-License-Identifier: Apache-2.0
package io.standin.kafka;

import io.standin.internal.Engine;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import org.apache.kafka.common.MetricName;
import org.apache.kafka.common.metrics.Gauge;
import org.apache.kafka.common.metrics.PluginMetrics;

/** The engine's counters among the broker's metrics ({@code kafka.server:type=plugins}). */
final class StandinMetrics implements AutoCloseable {
  private final Engine engine;
  private final PluginMetrics plugin;
  private final List<MetricName> names = new ArrayList<>();
  private long[] values = new long[0];
  private long readAt;

  StandinMetrics(Engine engine, PluginMetrics plugin) {
    this.engine = engine;
    this.plugin = plugin;
    List<String> all = Engine.metricNames();
    for (int i = 0; i < all.size(); i++) {
      int index = i;
      MetricName name =
          plugin.metricName(
              "standin-" + all.get(i), "See docs/operations.md", new LinkedHashMap<>());
      plugin.addMetric(name, (Gauge<Long>) (config, now) -> value(index));
      names.add(name);
    }
  }

  /** Values are read from the library once for a round of reading. */
  private synchronized long value(int index) {
    long now = System.nanoTime();
    if (values.length == 0 || now - readAt > 100_000_000L) {
      values = engine.metrics();
      readAt = now;
    }
    return index < values.length ? values[index] : 0;
  }

  @Override
  public void close() {
    names.forEach(plugin::removeMetric);
  }
}
