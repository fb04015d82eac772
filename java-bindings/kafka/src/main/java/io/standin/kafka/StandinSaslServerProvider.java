// SPDX-License-Identifier: Apache-2.0
package io.standin.kafka;

import java.security.Provider;
import java.security.Security;
import java.util.Arrays;
import java.util.Map;
import javax.security.auth.callback.CallbackHandler;
import javax.security.sasl.SaslException;
import javax.security.sasl.SaslServer;
import javax.security.sasl.SaslServerFactory;

/**
 * The security provider behind which Java finds the server side of {@code AWS_MSK_IAM}, and that of
 * {@code OAUTHBEARER} for listeners that have our handler. On all others Kafka's own serves.
 */
public final class StandinSaslServerProvider extends Provider {
  private static final long serialVersionUID = 1L;

  private StandinSaslServerProvider() {
    super("Standin SASL server", "0.1", "Server side of AWS_MSK_IAM and OAUTHBEARER");
    for (Mechanism mechanism : Mechanism.values()) {
      put("SaslServerFactory." + mechanism.name(), Factory.class.getName());
    }
  }

  static void register() {
    // Before Kafka's, which makes a server of OAUTHBEARER for any handler.
    Security.insertProviderAt(new StandinSaslServerProvider(), 1);
  }

  /** Makes one server per authentication. */
  public static final class Factory implements SaslServerFactory {
    /** Used by the security provider. */
    public Factory() {}

    @Override
    public SaslServer createSaslServer(
        String mechanism,
        String protocol,
        String server,
        Map<String, ?> properties,
        CallbackHandler handler)
        throws SaslException {
      if (handler instanceof StandinServerCallbackHandler ours
          && ours.mechanism().name().equals(mechanism)) {
        return new StandinSaslServer(ours);
      }
      if (!Mechanism.AWS_MSK_IAM.name().equals(mechanism)) {
        return null;
      }
      throw new SaslException(
          "Set sasl.server.callback.handler.class of this listener's aws_msk_iam to "
              + StandinServerCallbackHandler.class.getName());
    }

    @Override
    public String[] getMechanismNames(Map<String, ?> properties) {
      return Arrays.stream(Mechanism.values()).map(Enum::name).toArray(String[]::new);
    }
  }
}
