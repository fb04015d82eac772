// SPDX-License-Identifier: Apache-2.0
package io.standin.kafka;

import io.standin.internal.Engine;
import io.standin.internal.StandinException;
import java.util.Arrays;
import java.util.List;
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

  private Mechanism mechanism = Mechanism.AWS_MSK_IAM;
  private Engine engine;
  private int profile;
  private int retireGraceMs = 60_000;

  /** Made by Kafka. */
  public StandinServerCallbackHandler() {}

  @Override
  public void configure(
      Map<String, ?> configs, String mechanism, List<AppConfigurationEntry> entries) {
    this.mechanism =
        Mechanism.named(mechanism)
            .orElseThrow(
                () ->
                    new ConfigException(
                        getClass().getName()
                            + " serves "
                            + Arrays.toString(Mechanism.values())
                            + ", not "
                            + mechanism));
    Map<String, String> settings = Listeners.settings(configs);
    try {
      engine = Engine.open(settings);
      profile = engine.profile(settings);
      String grace = Engine.resolve(settings).get("standin.retire.grace.ms");
      if (grace != null) {
        retireGraceMs = Integer.parseInt(grace);
      }
    } catch (StandinException e) {
      close();
      throw new ConfigException(e.getMessage());
    } catch (IllegalStateException e) {
      throw new ConfigException(e.getMessage());
    }
  }

  /** Authenticates one client message; the status, with the answer's fields in {@code out}. */
  int login(byte[] message, byte[] out) {
    return engine.login(profile, mechanism.number(), message, new byte[0], LONGEST_WAIT_MS, out);
  }

  Mechanism mechanism() {
    return mechanism;
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
