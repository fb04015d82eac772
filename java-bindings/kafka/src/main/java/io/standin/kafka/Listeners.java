// SPDX-License-Identifier: Apache-2.0
package io.standin.kafka;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.common.config.ConfigException;

/**
 * Listeners through which clients log in to Standin, and the settings each has for itself: a
 * setting behind {@code listener.name.NAME.} wins over the same one without.
 */
final class Listeners {
  private static final String PREFIX = "listener.name.";

  /** What the JAAS line of a listener of ours names. */
  private static final String OURS = StandinLoginModule.class.getName();

  /** Where nothing maps listeners to protocols their names are those of protocols. */
  private static final String DEFAULT_MAP = "SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL";

  private Listeners() {}

  /**
   * Refuses listeners over which logins could be replayed, and settings of listeners that have no
   * use for them. For the authorizer, whose configuration is the broker's as it was written.
   *
   * @param all the settings of Standin, those of its file included
   */
  static void check(Map<String, ?> configs, Map<String, String> all) {
    for (Map.Entry<String, String> listener : protocols(configs).entrySet()) {
      String prefix = PREFIX + listener.getKey();
      String allowed = text(configs, prefix + ".standin.allow.plaintext");
      if (allowed == null) {
        allowed = all.get("standin.allow.plaintext");
      }
      if (listener.getValue().equals("SASL_PLAINTEXT")
          && offers(configs, prefix)
          && !"true".equals(allowed)) {
        throw new ConfigException(
            "Listener "
                + listener.getKey().toUpperCase(Locale.ROOT)
                + " has SASL_PLAINTEXT, where logins can be replayed; use SASL_SSL, or"
                + " standin.allow.plaintext=true for tests on one machine");
      }
    }
    for (String key : configs.keySet()) {
      int at = key.startsWith(PREFIX) ? key.indexOf(".standin.", PREFIX.length()) : -1;
      if (at > 0 && !offers(configs, key.substring(0, at))) {
        throw new ConfigException(
            key
                + ": listener "
                + key.substring(PREFIX.length(), at)
                + " does not offer AWS_MSK_IAM or OAUTHBEARER by "
                + OURS
                + "; the settings of Standin have no meaning there");
      }
    }
  }

  /**
   * The settings of the listener that a callback handler is made for. Kafka does not tell which one
   * that is, but takes from the handler's configuration what it has read of that listener: of all
   * that offer the mechanism it is the one whose JAAS line is missing.
   */
  static Map<String, String> settings(Map<String, ?> configs) {
    Map<String, String> settings = Settings.of(configs);
    List<String> candidates = new ArrayList<>();
    for (String name : protocols(configs).keySet()) {
      boolean other = offers(configs, PREFIX + name);
      if (!other && !own(configs, name).isEmpty()) {
        candidates.add(name);
      }
    }
    if (candidates.size() > 1) {
      throw new ConfigException(
          "Which settings are meant for this listener? Give each of "
              + candidates
              + " its own listener.name.NAME"
              + Mechanism.AWS_MSK_IAM.jaas());
    }
    candidates.forEach(name -> settings.putAll(own(configs, name)));
    return settings;
  }

  /** True when a listener's configuration has a JAAS line of ours. */
  private static boolean offers(Map<String, ?> configs, String prefix) {
    return Arrays.stream(Mechanism.values())
        .map(mechanism -> text(configs, prefix + mechanism.jaas()))
        .anyMatch(line -> line != null && line.contains(OURS));
  }

  private static Map<String, String> own(Map<String, ?> configs, String name) {
    Map<String, String> own = new TreeMap<>();
    String prefix = PREFIX + name + ".";
    configs.forEach(
        (key, value) -> {
          if (key.startsWith(prefix + "standin.") && value != null) {
            own.put(key.substring(prefix.length()), value.toString());
          }
        });
    return own;
  }

  /** Names of listeners, lower-case as in their settings, and their protocols. */
  private static Map<String, String> protocols(Map<String, ?> configs) {
    Map<String, String> protocols = new TreeMap<>();
    String map = text(configs, "listener.security.protocol.map");
    for (String pair : (map == null ? DEFAULT_MAP : map).split(",")) {
      String[] parts = pair.trim().split(":");
      if (parts.length == 2) {
        protocols.put(
            parts[0].trim().toLowerCase(Locale.ROOT), parts[1].trim().toUpperCase(Locale.ROOT));
      }
    }
    return protocols;
  }

  private static String text(Map<String, ?> configs, String key) {
    Object value = configs.get(key);
    return value == null ? null : value.toString();
  }
}
