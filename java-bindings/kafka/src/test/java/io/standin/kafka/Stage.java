// SPDX-License-Identifier: Apache-2.0
package io.standin.kafka;

import java.io.Closeable;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import javax.security.auth.login.AppConfigurationEntry;
import javax.security.auth.login.AppConfigurationEntry.LoginModuleControlFlag;
import javax.security.sasl.Sasl;
import javax.security.sasl.SaslClient;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.metrics.Metrics;
import org.apache.kafka.common.metrics.internals.PluginMetricsImpl;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.kafka.common.security.auth.KafkaPrincipal;
import org.apache.kafka.common.security.auth.SaslAuthenticationContext;
import org.apache.kafka.common.security.auth.SecurityProtocol;
import org.apache.kafka.server.authorizer.Action;
import org.apache.kafka.server.authorizer.AuthorizableRequestContext;
import software.amazon.msk.auth.iam.IAMClientCallbackHandler;
import software.amazon.msk.auth.iam.IAMLoginModule;

/** A store, and Standin's parts on it, put together as a broker does, without a broker. */
final class Stage implements AutoCloseable {
  static final String CLUSTER = "arn:aws:kafka:us-east-1:000000000000:cluster/c/u-1";
  private static final String MECHANISM = "AWS_MSK_IAM";

  private final Path dir;
  private final Map<String, Object> configs = new HashMap<>();
  private final List<Closeable> open = new ArrayList<>();
  private StandinServerCallbackHandler handler;

  /** Makes a store in a new directory below, for an engine of this name. */
  Stage(Path parent, String engine) throws Exception {
    dir = Files.createTempDirectory(parent, "stage");
    program("init", "--dir", dir.resolve("standin").toString(), "--admin", "first");
    configs.put("node.id", "1");
    configs.put("standin.engine", engine);
    configs.put("standin.store", dir.resolve("standin/store.db").toString());
    configs.put("standin.cluster.arn", CLUSTER);
    configs.put("standin.hosts", "localhost");
    // A busy machine is no reason for a test to fail.
    configs.put("standin.login.wait.ms", "30000");
    configs.put("listener.security.protocol.map", "CLIENT:SASL_SSL");
    System.setProperty("aws.region", "us-east-1");
  }

  /** Adds a line to the configuration, before anything is made from it. */
  Stage with(String name, String value) {
    configs.put(name, value);
    return this;
  }

  /** A broker's configuration. */
  Map<String, Object> configs() {
    return new HashMap<>(configs);
  }

  /** A broker's configuration with further lines. */
  Map<String, Object> configs(String name, Object value) {
    Map<String, Object> more = configs();
    more.put(name, value);
    return more;
  }

  static String arn(String type, String name) {
    return CLUSTER.replace(":cluster/", ":" + type + "/") + "/" + name;
  }

  /** A statement of a policy. */
  static String statement(String effect, String action, String resource) {
    return "{\"Effect\": \"%s\", \"Action\": \"kafka-cluster:%s\", \"Resource\": %s}"
        .formatted(effect, action, quoted(resource));
  }

  private static String quoted(String text) {
    StringBuilder out = new StringBuilder("\"");
    text.chars().forEach(c -> out.append(String.format("\\u%04x", c)));
    return out.append('"').toString();
  }

  /** Makes a user with a policy of these statements, besides leave to connect. */
  String user(String name, String... statements) throws Exception {
    rule("user", "create", name);
    allow(name, statements);
    rule("key", "create", name, "--profile-file", dir.resolve(name).toString());
    return name;
  }

  /** Gives a user a policy of these statements, besides leave to connect. */
  void allow(String name, String... statements) throws Exception {
    List<String> all = new ArrayList<>(Arrays.asList(statements));
    all.add(statement("Allow", "Connect", CLUSTER));
    Path file = dir.resolve(name + ".json");
    Files.writeString(
        file,
        "{\"Version\": \"2012-10-17\", \"Statement\": [%s]}".formatted(String.join(",", all)));
    rule("policy", "put", "own", file.toString(), "--user", name);
  }

  /** Runs the program on the store. */
  String rule(String... arguments) throws Exception {
    List<String> command = new ArrayList<>(Arrays.asList(arguments));
    command.addAll(List.of("--store", configs.get("standin.store").toString()));
    return program(command.toArray(String[]::new));
  }

