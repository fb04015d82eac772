// SPDX-License-Identifier: Apache-2.0
package io.standin.bench;

import java.nio.charset.StandardCharsets;
import java.security.Provider;
import java.security.Security;
import java.util.List;
import java.util.Map;
import javax.security.auth.Subject;
import javax.security.auth.callback.Callback;
import javax.security.auth.callback.CallbackHandler;
import javax.security.auth.login.AppConfigurationEntry;
import javax.security.auth.spi.LoginModule;
import javax.security.sasl.SaslServer;
import javax.security.sasl.SaslServerFactory;
import org.apache.kafka.common.security.auth.AuthenticateCallbackHandler;

/**
 * A server of {@code AWS_MSK_IAM} that does nothing and lets everybody in: what a login of this
 * mechanism costs a broker by itself. Stands on a listener beside Standin's; never for anything but
 * measuring.
 */
public final class NothingLogin implements LoginModule {
  private static final String MECHANISM = "AWS_MSK_IAM";

  static {
    // First, and silent on listeners of others: the next factory is asked there.
    Security.insertProviderAt(new Factories(), 1);
  }

  private static final class Factories extends Provider {
    private static final long serialVersionUID = 1L;

    Factories() {
      super("Nothing", "0.1", "Server side of AWS_MSK_IAM that does nothing");
      put("SaslServerFactory." + MECHANISM, Factory.class.getName());
    }
  }

  /** Makes servers for its own handler only. */
  public static final class Factory implements SaslServerFactory {
    /** Used by the security provider. */
    public Factory() {}

    @Override
    public SaslServer createSaslServer(
        String mechanism,
        String protocol,
        String server,
        Map<String, ?> properties,
        CallbackHandler handler) {
      return handler instanceof Handler ? new Server() : null;
    }

    @Override
    public String[] getMechanismNames(Map<String, ?> properties) {
      return new String[] {MECHANISM};
    }
  }

  /** Marks the listeners where nothing is done. */
  public static final class Handler implements AuthenticateCallbackHandler {
    /** Made by Kafka. */
    public Handler() {}

    @Override
    public void configure(
        Map<String, ?> configs, String mechanism, List<AppConfigurationEntry> entries) {}

    @Override
    public void handle(Callback[] callbacks) {}

    @Override
    public void close() {}
  }

  private static final class Server implements SaslServer {
    /** As long as Standin's. */
    private static final byte[] ANSWER =
        "{\"version\":\"2020_10_22\",\"request-id\":\"0123456789abcdef-12345\"}"
            .getBytes(StandardCharsets.UTF_8);

    private static final String LIFETIME = "CREDENTIAL.LIFETIME.MS";
    private static final long HOUR_MS = 3_600_000;

    private final long end = System.currentTimeMillis() + HOUR_MS;
    private boolean complete;

    @Override
    public byte[] evaluateResponse(byte[] response) {
      complete = true;
      return ANSWER;
    }

    @Override
    public boolean isComplete() {
      return complete;
    }

    @Override
    public String getAuthorizationID() {
      return "nobody";
    }

    @Override
    public Object getNegotiatedProperty(String name) {
      // A session ends, so that Kafka has that to do.
      return name.equals(LIFETIME) ? end : null;
    }

    @Override
    public String getMechanismName() {
      return MECHANISM;
    }

    @Override
    public byte[] unwrap(byte[] incoming, int offset, int length) {
      throw new IllegalStateException("no security layer");
    }

    @Override
    public byte[] wrap(byte[] outgoing, int offset, int length) {
      throw new IllegalStateException("no security layer");
    }

    @Override
    public void dispose() {}
  }

  /** Named in the broker's JAAS line. */
  public NothingLogin() {}

  @Override
  public void initialize(
      Subject subject, CallbackHandler handler, Map<String, ?> shared, Map<String, ?> options) {}

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
