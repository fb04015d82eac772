// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.errors.TopicAuthorizationException;
import org.apache.kafka.common.protocol.Errors;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;

/** The oldest broker that is supported, stock as the others, with newest and oldest clients. */
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class OldestKafkaTest {
  private final String version = System.getProperty("standin.kafka.oldest");
  private final String library = System.getProperty("standin.msk.oldest");

  /** That library takes the region from the name it dials, and from nowhere else. */
  private final String host = "b-1.demo.kafka.us-east-1.amazonaws.com";

  private final Broker broker =
      Brokers.own(
          "oldest",
          Map.of("KAFKA_VERSION", version, "MSK_VERSION", library),
          "--listener",
          "REGIONAL:SASL_SSL::" + host,
          "--property",
          "standin.audit.window.ms=1000");
  private final Iam iam = Iam.of(broker);

  /** Before the other test, which stops the broker. */
  @Test
  @Order(1)
  void p1_29_the_oldest_client_library_of_msk_logs_in_unmodified() throws Exception {
    String topic = Iam.fresh("topic");
    Topics.create(broker, topic);
    Keys user = iam.user(Iam.fresh("user"), Policy.connect(broker).produce(topic));
    String classes = Files.readString(Broker.ROOT.resolve("build/classpath/clients-" + library));
    assertTrue(classes.contains("aws-msk-iam-auth-" + library + ".jar"), classes);
    Path hosts = broker.dir().resolve("hosts");
    Files.writeString(hosts, "127.0.0.1 " + host + " localhost\n");
    // Only one version of the library fits into this process.
    ProcessBuilder driver =
        new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-XX:TieredStopAtLevel=1",
            "-Xmx128m",
            "-Djdk.net.hosts.file=" + hosts,
            "-cp",
            Broker.ROOT.resolve("java-bindings/it/target/classes") + ":" + classes.trim(),
            "io.standin.it.Driver",
            broker.address("REGIONAL"),
            broker.dir().resolve("client.properties").toString());
    driver.environment().put("AWS_ACCESS_KEY_ID", user.id());
    driver.environment().put("AWS_SECRET_ACCESS_KEY", user.secret());
    driver.environment().put("AWS_REGION", "us-east-1");
    driver.environment().remove("AWS_SESSION_TOKEN");
    driver.redirectError(broker.dir().resolve("driver.err").toFile());
    Process process = driver.start();
    try {
      process
          .getOutputStream()
          .write(("produce " + topic + " 3\nquit\n").getBytes(StandardCharsets.UTF_8));
      process.getOutputStream().close();
      assertTrue(process.waitFor(60, TimeUnit.SECONDS), "the client did not end");
      String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      assertTrue(out.contains("\"produced\":3"), out);
    } finally {
      process.destroyForcibly();
    }
    assertEquals(3, Topics.end(broker, topic));
  }

  @Test
  @Order(1)
  void sessions_end_with_their_connections_or_without() throws Exception {
    Connected.endsWithTheirConnectionsOrWithout(broker, iam);
  }

  @Test
  @Order(1)
  void clients_that_loop_are_slowed_and_nobody_else_is() throws Exception {
    Connected.loopsAreSlowed(broker, iam);
  }

  @Test
  @Order(2)
  void p1_28_an_unmodified_broker_of_the_oldest_version_takes_the_plugins_by_its_settings_alone()
      throws Exception {
    assertTrue(
        broker.log().contains("Kafka version: " + version), "the broker is of version " + version);
    String topic = Iam.fresh("topic");
    String other = Iam.fresh("other");
    String group = Iam.fresh("group");
    Keys admin = iam.user(Iam.fresh("admin"), Policy.connect(broker).topic("CreateTopic", topic));
    try (Admin maker = Clients.admin(broker, admin)) {
      // Decided by the controller, for the client that asked the broker.
      maker.createTopics(List.of(new NewTopic(topic, 1, (short) 1))).all().get();
      ExecutionException refused =
          assertThrows(
              ExecutionException.class,
              () -> maker.createTopics(List.of(new NewTopic(other, 1, (short) 1))).all().get());
      assertInstanceOf(TopicAuthorizationException.class, refused.getCause());
    }
    String name = Iam.fresh("user");
    Keys user = iam.user(name, Policy.connect(broker).produce(topic).consume(topic, group));
    try (KafkaProducer<byte[], byte[]> producer = Clients.producer(broker, user);
        KafkaConsumer<byte[], byte[]> consumer = Clients.consumer(broker, user, group)) {
      producer.send(new ProducerRecord<>(topic, new byte[] {1})).get();
      consumer.subscribe(List.of(topic));
      Wait.until("a record", () -> !consumer.poll(Duration.ofMillis(100)).isEmpty());
      // The open connection is refused by the next record after the change.
      iam.put(name, "no", Policy.none(broker).deny("WriteData", "*"));
      Wait.until("a refused record", () -> refused(producer, topic));
      iam.delete(name, "no");
      Wait.until("an accepted record", () -> !refused(producer, topic));
    }
    iam.disable(user);
    Wait.until("a refused login", () -> refusedLogin(user));
    // Told to stop, it does, and what it knew is written.
    int written = iam.audit("--identity", user.arn()).size();
    broker.stop();
    assertTrue(broker.log().contains("shut down completed"), "the broker was killed");
    assertFalse(broker.log().contains("ERROR StandinAuthorizer"), "an error while stopping");
    assertTrue(iam.audit("--identity", user.arn()).size() >= written);
  }

  /** The broker follows the store: a login right after the change may still be accepted. */
  private boolean refusedLogin(Keys user) throws Exception {
    try (RawClient client = RawClient.connect(broker, "CLIENT")) {
      return client.tryLogIn(Signed.by(user).message()).error()
          == Errors.SASL_AUTHENTICATION_FAILED;
    } catch (RawClient.Closed undecided) {
      return false;
    }
  }

  private static boolean refused(KafkaProducer<byte[], byte[]> producer, String topic)
      throws Exception {
    try {
      producer.send(new ProducerRecord<>(topic, new byte[] {1})).get();
      return false;
    } catch (ExecutionException e) {
      assertInstanceOf(TopicAuthorizationException.class, e.getCause());
      return true;
    }
  }
}
