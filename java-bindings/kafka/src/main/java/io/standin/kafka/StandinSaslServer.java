// SPDX-License-Identifier: Apache-2.0
package io.standin.kafka;

import io.standin.internal.Fields;
import io.standin.internal.Session;
import io.standin.internal.Status;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import javax.security.sasl.SaslServer;
import org.apache.kafka.common.errors.SaslAuthenticationException;

/**
 * The server side of one authentication by {@code AWS_MSK_IAM} or {@code OAUTHBEARER}: one message,
 * one answer. A refused bearer gets Kafka's error at once and not RFC 7628's two steps, of which
 * several clients take the first for a success.
 */
final class StandinSaslServer implements SaslServer {
  /** Negotiated property that holds the session. */
  static final String SESSION = "standin.session";

  /** The property from which Kafka takes when the client must authenticate again. */
  private static final String LIFETIME = "CREDENTIAL.LIFETIME.MS";

  /** Longer than any answer; a network thread has one login at a time. */
  private static final ThreadLocal<byte[]> ROOM = ThreadLocal.withInitial(() -> new byte[8192]);

  private final StandinServerCallbackHandler handler;
  private Session session;

  StandinSaslServer(StandinServerCallbackHandler handler) {
    this.handler = handler;
  }

  /** Closes the connection without an answer, which clients take for a failure to retry. */
  private static final class NotNow extends IOException {
    private static final long serialVersionUID = 1L;

    NotNow() {
      super("The login could not be decided");
    }

    @Override
    public synchronized Throwable fillInStackTrace() {
      return this;
    }
  }

  @Override
  public byte[] evaluateResponse(byte[] response) {
    byte[] out = ROOM.get();
    // Where the library writes nothing, no earlier login's answer is to be found.
    Arrays.fill(out, 0, Integer.BYTES, (byte) 0);
    int status = handler.login(response, out);
    List<byte[]> fields = Fields.read(out);
    if (status == 0 && fields.size() == 4) {
      session =
          new Session(
              Fields.number(fields.get(0)),
              Fields.text(fields.get(2)),
              Fields.number(fields.get(1)));
      return fields.get(3);
    }
    if (Status.isRefused(status) && !fields.isEmpty()) {
      throw new SaslAuthenticationException(Fields.text(fields.get(0)));
    }
    // Kafka answers any AuthenticationException or SaslException with a fatal error, logs
    // a RuntimeException with its stack for each attempt, and closes quietly on an
    // IOException, which this method may not declare: the one place where it is thrown.
    throw StandinSaslServer.<RuntimeException>sneak(new NotNow());
  }

  @SuppressWarnings("unchecked")
  private static <E extends Throwable> E sneak(Throwable e) throws E {
    throw (E) e;
  }

  @Override
  public boolean isComplete() {
    return session != null;
  }

  @Override
  public String getAuthorizationID() {
    if (session == null) {
      throw new IllegalStateException("not authenticated");
    }
    return session.principal();
  }

  @Override
  public Object getNegotiatedProperty(String name) {
    if (session == null) {
      throw new IllegalStateException("not authenticated");
    }
    return switch (name) {
      case LIFETIME -> session.deadline();
      case SESSION -> session;
      default -> null;
    };
  }

  @Override
  public String getMechanismName() {
    return handler.mechanism().name();
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
  public void dispose() {
    if (session != null) {
      // Requests in flight still need it.
      session.retire(handler.retireGraceMs());
    }
  }
}
