// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Unmodified clients that get their role from the service, as they get it from AWS. */
class AssumeRoleTest {
  private static final Broker BROKER = Brokers.combined();
  private static final Iam IAM = Iam.of(BROKER);
  private static final String PASSWORD = "of-no-secret";

  /** The library of AWS says who it is at this level only. */
  private static final String LOGGING =
      """
      appender.all.type = Console
      appender.all.name = all
      appender.all.target = SYSTEM_ERR
      appender.all.layout.type = PatternLayout
      appender.all.layout.pattern = %p %c %m%n
      rootLogger.level = info
      rootLogger.appenderRef.all.ref = all
      logger.msk.name = software.amazon.msk
      logger.msk.level = debug
      """;

  private static Process service;
  private static String url;
  private static Path trusted;
  private static Path logging;

  @BeforeAll
  static void serve() throws Exception {
    Path own = BROKER.dir().resolve("standin/broker.pem");
    List<String> command = new ArrayList<>();
    command.add(Broker.ROOT.resolve("build/bin/standin").toString());
    command.addAll(List.of("--store", BROKER.store().toString(), "serve"));
    command.addAll(List.of("--listen", "127.0.0.1:0"));
    command.addAll(List.of("--tls-cert", own.toString(), "--tls-key", own.toString()));
    service =
        new ProcessBuilder(command)
            .redirectError(BROKER.dir().resolve("service.log").toFile())
            .start();
    BufferedReader out =
        new BufferedReader(new InputStreamReader(service.getInputStream(), StandardCharsets.UTF_8));
    String line = out.readLine();
    assertTrue(line != null && line.startsWith("listening on https://127.0.0.1:"), line);
    url = "https://localhost:" + line.substring(line.lastIndexOf(':') + 1);
    logging = BROKER.dir().resolve("assume-role-log4j2.properties");
    Files.writeString(logging, LOGGING);
    trusted = BROKER.dir().resolve("trusted.p12");
    Files.deleteIfExists(trusted);
    String keytool = Path.of(System.getProperty("java.home"), "bin", "keytool").toString();
    Broker.Ended made =
        Broker.run(
            Map.of(),
            List.of(
                keytool,
                "-importcert",
                "-noprompt",
                "-alias",
                "ca",
                "-storetype",
                "PKCS12",
                "-file",
                BROKER.ca().toString(),
                "-keystore",
                trusted.toString(),
                "-storepass",
                PASSWORD));
    assertEquals(0, made.code(), made.errors());
  }

  @AfterAll
  static void stop() throws Exception {
    service.destroy();
    assertTrue(service.waitFor(60, TimeUnit.SECONDS));
  }

  private static OwnProcess.Ended drive(Keys keys, String options, String... commands)
      throws Exception {
    List<String> virtualMachine =
        List.of(
            "-Dlog4j2.configurationFile=" + logging,
            "-Djavax.net.ssl.trustStore=" + trusted,
            "-Djavax.net.ssl.trustStorePassword=" + PASSWORD);
    Map<String, String> environment =
        Map.of(
            "AWS_ACCESS_KEY_ID", keys.id(),
            "AWS_SECRET_ACCESS_KEY", keys.secret(),
            "AWS_ENDPOINT_URL_STS", url);
    return OwnProcess.drive(BROKER, options, virtualMachine, environment, commands);
  }

  @Test
  void a_client_assumes_its_role_by_itself_and_shows_who_it_is() throws Exception {
    String topic = Iam.fresh("topic");
    Topics.create(BROKER, topic);
    String role = Iam.fresh("role");
    // The user itself may do nothing; what its client does, it does by the role.
    Keys keys = IAM.user(Iam.fresh("user"), null);
    IAM.role(role, keys.arn(), 3600, Policy.connect(BROKER).produce(topic));
    String arn = keys.arn().replaceFirst(":user/.*", ":role/" + role);
    String options =
        "awsRoleArn=\"%s\" awsRoleSessionName=\"by-itself\" awsStsRegion=\"us-east-1\" awsDebugCreds=true"
            .formatted(arn);
    OwnProcess.Ended ended = drive(keys, options, "produce " + topic + " 3");
    JsonNode answer = ended.answers().get(0);
    assertTrue(answer.get("ok").asBoolean(), answer.toString());
    assertEquals(3, Topics.end(BROKER, topic));
    // The library logs who STS says it is.
    String session = arn.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/");
    assertTrue(ended.log().contains(session + "/by-itself"), ended.log());
    assertFalse(IAM.audit("--identity", arn, "--action", "login").isEmpty());
  }

  @Test
  void a_role_that_does_not_trust_the_client_lets_nothing_through() throws Exception {
    String topic = Iam.fresh("topic");
    Topics.create(BROKER, topic);
    Keys trustedKeys = IAM.user(Iam.fresh("user"), null);
    Keys other = IAM.user(Iam.fresh("user"), null);
    String role = Iam.fresh("role");
    IAM.role(role, trustedKeys.arn(), 3600, Policy.connect(BROKER).produce(topic));
    String arn = other.arn().replaceFirst(":user/.*", ":role/" + role);
    OwnProcess.Ended ended = drive(other, "awsRoleArn=\"" + arn + "\"", "produce " + topic + " 1");
    JsonNode answer = ended.answers().get(0);
    assertFalse(answer.get("ok").asBoolean(), answer.toString());
    assertEquals(0, Topics.end(BROKER, topic));
    String refused = "is not authorized to perform: sts:AssumeRole";
    assertTrue(ended.log().contains(refused) || answer.toString().contains(refused), ended.log());
  }
}
