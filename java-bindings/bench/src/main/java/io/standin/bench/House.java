// SPDX-License-Identifier: Apache-2.0
package io.standin.bench;

import com.fasterxml.jackson.databind.JsonNode;
import io.standin.kafka.StandinAuthorizer;
import io.standin.kafka.StandinLoginModule;
import io.standin.kafka.StandinPrincipalBuilder;
import io.standin.kafka.StandinServerCallbackHandler;
import java.io.IOException;
import java.io.StringReader;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import javax.security.sasl.Sasl;
import javax.security.sasl.SaslServer;
import org.apache.kafka.common.metrics.Metrics;
import org.apache.kafka.common.metrics.internals.PluginMetricsImpl;
import org.apache.kafka.common.security.auth.KafkaPrincipal;
import org.apache.kafka.common.security.auth.SaslAuthenticationContext;
import org.apache.kafka.common.security.auth.SecurityProtocol;

/** What a broker loads of Standin, in this process: the real jars, library and store. */
final class House implements AutoCloseable {
  private static final String MECHANISM = "AWS_MSK_IAM";

  /**
   * How often a login is tried, a second each, that could not be decided in time: a million rules
   * take twenty to read and compile.
   */
  private static final int TRIES = 120;

  private final Map<String, Object> configs = new HashMap<>();
  private final StandinServerCallbackHandler handler = new StandinServerCallbackHandler();
  private final StandinAuthorizer authorizer = new StandinAuthorizer();
  private final Administration administration;
  private final String cluster;

  /** Makes a store in the folder and opens it. */
  House(Path program, Path folder) throws IOException {
    JsonNode made = Administration.init(program, folder);
    cluster = made.get("cluster").asText();
    administration = new Administration(program, Path.of(made.get("store").asText()));
    Properties properties = new Properties();
    properties.load(new StringReader(made.get("properties").asText()));
    properties.forEach((name, value) -> configs.put(name.toString(), value));
    // A client that is denied again and again is what is measured here, and what is slowed.
    configs.put("standin.denied.slow", "false");
    // Registers the mechanism, as the broker does when it reads its JAAS line.
    new StandinLoginModule();
    authorizer.configure(configs);
    authorizer.withPluginMetrics(new PluginMetricsImpl(new Metrics(), Map.of()));
    handler.configure(configs, MECHANISM, List.of());
  }

  StandinAuthorizer authorizer() {
    return authorizer;
  }

  Administration administration() {
    return administration;
  }

  String cluster() {
    return cluster;
  }

  /** A server that has let this key in. Tries again when it could not decide, as clients do. */
  private SaslServer server(AccessKey key) throws IOException {
    for (int tries = 1; ; tries++) {
      SaslServer server = Sasl.createSaslServer(MECHANISM, "kafka", "localhost", configs, handler);
      try {
        server.evaluateResponse(key.login("localhost"));
        return server;
      } catch (IOException e) {
        if (tries == TRIES) {
          throw e;
        }
      }
    }
  }

  /** Logs in as a client would from this address; the principal its requests carry. */
  KafkaPrincipal login(AccessKey key, InetAddress address) throws IOException {
    SaslServer server = server(key);
    StandinPrincipalBuilder builder = new StandinPrincipalBuilder();
    builder.configure(configs);
    return builder.build(
        new SaslAuthenticationContext(server, SecurityProtocol.SASL_SSL, address, "CLIENT"));
  }

  @Override
  public void close() throws IOException {
    handler.close();
    authorizer.close();
  }
}
