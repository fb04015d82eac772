// SPDX-License-Identifier: Apache-2.0
package io.standin.kafka;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.common.config.ConfigException;
import org.junit.jupiter.api.Test;

/** Settings of one listener, and listeners that must not be. */
class ListenersTest {
  private static Map<String, Object> broker(String map, String... listeners) {
    Map<String, Object> configs = new HashMap<>();
    if (map != null) {
      configs.put("listener.security.protocol.map", map);
    }
    for (String name : listeners) {
      configs.put(
          "listener.name." + name + ".aws_msk_iam.sasl.jaas.config",
          StandinLoginModule.class.getName() + " required;");
    }
    return configs;
  }

  private static String refusal(Map<String, Object> configs) {
    return assertThrows(ConfigException.class, () -> Listeners.check(configs, Settings.of(configs)))
        .getMessage();
  }

  @Test
  void p1_24_a_listener_without_tls_is_refused_by_name() {
    String map = "INTERNAL:PLAINTEXT,A:SASL_SSL,Open:SASL_PLAINTEXT";
    String text = refusal(broker(map, "a", "open"));
    assertTrue(text.contains("Listener OPEN") && text.contains("standin.allow.plaintext"), text);
    assertTrue(refusal(broker(map, "open")).contains("OPEN"), "also when it is the only one");
    assertTrue(
        refusal(broker(null, "sasl_plaintext")).contains("SASL_PLAINTEXT"),
        "also when it is named as its protocol");
    // Other mechanisms are not ours to judge.
    Listeners.check(broker(map, "a"), Map.of());
  }

  @Test
  void p1_24_a_listener_without_tls_is_accepted_where_it_was_asked_for() {
    String map = "A:SASL_PLAINTEXT,B:SASL_PLAINTEXT";
    Map<String, Object> configs = broker(map, "a", "b");
    configs.put("listener.name.a.standin.allow.plaintext", "true");
    assertTrue(refusal(configs).contains("Listener B"), "the setting of a is no setting of b");
    configs.put("standin.allow.plaintext", "true");
    Listeners.check(configs, Settings.of(configs));
    configs.put("listener.name.b.standin.allow.plaintext", "false");
    assertTrue(refusal(configs).contains("Listener B"));
  }

  @Test
  void a_setting_of_a_listener_without_the_mechanism_is_refused() {
    Map<String, Object> configs = broker("A:SASL_SSL,B:SASL_SSL", "a");
    configs.put("listener.name.b.standin.replay", "refuse");
    String text = refusal(configs);
    assertTrue(text.contains("listener.name.b.standin.replay"), text);
    assertTrue(text.contains("AWS_MSK_IAM"), text);
  }

  @Test
  void a_listener_has_its_own_settings_over_those_of_all() {
    Map<String, Object> written = broker("A:SASL_SSL,B:SASL_SSL,C:SASL_SSL", "a", "b", "c");
    written.put("standin.replay", "audit");
    written.put("standin.session.max.ms", "5000");
    written.put("listener.name.a.standin.replay", "refuse");
    written.put("listener.name.b.standin.session.max.ms", "7000");
    // Kafka leaves out what it has read of the listener the handler is for.
    Map<String, Object> handlers = new HashMap<>(written);
    handlers.remove("listener.name.a.aws_msk_iam.sasl.jaas.config");
    assertEquals(
        Map.of("standin.replay", "refuse", "standin.session.max.ms", "5000"),
        Listeners.settings(handlers));
    handlers = new HashMap<>(written);
    handlers.remove("listener.name.b.aws_msk_iam.sasl.jaas.config");
    assertEquals(
        Map.of("standin.replay", "audit", "standin.session.max.ms", "7000"),
        Listeners.settings(handlers));
    handlers = new HashMap<>(written);
    handlers.remove("listener.name.c.aws_msk_iam.sasl.jaas.config");
    assertEquals(
        Map.of("standin.replay", "audit", "standin.session.max.ms", "5000"),
        Listeners.settings(handlers));
  }

  @Test
  void settings_that_cannot_be_attributed_are_refused() {
    Map<String, Object> configs = broker("A:SASL_SSL,B:SASL_SSL");
    configs.put("listener.name.a.standin.replay", "refuse");
    configs.put("listener.name.b.standin.replay", "audit");
    String text =
        assertThrows(ConfigException.class, () -> Listeners.settings(configs)).getMessage();
    assertTrue(text.contains("[a, b]"), text);
  }
}
