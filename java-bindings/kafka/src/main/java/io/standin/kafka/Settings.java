// SPDX-License-Identifier: Apache-2.0
package io.standin.kafka;

import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.common.config.types.Password;

/** Standin's part of a broker's configuration. */
final class Settings {
  private static final String PREFIX = "standin.";

  private Settings() {}

  /** Every setting of Standin, as text. */
  static Map<String, String> of(Map<String, ?> configs) {
    Map<String, String> settings = new TreeMap<>();
    configs.forEach(
        (name, value) -> {
          if (name.startsWith(PREFIX) && value != null) {
            settings.put(
                name, value instanceof Password password ? password.value() : value.toString());
          }
        });
    return settings;
  }
}
