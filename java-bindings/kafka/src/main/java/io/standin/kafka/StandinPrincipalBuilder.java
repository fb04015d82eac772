// SPDX-License-Identifier: Apache-2.0
package io.standin.kafka;

import io.standin.internal.Engine;
import io.standin.internal.Fields;
import io.standin.internal.Session;
import io.standin.internal.StandinException;
import io.standin.internal.Status;
import java.lang.ref.Reference;
import java.lang.ref.WeakReference;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.Configurable;
import org.apache.kafka.common.config.internals.BrokerSecurityConfigs;
import org.apache.kafka.common.errors.ApiException;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.security.auth.AuthenticationContext;
import org.apache.kafka.common.security.auth.KafkaPrincipal;
import org.apache.kafka.common.security.auth.KafkaPrincipalBuilder;
import org.apache.kafka.common.security.auth.KafkaPrincipalSerde;
import org.apache.kafka.common.security.auth.SaslAuthenticationContext;
import org.apache.kafka.common.security.auth.SecurityProtocol;
import org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder;
import org.apache.kafka.common.security.kerberos.KerberosShortNamer;
import org.apache.kafka.common.security.ssl.SslPrincipalMapper;

/**
 * Builds principals on every listener: Standin's for logins through {@code AWS_MSK_IAM}, Kafka's
 * own for all others. Kafka makes one builder per connection and asks it for every request.
 */