  private String program(String... arguments) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of(System.getProperty("standin.program")));
    command.addAll(Arrays.asList(arguments));
    Path out = dir.resolve("program.out");
    Process process =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(out.toFile()).start();
    if (process.waitFor() != 0) {
      throw new IOException(Files.readString(out));
    }
    return Files.readString(out);
  }

  /** Id and secret of a user's access key. */
  List<String> credential(String user) throws IOException {
    return Files.readAllLines(dir.resolve(user)).stream()
        .filter(line -> line.startsWith("aws_"))
        .map(line -> line.substring(line.indexOf(" = ") + 3))
        .toList();
  }

  /** The first message of a user's client: that of AWS's own library. */
  byte[] message(String user) throws Exception {
    new IAMLoginModule();
    System.setProperty("aws.sharedCredentialsFile", dir.resolve(user).toString());
    IAMClientCallbackHandler client = new IAMClientCallbackHandler();
    client.configure(
        Map.of(),
        MECHANISM,
        List.of(
            new AppConfigurationEntry(
                IAMLoginModule.class.getName(),
                LoginModuleControlFlag.REQUIRED,
                Map.of("awsProfileName", "default"))));
    SaslClient sasl =
        Sasl.createSaslClient(
            new String[] {MECHANISM}, null, "kafka", "localhost", Map.of(), client);
    return sasl.evaluateChallenge(new byte[0]);
  }

  /** The handler of the one listener. */
  StandinServerCallbackHandler handler() {
    if (handler == null) {
      handler = new StandinServerCallbackHandler();
      handler.configure(configs, MECHANISM, List.of());
      open.add(handler::close);
    }
    return handler;
  }

  /** A server side that has the user's login behind it. */
  StandinSaslServer server(String user) throws Exception {
    StandinSaslServer server = new StandinSaslServer(handler());
    server.evaluateResponse(message(user));
    return server;
  }

  /** The principal builder of a new connection. */
  StandinPrincipalBuilder builder() {
    StandinPrincipalBuilder builder = new StandinPrincipalBuilder();
    builder.configure(configs);
    return builder;
  }

  /** The principal of a user that has logged in. */
  StandinPrincipal logIn(String user) throws Exception {
    return (StandinPrincipal) builder().build(channel(server(user), SecurityProtocol.SASL_SSL));
  }

  static SaslAuthenticationContext channel(StandinSaslServer server, SecurityProtocol protocol) {
    return new SaslAuthenticationContext(
        server, protocol, InetAddress.getLoopbackAddress(), "CLIENT");
  }

  /** A started authorizer. */
  StandinAuthorizer authorizer() {
    return authorizer(configs);
  }

  StandinAuthorizer authorizer(Map<String, Object> configs) {
    StandinAuthorizer authorizer = new StandinAuthorizer();
    open.add(authorizer);
    authorizer.configure(configs);
    Metrics metrics = new Metrics();
    open.add(metrics);
    authorizer.withPluginMetrics(new PluginMetricsImpl(metrics, Map.of()));
    authorizer.completeInitialLoad();
    return authorizer;
  }

  /** An operation on a resource. */
  static Action action(AclOperation operation, ResourceType type, String name) {
    return new Action(
        operation, new ResourcePattern(type, name, PatternType.LITERAL), 1, true, true);
  }

  /** A request of a principal. */
  static AuthorizableRequestContext request(KafkaPrincipal principal, int type) {
    return new Request(principal, type, InetAddress.getLoopbackAddress());
  }

  /** A request of a principal from an address. */
  static AuthorizableRequestContext request(
      KafkaPrincipal principal, int type, InetAddress address) {
    return new Request(principal, type, address);
  }

  private record Request(KafkaPrincipal principal, int requestType, InetAddress clientAddress)
      implements AuthorizableRequestContext {
    @Override
    public String listenerName() {
      return "CLIENT";
    }

    @Override
    public SecurityProtocol securityProtocol() {
      return SecurityProtocol.SASL_SSL;
    }

    @Override
    public int requestVersion() {
      return 1;
    }

    @Override
    public String clientId() {
      return "client";
    }

    @Override
    public int correlationId() {
      return 1;
    }
  }

  @Override
  public void close() throws IOException {
    for (int i = open.size() - 1; i >= 0; i--) {
      open.get(i).close();
    }
  }
}
