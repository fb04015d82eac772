// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.requests.SaslAuthenticateResponse;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;

/** A broker whose wall clock jumps: sessions end when they should by the clock that cannot. */
@Order(4)
class ClockTest {
  private static final Duration HOUR = Duration.ofHours(1);

  /** Seconds by which the broker's wall clock is wrong. */
  private static final Path OFFSET = Broker.WORK.resolve("clock.offset");

  private final Broker broker;
  private final Iam iam;

  ClockTest() throws IOException {
    Files.createDirectories(Broker.WORK);
    jump(Duration.ZERO);
    Path library = Broker.WORK.resolve("clock.so");
    Path source = Broker.ROOT.resolve("java-bindings/it/src/test/c/clock.c");
    Broker.Ended compiled =
        Broker.run(
            Map.of(),
            List.of(
                "cc",
                "-std=c11",
                "-O2",
                "-Wall",
                "-Wextra",
                "-Wpedantic",
                "-Werror",
                "-shared",
                "-fPIC",
                "-o",
                library.toString(),
                source.toString()));
    assertEquals(0, compiled.code(), compiled.errors());
    broker =
        Brokers.own(
            "clock",
            Map.of("LD_PRELOAD", library.toString(), "STANDIN_IT_CLOCK", OFFSET.toString()));
    iam = Iam.of(broker);
  }

  /** In place: the broker has the file mapped. */
  private static void jump(Duration offset) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(8).order(ByteOrder.nativeOrder());
    bytes.putLong(0, offset.toSeconds());
    try (var file =
        Files.newByteChannel(OFFSET, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      file.write(bytes);
    }
  }

  private Errors logIn(Keys keys, Instant date) throws IOException {
    try (RawClient client = RawClient.connect(broker, "CLIENT")) {
      return client.tryLogIn(Signed.by(keys).date(date).message()).error();
    }
  }

  /** Waits for an answer that is not about Kafka's own trouble with the clock. */
  private static void produces(RawClient client, String topic) throws Exception {
    Wait.until("an accepted write", () -> Wire.produce(client, topic) == Errors.NONE);
  }

  @AfterAll
  static void done() {
    Brokers.done("clock");
  }

  @Test
  void x_12_a_jump_of_the_wall_clock_ends_no_session_early_and_none_late() throws Exception {
    String topic = Iam.fresh("topic");
    Topics.create(broker, topic);
    String user = Iam.fresh("user");
    String role = Iam.fresh("role");
    Policy policy = Policy.connect(broker).produce(topic);
    Keys lasting = iam.user(user, policy);
    iam.role(role, lasting.arn(), 3600, policy);
    Keys brief = iam.assume(role, user, "session", 40);
    try (RawClient stays = RawClient.loggedIn(broker, lasting);
        RawClient ends = RawClient.connect(broker, "CLIENT")) {
      SaslAuthenticateResponse answer = ends.logIn(brief);
      long lifetime = answer.sessionLifetimeMs() * 1_000_000;
      final long begin = System.nanoTime();
      produces(stays, topic);
      produces(ends, topic);

      // An hour ahead: no session has passed its end for that.
      jump(HOUR);
      produces(stays, topic);
      for (int i = 0; i < 20 && System.nanoTime() - begin < lifetime - 5_000_000_000L; i++) {
        produces(ends, topic);
        Thread.sleep(100);
      }
      // A client whose clock is right is an hour off for this broker, which says so.
      assertEquals(Errors.SASL_AUTHENTICATION_FAILED, logIn(lasting, Instant.now()));
      assertEquals(Errors.NONE, logIn(lasting, Instant.now().plus(HOUR)));
      // And what has ended by the broker's clock opens no further connection.
      assertEquals(Errors.SASL_AUTHENTICATION_FAILED, logIn(brief, Instant.now().plus(HOUR)));

      // An hour behind: no session gets another hour.
      jump(HOUR.negated());
      produces(stays, topic);
      assertEquals(Errors.SASL_AUTHENTICATION_FAILED, logIn(lasting, Instant.now()));
      long left = lifetime - (System.nanoTime() - begin);
      Thread.sleep(Math.max(0, left / 1_000_000) + 1000);
      assertTrue(isOver(ends, topic), "a session lives on behind its end");
      produces(stays, topic);

      jump(Duration.ZERO);
      produces(stays, topic);
      assertEquals(Errors.NONE, logIn(lasting, Instant.now()));
    }
    Wait.until("both reasons in the audit", () -> reason(-205) && reason(-206));
  }

  private static boolean isOver(RawClient client, String topic) throws IOException {
    try {
      return Wire.produce(client, topic) == Errors.TOPIC_AUTHORIZATION_FAILED;
    } catch (RawClient.Closed e) {
      return true;
    }
  }

  /** True when a refusal for the clock tells the operator by how much it was off. */
  private boolean reason(int status) {
    for (JsonNode record : iam.audit("--action", "login")) {
      if (record.at("/status_code").asInt() == status) {
        return record.at("/status_detail").asText().matches(".*3[56][0-9][0-9].*");
      }
    }
    return false;
  }
}
