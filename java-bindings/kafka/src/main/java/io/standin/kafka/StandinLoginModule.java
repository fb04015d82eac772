// SPDX-License-Identifier: Apache-2.0
package io.standin.kafka;

import java.util.Map;
import javax.security.auth.Subject;
import javax.security.auth.callback.CallbackHandler;
import javax.security.auth.spi.LoginModule;

/**
 * Named in the broker's JAAS line. Registers the server side of {@code AWS_MSK_IAM} and {@code
 * OAUTHBEARER}; the broker itself logs in nowhere with it.
 */
public final class StandinLoginModule implements LoginModule {
  static {
    StandinSaslServerProvider.register();
  }

  @Override
  public void initialize(
      Subject subject, CallbackHandler handler, Map<String, ?> shared, Map<String, ?> options) {
    if (!options.isEmpty()) {
      throw new IllegalArgumentException(
          "StandinLoginModule takes no options, but has "
              + options.keySet()
              + "; settings of Standin stand in server.properties and begin with standin.");
    }
  }

  @Override
  public boolean login() {
    return true;
  }

  @Override
  public boolean commit() {
    return true;
  }

  @Override
  public boolean abort() {
    return false;
  }

  @Override
  public boolean logout() {
    return true;
  }
}
