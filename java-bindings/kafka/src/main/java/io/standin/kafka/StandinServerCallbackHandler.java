// SPDX-License-Identifier: Apache-2.0
package io.standin.kafka;

import io.standin.internal.Engine;
import io.standin.internal.StandinException;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import javax.security.auth.callback.Callback;
import javax.security.auth.callback.UnsupportedCallbackException;
import javax.security.auth.login.AppConfigurationEntry;
import org.apache.kafka.common.config.ConfigException;
import org.apache.kafka.common.security.auth.AuthenticateCallbackHandler;

/**
 * Connects a listener with the engine. Kafka makes one for every network thread of the listener;
 * they share engine and profile.
 */
public final class StandinServerCallbackHandler implements AuthenticateCallbackHandler {
  private static final int LONGEST_WAIT_MS = 30_000;

  private Engine engine;
  private int profile;
  private int retireGraceMs = 60_000;

  /** Made by Kafka. */
  public StandinServerCallbackHandler() {}

  @Override
  public void configure(
      Map<String, ?> configs, String mechanism, List<AppConfigurationEntry> entries) {
    if (!StandinSaslServer.MECHANISM.equals(mechanism)) {
      throw new ConfigException(
          getClass().getName() + " serves " + StandinSaslServer.MECHANISM + ", not " + mechanism);
    }
    Map<String, String> settings = Settings.of(configs);
    refusePlaintext(configs, settings);
    try {
      engine = Engine.open(settings);
      profile = engine.profile(settings);
    } catch (StandinException e) {
      close();
      throw new ConfigException(e.getMessage());
    } catch (IllegalStateException e) {
      throw new ConfigException(e.getMessage());
    }
    String grace = settings.get("standin.retire.grace.ms");
    if (grace != null) {
      retireGraceMs = Integer.parseInt(grace);
    }
  }

  /** Refuses to start on a listener whose channels are not encrypted, unless told otherwise. */
  private static void refusePlaintext(Map<String, ?> configs, Map<String, String> settings) {
    if ("true".equals(settings.get("standin.allow.plaintext"))) {
      return;
    }
    Object map = configs.get("listener.security.protocol.map");
    for (String pair : map == null ? new String[0] : map.toString().split(",")) {
      String[] parts = pair.trim().split(":");
      if (parts.length == 2 && parts[1].equalsIgnoreCase("SASL_PLAINTEXT")) {
        String key =
            "listener.name." + parts[0].toLowerCase(Locale.ROOT) + ".aws_msk_iam.sasl.jaas.config";
        if (configs.containsKey(key)) {
          throw new ConfigException(
              "Listener "
                  + parts[0]
                  + " has SASL_PLAINTEXT, where logins can be replayed; use SASL_SSL, or"
                  + " standin.allow.plaintext=true for tests on one machine");
        }
      }
    }
  }

  /** Authenticates one client message; the status, with the answer's fields in {@code out}. */
  int login(byte[] message, byte[] out) {
    return engine.login(profile, message, new byte[0], LONGEST_WAIT_MS, out);
  }

  int retireGraceMs() {
    return retireGraceMs;
  }

  @Override
  public void handle(Callback[] callbacks) throws UnsupportedCallbackException {
    for (Callback callback : callbacks) {
      throw new UnsupportedCallbackException(callback);
    }
  }

  @Override
  public void close() {
    if (engine != null) {
      engine.close();
    }
  }
}
