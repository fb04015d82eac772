// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.CommonClientConfigs;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.junit.jupiter.api.Test;

/** What crosses the network between a client and its broker, read byte by byte. */
class TappedTest {
  private static final int RECORDS = 50;

  private final Broker broker = Brokers.combined();
  private final Iam iam = Iam.of(broker);

  private Map<String, Object> config(Keys keys) {
    Map<String, Object> config = Clients.config(broker, "TAPPED", keys);
    config.put(CommonClientConfigs.BOOTSTRAP_SERVERS_CONFIG, Brokers.TAP.address());
    return config;
  }

  private static List<Tap.Line> lines(Keys keys) {
    Needles id = new Needles().text("id", keys.id());
    return Brokers.TAP.lines().stream().filter(line -> !id.in(line.up()).isEmpty()).toList();
  }

  private void produce(Keys keys, String topic) throws Exception {
    try (KafkaProducer<byte[], byte[]> producer = Clients.producer(config(keys))) {
      for (int i = 0; i < RECORDS; i++) {
        producer.send(new ProducerRecord<>(topic, new byte[] {1})).get();
      }
    }
  }

  private Keys role(Policy policy) {
    String user = Iam.fresh("user");
    String role = Iam.fresh("role");
    iam.role(role, iam.user(user, Policy.connect(broker)).arn(), 3600, policy);
    return iam.assume(role, user, "session", 900);
  }

  @Test
  void p1_01_requests_on_an_open_connection_carry_no_credential_and_count_as_the_clients()
      throws Exception {
    String topic = Iam.fresh("topic");
    Topics.create(broker, topic);
    Policy policy = Policy.connect(broker).produce(topic);
    for (Keys keys : List.of(iam.user(Iam.fresh("user"), policy), role(policy))) {
      produce(keys, topic);
      int requests = 0;
      for (Tap.Line line : lines(keys)) {
        List<Tap.Frame> logins = new ArrayList<>();
        for (Tap.Frame frame : line.frames()) {
          if (frame.api() == ApiKeys.SASL_AUTHENTICATE.id) {
            logins.add(frame);
          }
        }
        assertEquals(1, logins.size(), "logins on a connection");
        Needles credential = new Needles().secret("the key id", keys.id());
        credential.secret("the signature", signature(logins.get(0)));
        if (keys.token() != null) {
          credential.secret("the token", keys.token());
        }
        assertNotEquals(Set.of(), credential.in(logins.get(0).bytes()));
        for (Tap.Frame frame : line.frames()) {
          if (frame.api() != ApiKeys.SASL_AUTHENTICATE.id) {
            assertEquals(Set.of(), credential.in(frame.bytes()), "in a request " + frame.api());
            requests += frame.api() == ApiKeys.PRODUCE.id ? 1 : 0;
          }
        }
        // Nor does the broker send anything of it back.
        assertEquals(Set.of(), credential.in(line.down()));
      }
      assertEquals(RECORDS, requests);
      // Each was decided for the client that opened the connection.
      Wait.until("all writes on the client's account", () -> written(keys, topic) == RECORDS);
    }
  }

  private static String signature(Tap.Frame login) {
    String text = new String(login.bytes(), StandardCharsets.ISO_8859_1);
    JsonNode message = Broker.json(text.substring(text.indexOf('{'), text.lastIndexOf('}') + 1));
    return message.get("x-amz-signature").asText();
  }

  private long written(Keys keys, String topic) {
    return iam.audit("--identity", keys.arn(), "--action", "kafka-cluster:WriteData").stream()
        .filter(record -> record.at("/resources/0/name").asText().equals(topic))
        .mapToLong(record -> record.get("count").asLong())
        .sum();
  }

  @Test
  void p1_22_a_client_proves_that_it_has_the_secret_and_sends_it_to_nobody() throws Exception {
    String topic = Iam.fresh("topic");
    String group = Iam.fresh("group");
    Topics.create(broker, topic);
    Policy policy = Policy.connect(broker).produce(topic).consume(topic, group);
    for (Keys keys : List.of(iam.user(Iam.fresh("user"), policy), role(policy))) {
      produce(keys, topic);
      Map<String, Object> config = config(keys);
      config.put(ConsumerConfig.GROUP_ID_CONFIG, group);
      config.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
      try (KafkaConsumer<byte[], byte[]> consumer =
          new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
        consumer.subscribe(List.of(topic));
        int[] seen = {0};
        Wait.until(
            "a record", () -> (seen[0] += consumer.poll(Duration.ofMillis(100)).count()) > 0);
        consumer.commitSync();
      }
      Needles secret = new Needles().secret("the secret", keys.secret());
      // What is sent instead: the id, the token, a signature.
      Needles proof = new Needles().text("id", "\"x-amz-credential\":\"" + keys.id());
      proof.text("signature", "\"x-amz-signature\":\"");
      if (keys.token() != null) {
        proof.text("token", keys.token());
      }
      List<Tap.Line> lines = lines(keys);
      assertTrue(lines.size() >= 3, "connections: " + lines.size());
      for (Tap.Line line : lines) {
        assertEquals(keys.token() == null ? 2 : 3, proof.in(line.up()).size());
        assertEquals(Set.of(), secret.in(line.up()));
        assertEquals(Set.of(), secret.in(line.down()));
      }
    }
  }
}
