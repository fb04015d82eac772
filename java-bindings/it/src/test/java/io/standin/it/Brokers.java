// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The brokers tests share: a start costs seconds and memory, so there are few. Each is started by
 * the first test that needs it and ends with this JVM.
 */
final class Brokers {
  /** The one way to the listener TAPPED of {@link #combined}, which clients are told. */
  static final Tap TAP = Tap.open();

  private static final Map<String, Broker> STARTED = new ConcurrentHashMap<>();

  private Brokers() {}

  /** Broker and controller in one process, with every kind of listener. */
  static Broker combined() {
    return STARTED.computeIfAbsent(
        "combined",
        name -> {
          Broker broker = Broker.start(name, listeners());
          TAP.to(broker.address("TAPPED"));
          return broker;
        });
  }

  /** A broker whose controller is a process of its own. */
  static Broker separate() {
    return STARTED.computeIfAbsent(
        "separate", name -> Broker.start(name, options("--separate-controller")));
  }

  /** One of the two above, by its name. */
  static Broker named(String name) {
    return name.equals("separate") ? separate() : combined();
  }

  /** Every broker started so far. */
  static Collection<Broker> started() {
    return STARTED.values();
  }

  /** A broker of a test's own, for what would disturb others. */
  static Broker own(String name, Map<String, String> environment, String... more) {
    return STARTED.computeIfAbsent(name, any -> Broker.start(name, environment, options(more)));
  }

  /** Ends a test's own broker: memory is for the others; its files stay to be looked through. */
  static void done(String name) {
    STARTED.get(name).kill();
  }

  private static String[] options(String... more) {
    List<String> options = new ArrayList<>(List.of("--log", "io.standin=trace"));
    // A busy machine is no reason for a test to fail.
    property(options, "standin.login.wait.ms=30000");
    property(options, "num.network.threads=2");
    property(options, "connection.failed.authentication.delay.ms=1");
    options.addAll(List.of(more));
    return options.toArray(String[]::new);
  }

  private static void property(List<String> options, String line) {
    options.addAll(List.of("--property", line));
  }

  private static String[] listeners() {
    List<String> options = new ArrayList<>();
    // Sessions end by Standin's own setting, or by Kafka's.
    options.addAll(List.of("--listener", "SHORT:SASL_SSL"));
    property(options, "listener.name.short.standin.session.max.ms=6000");
    property(options, "listener.name.short.aws_msk_iam.connections.max.reauth.ms=3600000");
    options.addAll(List.of("--listener", "LIMITED:SASL_SSL"));
    property(options, "listener.name.limited.aws_msk_iam.connections.max.reauth.ms=2000");
    options.addAll(List.of("--listener", "ONCE:SASL_SSL"));
    property(options, "listener.name.once.standin.replay=refuse");
    options.addAll(List.of("--listener", "OPEN:SASL_PLAINTEXT"));
    property(options, "listener.name.open.standin.allow.plaintext=true");
    // Without TLS too, so that what crosses can be read.
    options.addAll(List.of("--listener", "TAPPED:SASL_PLAINTEXT:" + TAP.port()));
    property(options, "listener.name.tapped.standin.allow.plaintext=true");
    // Principals that are none of Standin's.
    options.addAll(List.of("--listener", "SCRAM:SASL_SSL"));
    property(options, "listener.name.scram.sasl.enabled.mechanisms=SCRAM-SHA-256");
    property(
        options,
        "listener.name.scram.scram-sha-256.sasl.jaas.config="
            + "org.apache.kafka.common.security.scram.ScramLoginModule required;");
    // Bearer tokens that are none of Standin's either.
    options.addAll(List.of("--listener", "JWT:SASL_SSL"));
    property(options, "listener.name.jwt.sasl.enabled.mechanisms=OAUTHBEARER");
    property(
        options,
        "listener.name.jwt.oauthbearer.sasl.jaas.config="
            + "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required"
            + " unsecuredLoginStringClaim_sub=\"broker\";");
    property(
        options,
        "listener.name.jwt.oauthbearer.sasl.server.callback.handler.class="
            + "org.apache.kafka.common.security.oauthbearer.internals.unsecured."
            + "OAuthBearerUnsecuredValidatorCallbackHandler");
    property(options, "delegation.token.secret.key=of-the-brokers-alone");
    property(options, "standin.delegation.tokens=ignore");
    return options(options.toArray(String[]::new));
  }
}