public final class StandinPrincipalBuilder
    implements KafkaPrincipalBuilder, KafkaPrincipalSerde, Configurable {
  /** First bytes of a forwarded principal of ours; Kafka's begin with a version number. */
  private static final short MAGIC = 0x5344;

  /** Versions of the format: a reader takes its own and older ones. */
  private static final byte VERSION = 1;

  /** Stands for a session that could not be sealed: to a reader a version it does not know. */
  private static final byte UNUSABLE = Byte.MAX_VALUE;

  private static final int LONGEST = 16 * 1024;

  /** Facts of a channel: whether it is encrypted; a port and a connection that are not told. */
  private static final byte[] YES = {'1'};

  private static final byte[] NO = {'0'};
  private static final byte[] UNKNOWN = {};
  private static final byte[] ENDED = {};
  private static final int IMPORT_WAIT_MS = 1000;

  /** What was last read here: a network thread makes a builder for each of its connections. */
  private static final ThreadLocal<Shared> LAST = new ThreadLocal<>();

  private Shared shared = Shared.NOTHING;
  private StandinPrincipal principal;

  /** What follows from a configuration; connections of one listener share it. */
  private record Shared(
      Reference<Map<String, ?>> of, String engine, DefaultKafkaPrincipalBuilder others) {
    static final Shared NOTHING =
        new Shared(
            new WeakReference<>(null), "default", new DefaultKafkaPrincipalBuilder(null, null));

    static Shared read(Map<String, ?> configs) {
      Object rules = configs.get(BrokerSecurityConfigs.SSL_PRINCIPAL_MAPPING_RULES_CONFIG);
      SslPrincipalMapper mapper =
          SslPrincipalMapper.fromRules(
              rules == null
                  ? BrokerSecurityConfigs.DEFAULT_SSL_PRINCIPAL_MAPPING_RULES
                  : rules.toString());
      return new Shared(
          new WeakReference<>(configs),
          Engine.name(Settings.of(configs)),
          new DefaultKafkaPrincipalBuilder(shortNamer(configs), mapper));
    }
  }

  /**
   * Kafka passes the same map for all connections that a network thread accepts on a listener, and
   * changes nothing in it: it is read once, since it holds hundreds of settings.
   */
  @Override
  public void configure(Map<String, ?> configs) {
    Shared last = LAST.get();
    if (last == null || last.of.get() != configs) {
      last = Shared.read(configs);
      LAST.set(last);
    }
    shared = last;
  }

  private static KerberosShortNamer shortNamer(Map<String, ?> configs) {
    Object rules = configs.get(BrokerSecurityConfigs.SASL_KERBEROS_PRINCIPAL_TO_LOCAL_RULES_CONFIG);
    if (!(rules instanceof List<?> list)) {
      return null;
    }
    return KerberosShortNamer.fromUnparsedRules("", list.stream().map(Object::toString).toList());
  }

  @Override
  public KafkaPrincipal build(AuthenticationContext context) {
    if (principal != null) {
      return principal;
    }
    if (context instanceof SaslAuthenticationContext sasl
        && sasl.server().getNegotiatedProperty(StandinSaslServer.SESSION)
            instanceof Session session) {
      SecurityProtocol protocol = sasl.securityProtocol();
      int status =
          session.bind(
              Fields.join(
                  List.of(
                      sasl.clientAddress().getAddress(),
                      NO,
                      Fields.text(sasl.listenerName()),
                      Fields.text(protocol.name),
                      protocol == SecurityProtocol.SASL_SSL ? YES : NO,
                      UNKNOWN)),
              sasl.clientAddress());
      if (status != 0 && !Status.isRefused(status)) {
        // Not a denial: Kafka closes the connection, and the client logs in again.
        throw Undecided.exception();
      }
      principal = new StandinPrincipal(session.principal(), session);
      return principal;
    }
    return shared.others.build(context);
  }

  @Override
  public byte[] serialize(KafkaPrincipal principal) throws SerializationException {
    if (!(principal instanceof StandinPrincipal ours)) {
      return shared.others.serialize(principal);
    }
    byte version = VERSION;
    byte[] sealed;
    try {
      sealed = sealed(ours);
    } catch (ApiException e) {
      if (!Engine.isShadow(shared.engine)) {
        throw e;
      }
      // The controller's ACLs decide by the name.
      version = UNUSABLE;
      sealed = ENDED;
    }
    if (sealed.length > LONGEST) {
      throw new SerializationException(
          "The session of " + principal.getName() + " is too large to be forwarded");
    }
    byte[] name = Fields.text(principal.getName());
    ByteBuffer out = ByteBuffer.allocate(5 + name.length + sealed.length);
    out.putShort(MAGIC).put(version).putShort((short) name.length).put(name).put(sealed);
    return out.array();
  }

  /** The session as it travels; empty when it has ended, so that the controller denies. */
  private static byte[] sealed(StandinPrincipal principal) {
    if (principal.hasEnded()) {
      return ENDED;
    }
    if (principal.session() == null) {
      throw Undecided.exception();
    }
    try {
      return principal.session().export();
    } catch (StandinException e) {
      if (Status.isRefused(e.status())) {
        // The controller denies, and has another connection than the client's.
        principal.session().denied();
        return ENDED;
      }
      throw Undecided.exception();
    }
  }

  @Override
  public KafkaPrincipal deserialize(byte[] bytes) throws SerializationException {
    if (bytes.length < 5 || ByteBuffer.wrap(bytes).getShort() != MAGIC) {
      return shared.others.deserialize(bytes);
    }
    ByteBuffer in = ByteBuffer.wrap(bytes, 2, bytes.length - 2);
    byte version = in.get();
    int length = in.getShort() & 0xffff;
    if (length > in.remaining()) {
      throw new SerializationException("The forwarded session is cut off");
    }
    byte[] name = new byte[length];
    in.get(name);
    if (version > VERSION) {
      // Written by a newer broker: not a denial, the client tries again.
      return StandinPrincipal.undecided(Fields.text(name));
    }
    byte[] sealed = new byte[in.remaining()];
    in.get(sealed);
    if (sealed.length == 0) {
      return StandinPrincipal.ended(Fields.text(name));
    }
    try {
      Session session = Session.importFrom(Engine.idOf(shared.engine), sealed, IMPORT_WAIT_MS);
      if (!session.principal().equals(Fields.text(name))) {
        throw new SerializationException("The forwarded session belongs to another principal");
      }
      return new StandinPrincipal(session.principal(), session);
    } catch (StandinException e) {
      if (e.status() == Status.MALFORMED) {
        throw new SerializationException(e.getMessage());
      }
      return Status.isRefused(e.status())
          ? StandinPrincipal.ended(Fields.text(name))
          : StandinPrincipal.undecided(Fields.text(name));
    }
  }
}
