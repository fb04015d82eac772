// SPDX-License-Identifier: Apache-2.0
package io.standin.kafka;

import java.security.Provider;
import java.security.Security;
import java.util.Map;
import javax.security.auth.callback.CallbackHandler;
import javax.security.sasl.SaslException;
import javax.security.sasl.SaslServer;
import javax.security.sasl.SaslServerFactory;

/** The security provider behind which Java finds the server side of {@code AWS_MSK_IAM}. */
public final class StandinSaslServerProvider extends Provider {
  private static final long serialVersionUID = 1L;

  private StandinSaslServerProvider() {
    super("Standin SASL server", "0.1", "Server side of AWS_MSK_IAM");
    put("SaslServerFactory." + StandinSaslServer.MECHANISM, Factory.class.getName());
  }

  static void register() {
    Security.addProvider(new StandinSaslServerProvider());
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
      if (!StandinSaslServer.MECHANISM.equals(mechanism)) {
        return null;
      }
      if (handler instanceof StandinServerCallbackHandler ours) {
        return new StandinSaslServer(ours);
      }
      throw new SaslException(
          "Set sasl.server.callback.handler.class of this listener's aws_msk_iam to "
              + StandinServerCallbackHandler.class.getName());
    }

    @Override
    public String[] getMechanismNames(Map<String, ?> properties) {
      return new String[] {StandinSaslServer.MECHANISM};
    }
  }
}
