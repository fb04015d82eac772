// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.CommonClientConfigs;
import org.apache.kafka.common.config.SaslConfigs;

/** The one ordinary client as a process of its own, with an environment of its own. */
final class OwnProcess {
  private static final String PREFIX = "AWS_";

  private OwnProcess() {}

  /** What it answered, and what it logged. */
  record Ended(List<JsonNode> answers, String log) {}

  /**
   * Runs the client.
   *
   * @param options of the login module of AWS's library
   * @param virtualMachine options of the Java virtual machine
   * @param environment what is set of the variables AWS's libraries read
   */
  static Ended drive(
      Broker broker,
      String options,
      List<String> virtualMachine,
      Map<String, String> environment,
      String... commands)
      throws Exception {
    Properties settings = new Properties();
    Clients.config(broker, "CLIENT", "none")
        .forEach((name, value) -> settings.put(name, "" + value));
    settings.remove(CommonClientConfigs.BOOTSTRAP_SERVERS_CONFIG);
    String module = "software.amazon.msk.auth.iam.IAMLoginModule required " + options;
    settings.put(SaslConfigs.SASL_JAAS_CONFIG, module.trim() + ";");
    Path file = broker.dir().resolve(Iam.fresh("client") + ".properties");
    try (Writer out = Files.newBufferedWriter(file)) {
      settings.store(out, null);
    }
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-Xmx128m", "-XX:TieredStopAtLevel=1"));
    command.addAll(virtualMachine);
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.addAll(List.of(Driver.class.getName(), broker.bootstrap(), file.toString()));
    ProcessBuilder builder = new ProcessBuilder(command);
    Path log = file.resolveSibling(file.getFileName() + ".log");
    builder.redirectError(log.toFile());
    Map<String, String> all = builder.environment();
    all.keySet().removeIf(name -> name.startsWith(PREFIX));
    all.put("AWS_REGION", "us-east-1");
    // No machine to ask for credentials.
    all.put("AWS_EC2_METADATA_DISABLED", "true");
    all.putAll(environment);
    Process process = builder.start();
    List<JsonNode> answers = new ArrayList<>();
    StringBuilder said = new StringBuilder();
    try (Writer in = process.outputWriter(StandardCharsets.UTF_8);
        BufferedReader out =
            new BufferedReader(
                new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      for (String line : commands) {
        in.write(line + "\n");
        in.flush();
        String answer = out.readLine();
        // The logging binding may have its say before.
        while (answer != null && !answer.startsWith("{")) {
          said.append(answer).append('\n');
          answer = out.readLine();
        }
        answers.add(Broker.json(String.valueOf(answer)));
      }
      in.write("quit\n");
    }
    process.waitFor();
    return new Ended(answers, said + Files.readString(log));
  }
}
